"""Figures of a measurement page: the sensor, raw power of visits, anchors, repeats, intervals."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from neuralpower.records.raw_windows import RawWindow
from neuralpower.reporting.plots import (
    QUIET,
    SERIES,
    Picture,
    dots,
    linear_axis,
    log_axis,
    new_figure,
    picture,
    title,
)

_SAMPLE, _PUBLISHED, _MEAN, _SETTLE, _WINDOW = QUIET, SERIES[0], SERIES[1], SERIES[7], SERIES[2]


@dataclass(frozen=True, slots=True)
class ChosenWindow:
    """A visit whose raw power is shown: why it was chosen, its mean and half-width in watts."""

    why: str
    window: RawWindow
    mean_w: float
    half_width_w: float | None


def step_response(steps: Sequence[Mapping[str, Any]]) -> Picture | None:
    """Publications of the sensor around a step from idle to a heavy load and on to a light one."""
    series = [(n, step["published"]) for n, step in enumerate(steps) if step.get("published")]
    if not series:
        return None
    drawn, (whole, near) = new_figure(1, 2, height=2.9, between=0.75, left=0.65)
    every = [(ms, watts) for _, points in series for ms, watts in points]
    top = max(watts for _, watts in every) * 1.08
    end = max(ms for ms, _ in every) / 1000
    for axes, ends in ((whole, (-1.0, end)), (near, (-0.2, min(1.2, end)))):
        linear_axis(axes, "x", ends)
        linear_axis(axes, "y", (0.0, top))
        for n, points in series:
            inside = [(ms / 1000, w) for ms, w in points if ends[0] <= ms / 1000 <= ends[1]]
            times, watts = [t for t, _ in inside], [w for _, w in inside]
            axes.step(times, watts, where="post", color=SERIES[n], linewidth=0.7, alpha=0.6)
            dots(axes, times, watts, SERIES[n], 2.8)
        axes.axvline(0, color=QUIET, linewidth=0.8, linestyle=(0, (3, 2)))
        axes.set_xlabel("s after the step")
    whole.set_ylabel("W")
    title(whole, "idle, heavy load, light load")
    title(near, "around the step")
    caption = (
        "Each dot is a publication of the sensor (a poll that brought a new value), held until the "
        "next; the dashed line is when the heavy load began. "
        + ("Two steps, a colour each. " if len(series) > 1 else "")
        + "From characterise.json: period, rise and noise are computed from these."
    )
    return picture(drawn, "step-response", "Power around a step of the load", caption)


def raw_power(chosen: Sequence[ChosenWindow]) -> Picture | None:
    """Samples, publications, settling, window and mean of chosen visits, a panel each."""
    if not chosen:
        return None
    rows = math.ceil(len(chosen) / 2)
    columns = min(2, len(chosen))
    drawn, panels = new_figure(
        rows, columns, height=0.85 + 2.35 * rows, between=0.75, below=0.85, left=0.65, top=0.35
    )
    for axes, one in zip(panels, chosen, strict=False):
        _raw_panel(axes, one)
    for axes in panels[len(chosen) :]:
        axes.set_visible(False)
    for axes in panels[::columns]:
        axes.set_ylabel("W")
    caption = (
        "Raw samples (grey line, every poll), publications in the window (dots), the mean (line) "
        "with its 95 % half-width within the window (band). Shaded: settling (grey), then the "
        "window that counts (green). From the logs in power/; the axis of power does not start "
        "at 0."
    )
    return picture(drawn, "raw-power", "Raw power of chosen visits", caption)


def _raw_panel(axes: Any, one: ChosenWindow) -> None:
    window, raw = one.window, one.window.raw
    seconds = [(t - window.start_ns) / 1e9 for t in raw.t_ns]
    pairs = [(s, p) for s, p in zip(seconds, raw.power_w, strict=False) if p is not None]
    t0, t1 = ((t - window.start_ns) / 1e9 for t in (window.t0_ns, window.t1_ns))
    # What was before may be far off: the axis is of what the visit itself drew.
    own = [p for s, p in pairs if min(0.3, t0) <= s <= t1] or [p for _, p in pairs]
    half = one.half_width_w or 0.0
    values = [*own, one.mean_w - half, one.mean_w + half]
    room = max((max(values) - min(values)) * 0.25, one.mean_w * 0.002)
    linear_axis(axes, "x", (seconds[0], seconds[-1]), 5)
    linear_axis(axes, "y", (min(values) - room, max(values) + room), 4)
    axes.axvspan(0.0, t0, color=_SETTLE, alpha=0.14, linewidth=0)
    axes.axvspan(t0, t1, color=_WINDOW, alpha=0.14, linewidth=0)
    for pause in window.pauses:
        span = ((t - window.start_ns) / 1e9 for t in pause)
        axes.axvspan(*span, color=_SETTLE, alpha=0.3, linewidth=0)
    low, high = one.mean_w - half, one.mean_w + half
    axes.fill_between([t0, t1], low, high, color=_MEAN, alpha=0.3, linewidth=0)
    axes.step(
        [s for s, _ in pairs], [p for _, p in pairs], where="post", color=_SAMPLE, linewidth=0.8
    )
    axes.plot([t0, t1], [one.mean_w] * 2, color=_MEAN, linewidth=1.4)
    published = [((t - window.start_ns) / 1e9, p) for t, p in window.published]
    dots(axes, [s for s, _ in published], [p for _, p in published], _PUBLISHED, 3.6)
    title(axes, one.why)
    axes.set_xlabel("s after the replays began")


def anchors(
    series: Mapping[str, Sequence[tuple[float, float]]],
    powers: Mapping[str, Sequence[tuple[float, float]]],
) -> Picture | None:
    """The anchor's runtime, and its power, over the run; ``series``: run -> (order, value)."""
    if not any(len(own) > 1 for own in series.values()):
        return None
    kinds = [("runtime, ms", series)]
    if any(len(own) > 1 for own in powers.values()):
        kinds.append(("power, W", powers))
    drawn, panels = new_figure(1, len(kinds), height=2.9, between=0.8, left=0.7)
    last = max(order for own in series.values() for order, _ in own)
    for axes, (label, values) in zip(panels, kinds, strict=True):
        linear_axis(axes, "x", (-0.02 * last, max(1.02 * last, 1.0)))
        every = [v for own in values.values() for _, v in own]
        room = max(0.15 * (max(every) - min(every)), 0.004 * max(every))
        linear_axis(axes, "y", (min(every) - room, max(every) + room))
        for n, (_, own) in enumerate(sorted(values.items())):
            colour = SERIES[n % len(SERIES)]
            ordered = sorted(own)
            dots(axes, [o for o, _ in ordered], [v for _, v in ordered], colour, 3.0)
            axes.plot(*_smoothed(ordered), color=colour, linewidth=1.2)
        axes.set_xlabel("place in the run")
        title(axes, label)
    caption = (
        "Each dot is a visit of the anchor, a fixed layer that is visited throughout; the line is "
        "the median of five neighbours. Its scatter is what two visits of one layer differ by at "
        "least; its slope is the machine's drift."
        + (" A colour a run." if len(series) > 1 else "")
        + " From the rows with repeat 100 and up. Neither axis of values starts at 0."
    )
    return picture(drawn, "anchors", "The anchor's visits over the run", caption)


