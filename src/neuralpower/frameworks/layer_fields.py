"""What executors read of a layer's message: windows, axes, shapes, with Caffe's defaults."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy

from neuralpower.core.errors import InputError
from neuralpower.frameworks.layer_graph import LayerLike, Shape


def unsupported(layer: LayerLike, why: str) -> InputError:
    """The one line for a layer that cannot be written."""
    return InputError(f"layer {layer.name!r} ({layer.type}): {why}")


def bottom_shape(layer: LayerLike, index: int = 0) -> Shape:
    """The shape of a bottom; ``InputError`` when the layer table does not know it."""
    return _known(layer, layer.bottom_shapes, index, "input")


def top_shape(layer: LayerLike, index: int = 0) -> Shape:
    """The shape of a top; ``InputError`` when the layer table does not know it."""
    return _known(layer, layer.top_shapes, index, "output")


def _known(layer: LayerLike, shapes: Sequence[Shape | None], index: int, what: str) -> Shape:
    shape = shapes[index] if index < len(shapes) else None
    if shape is None:
        raise unsupported(layer, f"the shape of its {what} is not known")
    return shape


def canonical_axis(layer: LayerLike, axis: int, rank: int) -> int:
    """Caffe's CanonicalAxisIndex: a negative axis counts from the end."""
    if not -rank <= axis < rank:
        raise unsupported(layer, f"axis {axis} is out of range for {rank} dimensions")
    return axis % rank


def count(shape: Sequence[int]) -> int:
    """The number of elements."""
    return math.prod(shape)


def spatial(layer: LayerLike, param: Any, name: str, rank: int, default: int) -> list[int]:
    """A convolution's field a spatial axis: ``name_h``/``name_w``, or repeated 0, 1 or n times."""
    field = "kernel_size" if name == "kernel" else name
    both = {"kernel", "stride", "pad"}
    if name in both and (param.HasField(f"{name}_h") or param.HasField(f"{name}_w")):
        return [getattr(param, f"{name}_h"), getattr(param, f"{name}_w")]
    given = list(getattr(param, field))
    if not given:
        return [default] * rank
    if len(given) not in (1, rank):
        raise unsupported(layer, f"{len(given)} values of {field} for {rank} spatial axes")
    return given * rank if len(given) == 1 else given


def pool_window(layer: LayerLike) -> tuple[list[int], list[int], list[int]]:
    """Kernel, stride and padding of a Pooling layer, height first."""
    param = layer.param.pooling_param
    size = bottom_shape(layer)[2:]
    if param.global_pooling:
        return list(size), [1, 1], [0, 0]
    pair = {}
    for name, plain in (("kernel", "kernel_size"), ("stride", "stride"), ("pad", "pad")):
        split = param.HasField(f"{name}_h") or param.HasField(f"{name}_w")
        pair[name] = (
            [getattr(param, f"{name}_h"), getattr(param, f"{name}_w")]
            if split
            else [getattr(param, plain)] * 2
        )
    return pair["kernel"], [s or 1 for s in pair["stride"]], pair["pad"]


def average_divisor(
    size: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    pad: Sequence[int],
    out: Sequence[int],
) -> Any:
    """Caffe's divisor of average pooling an output place: the window clipped at size + pad.

    Padding counts, the part of a window beyond it does not (pooling_layer.cpp, Forward_cpu).
    """
    spans = []
    for n, k, s, p, o in zip(size, kernel, stride, pad, out, strict=True):
        start = numpy.arange(o) * s - p
        spans.append(numpy.minimum(start + k, n + p) - start)
    return numpy.multiply.outer(spans[0], spans[1])


def run_of_axes(
    layer: LayerLike, axis: int, num_axes: int, given: bool
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The shape of a factor that spans a run of the bottom's axes, and the same to broadcast."""
    shape = bottom_shape(layer)
    if given:
        own = bottom_shape(layer, 1)
        start = canonical_axis(layer, axis, len(shape)) if own else 0
    else:
        start = canonical_axis(layer, axis, len(shape))
        own = shape[start:] if num_axes == -1 else shape[start : start + num_axes]
    wanted = (*own, *(1 for _ in shape[start + len(own) :]))
    return own, wanted or (1,)


def slice_parts(layer: LayerLike) -> tuple[int, list[int]]:
    """The axis that a Slice cuts, and the size of each top along it."""
    param = layer.param.slice_param
    axis = param.slice_dim if param.HasField("slice_dim") else param.axis
    axis = canonical_axis(layer, axis, len(bottom_shape(layer)))
    return axis, [top_shape(layer, i)[axis] for i in range(len(layer.tops))]


def crop_bounds(layer: LayerLike) -> list[tuple[int, int]]:
    """Where a Crop begins and ends on every axis of its first bottom: whole before ``axis``."""
    param, shape, out = layer.param.crop_param, bottom_shape(layer), top_shape(layer)
    axis = canonical_axis(layer, param.axis, len(shape))
    cut = len(shape) - axis
    offsets = list(param.offset) or [0]
    if len(offsets) not in (1, cut):
        raise unsupported(layer, f"{len(offsets)} offsets for {cut} axes")
    starts = offsets * cut if len(offsets) == 1 else offsets
    ends = [(start, start + n) for start, n in zip(starts, out[axis:], strict=True)]
    return [(0, n) for n in shape[:axis]] + ends


def axis_order(layer: LayerLike) -> list[int]:
    """The axes as a Permute orders them; those that are not named follow in their old order."""
    order = list(layer.param.permute_param.order)
    return order + [axis for axis in range(len(bottom_shape(layer))) if axis not in order]


def shuffle_groups(layer: LayerLike) -> int:
    """The groups whose channels a ShuffleChannel interleaves."""
    group, channels = int(layer.param.shuffle_channel_param.group), bottom_shape(layer)[1]
    if channels % group:
        raise unsupported(layer, f"{channels} channels do not divide into {group} groups")
    return group
