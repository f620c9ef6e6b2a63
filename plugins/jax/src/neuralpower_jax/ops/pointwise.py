"""Operations element by element: activations, sums and products, scales, normalisations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy
from jax import lax

from neuralpower.caffe.layers.arrangement import Eltwise
from neuralpower.caffe.layers.dense import InnerProduct
from neuralpower.caffe.layers.forks import Axpy, GroupNorm, Normalize
from neuralpower.caffe.layers.neurons import (
    ELU,
    Clip,
    Exp,
    Log,
    Plain,
    Power,
    PReLU,
    ReLU,
    Swish,
    Threshold,
)
from neuralpower.caffe.layers.normalisation import (
    MVN,
    AlongAxes,
    BatchNorm,
    Bias,
    Scale,
    Softmax,
)
from neuralpower_jax.ops.registry import Forward, Store, channels, makes, one

_PLAIN: dict[str, Callable[[Any], Any]] = {
    "sigmoid": jax.nn.sigmoid,
    "tanh": jnp.tanh,
    "abs": jnp.abs,
    "softplus": jax.nn.softplus,
    "mish": jax.nn.mish,
    "hard_swish": jax.nn.hard_swish,
    "hard_sigmoid": jax.nn.hard_sigmoid,
    "selu": jax.nn.selu,
}


@makes(Plain)
def plain(op: Plain, store: Store) -> Forward:
    """One call without attributes."""
    return one(_PLAIN[op.function])


@makes(ReLU)
def relu(op: ReLU, store: Store) -> Forward:
    """max(0, x), or with a slope below zero."""
    slope = op.slope
    return one(lambda x: jnp.where(x > 0, x, slope * x) if slope else jnp.maximum(x, 0))


@makes(Clip)
def clip(op: Clip, store: Store) -> Forward:
    """x held between two numbers."""
    return one(lambda x: jnp.clip(x, op.low, op.high))


@makes(ELU)
def elu(op: ELU, store: Store) -> Forward:
    """x, or alpha (exp(x) - 1) below zero."""
    return one(lambda x: jax.nn.elu(x, op.alpha))


@makes(PReLU)
def prelu(op: PReLU, store: Store) -> Forward:
    """A learned slope below zero, one per channel or one for all."""
    slope = store.weight(op.weights[0])

    def run(parameters: Sequence[Any], values: Sequence[Any]) -> Sequence[Any]:
        x = values[0]
        return (jnp.where(x > 0, x, channels(parameters[slope], x.ndim) * x),)

    return run


@makes(Swish)
def swish(op: Swish, store: Store) -> Forward:
    """x sigmoid(beta x)."""
    return one(lambda x: x * jax.nn.sigmoid(op.beta * x))


@makes(Threshold)
def threshold(op: Threshold, store: Store) -> Forward:
    """1 where x exceeds the level, else 0."""
    return one(lambda x: (x > op.level).astype(x.dtype))


@makes(Power)
def power(op: Power, store: Store) -> Forward:
    """(shift + scale x) ** power."""
    return one(lambda x: (x * op.scale + op.shift) ** op.power)


@makes(Exp)
def exponential(op: Exp, store: Store) -> Forward:
    """base ** (shift + scale x)."""
    return one(lambda x: jnp.exp(op.log_base * (x * op.scale + op.shift)))


@makes(Log)
def logarithm(op: Log, store: Store) -> Forward:
    """The logarithm of shift + scale x to a base."""
    return one(lambda x: jnp.log(x * op.scale + op.shift) / op.log_base)


@makes(Eltwise)
def eltwise(op: Eltwise, store: Store) -> Forward:
    """Product, weighted sum or maximum of two or more values of one shape."""
    join = {"product": jnp.multiply, "sum": jnp.add, "maximum": jnp.maximum}[op.how]

    def run(parameters: Sequence[Any], values: Sequence[Any]) -> Sequence[Any]:
        terms = list(values)
        if op.how == "sum":
            terms = [v if c == 1 else c * v for v, c in zip(values, op.factors, strict=True)]
        return (reduce(join, terms),)

    return run


@makes(Axpy)
def axpy(op: Axpy, store: Store) -> Forward:
    """A factor per channel times the second value, plus the third."""
    wanted = (*op.bottom[:2], *[1] * (len(op.top) - 2))
    return lambda parameters, values: (values[0].reshape(wanted) * values[1] + values[2],)


@makes(Scale)
def scale(op: Scale, store: Store) -> Forward:
    """Products with a factor along some axes, and a sum if there is a shift."""
    applied = _applied(op, store)
    shift = store.weight(op.weights[-1]) if op.shift else None

    def run(parameters: Sequence[Any], values: Sequence[Any]) -> Sequence[Any]:
        product = values[0] * applied(parameters, values)
        return (product if shift is None else product + parameters[shift].reshape(op.broadcast),)

    return run


@makes(Bias)
def bias(op: Bias, store: Store) -> Forward:
    """Sums with a vector along some axes."""
    applied = _applied(op, store)
    return lambda parameters, values: (values[0] + applied(parameters, values),)


def _applied(op: AlongAxes, store: Store) -> Callable[[Sequence[Any], Sequence[Any]], Any]:
    if op.given:
        return lambda parameters, values: values[1].reshape(op.broadcast)
    own = store.weight(op.weights[0])
    return lambda parameters, values: parameters[own].reshape(op.broadcast)


@makes(BatchNorm)
def batch_norm(op: BatchNorm, store: Store) -> Forward:
    """With the stored statistics over their factor, or those of the batch."""
    rank, eps = len(op.bottom), op.eps
    affine = tuple(store.weight(weight) for weight in op.affine or ())

    def finished(parameters: Sequence[Any], x: Any) -> Any:
        if not affine:
            return x
        gain, shift = (channels(parameters[number], rank) for number in affine)
        return x * gain + shift

    if not op.stored:
        axes = tuple(axis for axis in range(rank) if axis != 1)

        def of_batch(parameters: Sequence[Any], values: Sequence[Any]) -> Sequence[Any]:
            centred = values[0] - values[0].mean(axes, keepdims=True)
            unit = centred * lax.rsqrt((centred * centred).mean(axes, keepdims=True) + eps)
            return (finished(parameters, unit),)

        return of_batch
    first, second, factor = op.statistics
    total = 1.0 if factor is None else float(store.values(factor)[0])
    by = numpy.float32(0.0 if total == 0 else 1.0 / total)
    mean, variance = (store.weight(weight, lambda v: v * by) for weight in (first, second))

    def run(parameters: Sequence[Any], values: Sequence[Any]) -> Sequence[Any]:
        centre = channels(parameters[mean], rank)
        deviation = lax.rsqrt(channels(parameters[variance], rank) + eps)
        return (finished(parameters, (values[0] - centre) * deviation),)

    return run


@makes(GroupNorm)
def group_norm(op: GroupNorm, store: Store) -> Forward:
    """Mean and variance of groups of channels."""

    def run(x: Any) -> Any:
        groups = x.reshape(op.bottom[0], op.groups, -1)
        centred = groups - groups.mean(2, keepdims=True)
        deviation = lax.rsqrt((centred * centred).mean(2, keepdims=True) + op.eps)
        return (centred * deviation).reshape(op.top)

    return one(run)


@makes(MVN)
def mean_variance(op: MVN, store: Store) -> Forward:
    """x less its mean, over (standard deviation + eps), a channel or an image at a time."""

    def run(x: Any) -> Any:
        x = x.reshape(op.top)
        centred = x - x.mean(op.axes, keepdims=True)
        if not op.divided:
            return centred
        return centred / (jnp.sqrt((centred * centred).mean(op.axes, keepdims=True)) + op.eps)

    return one(run)


@makes(Normalize)
def normalise(op: Normalize, store: Store) -> Forward:
    """x over its euclidean norm across channels (or all of an image), scaled."""
    gain = store.weight(op.weights[0]) if op.weights else None

    def run(parameters: Sequence[Any], values: Sequence[Any]) -> Sequence[Any]:
        x = values[0]
        unit = x * lax.rsqrt((x * x).sum(op.axes, keepdims=True) + op.eps)
        return (unit if gain is None else unit * channels(parameters[gain], x.ndim),)

    return run


@makes(Softmax)
def softmax(op: Softmax, store: Store) -> Forward:
    """exp(x) over its sum along one axis."""
    return one(lambda x: jax.nn.softmax(x, op.axis))


@makes(InnerProduct)
def inner_product(op: InnerProduct, store: Store) -> Forward:
    """A matrix product over the flattened axes, and a bias."""
    matrix, *bias = (store.weight(weight) for weight in op.weights)
    contracted = (((1,), (0 if op.transposed else 1,)), ((), ()))

    def run(parameters: Sequence[Any], values: Sequence[Any]) -> Sequence[Any]:
        rows = values[0].reshape(op.rows, op.inputs)
        product = lax.dot_general(rows, parameters[matrix], contracted)
        if bias:
            product = product + parameters[bias[0]]
        return (product.reshape(op.top),)

    return run
