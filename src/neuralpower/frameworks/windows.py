"""What no framework has of Caffe's layers: its divisor of averages, columns, prior boxes."""

from __future__ import annotations

import math
from functools import reduce

import numpy
from numpy.typing import NDArray

from neuralpower.caffe.layers.convolution import Im2col
from neuralpower.caffe.layers.detection import Priors
from neuralpower.caffe.layers.pooling import Pooling


def check_windows(pooling: Pooling) -> None:
    """``InputError`` when a window lies wholly outside of the input."""
    edges = (*zip(pooling.ends, pooling.kernel, strict=True),)
    edges += (*zip(pooling.pad, pooling.kernel, strict=True),)
    if any(edge >= kernel for edge, kernel in edges):
        raise pooling.refuse("a pooling window lies wholly outside of its input")


def divisors(pooling: Pooling) -> NDArray[numpy.int64]:
    """How many places a window counts, for every output place [sizes of the output].

    The window clipped at size + pad: padding counts, the part beyond it does not
    (pooling_layer.cpp, Forward_cpu).
    """
    spans = []
    for size, kernel, stride, pad, out in zip(
        pooling.sizes, pooling.kernel, pooling.stride, pooling.pad, pooling.out, strict=True
    ):
        start = numpy.arange(out) * stride - pad
        spans.append(numpy.minimum(start + kernel, size + pad) - start)
    return reduce(numpy.multiply.outer, spans)


def column_filters(op: Im2col) -> NDArray[numpy.float32]:
    """Filters [channels x kernel, 1, kernel] of a convolution with one group per channel.

    Each picks one place of the window, so that the convolution makes the columns.
    """
    places = math.prod(op.kernel)
    picks = numpy.eye(places, dtype=numpy.float32).reshape(places, 1, *op.kernel)
    return numpy.tile(picks, (op.flat[1], *[1] * (len(op.kernel) + 1)))


def prior_values(op: Priors) -> NDArray[numpy.float32]:
    """The output of a PriorBox, float32 [1, 2, 4 x boxes]: corners, then variances."""
    boxes = numpy.array(op.boxes(), numpy.float32)
    variances = numpy.broadcast_to(numpy.array(op.variances, numpy.float32), boxes.shape)
    return numpy.stack([boxes.reshape(-1), variances.reshape(-1)])[None]
