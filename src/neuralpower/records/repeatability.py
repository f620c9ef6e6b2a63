"""How well a platform's visits repeat: the anchor's scatter and drift, the spread of repeats.

An anchor is a fixed reference layer of a run; its rows carry ``repeat`` >= 100. Pure Python:
the figures are asked for by light commands.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from neuralpower.core.configuration import CONFIGURATION_COLUMNS
from neuralpower.core.statistics import quantile
from neuralpower.records.folder import Row

ANCHOR_REPEAT = 100


@dataclass(frozen=True, slots=True)
class Repeatability:
    """Figures of a platform's visits; ``None`` where there are too few.

    ``anchor_cv``: standard deviation over mean of the anchor's runtimes; ``anchor_drift``: median
    of its last third over median of its first third, less 1. Both are of single runs: where
    several were merged, the root mean square of their ``cv`` and the largest of their drifts.
    ``second_*``: of a second, memory-bound anchor, where a run has one.
    ``spread_median`` and ``spread_p90`` over configurations with two or more visits, whichever run
    they are of: (slowest - fastest) / fastest.
    """

    visits: int
    configurations: int
    repeated: int
    anchors: int
    anchor_median_ms: float | None
    anchor_cv: float | None
    anchor_drift: float | None
    spread_median: float | None
    spread_p90: float | None
    second_anchors: int = 0
    second_anchor_median_ms: float | None = None
    second_anchor_cv: float | None = None


def is_anchor(row: Row) -> bool:
    """True for a visit of a reference layer."""
    return bool((row.values.get("repeat") or 1) >= ANCHOR_REPEAT)


def anchors_by_layer(rows: Iterable[Row]) -> list[list[Row]]:
    """The visits of each reference layer; the one with the most visits first."""
    found: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        if is_anchor(row):
            key = tuple(row.values.get(name) for name in CONFIGURATION_COLUMNS)
            found.setdefault(key, []).append(row)
    return sorted(found.values(), key=len, reverse=True)


def by_run(rows: Iterable[Row], name: str) -> dict[str, list[float]]:
    """Positive values of a column in the order of the visits, run by run."""
    found: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        value, order = row.values.get(name), row.values.get("order")
        if value is not None and 0 < value < math.inf:
            place = float(row.number if order is None else order)
            found.setdefault(run_of(row), []).append((place, value))
    return {run: [value for _, value in sorted(own)] for run, own in found.items()}


def scatter(series: Iterable[Series]) -> tuple[float | None, float | None]:
    """Root mean square of the coefficients of variation, and the largest drift, of single runs."""
    scatters = [one.cv for one in series if one.cv is not None]
    drifts = [one.drift for one in series if one.drift is not None]
    return (
        math.sqrt(statistics.fmean(cv**2 for cv in scatters)) if scatters else None,
        max(drifts, key=abs) if drifts else None,
    )


def repeatability(rows: Iterable[Row]) -> Repeatability:
    """The figures of ``rows``; runtimes that are missing or not positive are not looked at."""
    groups: dict[tuple[object, ...], list[float]] = {}
    anchors: list[Row] = []
    visits = 0
    for row in rows:
        runtime = row.values.get("runtime_ms")
        if runtime is None or not 0 < runtime < math.inf:
            continue
        visits += 1
        if is_anchor(row):
            anchors.append(row)
        else:
            key = tuple(row.values.get(name) for name in CONFIGURATION_COLUMNS)
            groups.setdefault(key, []).append(runtime)
    first, second = (*anchors_by_layer(anchors), [], [])[:2]
    series = [Series.of(values) for values in by_run(first, "runtime_ms").values()]
    seconds = [Series.of(values) for values in by_run(second, "runtime_ms").values()]
    spreads = sorted(max(g) / min(g) - 1 for g in groups.values() if len(g) > 1)
    every = [row.values["runtime_ms"] for row in first]
    cv, drift = scatter(series)
    return Repeatability(
        visits=visits,
        configurations=len(groups),
        repeated=len(spreads),
        anchors=len(every),
        anchor_median_ms=statistics.median(every) if every else None,
        anchor_cv=cv,
        anchor_drift=drift,
        spread_median=quantile(spreads, 0.5) if spreads else None,
        spread_p90=quantile(spreads, 0.9) if spreads else None,
        second_anchors=len(second),
        second_anchor_median_ms=statistics.median(r.values["runtime_ms"] for r in second)
        if second
        else None,
        second_anchor_cv=scatter(seconds)[0],
    )


@dataclass(frozen=True, slots=True)
class Series:
    """A quantity of the anchor's visits in their order: scatter and drift, as above."""

    n: int
    median: float
    cv: float | None
    drift: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> Series:
        """The figures of one or more positive values."""
        third = len(values) // 3
        drift = None
        if third:
            drift = statistics.median(values[-third:]) / statistics.median(values[:third]) - 1
        cv = statistics.stdev(values) / statistics.mean(values) if len(values) > 1 else None
        return cls(len(values), statistics.median(values), cv, drift)


def run_of(row: Row) -> str:
    """The run that a row of a merged platform is of; empty where there is one run."""
    return str(row.values.get("run") or "")
