"""Other layer types of well-known forks: normalising, moving axes, adding with broadcast.

Sources: SSD and NormFace (Normalize, Permute), ENet, SegNet and PSPNet (BN), SENet (Axpy),
ShuffleNet ports (ShuffleChannel), CTPN (Transpose, Reverse), FlowNet (ChannelNorm), AM-Softmax
(LabelSpecificAdd), GroupNorm of several.
"""

from __future__ import annotations

from dataclasses import dataclass

from neuralpower.caffe.caffe_pb2 import GroupNormParameter, LayerParameter
from neuralpower.caffe.layers.arrangement import Reshape
from neuralpower.caffe.layers.normalisation import BatchNorm, Scale
from neuralpower.caffe.operation import LayerFacts, Operation, operation
from neuralpower.caffe.registry import Setup, layer_type
from neuralpower.caffe.shapes import (
    Shape,
    axis_index,
    check,
    check_blob,
    count,
    dim,
    shape_text,
)


@layer_type("Permute", fork=True)
def permute(setup: Setup) -> list[Shape]:
    """Axes in a new order; those not named follow."""
    order, axes = list(setup.param.permute_param.order), len(setup.bottom)
    check(len(set(order)) == len(order), f"an axis is given twice in the order {order[:20]}")
    check(all(axis < axes for axis in order), f"the order {order[:20]} names more than {axes} axes")
    order += [axis for axis in range(axes) if axis not in order]
    return [tuple(setup.bottom[axis] for axis in order)]


@layer_type("Transpose", fork=True)
def transpose(setup: Setup) -> list[Shape]:
    """All axes in a new order."""
    order, axes = list(setup.param.transpose_param.dim), len(setup.bottom)
    check(sorted(order) == list(range(axes)), f"dim {order[:20]} is no order of {axes} axes")
    return [tuple(setup.bottom[axis] for axis in order)]


@layer_type("Squeeze", fork=True, free=True)
def squeeze(setup: Setup) -> list[Shape]:
    """Axes of size 1 dropped: those named, else all."""
    param, bottom = setup.param.squeeze_param, setup.bottom
    named = {axis_index(bottom, axis) for axis in (*param.axis, *param.dim, *param.axes)}
    dropped = named or {axis for axis, size in enumerate(bottom) if size == 1}
    check(all(bottom[axis] == 1 for axis in dropped), "only axes of size 1 can be dropped")
    return [tuple(size for axis, size in enumerate(bottom) if axis not in dropped)]


@layer_type("ExpandDims", "Unsqueeze", fork=True, free=True)
def expand_dims(setup: Setup) -> list[Shape]:
    """Axes of size 1 put in, at their places in the result."""
    name = "expand_dims_param" if setup.type == "ExpandDims" else "unsqueeze_param"
    param = getattr(setup.param, name)
    named = [*param.axis, *param.dim, *param.axes] or [0]
    check(len(named) <= 8, "at most 8 axes are put in")
    top = list(setup.bottom)
    for axis in sorted(named):
        check(-len(top) - 1 <= axis <= len(top), f"axis {axis} is out of range")
        top.insert(axis if axis >= 0 else len(top) + 1 + axis, 1)
    return [check_blob(top, setup.limit)]


@layer_type("Stack", bottoms=(1, None), fork=True)
def stack(setup: Setup) -> list[Shape]:
    """Blobs of one shape along a new axis."""
    axis, shape = setup.param.stack_param.axis, setup.bottom
    check(len(set(setup.bottoms)) == 1, "all bottoms must have one shape")
    check(0 <= axis <= len(shape), f"axis {axis} is out of range")
    return [(*shape[:axis], len(setup.bottoms), *shape[axis:])]


