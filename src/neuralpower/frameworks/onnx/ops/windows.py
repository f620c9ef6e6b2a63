"""Layers with sliding windows: convolution, deconvolution, pooling, response normalisation, SPP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy

from neuralpower.frameworks.layer_fields import (
    average_divisor,
    bottom_shape,
    canonical_axis,
    pool_window,
    spatial,
    top_shape,
    unsupported,
)
from neuralpower.frameworks.layer_graph import LayerLike, Shape
from neuralpower.frameworks.onnx.ops.graph import Graph
from neuralpower.frameworks.onnx.ops.registry import emits

MAX, AVE, STOCHASTIC = 0, 1, 2


@emits("Convolution", "Deconvolution", "DepthwiseConvolution", "ConvolutionDepthwise")
def convolution(
    graph: Graph, layer: LayerLike, bottoms: Sequence[str], tops: Sequence[str]
) -> None:
    """``Conv`` or ``ConvTranspose``; every bottom passes the same filters, as in Caffe."""
    param = layer.param.convolution_param
    shape = bottom_shape(layer)
    axis = canonical_axis(layer, param.axis, len(shape))
    if axis != 1:
        raise unsupported(layer, f"channel axis {axis}: only axis 1 has an ONNX operator")
    rank = len(shape) - 2
    kernel = spatial(layer, param, "kernel", rank, 0)
    pads = spatial(layer, param, "pad", rank, 0)
    channels, outputs = shape[1], top_shape(layer)[1]
    depthwise = "epthwise" in layer.type
    group = channels if depthwise else param.group
    transposed = layer.type == "Deconvolution"
    ends = (channels, outputs) if transposed else (outputs, channels)
    inputs = [graph.weight(layer, 0, (ends[0], ends[1] // group, *kernel), "filter")]
    if param.bias_term:
        inputs.append(graph.weight(layer, 1, (outputs,), "bias"))
    for bottom, top in zip(bottoms, tops, strict=True):
        graph.op(
            "ConvTranspose" if transposed else "Conv",
            [bottom, *inputs],
            top,
            kernel_shape=kernel,
            strides=spatial(layer, param, "stride", rank, 1),
            pads=[*pads, *pads],
            dilations=spatial(layer, param, "dilation", rank, 1),
            group=group,
        )


@emits("Pooling")
def pooling(graph: Graph, layer: LayerLike, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """Caffe's pooling: output size rounded up, last window clipped, its own average divisor."""
    param = layer.param.pooling_param
    if len(tops) > 1:
        raise unsupported(layer, "a second top (the mask of max pooling) has no ONNX operator")
    kernel, stride, pad = pool_window(layer)
    pool(graph, layer, bottoms[0], tops[0], (param.pool, kernel, stride, pad, top_shape(layer)[2:]))


def pool(
    graph: Graph,
    layer: LayerLike,
    bottom: str,
    top: str,
    window: tuple[int, list[int], list[int], list[int], Shape],
) -> str:
    """One pooling of a 4-d value; ``window``: method, kernel, stride, pad and output size."""
    method, kernel, stride, pad, out = window
    size = bottom_shape(layer)[2:]
    if method == STOCHASTIC:
        # At test time: the mean of the window weighted by its own values (Zeiler and Fergus 2013).
        square = graph.op("Mul", [bottom, bottom])
        parts = [
            pool(graph, layer, value, graph.fresh(f"{top}/{value}"), (AVE, *window[1:]))
            for value in (square, bottom)
        ]
        return graph.op("Div", parts, top)
    if method not in (MAX, AVE):
        raise unsupported(layer, f"pool method {method} is not known")
    if list(size) == kernel and pad == [0, 0] and tuple(out) == (1, 1):
        return graph.op("GlobalMaxPool" if method == MAX else "GlobalAveragePool", [bottom], top)
    reach = [(o - 1) * s + k for o, s, k in zip(out, stride, kernel, strict=True)]
    ends = [max(0, r - p - n) for r, p, n in zip(reach, pad, size, strict=True)]
    if any(e >= k or p >= k for e, p, k in zip(ends, pad, kernel, strict=True)):
        raise unsupported(layer, "a pooling window lies wholly outside of its input")
    shape: dict[str, Any] = {"kernel_shape": kernel, "strides": stride, "pads": [*pad, *ends]}
    if method == MAX:
        return graph.op("MaxPool", [bottom], top, **shape)
    if pad == [0, 0]:
        # A clipped window divides by what lies inside: Caffe's divisor where nothing is padded.
        return graph.op("AveragePool", [bottom], top, count_include_pad=0, **shape)
    divisor = average_divisor(size, kernel, stride, pad, out)
    full = kernel[0] * kernel[1]
    if (divisor == full).all():
        return graph.op("AveragePool", [bottom], top, count_include_pad=1, **shape)
    mean = graph.op("AveragePool", [bottom], count_include_pad=1, **shape)
    factor = graph.constant((full / divisor).astype(numpy.float32)[None, None])
    return graph.op("Mul", [mean, factor], top)


@emits("LRN")
def response_normalisation(
    graph: Graph, layer: LayerLike, bottoms: Sequence[str], tops: Sequence[str]
) -> None:
    """Local response normalisation, across channels or within a channel."""
    param = layer.param.lrn_param
    size = param.local_size
    if param.norm_region == 0:
        graph.op(
            "LRN", bottoms, tops[0], size=size, alpha=param.alpha, beta=param.beta, bias=param.k
        )
        return
    # Within a channel Caffe takes no k: (1 + alpha * mean of squares) ** -beta.
    square = graph.op("Mul", [bottoms[0], bottoms[0]])
    edge = (size - 1) // 2
    mean = graph.op(
        "AveragePool",
        [square],
        kernel_shape=[size, size],
        strides=[1, 1],
        pads=[edge] * 4,
        count_include_pad=1,
    )
    scaled = graph.op("Mul", [mean, graph.scalar(param.alpha)])
    base = graph.op("Add", [scaled, graph.scalar(1.0)])
    factor = graph.op("Pow", [base, graph.scalar(-param.beta)])
    graph.op("Mul", [bottoms[0], factor], tops[0])


@emits("SPP")
def spatial_pyramid(
    graph: Graph, layer: LayerLike, bottoms: Sequence[str], tops: Sequence[str]
) -> None:
    """Spatial pyramid pooling: level i pools to 2**i x 2**i bins; bins are flattened and joined."""
    param = layer.param.spp_param
    batch, _, *size = bottom_shape(layer)
    levels = []
    for level in range(param.pyramid_height):
        bins = 2**level
        kernel = [-(-n // bins) for n in size]
        pad = [(k * bins - n + 1) // 2 for k, n in zip(kernel, size, strict=True)]
        window = (param.pool, kernel, kernel, pad, (bins, bins))
        pooled = pool(graph, layer, bottoms[0], graph.fresh(f"{tops[0]}/level{level}"), window)
        levels.append(graph.reshape(pooled, (batch, -1)))
    graph.op("Concat", levels, tops[0], axis=1)
