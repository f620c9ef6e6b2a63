"""Drift of a run, from its anchors: a smoothed curve, and what it takes out of other visits.

A reference layer is visited again and again; what its level does over the run is the board's
drift. The curve is smoothed, since single anchors are noisy, and it is flat unless
a bent one foretells anchors that it has not seen better (measurement protocol, section 5).
"""

from __future__ import annotations

import math
import statistics
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

#: Place in the run (order or time) and level (ms or W) of an anchor or another visit.
Point = tuple[float, float]

#: With fewer anchors drift cannot be seen in noise.
LEAST_ANCHORS = 5
#: Shares of the anchors that a local line is drawn through.
_SPANS = (1.0, 0.75, 0.5, 0.35)
#: A bent curve must foretell left-out anchors this much better than a flat one.
_GAIN = 0.9


@dataclass(frozen=True, slots=True)
class AnchorCurve:
    """The anchors' level over the run. ``smoothed``: the logarithm of the curve at each of them.
    ``span``: share of the anchors behind each point of it, 0 for a flat one. ``residual``: root
    of the mean square of what is left, relative.
    """

    anchors: tuple[Point, ...]
    smoothed: tuple[float, ...]
    span: float
    middle: float
    residual: float

    def level(self, place: float) -> float:
        """The smoothed level at a place: lines between the anchors, level beyond them."""
        if not self.span:
            return self.middle
        right = bisect_right(self.anchors, place, key=lambda anchor: anchor[0])
        if right in (0, len(self.anchors)):
            return math.exp(self.smoothed[min(right, len(self.anchors) - 1)])
        (low, _), (high, _) = self.anchors[right - 1 : right + 1]
        before, after = self.smoothed[right - 1 : right + 1]
        return math.exp(before + (place - low) / (high - low) * (after - before))

    def factor(self, place: float) -> float:
        """The level at a place over that in the middle of the run: what drift multiplies by."""
        return self.level(place) / self.middle

    def corrected(self, place: float, value: float) -> float:
        """A value without the drift."""
        return value / self.factor(place)


def anchor_curve(anchors: Sequence[Point]) -> AnchorCurve | None:
    """The curve through anchors; ``None`` for fewer than five.

    Local lines in the logarithm of the level, with tricube weights over the nearest anchors
    (loess: Cleveland 1979). The span is the one that best foretells each anchor from the others,
    and no span at all, a flat curve, unless that is better by a tenth. Levels must be positive.
    """
    known = sorted((place, level) for place, level in anchors if level > 0)
    if len(known) < LEAST_ANCHORS or known[0][0] == known[-1][0]:
        return None
    points = _logs(known)
    flat = _left_out(points, lambda rest, _: statistics.median(level for _, level in rest))
    errors = {
        span: _left_out(points, lambda rest, place, s=span: _local_line(rest, place, s))  # type: ignore[misc]
        for span in _SPANS
    }
    best = min(errors, key=lambda span: errors[span])
    span = best if errors[best] < _GAIN * flat else 0.0
    if span:
        levels = [_local_line(points, place, span) for place, _ in points]
    else:
        levels = [statistics.median(level for _, level in points)] * len(points)
    squares = [(level - smooth) ** 2 for (_, level), smooth in zip(points, levels, strict=True)]
    return AnchorCurve(
        anchors=tuple(known),
        smoothed=tuple(levels),
        span=span,
        middle=math.exp(statistics.median(levels)),
        residual=math.sqrt(statistics.fmean(squares)),
    )


def _logs(points: Sequence[Point]) -> list[Point]:
    return [(place, math.log(level)) for place, level in points]


def _left_out(
    points: Sequence[Point], foretell: Callable[[Sequence[Point], float], float]
) -> float:
    """Root of the mean square error of each inner point, foretold from the others."""
    squares = [
        (points[i][1] - foretell([*points[:i], *points[i + 1 :]], points[i][0])) ** 2
        for i in range(1, len(points) - 1)
    ]
    return math.sqrt(statistics.fmean(squares))


def _local_line(points: Sequence[Point], place: float, span: float) -> float:
    """The value at ``place`` of the weighted line through the nearest ``span`` of the points."""
    number = max(4, math.ceil(span * len(points)))
    near = sorted(points, key=lambda point: abs(point[0] - place))[:number]
    reach = 1.001 * max(abs(p - place) for p, _ in near) or 1.0
    weights = [(1 - (abs(p - place) / reach) ** 3) ** 3 for p, _ in near]
    total = math.fsum(weights)
    centre = math.fsum(w * p for w, (p, _) in zip(weights, near, strict=True)) / total
    mean = math.fsum(w * v for w, (_, v) in zip(weights, near, strict=True)) / total
    spread = math.fsum(w * (p - centre) ** 2 for w, (p, _) in zip(weights, near, strict=True))
    if spread == 0:
        return mean
    slope = math.fsum(w * (p - centre) * v for w, (p, v) in zip(weights, near, strict=True))
    return mean + slope / spread * (place - centre)
