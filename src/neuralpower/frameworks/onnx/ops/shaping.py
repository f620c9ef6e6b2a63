"""Operations that move, join, cut or sum up values: shapes, slices, reductions, look-ups."""

from __future__ import annotations

import math
from collections.abc import Sequence

from neuralpower.caffe.layers.arrangement import Concat, Crop, Reshape, Slice, Tile
from neuralpower.caffe.layers.data import Parameter
from neuralpower.caffe.layers.dense import Embed
from neuralpower.caffe.layers.detection import Priors
from neuralpower.caffe.layers.forks import Permute, ShuffleChannel
from neuralpower.caffe.layers.picking import ArgMax, BatchReindex, Reduction
from neuralpower.caffe.layers.resizing import Blocks, Resize, Unpool
from neuralpower.caffe.operation import Identity, Silence
from neuralpower.frameworks.onnx.ops.graph import FLOAT, INT64, Graph
from neuralpower.frameworks.onnx.ops.registry import emits
from neuralpower.frameworks.windows import prior_values


@emits(Identity)
def identity(graph: Graph, op: Identity, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """A copy for each top."""
    for top in tops:
        graph.op("Identity", bottoms, top)


@emits(Silence)
def silence(graph: Graph, op: Silence, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """Nothing: it only swallows its bottoms."""


@emits(Reshape)
def reshape(graph: Graph, op: Reshape, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """Another view of the same elements."""
    graph.reshape(bottoms[0], op.top, tops[0])


@emits(Concat)
def concat(graph: Graph, op: Concat, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """Values joined along one axis."""
    graph.op("Concat", bottoms, tops[0], axis=op.axis)


@emits(Slice)
def slice_layer(graph: Graph, op: Slice, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """A value cut along one axis."""
    graph.ops("Split", [bottoms[0], graph.integers(op.sizes)], tops, {"axis": op.axis})


@emits(Crop)
def crop(graph: Graph, op: Crop, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """A part of the first value."""
    shape = op.bottom
    cuts = [(b, e, i) for i, (b, e) in enumerate(op.bounds) if (b, e) != (0, shape[i])]
    # An axis that stays whole is not named, so that the model runs at any batch size.
    starts, ends, axes = zip(*(cuts or [(0, shape[-1], len(shape) - 1)]), strict=True)
    bounds = [graph.integers(values) for values in (starts, ends, axes)]
    graph.op("Slice", [bottoms[0], *bounds], tops[0])


@emits(Permute)
def permute(graph: Graph, op: Permute, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """Axes in another order."""
    graph.op("Transpose", bottoms, tops[0], perm=op.order)


@emits(ShuffleChannel)
def shuffle(graph: Graph, op: ShuffleChannel, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """Channels of groups interleaved."""
    batch, channels, *size = op.bottom
    split = graph.reshape(bottoms[0], (batch, op.groups, channels // op.groups, *size))
    perm = [0, 2, 1, *range(3, 3 + len(size))]
    graph.reshape(graph.op("Transpose", [split], perm=perm), op.top, tops[0])


@emits(Tile)
def tile(graph: Graph, op: Tile, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """A value repeated along one axis."""
    repeats = [1] * len(op.bottom)
    repeats[op.axis] = op.times
    graph.op("Tile", [bottoms[0], graph.integers(repeats)], tops[0])


@emits(Reduction)
def reduction(graph: Graph, op: Reduction, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """Sum, sum of absolute values or squares, or mean over the last axes, scaled."""
    value = bottoms[0]
    if op.how == "absolute":
        value = graph.op("Abs", [value])
    elif op.how == "squares":
        value = graph.op("Mul", [value, value])
    elif op.how == "mean":
        places = math.prod(op.bottom[op.axis :])
        value = graph.op("Mul", [value, graph.scalar(1.0 / places)])
    plain = op.factor == 1
    axes = range(op.axis, len(op.bottom))
    summed = graph.total(value, axes, tops[0] if plain else "")
    if not plain:
        graph.op("Mul", [summed, graph.scalar(op.factor)], tops[0])


@emits(ArgMax)
def arg_max(graph: Graph, op: ArgMax, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """The places of the largest values, along an axis or over an image, and the values if asked."""
    value, axis, batch = bottoms[0], op.axis, op.bottom[0]
    if axis is None:
        value, axis = graph.reshape(value, (batch, math.prod(op.bottom[1:]))), 1
    scope = op.layer.name
    names = [graph.fresh(f"{scope}/values"), graph.fresh(f"{scope}/places")]
    graph.ops("TopK", [value, graph.integers([op.number])], names, {"axis": axis})
    places = graph.op("Cast", [names[1]], to=FLOAT)
    if not op.values:
        graph.reshape(places, op.top, tops[0])
    elif op.axis is not None:
        graph.reshape(names[0], op.top, tops[0])
    else:
        parts = [graph.reshape(part, (batch, 1, op.number)) for part in (places, names[0])]
        graph.reshape(graph.op("Concat", parts, axis=1), op.top, tops[0])


@emits(Embed)
def embed(graph: Graph, op: Embed, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """A row of a table for each index, and a bias."""
    table, *bias = (graph.weight(weight) for weight in op.weights)
    index = graph.op("Cast", [bottoms[0]], to=INT64)
    rows = graph.op("Gather", [table, index], "" if bias else tops[0], axis=0)
    if bias:
        graph.op("Add", [rows, *bias], tops[0])


@emits(BatchReindex)
def batch_reindex(
    graph: Graph, op: BatchReindex, bottoms: Sequence[str], tops: Sequence[str]
) -> None:
    """Items of the first value in the order of the second."""
    index = graph.op("Cast", [bottoms[1]], to=INT64)
    graph.op("Gather", [bottoms[0], index], tops[0], axis=0)


@emits(Parameter)
def parameter(graph: Graph, op: Parameter, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """A learned blob as a top."""
    graph.op("Identity", [graph.weight(op.weights[0])], tops[0])


@emits(Resize)
def resize(graph: Graph, op: Resize, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """Copied pixels, or bilinear with the corners kept."""
    how = (
        {"mode": "linear", "coordinate_transformation_mode": "align_corners"}
        if op.smooth
        else {
            "mode": "nearest",
            "coordinate_transformation_mode": "asymmetric",
            "nearest_mode": "floor",
        }
    )
    graph.op("Resize", [bottoms[0], "", "", graph.integers(op.top)], tops[0], **how)


@emits(Unpool)
def unpool(graph: Graph, op: Unpool, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """Values put at their places of each channel."""
    flat = (*op.bottom[:2], math.prod(op.bottom[2:]))
    whole = (*op.top[:2], math.prod(op.top[2:]))
    zeros = graph.op("ConstantOfShape", [graph.integers(whole)])
    places = graph.op("Cast", [graph.reshape(bottoms[1], flat)], to=INT64)
    inputs = [zeros, places, graph.reshape(bottoms[0], flat)]
    graph.reshape(graph.op("ScatterElements", inputs, axis=2), op.top, tops[0])


@emits(Blocks)
def blocks(graph: Graph, op: Blocks, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """Pixels to channels, or the reverse."""
    if op.outwards:
        mode = "CRD" if op.fine else "DCR"
        graph.op("DepthToSpace", bottoms, tops[0], blocksize=op.size, mode=mode)
    else:
        graph.op("SpaceToDepth", bottoms, tops[0], blocksize=op.size)


@emits(Priors)
def priors(graph: Graph, op: Priors, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """Fixed boxes."""
    graph.op("Identity", [graph.constant(prior_values(op))], tops[0])
