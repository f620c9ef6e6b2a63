"""Layers of detectors: regions, priors, boxes.

Sources: py-faster-rcnn and R-FCN (ROIPooling, PSROIPooling, Proposal), SSD (PriorBox,
DetectionOutput, DetectionEvaluate, MultiBoxLoss), TextBoxes++ (denser priors), FaceBoxes and
OpenVINO (densified priors), OpenCV (lists of offsets), MS-CNN and Cascade R-CNN (BoxOutput,
BoxGroupOutput, DecodeBBox, ProposalTarget). How many boxes there are depends on the data: shapes
are those of the set-up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from neuralpower.caffe.caffe_pb2 import (
    ClassesParameter,
    DetectionOutputParameter,
    LayerParameter,
    PriorBoxParameter,
)
from neuralpower.caffe.operation import LayerFacts, Operation, operation
from neuralpower.caffe.registry import Setup, layer_type
from neuralpower.caffe.shapes import SCALAR, Shape, check, count, dim, four_axes

_BOX = 4
#: A polygon of TextBoxes++: a box and four corners.
_POLYGON = 12


@layer_type("ROIPooling", "ROIAlign", "RoIAlign", "ROIAlignment", bottoms=(2, 3), fork=True)
def roi_pooling(setup: Setup) -> list[Shape]:
    """[regions, channels, pooled_h, pooled_w]; aligned ones interpolate between four pixels."""
    aligned = setup.type != "ROIPooling"
    param = setup.param.roi_align_param if aligned else setup.param.roi_pooling_param
    if aligned and not setup.param.HasField("roi_align_param"):
        param = setup.param.roi_pooling_param
    bottom, regions = setup.bottoms[:2]
    check(param.pooled_h > 0 and param.pooled_w > 0, "pooled_h and pooled_w must be positive")
    top = (dim(regions, 0), four_axes(bottom)[1], param.pooled_h, param.pooled_w)
    if aligned:
        setup.macs = 4 * count(top)
    return [top]


@layer_type("PSROIPooling", "PSROIAlign", bottoms=(2, 3), fork=True)
def psroi_pooling(setup: Setup) -> list[Shape]:
    """[regions, output_dim, group_size, group_size]."""
    param, (bottom, regions) = setup.param.psroi_pooling_param, setup.bottoms[:2]
    check(param.output_dim > 0 and param.group_size > 0, "output_dim and group_size are needed")
    needed = param.output_dim * param.group_size**2
    setup.expect(four_axes(bottom)[1] == needed, f"{needed} channels are needed, not {bottom[1]}")
    return [(dim(regions, 0), param.output_dim, param.group_size, param.group_size)]


@layer_type("Proposal", bottoms=(3, 4), tops=(1, 2), fork=True, given=True)
def proposal(setup: Setup) -> list[Shape]:
    """At most ``post_nms_topn`` regions of 5 numbers, and perhaps their scores."""
    regions = setup.param.proposal_param.post_nms_topn
    tops: list[Shape] = [(regions, 5), (regions, 1)]
    return tops[: setup.n_tops]


@layer_type("BoxOutput", "BoxGroupOutput", "FrcnnOutput", bottoms=(1, None), tops=(1, 2), fork=True,
            given=True)  # fmt: skip
def box_output(setup: Setup) -> list[Shape]:
    """Regions, and perhaps regions with scores; one until data are known."""
    setup.notes.append("the number of boxes depends on the data")
    tops: list[Shape] = [(1, 5, 1, 1), (1, 6, 1, 1)]
    return tops[: setup.n_tops]


@layer_type("DecodeBBox", bottoms=(2, 3), fork=True, given=True)
def decode_bbox(setup: Setup) -> list[Shape]:
    """The regions of the second bottom, moved."""
    return [setup.bottoms[1]]


@layer_type("ProposalTarget", bottoms=(2, None), tops=(1, 7), fork=True, given=True)
def proposal_target(setup: Setup) -> list[Shape]:
    """Sampled regions, labels, three times the targets, matched boxes, weights."""
    param = setup.param.proposal_target_param
    regions = param.batch_size if param.batch_size > 0 else max(dim(setup.bottom, 0), 1)
    targets = 4 * param.cls_num if setup.param.bbox_reg_param.cls_aware else 8
    widths = (5, 1, targets, targets, targets, 6, 1)
    return [(regions, width, 1, 1) for width in widths[: setup.n_tops]]


@layer_type("PriorBox", bottoms=(1, 2), fork=True)
def prior_box(setup: Setup) -> list[Shape]:
    """[1, 2, height * width * priors * 4]: boxes and variances."""
    param, bottom = setup.param.prior_box_param, four_axes(setup.bottom)
    for image in setup.bottoms[1:]:
        four_axes(image)
    return [(1, 2, bottom[2] * bottom[3] * _priors(param) * _BOX)]


def _priors(param: PriorBoxParameter) -> int:
    """Priors a place, in SSD's way and in those of the forks that densify them."""
    ratios = _ratio_count(param.aspect_ratio, param.flip)
    least, most = len(param.min_size), len(param.max_size)
    if param.box_width:
        number = len(param.box_width)
    elif param.fixed_size:
        number = ratios * len(param.fixed_size)
    else:
        check(least > 0, "min_size must be given")
        check(most in (0, least), "max_size must be given once a min_size")
        number = (ratios * least if param.scale_all_sizes else ratios + least - 1) + most
        if param.faceboxes and least == 3:
            # 4 x 4 anchors of 32 pixels, 2 x 2 of 64, one of 128.
            number = 21 + most
    for density in param.density:
        check(0 < density < 1000, "densities must be positive")
        number += (len(param.fixed_ratio) or ratios) * (int(density) ** 2 - 1)
    if param.denser_prior_boxes:
        number *= 2
    return number * _shifts(param)


