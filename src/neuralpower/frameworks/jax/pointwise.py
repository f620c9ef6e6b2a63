"""Layers that work element by element, or move, join, cut and sum up values, in JAX."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from neuralpower.frameworks.jax.layers import Forward, Store, channels, makes, one
from neuralpower.frameworks.layer_fields import (
    axis_order,
    bottom_shape,
    canonical_axis,
    count,
    crop_bounds,
    run_of_axes,
    shuffle_groups,
    slice_parts,
    top_shape,
    unsupported,
)
from neuralpower.frameworks.layer_graph import LayerLike

_PLAIN: dict[str, Callable[[Any], Any]] = {
    "Sigmoid": jax.nn.sigmoid,
    "TanH": jnp.tanh,
    "AbsVal": jnp.abs,
    "BNLL": jax.nn.softplus,
    "ReLU6": lambda x: jnp.clip(x, 0, 6),
}


@makes(*_PLAIN)
def plain(layer: LayerLike, store: Store) -> Forward:
    """One call without attributes."""
    return one(_PLAIN[layer.type])


@makes("Dropout", "Split")
def identity(layer: LayerLike, store: Store) -> Forward:
    """Nothing: it does nothing at inference."""
    return lambda parameters, values: [values[0]] * len(layer.tops)


@makes("Silence")
def silence(layer: LayerLike, store: Store) -> Forward:
    """Nothing: it only swallows its bottoms."""
    return lambda parameters, values: ()


@makes("ReLU")
def relu(layer: LayerLike, store: Store) -> Forward:
    """max(0, x), or with a slope below zero."""
    slope = layer.param.relu_param.negative_slope
    return one(lambda x: jnp.where(x > 0, x, slope * x) if slope else jnp.maximum(x, 0))


@makes("ELU")
def elu(layer: LayerLike, store: Store) -> Forward:
    """x, or alpha (exp(x) - 1) below zero."""
    alpha = layer.param.elu_param.alpha
    return one(lambda x: jax.nn.elu(x, alpha))


@makes("PReLU")
def prelu(layer: LayerLike, store: Store) -> Forward:
    """A learned slope below zero, one a channel or one for all."""
    shape = bottom_shape(layer)
    own = () if layer.param.prelu_param.channel_shared else (shape[1],)
    slope = store.weight(layer, 0, own, "slope")

    def run(parameters: Sequence[Any], values: Sequence[Any]) -> Sequence[Any]:
        x = values[0]
        factor = channels(parameters[slope], len(shape)) if own else parameters[slope]
        return (jnp.where(x > 0, x, factor * x),)

    return run


@makes("Swish")
def swish(layer: LayerLike, store: Store) -> Forward:
    """x sigmoid(beta x)."""
    beta = layer.param.swish_param.beta
    return one(lambda x: x * jax.nn.sigmoid(beta * x))


@makes("Clip")
def clip(layer: LayerLike, store: Store) -> Forward:
    """x held between min and max."""
    param = layer.param.clip_param
    return one(lambda x: jnp.clip(x, param.min, param.max))


@makes("Threshold")
def threshold(layer: LayerLike, store: Store) -> Forward:
    """1 where x exceeds the threshold, else 0."""
    level = layer.param.threshold_param.threshold
    return one(lambda x: (x > level).astype(x.dtype))


@makes("Power")
def power(layer: LayerLike, store: Store) -> Forward:
    """(shift + scale x) ** power."""
    p = layer.param.power_param
    return one(lambda x: (x * p.scale + p.shift) ** p.power)


@makes("Exp")
def exponential(layer: LayerLike, store: Store) -> Forward:
    """base ** (shift + scale x); a base of -1 stands for e."""
    p = layer.param.exp_param
    log_base = 1.0 if p.base == -1 else math.log(p.base)
    return one(lambda x: jnp.exp(log_base * (x * p.scale + p.shift)))


@makes("Log")
def logarithm(layer: LayerLike, store: Store) -> Forward:
    """log of (shift + scale x) to the base; a base of -1 stands for e."""
    p = layer.param.log_param
    log_base = 1.0 if p.base == -1 else math.log(p.base)
    return one(lambda x: jnp.log(x * p.scale + p.shift) / log_base)


@makes("Scale", "Bias")
def scale(layer: LayerLike, store: Store) -> Forward:
    """Products with and sums of a vector (or a second bottom) along some axes."""
    only_bias = layer.type == "Bias"
    param = layer.param.bias_param if only_bias else layer.param.scale_param
    given = len(layer.bottoms) > 1
    own, wanted = run_of_axes(layer, param.axis, param.num_axes, given)
    first = None if given else store.weight(layer, 0, own, "bias" if only_bias else "gain")
    shift = None
    if not only_bias and param.bias_term:
        shift = store.weight(layer, 0 if given else 1, own, "bias")

    def run(parameters: Sequence[Any], values: Sequence[Any]) -> Sequence[Any]:
        factor = (values[1] if first is None else parameters[first]).reshape(wanted)
        if only_bias:
            return (values[0] + factor,)
        product = values[0] * factor
        return (product if shift is None else product + parameters[shift].reshape(wanted),)

    return run


@makes("Eltwise")
def eltwise(layer: LayerLike, store: Store) -> Forward:
    """Product, weighted sum or maximum of two or more bottoms of one shape."""
    param = layer.param.eltwise_param
    factors = list(param.coeff) or [1.0] * len(layer.bottoms)
    if len(factors) != len(layer.bottoms):
        raise unsupported(layer, f"{len(factors)} coefficients for {len(layer.bottoms)} bottoms")
    join = {0: jnp.multiply, 1: jnp.add, 2: jnp.maximum}[param.operation]

    def run(parameters: Sequence[Any], values: Sequence[Any]) -> Sequence[Any]:
        terms = list(values)
        if param.operation == 1:
            terms = [v if c == 1 else c * v for v, c in zip(values, factors, strict=True)]
        return (reduce(join, terms),)

    return run


@makes("Softmax")
def softmax(layer: LayerLike, store: Store) -> Forward:
    """exp(x) over its sum along one axis."""
    axis = canonical_axis(layer, layer.param.softmax_param.axis, len(bottom_shape(layer)))
    return one(lambda x: jax.nn.softmax(x, axis))


@makes("MVN")
def mean_variance(layer: LayerLike, store: Store) -> Forward:
    """x less its mean, over (standard deviation + eps), a channel or an image at a time."""
    param, rank = layer.param.mvn_param, len(bottom_shape(layer))
    axes = tuple(range(1 if param.across_channels else 2, rank))

    def run(x: Any) -> Any:
        centred = x - x.mean(axes, keepdims=True)
        if not param.normalize_variance:
            return centred
        return centred / (jnp.sqrt((centred * centred).mean(axes, keepdims=True)) + param.eps)

    return one(run)


@makes("Normalize")
def normalise(layer: LayerLike, store: Store) -> Forward:
    """x over its euclidean norm across channels (or all of an image), scaled."""
    param, shape = layer.param.norm_param, bottom_shape(layer)
    axes = tuple(range(1, len(shape))) if param.across_spatial else (1,)
    own = () if param.channel_shared else (shape[1],)
    gain = store.weight(layer, 0, own, "gain")

    def run(parameters: Sequence[Any], values: Sequence[Any]) -> Sequence[Any]:
        x = values[0]
        unit = x * lax.rsqrt((x * x).sum(axes, keepdims=True) + param.eps)
        factor = channels(parameters[gain], len(shape)) if own else parameters[gain]
        return (unit * factor,)

    return run


@makes("Concat")
def concat(layer: LayerLike, store: Store) -> Forward:
    """Bottoms joined along one axis (``concat_dim`` is its old name)."""
    param = layer.param.concat_param
    axis = param.concat_dim if param.HasField("concat_dim") else param.axis
    axis = canonical_axis(layer, axis, len(bottom_shape(layer)))
    return lambda parameters, values: (jnp.concatenate(values, axis),)


@makes("Slice")
def slice_layer(layer: LayerLike, store: Store) -> Forward:
    """A bottom cut into its tops along one axis."""
    axis, sizes = slice_parts(layer)
    ends = [0, *itertools.accumulate(sizes)]
    return lambda parameters, values: [
        lax.slice_in_dim(values[0], a, b, axis=axis) for a, b in itertools.pairwise(ends)
    ]


@makes("Flatten", "Reshape")
def reshape(layer: LayerLike, store: Store) -> Forward:
    """Another view of the same elements."""
    wanted = top_shape(layer)
    return one(lambda x: x.reshape(wanted))


@makes("Permute")
def permute(layer: LayerLike, store: Store) -> Forward:
    """Axes in another order; axes that are not named follow in their old order."""
    order = axis_order(layer)
    return one(lambda x: x.transpose(order))


@makes("ShuffleChannel")
def shuffle(layer: LayerLike, store: Store) -> Forward:
    """Channels of ``group`` groups interleaved."""
    group, (batch, width, *size) = shuffle_groups(layer), bottom_shape(layer)
    parts = (batch, group, width // group, *size)
    return one(lambda x: x.reshape(parts).swapaxes(1, 2).reshape(x.shape))


@makes("Crop")
def crop(layer: LayerLike, store: Store) -> Forward:
    """The first bottom cut to the size of the second, from ``axis`` on, at the given offsets."""
    starts, ends = zip(*crop_bounds(layer), strict=True)
    return one(lambda x: lax.slice(x, starts, ends))


@makes("Axpy")
def axpy(layer: LayerLike, store: Store) -> Forward:
    """The first bottom (a factor a channel) times the second, plus the third."""
    own, shape = bottom_shape(layer), bottom_shape(layer, 1)
    wanted = (*own[:2], *(1 for _ in shape[2:]))
    return lambda parameters, values: (values[0].reshape(wanted) * values[1] + values[2],)


@makes("Tile")
def tile(layer: LayerLike, store: Store) -> Forward:
    """A bottom repeated along one axis."""
    param, rank = layer.param.tile_param, len(bottom_shape(layer))
    repeats = [1] * rank
    repeats[canonical_axis(layer, param.axis, rank)] = param.tiles
    return one(lambda x: jnp.tile(x, repeats))


@makes("Reduction")
def reduction(layer: LayerLike, store: Store) -> Forward:
    """Sum, sum of absolute values or squares, or mean over the axes from ``axis`` on, scaled."""
    param, shape = layer.param.reduction_param, bottom_shape(layer)
    axis = canonical_axis(layer, param.axis, len(shape))
    axes = tuple(range(axis, len(shape)))
    change: dict[int, Callable[[Any], Any]] = {2: jnp.abs, 3: jnp.square}
    before = change.get(param.operation, lambda x: x)
    factor = param.coeff / (count(shape[axis:]) if param.operation == 4 else 1)
    return one(lambda x: factor * before(x).sum(axes))


@makes("Embed")
def embed(layer: LayerLike, store: Store) -> Forward:
    """A row of a table for each index, and a bias."""
    param = layer.param.embed_param
    table = store.weight(layer, 0, (param.input_dim, param.num_output), "gain")
    bias = store.weight(layer, 1, (param.num_output,), "bias") if param.bias_term else None

    def run(parameters: Sequence[Any], values: Sequence[Any]) -> Sequence[Any]:
        rows = parameters[table][values[0].astype(jnp.int32)]
        return (rows if bias is None else rows + parameters[bias],)

    return run


@makes("BatchReindex")
def batch_reindex(layer: LayerLike, store: Store) -> Forward:
    """Images of the first bottom in the order of the second."""
    return lambda parameters, values: (values[0][values[1].astype(jnp.int32)],)


@makes("SoftmaxWithLoss")
def softmax_loss(layer: LayerLike, store: Store) -> Forward:
    """The mean negative log-likelihood of the labels; only the plain case, as in ONNX."""
    shape = bottom_shape(layer)
    if len(layer.tops) != 1 or layer.param.loss_param.HasField("ignore_label"):
        raise unsupported(layer, "a second top or an ignored label is not written")
    axis = canonical_axis(layer, layer.param.softmax_param.axis, len(shape))
    wanted = tuple(1 if a == axis else n for a, n in enumerate(shape))

    def run(parameters: Sequence[Any], values: Sequence[Any]) -> Sequence[Any]:
        label = values[1].reshape(wanted).astype(jnp.int32)
        chosen = jnp.take_along_axis(jax.nn.log_softmax(values[0], axis), label, axis)
        return (-chosen.mean(),)

    return run


@makes("EuclideanLoss")
def euclidean_loss(layer: LayerLike, store: Store) -> Forward:
    """Half the sum of squared differences, over the batch."""
    shape = bottom_shape(layer)
    return lambda parameters, values: (
        0.5 / shape[0] * jnp.square(values[0] - values[1].reshape(shape)).sum(),
    )
