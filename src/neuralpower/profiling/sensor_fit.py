"""A sensor's period, averaging window and time constant, by least squares on what it published.

The model of the sensor is that of Yang, Adamek and Armour (SC'24): every T it publishes the mean of
the power over the last W.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

#: Time (ns) and watts of a publication; of the load: when it was switched on and off (ns).
Publication = tuple[int, float]
Span = tuple[int, int]

#: Share of the load's step that is left unexplained, above which a fit is none.
_MISFIT = 0.12
#: A settling smaller than this share of the level cannot be seen in noise.
_LEAST_AMPLITUDE = 0.003


def fitted_period_ns(published: Sequence[Publication], guess_ns: float) -> float | None:
    """The period from the slope of publication times over their number; ``None`` below eight.

    Polls see a publication up to one poll late: single gaps are as coarse as the polling, the
    slope over n of them is not. ``guess_ns``: of the median gap; it says how many periods lie
    in a gap.
    """
    if len(published) < 8:
        return None
    times = np.array([t for t, _ in published], dtype=float)
    period = float(guess_ns)
    # Numbers counted with a wrong period drift off: the better period counts anew.
    for _ in range(4):
        numbers = np.concatenate(
            [[0.0], np.cumsum(np.maximum(np.round(np.diff(times) / period), 1))]
        )
        period = float(np.polyfit(numbers, times - times[0], 1)[0])
    return period


@dataclass(frozen=True, slots=True)
class Window:
    """An averaging window: ``misfit`` is the root mean square of what is left, over the step."""

    window_ns: float
    misfit: float


def fitted_window(
    published: Sequence[Publication],
    loads: Sequence[Span],
    levels_w: tuple[float, float],
    period_ns: float,
) -> Window | None:
    """The averaging window W, from publications while a load was switched on and off in ``loads``.

    ``levels_w``: idle and load, known. Least squares over W (to 1.2 periods) and the phase of the
    sensor, which publishes at phase + k T; ``None`` where the load does not show in the readings
    or no window explains them.
    """
    idle, load = levels_w
    if len(published) < 16 or not loads or load <= 1.05 * idle:
        return None
    times = np.array([t for t, _ in published], dtype=float)
    origin = times[0]
    shares = (np.array([w for _, w in published]) - idle) / (load - idle)
    if float(np.std(shares)) < 0.1:
        # A window of whole periods reads every phase alike.
        return None
    edges = np.array([edge for span in loads for edge in span], dtype=float) - origin
    # Seconds that the load was on until each edge.
    on = np.concatenate(
        [[0.0], np.cumsum(np.where(np.arange(len(edges) - 1) % 2 == 0, np.diff(edges), 0.0))]
    )
    numbers = np.round((times - origin) / period_ns)

    def misfit(window: float, phase: float) -> float:
        ends = phase + numbers * period_ns
        seen = (np.interp(ends, edges, on) - np.interp(ends - window, edges, on)) / window
        return float(np.sqrt(np.mean((seen - shares) ** 2)))

    best = (math.inf, 0.0, 0.0)
    steps = 48
    grid = [
        (window, phase)
        for window in np.linspace(0.02, 1.2, 60) * period_ns
        for phase in np.linspace(-1.0, 0.25, steps, endpoint=False) * period_ns
    ]
    for window, phase in grid:
        best = min(best, (misfit(window, phase), window, phase))
    reach = (0.02 * period_ns, 1.25 * period_ns / steps)
    for _ in range(12):
        _, window, phase = best
        for a in (-1.0, -0.5, 0.0, 0.5, 1.0):
            for b in (-1.0, -0.5, 0.0, 0.5, 1.0):
                near = max(window + a * reach[0], 0.005 * period_ns)
                best = min(best, (misfit(near, phase + b * reach[1]), near, phase + b * reach[1]))
        reach = (reach[0] / 2, reach[1] / 2)
    left, window, _ = best
    return Window(float(window), left) if left <= _MISFIT else None


def fitted_time_constant_s(
    published: Sequence[Publication], start_ns: int, after_s: float
) -> float | None:
    """The time constant of p(t) = level - amplitude exp(-t / tau), t from the start of a load.

    Least squares over (tau, level, amplitude), on publications from ``after_s`` on, where nothing
    of the load before is in a reading. ``None`` where the amplitude is not significant (5 %, F
    test against a constant level) or below 0.3 % of the level, or tau is not within the series.
    """
    points = [((t - start_ns) / 1e9, w) for t, w in published if t - start_ns >= after_s * 1e9]
    if len(points) < 12:
        return None
    t = np.array([a for a, _ in points])
    p = np.array([w for _, w in points])
    span = float(t[-1] - t[0])
    flat = float(np.sum((p - p.mean()) ** 2))

    def fit(tau: float) -> tuple[float, float, float]:
        """What is left, level and amplitude for a time constant."""
        rows = np.stack([np.ones_like(t), -np.exp(-t / tau)], axis=1)
        (level, amplitude), *_ = np.linalg.lstsq(rows, p, rcond=None)
        return float(np.sum((rows @ [level, amplitude] - p) ** 2)), float(level), float(amplitude)

    taus = np.geomspace(0.05, 4 * span, 80)
    tau = float(min(taus, key=lambda x: fit(float(x))[0]))
    for width in (1.1, 1.04, 1.015, 1.006, 1.002):
        tau = float(min(np.geomspace(tau / width, tau * width, 9), key=lambda x: fit(float(x))[0]))
    left, level, amplitude = fit(tau)
    # Two more parameters: F(2, n - 3) at 5 % is 3.9 for n = 15 and falls to 3.0.
    significant = (flat - left) / 2 > 4.0 * left / (len(points) - 3)
    settled = amplitude * math.exp(-after_s / tau)
    if not significant or settled < _LEAST_AMPLITUDE * level or tau > 2 * span:
        return None
    return tau
