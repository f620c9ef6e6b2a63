"""The checks of Caffe's weight fillers: a parameter blob that cannot be filled is refused."""

from __future__ import annotations

from neuralpower.caffe.caffe_pb2 import FillerParameter
from neuralpower.caffe.registry import Setup
from neuralpower.caffe.shapes import Shape, check_blob, count, shape_text

FILLERS = (
    "constant",
    "gaussian",
    "positive_unitball",
    "uniform",
    "xavier",
    "msra",
    "bilinear",
)


def check_filler(setup: Setup, filler: FillerParameter, shape: Shape) -> None:
    """Object where Caffe could not fill a blob of this shape with this filler."""
    kind, expect = filler.type, setup.expect
    check_blob(shape, setup.limit)
    expect(kind in FILLERS, f"unknown filler '{kind}'")
    expect(count(shape) > 0, f"a parameter blob of {shape_text(shape)} is empty")
    if kind == "gaussian":
        expect(filler.std > 0, "a gaussian filler needs a positive std")
        expect(filler.sparse >= -1, "sparse is -1 or more")
        if filler.sparse >= 0:
            fits = len(shape) >= 1 and filler.sparse <= shape[0]
            expect(fits, "sparse is larger than the number of outputs")
        return
    expect(filler.sparse == -1, f"the {kind} filler knows no sparsity")
    if kind == "uniform":
        expect(filler.min <= filler.max, "a uniform filler needs min <= max")
    elif kind in ("xavier", "msra", "positive_unitball"):
        expect(len(shape) >= 1, f"the {kind} filler needs a blob with axes")
    elif kind == "bilinear":
        square = len(shape) == 4 and shape[2] == shape[3]
        expect(square, f"the bilinear filler needs a square kernel, not {shape_text(shape)}")
