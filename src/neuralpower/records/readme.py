"""The README of a recorded platform, written from its manifest and its visits."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from neuralpower.core.configuration import CONFIGURATION_COLUMNS
from neuralpower.core.facts import as_markdown
from neuralpower.records.codec import Facts
from neuralpower.records.folder import Row
from neuralpower.records.manifest import Manifest, PowerState
from neuralpower.records.repeat_facts import runtime_facts
from neuralpower.records.repeatability import Repeatability, is_anchor


def readme_text(
    facts: Manifest,
    figures: Repeatability,
    rows: Sequence[Row],
    networks: Sequence[Row] = (),
) -> str:
    """Markdown for a person: what was measured, how, and how far to trust it.

    ``facts`` of a manifest; what it does not say is left out. ``rows`` and ``networks`` of the
    tables.
    """
    command = "measurements merge" if facts.runs is not None else "profile"
    parts = [
        f"# {facts.platform}: {facts.software or 'software not recorded'}",
        _origin(facts),
        facts.notes,
        _power(facts),
        _runs(facts),
        _boards(facts),
        _families(rows),
        _protocol(facts),
        _repeats(figures),
        _networks(networks),
        _missing(facts),
        f"This file is written by `neuralpower {command}`; `neuralpower measurements check` "
        "prints the same figures from the tables.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _origin(facts: Manifest) -> str:
    days = facts.measured_on
    when = (
        "" if not days else f" on {days[0]}" if len(days) == 1 else f" on {days[0]} to {days[-1]}"
    )
    by = f" with NeuralPower {facts.neuralpower}" if facts.neuralpower else ""
    seed = f" Seed {facts.seed}." if facts.seed is not None else ""
    device = facts.device or "a device that is not recorded"
    return f"Measured{when}{by} on {device}. {facts.description}{seed}"


def _power(facts: Manifest) -> str:
    power = facts.power or PowerState(False)
    if power.measured:
        meter = f" by {facts.meter}" if facts.meter else ""
        return f"Power{meter}, in the same regime as the runtime."
    return (
        f"**Power was not measured**: {power.reason or 'no reason is recorded'}. Power and "
        "energy fields are empty."
    )


def _runs(facts: Manifest) -> str:
    """The runs of a merged platform."""
    if facts.runs is None:
        return ""
    lines = [
        "## Runs that were merged",
        "",
        "| run | measured on | board | visits | runtime against the mean of the runs | 95 % |",
        "|---|---|---|---|---|---|",
    ]
    for run in facts.runs:
        level = (facts.runtime_levels or {}).get(run["run"]) or {}
        days, boards = (", ".join(run.get(name) or []) for name in ("measured_on", "boards"))
        rows = run.get("rows", "not recorded")
        where = f"{days} | {boards or 'not recorded'}"
        lines.append(f"| {run['run']} | {where} | {rows} | {_level(level)} |")
    if facts.allowed_differences:
        kinds = ", ".join(sorted(facts.allowed_differences))
        lines += ["", f"The runs differ in {kinds}, which was allowed; the manifest says how."]
    return "\n".join(lines)


def _boards(facts: Manifest) -> str:
    """Power levels of the boards of a merged platform."""
    levels = facts.gain or {}
    if len(levels) < 2:
        return ""
    lines = [
        "## Power of the boards against each other",
        "",
        "| board | power against the mean of the boards | 95 % |",
        "|---|---|---|",
    ]
    lines += [f"| {board} | {_level(level)} |" for board, level in sorted(levels.items())]
    what = "taken out of the power columns" if facts.gain_levelled else "not corrected"
    lines += ["", f"From configurations that several boards measured; {what}. {GAIN_SENTENCE}"]
    return "\n".join(lines)


GAIN_SENTENCE = (
    "A sensor's gain and a board's own draw cannot be separated this way; the absolute gain stays "
    "uncertain by about 5 % however many boards and visits there are."
)


def _level(level: Facts) -> str:
    if level.get("factor") is None:
        return f"{level.get('reason') or 'not known'} | "
    if level.get("lo") is None:
        return f"{level['factor']:.4f} | "
    return f"{level['factor']:.4f} | {level['lo']:.4f} to {level['hi']:.4f}"


def _families(rows: Sequence[Row]) -> str:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        if not is_anchor(row) and row.values["runtime_ms"] is not None:
            groups.setdefault(row.values["family"], []).append(row)
    if not groups:
        return ""
    lines = [
        "| family | configurations | visits | fastest ms | median ms | slowest ms |",
        "|---|---|---|---|---|---|",
    ]
    for family in sorted(groups):
        times = [row.values["runtime_ms"] for row in groups[family]]
        keys = {tuple(row.values.get(n) for n in CONFIGURATION_COLUMNS) for row in groups[family]}
        lines.append(
            f"| {family} | {len(keys)} | {len(times)} | {min(times):.4g} | "
            f"{statistics.median(times):.4g} | {max(times):.4g} |"
        )
    return "\n".join(lines)


def _protocol(facts: Manifest) -> str:
    text = protocol_text(facts)
    return f"## Protocol\n\n{text}" if text else ""


def protocol_text(facts: Manifest) -> str:
    """How a visit is made, in words; empty where the manifest's protocol is not ours."""
    timing = (facts.protocol or {}).get("timing")
    executor = facts.executor
    if not isinstance(timing, Mapping) or not isinstance(executor, Mapping):
        return ""
    try:
        if "min_replays" in timing:
            return _replayed(timing, executor, facts.protocol or {})
        return _called(timing, executor)
    except (KeyError, TypeError, ValueError):
        # A manifest of another origin: its numbers are listed, not put into these words.
        return ""


