"""The power sensor of a measurement page: what ``characterise`` found, and raw power of visits."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypedDict

from neuralpower.records.manifest import Manifest
from neuralpower.records.power_figures import BOARD_STEPS, idle_states, positive
from neuralpower.records.raw_windows import PowerLogs
from neuralpower.records.visits import Power, VisitRecord
from neuralpower.reporting import figures_power as figures
from neuralpower.reporting.charts import Picture
from neuralpower.reporting.tables import Column, Table, figure, per_cent, whole, word


class SensorSection(TypedDict):
    """What the page says of a sensor: sentences, facts by name, a figure, two tables."""

    words: list[str]
    facts: list[tuple[str, str]]
    step: Picture | None
    duty: Table | None
    meters: Table | None


class RawPowerSection(TypedDict):
    """Raw power of some visits: what is shown, its figure and its table."""

    text: str
    figure: Picture | None
    table: Table | None


def sensor_section(board: Mapping[str, object], manifest: Manifest) -> SensorSection:
    """Facts of the sensor from ``characterise.json`` and the manifest, with words and figures."""
    facts = _mapping(board.get("board"))
    steps = [_mapping(step) for step in _list(facts.get("steps"))]
    words = []
    reason = _mapping(board.get("power")).get("reason")
    if board and not facts and reason:
        words.append(f"characterise found no working sensor: {reason}.")
    if not board:
        words.append("The sensor itself was not characterised (no characterise.json here).")
    honest = facts.get("counter_integrates_all_time")
    if honest is not None:
        words.append(
            "The energy counter integrates all of the time: on loads that switch on and off it "
            "gives the energy that they took."
            if honest
            else "The energy counter does not give the energy that loads took which switch on and "
            "off: it is not an independent check of the power."
        )
    return {
        "words": words,
        "facts": [(name, text) for name, text in _facts(board, facts, steps, manifest) if text],
        "step": figures.step_response(steps),
        "duty": _duty(facts),
        "meters": _meters(board),
    }


def _facts(
    board: Mapping[str, object],
    facts: Mapping[str, object],
    steps: Sequence[Mapping[str, object]],
    manifest: Manifest,
) -> list[tuple[str, str]]:
    gain = manifest.power.u_gain if manifest.power else None
    warm = _mapping(facts.get("warm_up"))
    interference = _mapping(board.get("interference"))
    clock = _mapping(board.get("clock"))
    anchor = _mapping(board.get("anchor"))
    idle = [f"{watts:.4g} W {words}" for words, watts in idle_states(manifest)]
    return [
        ("Meter", manifest.meter or "" if manifest.meter != "none" else ""),
        ("Gain", f"known to about {gain:.0%}, the same at every load" if gain else ""),
        ("Publication period", _each(steps, "period_ms", "ms")),
        ("Averaging window", _unit(facts.get("averaging_window_ms"), "ms")),
        ("Rise to 90 % of a step", _each(steps, "rise_ms", "ms")),
        ("Time constant after the step", _each(steps, "tau_s", "s")),
        ("Noise from one publication to the next", _each(steps, "noise_relative_sd", "%", 100)),
        ("Idle, heavy load, light load", "; ".join(_levels(step) for step in steps)),
        ("Warm-up", _warmed(warm)),
        ("Warm-up before the run", "; ".join(_warmed(w) for w in manifest.warm_ups)),
        ("Idle in the run", "; ".join(idle)),
        *(
            (f"Sampler every {key[5:-3]} ms", f"a short graph runs slower by {_share(kind)}")
            for key, value in sorted(interference.items())
            if key.startswith("poll_") and (kind := _mapping(value).get("slower_by")) is not None
        ),
        ("Sampler's interference", str(interference.get("reason") or "")),
        ("Clock", _clock(clock)),
        ("A call by itself", _call(board.get("call_overhead_ms"))),
        ("Anchor, before the run", _anchor(anchor)),
        ("Beside a busy process", _busy(interference)),
    ]


def _warmed(shown: object) -> str:
    warm = _mapping(shown)
    if not warm:
        return ""
    converged = warm.get("converged")
    done = "not watched" if converged is None else "steady" if converged else "not steady"
    watts = positive(warm.get("power_w"))
    at = "" if watts is None else f" at {watts:.4g} W"
    return f"{done} after {_number(warm.get('seconds'))} s{at}"


def _levels(step: Mapping[str, object]) -> str:
    return ", ".join(f"{_number(step.get(name))} W" for name in ("idle_w", "heavy_w", "light_w"))


def _clock(clock: Mapping[str, object]) -> str:
    step, cost = clock.get("smallest_step_ns"), clock.get("median_reading_ns")
    return (
        "" if step is None else f"steps of {_number(step)} ns, a reading costs {_number(cost)} ns"
    )


def _call(overhead_ms: object) -> str:
    value = positive(overhead_ms)
    return "" if value is None else f"{_number(1000 * value)} us (the smallest layer)"


def _anchor(anchor: Mapping[str, object]) -> str:
    cv, middle = positive(anchor.get("cv")), positive(anchor.get("median_ms"))
    if cv is None or middle is None:
        return ""
    return f"{middle:.4g} ms, coefficient of variation {cv:.1%}"


def _busy(interference: Mapping[str, object]) -> str:
    slower = interference.get("slower_by")
    return "" if slower is None else f"the anchor runs slower by {_share(slower)}"


def _duty(facts: Mapping[str, object]) -> Table | None:
    loads = [_mapping(load) for load in _list(facts.get("duty_cycles"))]
    if not loads:
        return None
    rows = []
    for load in loads:
        expected = positive(load.get("expected_w"))
        read, counter = positive(load.get("publications_w")), positive(load.get("counter_w"))
        rows.append([
            figure(positive(load.get("period_ms"))), figure(expected), figure(read),
            figure(counter),
            per_cent(100 * (read / expected - 1) if read and expected else None),
            per_cent(100 * (counter / expected - 1) if counter and expected else None),
        ])  # fmt: skip
    columns = [Column("Period, ms"), Column("Expected W"), Column("Publications W"),
               Column("Counter W"), Column("Publications off by, %"),
               Column("Counter off by, %")]  # fmt: skip
    caption = (
        "Loads that are on for half of each period. Expected: on and idle power, weighted with the "
        "time that each took. A sensor that sees only a part of the time errs on such loads; a "
        "counter that integrates does not. From characterise.json."
    )
    return Table("duty", "On/off loads", caption, columns, rows)


def _meters(board: Mapping[str, object]) -> Table | None:
    meters = [_mapping(meter) for meter in _list(board.get("sensors"))]
    if not meters:
        return None
    rows = [
        [word(m.get("meter")), word("works" if m.get("available") else "not here"),
         word(m.get("reason") or m.get("domain"))]
        for m in meters
    ]  # fmt: skip
    columns = [Column("Meter", False), Column("State", False), Column("Why, or of what", False)]
    caption = "Power meters that were looked for. From characterise.json."
    return Table("meters", "Power meters", caption, columns, rows, sortable=False)


#: Visits are chosen by what they show, each once.
_REASONS = ("lowest power", "median power", "highest power", "widest interval", "flagged")


def raw_power_section(folder: Path, records: Sequence[VisitRecord]) -> RawPowerSection:
    """Raw power of some visits: the lowest, median and highest, the least sure, one flagged."""
    logs = PowerLogs(folder)
    if not logs.names:
        return {"text": "The folder holds no raw power logs.", "figure": None, "table": None}
    chosen = []
    rows = []
    for why, record in _choice(records):
        window = logs.window(record)
        if window is None:
            continue
        power, mean_w = record.power or Power(""), record.power_w or 0.0
        chosen.append(
            figures.ChosenWindow(f"{why}: {_what(record)}", window, mean_w, power.half_width_w)
        )
        slope = power.slope_per_s
        rows.append([
            word(why), word(_what(record)), word(record.visit), figure(mean_w, 4),
            per_cent(_relative(power.half_width_w, mean_w)),
            per_cent(_relative(_stated(power), mean_w)),
            whole(power.publications), per_cent(None if slope is None else 100 * slope),
            figure(power.settle_s), word(" ".join(record.flags)), word(_log(window.log)),
        ])  # fmt: skip
    if not chosen:
        text = "No raw power log covers a window that is recorded."
        return {"text": text, "figure": None, "table": None}
    text = (
        "The power of a visit is the mean of what the sensor published in its window, once the "
        "load had settled. Chosen: the visits with the lowest, the median and the highest power, "
        "the one with the widest interval, and one that is flagged, where there is one."
    )
    columns = [
        Column("Chosen as", False), Column("What", False), Column("Visit", False), Column("Mean W"),
        Column("Half-width within, %"), Column("Stated half-width, %"), Column("Publications"),
        Column("Slope, % a second"), Column("Settled, s"), Column("Flags", False),
        Column("Log", False),
    ]  # fmt: skip
    caption = (
        "Half-width: of the 95 % interval of the mean within the window. Stated: with "
        f"{BOARD_STEPS:.1%} for steps of a board under constant load that no window shows. The "
        "sensor's gain is apart."
    )
    table = Table("chosen", "Chosen visits", caption, columns, rows, sortable=False)
    return {"text": text, "figure": figures.raw_power(chosen), "table": table}


def _log(name: str) -> str:
    return name.partition("/")[2].removesuffix(".csv.gz")


def _choice(records: Sequence[VisitRecord]) -> list[tuple[str, VisitRecord]]:
    """Which visits to show and why; the same records give the same choice."""
    powered = [record for record in records if positive(record.power_w) is not None]
    ordered = sorted(powered, key=lambda r: (r.power_w or 0.0, r.order, r.visit))
    if not ordered:
        return []
    middle = ordered[len(ordered) // 2].power_w or 0.0
    ranked = {
        "lowest power": ordered,
        "highest power": ordered[::-1],
        "widest interval": sorted(ordered, key=_half_width, reverse=True),
        "flagged": [record for record in ordered if record.flags],
        "median power": sorted(ordered, key=lambda r: abs((r.power_w or 0.0) - middle)),
    }
    found: dict[str, VisitRecord] = {}
    for why, candidates in ranked.items():
        # One that shows something else already is not shown twice.
        free = (r for r in candidates if all(r is not other for other in found.values()))
        if (record := next(free, None)) is not None:
            found[why] = record
    return [(why, found[why]) for why in _REASONS if why in found]


def _half_width(record: VisitRecord) -> float:
    half = None if record.power is None else record.power.half_width_w
    return _relative(half, record.power_w or 1.0) or 0.0


def _what(record: VisitRecord) -> str:
    if record.configuration is None:
        return f"{record.network} x {record.batch}"
    return "the anchor" if record.kind == "anchor" else record.configuration.family


def _stated(power: Power) -> float | None:
    half, mean = power.half_width_w, power.mean_w
    if power.u_stated_w is not None:
        return power.u_stated_w
    return None if half is None or mean is None else math.hypot(half, BOARD_STEPS * mean)


def _relative(half: float | None, mean: float) -> float | None:
    return None if half is None else 100 * half / mean


def _each(steps: Sequence[Mapping[str, object]], name: str, unit: str, factor: float = 1.0) -> str:
    values = [step.get(name) for step in steps]
    shown = [_number(factor * v) for v in values if isinstance(v, int | float)]
    return f"{' and '.join(shown)} {unit}" if shown else ""


def _unit(value: object, unit: str) -> str:
    return "" if not isinstance(value, int | float) else f"{_number(value)} {unit}"


def _share(value: object) -> str:
    return f"{100 * value:.3g} %" if isinstance(value, int | float) else "not known"


def _number(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, int | float) else "not known"


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