def _shifts(param: PriorBoxParameter) -> int:
    """How many times lists of offsets repeat each prior."""
    if param.offset_h or param.offset_w:
        check(len(param.offset_h) == len(param.offset_w), "offset_h and offset_w go in pairs")
        return max(1, 2 * (len(param.offset_h) - 1))
    return max(1, len(param.offset))


def _ratio_count(values: Sequence[float], flip: bool) -> int:
    return len(_ratios(values, flip))


def _ratios(values: Sequence[float], flip: bool) -> list[float]:
    """Different aspect ratios, 1 first, each with its inverse where ``flip`` asks for it."""
    check(len(values) <= 1000, f"{len(values)} aspect ratios: at most 1000 are read")
    ratios = [1.0]
    for value in values:
        if any(abs(value - known) < 1e-6 for known in ratios):
            continue
        check(value > 0, "aspect ratios must be positive")
        ratios.append(value)
        if flip:
            ratios.append(1.0 / value)
    return ratios


@layer_type("DetectionOutput", "Yolov3DetectionOutput", "YoloDetectionOutput",
            "RegionDetectionOutput", bottoms=(1, 6), fork=True)  # fmt: skip
def detection_output(setup: Setup) -> list[Shape]:
    """[1, 1, boxes, 7]; one box until data are known."""
    if setup.type == "DetectionOutput":
        check(len(setup.bottoms) >= 3, "locations, confidences and priors are needed")
        _check_priors(setup, setup.param.detection_output_param)
    setup.notes.append("the number of boxes depends on the data")
    return [(1, 1, 1, 7)]


@layer_type("DetectionEvaluate", bottoms=(2, 2), fork=True)
def detection_evaluate(setup: Setup) -> list[Shape]:
    """[1, 1, rows, 5]: a row per class but the background and per detection (one at set-up)."""
    param = setup.param.detection_evaluate_param
    check(param.num_classes > 0, "num_classes must be given")
    return [(1, 1, param.num_classes, 5)]


@layer_type("MultiBoxLoss", bottoms=(4, None), auto_top=True, scalar_top=True, fork=True)
def multi_box_loss(setup: Setup) -> list[Shape]:
    """A number."""
    _check_priors(setup, setup.param.multibox_loss_param)
    return [SCALAR]


