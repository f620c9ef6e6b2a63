"""After how many measurements more will not help: a power law through a learning curve.

The error falls as ``scale * n ** -slope`` (Hestness et al., 2017), a straight line of logarithms,
fitted to the draws of every size by least squares. Its slope has a standard error; what twice as
many measurements would gain follows from both. A law without a floor promises too much rather than
too little, so that "will not help" is the safe half of what it says.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

#: Percentage points of the mean error that are not worth twice the measurements.
NOTHING = 1.0
#: 90 % of a normal distribution are within so many standard errors.
_DEVIATIONS = 1.645
#: Beyond so many times what was measured a line through a few points says nothing.
_MOST = 20.0


@dataclass(frozen=True)
class Outlook:
    """Of a family: how many configurations, the error (MAPE, %) there, and the law's slope."""

    family: str
    configurations: int
    error: float
    slope: float
    standard_error: float

    def gain(self, slope: float) -> float:
        """Percentage points that twice as many measurements take off; never negative."""
        return self.error * max(1.0 - math.exp2(-slope), 0.0)

    @property
    def ends(self) -> tuple[float, float]:
        """The 90 % range of what twice as many take off."""
        spread = _DEVIATIONS * self.standard_error
        return self.gain(self.slope - spread), self.gain(self.slope + spread)

    @property
    def enough(self) -> int | None:
        """Measurements from which twice as many gain less than ``NOTHING``; None if too far."""
        gain = self.gain(self.slope)
        if gain <= NOTHING:
            return self.configurations
        times = (gain / NOTHING) ** (1.0 / self.slope)
        return round(self.configurations * times) if times <= _MOST else None

    def text(self) -> str:
        """One sentence for people."""
        n, (low, high) = self.configurations, self.ends
        head = f"{self.family}: {n} layers, {self.error:.3g} % off on average"
        if high < NOTHING:
            return f"{head}; more will not help (twice as many: less than {NOTHING:g} point)"
        span = f"{low:.2g} to {high:.2g} points less"
        if low <= 0.0:
            return f"{head}; whether more would help cannot be seen yet (twice as many: {span})"
        if self.gain(self.slope) <= NOTHING:
            return f"{head}; more will hardly help (twice as many: {span})"
        until = f"more than about {_round(self.enough)}" if self.enough else "no end is in sight"
        end = f"{until} will not help" if self.enough else until
        return f"{head}; twice as many: {span}; {end}"


def _round(value: int | None) -> int:
    """Two digits: a law through a few points does not say more."""
    assert value is not None
    digits = max(len(str(value)) - 2, 0)
    return round(value, -digits)


def outlooks(rows: Iterable[Mapping[str, Any]]) -> list[Outlook]:
    """The outlook of every family from the rows of a learning curve of runtime.

    A curve of fewer than two sizes, or of two draws, says nothing.
    """
    points: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        size, error = float(row["configurations"]), float(row["mape"])
        if row["target"] == "runtime_ms" and size > 0 and error > 0:
            points.setdefault(row["family"], []).append((math.log(size), math.log(error)))
    return [
        found
        for family, pairs in sorted(points.items())
        if (found := _outlook(family, pairs)) is not None
    ]


def _outlook(family: str, pairs: list[tuple[float, float]]) -> Outlook | None:
    count = len(pairs)
    middle = sum(x for x, _ in pairs) / count
    square = sum((x - middle) ** 2 for x, _ in pairs)
    if count < 4 or square < 1e-9:
        return None
    level = sum(y for _, y in pairs) / count
    slope = -sum((x - middle) * (y - level) for x, y in pairs) / square
    rest = sum((y - level + slope * (x - middle)) ** 2 for x, y in pairs) / (count - 2)
    largest = max(x for x, _ in pairs)
    at_largest = [math.exp(y) for x, y in pairs if x == largest]
    return Outlook(
        family,
        round(math.exp(largest)),
        sum(at_largest) / len(at_largest),
        slope,
        math.sqrt(rest / square),
    )
