"""Time and energy of whole runs: the logs of Zeus and of CodeCarbon.

Both are about a stretch of the program, not an inference: how many inferences it held is the
user's to say.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from neuralpower.core.errors import InputError
from neuralpower.importing.logs.tables import check_columns, field, read_foreign

_JOULES_PER_KWH = 3.6e6
PARTS = ("gpu", "cpu", "ram", "total")


@dataclass(frozen=True, slots=True)
class EnergyRun:
    """A stretch of a program: its name in the log, length (s) and energy (J)."""

    name: str
    seconds: float
    joules: float
    place: int


def read_zeus(path: str | Path) -> list[EnergyRun]:
    """The windows of a Zeus log (``start_time window_name elapsed_time gpu0_energy ...``).

    Energies of several GPUs are added. Raises ``InputError`` naming row and column.
    """
    header, rows = read_foreign(path)
    gpus = [name for name in header if re.fullmatch(r"gpu\d+_energy", name)]
    if "elapsed_time" not in header or "window_name" not in header or not gpus:
        raise InputError(
            "no log of Zeus: window_name, elapsed_time and gpu0_energy are needed",
            path=path,
            line=1,
        )
    found = []
    for place, row in enumerate(rows, 1):
        seconds = _positive(row, "elapsed_time", path, place)
        joules = sum(_positive(row, name, path, place) for name in gpus)
        found.append(EnergyRun(row["window_name"], seconds, joules, place))
    return _some(found, path)


def read_codecarbon(path: str | Path, part: str) -> list[EnergyRun]:
    """The runs of a CodeCarbon table; ``part`` of the machine: gpu, cpu, ram or total.

    Raises ``InputError`` naming row and column.
    """
    header, rows = read_foreign(path)
    column = "energy_consumed" if part == "total" else f"{part}_energy"
    if "codecarbon_version" not in header and "emissions" not in header:
        raise InputError("no table of CodeCarbon: it has no emissions", path=path, line=1)
    check_columns(["duration", column], header, path)
    found = []
    for place, row in enumerate(rows, 1):
        seconds = _positive(row, "duration", path, place)
        joules = _positive(row, column, path, place) * _JOULES_PER_KWH
        found.append(EnergyRun(row.get("project_name", ""), seconds, joules, place))
    return _some(found, path)


def _positive(row: dict[str, str], column: str, path: str | Path, place: int) -> float:
    value = field(row, column, path, place)
    if value is None or not 0 < value < 1e15:
        raise InputError(f"column {column}: a number above 0 is needed", path=path, row=place)
    return value


def _some(found: list[EnergyRun], path: str | Path) -> list[EnergyRun]:
    if not found:
        raise InputError("no runs in it", path=path)
    return found