@layer_type("Normalize", tops=(1, 2), fork=True)
def normalize(setup: Setup) -> list[Shape]:
    """Division by the norm: SSD's learns a scale, for each channel or for all; NormFace's nothing.

    Vectors (two axes) without a block of either are NormFace's.
    """
    bottom = setup.bottom
    ssd = setup.param.HasField("norm_param")
    plain = setup.param.HasField("normalize_param") or len(bottom) == 2
    if ssd or not plain:
        shared = setup.param.norm_param.channel_shared
        setup.params = [() if shared else (dim(bottom, 1),)]
    setup.macs = (2 if setup.params else 1) * count(bottom)
    return [bottom, (*bottom[:1], 1, *bottom[2:])][: setup.n_tops]


@layer_type("L2Normalization", "L2Norm", "L2Normalize", "Normalization", fork=True)
def l2_normalization(setup: Setup) -> list[Shape]:
    """Division by the norm; nothing to learn."""
    setup.macs = count(setup.bottom)
    return [setup.bottom]


@layer_type("GroupNorm", "GN", "GroupNormalization", fork=True)
def group_norm(setup: Setup) -> list[Shape]:
    """Mean and variance of groups of channels; scale and shift are a Scale layer after it."""
    groups = _groups(_group_norm_param(setup.param))
    channels = dim(setup.bottom, 1)
    setup.expect(groups > 0 and channels % groups == 0, f"{channels} channels in {groups} groups")
    setup.macs = count(setup.bottom)
    return [setup.bottom]


@dataclass(frozen=True, slots=True)
class GroupNorm(Operation):
    """(x - mean) / sqrt(variance + eps) of each group of channels of an image (Wu and He 2018)."""

    groups: int
    eps: float


@operation("GroupNorm", "GN", "GroupNormalization")
def group_norm_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """Forks name the number of groups in their own ways."""
    options = _group_norm_param(param)
    return GroupNorm(layer, _groups(options), options.eps)


def _group_norm_param(param: LayerParameter) -> GroupNormParameter:
    return param.group_norm_param if param.HasField("group_norm_param") else param.gn_param


def _groups(options: GroupNormParameter) -> int:
    return int(options.num_groups or options.group or options.group_num)


@layer_type("BN", tops=(1, 5), fork=True)
def bn(setup: Setup) -> list[Shape]:
    """Normalising, scale and shift in one: slope, bias, mean and variance, [1, C, 1, 1] each.

    SegNet's form is known by its ``scale_filler`` or ``bn_mode``: two blobs, scale and shift.
    """
    param, channels = setup.param.bn_param, dim(setup.bottom, 1)
    segnet = any(param.HasField(name) for name in ("scale_filler", "shift_filler", "bn_mode"))
    setup.params = [(1, channels, 1, 1)] * (2 if segnet else 4)
    setup.macs = count(setup.bottom)
    return [setup.bottom, *[(1, channels, 1, 1)] * (setup.n_tops - 1)]


@layer_type("BatchRenorm", "SyncBN", "SyncBatchNorm", fork=True)
def batch_renorm(setup: Setup) -> list[Shape]:
    """As BatchNorm: mean and variance, and their factor."""
    channels = dim(setup.bottom, 1)
    setup.params = [(channels,), (channels,), (1,)]
    setup.macs = count(setup.bottom)
    return [setup.bottom]


@layer_type("ChannelNorm", fork=True)
def channel_norm(setup: Setup) -> list[Shape]:
    """FlowNet: the norm over the channels of each pixel."""
    bottom = setup.bottom
    check(len(bottom) >= 2, "at least 2 axes are needed")
    setup.macs = count(bottom)
    return [(bottom[0], 1, *bottom[2:])]


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
    check(factor[:2] == scaled[:2], f"{shape_text(factor)} is not one number per channel")
    check(all(size == 1 for size in factor[2:]), f"{shape_text(factor)} has spatial sizes")
    check(scaled == added, f"{shape_text(scaled)} and {shape_text(added)} differ")
    setup.macs = count(scaled)
    return [scaled]


@layer_type("Add", "Sub", "Mul", "Div", "Maximum", "Minimum", "BroadcastAdd", "BroadcastMul",
            "BroadcastSub", "BroadcastDiv", bottoms=(1, None), fork=True)  # fmt: skip
