"""Layers that combine, cut, reshape or pick elements."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from neuralpower.caffe.caffe_pb2 import LayerParameter
from neuralpower.caffe.operation import Identity, LayerFacts, Operation, Silence, operation
from neuralpower.caffe.registry import Setup, layer_type
from neuralpower.caffe.shapes import (
    Shape,
    axis_index,
    check,
    check_blob,
    count,
    dim,
    dims,
    shape_text,
)


@layer_type("Concat", bottoms=(1, None))
def concat(setup: Setup) -> list[Shape]:
    """All bottoms one after the other along an axis."""
    param, first = setup.param.concat_param, setup.bottom
    old = param.HasField("concat_dim")
    check(not (old and param.HasField("axis")), "either axis or concat_dim; not both")
    if old:
        check(param.concat_dim < len(first), f"concat_dim {param.concat_dim} is out of range")
    axis = param.concat_dim if old else axis_index(first, param.axis)
    if param.per_fla_fuse and axis == 1:
        setup.notes.append("permutes and flattens its bottoms too (Intel)")
        return [(first[0], sum(count(shape, 1) for shape in setup.bottoms), *[1] * len(first[2:]))]
    total = 0
    rest = (*first[:axis], *first[axis + 1 :])
    for shape in setup.bottoms:
        check(
            len(shape) == len(first) and (*shape[:axis], *shape[axis + 1 :]) == rest,
            f"bottoms must agree but on axis {axis}: {shape_text(first)} and {shape_text(shape)}",
        )
        total += shape[axis]
    setup.expect(len(setup.bottoms) > 1 or count(first) > 0, "the only bottom is empty")
    return [(*first[:axis], total, *first[axis + 1 :])]


@layer_type("Slice", bottoms=(1, 1), tops=(1, None), in_place=lambda param, n_tops: n_tops == 1)
def slice_(setup: Setup) -> list[Shape]:
    """Cut an axis at the slice points, or into equal parts."""
    param, bottom, n_tops = setup.param.slice_param, setup.bottom, setup.n_tops
    old = param.HasField("slice_dim")
    check(not (old and param.HasField("axis")), "either axis or slice_dim; not both")
    if old:
        check(param.slice_dim < len(bottom), f"slice_dim {param.slice_dim} is out of range")
    axis = param.slice_dim if old else axis_index(bottom, param.axis)
    size = bottom[axis]
    points = list(param.slice_point)
    if points:
        check(len(points) == n_tops - 1, f"{n_tops} tops need {n_tops - 1} slice points")
        check(n_tops <= size, f"{n_tops} tops of an axis of {size}")
        edges = [0, *points]
        check(
            all(low < high for low, high in zip(edges, points, strict=False)),
            f"slice points must rise: {points[:20]}",
        )
        sizes = [high - low for low, high in zip(edges, [*points, size], strict=True)]
    else:
        check(size % n_tops == 0, f"an axis of {size} does not divide into {n_tops} tops")
        sizes = [size // n_tops] * n_tops
    setup.expect(n_tops > 1 or count(bottom) > 0, "the bottom is empty")
    return [(*bottom[:axis], part, *bottom[axis + 1 :]) for part in sizes]


@layer_type("Split", tops=(1, None), in_place=False, free=True)
def split(setup: Setup) -> list[Shape]:
    """The same blob under several names."""
    return [setup.bottom] * setup.n_tops


@layer_type("Silence", bottoms=(1, None), tops=(0, 0), free=True)
def silence(setup: Setup) -> list[Shape]:
    """Takes blobs that nobody uses."""
    return []


@layer_type("Eltwise", bottoms=(2, None))
def eltwise(setup: Setup) -> list[Shape]:
    """Sum (perhaps weighted), product or maximum of blobs of one shape."""
    param, bottoms = setup.param.eltwise_param, setup.bottoms
    setup.expect(
        len(param.coeff) in (0, len(bottoms)),
        f"{len(param.coeff)} coefficients for {len(bottoms)} bottoms",
    )
    product = param.operation == param.PROD
    setup.expect(not (product and len(param.coeff)), "only sums take coefficients")
    for shape in bottoms[1:]:
        check(
            shape == bottoms[0],
            f"bottoms must have one shape: {shape_text(bottoms[0])} and {shape_text(shape)}",
        )
    if product:
        setup.macs = (len(bottoms) - 1) * count(bottoms[0])
    elif param.operation == param.SUM:
        setup.macs = sum(value != 1 for value in param.coeff) * count(bottoms[0])
    return [bottoms[0]]


@layer_type("Flatten", in_place=False, free=True)
def flatten(setup: Setup) -> list[Shape]:
    """The axes from ``axis`` to ``end_axis`` become one."""
    param, bottom = setup.param.flatten_param, setup.bottom
    start, end = axis_index(bottom, param.axis), axis_index(bottom, param.end_axis)
    return [(*bottom[:start], count(bottom, start, end + 1), *bottom[end + 1 :])]


@layer_type("Reshape", in_place=False, free=True)
def reshape(setup: Setup) -> list[Shape]:
    """New sizes for a range of axes: 0 keeps a size, -1 takes what is left."""
    param, bottom = setup.param.reshape_param, setup.bottom
    wanted = list(dims(param.shape))
    check(wanted.count(-1) <= 1, "at most one size can be -1")
    start = param.axis if param.axis >= 0 else len(bottom) + param.axis + 1
    check(0 <= start <= len(bottom), f"axis {param.axis} is out of range")
    check(param.num_axes >= -1, "num_axes is -1 (all) or more")
    end = len(bottom) if param.num_axes == -1 else start + param.num_axes
    check(end <= len(bottom), "axis + num_axes is out of range")
    for index, size in enumerate(wanted):
        if size == 0:
            check(start + index < len(bottom), f"size {index} is 0 but the input has no such axis")
            wanted[index] = bottom[start + index]
    if -1 in wanted:
        known = math.prod(size for size in wanted if size != -1)
        known *= count(bottom, 0, start) * count(bottom, end)
        check(
            known != 0 and count(bottom) % known == 0,
            f"{count(bottom)} elements do not divide by the {known} of the given sizes",
        )
        wanted[wanted.index(-1)] = count(bottom) // known
    top = check_blob((*bottom[:start], *wanted, *bottom[end:]), setup.limit)
    check(
        count(top) == count(bottom),
        f"{shape_text(top)} has {count(top)} elements, the input has {count(bottom)}",
    )
    setup.expect(count(top) > 0, "the input is empty")
    return [top]


@layer_type("Crop", bottoms=(2, 2))
def crop(setup: Setup) -> list[Shape]:
    """The first bottom cut to the sizes of the second from ``axis`` on."""
    param, (bottom, reference) = setup.param.crop_param, setup.bottoms
    start = axis_index(bottom, param.axis)
    offsets = list(param.offset)
    check(
        len(offsets) <= 1 or len(offsets) + start == len(bottom),
        f"{len(offsets)} offsets for the {len(bottom) - start} axes from axis {start} on",
    )
    top = list(bottom)
    for axis in range(start, len(bottom)):
        offset = 0 if not offsets else offsets[0] if len(offsets) == 1 else offsets[axis - start]
        size = dim(reference, axis)
        check(
            bottom[axis] - offset >= size,
            f"axis {axis}: {size} from offset {offset} on is more than {bottom[axis]}",
        )
        top[axis] = size
    return [tuple(top)]


@layer_type("Tile")
def tile(setup: Setup) -> list[Shape]:
    """An axis repeated."""
    param, bottom = setup.param.tile_param, setup.bottom
    check(param.HasField("tiles"), "tiles must be given")
    check(param.tiles > 0, "tiles must be positive")
    axis = axis_index(bottom, param.axis)
    return [(*bottom[:axis], bottom[axis] * param.tiles, *bottom[axis + 1 :])]


@dataclass(frozen=True, slots=True)
class Concat(Operation):
    """The inputs one after the other along ``axis``."""

    axis: int


@dataclass(frozen=True, slots=True)
class Slice(Operation):
    """The input cut along ``axis`` into parts of these sizes."""

    axis: int
    sizes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Eltwise(Operation):
    """Inputs of one shape: their product, their sum with factors, or their maximum."""

    how: Literal["product", "sum", "maximum"]
    factors: tuple[float, ...]


class Reshape(Operation):
    """The same elements with the output's shape."""


