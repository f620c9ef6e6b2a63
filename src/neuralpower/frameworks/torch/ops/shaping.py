"""Operations that move, join, cut or sum up values: shapes, slices, reductions, look-ups."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from torch import Tensor

from neuralpower.caffe.layers.arrangement import Concat, Crop, Reshape, Slice, Tile
from neuralpower.caffe.layers.data import Parameter
from neuralpower.caffe.layers.dense import Embed
from neuralpower.caffe.layers.detection import Priors
from neuralpower.caffe.layers.forks import Permute, ShuffleChannel
from neuralpower.caffe.layers.picking import ArgMax, BatchReindex, Reduction
from neuralpower.caffe.layers.resizing import Blocks, Resize, Unpool
from neuralpower.caffe.operation import Identity, Silence
from neuralpower.frameworks.torch.ops.registry import Forward, Store, makes, one
from neuralpower.frameworks.windows import prior_values


@makes(Identity)
def identity(op: Identity, store: Store) -> Forward:
    """Nothing: no kernel runs at inference."""
    return lambda values: [values[0]] * len(op.tops)


@makes(Silence)
def silence(op: Silence, store: Store) -> Forward:
    """Nothing: it only swallows its bottoms."""
    return lambda values: ()


@makes(Reshape)
def reshape(op: Reshape, store: Store) -> Forward:
    """Another view of the same elements."""
    wanted = op.top
    return one(lambda x: x.reshape(wanted))


@makes(Concat)
def concat(op: Concat, store: Store) -> Forward:
    """Values joined along one axis."""
    return lambda values: (torch.cat(list(values), op.axis),)


@makes(Slice)
def slice_layer(op: Slice, store: Store) -> Forward:
    """A value cut along one axis."""
    axis, sizes = op.axis, list(op.sizes)
    return lambda values: [part.contiguous() for part in torch.split(values[0], sizes, axis)]


@makes(Crop)
def crop(op: Crop, store: Store) -> Forward:
    """A part of the first value."""
    place = tuple(slice(start, end) for start, end in op.bounds)
    return one(lambda x: x[place].contiguous())


@makes(Permute)
def permute(op: Permute, store: Store) -> Forward:
    """Axes in another order, copied into it."""
    order = op.order
    return one(lambda x: x.permute(order).contiguous())


@makes(ShuffleChannel)
def shuffle(op: ShuffleChannel, store: Store) -> Forward:
    """Channels of groups interleaved."""
    groups = op.groups
    return one(lambda x: F.channel_shuffle(x, groups))


@makes(Tile)
def tile(op: Tile, store: Store) -> Forward:
    """A value repeated along one axis."""
    repeats = [1] * len(op.bottom)
    repeats[op.axis] = op.times
    return one(lambda x: x.repeat(repeats))


@makes(Reduction)
def reduction(op: Reduction, store: Store) -> Forward:
    """Sum, sum of absolute values or squares, or mean over the last axes, scaled."""
    axes = tuple(range(op.axis, len(op.bottom)))
    changes: dict[str, Callable[[Tensor], Tensor]] = {
        "absolute": torch.abs,
        "squares": torch.square,
    }
    before = changes.get(op.how, lambda x: x)
    factor = op.factor / (math.prod(op.bottom[op.axis :]) if op.how == "mean" else 1)
    return one(lambda x: before(x).sum(axes) * factor)


@makes(ArgMax)
def arg_max(op: ArgMax, store: Store) -> Forward:
    """The places of the largest values, along an axis or over an image, and the values if asked."""
    number, axis, top = op.number, op.axis, op.top

    def run(x: Tensor) -> Tensor:
        flat = x if axis is not None else x.flatten(1)
        values, places = torch.topk(flat, number, 1 if axis is None else axis)
        if not op.values:
            return places.to(x.dtype).reshape(top)
        if axis is not None:
            return values
        return torch.stack([places.to(x.dtype), values], 1).reshape(top)

    return one(run)


@makes(Embed)
def embed(op: Embed, store: Store) -> Forward:
    """A row of a table for each index, and a bias."""
    table, *bias = (store.weight(weight) for weight in op.weights)

    def run(x: Tensor) -> Tensor:
        rows = F.embedding(x.long(), table)
        return rows + bias[0] if bias else rows

    return one(run)


@makes(BatchReindex)
def batch_reindex(op: BatchReindex, store: Store) -> Forward:
    """Items of the first value in the order of the second."""
    return lambda values: (values[0].index_select(0, values[1].long()),)


@makes(Parameter)
def parameter(op: Parameter, store: Store) -> Forward:
    """A learned blob as a top."""
    value = store.weight(op.weights[0])

    def run(values: Sequence[Tensor]) -> Sequence[Tensor]:
        return (value,)

    return run


@makes(Resize)
def resize(op: Resize, store: Store) -> Forward:
    """Copied pixels, or bilinear with the corners kept."""
    size = op.top[2:]
    if op.smooth:
        return one(lambda x: F.interpolate(x, size, mode="bilinear", align_corners=True))
    return one(lambda x: F.interpolate(x, size, mode="nearest"))


@makes(Unpool)
def unpool(op: Unpool, store: Store) -> Forward:
    """Values put at their places of each channel."""
    flat, whole, wanted = op.bottom[:2], op.top[:2], op.top
    places = math.prod(wanted[2:])

    def run(values: Sequence[Tensor]) -> Sequence[Tensor]:
        x, where = (value.reshape(*flat, -1) for value in values)
        return (x.new_zeros(*whole, places).scatter(2, where.long(), x).reshape(wanted),)

    return run


@makes(Blocks)
def blocks(op: Blocks, store: Store) -> Forward:
    """Pixels to channels, or the reverse."""
    (apart, order), wanted = op.parts, op.top
    return one(lambda x: x.reshape(apart).permute(order).reshape(wanted))


@makes(Priors)
def priors(op: Priors, store: Store) -> Forward:
    """Fixed boxes."""
    boxes = store.constant(prior_values(op))
    return lambda values: (boxes.clone(),)
