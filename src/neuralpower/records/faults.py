"""Values of recorded measurements that are no measurement, and what is done with them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from neuralpower.core.cells import INTEGER_COLUMNS
from neuralpower.core.configuration import CONFIGURATION_COLUMNS, Configuration
from neuralpower.core.errors import InputError
from neuralpower.core.plausible import MOST_WATTS, broken_rules
from neuralpower.records.folder import Row


@dataclass(frozen=True, slots=True)
class Fault:
    """A value that cannot be trusted: where it is, what is wrong, what is done with it."""

    file: str
    row: int
    column: str
    reason: str
    action: str = "left out"
    value: float | None = None


def faults(rows: Iterable[Row]) -> list[Fault]:
    """Values that are no measurement: non-positive, non-finite or missing runtime, wrong shapes,
    sizes that contradict each other, and work that no device does (``plausible``).

    A bad power (not finite, not positive, more than any board draws) costs the row its power only.
    """
    found: list[Fault] = []
    for row in rows:
        values, before = row.values, len(found)
        for name in INTEGER_COLUMNS:
            if name in values and values[name] < _least(name):
                text = f"{values[name]} is less than {_least(name)}"
                found.append(Fault(row.file, row.number, name, text))
        runtime = values.get("runtime_ms")
        if reason := _not_positive(runtime, "runtime"):
            found.append(Fault(row.file, row.number, "runtime_ms", reason, value=runtime))
        elif runtime is not None and not any(f.row == row.number for f in found[before:]):
            found += _contradictions(row, runtime)
        power = values.get("power_w")
        if power is not None and (reason := _no_power(power)):
            found.append(Fault(row.file, row.number, "power_w", reason, "power left out"))
        if str(values.get("valid", "")).strip().lower() in ("0", "false"):
            reason = f"marked not valid ({values.get('flags') or 'no flag given'})"
            found.append(Fault(row.file, row.number, "valid", reason))
    return found


def _contradictions(row: Row, runtime: float) -> list[Fault]:
    if "family" not in row.values:
        return []
    fields = {name: row.values[name] for name in CONFIGURATION_COLUMNS if name in row.values}
    return [
        Fault(row.file, row.number, column, reason)
        for column, reason in broken_rules(Configuration(**fields), runtime)
    ]


def refuse_negative(found: Iterable[Fault], folder: Path) -> None:
    """Raise ``InputError`` for the first negative runtime.

    A missing, zero or infinite reading is a visit that failed, and only that row is lost. No clock
    reads a negative time: the table itself was made wrongly, and its other rows are suspect.
    """
    for fault in found:
        if fault.column == "runtime_ms" and fault.value is not None and fault.value < 0:
            raise InputError(
                f"{fault.reason}: correct or remove the row, or pass --leave-out-negative",
                path=folder / fault.file,
                row=fault.row,
            )


def _least(name: str) -> int:
    return 0 if name in ("pad_height", "pad_width", "bias") else 1


def _no_power(watts: float) -> str:
    reason = _not_positive(watts, "power")
    if not reason and watts > MOST_WATTS:
        reason = f"power {watts:g} W: milliwatts taken for watts?"
    return reason


def _not_positive(value: float | None, what: str) -> str:
    if value is None:
        return f"{what} is missing"
    if not math.isfinite(value):
        return f"{what} {value} is not finite"
    return "" if value > 0 else f"{what} {value:g} is not positive"