def _check_priors(setup: Setup, param: ClassesParameter | DetectionOutputParameter) -> None:
    """SSD's own check: as many locations and confidences as priors, else a fork makes others."""
    location, confidence, priors = setup.bottoms[:3]
    if len(priors) != 3 or len(location) < 2 or len(confidence) < 2:
        return
    number = priors[2] // _BOX
    polygon = getattr(param, "use_polygon", False)
    for what, shape, each in (
        ("locations", location, (_POLYGON if polygon else _BOX)
         * (1 if param.share_location else param.num_classes)),
        ("confidences", confidence, param.num_classes),
    ):  # fmt: skip
        found = count(shape, 1)
        if number * each != found:
            setup.doubts.append(f"{number} priors need {number * each} {what}, not {found}")


@dataclass(frozen=True, slots=True)
class Priors(Operation):
    """Boxes around each place of the first input, and their variances: no value of it is read.

    ``shapes``: the (width, height) of the boxes at a place, over the image's; ``shifts``: their
    centres, in steps from the place's corner; ``step`` is (width, height), over the image's.
    """

    shapes: tuple[tuple[float, float], ...]
    shifts: tuple[tuple[float, float], ...]
    step: tuple[float, float]
    clip: bool
    variances: tuple[float, ...]

    def boxes(self) -> list[list[float]]:
        """Corners [x0, y0, x1, y1] of all boxes, row by row, as in Caffe's order."""
        found = []
        for row in range(self.bottom[2]):
            for column in range(self.bottom[3]):
                for (wide, tall), (right, down) in zip(self.shapes, self.shifts, strict=True):
                    x, y = (column + right) * self.step[0], (row + down) * self.step[1]
                    box = [x - wide / 2, y - tall / 2, x + wide / 2, y + tall / 2]
                    found.append([min(max(v, 0.0), 1.0) for v in box] if self.clip else box)
        return found


@operation("PriorBox")
def prior_box_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """SSD's boxes, and those of TextBoxes++ half a step lower; other forks' are refused."""
    options = param.prior_box_param
    ours = not (options.box_width or options.fixed_size or options.density or options.faceboxes)
    plain = not (options.offset_h or options.offset_w) and len(options.offset) <= 1
    check(ours and plain, "densified priors have no form")
    height = options.img_h or options.img_size or layer.bottoms[-1][2]
    width = options.img_w or options.img_size or layer.bottoms[-1][3]
    check(min(height, width, *layer.bottoms[0][2:]) > 0, "empty images have no priors")
    least = min((*options.min_size, *options.max_size))
    check(least > 0, "min_size and max_size must be positive")
    steps = (
        (options.step_w or options.step) / width or 1 / layer.bottoms[0][3],
        (options.step_h or options.step) / height or 1 / layer.bottoms[0][2],
    )
    sizes = [(w / width, h / height) for w, h in _box_sizes(options)]
    offset = options.offset[0] if options.offset else 0.5
    shifts = [(offset, offset)] * len(sizes)
    if options.denser_prior_boxes:
        sizes = [size for size in sizes for _ in range(2)]
        shifts = [(offset, offset), (offset, 1.0)] * len(shifts)
    variances = tuple(options.variance) or (0.1,)
    four = variances * 4 if len(variances) == 1 else variances
    return Priors(layer, tuple(sizes), tuple(shifts), steps, options.clip, four)


def _box_sizes(options: PriorBoxParameter) -> list[tuple[float, float]]:
    """(width, height) in pixels: the least size, its mean with the most, then the ratios."""
    ratios = _ratios(options.aspect_ratio, options.flip)[1:]
    found = []
    for index, least in enumerate(options.min_size):
        found.append((least, least))
        if options.max_size:
            found.append((math.sqrt(least * options.max_size[index]),) * 2)
        found += [(least * math.sqrt(r), least / math.sqrt(r)) for r in ratios]
    return found