def _called(timing: Facts, executor: Facts) -> str:
    return (
        f"Threads {executor.get('threads_intra')}, graph optimisation "
        f"{executor.get('graph_optimisation')}, buffers {executor.get('buffers')}. A visit builds "
        f"the layer anew, warms up for {timing['warm_up_calls']} calls and {timing['warm_up_s']} s "
        f"and takes at least {timing['least_samples']} samples of one or more calls (at least "
        f"{timing['sample_s'] * 1e6:.0f} us a sample); it ends after {timing['min_time_s']} s when "
        f"the 95 % interval of the median is within {timing['precision']:.0%}, at the latest after "
        f"{timing['max_time_s']} s. Runtime is the median; interval, quartiles, scatter and number "
        "of calls are in the row. Anchor rows have `repeat` 100 and up."
    )


def _replayed(timing: Facts, executor: Facts, protocol: Facts) -> str:
    power = protocol.get("power")
    names = ("precision", "tf32_convolution", "tf32_matmul", "memory_format", "autotune", "buffers")
    labels = ("Precision", "TF32 in convolutions", "TF32 in matrix products", "memory format",
              "autotuning", "buffers")  # fmt: skip
    settings = [
        f"{label} {executor[name]}"
        for name, label in zip(names, labels, strict=True)
        if executor.get(name) is not None
    ]
    text = (
        f"{', '.join(settings)}{'. ' if settings else ''}A visit builds the layer anew, records a "
        f"graph of its calls, warms up for {timing['warm_up_s']} s and times at least "
        f"{timing['min_replays']} replays and {timing['min_time_s']} s of them with "
        f"{executor.get('replay_clock') or 'the events of the device'}; runtime is the median over "
        "replays, a call. Anchor rows have `repeat` 100 and up."
    )
    if power:
        text += (
            f" Power of {power['share']:.0%} of the configurations: replays without a gap, settled "
            f"for {power['settle_s']} to {power['settle_cap_s']} s, then at least "
            f"{power['window_publications']} publications of the sensor until the 95 % half-width "
            f"is below {power['precision']:.1%}, at the latest after {power['window_cap_s']} s."
        )
        blocks = protocol.get("blocks")
        if blocks:
            text += (
                f" Up to {blocks['visits']} visits are timed first, then powered one after the "
                "other without a gap: each settles from its predecessor, never from an idle board."
            )
    return text


def _repeats(figures: Repeatability) -> str:
    return (
        "## How well it repeats\n\n| figure | value |\n|---|---|\n"
        f"{as_markdown(runtime_facts(figures))}\n"
        "Spread: slowest visit over fastest, less 1. No model can score better on single visits "
        "than this scatter allows."
    )


def _networks(rows: Sequence[Row]) -> str:
    groups: dict[tuple[str, int], list[float]] = {}
    for row in rows:
        if row.values["runtime_ms"] is not None:
            key = (row.values["network"], row.values["batch"])
            groups.setdefault(key, []).append(row.values["runtime_ms"])
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


def _missing(facts: Manifest) -> str:
    visits = facts.visits
    words = []
    if visits is None:
        return ""
    if not facts.complete:
        words.append(
            f"The run is not complete: {visits.made} of {visits.planned} visits were made."
        )
    if visits.failed:
        parts = (facts, *map(Manifest.of, facts.runs or ()))
        reasons = sorted({f.reason for part in parts for f in part.failures or ()})
        words.append(
            f"{visits.failed} visits could not be made and are in no table; the manifest lists "
            f"them.{f' For example: {reasons[0]}' if reasons else ''}"
        )
    return " ".join(words)
