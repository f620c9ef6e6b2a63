"""How well a platform's visits repeat: the anchor's scatter and drift, the spread of repeats.

An anchor is the fixed reference layer of a run; its rows carry ``repeat`` >= 100. Pure Python:
the figures are asked for by light commands.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from neuralpower.columns import CONFIGURATION_COLUMNS
from neuralpower.measurements import Row

ANCHOR_REPEAT = 100


@dataclass(frozen=True, slots=True)
class Repeatability:
    """Figures of one set of visits; ``None`` where there are too few.

    ``anchor_cv``: standard deviation over mean of the anchor's runtimes; ``anchor_drift``: median
    of its last third over median of its first third, less 1; ``spread_median`` and ``spread_p90``
    over configurations with two or more visits: (slowest - fastest) / fastest.
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
    anchors: list[tuple[float, float]] = []
    visits = 0
    for row in rows:
        runtime = row.values.get("runtime_ms")
        if runtime is None or not 0 < runtime < math.inf:
            continue
        visits += 1
        if is_anchor(row):
            anchors.append((float(row.values.get("order") or row.number), runtime))
        else:
            key = tuple(row.values.get(name) for name in CONFIGURATION_COLUMNS)
            groups.setdefault(key, []).append(runtime)
    series = [runtime for _, runtime in sorted(anchors)]
    spreads = sorted(max(g) / min(g) - 1 for g in groups.values() if len(g) > 1)
    third = len(series) // 3
    return Repeatability(
        visits=visits,
        configurations=len(groups),
        repeated=len(spreads),
        anchors=len(series),
        anchor_median_ms=statistics.median(series) if series else None,
        anchor_cv=statistics.stdev(series) / statistics.mean(series) if len(series) > 1 else None,
        anchor_drift=(
            statistics.median(series[-third:]) / statistics.median(series[:third]) - 1
            if third
            else None
        ),
        spread_median=quantile(spreads, 0.5) if spreads else None,
        spread_p90=quantile(spreads, 0.9) if spreads else None,
    )


def quantile(ordered: Sequence[float], share: float) -> float:
    """The quantile of sorted values by linear interpolation (Hyndman and Fan's type 7)."""
    position = share * (len(ordered) - 1)
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (position - below) * (ordered[above] - ordered[below])
