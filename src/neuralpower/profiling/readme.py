"""The README of a recorded platform, written from its manifest and its visits."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from neuralpower.profiling.repeatability import Repeatability


def readme_text(
    facts: Mapping[str, Any], figures: Repeatability, records: Sequence[Mapping[str, Any]]
) -> str:
    """Markdown for a person: what was measured, how, and how far to trust it."""
    parts = [
        f"# {facts['platform']}: {facts['software']}",
        _origin(facts),
        facts.get("notes", ""),
        _power(facts),
        _families(records),
        _protocol(facts),
        _repeats(figures),
        _networks(records),
        _missing(facts),
        "This file is written by `neuralpower profile`; `neuralpower measurements check` prints "
        "the same figures from the tables.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _origin(facts: Mapping[str, Any]) -> str:
    days = facts["measured_on"]
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    return (
        f"Measured on {when} with NeuralPower {facts['neuralpower']} on {facts['device']}. "
        f"{facts['description']} Seed {facts['seed']}."
    )


def _power(facts: Mapping[str, Any]) -> str:
    if facts["power"]["measured"]:
        return f"Power by {facts['meter']}, in the same regime as the runtime."
    return (
        f"**Power was not measured**: {facts['power']['reason']}. Power and energy fields are "
        "empty."
    )


def _families(records: Sequence[Mapping[str, Any]]) -> str:
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for record in records:
        if record["kind"] == "layer" and record["timing"] is not None:
            groups.setdefault(record["configuration"]["family"], []).append(record)
    if not groups:
        return ""
    lines = [
        "| family | configurations | visits | fastest ms | median ms | slowest ms |",
        "|---|---|---|---|---|---|",
    ]
    for family in sorted(groups):
        times = [record["timing"]["median_ms"] for record in groups[family]]
        keys = {record["key"] for record in groups[family]}
        lines.append(
            f"| {family} | {len(keys)} | {len(times)} | {min(times):.4g} | "
            f"{statistics.median(times):.4g} | {max(times):.4g} |"
        )
    return "\n".join(lines)


def _protocol(facts: Mapping[str, Any]) -> str:
    timing = facts["protocol"]["timing"]
    executor = facts["executor"]
    if "min_replays" in timing:
        return _replayed(timing, facts)
    return (
        "## Protocol\n\n"
        f"Threads {executor.get('threads_intra')}, graph optimisation "
        f"{executor.get('graph_optimisation')}, buffers {executor.get('buffers')}. A visit builds "
        f"the layer anew, warms up for {timing['warm_up_calls']} calls and {timing['warm_up_s']} s "
        f"and takes at least {timing['least_samples']} samples of one or more calls (at least "
        f"{timing['sample_s'] * 1e6:.0f} us a sample); it ends after {timing['min_time_s']} s when "
        f"the 95 % interval of the median is within {timing['precision']:.0%}, at the latest after "
        f"{timing['max_time_s']} s. Runtime is the median; interval, quartiles, scatter and number "
        "of calls are in the row. Anchor rows have `repeat` 100 and up."
    )


def _replayed(timing: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    executor, power = facts["executor"], facts["protocol"]["power"]
    text = (
        "## Protocol\n\n"
        f"Precision {executor.get('precision')} (TF32 in convolutions "
        f"{executor.get('tf32_convolution')}, in matrix products {executor.get('tf32_matmul')}), "
        f"memory format {executor.get('memory_format')}, autotuning {executor.get('autotune')}, "
        f"buffers {executor.get('buffers')}. A visit builds the layer anew, records a graph of its "
        f"calls, warms up for {timing['warm_up_s']} s and times at least {timing['min_replays']} "
        f"replays and {timing['min_time_s']} s of them with the device's own events; runtime is "
        "the median over replays, a call. Anchor rows have `repeat` 100 and up."
    )
    if power:
        text += (
            f" Power of {power['share']:.0%} of the configurations: replays without a gap, settled "
            f"for {power['settle_s']} to {power['settle_cap_s']} s, then at least "
            f"{power['window_publications']} publications of the sensor until the 95 % half-width "
            f"is below {power['precision']:.1%}, at the latest after {power['window_cap_s']} s."
        )
    return text


def _repeats(figures: Repeatability) -> str:
    lines = ["## How well it repeats", "", "| figure | value |", "|---|---|"]
    if figures.anchor_median_ms is not None:
        lines.append(f"| anchor visits | {figures.anchors} |")
        lines.append(f"| median of the anchor | {figures.anchor_median_ms:.4g} ms |")
    if figures.anchor_cv is not None:
        lines.append(f"| coefficient of variation of the anchor | {figures.anchor_cv:.1%} |")
    if figures.anchor_drift is not None:
        lines.append(
            f"| last third of the anchors against the first | {figures.anchor_drift:+.1%} |"
        )
    if figures.spread_median is not None and figures.spread_p90 is not None:
        lines.append(f"| configurations visited more than once | {figures.repeated} |")
        lines.append(f"| spread of their visits, median | {figures.spread_median:.1%} |")
        lines.append(f"| spread of their visits, 90th percentile | {figures.spread_p90:.1%} |")
    lines += [
        "",
        "Spread: slowest visit over fastest, less 1. No model can score better on single visits "
        "than this scatter allows.",
    ]
    return "\n".join(lines)


def _networks(records: Sequence[Mapping[str, Any]]) -> str:
    groups: dict[tuple[str, int], list[float]] = {}
    for record in records:
        if record["kind"] == "network" and record["timing"] is not None:
            key = (record["network"], record["batch"])
            groups.setdefault(key, []).append(record["timing"]["median_ms"])
    if not groups:
        return ""
    lines = [
        "## Whole networks",
        "",
        "| network | batch | visits | median ms | spread |",
        "|---|---|---|---|---|",
    ]
    for (network, batch), times in sorted(groups.items()):
        spread = f"{max(times) / min(times) - 1:.1%}" if len(times) > 1 else ""
        middle = statistics.median(times)
        lines.append(f"| {network} | {batch} | {len(times)} | {middle:.5g} | {spread} |")
    return "\n".join(lines)


def _missing(facts: Mapping[str, Any]) -> str:
    visits = facts["visits"]
    words = []
    if not facts["complete"]:
        words.append(
            f"The run is not complete: {visits['made']} of {visits['planned']} visits were made."
        )
    if visits["failed"]:
        reasons = sorted({failure["reason"] for failure in facts["failures"]})
        words.append(
            f"{visits['failed']} visits could not be made and are in no table; the manifest lists "
            f"them. For example: {reasons[0]}"
        )
    return " ".join(words)