@dataclass(frozen=True, slots=True)
class Crop(Operation):
    """The elements of each axis from a start to before an end."""

    bounds: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Tile(Operation):
    """The input ``times`` times one after the other along ``axis``."""

    axis: int
    times: int


@operation("Concat")
def concat_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """``concat_dim`` is the old name of the axis."""
    options = param.concat_param
    axis = options.concat_dim if options.HasField("concat_dim") else options.axis
    return Concat(layer, axis_index(layer.bottoms[0], axis))


@operation("Slice")
def slice_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """``slice_dim`` is the old name of the axis."""
    options = param.slice_param
    axis = options.slice_dim if options.HasField("slice_dim") else options.axis
    axis = axis_index(layer.bottoms[0], axis)
    return Slice(layer, axis, tuple(top[axis] for top in layer.tops))


@operation("Split")
def split_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """The same blob under several names."""
    return Identity(layer)


@operation("Silence")
def silence_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """Nothing."""
    return Silence(layer)


@operation("Eltwise")
def eltwise_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """Coefficients belong to sums."""
    options = param.eltwise_param
    how: dict[int, Literal["product", "sum", "maximum"]] = {
        options.PROD: "product",
        options.SUM: "sum",
        options.MAX: "maximum",
    }
    factors = tuple(options.coeff) or (1.0,) * len(layer.bottoms)
    made = Eltwise(layer, how[options.operation], factors)
    if len(factors) != len(layer.bottoms):
        raise made.refuse(f"{len(factors)} coefficients for {len(layer.bottoms)} bottoms")
    return made


@operation("Flatten", "Reshape")
def reshape_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """The layer table has worked out the shape."""
    return Reshape(layer)


@operation("Crop")
def crop_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """Whole before ``axis``; from there on with the size of the second bottom."""
    options, bottom = param.crop_param, layer.bottoms[0]
    axis = axis_index(bottom, options.axis)
    cut = len(bottom) - axis
    offsets = list(options.offset) or [0]
    starts = offsets * cut if len(offsets) == 1 else offsets
    ends = [(start, start + n) for start, n in zip(starts, layer.tops[0][axis:], strict=True)]
    return Crop(layer, (*((0, n) for n in bottom[:axis]), *ends))


@operation("Tile")
def tile_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """Along one axis."""
    options = param.tile_param
    return Tile(layer, axis_index(layer.bottoms[0], options.axis), options.tiles)
