"""Layer types of well-known forks: detection, segmentation, YOLO, SENet, ShuffleNet.

Sources: py-faster-rcnn and R-FCN (ROIPooling, PSROIPooling, Proposal), SSD (Permute, Normalize,
PriorBox, DetectionOutput), DeepLab and PSPNet (Interp, BN), ENet and SegNet (Upsample, BN), YOLO
ports (Reorg, Upsample), SENet (Axpy), MobileNet and ShuffleNet ports (ReLU6, ShuffleChannel).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from neuralpower.caffe.layers.neurons import Clip
from neuralpower.caffe.operation import LayerFacts, Operation, operation
from neuralpower.caffe.registry import Setup, UnknownShape, layer_type
from neuralpower.caffe.shapes import Shape, check, count, dim, shape_text


def _four(shape: Shape) -> Shape:
    check(len(shape) == 4, f"4 axes are needed, not {shape_text(shape)}")
    return shape


@layer_type("ROIPooling", bottoms=(2, 2), fork=True)
def roi_pooling(setup: Setup) -> list[Shape]:
    """[regions, channels, pooled_h, pooled_w]."""
    param, (bottom, regions) = setup.param.roi_pooling_param, setup.bottoms
    check(param.pooled_h > 0 and param.pooled_w > 0, "pooled_h and pooled_w must be positive")
    return [(dim(regions, 0), _four(bottom)[1], param.pooled_h, param.pooled_w)]


@layer_type("PSROIPooling", bottoms=(2, 2), fork=True)
def psroi_pooling(setup: Setup) -> list[Shape]:
    """[regions, output_dim, group_size, group_size]."""
    param, (bottom, regions) = setup.param.psroi_pooling_param, setup.bottoms
    check(param.output_dim > 0 and param.group_size > 0, "output_dim and group_size are needed")
    needed = param.output_dim * param.group_size**2
    setup.expect(_four(bottom)[1] == needed, f"{needed} channels are needed, not {bottom[1]}")
    return [(dim(regions, 0), param.output_dim, param.group_size, param.group_size)]


@layer_type("Proposal", bottoms=(3, 4), tops=(1, 2), fork=True, given=True)
def proposal(setup: Setup) -> list[Shape]:
    """At most ``post_nms_topn`` regions of 5 numbers, and perhaps their scores."""
    regions = setup.param.proposal_param.post_nms_topn
    tops: list[Shape] = [(regions, 5), (regions, 1)]
    return tops[: setup.n_tops]


@layer_type("Permute", fork=True)
def permute(setup: Setup) -> list[Shape]:
    """Axes in a new order; those not named follow."""
    order, axes = list(setup.param.permute_param.order), len(setup.bottom)
    check(len(set(order)) == len(order), f"an axis stands twice in the order {order[:20]}")
    check(all(axis < axes for axis in order), f"the order {order[:20]} names more than {axes} axes")
    order += [axis for axis in range(axes) if axis not in order]
    return [tuple(setup.bottom[axis] for axis in order)]


@layer_type("Normalize", fork=True)
def normalize(setup: Setup) -> list[Shape]:
    """Division by the norm and a learnt scale, one a channel or one for all."""
    bottom = setup.bottom
    shared = setup.param.norm_param.channel_shared
    setup.params = [() if shared else (dim(bottom, 1),)]
    setup.macs = 2 * count(bottom)
    return [bottom]


@layer_type("PriorBox", bottoms=(2, 2), fork=True)
def prior_box(setup: Setup) -> list[Shape]:
    """[1, 2, height * width * priors * 4]: boxes and variances."""
    param, (bottom, image) = setup.param.prior_box_param, setup.bottoms
    _four(bottom)
    _four(image)
    check(len(param.min_size) > 0, "min_size must be given")
    maxima = len(param.max_size)
    check(maxima in (0, len(param.min_size)), "max_size must be given once a min_size")
    ratios = _ratio_count(param.aspect_ratio, param.flip)
    priors = len(param.min_size) * ratios + maxima
    return [(1, 2, bottom[2] * bottom[3] * priors * 4)]


def _ratio_count(values: list[float], flip: bool) -> int:
    """Different aspect ratios, 1 included, each with its inverse where ``flip`` asks for it."""
    check(len(values) <= 1000, f"{len(values)} aspect ratios: at most 1000 are read")
    ratios = [1.0]
    for value in values:
        if any(abs(value - known) < 1e-6 for known in ratios):
            continue
        check(value > 0, "aspect ratios must be positive")
        ratios.append(value)
        if flip:
            ratios.append(1.0 / value)
    return len(ratios)


@layer_type("DetectionOutput", bottoms=(3, 5), fork=True)
def detection_output(setup: Setup) -> list[Shape]:
    """[1, 1, boxes, 7]; one box until data are known."""
    setup.notes.append("the number of boxes depends on the data")
    return [(1, 1, 1, 7)]


@layer_type("Interp", bottoms=(1, 2), fork=True)
def interp(setup: Setup) -> list[Shape]:
    """Bilinear resizing to given sizes, by factors, or to the sizes of a second bottom."""
    param, bottom = setup.param.interp_param, _four(setup.bottom)
    height = bottom[2] + param.pad_beg + param.pad_end
    width = bottom[3] + param.pad_beg + param.pad_end
    shrink, zoom = param.shrink_factor, param.zoom_factor
    check(shrink >= 1 and zoom >= 1, "factors must be positive")
    if len(setup.bottoms) == 2:
        height, width = _four(setup.bottoms[1])[2:]
    elif param.height > 0 and param.width > 0:
        height, width = param.height, param.width
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


@layer_type("Upsample", bottoms=(1, 2), fork=True)
def upsample(setup: Setup) -> list[Shape]:
    """Larger by a factor, or to given sizes; a second bottom is the mask of a max pooling."""
    param, bottom = setup.param.upsample_param, _four(setup.bottom)
    height = param.upsample_h or param.height
    width = param.upsample_w or param.width
    if not (height and width):
        scale_h = param.scale_h or param.scale
        scale_w = param.scale_w or param.scale
        height = bottom[2] * scale_h - param.pad_out_h
        width = bottom[3] * scale_w - param.pad_out_w
    check(height > 0 and width > 0, "the output sizes must be positive")
    return [(bottom[0], bottom[1], height, width)]


@layer_type("Reorg", fork=True)
def reorg(setup: Setup) -> list[Shape]:
    """Blocks of stride x stride pixels become channels, or the reverse."""
    param, bottom = setup.param.reorg_param, _four(setup.bottom)
    stride, (number, channels, height, width) = param.stride, bottom
    check(stride > 0, "stride must be positive")
    if param.reverse:
        check(channels % stride**2 == 0, f"{channels} channels do not divide by {stride}^2")
        return [(number, channels // stride**2, height * stride, width * stride)]
    check(
        height % stride == 0 and width % stride == 0,
        f"{height}x{width} does not divide by the stride {stride}",
    )
    return [(number, channels * stride**2, height // stride, width // stride)]


@layer_type("ShuffleChannel", fork=True)
def shuffle_channel(setup: Setup) -> list[Shape]:
    """Channels of the groups interleaved."""
    group = setup.param.shuffle_channel_param.group
    channels = dim(setup.bottom, 1)
    check(group > 0 and channels % group == 0, f"{channels} channels do not divide into {group}")
    return [setup.bottom]


@layer_type("Axpy", bottoms=(3, 3), fork=True)
def axpy(setup: Setup) -> list[Shape]:
    """A channel's factor times the second bottom, plus the third."""
    factor, scaled, added = setup.bottoms
    check(factor[:2] == scaled[:2], f"{shape_text(factor)} is not one number a channel")
    check(all(size == 1 for size in factor[2:]), f"{shape_text(factor)} has spatial sizes")
    check(scaled == added, f"{shape_text(scaled)} and {shape_text(added)} differ")
    setup.macs = count(scaled)
    return [scaled]


