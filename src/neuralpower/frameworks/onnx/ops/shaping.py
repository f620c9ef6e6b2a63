"""Layers that move, join, cut or sum up values: shapes, slices, reductions, look-ups."""

from __future__ import annotations

from collections.abc import Sequence

from neuralpower.frameworks.layer_fields import (
    axis_order,
    bottom_shape,
    canonical_axis,
    count,
    crop_bounds,
    shuffle_groups,
    slice_parts,
    top_shape,
    unsupported,
)
from neuralpower.frameworks.layer_graph import LayerLike
from neuralpower.frameworks.onnx.ops.graph import Graph
from neuralpower.frameworks.onnx.ops.registry import emits

_FLOAT, _INT64 = 1, 7


@emits("Flatten", "Reshape")
def reshape(graph: Graph, layer: LayerLike, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """Another view of the same elements; the layer table has worked out the shape."""
    graph.reshape(bottoms[0], top_shape(layer), tops[0])


@emits("Concat")
def concat(graph: Graph, layer: LayerLike, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """Bottoms joined along one axis (``concat_dim`` is its old name)."""
    param = layer.param.concat_param
    axis = param.concat_dim if param.HasField("concat_dim") else param.axis
    graph.op("Concat", bottoms, tops[0], axis=canonical_axis(layer, axis, len(bottom_shape(layer))))


@emits("Slice")
def slice_layer(
    graph: Graph, layer: LayerLike, bottoms: Sequence[str], tops: Sequence[str]
) -> None:
    """A bottom cut into its tops along one axis; the layer table has worked out the sizes."""
    axis, parts = slice_parts(layer)
    sizes = graph.integers(parts)
    graph.ops("Split", [bottoms[0], sizes], tops, {"axis": axis})


@emits("Crop")
def crop(graph: Graph, layer: LayerLike, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """The first bottom cut to the size of the second, from ``axis`` on, at the given offsets."""
    shape = bottom_shape(layer)
    cuts = [(b, e, i) for i, (b, e) in enumerate(crop_bounds(layer)) if (b, e) != (0, shape[i])]
    # An axis that stays whole is not named, so that the model runs at any batch size.
    starts, ends, axes = zip(*(cuts or [(0, shape[-1], len(shape) - 1)]), strict=True)
    bounds = [graph.integers(values) for values in (starts, ends, axes)]
    graph.op("Slice", [bottoms[0], *bounds], tops[0])


@emits("Permute")
def permute(graph: Graph, layer: LayerLike, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """Axes in another order (SSD's fork); axes that are not named follow in their old order."""
    graph.op("Transpose", bottoms, tops[0], perm=axis_order(layer))


@emits("ShuffleChannel")
def shuffle(graph: Graph, layer: LayerLike, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """Channels of ``group`` groups interleaved (ShuffleNet's fork)."""
    group, (batch, channels, *size) = shuffle_groups(layer), bottom_shape(layer)
    split = graph.reshape(bottoms[0], (batch, group, channels // group, *size))
    perm = [0, 2, 1, *range(3, 3 + len(size))]
    graph.reshape(graph.op("Transpose", [split], perm=perm), (batch, channels, *size), tops[0])


@emits("Axpy")
def axpy(graph: Graph, layer: LayerLike, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """The first bottom (a factor a channel) times the second, plus the third (SENet's fork)."""
    own, shape = bottom_shape(layer), bottom_shape(layer, 1)
    factor = graph.reshape(bottoms[0], (*own[:2], *(1 for _ in shape[2:])))
    graph.op("Add", [graph.op("Mul", [factor, bottoms[1]]), bottoms[2]], tops[0])


@emits("Normalize")
def normalise(graph: Graph, layer: LayerLike, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """x over its euclidean norm across channels (or all of an image), scaled (SSD's fork)."""
    param = layer.param.norm_param
    shape = bottom_shape(layer)
    axes = list(range(1, len(shape))) if param.across_spatial else [1]
    square = graph.op("Mul", [bottoms[0], bottoms[0]])
    total = graph.op("ReduceSum", [square, graph.integers(axes)], keepdims=1)
    norm = graph.op("Sqrt", [graph.op("Add", [total, graph.scalar(param.eps)])])
    unit = graph.op("Div", [bottoms[0], norm])
    own = () if param.channel_shared else (shape[1],)
    wanted = (1,) if param.channel_shared else (shape[1], *(1 for _ in shape[2:]))
    graph.op("Mul", [unit, graph.weight(layer, 0, own, "gain", wanted)], tops[0])


@emits("Tile")
def tile(graph: Graph, layer: LayerLike, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """A bottom repeated along one axis."""
    param = layer.param.tile_param
    rank = len(bottom_shape(layer))
    repeats = [1] * rank
    repeats[canonical_axis(layer, param.axis, rank)] = param.tiles
    graph.op("Tile", [bottoms[0], graph.integers(repeats)], tops[0])


@emits("Reduction")
def reduction(graph: Graph, layer: LayerLike, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """Sum, sum of absolute values or squares, or mean over the axes from ``axis`` on, scaled."""
    param = layer.param.reduction_param
    shape = bottom_shape(layer)
    axis = canonical_axis(layer, param.axis, len(shape))
    total, absolute, square = 1, 2, 3
    value = bottoms[0]
    if param.operation == absolute:
        value = graph.op("Abs", [value])
    elif param.operation == square:
        value = graph.op("Mul", [value, value])
    elif param.operation != total:
        value = graph.op("Mul", [value, graph.scalar(1.0 / count(shape[axis:]))])
    axes = graph.integers(range(axis, len(shape)))
    if param.coeff == 1:
        graph.op("ReduceSum", [value, axes], tops[0], keepdims=0)
    else:
        summed = graph.op("ReduceSum", [value, axes], keepdims=0)
        graph.op("Mul", [summed, graph.scalar(param.coeff)], tops[0])


@emits("ArgMax")
def arg_max(graph: Graph, layer: LayerLike, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """The places of the largest values, along an axis or over an image, and the values if asked."""
    param = layer.param.argmax_param
    shape, out = bottom_shape(layer), top_shape(layer)
    value, axis = bottoms[0], 1
    if param.HasField("axis"):
        axis = canonical_axis(layer, param.axis, len(shape))
    else:
        value = graph.reshape(value, (shape[0], count(shape[1:])))
    names = [graph.fresh(f"{layer.name}/values"), graph.fresh(f"{layer.name}/places")]
    graph.ops("TopK", [value, graph.integers([param.top_k])], names, {"axis": axis})
    places = graph.op("Cast", [names[1]], to=_FLOAT)
    if not param.out_max_val:
        graph.reshape(places, out, tops[0])
    elif param.HasField("axis"):
        graph.reshape(names[0], out, tops[0])
    else:
        parts = [graph.reshape(part, (shape[0], 1, param.top_k)) for part in (places, names[0])]
        graph.reshape(graph.op("Concat", parts, axis=1), out, tops[0])


@emits("Embed")
def embed(graph: Graph, layer: LayerLike, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """A row of a table for each index, and a bias."""
    param = layer.param.embed_param
    table = graph.weight(layer, 0, (param.input_dim, param.num_output), "gain")
    index = graph.op("Cast", [bottoms[0]], to=_INT64)
    if not param.bias_term:
        graph.op("Gather", [table, index], tops[0], axis=0)
        return
    rows = graph.op("Gather", [table, index], axis=0)
    graph.op("Add", [rows, graph.weight(layer, 1, (param.num_output,), "bias")], tops[0])


@emits("BatchReindex")
def batch_reindex(
    graph: Graph, layer: LayerLike, bottoms: Sequence[str], tops: Sequence[str]
) -> None:
    """Images of the first bottom in the order of the second."""
    index = graph.op("Cast", [bottoms[1]], to=_INT64)
    graph.op("Gather", [bottoms[0], index], tops[0], axis=0)


@emits("Parameter")
def parameter(graph: Graph, layer: LayerLike, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """A learned blob as a top."""
    value = graph.weight(layer, 0, top_shape(layer), "filter")
    graph.op("Identity", [value], tops[0])


@emits("Silence")
def silence(graph: Graph, layer: LayerLike, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """Nothing: it only swallows its bottoms."""


@emits("SoftmaxWithLoss")
def softmax_loss(
    graph: Graph, layer: LayerLike, bottoms: Sequence[str], tops: Sequence[str]
) -> None:
    """The mean negative log-likelihood of the labels (normalisation VALID without ignored labels).

    Only the plain case: labels as whole numbers, one top.
    """
    shape = bottom_shape(layer)
    if len(tops) != 1 or layer.param.loss_param.HasField("ignore_label"):
        raise unsupported(layer, "a second top or an ignored label is not written")
    if canonical_axis(layer, layer.param.softmax_param.axis, len(shape)) != 1:
        raise unsupported(layer, "a softmax axis other than 1 is not written")
    wanted = (shape[0], *shape[2:])
    label = graph.op("Cast", [graph.reshape(bottoms[1], wanted)], to=_INT64)
    graph.op("SoftmaxCrossEntropyLoss", [bottoms[0], label], tops[0], reduction="mean")


@emits("EuclideanLoss")
def euclidean_loss(
    graph: Graph, layer: LayerLike, bottoms: Sequence[str], tops: Sequence[str]
) -> None:
    """Half the sum of squared differences, over the batch."""
    shape = bottom_shape(layer)
    other = graph.reshape(bottoms[1], shape)
    difference = graph.op("Sub", [bottoms[0], other])
    square = graph.op("Mul", [difference, difference])
    total = graph.op("ReduceSum", [square, graph.integers(range(len(shape)))], keepdims=0)
    graph.op("Mul", [total, graph.scalar(0.5 / shape[0])], tops[0])


@emits("Accuracy")
def accuracy(graph: Graph, layer: LayerLike, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """The share of labels among the ``top_k`` largest scores (ties count in favour here)."""
    param = layer.param.accuracy_param
    shape = bottom_shape(layer)
    axis = canonical_axis(layer, param.axis, len(shape))
    if len(tops) != 1 or param.HasField("ignore_label"):
        raise unsupported(layer, "a second top or an ignored label is not written")
    wanted = (*shape[:axis], 1, *shape[axis + 1 :])
    label = graph.op("Cast", [graph.reshape(bottoms[1], wanted)], to=_INT64)
    names = [graph.fresh(f"{layer.name}/values"), graph.fresh(f"{layer.name}/places")]
    graph.ops("TopK", [bottoms[0], graph.integers([param.top_k])], names, {"axis": axis})
    hit = graph.op("Cast", [graph.op("Equal", [names[1], label])], to=_FLOAT)
    axes = graph.integers(range(len(shape)))
    # One hit at most a place: the mean over the k candidates times k is the share of hits.
    total = graph.op("ReduceSum", [hit, axes], keepdims=0)
    graph.op("Mul", [total, graph.scalar(1.0 / count(wanted))], tops[0])
