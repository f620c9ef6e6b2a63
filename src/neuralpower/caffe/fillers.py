"""The checks of Caffe's weight fillers: a parameter blob that cannot be filled is refused."""

from __future__ import annotations

from typing import Any

from neuralpower.caffe.refusal import Refusal
from neuralpower.caffe.shapes import Shape, check, check_blob, count, shape_text

FILLERS = (
    "constant",
    "gaussian",
    "positive_unitball",
    "uniform",
    "xavier",
    "msra",
    "bilinear",
)


def check_filler(filler: Any, shape: Shape) -> None:
    """``Refusal`` when Caffe could not fill a blob of this shape with this filler."""
    kind = filler.type
    if kind not in FILLERS:
        raise Refusal(f"unknown filler '{kind}'")
    check_blob(shape)
    check(count(shape) > 0, f"a parameter blob of {shape_text(shape)} is empty")
    if kind == "gaussian":
        check(filler.std > 0, "a gaussian filler needs a positive std")
        check(filler.sparse >= -1, "sparse is -1 or more")
        if filler.sparse >= 0:
            check(len(shape) >= 1, "a sparse filler needs a blob with axes")
            check(filler.sparse <= shape[0], "sparse is larger than the number of outputs")
        return
    check(filler.sparse == -1, f"the {kind} filler knows no sparsity")
    if kind == "uniform":
        check(filler.min <= filler.max, "a uniform filler needs min <= max")
    elif kind == "bilinear":
        check(len(shape) == 4, "the bilinear filler needs a blob of 4 axes")
        check(shape[2] == shape[3], f"the bilinear filler needs a square kernel: {shape[2:]}")
