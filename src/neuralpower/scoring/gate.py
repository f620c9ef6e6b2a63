"""Comparing an accuracy file with a baseline: what moved, and whether it may.

Compared are errors out of fold, how much was measured (configurations, visits, networks, runs), the
share of intervals that hold, and the size of what was measured: relative errors alone are blind to
lost measurements and to a change of units.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from neuralpower.core.documents import read_json
from neuralpower.core.errors import InputError
from neuralpower.core.files import write_json
from neuralpower.core.settings_file import read_section
from neuralpower.scoring.accuracy import Accuracy, load_accuracy

COLUMNS = ("part", "name", "target", "figure", "baseline", "now", "change", "verdict")
SCHEMA_VERSION = 1
#: Verdicts that fail the gate.
RED = ("worse", "gone", "fewer", "coverage", "units")
#: Figures that count measurements: configurations, their visits, networks, runs of a network.
COUNTS = ("n", "visits", "networks", "runs")

#: part (layers, networks, summary), name, target, figure
Key = tuple[str, str, str, str]
Figures = dict[Key, float]


#: Smaller changes, in the figure's own unit (points of an error), are those of another order of
#: additions: they are not reported.
NOTICED = 0.001


@dataclass(frozen=True)
class Tolerances:
    """What may move. An error fails only when it rises by more than *both* of its allowances.

    ``points``, ``relative_percent``: rise of a family's or a summary's error, in percentage points
    and in per cent of the baseline's. ``network_points``: the same for one network at one batch
    size, a single figure that moves more. ``rows_percent``: share of the configurations, visits,
    networks or runs that may be missing.
    ``coverage_percent``, ``network_coverage_percent``: least share of intervals that hold, less
    two standard errors of so many draws. ``magnitude_factor``: by how much the size of what was
    measured may change.
    """

    points: float = 0.5
    relative_percent: float = 5.0
    network_points: float = 5.0
    rows_percent: float = 2.0
    coverage_percent: float = 85.0
    network_coverage_percent: float = 60.0
    magnitude_factor: float = 10.0

    def allows(self, before: float, now: float, points: float | None = None) -> bool:
        """Whether an error may rise from ``before`` to ``now``."""
        rise = now - before
        allowed = self.points if points is None else points
        return rise <= allowed or rise <= self.relative_percent / 100.0 * before

    def least_coverage(self, part: str, n: float) -> float:
        """The lowest share (%) of ``n`` intervals that may hold."""
        bound = self.network_coverage_percent if part == "summary" else self.coverage_percent
        return bound - 200.0 * math.sqrt(bound / 100.0 * (1.0 - bound / 100.0) / max(n, 1.0))


def load_tolerances(path: str | Path | None) -> Tolerances:
    """The ``gate`` section of a YAML configuration; defaults without file, section or key.

    Raises ``InputError`` for an unknown key or a value that is not a number from 0 on.
    """
    if path is None:
        return Tolerances()
    section = read_section(path, "gate")
    section = {} if section is None else section
    if not isinstance(section, dict):
        raise InputError("gate: a mapping of tolerances is needed", path=path)
    known = [field.name for field in fields(Tolerances)]
    for key, number in section.items():
        if key not in known:
            raise InputError(f"gate: unknown key {key!r} (known: {', '.join(known)})", path=path)
        if isinstance(number, bool) or not isinstance(number, int | float) or not number >= 0:
            raise InputError(f"gate.{key}: a number from 0 on is needed", path=path)
        if key.endswith("coverage_percent") and number > 100:
            raise InputError(f"gate.{key}: at most 100 is needed", path=path)
    return Tolerances(**section)


def load_figures(path: str | Path) -> tuple[Figures, Mapping[str, object]]:
    """The figures of a baseline or an accuracy file, and the file's other entries."""
    value = read_json(path, "an accuracy file (write one with `neuralpower evaluate`)")
    try:
        if isinstance(value.get("figures"), dict):
            return dict(_stored(value["figures"])), value
        return figures_of(load_accuracy(path)), value
    except (TypeError, ValueError, AttributeError, KeyError) as error:
        raise InputError(f"damaged: {error}", path=path) from None


def compare(now: Figures, baseline: Figures, tolerances: Tolerances) -> list[dict[str, Any]]:
    """A row for every figure of either side, with its verdict.

    ok, better, new; and those that fail the gate: worse (beyond the tolerances), gone, fewer
    (measurements), coverage (below its bound), units (the measurements changed in size).
    """
    rows = []
    for key in sorted(baseline | now):
        before, after = baseline.get(key), now.get(key)
        row: dict[str, object] = dict(zip(COLUMNS, key, strict=False))
        row.update(baseline=before, now=after, change=None)
        if before is not None and after is not None:
            row["change"] = after - before
        row["verdict"] = _verdict(key, before, after, now, tolerances)
        rows.append(row)
    return rows


