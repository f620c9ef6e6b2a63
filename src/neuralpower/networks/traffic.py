"""Layers that a platform did not measure, estimated from the bytes that they move.

On a GPU an element-wise layer costs what its bytes cost: a residual addition that reads two maps
and writes one takes about as long, and draws about as much, as a rectifier that moves as many
elements. The platform's model of rectifiers therefore serves for layers that only move data.
Such figures are marked as estimates, and their intervals are wide.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
#: A column of a table of configurations: numbers or words; and such columns by name.
Values: TypeAlias = NDArray[Any]
Columns = Mapping[str, Values]

#: The family whose model serves.
STAND_IN = "relu"
#: Families that only move data: these many elements, from input and output elements.
MOVED = {
    "batchnorm": lambda read, written: read + written,
    "prelu": lambda read, written: read + written,
    "pool": lambda read, written: read + written,
    "eltwise": lambda read, written: read + written,
    # The bottoms may differ in channels; together they are the top.
    "concat": lambda read, written: 2.0 * written,
}
#: An estimate may be this many times too large or too small (its 90 % interval).
WIDER = 2.0


def as_rectifier(columns: Columns, family: str) -> dict[str, Values]:
    """Configuration columns of rectifiers that move as many elements as layers of ``family``.

    ``columns``: arrays of shape (n,), all of the one family. Batch and map stay, the number of
    channels makes up for the rest and may be a fraction.
    """
    get = {name: np.asarray(values) for name, values in columns.items()}
    pixels = get["in_height"] * get["in_width"]
    read = get["batch"] * get["in_channels"] * pixels * get["inputs"]
    written = get["batch"] * get["out_channels"] * get["out_height"] * get["out_width"]
    moved = MOVED[family](read, written)
    channels = moved / (2.0 * get["batch"] * pixels)
    ones = np.ones(len(channels))
    return {
        **{name: ones for name in get if name not in ("family", "pool_method")},
        "family": np.full(len(channels), STAND_IN),
        "pool_method": np.full(len(channels), ""),
        "batch": get["batch"],
        **{f"{end}_channels": channels for end in ("in", "out")},
        **{f"{end}_{side}": get[f"in_{side}"] for end in ("in", "out") for side in _SIDES},
        **{f"pad_{side}": 0.0 * ones for side in _SIDES},
        "bias": 0.0 * ones,
    }


_SIDES = ("height", "width")