@layer_type("BN", fork=True)
def bn(setup: Setup) -> list[Shape]:
    """Normalising, scale and shift in one: slope, bias, mean and variance, [1, C, 1, 1] each.

    SegNet's form is told by its ``scale_filler`` or ``bn_mode``: two blobs, scale and shift.
    """
    param, channels = setup.param.bn_param, dim(setup.bottom, 1)
    segnet = any(param.HasField(name) for name in ("scale_filler", "shift_filler", "bn_mode"))
    setup.params = [(1, channels, 1, 1)] * (2 if segnet else 4)
    setup.macs = count(setup.bottom)
    return [setup.bottom]


@layer_type("ReLU6", fork=True)
def relu6(setup: Setup) -> list[Shape]:
    """The shape of the bottom."""
    return [setup.bottom]


@dataclass(frozen=True, slots=True)
class Permute(Operation):
    """The axes in another order."""

    order: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ShuffleChannel(Operation):
    """The channels of ``groups`` groups interleaved."""

    groups: int


@dataclass(frozen=True, slots=True)
class Axpy(Operation):
    """The first input (a factor a channel) times the second, plus the third."""


@dataclass(frozen=True, slots=True)
class Normalize(Operation):
    """x over its euclidean norm over ``axes``, times its parameter (one a channel, or one)."""

    axes: tuple[int, ...]
    eps: float


@operation("Permute")
def permute_operation(layer: LayerFacts, param: Any) -> Operation:
    """Axes that are not named follow in their old order."""
    order = tuple(param.permute_param.order)
    rest = (axis for axis in range(len(layer.bottoms[0])) if axis not in order)
    return Permute(layer, (*order, *rest))


@operation("ShuffleChannel")
def shuffle_channel_operation(layer: LayerFacts, param: Any) -> Operation:
    """The groups."""
    return ShuffleChannel(layer, param.shuffle_channel_param.group)


@operation("Axpy")
def axpy_operation(layer: LayerFacts, param: Any) -> Operation:
    """It has no parameters."""
    return Axpy(layer)


@operation("Normalize", kinds="gain")
def normalize_operation(layer: LayerFacts, param: Any) -> Operation:
    """Across the channels, or all of an image."""
    options = param.norm_param
    axes = tuple(range(1, len(layer.bottoms[0]))) if options.across_spatial else (1,)
    return Normalize(layer, axes, options.eps)


@operation("ReLU6")
def relu6_operation(layer: LayerFacts, param: Any) -> Operation:
    """Between 0 and 6."""
    return Clip(layer, 0.0, 6.0)