def broadcast(setup: Setup) -> list[Shape]:
    """Elements of blobs added, multiplied and so on; axes of size 1 are repeated."""
    axes = max(map(len, setup.bottoms))
    top = [1] * axes
    for shape in setup.bottoms:
        for axis, size in enumerate((*(1,) * (axes - len(shape)), *shape)):
            check(size in (1, top[axis]) or top[axis] == 1, "the bottoms do not fit together")
            top[axis] = size if top[axis] == 1 else top[axis]
    if setup.type.endswith("Mul"):
        setup.macs = max(len(setup.bottoms) - 1, 1) * count(tuple(top))
    return [check_blob(top, setup.limit)]


@layer_type("ChannelwiseScale", "ChannelScale", "SpatialScale", "Attention", bottoms=(2, 2),
            fork=True)  # fmt: skip
def given_scale(setup: Setup) -> list[Shape]:
    """The first bottom (the larger one) times the other."""
    top = max(setup.bottoms, key=count)
    setup.macs = count(top)
    return [top]


@layer_type("LabelSpecificAdd", "LabelSpecificMargin", "LabelSpecificRescale", "CosinAdd",
            "CosineAdd", "ArcFace", bottoms=(1, 3), tops=(1, 2), fork=True)  # fmt: skip
def label_specific(setup: Setup) -> list[Shape]:
    """AM-Softmax and its like: a margin on the score of the label."""
    return [setup.bottom, (1,)][: setup.n_tops]


@layer_type("DenseCRF", "MultiStageMeanfield", "DomainTransform", bottoms=(1, None), fork=True)
def refined(setup: Setup) -> list[Shape]:
    """DeepLab and CRF-as-RNN: scores made smoother by the image; the work is not counted."""
    setup.notes.append("the work of its filters is not counted")
    return [setup.bottom]


@dataclass(frozen=True, slots=True)
class Permute(Operation):
    """The axes in another order."""

    order: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ShuffleChannel(Operation):
    """The channels of ``groups`` groups interleaved."""

    groups: int


class Axpy(Operation):
    """The first input (a factor a channel) times the second, plus the third."""


@dataclass(frozen=True, slots=True)
class Normalize(Operation):
    """x over its euclidean norm over ``axes``, times its parameter if it has one (or one each)."""

    axes: tuple[int, ...]
    eps: float


@operation("Permute")
def permute_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """Axes that are not named follow in their old order."""
    order = tuple(param.permute_param.order)
    rest = (axis for axis in range(len(layer.bottoms[0])) if axis not in order)
    return Permute(layer, (*order, *rest))


@operation("ShuffleChannel")
def shuffle_channel_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """The groups."""
    return ShuffleChannel(layer, param.shuffle_channel_param.group)


@operation("Axpy")
def axpy_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """It has no parameters."""
    return Axpy(layer)


@operation("L2Normalization", "L2Norm", "L2Normalize", "Normalization")
def l2_normalization_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """Across the channels."""
    return Normalize(layer, (1,), 1e-10)


@operation("Transpose")
def transpose_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """All axes in their new order."""
    return Permute(layer, tuple(param.transpose_param.dim))


@operation("Squeeze", "ExpandDims", "Unsqueeze")
def axes_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """Another view of the same elements."""
    return Reshape(layer)


@operation("BN", kinds="gain bias mean variance")
def bn_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """SegNet's two parameters are what is left at inference: a factor and a summand."""
    options = param.bn_param
    check(len(layer.tops) == 1, "its other outputs have no form")
    if len(layer.weights) == 2:
        return Scale(layer, 1, (layer.bottoms[0][1],), True)
    return BatchNorm(layer, True, options.eps)


@operation("Normalize", kinds="gain")
def normalize_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """Across the channels, or all of an image."""
    options = param.norm_param
    check(len(layer.tops) == 1, "its other output has no form")
    if not layer.weights:
        return Normalize(layer, (1,), options.eps)
    axes = tuple(range(1, len(layer.bottoms[0]))) if options.across_spatial else (1,)
    return Normalize(layer, axes, options.eps)
