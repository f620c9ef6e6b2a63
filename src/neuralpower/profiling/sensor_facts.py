"""What ``characterise`` found of a board's power sensor, for the rules of a run."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from neuralpower.core.documents import read_json
from neuralpower.core.errors import InputError
from neuralpower.core.files import sha256_file
from neuralpower.profiling.device_power import AdaptiveProtocol

#: A time constant or period beyond these is a fault of the measurement, not a property of a board.
_TAU_S, _PERIOD_S, _AVERAGING_S = (0.05, 30.0), (0.001, 5.0), (0.0005, 5.0)


@dataclass(frozen=True, slots=True)
class Calibration:
    """Time constant of the board, period and averaging window of its sensor; ``None``: not found.

    ``sha256``: of the file. ``gpu``: name of the board that it was found on.
    """

    sha256: str
    gpu: str | None
    tau_s: float | None
    period_s: float | None
    averaging_s: float | None

    def applied(self, rules: AdaptiveProtocol) -> AdaptiveProtocol:
        """The rules with what was found; the rest stays as it is."""
        return replace(
            rules,
            tau_s=self.tau_s or rules.tau_s,
            period_s=self.period_s or rules.period_s,
            averaging_s=self.averaging_s or rules.averaging_s,
        )


def read_calibration(path: str | Path) -> Calibration | None:
    """The calibration in the file that ``characterise`` wrote; ``None`` where it holds no facts of
    a power sensor (no meter worked, or no time was left for it).

    Raises ``InputError`` for another file.
    """
    facts = read_json(path, "what characterise writes")
    if "platform" not in facts or "machine" not in facts:
        raise InputError("not what neuralpower characterise writes: give its file", path=path)
    board = facts.get("board")
    found = board.get("steps") if isinstance(board, Mapping) else None
    steps: list[object] = found if isinstance(found, list) else []
    if not steps or not isinstance(board, Mapping):
        return None
    executor = facts.get("executor")
    gpu = executor.get("gpu") if isinstance(executor, Mapping) else None
    name = gpu.get("name") if isinstance(gpu, Mapping) else None
    return Calibration(
        sha256=sha256_file(path),
        gpu=name if isinstance(name, str) else None,
        tau_s=_middle([_get(step, "tau_s") for step in steps], 1.0, _TAU_S),
        period_s=_middle([_get(step, "period_ms") for step in steps], 1e-3, _PERIOD_S),
        averaging_s=_middle([board.get("averaging_window_ms")], 1e-3, _AVERAGING_S),
    )


def _get(step: object, name: str) -> object:
    return step.get(name) if isinstance(step, Mapping) else None


def _middle(values: list[object], unit: float, bounds: tuple[float, float]) -> float | None:
    low, high = bounds
    numbers = [
        value * unit
        for value in values
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    ]
    good = [value for value in numbers if low <= value <= high]
    return statistics.median(good) if good else None
