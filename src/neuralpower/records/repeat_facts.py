"""How well a platform's visits repeat, as facts: the same for README, terminal and page."""

from __future__ import annotations

from neuralpower.core.facts import Fact, percent_fact
from neuralpower.records.manifest import Manifest
from neuralpower.records.power_figures import PowerFigures, idle_states
from neuralpower.records.repeatability import Repeatability


def runtime_facts(r: Repeatability) -> list[Fact]:
    """Anchors and repeats of the runtimes; what there is too little for is left out."""
    found: list[Fact] = []
    if r.anchor_median_ms is not None:
        found += [
            Fact("anchor visits", str(r.anchors)),
            Fact("median of the anchor", f"{r.anchor_median_ms:.4g}", "ms"),
        ]
    found += percent_fact("coefficient of variation of the anchor", r.anchor_cv)
    if r.second_anchor_median_ms is not None:
        text = f"{r.second_anchors} visits, {r.second_anchor_median_ms:.4g}"
        found.append(Fact("second anchor, memory-bound", text, "ms"))
    found += percent_fact("its coefficient of variation", r.second_anchor_cv)
    found += percent_fact("last third of the anchors against the first", r.anchor_drift, sign="+")
    if r.spread_median is not None and r.spread_p90 is not None:
        found.append(Fact("configurations visited more than once", str(r.repeated)))
        found += percent_fact("spread of their visits, median", r.spread_median)
        found += percent_fact("spread of their visits, 90th percentile", r.spread_p90)
    return found


def power_facts(p: PowerFigures | None, manifest: Manifest) -> list[Fact]:
    """The same of the power, with its range, counter, idle states and boards; empty without any."""
    if p is None:
        return []
    of = f"{p.powered} of {p.rows} rows ({p.share:.0%}), {p.lowest_w:.4g} to {p.highest_w:.4g}"
    found = [Fact("power", of, "W")]
    found += percent_fact("half-width within a visit, median", p.u_within_median, 2)
    found += percent_fact("half-width within a visit, 90th percentile", p.u_within_p90, 2)
    if p.anchor_cv is not None:
        found.append(Fact("anchor's power, visits", str(p.anchors)))
    found += percent_fact("anchor's power, coefficient of variation", p.anchor_cv, 2)
    found += percent_fact("anchor's power, last third against the first", p.anchor_drift, 2, "+")
    found += percent_fact("power of repeats, spread", p.repeat_spread, 2)
    if p.counter_ratio is not None:
        found.append(Fact("energy counter over the sensor's power", f"{p.counter_ratio:.3f}"))
    if idle := idle_states(manifest):
        states = ", ".join(f"{watts:.4g} W {words}" for words, watts in idle)
        found.append(Fact("idle", states))
    if p.boards:
        found.append(Fact("boards", ", ".join(p.boards)))
    return found
