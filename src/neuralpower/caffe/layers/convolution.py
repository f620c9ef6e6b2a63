"""Convolution, Deconvolution and Im2col in any number of spatial dimensions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from neuralpower.caffe import caffe_pb2 as pb
from neuralpower.caffe.caffe_pb2 import ConvolutionParameter, LayerParameter
from neuralpower.caffe.fillers import check_filler
from neuralpower.caffe.operation import LayerFacts, Operation, operation
from neuralpower.caffe.registry import Setup, layer_type
from neuralpower.caffe.shapes import (
    Shape,
    axis_index,
    check,
    check_blob,
    count,
    int32,
    same,
    shape_text,
)


@dataclass(slots=True, eq=False)
class Window:
    """Kernel, stride, padding before and after, and dilation, one value a spatial axis."""

    kernel: Shape
    stride: Shape
    pad: Shape
    dilation: Shape
    pad_end: Shape

    @property
    def symmetric(self) -> bool:
        """Whether both ends of every axis have the same padding."""
        return self.pad == self.pad_end

    @property
    def extent(self) -> Shape:
        """The size of the dilated kernel."""
        return tuple(
            dilation * (kernel - 1) + 1
            for kernel, dilation in zip(self.kernel, self.dilation, strict=True)
        )

    def convolve(self, sizes: Sequence[int]) -> Shape:
        """Output sizes of a convolution; C++ division, which rounds towards zero."""
        return tuple(
            divide(size + before + after - extent, stride) + 1
            for size, before, after, extent, stride in zip(
                sizes, self.pad, self.pad_end, self.extent, self.stride, strict=True
            )
        )

    def deconvolve(self, sizes: Sequence[int]) -> Shape:
        """Output sizes of a transposed convolution."""
        return tuple(
            stride * (size - 1) + extent - before - after
            for size, before, after, extent, stride in zip(
                sizes, self.pad, self.pad_end, self.extent, self.stride, strict=True
            )
        )


def divide(numerator: int, denominator: int) -> int:
    """Integer division as in C++: towards zero."""
    quotient = abs(numerator) // denominator
    return quotient if numerator >= 0 else -quotient


def window(param: ConvolutionParameter, sizes: Sequence[int]) -> Window:
    """Read the window of a ``ConvolutionParameter`` for spatial axes of these sizes."""
    n_axes = len(sizes)
    kernel = _sizes(param, "kernel", "kernel_size", n_axes, None)
    check(min(kernel, default=1) > 0, "kernel sizes must be positive")
    stride = _sizes(param, "stride", "stride", n_axes, 1)
    check(min(stride, default=1) > 0, "strides must be positive")
    pad = _sizes(param, "pad", "pad", n_axes, 0)
    dilation = _repeated(param.dilation, "dilation", n_axes, 1)
    result = Window(kernel, stride, pad, dilation, pad)
    if any(sides := (param.pad_t, param.pad_l, param.pad_b, param.pad_r)):
        check(n_axes == 2, f"pads of four sides are for two spatial axes, not {n_axes}")
        result.pad, result.pad_end = sides[:2], sides[2:]
    elif param.pad_type == pb.SAME:
        totals = same_padding(sizes, result.extent, stride)
        result.pad = tuple(total // 2 for total in totals)
        result.pad_end = tuple(total - total // 2 for total in totals)
    return result


def same_padding(sizes: Sequence[int], extent: Shape, stride: Shape) -> Shape:
    """TensorFlow's "SAME": what is needed for an output of size / stride, rounded up."""
    return tuple(
        max((-(-size // step) - 1) * step + kernel - size, 0)
        for size, kernel, step in zip(sizes, extent, stride, strict=True)
    )


def _sizes(
    param: ConvolutionParameter, prefix: str, field: str, n_axes: int, default: int | None
) -> Shape:
    """One window property, given as ``_h`` and ``_w`` or as a list."""
    height, width = f"{prefix}_h", f"{prefix}_w"
    values = getattr(param, field)
    if param.HasField(height) or param.HasField(width):
        check(n_axes == 2, f"{height} and {width} are for two spatial axes, not {n_axes}")
        check(len(values) == 0, f"either {field} or {height} and {width}; not both")
        return (int32(getattr(param, height)), int32(getattr(param, width)))
    return _repeated(values, field, n_axes, default)


def _repeated(values: Sequence[int], field: str, n_axes: int, default: int | None) -> Shape:
    number = len(values)
    if number == 0 and default is not None:
        return (default,) * n_axes
    if number == 1:
        return (int32(values[0]),) * n_axes
    check(
        number == n_axes,
        f"{field} is given {number} times: once or {n_axes} times (the spatial axes) is needed",
    )
    return tuple(int32(value) for value in values)


@layer_type(
    "Convolution",
    bottoms=(1, None),
    tops=(1, None),
    equal_counts=True,
    sums=True,
    engine="convolution_param",
)
def convolution(setup: Setup) -> list[Shape]:
    """Tops of ``num_output`` channels; weights [out, in / group, kernel], bias [out]."""
    param = setup.param.convolution_param
    if setup.param.HasField("pooling_param"):
        setup.doubts.append("a pooling_param inside: a pooling that is fused is not counted")
    if len(setup.bottoms) != 2 or setup.n_tops != 1:
        return _convolution(setup, param, transposed=False)
    image, added = setup.bottoms
    setup.bottoms = [image]
    tops = _convolution(setup, param, transposed=False)
    check(tops[0] == added, f"the sum needs {shape_text(tops[0])}, not {shape_text(added)}")
    setup.notes.append("adds its second bottom (a fused sum; additions are no products)")
    return tops


@layer_type(
    "Convolution3D",
    "Conv3D",
    "NdConvolution",
    "ConvolutionRistretto",
    "ConvolutionData",
    "SqueezeConvolution",
    "CudnnConvolution",
    bottoms=(1, None),
    tops=(1, None),
    equal_counts=True,
    fork=True,
)
def convolution_of_forks(setup: Setup) -> list[Shape]:
    """As Convolution; C3D's are those of three axes (depth, height, width)."""
    return _convolution(setup, setup.param.convolution_param, transposed=False)


@layer_type("DeformableConvolution", bottoms=(1, 3), tops=(1, 1), fork=True)
def deformable_convolution(setup: Setup) -> list[Shape]:
    """A convolution of samples at learnt offsets (the second bottom), perhaps masked (the third).

    Its products are those of the convolution, and four an input sample of a kernel for the
    bilinear interpolation (Dai et al. 2017), as Interp has them.
    """
    image, *rest = setup.bottoms
    setup.bottoms = [image]
    tops = _convolution(setup, setup.param.convolution_param, transposed=False)
    geometry = window(setup.param.convolution_param, image[2:])
    samples = image[1] * math.prod(geometry.kernel)
    setup.macs += 4 * samples * tops[0][0] * math.prod(tops[0][2:])
    setup.bottoms = [image, *rest]
    return tops


@layer_type(
    "Deconvolution",
    bottoms=(1, None),
    tops=(1, None),
    equal_counts=True,
    engine="convolution_param",
)
def deconvolution(setup: Setup) -> list[Shape]:
    """The transposed convolution; weights [in, out / group, kernel], bias [out]."""
    return _convolution(setup, setup.param.convolution_param, transposed=True)


@layer_type(
    "Deconvolution3D",
    "DeconvolutionRistretto",
    bottoms=(1, None),
    tops=(1, None),
    equal_counts=True,
    fork=True,
)
def deconvolution_of_forks(setup: Setup) -> list[Shape]:
    """As Deconvolution."""
    return _convolution(setup, setup.param.convolution_param, transposed=True)


@layer_type(
    "DepthwiseConvolution",
    "ConvolutionDepthwise",
    "DepthWiseConvolution",
    "ConvolutionDepthWise",
    "DepthConvolution",
    bottoms=(1, None),
    tops=(1, None),
    equal_counts=True,
    fork=True,
)
def depthwise_convolution(setup: Setup) -> list[Shape]:
    """A convolution with one group a channel, whatever ``group`` says."""
    axis = axis_index(setup.bottom, setup.param.convolution_param.axis)
    return _convolution(
        setup, setup.param.convolution_param, transposed=False, group=setup.bottom[axis]
    )


def _convolution(
    setup: Setup, param: ConvolutionParameter, *, transposed: bool, group: int | None = None
) -> list[Shape]:
    bottom = setup.bottom
    axis = axis_index(bottom, param.axis)
    spatial = bottom[axis + 1 :]
    geometry = window(param, spatial)
    if 0 in geometry.dilation and max(geometry.kernel) > 1:
        setup.notes.append("a dilation of 0: all weights of a kernel meet one element, as in Caffe")
    channels, outputs = bottom[axis], int32(param.num_output)
    groups = int32(param.group) if group is None else group
    check(outputs > 0, "num_output must be positive")
    check(groups > 0, "group must be positive")
    check(channels % groups == 0, f"{channels} input channels do not divide into {groups} groups")
    check(outputs % groups == 0, f"num_output {outputs} does not divide into {groups} groups")
    rows, columns = (channels, outputs) if transposed else (outputs, channels)
    weight = (rows, columns // groups, *geometry.kernel)
    setup.params = [weight, (outputs,)] if param.bias_term else [weight]
    check_filler(setup, param.weight_filler, weight)
    if param.bias_term:
        check_filler(setup, param.bias_filler, (outputs,))
    check(same(setup.bottoms), "all bottoms must have one shape")
    sizes = geometry.deconvolve(spatial) if transposed else geometry.convolve(spatial)
    top = check_blob((*bottom[:axis], outputs, *sizes), setup.limit)
    if param.bias_term:
        setup.expect(count(sizes) > 0, f"the kernel does not fit into {shape_text(spatial)}")
    positions = math.prod(spatial) if transposed else math.prod(sizes)
    setup.macs = len(setup.bottoms) * count(bottom, 0, axis) * positions * math.prod(weight)
    return [top] * setup.n_tops


@layer_type("Im2col")
def im2col(setup: Setup) -> list[Shape]:
    """The columns that a convolution multiplies."""
    param = setup.param.convolution_param
    axis = axis_index(setup.bottom, param.axis)
    spatial = setup.bottom[axis + 1 :]
    check(len(spatial) >= 1, "Im2col needs at least one spatial axis")
    geometry = window(param, spatial)
    channels = setup.bottom[axis] * math.prod(geometry.kernel)
    return [(*setup.bottom[:axis], channels, *geometry.convolve(spatial))]


@dataclass(frozen=True, slots=True)
class Sliding(Operation):
    """A window that slides over the axes after ``axis``: one value a spatial axis."""

    axis: int
    kernel: Shape
    stride: Shape
    pad: Shape
    pad_end: Shape
    dilation: Shape

    @property
    def flat(self) -> Shape:
        """The input as [batch, channels, sizes]: the axes before ``axis`` are one."""
        return (math.prod(self.bottom[: self.axis]), *self.bottom[self.axis :])

    @property
    def flat_top(self) -> Shape:
        """The output as [batch, channels, sizes]."""
        return (math.prod(self.top[: self.axis]), *self.top[self.axis :])


@dataclass(frozen=True, slots=True)
class Convolution(Sliding):
    """Every input passes the same filters [out, in / group, kernel], or, ``transposed``,
    [in, out / group, kernel]; a second parameter is the bias [out].

    With ``adds`` the second input is added to what the first one gives.
    """

    group: int
    transposed: bool

    @property
    def adds(self) -> bool:
        """Whether a sum is fused."""
        return len(self.bottoms) > len(self.tops)


class Im2col(Sliding):
    """What a convolution multiplies: [batch, channels x kernel, places]."""


def _sliding(
    layer: LayerFacts, param: ConvolutionParameter
) -> tuple[int, Shape, Shape, Shape, Shape, Shape]:
    axis = axis_index(layer.bottoms[0], param.axis)
    found = window(param, layer.bottoms[0][axis + 1 :])
    return axis, found.kernel, found.stride, found.pad, found.pad_end, found.dilation


@operation(
    *("Convolution", "Deconvolution", "DepthwiseConvolution", "ConvolutionDepthwise"),
    *("DepthWiseConvolution", "ConvolutionDepthWise", "DepthConvolution"),
    *("Convolution3D", "Conv3D", "NdConvolution", "Deconvolution3D"),
    *("ConvolutionRistretto", "DeconvolutionRistretto", "ConvolutionData"),
    *("CudnnConvolution", "SqueezeConvolution"),
)
def convolution_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """The group follows from the filters: depthwise types do not say it."""
    fields = _sliding(layer, param.convolution_param)
    transposed = param.type.startswith("Deconvolution")
    channels = (layer.tops if transposed else layer.bottoms)[0][fields[0]]
    check(0 not in layer.weights[0].shape, "the filters are empty")
    group = channels // layer.weights[0].shape[1]
    return Convolution(layer, *fields, group, transposed)


@operation("Im2col")
def im2col_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """The window of its ``convolution_param``."""
    return Im2col(layer, *_sliding(layer, param.convolution_param))
