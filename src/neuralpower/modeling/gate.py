"""Comparing an accuracy file with a baseline: what moved, and whether it may."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neuralpower.errors import InputError
from neuralpower.files import read_text

COLUMNS = ("part", "name", "target", "figure", "baseline", "now", "change", "verdict")


@dataclass(frozen=True)
class Tolerances:
    """How much worse a figure may get: percentage points, and per cent of the baseline's figure.

    A figure fails only when it is worse by more than both.
    """

    points: float = 0.5
    relative_percent: float = 5.0

    def allows(self, before: float, now: float) -> bool:
        """Whether an error may rise from ``before`` to ``now``."""
        rise = now - before
        return rise <= self.points or rise <= self.relative_percent / 100.0 * before


def load_accuracy(path: str | Path) -> dict[str, Any]:
    """Read an accuracy file; ``InputError`` if it is none."""
    try:
        value = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise InputError(f"not JSON: {error}", path=path) from None
    if not isinstance(value, dict) or not isinstance(value.get("layers"), dict):
        raise InputError("not an accuracy file: write one with `neuralpower evaluate`", path=path)
    return value


def compare(
    now: Mapping[str, Any], baseline: Mapping[str, Any], tolerances: Tolerances
) -> list[dict[str, Any]]:
    """A row for every figure of either file; ``verdict``: ok, better, worse, gone or new.

    ``worse`` (beyond the tolerances) and ``gone`` fail the gate.
    """
    try:
        old, new = dict(_figures(baseline)), dict(_figures(now))
    except (TypeError, ValueError, AttributeError, KeyError) as error:
        raise InputError(f"an accuracy file is damaged: {error}") from None
    rows = []
    for key in sorted(old | new):
        before, after = old.get(key), new.get(key)
        row: dict[str, Any] = dict(zip(COLUMNS, key, strict=False))
        row.update(baseline=before, now=after, change=None)
        if after is None:
            row["verdict"] = "gone"
        elif before is None:
            row["verdict"] = "new"
        else:
            row["change"] = after - before
            if not tolerances.allows(before, after):
                row["verdict"] = "worse"
            else:
                row["verdict"] = "better" if after < before else "ok"
        rows.append(row)
    return rows


def failed(rows: list[dict[str, Any]]) -> bool:
    """Whether a row fails the gate."""
    return any(row["verdict"] in ("worse", "gone") for row in rows)


def _figures(accuracy: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str, str, str], float]]:
    for family, targets in accuracy["layers"].items():
        for target, entry in targets.items():
            yield ("layers", family, target, "rmspe"), float(entry["rmspe"])
    for network, targets in (accuracy.get("networks") or {}).items():
        for target, entries in targets.items():
            for entry in entries if isinstance(entries, list) else [entries]:
                name = f"{network} (batch {entry['batch']})"
                if entry.get("error_percent") is not None:
                    error = abs(float(entry["error_percent"]))
                    yield ("networks", name, target, "error_percent"), error
    for target, entry in (accuracy.get("network_summary") or {}).items():
        for figure in ("mape", "rmspe"):
            if entry.get(figure) is not None:
                yield ("summary", "all networks", target, figure), float(entry[figure])
