"""How well a platform's visits repeat, and where their time went: a part of a measurement page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from neuralpower.core.configuration import CONFIGURATION_COLUMNS
from neuralpower.core.facts import as_pairs
from neuralpower.records.checks import Report
from neuralpower.records.folder import Row
from neuralpower.records.manifest import Manifest
from neuralpower.records.power_figures import positive
from neuralpower.records.repeat_facts import power_facts, runtime_facts
from neuralpower.records.repeatability import anchors_by_layer, is_anchor, run_of
from neuralpower.records.visits import Power, Timing, VisitRecord
from neuralpower.reporting import figures_power as figures
from neuralpower.reporting.tables import Cell, Column, Table, figure, per_cent, whole, word


def repeats_section(
    rows: Sequence[Row], report: Report, manifest: Manifest
) -> dict[str, Any] | None:
    """Anchors over the run, spread of repeats and intervals by size; ``None`` without any."""
    r = report.repeatability
    runtimes: dict[str, list[tuple[float, float]]] = {}
    powers: dict[str, list[tuple[float, float]]] = {}
    groups: dict[str, list[float]] = {}
    widths = []
    for row in rows:
        runtime = positive(row.values.get("runtime_ms"))
        if runtime is None:
            continue
        lo, hi = (positive(row.values.get(f"runtime_ms_{end}")) for end in ("lo", "hi"))
        if lo and hi:
            widths.append((runtime, (hi - lo) / 2 / runtime))
        if not is_anchor(row):
            groups.setdefault(_configuration(row), []).append(runtime)
    for row in next(iter(anchors_by_layer(rows)), []):
        order = row.values.get("order")
        place = float(row.number if order is None else order)
        if ms := positive(row.values.get("runtime_ms")):
            runtimes.setdefault(run_of(row), []).append((place, ms))
        if watts := positive(row.values.get("power_w")):
            powers.setdefault(run_of(row), []).append((place, watts))
    several = [sorted(own) for own in groups.values() if len(own) > 1]
    spread = [(own[len(own) // 2], own[-1] / own[0] - 1) for own in several]
    facts = [*runtime_facts(r), *power_facts(report.power, manifest)]
    found = {
        "facts": as_pairs(facts),
        "anchors": figures.anchors(runtimes, powers) if runtimes else None,
        "spread": figures.repeat_spread(spread),
        "widths": figures.interval_widths(widths),
    }
    return found if any(found.values()) else None


def _configuration(row: Row) -> str:
    return ",".join(str(row.values.get(name)) for name in CONFIGURATION_COLUMNS)


def time_table(records: Sequence[VisitRecord]) -> Table | None:
    """Seconds by kind of visit and what they were spent on; ``None`` where no record says."""
    kinds = {"anchor": "anchor", "layer": "layers", "network": "networks"}
    rows, total = [], [0.0, 0.0, 0.0]
    for kind, label in kinds.items():
        own = [r for r in records if r.kind == kind]
        if not own or not all(r.wall_s for r in own):
            continue
        spent = [
            sum(r.wall_s for r in own),
            sum(_seconds(r.timing) for r in own),
            sum(_seconds(r.power) + _settle_s(r) for r in own),
        ]
        total = [a + b for a, b in zip(total, spent, strict=True)]
        rows.append([word(label), whole(len(own)), *(figure(s) for s in spent), *_shares(spent)])
    if not rows:
        return None
    foot = [[word("all"), whole(len(records)), *(figure(s) for s in total), *_shares(total)]]
    columns = [Column("Visits of", False), Column("Visits"), Column("Whole visits, s"),
               Column("Timing, s"), Column("Power, s"), Column("Rest, s"),
               Column("Rest, %")]  # fmt: skip
    caption = (
        "Seconds of the visits: sampling of the runtime, settling and window of the power, and the "
        "rest (building the layer, autotuning, warming up, giving back). From visits.jsonl.gz."
    )
    return Table("time-table", "Time", caption, columns, rows, foot)


def _seconds(window: Timing | Power | None) -> float:
    if window is None or window.t0_ns is None or window.t1_ns is None:
        return 0.0
    return (window.t1_ns - window.t0_ns) / 1e9


def _settle_s(record: VisitRecord) -> float:
    return (record.power.settle_s if record.power else None) or 0.0


def _shares(spent: Sequence[float]) -> list[Cell]:
    whole_s, timing_s, power_s = spent
    rest = whole_s - timing_s - power_s
    if rest < 0:
        # Visits whose windows are of another clock (a fake, a replay).
        return [figure(None), figure(None)]
    return [figure(rest), per_cent(100 * rest / whole_s if whole_s else None)]


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
