"""Sliding windows: convolution and its columns, pooling, response normalisation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TypedDict

import numpy

from neuralpower.caffe.layers.convolution import Convolution, Im2col, Sliding
from neuralpower.caffe.layers.normalisation import LRN
from neuralpower.caffe.layers.pooling import SPP, Pooling
from neuralpower.frameworks.onnx.ops.graph import Graph
from neuralpower.frameworks.onnx.ops.registry import emits
from neuralpower.frameworks.windows import check_windows, column_filters, divisors


@emits(Convolution)
def convolution(graph: Graph, op: Convolution, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """``Conv`` or ``ConvTranspose``; every bottom passes the same filters, as in Caffe."""
    kind = "ConvTranspose" if op.transposed else "Conv"
    parameters = [graph.weight(weight) for weight in op.weights]
    if op.adds:
        plain = graph.fresh(f"{tops[0]}/plain")
        _slide(graph, op, kind, (bottoms[0], plain), parameters, op.group)
        graph.op("Add", [plain, bottoms[1]], tops[0])
        return
    for bottom, top in zip(bottoms, tops, strict=True):
        _slide(graph, op, kind, (bottom, top), parameters, op.group)


@emits(Im2col)
def im2col(graph: Graph, op: Im2col, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """A convolution whose filters pick one place of a window each."""
    filters = graph.constant(column_filters(op))
    _slide(graph, op, "Conv", (bottoms[0], tops[0]), [filters], op.flat[1])


def _slide(
    graph: Graph,
    op: Sliding,
    kind: str,
    ends: tuple[str, str],
    parameters: Sequence[str],
    group: int,
) -> None:
    """One convolution; the axes before that of the channels are the batch."""
    if not op.kernel:
        raise op.refuse("a convolution without spatial axes has no ONNX operator")
    bottom, top = ends
    flat = op.flat == op.bottom
    value = graph.op(
        kind,
        [bottom if flat else graph.reshape(bottom, op.flat), *parameters],
        top if flat else "",
        kernel_shape=op.kernel,
        strides=op.stride,
        pads=[*op.pad, *op.pad_end],
        dilations=op.dilation,
        group=group,
    )
    if not flat:
        graph.reshape(value, op.top, top)


@emits(Pooling)
def pooling(graph: Graph, op: Pooling, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """Caffe's pooling: output size rounded up, last window clipped, its own average divisor."""
    if len(tops) == 1:
        pool(graph, op, bottoms[0], tops[0])
        return
    places = graph.fresh(f"{tops[0]}/places")
    graph.ops("MaxPool", bottoms, [tops[0], places], _window(op))
    # ONNX counts the places of the whole blob, Caffe those of a channel.
    own = graph.op("Mod", [places, graph.integers([math.prod(op.sizes)])])
    graph.op("Cast", [own], tops[1], to=1)


def pool(graph: Graph, op: Pooling, bottom: str, top: str) -> str:
    """One pooling of a value."""
    if op.method == "stochastic":
        # At test time: the mean of the window weighted by its own values (Zeiler and Fergus 2013).
        average = replace(op, method="ave")
        square = graph.op("Mul", [bottom, bottom])
        parts = [
            pool(graph, average, value, graph.fresh(f"{top}/{value}")) for value in (square, bottom)
        ]
        return graph.op("Div", parts, top)
    if op.method not in ("max", "ave"):
        raise op.refuse(f"pool method {op.method} has no ONNX form")
    if op.whole:
        return graph.op(
            "GlobalMaxPool" if op.method == "max" else "GlobalAveragePool", [bottom], top
        )
    window = _window(op)
    if op.method == "max":
        return graph.op("MaxPool", [bottom], top, **window)
    if not any(op.pad):
        # A clipped window divides by what lies inside: Caffe's divisor where nothing is padded.
        return graph.op("AveragePool", [bottom], top, count_include_pad=0, **window)
    divisor, full = divisors(op), math.prod(op.kernel)
    if (divisor == full).all():
        return graph.op("AveragePool", [bottom], top, count_include_pad=1, **window)
    mean = graph.op("AveragePool", [bottom], count_include_pad=1, **window)
    factor = graph.constant((full / divisor).astype(numpy.float32)[None, None])
    return graph.op("Mul", [mean, factor], top)


class _Window(TypedDict):
    """Attributes of a pooling node."""

    kernel_shape: Sequence[int]
    strides: Sequence[int]
    pads: Sequence[int]


def _window(op: Pooling) -> _Window:
    check_windows(op)
    ends = [max(0, end) for end in op.ends]
    return {"kernel_shape": op.kernel, "strides": op.stride, "pads": [*op.pad, *ends]}


@emits(SPP)
def spatial_pyramid(graph: Graph, op: SPP, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """Spatial pyramid pooling: the bins of all levels are flattened and joined."""
    if len(op.levels) == 1:
        pool(graph, op.levels[0], bottoms[0], tops[0])
        return
    parts = []
    for number, level in enumerate(op.levels):
        pooled = pool(graph, level, bottoms[0], graph.fresh(f"{tops[0]}/level{number}"))
        parts.append(graph.reshape(pooled, (op.bottom[0], -1)))
    graph.op("Concat", parts, tops[0], axis=1)


@emits(LRN)
def response_normalisation(
    graph: Graph, op: LRN, bottoms: Sequence[str], tops: Sequence[str]
) -> None:
    """Local response normalisation, across channels or within a channel."""
    if op.across:
        graph.op("LRN", bottoms, tops[0], size=op.size, alpha=op.alpha, beta=op.beta, bias=op.k)
        return
    square = graph.op("Mul", [bottoms[0], bottoms[0]])
    edge = (op.size - 1) // 2
    mean = graph.op(
        "AveragePool",
        [square],
        kernel_shape=[op.size, op.size],
        strides=[1, 1],
        pads=[edge] * 4,
        count_include_pad=1,
    )
    scaled = graph.op("Mul", [mean, graph.scalar(op.alpha)])
    base = graph.op("Add", [scaled, graph.scalar(op.k)])
    factor = graph.op("Pow", [base, graph.scalar(-op.beta)])
    graph.op("Mul", [bottoms[0], factor], tops[0])
