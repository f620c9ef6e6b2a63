"""Output sizes of layers with a window, as Caffe computes them, and whether a shape is possible.

Sources of the rules: Caffe's ConvolutionLayer, DeconvolutionLayer and PoolingLayer (``Reshape``).
"""

from __future__ import annotations

from dataclasses import replace

from neuralpower.core.configuration import Configuration
from neuralpower.core.families import FAMILY


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
    height, width = _caffe_size(c, "height"), _caffe_size(c, "width")
    if height is None or width is None:
        return None
    return replace(c, out_height=height, out_width=width)


def _caffe_size(c: Configuration, axis: str) -> int | None:
    pad, kernel = getattr(c, f"pad_{axis}"), getattr(c, f"kernel_{axis}")
    if FAMILY[c.family].shape == "pool" and pad >= kernel:
        return None
    return next(iter(output_sizes(c, axis)), None)


def output_sizes(configuration: Configuration, axis: str) -> tuple[int, ...]:
    """Sizes that the output may have along ``height`` or ``width``: Caffe's first.

    Other frameworks round a pooling down; both are measured. Empty where the window does not fit.
    """
    c = configuration
    size, kernel, stride, pad, dilation = (
        getattr(c, f"{name}_{axis}") for name in ("in", "kernel", "stride", "pad", "dilation")
    )
    found: list[int | None]
    match FAMILY[c.family].shape:
        case "conv":
            found = [conv_size(size, kernel, stride, pad, dilation)]
        case "deconv":
            found = [deconv_size(size, kernel, stride, pad, dilation)]
        case "pool":
            found = [pool_size(size, kernel, stride, pad), conv_size(size, kernel, stride, pad)]
        case "fc":
            found = [1]
        case _:
            found = [size]
    return tuple(dict.fromkeys(out for out in found if out is not None))
