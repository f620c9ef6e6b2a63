"""From a set-up layer to the row that the models predict from.

Families and how they fill the columns (the sets of measurements do the same): windows of one pixel
where a layer has none; ``fc`` has flattened widths and spatial sizes 1; a blob with fewer than four
axes has sizes 1 at the end, one with more has its last axes joined.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from neuralpower.caffe.layers.convolution import window
from neuralpower.caffe.layers.pooling import pool_geometry
from neuralpower.caffe.shapes import Shape, axis_index
from neuralpower.core.configuration import Configuration
from neuralpower.core.families import FAMILY_OF_TYPE, POOL_METHODS


def configuration(
    param: Any, bottoms: Sequence[Shape], tops: Sequence[Shape]
) -> tuple[Configuration | None, str]:
    """The configuration of a layer with known shapes, or None and why there is none."""
    kind: str = param.type
    build = _BUILDERS.get(kind)
    family = FAMILY_OF_TYPE.get(kind)
    if build is None and family is None:
        return None, ""
    if any(0 in shape for shape in (*bottoms, *tops)):
        return None, "an empty blob: nothing to compute"
    if build is not None:
        return build(param, bottoms, tops)
    assert family is not None
    return _plain(family, bottoms[0], tops[0]), ""


Result = tuple[Configuration | None, str]


def _sizes(shape: Shape) -> tuple[int, int, int, int]:
    """(batch, channels, height, width) of a blob of any number of axes."""
    padded = (*shape, 1, 1, 1, 1)
    return padded[0], padded[1], padded[2], math.prod(padded[3:])


def _plain(family: str, bottom: Shape, top: Shape, **more: Any) -> Configuration:
    batch, channels, height, width = _sizes(bottom)
    _, out_channels, out_height, out_width = _sizes(top)
    return Configuration(
        family, batch, channels, height, width, out_channels, out_height, out_width, **more
    )


def _convolution(family: str) -> Callable[..., Result]:
    def build(param: Any, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Result:
        options, bottom, top = param.convolution_param, bottoms[0], tops[0]
        axis = axis_index(bottom, options.axis)
        n_spatial = len(bottom) - axis - 1
        if n_spatial != 2:
            return None, f"{n_spatial}-d convolution: no model family"
        geometry = window(options, 2)
        depthwise = param.type in ("DepthwiseConvolution", "ConvolutionDepthwise")
        return Configuration(
            family,
            math.prod(bottom[:axis]),
            *_three(bottom[axis:]),
            *_three(top[axis:]),
            *_two(geometry.kernel),
            *_two(geometry.stride),
            *_two(geometry.pad),
            *_two(geometry.dilation),
            bottom[axis] if depthwise else options.group,
            "",
            int(options.bias_term),
            len(bottoms),
        ), ""

    return build


def _two(shape: Shape) -> tuple[int, int]:
    height, width = shape
    return height, width


def _three(shape: Shape) -> tuple[int, int, int]:
    channels, height, width = shape
    return channels, height, width


def _inner_product(param: Any, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Result:
    options, bottom = param.inner_product_param, bottoms[0]
    axis = axis_index(bottom, options.axis)
    rows, inputs = math.prod(bottom[:axis]), math.prod(bottom[axis:])
    return Configuration(
        "fc", rows, inputs, 1, 1, options.num_output, 1, 1, bias=int(options.bias_term)
    ), ""


def _pooling(param: Any, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Result:
    options = param.pooling_param
    kernel, stride, pad = pool_geometry(bottoms[0], options)
    return _plain(
        "pool",
        bottoms[0],
        tops[0],
        kernel_height=kernel[0],
        kernel_width=kernel[1],
        stride_height=stride[0],
        stride_width=stride[1],
        pad_height=pad[0],
        pad_width=pad[1],
        pool_method=POOL_METHODS[options.pool],
    ), ""


def _several(family: str) -> Callable[..., Result]:
    def build(param: Any, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Result:
        return _plain(family, bottoms[0], tops[0], inputs=len(bottoms)), ""

    return build


def _scale(param: Any, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Result:
    bias = int(param.scale_param.bias_term)
    return _plain("scale", bottoms[0], tops[0], bias=bias, inputs=len(bottoms)), ""


_BUILDERS: dict[str, Callable[..., Result]] = {
    "Convolution": _convolution("conv"),
    "DepthwiseConvolution": _convolution("conv"),
    "ConvolutionDepthwise": _convolution("conv"),
    "Deconvolution": _convolution("deconv"),
    "InnerProduct": _inner_product,
    "Pooling": _pooling,
    "Scale": _scale,
    "Eltwise": _several("eltwise"),
    "Concat": _several("concat"),
}
