"""Layers of forks that make images larger or smaller, pad them, or move pixels to channels.

Sources: DeepLab and PSPNet (Interp), ENet and SegNet (Upsample), DeconvNet (Unpooling), FlowNet
(Resample, Downsample), OpenPose (ImResize), Synopsys (ResizeBilinear, ResizeNearestNeighbor,
DepthToSpace, Pad), YOLO ports (Reorg, UpsampleDarknet), spatial transformers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from neuralpower.caffe.caffe_pb2 import LayerParameter
from neuralpower.caffe.layers.arrangement import Crop
from neuralpower.caffe.operation import LayerFacts, Operation, operation
from neuralpower.caffe.registry import Setup, UnknownShape, layer_type
from neuralpower.caffe.shapes import Shape, check, count, four_axes

#: Where a layer's parameters may be; the first that is given counts.
_BLOCK_NAMES = (
    "resize_param resize_bilinear_param resize_nearest_neighbor_param imresize_param "
    "resample_param downsample_param bilinear_interpolation_param nn_upsample_param "
    "nearest_upsample_param"
)
_BLOCKS = _BLOCK_NAMES.split()
_HEIGHTS = ("height", "output_height", "top_height", "target_spatial_height")
_FACTORS = ("factor", "scale", "scale_factor", "resize", "stride")


@layer_type("Interp", bottoms=(1, 2), fork=True)
def interp(setup: Setup) -> list[Shape]:
    """Bilinear resizing to given sizes, by factors, or to the sizes of a second bottom."""
    param, bottom = setup.param.interp_param, four_axes(setup.bottom)
    height = bottom[2] + param.pad_beg + param.pad_end
    width = bottom[3] + param.pad_beg + param.pad_end
    shrink, zoom = param.shrink_factor, param.zoom_factor
    check(shrink >= 1 and zoom >= 1, "factors must be positive")
    if len(setup.bottoms) == 2:
        height, width = four_axes(setup.bottoms[1])[2:]
    elif param.height > 0 and param.width > 0:
        height, width = param.height, param.width
    elif param.full_zoom_factor > 1:
        height, width = height * param.full_zoom_factor, width * param.full_zoom_factor
    elif param.HasField("shrink_factor") or param.HasField("zoom_factor"):
        if param.HasField("shrink_factor"):
            height, width = (height - 1) // shrink + 1, (width - 1) // shrink + 1
        if param.HasField("zoom_factor"):
            height += (height - 1) * (zoom - 1)
            width += (width - 1) * (zoom - 1)
    else:
        raise UnknownShape("height and width, or a factor, must be given")
    check(height > 0 and width > 0, "the output sizes must be positive")
    top = (bottom[0], bottom[1], height, width)
    setup.macs = 4 * count(top)
    return [top]


@layer_type("Resize", "ResizeBilinear", "BilinearUpsample", "BilinearInterpolation", "ImResize",
            "Resample", "Downsample", bottoms=(1, 2), fork=True)  # fmt: skip
def resize(setup: Setup) -> list[Shape]:
    """Bilinear resizing, four products an output."""
    top = _resized(setup)
    setup.macs = 4 * count(top)
    return [top]


@layer_type("ResizeNearestNeighbor", "NearestUpsample", "NNUpsample", bottoms=(1, 2), fork=True)
def resize_nearest(setup: Setup) -> list[Shape]:
    """Resizing that copies pixels."""
    return [_resized(setup)]


def _resized(setup: Setup) -> Shape:
    number, channels = four_axes(setup.bottom)[:2]
    name = next((name for name in _BLOCKS if setup.param.HasField(name)), None)
    if len(setup.bottoms) == 2:
        return (number, channels, *four_axes(setup.bottoms[1])[2:])
    if name is None:
        raise UnknownShape("the sizes of the output, or a factor, must be given")
    param = getattr(setup.param, name)
    for field in _HEIGHTS:
        sizes = getattr(param, field), getattr(param, field.replace("height", "width"))
        if all(sizes):
            return (number, channels, *sizes)
    for tall, wide in (("scale_height", "scale_width"), ("fy", "fx")):
        if param.HasField(tall) and param.HasField(wide):
            return _scaled(setup.bottom, getattr(param, tall), getattr(param, wide))
    factor = next((getattr(param, field) for field in _FACTORS if param.HasField(field)), None)
    if factor is None:
        raise UnknownShape("the sizes of the output, or a factor, must be given")
    return _scaled(setup.bottom, factor, factor)


def _scaled(bottom: Shape, tall: float, wide: float) -> Shape:
    check(0 < tall <= 1e6 and 0 < wide <= 1e6, "factors must be positive")
    sizes = int(bottom[2] * tall), int(bottom[3] * wide)
    check(min(sizes) > 0, "the output sizes must be positive")
    return (bottom[0], bottom[1], *sizes)


@layer_type("Upsample", "Upsampling", "UpSample", bottoms=(1, 2), fork=True)
def upsample(setup: Setup) -> list[Shape]:
    """Larger by a factor, or to given sizes; a second bottom is the mask of a max pooling."""
    param, bottom = setup.param.upsample_param, four_axes(setup.bottom)
    height = param.upsample_h or param.height
    width = param.upsample_w or param.width
    if not (height and width):
        factor = param.stride or param.factor or param.scale
        height = bottom[2] * (param.scale_h or factor) - param.pad_out_h
        width = bottom[3] * (param.scale_w or factor) - param.pad_out_w
    check(height > 0 and width > 0, "the output sizes must be positive")
    return [(bottom[0], bottom[1], height, width)]


@layer_type("UpsampleDarknet", fork=True)
def upsample_darknet(setup: Setup) -> list[Shape]:
    """Every pixel repeated ``stride`` times both ways."""
    number, channels, height, width = four_axes(setup.bottom)
    param = setup.param.upsample_darknet_param
    stride = param.stride if param.HasField("stride") else 1
    return [(number, channels, height * stride, width * stride)]


@layer_type("Unpooling", "UnPooling", "MaxUnpooling", bottoms=(1, 2), fork=True)
def unpooling(setup: Setup) -> list[Shape]:
    """The inverse of a pooling: to a given size, or to what such a pooling would have read."""
    param, bottom = setup.param.unpooling_param, four_axes(setup.bottom)
    given = (param.unpool_h or param.unpool_size, param.unpool_w or param.unpool_size)
    kernel = (param.kernel_h or param.kernel_size, param.kernel_w or param.kernel_size)
    stride = (param.stride_h or param.stride, param.stride_w or param.stride)
    pad = (param.pad_h or param.pad, param.pad_w or param.pad)
    sizes = [
        wanted or (size - 1) * s + k - 2 * p
        for wanted, size, k, s, p in zip(given, bottom[2:], kernel, stride, pad, strict=True)
    ]
    check(all(given) or min(kernel) > 0, "kernel_size or unpool_size must be given")
    check(min(sizes) > 0, "the output sizes must be positive")
    return [(*bottom[:2], *sizes)]


@layer_type("Pad", "Padding", fork=True)
def pad(setup: Setup) -> list[Shape]:
    """Rows and columns added around an image."""
    name = "pad_param" if setup.param.HasField("pad_param") else "padding_param"
    param, bottom = getattr(setup.param, name), setup.bottom
    if param.paddings:
        check(len(param.paddings) == 2 * len(bottom), "two paddings are needed for each axis")
        pairs = zip(param.paddings[::2], param.paddings[1::2], strict=True)
        return [tuple(size + sum(pair) for size, pair in zip(bottom, pairs, strict=True))]
    four_axes(bottom)
    high = param.pad_t + param.pad_b or 2 * (param.pad_h or param.pad)
    wide = param.pad_l + param.pad_r or 2 * (param.pad_w or param.pad)
    ends = param.pad_beg + param.pad_end
    return [(*bottom[:2], bottom[2] + (high or ends), bottom[3] + (wide or ends))]


@layer_type("CropCenter", "CenterCrop", bottoms=(1, 2), fork=True)
def crop_center(setup: Setup) -> list[Shape]:
    """The middle of an image, of a given size or that of the second bottom."""
    param, bottom = setup.param.crop_center_param, four_axes(setup.bottom)
    if len(setup.bottoms) == 2:
        sizes = four_axes(setup.bottoms[1])[2:]
    else:
        sizes = (
            param.crop_h or param.height or param.crop_size,
            param.crop_w or param.width or param.crop_size,
        )
    if not all(sizes):
        raise UnknownShape("the size of the crop must be given")
    check(sizes[0] <= bottom[2] and sizes[1] <= bottom[3], "the crop is larger than the image")
    return [(*bottom[:2], *sizes)]


@layer_type("Reorg", fork=True)
def reorg(setup: Setup) -> list[Shape]:
    """Blocks of stride x stride pixels become channels, or the reverse."""
    param = setup.param.reorg_param
    return [_blocks(setup.bottom, param.stride, outwards=param.reverse)]


@layer_type("SpaceToDepth", fork=True)
def space_to_depth(setup: Setup) -> list[Shape]:
    """Blocks of pixels become channels."""
    return [_blocks(setup.bottom, setup.param.space_to_depth_param.block_size, outwards=False)]


@layer_type("DepthToSpace", "PixelShuffle", "PixelShuffler", fork=True)
def depth_to_space(setup: Setup) -> list[Shape]:
    """Channels become blocks of pixels."""
    shuffle: Any = setup.param.pixel_shuffle_param
    if not setup.param.HasField("pixel_shuffle_param"):
        shuffle = setup.param.depth_to_space_param
    return [_blocks(setup.bottom, shuffle.upscale_factor or shuffle.block_size, outwards=True)]


def _blocks(bottom: Shape, stride: int, *, outwards: bool) -> Shape:
    number, channels, height, width = four_axes(bottom)
    check(stride > 0, "stride must be positive")
    if outwards:
        check(channels % stride**2 == 0, f"{channels} channels do not divide by {stride}^2")
        return (number, channels // stride**2, height * stride, width * stride)
    check(
        height % stride == 0 and width % stride == 0,
        f"{height}x{width} does not divide by the stride {stride}",
    )
    return (number, channels * stride**2, height // stride, width // stride)


@layer_type("SpatialTransformer", bottoms=(2, 2), fork=True)
def spatial_transformer(setup: Setup) -> list[Shape]:
    """An image sampled at transformed places, four products an output."""
    param, bottom = setup.param.st_param, four_axes(setup.bottom)
    top = (*bottom[:2], param.output_H or bottom[2], param.output_W or bottom[3])
    setup.macs = 4 * count(top)
    return [top]


@layer_type("FlowWarp", "Warp", bottoms=(2, 2), fork=True)
def flow_warp(setup: Setup) -> list[Shape]:
    """An image sampled at displaced places, four products an output."""
    setup.macs = 4 * count(setup.bottom)
    return [setup.bottom]


@layer_type("Correlation", "Correlation1D", bottoms=(2, 2), fork=True)
def correlation(setup: Setup) -> list[Shape]:
    """FlowNet: products of the patches of two images for each displacement, a channel each."""
    param, bottom = setup.param.correlation_param, four_axes(setup.bottom)
    check(setup.bottoms[0] == setup.bottoms[1], "both bottoms must have one shape")
    check(param.kernel_size % 2 == 1 and param.stride_1 > 0 and param.stride_2 > 0,
          "an odd kernel_size and positive strides are needed")  # fmt: skip
    radius = param.kernel_size // 2
    border = param.max_displacement + radius
    steps = param.max_displacement // param.stride_2
    flat = setup.type == "Correlation1D"
    one_way = flat and param.single_direction != 0
    displacements = (steps if one_way else 2 * steps) + 1
    high = bottom[2] + 2 * param.pad - 2 * (radius if flat else border)
    if flat:
        high = bottom[2] - 2 * radius
    wide = bottom[3] + 2 * param.pad - 2 * border
    check(high > 0 and wide > 0, "the images are too small for the displacements")
    channels = displacements if flat else displacements**2
    top = (bottom[0], channels, -(-high // param.stride_1), -(-wide // param.stride_1))
    setup.macs = count(top) * param.kernel_size**2 * bottom[1]
    return [top]


@dataclass(frozen=True, slots=True)
class Resize(Operation):
    """An image of other sizes: copied pixels, or, ``smooth``, bilinear with the corners kept."""

    smooth: bool


@dataclass(frozen=True, slots=True)
class Unpool(Operation):
    """Values at the places that the second input names (in their channel), zeros elsewhere."""

    @property
    def whole_numbers(self) -> Mapping[int, int]:
        """The places."""
        return {1: math.prod(self.top[2:])}


@dataclass(frozen=True, slots=True)
class Blocks(Operation):
    """Blocks of ``size`` x ``size`` pixels as channels, or ``outwards`` channels as blocks.

    The block's place is the slowest part of the channel's number, or, ``fine``, the fastest.
    """

    size: int
    outwards: bool
    fine: bool

    @property
    def parts(self) -> tuple[Shape, tuple[int, ...]]:
        """The input with the block's axes apart, and the order that makes the output of them."""
        (number, channels, height, width), s = self.bottom, self.size
        if not self.outwards:
            return (number, channels, height // s, s, width // s, s), (0, 3, 5, 1, 2, 4)
        if self.fine:
            return (number, channels // s**2, s, s, height, width), (0, 1, 4, 2, 5, 3)
        return (number, s, s, channels // s**2, height, width), (0, 3, 4, 1, 5, 2)


@operation("Interp")
def interp_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """Bilinear, corners kept."""
    options = param.interp_param
    check(not options.pad_beg and not options.pad_end, "padding has no form")
    return Resize(layer, smooth=True)


@operation("ResizeNearestNeighbor", "NearestUpsample", "NNUpsample", "UpsampleDarknet")
def nearest_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """Copied pixels."""
    return Resize(layer, smooth=False)


@operation("Upsample", "Upsampling", "UpSample", "Unpooling", "UnPooling", "MaxUnpooling")
def upsample_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """Copied pixels, or with a mask values at their places."""
    if len(layer.bottoms) == 1:
        check("npool" not in layer.type, "an unpooling without a mask has no form")
        return Resize(layer, smooth=False)
    check(layer.bottoms[0] == layer.bottoms[1], "the mask must have the shape of the input")
    return Unpool(layer)


@operation("Reorg", "SpaceToDepth")
def reorg_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """As Darknet's: the block's place is the slowest part of the channel's number."""
    outwards = layer.type == "Reorg" and param.reorg_param.reverse
    small = layer.tops[0] if outwards else layer.bottoms[0]
    large = layer.bottoms[0] if outwards else layer.tops[0]
    return Blocks(layer, small[2] // large[2], outwards, fine=False)


@operation("DepthToSpace", "PixelShuffle", "PixelShuffler")
def depth_to_space_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """PixelShuffle has the block's place as the fastest part (Shi et al. 2016)."""
    size = layer.tops[0][2] // layer.bottoms[0][2]
    return Blocks(layer, size, outwards=True, fine=layer.type != "DepthToSpace")


@operation("CropCenter", "CenterCrop")
def crop_center_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """The middle, rounded towards the start."""
    pairs = zip(layer.bottoms[0], layer.tops[0], strict=True)
    return Crop(layer, tuple(((a - b) // 2, (a - b) // 2 + b) for a, b in pairs))
