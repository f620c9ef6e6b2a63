"""A recorded log of raw samples, read again."""

from __future__ import annotations

from pathlib import Path

from neuralpower.core.errors import InputError
from neuralpower.core.files import read_rows
from neuralpower.meters.window import RawTable

#: More watts or joules than any sensor shows.
_LARGEST = 1e15
RAW_COLUMNS = ("t_ns", "power_w", "average_w", "energy_j")


def read_raw(path: str | Path) -> RawTable:
    """Raw samples of a log. ``InputError`` with the row for what is not a number."""
    header, rows = read_rows(path, required=("t_ns",))
    columns: dict[str, list[float | None]] = {name: [] for name in RAW_COLUMNS[1:]}
    times: list[int] = []
    for number, row in enumerate(rows, 1):
        try:
            times.append(_time(row["t_ns"]))
            for name, values in columns.items():
                text = row.get(name, "")
                values.append(_figure(text) if text else None)
        except ValueError as error:
            raise InputError(str(error), path=path, row=number) from None

    def column(name: str) -> list[float | None]:
        return columns[name] if name in header and any(v is not None for v in columns[name]) else []

    return RawTable(times, column("power_w"), column("average_w"), column("energy_j"))


def _time(text: str) -> int:
    """Nanoseconds of a clock; ``ValueError`` for what none shows."""
    value = int(text)
    if not abs(value) < 2**63:
        raise ValueError(f"{text[:40]!r} is no time in nanoseconds")
    return value


def _figure(text: str) -> float:
    """A figure of a sensor; ``ValueError`` for what none shows."""
    value = float(text)
    if not abs(value) < _LARGEST:
        raise ValueError(f"{text[:40]!r} is no figure of a sensor")
    return value
