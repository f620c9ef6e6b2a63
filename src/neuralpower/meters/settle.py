"""What a sensor's lag, a warming die and an unlucky phase do to a mean, and what can be undone."""

from __future__ import annotations

import math
from collections.abc import Sequence

from neuralpower.core.statistics import student_t

Publication = tuple[int, float]

#: Publications of a slow average that hold less than this share of the new load are not used.
_LEAST_SHARE = 0.25
_BINS = 8
#: Filled bins (of eight) below which a load's period is not covered.
LEAST_BINS = 6


def settled_power(
    published: Sequence[Publication],
    t_start_ns: int,
    tau_s: float = 1.0,
    previous_w: float | None = None,
) -> tuple[float | None, float | None]:
    """Power that a load settles to, from publications that still rise, and its 95 % half-width.

    First-order model p(t) = P - A exp(-(t - t_start) / tau) with the calibrated ``tau_s`` (about
    1 s: the die's temperature), fitted by least squares. Where A is not significant (5 %) the
    series has settled and the answer is its mean: a settled series is left alone. So is one that
    comes from the wrong side of ``previous_w``, the power before ``t_start_ns``: that is no
    settling. ``None`` for fewer than 3 publications.
    """
    n = len(published)
    if n < 3:
        return None, None
    values = [value for _, value in published]
    decay = [math.exp(-(t - t_start_ns) / 1e9 / tau_s) for t, _ in published]
    mean, middle = math.fsum(values) / n, math.fsum(decay) / n
    spread = math.fsum((d - middle) ** 2 for d in decay)
    deviation = math.fsum((v - mean) ** 2 for v in values)
    if n < 4 or spread < 1e-12:
        return mean, _half(deviation, n - 1, n)
    slope = math.fsum((d - middle) * (v - mean) for d, v in zip(decay, values, strict=True))
    slope /= spread
    left = max(deviation - slope**2 * spread, 0.0)
    error = math.sqrt(left / (n - 2) / spread)
    if abs(slope) <= student_t(n - 2) * error:
        return mean, _half(deviation, n - 1, n)
    settled = mean - slope * middle
    if previous_w is not None and slope * (previous_w - settled) < 0:
        return mean, _half(deviation, n - 1, n)
    half = student_t(n - 2) * math.sqrt(left / (n - 2) * (1 / n + middle**2 / spread))
    return settled, half


def _half(squares: float, freedom: int, n: int) -> float:
    return student_t(freedom) * math.sqrt(squares / freedom / n)


def without_predecessor(
    published: Sequence[Publication], t_start_ns: int, averaging_ns: int, previous_w: float
) -> list[Publication]:
    """Publications of a slow average with the load before ``t_start_ns`` taken out.

    An average over W holds a share f = (t - t_start) / W of the new load: p = f P + (1 - f) P0.
    Publications with f below a quarter are dropped, those with f >= 1 stay as they are.
    """
    found: list[Publication] = []
    for t, value in published:
        share = (t - t_start_ns) / averaging_ns
        if share >= 1:
            found.append((t, value))
        elif share >= _LEAST_SHARE:
            found.append((t, (value - (1 - share) * previous_w) / share))
    return found


def phase_bins(times_ns: Sequence[int], period_ns: float) -> int:
    """How many eighths of a load's period the publications fall into.

    A load of 50 % duty whose period is near the sensor's publishes its high part only, or its low
    part only, for seconds on end.
    """
    return len({int(t % period_ns / period_ns * _BINS) % _BINS for t in times_ns})
