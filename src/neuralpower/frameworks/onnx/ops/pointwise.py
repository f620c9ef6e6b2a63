"""Layers that work element by element: activations, sums and products, scales, normalisations."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy

from neuralpower.frameworks.layer_fields import (
    bottom_shape,
    canonical_axis,
    count,
    run_of_axes,
    unsupported,
)
from neuralpower.frameworks.layer_graph import LayerLike
from neuralpower.frameworks.onnx.ops.graph import Graph
from neuralpower.frameworks.onnx.ops.registry import emits

_PLAIN = {
    "Sigmoid": "Sigmoid",
    "TanH": "Tanh",
    "AbsVal": "Abs",
    "BNLL": "Softplus",
    "Dropout": "Identity",
    "Split": "Identity",
}


@emits(*_PLAIN)
def plain(graph: Graph, layer: LayerLike, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """One operator without attributes. Dropout does nothing at inference."""
    for top in tops:
        graph.op(_PLAIN[layer.type], bottoms, top)


@emits("ReLU")
def relu(graph: Graph, layer: LayerLike, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """max(0, x), or with a slope below zero."""
    slope = layer.param.relu_param.negative_slope
    if slope:
        graph.op("LeakyRelu", bottoms, tops[0], alpha=slope)
    else:
        graph.op("Relu", bottoms, tops[0])


@emits("ReLU6")
def relu6(graph: Graph, layer: LayerLike, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """min(max(0, x), 6) of the forks."""
    graph.op("Clip", [bottoms[0], graph.scalar(0.0), graph.scalar(6.0)], tops[0])


@emits("Clip")
def clip(graph: Graph, layer: LayerLike, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """x held between min and max."""
    param = layer.param.clip_param
    graph.op("Clip", [bottoms[0], graph.scalar(param.min), graph.scalar(param.max)], tops[0])


@emits("ELU")
def elu(graph: Graph, layer: LayerLike, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """x, or alpha (exp(x) - 1) below zero."""
    graph.op("Elu", bottoms, tops[0], alpha=layer.param.elu_param.alpha)


@emits("Swish")
def swish(graph: Graph, layer: LayerLike, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """x sigmoid(beta x)."""
    scaled = graph.op("Mul", [bottoms[0], graph.scalar(layer.param.swish_param.beta)])
    graph.op("Mul", [bottoms[0], graph.op("Sigmoid", [scaled])], tops[0])


@emits("PReLU")
def prelu(graph: Graph, layer: LayerLike, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """A learned slope below zero, one a channel or one for all."""
    shape = bottom_shape(layer)
    shared = layer.param.prelu_param.channel_shared
    own = () if shared else (shape[1],)
    wanted = (1,) if shared else (shape[1], *(1 for _ in shape[2:]))
    slope = graph.weight(layer, 0, own, "slope", wanted)
    graph.op("PRelu", [bottoms[0], slope], tops[0])


@emits("Threshold")
def threshold(graph: Graph, layer: LayerLike, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """1 where x exceeds the threshold, else 0."""
    level = graph.scalar(layer.param.threshold_param.threshold)
    graph.op("Cast", [graph.op("Greater", [bottoms[0], level])], tops[0], to=1)


@emits("Power")
def power(graph: Graph, layer: LayerLike, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """(shift + scale x) ** power."""
    param = layer.param.power_param
    value = _affine(graph, bottoms[0], param.scale, param.shift)
    if param.power == 1:
        graph.op("Identity", [value], tops[0])
    else:
        graph.op("Pow", [value, graph.scalar(param.power)], tops[0])


@emits("Exp")
def exponential(
    graph: Graph, layer: LayerLike, bottoms: Sequence[str], tops: Sequence[str]
) -> None:
    """base ** (shift + scale x); a base of -1 stands for e."""
    param = layer.param.exp_param
    log_base = 1.0 if param.base == -1 else math.log(param.base)
    value = _affine(graph, bottoms[0], param.scale * log_base, param.shift * log_base)
    graph.op("Exp", [value], tops[0])


@emits("Log")
def logarithm(graph: Graph, layer: LayerLike, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """log of (shift + scale x) to the base; a base of -1 stands for e."""
    param = layer.param.log_param
    log = graph.op("Log", [_affine(graph, bottoms[0], param.scale, param.shift)])
    factor = 1.0 if param.base == -1 else 1.0 / math.log(param.base)
    graph.op("Mul", [log, graph.scalar(factor)], tops[0])


def _affine(graph: Graph, value: str, scale: float, shift: float) -> str:
    if scale != 1:
        value = graph.op("Mul", [value, graph.scalar(scale)])
    return graph.op("Add", [value, graph.scalar(shift)]) if shift else value


@emits("Eltwise")
def eltwise(graph: Graph, layer: LayerLike, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """Product, weighted sum or maximum of two or more bottoms of one shape."""
    param = layer.param.eltwise_param
    prod, total = 0, 1
    values = list(bottoms)
    if param.operation == prod:
        for value in values[1:-1]:
            values[0] = graph.op("Mul", [values[0], value])
        graph.op("Mul", [values[0], values[-1]], tops[0])
    elif param.operation == total:
        coefficients = list(param.coeff) or [1.0] * len(values)
        if len(coefficients) != len(values):
            raise unsupported(layer, f"{len(coefficients)} coefficients for {len(values)} bottoms")
        terms = [
            value if c == 1 else graph.op("Mul", [value, graph.scalar(c)])
            for value, c in zip(values, coefficients, strict=True)
        ]
        graph.op("Add" if len(terms) == 2 else "Sum", terms, tops[0])
    else:
        graph.op("Max", values, tops[0])


@emits("Scale")
def scale(graph: Graph, layer: LayerLike, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """Products with a learned factor (or a second bottom) along some axes, and a bias if asked."""
    param = layer.param.scale_param
    given = len(bottoms) > 1
    own, wanted = run_of_axes(layer, param.axis, param.num_axes, given)
    factor = (
        graph.reshape(bottoms[1], wanted) if given else graph.weight(layer, 0, own, "gain", wanted)
    )
    product = graph.op("Mul", [bottoms[0], factor], "" if param.bias_term else tops[0])
    if param.bias_term:
        shift = graph.weight(layer, 0 if given else 1, own, "bias", wanted)
        graph.op("Add", [product, shift], tops[0])


@emits("Bias")
def bias(graph: Graph, layer: LayerLike, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """Sums with a learned vector (or a second bottom) along some axes."""
    param = layer.param.bias_param
    given = len(bottoms) > 1
    own, wanted = run_of_axes(layer, param.axis, param.num_axes, given)
    shift = (
        graph.reshape(bottoms[1], wanted) if given else graph.weight(layer, 0, own, "bias", wanted)
    )
    graph.op("Add", [bottoms[0], shift], tops[0])


@emits("BatchNorm")
def batch_norm(graph: Graph, layer: LayerLike, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """(x - mean) / sqrt(variance + eps), with the stored statistics or those of the batch.

    The stored sums are divided by the third parameter, the running scale (0 gives 0).
    """
    param = layer.param.batch_norm_param
    shape = bottom_shape(layer)
    stored = not param.HasField("use_global_stats") or param.use_global_stats
    channels = shape[1] if len(shape) > 1 else 1
    if stored and len(shape) > 1:
        factor = float(graph.parameter(layer.name, 2, (1,), "factor")[0])
        by = numpy.float32(0.0 if factor == 0 else 1.0 / factor)
        mean = graph.parameter(layer.name, 0, (channels,), "mean") * by
        variance = graph.parameter(layer.name, 1, (channels,), "variance") * by
        ones = graph.constant(numpy.ones(channels, numpy.float32))
        zeros = graph.constant(numpy.zeros(channels, numpy.float32))
        statistics = [graph.constant(mean), graph.constant(variance)]
        inputs = [bottoms[0], ones, zeros, *statistics]
        graph.op("BatchNormalization", inputs, tops[0], epsilon=param.eps)
        return
    if stored:
        raise unsupported(layer, "a one-dimensional input has no ONNX operator")
    axes = [axis for axis in range(len(shape)) if axis != 1]
    _normalise(graph, bottoms[0], tops[0], axes, param.eps)


@emits("MVN")
def mean_variance(
    graph: Graph, layer: LayerLike, bottoms: Sequence[str], tops: Sequence[str]
) -> None:
    """x less its mean, over (standard deviation + eps), a channel or an image at a time."""
    param = layer.param.mvn_param
    shape = bottom_shape(layer)
    axes = list(range(1 if param.across_channels else 2, len(shape)))
    mean = graph.op("ReduceMean", [bottoms[0]], axes=axes, keepdims=1)
    if not param.normalize_variance:
        graph.op("Sub", [bottoms[0], mean], tops[0])
        return
    centred = graph.op("Sub", [bottoms[0], mean])
    square = graph.op("Mul", [centred, centred])
    deviation = graph.op("Sqrt", [graph.op("ReduceMean", [square], axes=axes, keepdims=1)])
    divisor = graph.op("Add", [deviation, graph.scalar(param.eps)])
    graph.op("Div", [centred, divisor], tops[0])


def _normalise(graph: Graph, value: str, top: str, axes: list[int], eps: float) -> None:
    mean = graph.op("ReduceMean", [value], axes=axes, keepdims=1)
    centred = graph.op("Sub", [value, mean])
    square = graph.op("Mul", [centred, centred])
    variance = graph.op("ReduceMean", [square], axes=axes, keepdims=1)
    deviation = graph.op("Sqrt", [graph.op("Add", [variance, graph.scalar(eps)])])
    graph.op("Div", [centred, deviation], top)


@emits("Softmax")
def softmax(graph: Graph, layer: LayerLike, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """exp(x) over its sum along one axis."""
    shape = bottom_shape(layer)
    axis = canonical_axis(layer, layer.param.softmax_param.axis, len(shape))
    graph.op("Softmax", bottoms, tops[0], axis=axis)


@emits("InnerProduct")
def inner_product(
    graph: Graph, layer: LayerLike, bottoms: Sequence[str], tops: Sequence[str]
) -> None:
    """A matrix product over the axes from ``axis`` on, flattened, and a bias."""
    param = layer.param.inner_product_param
    shape = bottom_shape(layer)
    axis = canonical_axis(layer, param.axis, len(shape))
    rows, width, outputs = count(shape[:axis]), count(shape[axis:]), param.num_output
    own = (width, outputs) if param.transpose else (outputs, width)
    value = bottoms[0] if shape == (rows, width) else graph.reshape(bottoms[0], (rows, width))
    inputs = [value, graph.weight(layer, 0, own, "filter")]
    if param.bias_term:
        inputs.append(graph.weight(layer, 1, (outputs,), "bias"))
    flat = axis == 1
    product = graph.op("Gemm", inputs, tops[0] if flat else "", transB=int(not param.transpose))
    if not flat:
        graph.reshape(product, (*shape[:axis], outputs), tops[0])
