"""A table of what ran when, joined to a power log: measurement tables with power.

The windows' table has ``start`` and ``end`` (seconds since 1970, or date and time) and the columns
of what was measured: ``network`` and ``batch``, or ``family`` and the configuration;
``runtime_ms`` of one inference, or ``runs`` in the window, from which it follows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from neuralpower.core.cells import read_configuration
from neuralpower.core.errors import InputError
from neuralpower.core.files import safe_name
from neuralpower.importing.logs.power_logs import Sample, WindowPower, parse_time, window_power
from neuralpower.importing.logs.tables import check_columns, field, read_foreign
from neuralpower.importing.logs.writing import Tables


def add_windows(
    tables: Tables, path: str | Path, samples: Sequence[Sample], settle_s: float
) -> None:
    """Add every window with its mean power; one without enough samples keeps its time only.

    Raises ``InputError`` naming the row of a window that cannot be read.
    """
    header, rows = read_foreign(path)
    check_columns(["start", "end"], header, path)
    what = "network" if "network" in header else "family"
    check_columns([what, "batch"], header, path)
    found: list[dict[str, object]] = []
    for place, row in enumerate(rows, 1):
        start, end = (_time(row, name, path, place) for name in ("start", "end"))
        if not start < end:
            raise InputError("the window ends before it begins", path=path, row=place)
        power = window_power(samples, start, end, settle_s)
        runtime = _runtime(row, end - start, path, place)
        _add(tables, row, runtime, power, path, place)
        found.append({"row": place, "samples": power.samples, "power_w": power.power_w,
                      "reason": power.reason})  # fmt: skip
    powered = sum(window["power_w"] is not None for window in found)
    if not powered:
        reason = found[0]["reason"] if found else "the table has no rows"
        raise InputError(f"no window has a power: {reason}", path=path)
    tables.windows = found


def _time(row: Mapping[str, str], name: str, path: str | Path, place: int) -> float:
    try:
        return parse_time(row[name])
    except ValueError:
        raise InputError(
            f"column {name}: {row[name][:40]!r} is no time", path=path, row=place
        ) from None


def _runtime(row: Mapping[str, str], seconds: float, path: str | Path, place: int) -> float:
    runtime, runs = (field(row, name, path, place) for name in ("runtime_ms", "runs"))
    if runtime is None and runs:
        runtime = 1000 * seconds / runs
    if runtime is None or not 0 < runtime < 1e12:
        raise InputError("runtime_ms, or runs in the window, is needed", path=path, row=place)
    return runtime


def _add(
    tables: Tables,
    row: Mapping[str, str],
    runtime_ms: float,
    power: WindowPower,
    path: str | Path,
    place: int,
) -> None:
    figures: dict[str, object] = {"runtime_ms": runtime_ms, "power_w": power.power_w}
    try:
        if "family" in row and not row.get("network"):
            tables.add_visit(read_configuration(row), figures)
            return
        batch = int(row["batch"])
        name = safe_name(row["network"], "network")
    except ValueError as error:
        raise InputError(str(error), path=path, row=place) from None
    except InputError as error:
        raise InputError(error.message, path=path, row=place) from None
    if power.power_w is not None:
        figures["energy_j"] = power.power_w * runtime_ms / 1000
    tables.add_pass(name, batch, {**figures, "basis": "window of the power log"})
