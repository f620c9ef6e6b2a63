"""Figures of a measurement page: the sensor, raw power of visits, anchors, repeats, intervals."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from neuralpower.core.cells import Row
from neuralpower.networks.text import number
from neuralpower.records.raw_windows import RawWindow
from neuralpower.reporting.charts import (
    LINE,
    QUIET,
    Axis,
    Chart,
    Picture,
    Plane,
    Point,
    colour,
    panels,
)
from neuralpower.reporting.ticks import thinned

_PUBLISHED, _MEAN, _SETTLE, _WINDOW = colour(0), colour(1), colour(7), colour(2)
#: A chart of which two stand side by side, and the box of its plane.
_SIZE, _BOX = (352.0, 232.0), (54.0, 26.0, 344.0, 188.0)


@dataclass(frozen=True, slots=True)
class ChosenWindow:
    """A visit whose raw power is shown: why it was chosen, its mean and half-width in watts."""

    why: str
    window: RawWindow
    mean_w: float
    half_width_w: float | None


def _plane(x: Axis, y: Axis, title: str = "") -> Plane:
    return Chart(*_SIZE).plane(x, y, _BOX, title)


def step_response(steps: Sequence[Row]) -> Picture | None:
    """Publications of the sensor around a step from idle to a heavy load and on to a light one."""
    series = [(n, step["published"]) for n, step in enumerate(steps) if step.get("published")]
    if not series:
        return None
    every = [(ms, watts) for _, points in series for ms, watts in points]
    top = max(watts for _, watts in every) * 1.08
    end = max(ms for ms, _ in every) / 1000
    near = (-0.2, min(1.2, end))
    drawn = {}
    for title, ends in (("idle, heavy load, light load", (-1.0, end)), ("around the step", near)):
        plane = _plane(
            Axis(ends, "s after the step", log=False), Axis((0.0, top), "W", log=False), title
        )
        for n, points in series:
            inside = [(ms / 1000, w) for ms, w in points if ends[0] <= ms / 1000 <= ends[1]]
            plane.steps(inside, colour(n))
            plane.cloud(inside, colour(n))
        plane.upright(0.0)
        drawn[title] = plane.chart
    caption = (
        "Each dot is a publication of the sensor (a poll that brought a new value), held until the "
        "next; the dashed line is when the heavy load began. "
        + ("Two steps, a colour each. " if len(series) > 1 else "")
        + "From characterise.json: period, rise and noise are computed from these."
    )
    return panels("step-response", "Power around a step of the load", caption, drawn)


def raw_power(chosen: Sequence[ChosenWindow]) -> Picture | None:
    """Samples, publications, settling, window and mean of chosen visits, a panel each."""
    if not chosen:
        return None
    caption = (
        "Raw samples (grey line, every poll), publications in the window (dots), the mean (line) "
        "with its 95 % half-width within the window (band). Shaded: settling (grey), then the "
        "window that counts (green). From the logs in power/; the axis of power does not start "
        "at 0."
    )
    drawn = {one.why: _raw_panel(one) for one in chosen}
    return panels("raw-power", "Raw power of chosen visits", caption, drawn)


def _raw_panel(one: ChosenWindow) -> Chart:
    window, raw = one.window, one.window.raw
    seconds = [(t - window.start_ns) / 1e9 for t in raw.t_ns]
    pairs = [(s, p) for s, p in zip(seconds, raw.power_w, strict=False) if p is not None]
    t0, t1 = ((t - window.start_ns) / 1e9 for t in (window.t0_ns, window.t1_ns))
    # What was before may be far off: the axis is of what the visit itself drew.
    own = [p for s, p in pairs if min(0.3, t0) <= s <= t1] or [p for _, p in pairs]
    half = one.half_width_w or 0.0
    values = [*own, one.mean_w - half, one.mean_w + half]
    room = max((max(values) - min(values)) * 0.25, one.mean_w * 0.002)
    plane = _plane(
        Axis((seconds[0], seconds[-1]), "s after the replays began", log=False),
        Axis((min(values) - room, max(values) + room), "W", log=False, most=4),
        one.why,
    )
    plane.span(0.0, t0, _SETTLE)
    plane.span(t0, t1, _WINDOW)
    for pause in window.pauses:
        start, stop = ((t - window.start_ns) / 1e9 for t in pause)
        plane.span(start, stop, _SETTLE)
    low, high = one.mean_w - half, one.mean_w + half
    plane.band([(t0, low), (t1, low), (t1, high), (t0, high)], _MEAN)
    plane.steps(pairs, QUIET)
    plane.line([(t0, one.mean_w), (t1, one.mean_w)], _MEAN)
    published = [((t - window.start_ns) / 1e9, p) for t, p in window.published]
    plane.cloud(published, _PUBLISHED)
    return plane.chart


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
    last = max(order for own in series.values() for order, _ in own)
    drawn = {}
    for label, values in kinds:
        every = [v for own in values.values() for _, v in own]
        room = max(0.15 * (max(every) - min(every)), 0.004 * max(every))
        plane = _plane(
            Axis((-0.02 * last, max(1.02 * last, 1.0)), "place in the run", log=False),
            Axis((min(every) - room, max(every) + room), log=False),
            label,
        )
        for n, (_, own) in enumerate(sorted(values.items())):
            plane.cloud(own, colour(n))
            plane.line(_smoothed(sorted(own)), colour(n))
        drawn[label] = plane.chart
    caption = (
        "Each dot is a visit of the anchor, a fixed layer that is visited throughout; the line is "
        "the median of five neighbours. Its scatter is what two visits of one layer differ by at "
        "least; its slope is the machine's drift."
        + (" A colour for each run." if len(series) > 1 else "")
        + " From the rows with repeat 100 and up. Neither axis of values starts at 0."
    )
    return panels("anchors", "The anchor's visits over the run", caption, drawn)


def _smoothed(ordered: Sequence[tuple[float, float]]) -> list[Point]:
    values = [value for _, value in ordered]
    return [
        (place, statistics.median(values[max(0, i - 2) : i + 3]))
        for i, (place, _) in enumerate(ordered)
    ]


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
    ys = [y for _, y in known]
    middle: dict[int, list[Point]] = {}
    for x, y in known:
        middle.setdefault(math.floor(2 * math.log10(x)), []).append((x, y))
    medians = [
        (statistics.median(x for x, _ in own), statistics.median(y for _, y in own))
        for _, own in sorted(middle.items())
        if len(own) >= 3
    ]
    kept = [known[i] for i in thinned(len(known), _MOST)]
    count = f"{len(known)} dots" + (f", {len(kept)} of them drawn" if kept != known else "")
    chart = Chart(560, 260 + 2 * LINE)
    plane = chart.plane(
        Axis((0.8 * known[0][0], 1.25 * known[-1][0]), "runtime, ms", most=6),
        Axis((0.8 * min(ys), 1.25 * max(ys)), label),
        (58, 26, 548, 246),
        f"{count}; median {number(statistics.median(ys))} %",
    )
    plane.cloud(kept, colour(0))
    plane.line(medians, colour(1))
    plane.dots([(x, y, f"about {number(x)} ms: {number(y)} %") for x, y in medians], colour(1))
    return chart.picture(id, label, caption)
