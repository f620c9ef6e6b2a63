"""Which configurations can exist: checked when a table is read, before anything is measured."""

from __future__ import annotations

from dataclasses import fields

from neuralpower.core.configuration import FAMILIES, POOL_METHODS, Configuration
from neuralpower.core.errors import InputError

#: Families whose output has the shape of their input.
SAME_SHAPE = frozenset(FAMILIES) - {"conv", "deconv", "fc", "pool", "concat"}
_MAY_BE_ZERO = frozenset({"bias", "pad_height", "pad_width"})


def check_configuration(c: Configuration) -> None:
    """Raise ``InputError`` for an unknown family, a size below 1, or an output that does not
    follow from the input.
    """
    if c.family not in FAMILIES:
        raise InputError(f"family {c.family!r} is not known: take one of {', '.join(FAMILIES)}")
    for field in fields(c):
        value = getattr(c, field.name)
        if isinstance(value, int) and value < (0 if field.name in _MAY_BE_ZERO else 1):
            raise InputError(f"{c.family}: column {field.name} cannot be {value}")
    if c.family == "pool" and c.pool_method not in POOL_METHODS:
        raise InputError(f"pool: pool_method {c.pool_method!r} is not known")
    if c.family in ("conv", "deconv") and (c.in_channels % c.groups or c.out_channels % c.groups):
        raise InputError(f"{c.family}: {c.groups} groups do not divide the channels")
    if c.family in SAME_SHAPE and c.in_channels != c.out_channels:
        raise InputError(f"{c.family}: the channels of input and output differ")
    if c.family == "concat" and c.out_channels < c.inputs:
        raise InputError(f"concat: {c.out_channels} channels cannot come from {c.inputs} inputs")
    if c.family == "fc":
        return
    axes = (
        (
            c.in_height,
            c.out_height,
            c.kernel_height,
            c.stride_height,
            c.pad_height,
            c.dilation_height,
        ),
        (c.in_width, c.out_width, c.kernel_width, c.stride_width, c.pad_width, c.dilation_width),
    )
    for size, out, *window in axes:
        allowed = _sizes(c.family, size, *window)
        if out not in allowed:
            raise InputError(
                f"{c.family}: an input of {size} gives an output of {allowed[0]}, not {out}"
            )


def _sizes(
    family: str, size: int, kernel: int, stride: int, pad: int, dilation: int
) -> tuple[int, ...]:
    """Output sizes of one axis: Caffe's first, then what other frameworks make (pooling only)."""
    if family in ("conv", "deconv"):
        extent = dilation * (kernel - 1) + 1
        if family == "deconv":
            return (stride * (size - 1) + extent - 2 * pad,)
        return ((size + 2 * pad - extent) // stride + 1,)
    if family == "pool":
        room = size + 2 * pad - kernel
        up = -(-room // stride) + 1
        if pad and (up - 1) * stride >= size + pad:
            up -= 1
        return (up, room // stride + 1)
    return (size,)