def _smoothed(ordered: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    places = [order for order, _ in ordered]
    values = [value for _, value in ordered]
    medians = [statistics.median(values[max(0, i - 2) : i + 3]) for i in range(len(values))]
    return places, medians


def repeat_spread(points: Sequence[tuple[float, float]]) -> Picture | None:
    """Spread of a configuration's visits (slowest over fastest, less 1) against its runtime."""
    caption = (
        "Each dot is a configuration with two or more visits: slowest over fastest, less 1, "
        "against its median runtime; the line is the median in each half decade. Anchors are not "
        "among them. From the layer tables."
    )
    return _by_size(points, "repeat-spread", "spread of the visits, %", caption)


def interval_widths(points: Sequence[tuple[float, float]]) -> Picture | None:
    """Half-width of the runtime's interval within a visit against the runtime."""
    caption = (
        "Each dot is a visit: half of its 95 % order-statistic interval over its median runtime; "
        "the line is the median in each half decade. It says how well a visit knows its own "
        "median, not how well the next one repeats it. From runtime_ms_lo and runtime_ms_hi."
    )
    return _by_size(points, "interval-widths", "half-width of a visit's interval, %", caption)


#: Dots of a figure at most; medians are of all.
_MOST = 600


def _by_size(
    points: Sequence[tuple[float, float]], id: str, label: str, caption: str
) -> Picture | None:
    """``points``: runtime in ms and a share of 1; drawn in per cent on logarithmic axes."""
    known = sorted((x, 100 * y) for x, y in points if x > 0 and y > 0 and math.isfinite(x + y))
    if len(known) < 3:
        return None
    drawn, (axes,) = new_figure(height=3.0, left=0.75)
    xs, ys = [x for x, _ in known], [y for _, y in known]
    log_axis(axes, "x", (0.8 * xs[0], 1.25 * xs[-1]), 6)
    log_axis(axes, "y", (0.8 * min(ys), 1.25 * max(ys)))
    every = -(-len(known) // _MOST)
    dots(axes, xs[::every], ys[::every], SERIES[0], 2.6)
    middle: dict[int, list[tuple[float, float]]] = {}
    for x, y in known:
        middle.setdefault(math.floor(2 * math.log10(x)), []).append((x, y))
    full = [own for _, own in sorted(middle.items()) if len(own) >= 3]
    axes.plot(
        [statistics.median(x for x, _ in own) for own in full],
        [statistics.median(y for _, y in own) for own in full],
        color=SERIES[1],
        linewidth=1.5,
        marker="o",
        markersize=3,
    )
    axes.set(xlabel="runtime, ms", ylabel=label)
    count = f"{len(known)} dots" + (f", one in {every} drawn" if every > 1 else "")
    title(axes, f"{count}; median {statistics.median(ys):.3g} %")
    return picture(drawn, id, label, caption)
