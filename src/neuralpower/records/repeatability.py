"""How well a platform's visits repeat: the anchor's scatter and drift, the spread of repeats.

An anchor is the fixed reference layer of a run; its rows carry ``repeat`` >= 100. Pure Python:
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


def is_anchor(row: Row) -> bool:
    """True for a visit of the reference layer."""
    return bool((row.values.get("repeat") or 1) >= ANCHOR_REPEAT)


def repeatability(rows: Iterable[Row]) -> Repeatability:
    """The figures of ``rows``; runtimes that are missing or not positive are not looked at."""
    groups: dict[tuple[object, ...], list[float]] = {}
    anchors: dict[str, list[tuple[float, float]]] = {}
    visits = 0
    for row in rows:
        runtime = row.values.get("runtime_ms")
        if runtime is None or not 0 < runtime < math.inf:
            continue
        visits += 1
        if is_anchor(row):
            order = row.values.get("order")
            place = float(row.number if order is None else order)
            anchors.setdefault(run_of(row), []).append((place, runtime))
        else:
            key = tuple(row.values.get(name) for name in CONFIGURATION_COLUMNS)
            groups.setdefault(key, []).append(runtime)
    series = [Series.of([value for _, value in sorted(own)]) for own in anchors.values()]
    spreads = sorted(max(g) / min(g) - 1 for g in groups.values() if len(g) > 1)
    every = [runtime for own in anchors.values() for _, runtime in own]
    scatters = [one.cv for one in series if one.cv is not None]
    drifts = [one.drift for one in series if one.drift is not None]
    return Repeatability(
        visits=visits,
        configurations=len(groups),
        repeated=len(spreads),
        anchors=len(every),
        anchor_median_ms=statistics.median(every) if every else None,
        anchor_cv=math.sqrt(statistics.fmean(cv**2 for cv in scatters)) if scatters else None,
        anchor_drift=max(drifts, key=abs) if drifts else None,
        spread_median=quantile(spreads, 0.5) if spreads else None,
        spread_p90=quantile(spreads, 0.9) if spreads else None,
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