def failed(rows: Sequence[Mapping[str, object]]) -> bool:
    """Whether a row fails the gate."""
    return any(row["verdict"] in RED for row in rows)


def accepted(now: Figures, baseline: Figures, tolerances: Tolerances) -> Figures:
    """The next baseline: better figures move it, slightly worse ones do not (no slow slide)."""
    result = dict(now)
    for row in compare(now, baseline, tolerances):
        key = (row["part"], row["name"], row["target"], row["figure"])
        if row["verdict"] != "ok" or row["figure"] == "magnitude":
            continue
        more = row["figure"] in COUNTS and row["now"] > row["baseline"]
        result[key] = row["now"] if more else row["baseline"]
    return result


def write_baseline(path: str | Path, accuracy: Accuracy, figures: Figures) -> None:
    """Write a baseline: the figures, and which platform and data they are of."""
    nested: dict[str, Any] = {}
    for (part, name, target, figure), value in sorted(figures.items()):
        nested.setdefault(part, {}).setdefault(name, {}).setdefault(target, {})[figure] = value
    facts = {
        "platform": accuracy.get("platform"),
        "data_sha256": accuracy.get("data_sha256"),
        "scored_on": accuracy.get("scored_on"),
    }
    write_json(path, {"schema_version": SCHEMA_VERSION, **facts, "figures": nested})


def figures_of(accuracy: Accuracy) -> Figures:
    """What the gate compares of an accuracy file; percentages in per cent.

    ``magnitude``, in the target's unit, is the absolute error over the relative one (both root
    mean square): the size of what was measured, and of nothing else.
    """
    return dict(_figures(accuracy))


def _verdict(
    key: Key, before: float | None, after: float | None, now: Figures, tolerances: Tolerances
) -> str:
    part, name, target, figure = key
    if after is None:
        return "gone"
    if figure == "interval_coverage":
        n = now.get((part, name, target, "n"), 1.0)
        if after < tolerances.least_coverage(part, n):
            return "coverage"
        return "new" if before is None else "ok"
    if before is None:
        return "new"
    if figure in COUNTS:
        enough = after >= before * (1.0 - tolerances.rows_percent / 100.0)
        return "ok" if enough else "fewer"
    if figure == "magnitude":
        apart = abs(math.log(after / before)) if after > 0 < before else math.inf
        return "ok" if apart <= math.log(max(tolerances.magnitude_factor, 1.0)) else "units"
    points = tolerances.network_points if part == "networks" else tolerances.points
    if not tolerances.allows(before, after, points):
        return "worse"
    return "better" if before - after >= NOTICED else "ok"


def _figures(accuracy: Accuracy) -> Iterator[tuple[Key, float]]:
    for family, targets in accuracy["layers"].items():
        for target, entry in targets.items():
            key = ("layers", str(family), str(target))
            yield (*key, "rmspe"), _from_zero(entry["rmspe"])
            yield from _optional(key, entry, ("mape", "interval_coverage", "n", "visits"))
            if entry.get("rmse") and entry["rmspe"]:
                yield (*key, "magnitude"), _finite(100.0 * entry["rmse"] / entry["rmspe"])
    for network, measured in (accuracy.get("networks") or {}).items():
        for target, passes in measured.items():
            for one in passes if isinstance(passes, list) else [passes]:
                key = ("networks", f"{network} (batch {one['batch']})", str(target))
                if one.get("error_percent") is not None:
                    yield (*key, "error_percent"), abs(_finite(one["error_percent"]))
                    yield from _optional(key, one, ("runs",))
    for target, total in (accuracy.get("network_summary") or {}).items():
        key = ("summary", "all networks", str(target))
        yield from _optional(key, total, ("mape", "rmspe", "interval_coverage", "n", "networks"))
    decomposed = (accuracy.get("network_decomposition") or {}).get("entries") or []
    if inside := sum(entry.get("layers_from") == "the same passes" for entry in decomposed):
        yield ("summary", "passes with their layers", "runtime_ms", "n"), float(inside)


def _optional(
    key: tuple[str, str, str], entry: Mapping[str, object], names: Sequence[str]
) -> Iterator[tuple[Key, float]]:
    for name in names:
        if entry.get(name) is not None:
            yield (*key, name), _from_zero(entry[name])


def _stored(figures: Mapping[str, Any]) -> Iterator[tuple[Key, float]]:
    for part, names in figures.items():
        for name, targets in names.items():
            for target, values in targets.items():
                for figure, value in values.items():
                    yield (part, name, target, figure), _from_zero(value)


def _finite(value: Any) -> float:
    number = float(value)
    if isinstance(value, bool | str) or not math.isfinite(number):
        raise ValueError(f"{value!r} is not a finite number")
    return number


def _from_zero(value: Any) -> float:
    """An error, a share or a count: none of them is negative."""
    number = _finite(value)
    if number < 0:
        raise ValueError(f"{value!r} found where a number from 0 on is needed")
    return number
