"""From a set-up layer to the row that the models predict from.

Families and how they fill the columns (the sets of measurements do the same): windows of one pixel
where a layer has none; ``fc`` has flattened widths and spatial sizes 1; a blob with fewer than four
axes has sizes 1 at the end, one with more has its last axes joined.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from neuralpower.caffe.caffe_pb2 import LayerParameter
from neuralpower.caffe.fields import FORK_NUMBERS
from neuralpower.caffe.layers.convolution import Window, window
from neuralpower.caffe.layers.pooling import pool_geometry, pool_sides
from neuralpower.caffe.shapes import Shape, axis_index, shape_text
from neuralpower.core.configuration import Configuration
from neuralpower.core.families import FAMILY_OF_TYPE, POOL_METHODS


def configuration(
    param: LayerParameter, bottoms: Sequence[Shape], tops: Sequence[Shape]
) -> tuple[Configuration | None, str]:
    """The configuration of a layer with known shapes, or None and why there is none."""
    family = FAMILY_OF_TYPE.get(param.type)
    if family is None:
        return None, ""
    if any(0 in shape for shape in (*bottoms, *tops)):
        return None, "an empty blob: nothing to compute"
    build = _BUILDERS.get(family)
    if build is not None:
        return build(param, bottoms, tops)
    return _plain(family, bottoms[0], tops[0]), ""


Result = tuple[Configuration | None, str]


def _sizes(shape: Shape) -> tuple[int, int, int, int]:
    """(batch, channels, height, width) of a blob of any number of axes."""
    padded = (*shape, 1, 1, 1, 1)
    return padded[0], padded[1], padded[2], math.prod(padded[3:])


def _plain(family: str, bottom: Shape, top: Shape, **more: Any) -> Configuration:
    batch, channels, height, width = _sizes(bottom)
    _, out_channels, out_height, out_width = _sizes(top)
    return Configuration(
        family, batch, channels, height, width, out_channels, out_height, out_width, **more
    )


def _convolution(family: str) -> Callable[..., Result]:
    def build(param: LayerParameter, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Result:
        options, bottom, top = param.convolution_param, bottoms[0], tops[0]
        axis = axis_index(bottom, options.axis)
        n_spatial = len(bottom) - axis - 1
        if n_spatial != 2:
            return None, f"{n_spatial}-d convolution: no model family"
        geometry = window(options, bottom[axis + 1 :])
        depthwise = "depth" in param.type.lower()
        (height, width), pad, note = _padded(bottom[axis + 1 :], geometry, top[axis + 1 :])
        return Configuration(
            family,
            math.prod(bottom[:axis]),
            bottom[axis],
            height,
            width,
            *_three(top[axis:]),
            *_two(geometry.kernel),
            *_two(geometry.stride),
            *_two(pad),
            *_two(geometry.dilation),
            bottom[axis] if depthwise else options.group,
            "",
            int(options.bias_term),
            len(bottoms),
        ), note

    return build


def _padded(sizes: Shape, geometry: Window, top: Shape) -> tuple[Shape, Shape, str]:
    """Input sizes and one pad an axis that stand for pads that differ on two sides.

    One pad that gives the same output is taken where there is one; otherwise the layer counts as
    one of the padded input.
    """
    if geometry.symmetric:
        return sizes, geometry.pad, ""
    totals = [a + b for a, b in zip(geometry.pad, geometry.pad_end, strict=True)]
    for pads in (tuple(-(-total // 2) for total in totals), tuple(t // 2 for t in totals)):
        even = replace(geometry, pad=pads, pad_end=pads)
        if even.convolve(sizes) == top:
            return sizes, pads, f"pads of two sides differ: predicted with {shape_text(pads)}"
    padded = tuple(size + total for size, total in zip(sizes, totals, strict=True))
    return padded, (0,) * len(sizes), "pads of two sides differ: predicted as the padded input"


def _two(shape: Shape) -> tuple[int, int]:
    height, width = shape
    return height, width


def _three(shape: Shape) -> tuple[int, int, int]:
    channels, height, width = shape
    return channels, height, width


def _inner_product(
    param: LayerParameter, bottoms: Sequence[Shape], tops: Sequence[Shape]
) -> Result:
    options, bottom = param.inner_product_param, bottoms[0]
    axis = axis_index(bottom, options.axis)
    rows, inputs = math.prod(bottom[:axis]), math.prod(bottom[axis:])
    return Configuration(
        "fc", rows, inputs, 1, 1, options.num_output, 1, 1, bias=int(options.bias_term)
    ), ""


def _pooling(param: LayerParameter, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Result:
    options = param.pooling_param
    if len(bottoms[0]) != 4:
        return None, f"{len(bottoms[0]) - 2}-d pooling: no model family"
    kernel, stride, pad = pool_geometry(bottoms[0], options)
    before, after = pool_sides(options, bottoms[0][2:], kernel, stride, pad)
    bottom: Shape = bottoms[0]
    note = ""
    if before != after:
        note = "pads of two sides differ: predicted as the padded input"
        sizes = [sum(sides) for sides in zip(bottom[2:], before, after, strict=True)]
        bottom, pad = (*bottom[:2], *sizes), (0, 0)
    elif before != pad:
        pad = before
    return _plain(
        "pool",
        bottom,
        tops[0],
        kernel_height=kernel[0],
        kernel_width=kernel[1],
        stride_height=stride[0],
        stride_width=stride[1],
        pad_height=pad[0],
        pad_width=pad[1],
        # The averages of forks over the real pixels only do the work of an average.
        pool_method=POOL_METHODS[options.pool if options.pool < FORK_NUMBERS else options.AVE],
    ), note


def _several(family: str) -> Callable[..., Result]:
    def build(param: LayerParameter, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Result:
        return _plain(family, bottoms[0], tops[0], inputs=len(bottoms)), ""

    return build


def _scale(param: LayerParameter, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Result:
    bias = int(param.scale_param.bias_term)
    return _plain("scale", bottoms[0], tops[0], bias=bias, inputs=len(bottoms)), ""


_BUILDERS: dict[str, Callable[..., Result]] = {
    "conv": _convolution("conv"),
    "deconv": _convolution("deconv"),
    "fc": _inner_product,
    "pool": _pooling,
    "scale": _scale,
    "eltwise": _several("eltwise"),
    "concat": _several("concat"),
}
