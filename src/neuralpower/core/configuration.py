"""The names that all stages share: columns, families, and one layer's configuration.

Units are in the names; sizes are elements unless a name ends in ``_bytes``. A missing value is
``None`` here and an empty field in a file, never 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

CONFIGURATION_COLUMNS: tuple[str, ...] = (
    "family",
    "batch",
    "in_channels",
    "in_height",
    "in_width",
    "out_channels",
    "out_height",
    "out_width",
    "kernel_height",
    "kernel_width",
    "stride_height",
    "stride_width",
    "pad_height",
    "pad_width",
    "dilation_height",
    "dilation_width",
    "groups",
    "pool_method",
    "bias",
    "inputs",
)

LAYER_COLUMNS: tuple[str, ...] = (
    "network",
    "index",
    "name",
    "type",
    "family",
    "bottoms",
    "tops",
    "bottom_shapes",
    "top_shapes",
    *CONFIGURATION_COLUMNS[1:],
    "params",
    "params_shared",
    "macs",
    "input_elements",
    "output_elements",
    "weight_elements",
    "supported",
    "note",
)


class Prediction(TypedDict):
    """A row of the prediction table: a layer, or the total of a network (``index`` is None).

    Times in ms, power in W, energy in mJ of one pass of the whole batch; ``_lo`` and ``_hi`` are
    the ends of 90 % intervals; shares are of the total. ``coverage`` is that of a total.
    """

    network: str
    index: int | None
    name: str
    type: str | None
    family: str | None
    batch: int | None
    runtime_ms: float | None
    runtime_ms_lo: float | None
    runtime_ms_hi: float | None
    power_w: float | None
    power_w_lo: float | None
    power_w_hi: float | None
    energy_mj: float | None
    energy_mj_lo: float | None
    energy_mj_hi: float | None
    runtime_share: float | None
    energy_share: float | None
    extrapolates: str | None
    extrapolates_by: float | None
    source: str
    coverage: float | None
    macs: int | None
    note: str | None


PREDICTION_COLUMNS: tuple[str, ...] = tuple(Prediction.__annotations__)


@dataclass(frozen=True, slots=True)
class Configuration:
    """What one layer computes, as far as its cost depends on it: one row of a sweep.

    Fields as in ``CONFIGURATION_COLUMNS``; the defaults are those of a layer without a window.
    """

    family: str
    batch: int
    in_channels: int
    in_height: int
    in_width: int
    out_channels: int
    out_height: int
    out_width: int
    kernel_height: int = 1
    kernel_width: int = 1
    stride_height: int = 1
    stride_width: int = 1
    pad_height: int = 0
    pad_width: int = 0
    dilation_height: int = 1
    dilation_width: int = 1
    groups: int = 1
    pool_method: str = ""
    bias: int = 0
    inputs: int = 1

    def as_row(self) -> dict[str, str]:
        """The configuration as table fields, in the order of ``CONFIGURATION_COLUMNS``."""
        return {name: str(getattr(self, name)) for name in CONFIGURATION_COLUMNS}

    def key(self) -> str:
        """A short stable identity: the same configuration has the same key on every machine."""
        import hashlib

        text = ",".join(str(getattr(self, name)) for name in CONFIGURATION_COLUMNS)
        return hashlib.sha256(text.encode()).hexdigest()[:16]
