"""Power in a window of time, from a raw table of samples: one pure function for every meter.

A sensor publishes far less often than it can be polled, and most polls repeat the last value:
what counts is *publications*. Energy is differenced between the counter's own ticks, since between
two ticks a counter does not move.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from neuralpower.core.statistics import student_t

#: Publications below which a mean is not trusted (measurement protocol, section 4).
FEW_PUBLICATIONS = 12


@dataclass(frozen=True, slots=True)
class RawTable:
    """Samples in the order of time, as a meter recorded them; a missing reading is ``None``.

    ``t_ns``: when each was read. ``power_w``: the instantaneous field; ``average_w``: the slow
    average of some boards; ``energy_j``: the counter, ever increasing.
    """

    t_ns: Sequence[int]
    power_w: Sequence[float | None] = ()
    average_w: Sequence[float | None] = ()
    energy_j: Sequence[float | None] = ()


@dataclass(frozen=True, slots=True)
class WindowStats:
    """Power between ``t0_ns`` and ``t1_ns``; ``None`` where it is not known.

    ``mean_w``: mean of the publications (or of the energy, for a counter); ``half_width_w``: its
    95 % half-width within the window; ``slope_per_s``: relative drift; ``n_eff``: publications
    that are worth as much as independent ones; ``energy_j``: by the counter's ticks and
    ``energy_mean_w`` the power that it gives; ``average_w``: last value of the slow average.
    """

    t0_ns: int
    t1_ns: int
    mean_w: float | None = None
    half_width_w: float | None = None
    slope_per_s: float | None = None
    publications: int = 0
    n_eff: float | None = None
    energy_j: float | None = None
    energy_mean_w: float | None = None
    average_w: float | None = None
    flags: tuple[str, ...] = field(default=())


def window_stats(
    raw: RawTable,
    t0_ns: int,
    t1_ns: int,
    period_ns: int | None = None,
    few: int = FEW_PUBLICATIONS,
) -> WindowStats:
    """Power of ``raw`` between ``t0_ns`` and ``t1_ns``.

    ``period_ns``: the sensor's publication period, if known; a repeated value then counts as a
    new publication once a period has gone by and the counter has ticked.
    """
    flags: list[str] = []
    times, values = _valid(raw, raw.power_w, t0_ns, t1_ns)
    if values and all(value == 0 for value in values):
        flags.append("zero_reading")
        times, values = [], []
    elif any(value == 0 for value in values):
        flags.append("zero_reading")
        kept = [(t, v) for t, v in zip(times, values, strict=True) if v]
        times, values = [t for t, _ in kept], [v for _, v in kept]
    if _gap(raw, t0_ns, t1_ns, period_ns):
        flags.append("gap_in_samples")
    published = publications(raw, times, values, period_ns)
    mean = half = slope = n_eff = None
    if published:
        series = [value for _, value in published]
        mean = math.fsum(series) / len(series)
        n_eff = effective_number(series)
        half = _half_width(series, n_eff)
        slope = relative_slope(published)
        if len(series) < few:
            flags.append("few_publications")
    energy, energy_mean, counter_flag = edge_energy(raw, t0_ns, t1_ns)
    if raw.energy_j and counter_flag:
        flags.append(counter_flag)
    _, averages = _valid(raw, raw.average_w, t0_ns, t1_ns)
    if mean is None and not raw.power_w:
        mean, half = energy_mean, _counter_half_width(raw, t0_ns, t1_ns, energy_mean)
    return WindowStats(
        t0_ns=t0_ns,
        t1_ns=t1_ns,
        mean_w=mean,
        half_width_w=half,
        slope_per_s=slope,
        publications=len(published),
        n_eff=n_eff,
        energy_j=energy,
        energy_mean_w=energy_mean,
        average_w=averages[-1] if averages else None,
        flags=tuple(flags),
    )


def _valid(
    raw: RawTable, column: Sequence[float | None], t0_ns: int, t1_ns: int
) -> tuple[list[int], list[float]]:
    times: list[int] = []
    values: list[float] = []
    for t, value in zip(raw.t_ns, column, strict=False):
        if t0_ns <= t <= t1_ns and value is not None and math.isfinite(value):
            times.append(t)
            values.append(value)
    return times, values


def publications(
    raw: RawTable,
    times: Sequence[int],
    values: Sequence[float],
    period_ns: int | None,
) -> list[tuple[int, float]]:
    """The polls that brought something new: time and value of each publication.

    The first poll of the window repeats a publication from before it and is not counted unless
    it is the only one. A value that stays the same is new again when a period has gone by and the
    energy counter has ticked in it.
    """
    found: list[tuple[int, float]] = []
    ticks = _ticks(raw) if period_ns else []
    last_t: int | None = None
    for i, (t, value) in enumerate(zip(times, values, strict=True)):
        if i == 0:
            last_t = t
            continue
        changed = value != values[i - 1]
        if not changed and period_ns and last_t is not None and t - last_t >= 1.15 * period_ns:
            changed = any(last_t < tick <= t for tick, _ in ticks)
        if changed:
            found.append((t, value))
            last_t = t
    if not found and values:
        found.append((times[0], values[0]))
    return found


def _gap(raw: RawTable, t0_ns: int, t1_ns: int, period_ns: int | None) -> bool:
    """True when the polling paused for longer than five periods (half a second if not known)."""
    inside = [t0_ns, *(t for t in raw.t_ns if t0_ns <= t <= t1_ns), t1_ns]
    if not raw.power_w or len(inside) == 2:
        return False
    limit = 5 * period_ns if period_ns else 500_000_000
    return any(b - a > limit for a, b in itertools.pairwise(inside))


def _ticks(raw: RawTable) -> list[tuple[int, float]]:
    """Where the counter moved: time of the poll and its new value (the first value included)."""
    found: list[tuple[int, float]] = []
    for t, value in zip(raw.t_ns, raw.energy_j, strict=False):
        if value is not None and (not found or value != found[-1][1]):
            found.append((t, value))
    return found


def edge_energy(raw: RawTable, t0_ns: int, t1_ns: int) -> tuple[float | None, float | None, str]:
    """Energy (J) of the window and mean power (W) by the counter's ticks, and a flag or "".

    The power is taken between the first and the last tick inside the window and held for its
    whole length. Less than two ticks, or a counter that ran backwards, give nothing.
    """
    ticks = _ticks(raw)
    inside = [(t, value) for t, value in ticks[1:] if t0_ns <= t <= t1_ns]
    if len(inside) < 2:
        return None, None, "counter_missing"
    if any(b[1] < a[1] for a, b in itertools.pairwise(inside)):
        return None, None, "counter_reset"
    (ta, ea), (tb, eb) = inside[0], inside[-1]
    mean = (eb - ea) / ((tb - ta) / 1e9)
    if mean <= 0:
        return None, None, "counter_missing"
    return mean * (t1_ns - t0_ns) / 1e9, mean, ""


def effective_number(series: Sequence[float]) -> float:
    """Independent values that a series is worth: n (1 - r) / (1 + r), r its lag-1 correlation.

    A negative r is taken as 0: the interval never shrinks below that of independent values.
    """
    n = len(series)
    if n < 3:
        return float(n)
    mean = math.fsum(series) / n
    deviations = [value - mean for value in series]
    power = math.fsum(d * d for d in deviations)
    if power == 0:
        return float(n)
    lagged = math.fsum(a * b for a, b in itertools.pairwise(deviations))
    # The estimate of r is biased by about -1/n (Kendall 1954): put it back.
    r = min(max(lagged / power + 1 / n, 0.0), 0.95)
    return max(1.0, n * (1 - r) / (1 + r))


def _half_width(series: Sequence[float], n_eff: float) -> float | None:
    n = len(series)
    if n < 3:
        return None
    mean = math.fsum(series) / n
    variance = math.fsum((value - mean) ** 2 for value in series) / (n - 1)
    return student_t(n - 1) * math.sqrt(variance / n_eff)


def relative_slope(published: Sequence[tuple[int, float]]) -> float | None:
    """Least-squares slope of the publications over their mean, a second; ``None`` below three."""
    if len(published) < 3:
        return None
    start = published[0][0]
    times = [(t - start) / 1e9 for t, _ in published]
    values = [value for _, value in published]
    mean = statistics.fmean(values)
    if mean == 0 or times[0] == times[-1]:
        return None
    return statistics.linear_regression(times, values).slope / mean


def _counter_half_width(raw: RawTable, t0_ns: int, t1_ns: int, mean: float | None) -> float | None:
    """The resolution of a counter: a tick is seen up to one poll late at either end."""
    inside = [t for t, _ in _ticks(raw)[1:] if t0_ns <= t <= t1_ns]
    if mean is None or len(inside) < 3:
        return None
    span = inside[-1] - inside[0]
    step = span / (len(inside) - 1)
    return mean * step / span


#: What the publications of one window cannot show: unexplained steps of up to 0.9 % that last
#: about 1.5 s, seen on boards under a constant load (measured against an external meter).
BOARD_STEPS = 0.005


def stated_half_width(stats: WindowStats) -> float | None:
    """The 95 % half-width (W) of a window as it is reported, the board's gain apart."""
    if stats.mean_w is None or stats.half_width_w is None:
        return None
    return math.hypot(stats.half_width_w, BOARD_STEPS * stats.mean_w)
