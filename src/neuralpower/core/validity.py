"""Which configurations can exist: checked when a table is read, before anything is measured."""

from __future__ import annotations

from dataclasses import fields

from neuralpower.core.cells import MAY_BE_ZERO
from neuralpower.core.configuration import Configuration
from neuralpower.core.errors import InputError
from neuralpower.core.families import FAMILIES, FAMILY, POOL_METHODS
from neuralpower.core.geometry import output_sizes


def check_configuration(c: Configuration) -> None:
    """Raise ``InputError`` for an unknown family, a size below 1, or an output that does not
    follow from the input.
    """
    if c.family not in FAMILIES:
        raise InputError(f"family {c.family!r} is not known: take one of {', '.join(FAMILIES)}")
    for field in fields(c):
        value = getattr(c, field.name)
        if isinstance(value, int) and value < (0 if field.name in MAY_BE_ZERO else 1):
            raise InputError(f"{c.family}: column {field.name} cannot be {value}")
    if c.family == "pool" and c.pool_method not in POOL_METHODS:
        raise InputError(f"pool: pool_method {c.pool_method!r} is not known")
    if c.family in ("conv", "deconv") and (c.in_channels % c.groups or c.out_channels % c.groups):
        raise InputError(f"{c.family}: {c.groups} groups do not divide the channels")
    if FAMILY[c.family].shape == "same" and c.in_channels != c.out_channels:
        raise InputError(f"{c.family}: the channels of input and output differ")
    if c.family == "concat" and c.out_channels < c.inputs:
        raise InputError(f"concat: {c.out_channels} channels cannot come from {c.inputs} inputs")
    if c.family == "fc":
        return
    for axis in ("height", "width"):
        out = getattr(c, f"out_{axis}")
        allowed = output_sizes(c, axis)
        if out not in allowed:
            size = getattr(c, f"in_{axis}")
            raise InputError(
                f"{c.family}: an input of {size} gives "
                + (f"an output of {allowed[0]}, not {out}" if allowed else "no output")
            )
