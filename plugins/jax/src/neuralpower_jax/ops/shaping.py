"""Operations that move, join, cut or sum up values: shapes, slices, reductions, look-ups."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy
from jax import lax

from neuralpower.caffe.layers.arrangement import Concat, Crop, Reshape, Slice, Tile
from neuralpower.caffe.layers.data import Parameter
from neuralpower.caffe.layers.dense import Embed
from neuralpower.caffe.layers.detection import Priors
from neuralpower.caffe.layers.forks import Permute, ShuffleChannel
from neuralpower.caffe.layers.picking import ArgMax, BatchReindex, Reduction
from neuralpower.caffe.layers.resizing import Blocks, Resize, Unpool
from neuralpower.caffe.operation import Identity, Silence
from neuralpower.frameworks.windows import prior_values
from neuralpower_jax.ops.registry import Array, Forward, Store, makes, one


@makes(Identity)
def identity(op: Identity, store: Store) -> Forward:
    """Nothing: it does nothing at inference."""
    return lambda parameters, values: [values[0]] * len(op.tops)


@makes(Silence)
def silence(op: Silence, store: Store) -> Forward:
    """Nothing: it only swallows its bottoms."""
    return lambda parameters, values: ()


@makes(Reshape)
def reshape(op: Reshape, store: Store) -> Forward:
    """Another view of the same elements."""
    return one(lambda x: x.reshape(op.top))


@makes(Concat)
def concat(op: Concat, store: Store) -> Forward:
    """Values joined along one axis."""
    return lambda parameters, values: (jnp.concatenate(values, op.axis),)


@makes(Slice)
def slice_layer(op: Slice, store: Store) -> Forward:
    """A value cut along one axis."""
    ends = [0, *itertools.accumulate(op.sizes)]
    return lambda parameters, values: [
        lax.slice_in_dim(values[0], a, b, axis=op.axis) for a, b in itertools.pairwise(ends)
    ]


@makes(Crop)
def crop(op: Crop, store: Store) -> Forward:
    """A part of the first value."""
    starts, ends = zip(*op.bounds, strict=True)
    return one(lambda x: lax.slice(x, starts, ends))


@makes(Permute)
def permute(op: Permute, store: Store) -> Forward:
    """Axes in another order."""
    return one(lambda x: x.transpose(op.order))


@makes(ShuffleChannel)
def shuffle(op: ShuffleChannel, store: Store) -> Forward:
    """Channels of groups interleaved."""
    batch, width, *size = op.bottom
    parts = (batch, op.groups, width // op.groups, *size)
    return one(lambda x: x.reshape(parts).swapaxes(1, 2).reshape(x.shape))


@makes(Tile)
def tile(op: Tile, store: Store) -> Forward:
    """A value repeated along one axis."""
    repeats = [1] * len(op.bottom)
    repeats[op.axis] = op.times
    return one(lambda x: jnp.tile(x, repeats))


@makes(Reduction)
def reduction(op: Reduction, store: Store) -> Forward:
    """Sum, sum of absolute values or squares, or mean over the last axes, scaled."""
    axes = tuple(range(op.axis, len(op.bottom)))
    changes: dict[str, Callable[[Any], Any]] = {"absolute": jnp.abs, "squares": jnp.square}
    before = changes.get(op.how, lambda x: x)
    factor = op.factor / (math.prod(op.bottom[op.axis :]) if op.how == "mean" else 1)
    return one(lambda x: factor * before(x).sum(axes))


@makes(ArgMax)
def arg_max(op: ArgMax, store: Store) -> Forward:
    """The places of the largest values, along an axis or over an image, and the values if asked."""

    def run(x: Any) -> Any:
        axis = 1 if op.axis is None else op.axis
        flat = x.reshape(op.bottom[0], -1) if op.axis is None else x
        values, places = lax.top_k(jnp.moveaxis(flat, axis, -1), op.number)
        found = [places.astype(x.dtype), values]
        found = [jnp.moveaxis(part, -1, axis) for part in found]
        if not op.values:
            return found[0].reshape(op.top)
        return found[1] if op.axis is not None else jnp.stack(found, 1).reshape(op.top)

    return one(run)


@makes(Embed)
def embed(op: Embed, store: Store) -> Forward:
    """A row of a table for each index, and a bias."""
    table, *bias = (store.weight(weight) for weight in op.weights)

    def run(parameters: Sequence[Any], values: Sequence[Any]) -> Sequence[Any]:
        rows = parameters[table][values[0].astype(jnp.int32)]
        return (rows + parameters[bias[0]] if bias else rows,)

    return run


@makes(BatchReindex)
def batch_reindex(op: BatchReindex, store: Store) -> Forward:
    """Items of the first value in the order of the second."""
    return lambda parameters, values: (values[0][values[1].astype(jnp.int32)],)


@makes(Parameter)
def parameter(op: Parameter, store: Store) -> Forward:
    """A learned blob as a top."""
    slot = store.weight(op.weights[0])
    return lambda parameters, values: (parameters[slot],)


@makes(Resize)
def resize(op: Resize, store: Store) -> Forward:
    """Copied pixels, or bilinear with the corners kept: a product with a matrix each way."""
    sizes = list(zip(op.bottom[2:], op.top[2:], strict=True))
    if not op.smooth:
        rows, columns = (numpy.arange(out) * size // out for size, out in sizes)
        return one(lambda x: x[:, :, rows][:, :, :, columns])
    tall, wide = (_bilinear(size, out) for size, out in sizes)
    return one(lambda x: jnp.einsum("nchw,ih,jw->ncij", x, tall, wide))


def _bilinear(size: int, out: int) -> Array:
    """The matrix [out, size] of linear interpolation with both ends kept."""
    places = numpy.arange(out) * ((size - 1) / (out - 1) if out > 1 else 0.0)
    distance = numpy.abs(places[:, None] - numpy.arange(size))
    return numpy.asarray(numpy.maximum(1 - distance, 0), numpy.float32)


@makes(Unpool)
def unpool(op: Unpool, store: Store) -> Forward:
    """Values put at their places of each channel."""
    planes, places = math.prod(op.bottom[:2]), math.prod(op.top[2:])
    rows = numpy.arange(planes)[:, None]

    def run(parameters: Sequence[Any], values: Sequence[Any]) -> Sequence[Any]:
        x, where = (value.reshape(planes, -1) for value in values)
        zeros = jnp.zeros((planes, places), x.dtype)
        return (zeros.at[rows, where.astype(jnp.int32)].set(x).reshape(op.top),)

    return run


@makes(Blocks)
def blocks(op: Blocks, store: Store) -> Forward:
    """Pixels to channels, or the reverse."""
    apart, order = op.parts
    return one(lambda x: x.reshape(apart).transpose(order).reshape(op.top))


@makes(Priors)
def priors(op: Priors, store: Store) -> Forward:
    """Fixed boxes."""
    boxes = prior_values(op)
    return lambda parameters, values: (jnp.asarray(boxes, values[0].dtype),)
