"""Blob shapes and the checks that Caffe's ``Blob`` makes on them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache

from neuralpower.caffe.caffe_pb2 import BlobShape
from neuralpower.caffe.refusal import Refusal

Shape = tuple[int, ...]

#: Caffe counts elements in an ``int``.
INT_MAX = 2**31 - 1
#: The lenient mode lists larger blobs too (a large batch, say), as long as counts stay exact.
LENIENT_MAX = 2**53
MAX_AXES = 32
SCALAR: Shape = ()


def count(shape: Shape, start: int = 0, end: int | None = None) -> int:
    """Elements of the axes from ``start`` to before ``end`` (to the last by default).

    Raises ``Refusal`` for a range that is none, as ``Blob::count`` does.
    """
    if end is None:
        end = len(shape)
    if not 0 <= start <= end <= len(shape):
        raise Refusal(f"axes {start} to {end} of a {len(shape)}-d blob are no range")
    return math.prod(shape[start:end])


def axis_index(shape: Shape, axis: int) -> int:
    """The axis counted from the front; negative ones count from the back. ``Refusal`` outside."""
    if not -len(shape) <= axis < len(shape):
        raise Refusal(
            f"axis {axis} is out of range for the {len(shape)}-d blob {shape_text(shape)}"
        )
    return axis % len(shape)


def dim(shape: Shape, axis: int) -> int:
    """The size of one axis; ``Refusal`` when the blob does not have it."""
    return shape[axis_index(shape, axis)]


def legacy_dim(shape: Shape, axis: int) -> int:
    """Number, channels, height or width (axes 0-3) of a blob of at most 4 axes; missing ones 1."""
    if len(shape) > 4:
        raise Refusal(f"a blob of more than 4 axes has no height and width: {shape_text(shape)}")
    return shape[axis] if axis < len(shape) else 1


def check_blob(shape: Sequence[int], limit: int = INT_MAX) -> Shape:
    """The shape as a tuple, or ``Refusal`` where ``Blob::Reshape`` dies."""
    result = tuple(shape)
    if len(result) > MAX_AXES:
        raise Refusal(f"a blob has {len(result)} axes: at most {MAX_AXES} are allowed")
    if result and min(result) < 0:
        raise Refusal(f"a blob would have a negative size: {shape_text(result)}")
    total = 1
    for size in result:
        if total and size > limit // total:
            raise Refusal(f"a blob of {shape_text(result)} has more than {limit} elements")
        total *= size
    if result and max(result) > limit:
        raise Refusal(f"a blob of {shape_text(result)} has a size over {limit}")
    return result


def int32(value: int) -> int:
    """What is left of a number in the signed 32-bit integer that Caffe keeps it in."""
    return (value + 2**31) % 2**32 - 2**31


def dims(shape: BlobShape) -> Shape:
    """The sizes of a ``BlobShape`` as Caffe reads them; ``Refusal`` for too many axes."""
    if len(shape.dim) > MAX_AXES:
        raise Refusal(f"a blob has {len(shape.dim)} axes: at most {MAX_AXES} are allowed")
    return tuple([int32(size) for size in shape.dim])


def check(condition: bool, reason: str) -> None:
    """Raise ``Refusal`` with the reason unless the condition holds."""
    if not condition:
        raise Refusal(reason)


@lru_cache(maxsize=1024)
def shape_text(shape: Shape | None) -> str:
    """``10x3x227x227``; ``scalar`` for a blob without axes, ``?`` for an unknown shape."""
    if shape is None:
        return "?"
    return "x".join(map(str, shape)) if shape else "scalar"


def four_axes(shape: Shape) -> Shape:
    """The shape of a blob of images; ``Refusal`` for other numbers of axes."""
    check(len(shape) == 4, f"4 axes are needed, not {shape_text(shape)}")
    return shape


def same(shapes: Iterable[Shape]) -> bool:
    """Whether all shapes are equal."""
    return len(set(shapes)) <= 1
