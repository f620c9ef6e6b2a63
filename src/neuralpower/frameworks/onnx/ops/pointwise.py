"""Operations element by element: activations, sums and products, scales, normalisations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy

from neuralpower.caffe.layers.arrangement import Eltwise
from neuralpower.caffe.layers.dense import InnerProduct
from neuralpower.caffe.layers.forks import Axpy, GroupNorm, Normalize
from neuralpower.caffe.layers.neurons import (
    ELU,
    Affine,
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
from neuralpower.frameworks.onnx.ops.graph import Graph
from neuralpower.frameworks.onnx.ops.registry import emits

_PLAIN = {
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "abs": "Abs",
    "softplus": "Softplus",
    "hard_swish": "HardSwish",
    "selu": "Selu",
}


@emits(Plain)
def plain(graph: Graph, op: Plain, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """One operator without attributes, or a product of two."""
    if op.function == "mish":
        gate = graph.op("Tanh", [graph.op("Softplus", bottoms)])
        graph.op("Mul", [bottoms[0], gate], tops[0])
    elif op.function == "hard_sigmoid":
        graph.op("HardSigmoid", bottoms, tops[0], alpha=1 / 6, beta=0.5)
    else:
        graph.op(_PLAIN[op.function], bottoms, tops[0])


@emits(ReLU)
def relu(graph: Graph, op: ReLU, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """max(0, x), or with a slope below zero."""
    if op.slope:
        graph.op("LeakyRelu", bottoms, tops[0], alpha=op.slope)
    else:
        graph.op("Relu", bottoms, tops[0])


@emits(Clip)
def clip(graph: Graph, op: Clip, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """x held between two numbers."""
    graph.op("Clip", [bottoms[0], graph.scalar(op.low), graph.scalar(op.high)], tops[0])


@emits(ELU)
def elu(graph: Graph, op: ELU, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """x, or alpha (exp(x) - 1) below zero."""
    graph.op("Elu", bottoms, tops[0], alpha=op.alpha)


@emits(Swish)
def swish(graph: Graph, op: Swish, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """x sigmoid(beta x)."""
    scaled = graph.op("Mul", [bottoms[0], graph.scalar(op.beta)])
    graph.op("Mul", [bottoms[0], graph.op("Sigmoid", [scaled])], tops[0])


@emits(PReLU)
def prelu(graph: Graph, op: PReLU, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """A learned slope below zero, one per channel or one for all."""
    slope = graph.weight(op.weights[0], _along_channels(op.weights[0].shape, len(op.bottom)))
    graph.op("PRelu", [bottoms[0], slope], tops[0])


def _along_channels(own: tuple[int, ...], rank: int) -> tuple[int, ...]:
    """The shape of one number per channel, or of one for all, against a blob of ``rank`` axes."""
    return (*own, *[1] * (rank - 2)) if own else (1,)


@emits(Threshold)
def threshold(graph: Graph, op: Threshold, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """1 where x exceeds the level, else 0."""
    above = graph.op("Greater", [bottoms[0], graph.scalar(op.level)])
    graph.op("Cast", [above], tops[0], to=1)


@emits(Power)
def power(graph: Graph, op: Power, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """(shift + scale x) ** power."""
    value = _affine(graph, op, bottoms[0])
    if op.power == 1:
        graph.op("Identity", [value], tops[0])
    else:
        graph.op("Pow", [value, graph.scalar(op.power)], tops[0])


@emits(Exp)
def exponential(graph: Graph, op: Exp, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """base ** (shift + scale x)."""
    graph.op("Exp", [_affine(graph, op, bottoms[0], op.log_base)], tops[0])


@emits(Log)
def logarithm(graph: Graph, op: Log, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """The logarithm of shift + scale x to a base."""
    log = graph.op("Log", [_affine(graph, op, bottoms[0])])
    graph.op("Mul", [log, graph.scalar(1.0 / op.log_base)], tops[0])


def _affine(graph: Graph, op: Affine, value: str, times: float = 1.0) -> str:
    scale, shift = op.scale * times, op.shift * times
    if scale != 1:
        value = graph.op("Mul", [value, graph.scalar(scale)])
    return graph.op("Add", [value, graph.scalar(shift)]) if shift else value


@emits(Eltwise)
def eltwise(graph: Graph, op: Eltwise, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """Product, weighted sum or maximum of two or more values of one shape."""
    values = list(bottoms)
    if op.how == "product":
        for value in values[1:-1]:
            values[0] = graph.op("Mul", [values[0], value])
        graph.op("Mul", [values[0], values[-1]], tops[0])
    elif op.how == "sum":
        terms = [
            value if factor == 1 else graph.op("Mul", [value, graph.scalar(factor)])
            for value, factor in zip(values, op.factors, strict=True)
        ]
        graph.op("Add" if len(terms) == 2 else "Sum", terms, tops[0])
    else:
        graph.op("Max", values, tops[0])


@emits(Axpy)
def axpy(graph: Graph, op: Axpy, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """A factor per channel times the second value, plus the third."""
    wanted = (*op.bottom[:2], *[1] * (len(op.top) - 2))
    factor = graph.reshape(bottoms[0], wanted)
    graph.op("Add", [graph.op("Mul", [factor, bottoms[1]]), bottoms[2]], tops[0])


@emits(Scale)
def scale(graph: Graph, op: Scale, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """Products with a factor along some axes, and a sum if there is a shift."""
    factor = _applied(graph, op, bottoms)
    product = graph.op("Mul", [bottoms[0], factor], "" if op.shift else tops[0])
    if op.shift:
        graph.op("Add", [product, graph.weight(op.weights[-1], op.broadcast)], tops[0])


@emits(Bias)
def bias(graph: Graph, op: Bias, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """Sums with a vector along some axes."""
    graph.op("Add", [bottoms[0], _applied(graph, op, bottoms)], tops[0])


def _applied(graph: Graph, op: AlongAxes, bottoms: Sequence[str]) -> str:
    if op.given:
        return graph.reshape(bottoms[1], op.broadcast)
    return graph.weight(op.weights[0], op.broadcast)


@emits(BatchNorm)
def batch_norm(graph: Graph, op: BatchNorm, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """(x - mean) / sqrt(variance + eps), with the stored statistics or those of the batch."""
    if not op.stored:
        axes = [axis for axis in range(len(op.bottom)) if axis != 1]
        broadcast = (-1, *[1] * (len(op.bottom) - 2))
        plain = _normalise(graph, bottoms[0], "" if op.affine else tops[0], axes, op.eps)
        if op.affine:
            gain, shift = (
                graph.constant(graph.parameter(weight).reshape(broadcast)) for weight in op.affine
            )
            graph.op("Add", [graph.op("Mul", [plain, gain]), shift], tops[0])
        return
    mean, variance, factor = op.statistics
    total = 1.0 if factor is None else float(graph.parameter(factor)[0])
    by = numpy.float32(0.0 if total == 0 else 1.0 / total)
    channels = op.bottom[1]
    if op.affine:
        affine = [graph.parameter(weight).reshape(channels) for weight in op.affine]
    else:
        affine = [numpy.ones(channels, numpy.float32), numpy.zeros(channels, numpy.float32)]
    statistics = [graph.parameter(weight).reshape(channels) * by for weight in (mean, variance)]
    inputs = [graph.constant(values) for values in (*affine, *statistics)]
    graph.op("BatchNormalization", [bottoms[0], *inputs], tops[0], epsilon=op.eps)


def _normalise(graph: Graph, value: str, top: str, axes: Sequence[int], eps: float) -> str:
    mean = graph.op("ReduceMean", [value], axes=axes, keepdims=1)
    centred = graph.op("Sub", [value, mean])
    square = graph.op("Mul", [centred, centred])
    variance = graph.op("ReduceMean", [square], axes=axes, keepdims=1)
    deviation = graph.op("Sqrt", [graph.op("Add", [variance, graph.scalar(eps)])])
    return graph.op("Div", [centred, deviation], top)


@emits(GroupNorm)
def group_norm(graph: Graph, op: GroupNorm, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """Groups as the channels of ``InstanceNormalization``, which older versions have too."""
    grouped = graph.reshape(bottoms[0], (op.bottom[0], op.groups, -1))
    ones = graph.constant(numpy.ones(op.groups, numpy.float32))
    zeros = graph.constant(numpy.zeros(op.groups, numpy.float32))
    made = graph.op("InstanceNormalization", [grouped, ones, zeros], epsilon=op.eps)
    graph.reshape(made, op.top, tops[0])


@emits(MVN)
def mean_variance(graph: Graph, op: MVN, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """x less its mean, over (standard deviation + eps), a channel or an image at a time."""
    value = bottoms[0] if op.bottom == op.top else graph.reshape(bottoms[0], op.top)
    mean = graph.op("ReduceMean", [value], axes=op.axes, keepdims=1)
    if not op.divided:
        graph.op("Sub", [value, mean], tops[0])
        return
    centred = graph.op("Sub", [value, mean])
    square = graph.op("Mul", [centred, centred])
    deviation = graph.op("Sqrt", [graph.op("ReduceMean", [square], axes=op.axes, keepdims=1)])
    divisor = graph.op("Add", [deviation, graph.scalar(op.eps)])
    graph.op("Div", [centred, divisor], tops[0])


@emits(Normalize)
def normalise(graph: Graph, op: Normalize, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """x over its euclidean norm across channels (or all of an image), scaled (SSD's fork)."""
    square = graph.op("Mul", [bottoms[0], bottoms[0]])
    total = graph.op("ReduceSum", [square, graph.integers(op.axes)], keepdims=1)
    norm = graph.op("Sqrt", [graph.op("Add", [total, graph.scalar(op.eps)])])
    unit = graph.op("Div", [bottoms[0], norm], "" if op.weights else tops[0])
    if not op.weights:
        return
    gain = graph.weight(op.weights[0], _along_channels(op.weights[0].shape, len(op.bottom)))
    graph.op("Mul", [unit, gain], tops[0])


@emits(Softmax)
def softmax(graph: Graph, op: Softmax, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """exp(x) over its sum along one axis."""
    graph.op("Softmax", bottoms, tops[0], axis=op.axis)


@emits(InnerProduct)
def inner_product(
    graph: Graph, op: InnerProduct, bottoms: Sequence[str], tops: Sequence[str]
) -> None:
    """A matrix product over the flattened axes, and a bias."""
    matrix = (op.rows, op.inputs)
    value = bottoms[0] if op.bottom == matrix else graph.reshape(bottoms[0], matrix)
    inputs = [value, *(graph.weight(weight) for weight in op.weights)]
    flat = op.top == (op.rows, op.outputs)
    product = graph.op("Gemm", inputs, tops[0] if flat else "", transB=int(not op.transposed))
    if not flat:
        graph.reshape(product, op.top, tops[0])
