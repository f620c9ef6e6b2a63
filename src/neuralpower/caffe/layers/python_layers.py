"""Python layers: code of the user, which is never run; the well-known ones are known by name.

Sources: py-faster-rcnn (``rpn.proposal_layer``, ``anchor_target_layer``, ``proposal_target_layer``,
``roi_data_layer.layer``; shapes as their ``setup`` makes them, one image and one region), ENet
(``spatial_dropout``) and FCN (``voc_layers``, ``siftflow_layers``, ``nyud_layers``).
"""

from __future__ import annotations

import re

from neuralpower.caffe.registry import Setup, UnknownShape, layer_type
from neuralpower.caffe.shapes import Shape

#: py-faster-rcnn's defaults: three scales and three ratios of anchors, images of 600 x 1000.
_RATIOS = 3
_ANCHORS = 9
_IMAGE = (600, 1000)
_CLASSES = 21
#: FCN's data layers by class: the sizes of all images of the set, or of the largest.
_SEGMENTED = {
    "SIFTFlowSegDataLayer": (256, 256),
    "NYUDSegDataLayer": (425, 560),
    "VOCSegDataLayer": (500, 500),
    "SBDDSegDataLayer": (500, 500),
    "PASCALContextSegDataLayer": (500, 500),
}
_NUMBER = re.compile(r"[0-9]{1,6}(?:\.[0-9]{0,6})?")
#: Classes that keep the shape of their bottom.
_ELEMENTWISE = re.compile(r"(Spatial|Bayesian|Gaussian)?(Dropout|Noise)\w*", re.IGNORECASE)


@layer_type("Python", bottoms=(0, None), tops=(0, None), given=True)
def python(setup: Setup) -> list[Shape]:
    """The shapes of a layer that is known by its class; ``UnknownShape`` for all others."""
    param = setup.param.python_param
    if param.layer == "ProposalLayer" and (
        param.module == "rpn.proposal_layer" or not setup.strict
    ):
        return [(1, 5), (1, 1, 1, 1)][: setup.n_tops]
    found = None if setup.strict else _known(setup, param.layer)
    if found is None:
        raise UnknownShape(
            f"Python code ({param.module}.{param.layer}) decides the shape and is never run: "
            "give --blob-shape"
        )
    return found


def _known(setup: Setup, name: str) -> list[Shape] | None:
    tops, bottoms = tuple(setup.param.top), tuple(setup.param.bottom)
    if name == "RoIDataLayer":
        return _roi_data(setup, tops)
    if name == "AnchorTargetLayer" and setup.n_tops <= 4 and setup.bottoms:
        return _anchor_targets(setup)
    if name == "ProposalTargetLayer" and setup.n_tops <= 5:
        return _proposal_targets(setup)
    if name in _SEGMENTED and not bottoms:
        return _segmented(setup, tops, _SEGMENTED[name])
    if len(tops) == len(bottoms) == 1:
        if _ELEMENTWISE.fullmatch(name):
            setup.notes.append("keeps the shape of its bottom")
            return [setup.bottom]
        if tops == bottoms:
            setup.assume("Python code that works in place keeps the shape of its bottom")
            return [setup.bottom]
    if any(setup.param.loss_weight) and len(tops) == 1:
        setup.assume("a loss (it has a loss_weight): one number")
        return [(1,)]
    return None


def _roi_data(setup: Setup, tops: tuple[str, ...]) -> list[Shape] | None:
    """Images and regions: one image where regions are proposed inside, else two."""
    classes = 4 * (_value(setup, "num_classes") or _CLASSES)
    proposals = "im_info" in tops or "gt_boxes" in tops
    channels, height, width = setup.data_shape or (3, *_IMAGE)
    shapes: dict[str, Shape] = {
        "data": (1 if proposals else 2, channels, height, width),
        "im_info": (1, 3),
        "gt_boxes": (1, 4),
        "rois": (1, 5),
        "labels": (1,),
        "bbox_targets": (1, classes),
        "bbox_inside_weights": (1, classes),
        "bbox_outside_weights": (1, classes),
        "bbox_loss_weights": (1, classes),
    }
    if not all(name in shapes for name in tops):
        return None
    if setup.data_shape is None:
        sizes = "x".join(map(str, _IMAGE))
        setup.assume(f"an image of {sizes}, py-faster-rcnn's largest (else --data-shape)")
    setup.notes.append("the number of boxes depends on the data")
    return [shapes[name] for name in tops]


def _segmented(setup: Setup, tops: tuple[str, ...], sizes: tuple[int, int]) -> list[Shape]:
    """FCN: one image (in colour or as depth codes, three channels) and labels of its pixels."""
    channels, height, width = setup.data_shape or (3, *sizes)
    if setup.data_shape is None:
        setup.assume(f"an image of {height}x{width}, as this data set has (else --data-shape)")
    colours = ("data", "color", "hha")
    return [(1, channels if name in colours else 1, height, width) for name in tops]


def _anchor_targets(setup: Setup) -> list[Shape] | None:
    """Labels [1, 1, anchors * height, width], and three times [1, 4 * anchors, height, width]."""
    score = setup.bottom
    if len(score) != 4:
        return None
    scales = _values(setup, "scales") or _values(setup, "anchor_scales")
    if scales:
        anchors = len(scales) * (len(_values(setup, "ratios")) or _RATIOS)
    else:
        # Two scores an anchor: a fork's other default shows in them.
        anchors = score[1] // 2 if score[1] % 2 == 0 else _ANCHORS
        setup.assume(f"{anchors} anchors a place, as the scores have them")
    height, width = score[2:]
    targets: list[Shape] = [(1, 4 * anchors, height, width)] * 3
    return [(1, 1, anchors * height, width), *targets][: setup.n_tops]


def _proposal_targets(setup: Setup) -> list[Shape]:
    classes = _value(setup, "num_classes")
    if classes is None:
        classes = _CLASSES
        setup.assume(f"{classes} classes (param_str does not say)")
    setup.notes.append("one region until data are known")
    targets: list[Shape] = [(1, 4 * classes)] * 3
    return [(1, 5), (1, 1), *targets][: setup.n_tops]


def _value(setup: Setup, key: str) -> int | None:
    """The whole number after a key of ``param_str``, which is read as text only."""
    text = setup.param.python_param.param_str
    found = re.search(rf"""['"]?\b{key}\b['"]?\s*[:=]\s*([0-9]{{1,6}})\b""", text)
    return int(found[1]) if found else None


def _values(setup: Setup, key: str) -> list[str]:
    """The numbers of the list after a key of ``param_str``."""
    text = setup.param.python_param.param_str
    found = re.search(
        rf"""['"]?\b{key}\b['"]?\s*[:=][^\[({{}}]{{0,40}}[\[(]([^\])]{{0,400}})[\])]""", text
    )
    return _NUMBER.findall(found[1]) if found else []
