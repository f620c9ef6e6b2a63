"""A meter that reads a recorded log of raw samples: the same windows on the same numbers."""

from __future__ import annotations

import math
from pathlib import Path

from neuralpower.core.errors import InputError
from neuralpower.core.files import csv_text, read_rows, write_text
from neuralpower.meters.meter import Availability, MeterInfo
from neuralpower.meters.window import RawTable, WindowStats, window_stats

RAW_COLUMNS = ("t_ns", "power_w", "average_w", "energy_j")


def write_raw(path: str | Path, raw: RawTable) -> None:
    """Write raw samples as CSV (``.csv.gz`` compressed); missing readings are empty."""
    rows = [
        {
            "t_ns": t,
            "power_w": _at(raw.power_w, i),
            "average_w": _at(raw.average_w, i),
            "energy_j": _at(raw.energy_j, i),
        }
        for i, t in enumerate(raw.t_ns)
    ]
    write_text(path, csv_text(RAW_COLUMNS, rows))


def read_raw(path: str | Path) -> RawTable:
    """Raw samples of a log. ``InputError`` with the row for what is not a number."""
    header, rows = read_rows(path, required=("t_ns",))
    columns: dict[str, list[float | None]] = {name: [] for name in RAW_COLUMNS[1:]}
    times: list[int] = []
    for number, row in enumerate(rows, 1):
        try:
            times.append(int(row["t_ns"]))
            for name, values in columns.items():
                text = row.get(name, "")
                values.append(float(text) if text else None)
        except ValueError as error:
            raise InputError(str(error), path=path, row=number) from None

    def column(name: str) -> list[float | None]:
        return columns[name] if name in header and any(v is not None for v in columns[name]) else []

    return RawTable(times, column("power_w"), column("average_w"), column("energy_j"))


def _at(values: object, index: int) -> float | None:
    if not isinstance(values, list | tuple) or index >= len(values):
        return None
    value = values[index]
    return value if value is not None and math.isfinite(value) else None


class ReplayMeter:
    """A log as a meter. ``period_ns``: the sensor's publication period, if known."""

    def __init__(self, path: str | Path, period_ns: int | None = None) -> None:
        self._path = Path(path)
        self._period_ns = period_ns
        self._raw: RawTable | None = None
        self._next = 0
        self.info = MeterInfo(
            name="replay",
            domain="",
            kind="sampled",
            period_ms=None if period_ns is None else period_ns / 1e6,
            provenance=f"log {self._path.name}",
        )

    def available(self) -> Availability:
        """As ``PowerMeter.available``."""
        try:
            self._table()
        except InputError as error:
            return Availability(False, str(error))
        return Availability(True)

    def start(self) -> None:
        """Go to the first sample."""
        self._next = 0

    def stop(self) -> None:
        """Nothing to end."""

    def read(self) -> float | None:
        """The next sample's power; ``None`` after the last, or where it is missing."""
        raw = self._table()
        if self._next >= len(raw.power_w):
            return None
        value = raw.power_w[self._next]
        self._next += 1
        return value

    def window(self, t0_ns: int, t1_ns: int) -> WindowStats:
        """As ``PowerMeter.window``."""
        return window_stats(self._table(), t0_ns, t1_ns, self._period_ns)

    def _table(self) -> RawTable:
        if self._raw is None:
            self._raw = read_raw(self._path)
        return self._raw
