"""Output sizes of layers with a window, as Caffe computes them, and whether a shape is possible.

Sources of the rules: Caffe's ConvolutionLayer, DeconvolutionLayer and PoolingLayer (``Reshape``).
"""

from __future__ import annotations

from dataclasses import replace

from neuralpower.core.configuration import Configuration


def conv_size(size: int, kernel: int, stride: int, pad: int, dilation: int = 1) -> int | None:
    """Places of a window along one direction, rounded down; ``None`` where it does not fit."""
    room = size + 2 * pad - (dilation * (kernel - 1) + 1)
    return room // stride + 1 if room >= 0 else None


def deconv_size(size: int, kernel: int, stride: int, pad: int, dilation: int = 1) -> int | None:
    """The size whose convolution gives ``size``; ``None`` where the padding eats all of it."""
    out = stride * (size - 1) + dilation * (kernel - 1) + 1 - 2 * pad
    return out if out >= 1 else None


def pool_size(size: int, kernel: int, stride: int, pad: int) -> int | None:
    """Places of a pooling window, rounded up, the last one clipped; ``None`` where impossible.

    Caffe rounds up and, when there is padding, drops a last window that would start beyond the
    image and its leading border. It refuses a pad that is not smaller than the kernel. A window
    larger than the padded image gives one clipped place if the rounding makes up for it.
    """
    if pad >= kernel:
        return None
    out = -((kernel - size - 2 * pad) // stride) + 1
    if pad and (out - 1) * stride >= size + pad:
        out -= 1
    return out if out >= 1 else None


def complete(configuration: Configuration) -> Configuration | None:
    """The configuration with its output sizes, or ``None`` where no such layer can exist."""
    c = configuration
    if min(c.batch, c.in_channels, c.in_height, c.in_width, c.out_channels, c.groups) < 1:
        return None
    if c.in_channels % c.groups or c.out_channels % c.groups:
        return None
    height = _window(c, "height")
    width = _window(c, "width")
    if height is None or width is None:
        return None
    return replace(c, out_height=height, out_width=width)


def _window(c: Configuration, axis: str) -> int | None:
    size, kernel, stride, pad, dilation = (
        getattr(c, f"{name}_{axis}") for name in ("in", "kernel", "stride", "pad", "dilation")
    )
    if c.family == "conv":
        return conv_size(size, kernel, stride, pad, dilation)
    if c.family == "deconv":
        return deconv_size(size, kernel, stride, pad, dilation)
    if c.family == "pool":
        return pool_size(size, kernel, stride, pad)
    return 1 if c.family == "fc" else int(size)
