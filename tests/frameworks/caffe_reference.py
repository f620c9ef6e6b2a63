"""Caffe's layers in plain numpy loops, written from Caffe's definitions: slow and obvious."""

from __future__ import annotations

import math
from typing import Any

import numpy
from numpy.typing import NDArray

Array = NDArray[Any]


def convolution(
    x: Array, w: Array, b: Array | None, stride: Any, pad: Any, dilation: Any, group: int
) -> Array:
    n, _, height, width = x.shape
    outputs, per_group, kh, kw = w.shape
    sh, sw = stride
    padded = numpy.pad(x, ((0, 0), (0, 0), (pad[0], pad[0]), (pad[1], pad[1])))
    oh = (height + 2 * pad[0] - (dilation[0] * (kh - 1) + 1)) // sh + 1
    ow = (width + 2 * pad[1] - (dilation[1] * (kw - 1) + 1)) // sw + 1
    y = numpy.zeros((n, outputs, oh, ow))
    for o in range(outputs):
        first = o // (outputs // group) * per_group
        for i in range(oh):
            for j in range(ow):
                rows = slice(i * sh, i * sh + dilation[0] * (kh - 1) + 1, dilation[0])
                columns = slice(j * sw, j * sw + dilation[1] * (kw - 1) + 1, dilation[1])
                window = padded[:, first : first + per_group, rows, columns]
                y[:, o, i, j] = (window * w[o]).sum(axis=(1, 2, 3))
        if b is not None:
            y[:, o] += b[o]
    return y


def deconvolution(x: Array, w: Array, b: Array, stride: int, pad: int, group: int) -> Array:
    n, channels, height, width = x.shape
    _, per_group, kh, kw = w.shape
    outputs = per_group * group
    full = numpy.zeros((n, outputs, stride * (height - 1) + kh, stride * (width - 1) + kw))
    for c in range(channels):
        first = c // (channels // group) * per_group
        for i in range(height):
            for j in range(width):
                at = full[
                    :,
                    first : first + per_group,
                    i * stride : i * stride + kh,
                    j * stride : j * stride + kw,
                ]
                at += x[:, c, i, j][:, None, None, None] * w[c][None]
    cut = full[:, :, pad : full.shape[2] - pad, pad : full.shape[3] - pad]
    return cut + b[None, :, None, None]


def pooling(x: Array, method: str, kernel: int, stride: int, pad: int) -> Array:
    n, channels, height, width = x.shape
    oh, ow = (math.ceil((size + 2 * pad - kernel) / stride) + 1 for size in (height, width))
    if pad:
        oh -= (oh - 1) * stride >= height + pad
        ow -= (ow - 1) * stride >= width + pad
    y = numpy.zeros((n, channels, oh, ow))
    for i in range(oh):
        for j in range(ow):
            h0, w0 = i * stride - pad, j * stride - pad
            h1, w1 = min(h0 + kernel, height + pad), min(w0 + kernel, width + pad)
            size = (h1 - h0) * (w1 - w0)
            window = x[:, :, max(h0, 0) : min(h1, height), max(w0, 0) : min(w1, width)]
            if method == "MAX":
                y[:, :, i, j] = window.max(axis=(2, 3))
            else:
                y[:, :, i, j] = window.sum(axis=(2, 3)) / size
    return y


def lrn_across(x: Array, size: int, alpha: float, beta: float, k: float) -> Array:
    y = numpy.zeros_like(x)
    for c in range(x.shape[1]):
        near = x[:, max(0, c - size // 2) : c + size // 2 + 1]
        y[:, c] = x[:, c] / (k + alpha / size * (near**2).sum(axis=1)) ** beta
    return y


def lrn_within(x: Array, size: int, alpha: float, beta: float) -> Array:
    return x * (1 + alpha * pooling(x**2, "AVE", size, 1, (size - 1) // 2)) ** -beta


def softmax(x: Array, axis: int) -> Array:
    e = numpy.exp(x - x.max(axis=axis, keepdims=True))
    share: Array = e / e.sum(axis=axis, keepdims=True)
    return share
