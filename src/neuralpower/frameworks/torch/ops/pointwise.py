"""Operations element by element: activations, sums and products, scales, normalisations."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from torch import Tensor

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
from neuralpower.frameworks.torch.ops.registry import Forward, Store, makes, one

_PLAIN: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "abs": torch.abs,
    "softplus": F.softplus,
    "mish": F.mish,
    "hard_swish": F.hardswish,
    "hard_sigmoid": F.hardsigmoid,
    "selu": F.selu,
}


@makes(Plain)
def plain(op: Plain, store: Store) -> Forward:
    """One call without attributes."""
    return one(_PLAIN[op.function])


@makes(ReLU)
def relu(op: ReLU, store: Store) -> Forward:
    """max(0, x), or with a slope below zero."""
    slope = op.slope
    return one(lambda x: F.leaky_relu(x, slope)) if slope else one(torch.relu)


@makes(Clip)
def clip(op: Clip, store: Store) -> Forward:
    """x held between two numbers."""
    low, high = op.low, op.high
    return one(lambda x: torch.clamp(x, low, high))


@makes(ELU)
def elu(op: ELU, store: Store) -> Forward:
    """x, or alpha (exp(x) - 1) below zero."""
    alpha = op.alpha
    return one(lambda x: F.elu(x, alpha))


@makes(PReLU)
def prelu(op: PReLU, store: Store) -> Forward:
    """A learned slope below zero, one per channel or one for all."""
    slope = store.weight(op.weights[0]).reshape(-1)
    return one(lambda x: F.prelu(x, slope))


@makes(Swish)
def swish(op: Swish, store: Store) -> Forward:
    """x sigmoid(beta x)."""
    beta = op.beta
    return one(F.silu) if beta == 1 else one(lambda x: x * torch.sigmoid(x * beta))


@makes(Threshold)
def threshold(op: Threshold, store: Store) -> Forward:
    """1 where x exceeds the level, else 0."""
    level = op.level
    return one(lambda x: (x > level).to(x.dtype))


@makes(Power)
def power(op: Power, store: Store) -> Forward:
    """(shift + scale x) ** power."""
    scale, shift, exponent = op.scale, op.shift, op.power
    return one(lambda x: (x * scale + shift) ** exponent)


@makes(Exp)
def exponential(op: Exp, store: Store) -> Forward:
    """base ** (shift + scale x)."""
    scale, shift = op.scale * op.log_base, op.shift * op.log_base
    return one(lambda x: torch.exp(x * scale + shift))


@makes(Log)
def logarithm(op: Log, store: Store) -> Forward:
    """The logarithm of shift + scale x to a base."""
    scale, shift, base = op.scale, op.shift, op.log_base
    return one(lambda x: torch.log(x * scale + shift) / base)


@makes(Eltwise)
def eltwise(op: Eltwise, store: Store) -> Forward:
    """Product, weighted sum or maximum of two or more values of one shape."""
    factors = op.factors

    def total(values: Sequence[Tensor]) -> Tensor:
        result = values[0] if factors[0] == 1 else values[0] * factors[0]
        for value, factor in zip(values[1:], factors[1:], strict=True):
            result = torch.add(result, value, alpha=factor)
        return result

    def chain(function: Tensor) -> Callable[[Sequence[Tensor]], Tensor]:
        def run(values: Sequence[Tensor]) -> Tensor:
            result = values[0]
            for value in values[1:]:
                result = function(result, value)
            return result

        return run

    joins = {"product": chain(torch.mul), "sum": total, "maximum": chain(torch.maximum)}
    join = joins[op.how]
    return lambda values: (join(values),)


@makes(Axpy)
def axpy(op: Axpy, store: Store) -> Forward:
    """A factor per channel times the second value, plus the third."""
    wanted = (*op.bottom[:2], *[1] * (len(op.top) - 2))
    return lambda values: (torch.addcmul(values[2], values[0].reshape(wanted), values[1]),)


@makes(Scale)
def scale(op: Scale, store: Store) -> Forward:
    """Products with a factor along some axes, and a sum if there is a shift."""
    applied = _applied(op, store)
    shift = store.weight(op.weights[-1]).reshape(op.broadcast) if op.shift else None

    def run(values: Sequence[Tensor]) -> Sequence[Tensor]:
        factor = applied(values)
        return (values[0] * factor if shift is None else torch.addcmul(shift, values[0], factor),)

    return run


@makes(Bias)
def bias(op: Bias, store: Store) -> Forward:
    """Sums with a vector along some axes."""
    applied = _applied(op, store)
    return lambda values: (values[0] + applied(values),)


def _applied(op: AlongAxes, store: Store) -> Callable[[Sequence[Tensor]], Tensor]:
    wanted = op.broadcast
    if op.given:
        return lambda values: values[1].reshape(wanted)
    own = store.weight(op.weights[0]).reshape(wanted)
    return lambda values: own


@makes(BatchNorm)
def batch_norm(op: BatchNorm, store: Store) -> Forward:
    """With the stored statistics over their factor, or those of the batch."""
    eps = op.eps
    gain, shift = (store.weight(w).reshape(-1) for w in op.affine) if op.affine else (None, None)
    if not op.stored:
        return one(lambda x: F.batch_norm(x, None, None, gain, shift, training=True, eps=eps))
    first, second, scale = op.statistics
    mean, variance = (store.weight(weight).reshape(-1) for weight in (first, second))
    if scale is not None:
        factor = store.weight(scale)
        by = torch.where(factor == 0, torch.zeros_like(factor), 1 / factor)
        mean, variance = mean * by, variance * by
    return one(lambda x: F.batch_norm(x, mean, variance, gain, shift, eps=eps))


@makes(GroupNorm)
def group_norm(op: GroupNorm, store: Store) -> Forward:
    """Mean and variance of groups of channels."""
    return one(lambda x: F.group_norm(x, op.groups, eps=op.eps))


@makes(MVN)
def mean_variance(op: MVN, store: Store) -> Forward:
    """x less its mean, over (standard deviation + eps), a channel or an image at a time."""
    axes, eps, shape = op.axes, op.eps, op.top

    def run(x: Tensor) -> Tensor:
        x = x.reshape(shape)
        centred = x - x.mean(axes, keepdim=True)
        if not op.divided:
            return centred
        return centred / ((centred * centred).mean(axes, keepdim=True).sqrt() + eps)

    return one(run)


@makes(Normalize)
def normalise(op: Normalize, store: Store) -> Forward:
    """x over its euclidean norm across channels (or all of an image), scaled."""
    axes, eps = op.axes, op.eps
    shape = (-1, *[1] * (len(op.bottom) - 2))
    gain = store.weight(op.weights[0]).reshape(shape) if op.weights else None

    def run(x: Tensor) -> Tensor:
        unit = x * torch.rsqrt((x * x).sum(axes, keepdim=True) + eps)
        return unit if gain is None else unit * gain

    return one(run)


@makes(Softmax)
def softmax(op: Softmax, store: Store) -> Forward:
    """exp(x) over its sum along one axis."""
    axis = op.axis
    return one(lambda x: torch.softmax(x, axis))


@makes(InnerProduct)
def inner_product(op: InnerProduct, store: Store) -> Forward:
    """A matrix product over the flattened axes, and a bias."""
    matrix, *bias = (store.weight(weight) for weight in op.weights)
    matrix = matrix.t() if op.transposed else matrix
    added = bias[0] if bias else None
    shape, wanted = (op.rows, op.inputs), op.top
    return one(lambda x: F.linear(x.reshape(shape), matrix, added).reshape(wanted))
