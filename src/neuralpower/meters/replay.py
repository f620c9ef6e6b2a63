"""A recorded log of raw samples, written and read again."""

from __future__ import annotations

import math
from pathlib import Path

from neuralpower.core.errors import InputError
from neuralpower.core.files import csv_text, read_rows, write_text
from neuralpower.meters.window import RawTable

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
