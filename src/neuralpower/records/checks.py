"""Is a folder of measurements sound? Findings with file and row, and figures for a person."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypedDict

from neuralpower.core import cost
from neuralpower.core.configuration import CONFIGURATION_COLUMNS, Configuration
from neuralpower.records.columns import table_slips
from neuralpower.records.faults import Fault, faults
from neuralpower.records.flags import commonest_first, split_flags
from neuralpower.records.folder import (
    Platform,
    Row,
    iter_rows,
    load_network_layer_rows,
    load_network_rows,
)
from neuralpower.records.power_figures import PowerFigures, power_figures
from neuralpower.records.quality import Quality
from neuralpower.records.record_checks import (
    Finding,
    flag_findings,
    log_findings,
    manifest_findings,
    record_findings,
)
from neuralpower.records.repeatability import Repeatability, is_anchor, repeatability
from neuralpower.records.row_sample import MOST_ROWS, RowSample

#: Repeats that disagree by more than this factor cannot both be the runtime of one layer.
_DISAGREE = 10.0
#: Rates that no device reaches: seconds taken for milliseconds and the like show up here.
_MOST_GFLOPS = 2e6
_SLIP = 100.0


class FamilySummary(TypedDict):
    """What a family's table holds: rows, runtimes and powers of the sound ones."""

    family: str
    rows: int
    configurations: int
    fastest_ms: float | None
    median_ms: float | None
    slowest_ms: float | None
    with_power: int
    lowest_w: float | None
    highest_w: float | None
    flagged: int


@dataclass(frozen=True)
class Report:
    """What ``check`` found: findings, a summary of each family, repeatability, counts.

    ``power`` is ``None`` where no row holds any; ``flags``: rows that carry each.
    """

    findings: tuple[Finding, ...]
    families: tuple[FamilySummary, ...]
    repeatability: Repeatability
    networks: int
    network_rows: int
    power: PowerFigures | None
    flags: dict[str, int]
    quality: Quality

    @property
    def errors(self) -> int:
        """How many findings are errors."""
        return sum(finding.severity == "error" for finding in self.findings)


#: Rows with a fault that are listed one by one.
_MOST_LISTED = 100_000


@dataclass
class _Layers:
    """What was seen of the layer tables, a row at a time; ``sample``: sound rows, in full below."""

    sample: RowSample
    rows: Counter[str] = field(default_factory=Counter)
    files: set[str] = field(default_factory=set)
    flags: Counter[str] = field(default_factory=Counter)
    faults: list[Fault] = field(default_factory=list)
    odd_flags: list[Finding] = field(default_factory=list)
    unlisted: int = 0


def _read(platform: Platform, most: int) -> _Layers:
    """Every row is looked at by itself; those that must be seen together are a sample."""
    seen = _Layers(RowSample(most))
    for full in iter_rows(platform):
        row = _lean(full)
        seen.rows[row.values["family"]] += 1
        seen.files.add(row.file)
        seen.flags.update(set(split_flags(row.values.get("flags"))))
        bad, odd = faults([row]), flag_findings([row])
        if len(seen.faults) + len(seen.odd_flags) < _MOST_LISTED:
            seen.faults += bad
            seen.odd_flags += odd
        else:
            seen.unlisted += bool(bad or odd)
        seen.sample.add(row)
    return seen


def check(platform: Platform, most: int = MOST_ROWS) -> Report:
    """Check one platform. Raises ``InputError`` where a table cannot be read at all.

    Memory is bounded: of more than ``most`` layer rows a sample of whole configurations is looked
    at for what rows show together (copies, repeats, units), and a finding says so.
    """
    seen = _read(platform, most)
    rows = seen.sample.rows
    networks = load_network_rows(platform)
    load_network_layer_rows(platform)
    findings = manifest_findings(platform)
    findings += [
        Finding("warning", f"{slip.file}, column {slip.column!r}", slip.reason)
        for slip in table_slips(platform)
    ]
    bad = [*seen.faults, *faults(networks)]
    if not seen.rows and not networks:
        text = "its tables have no rows, only headers: measure, or fill them in"
        findings.append(Finding("error", platform.name, text))
    else:
        filled = seen.files | {row.file for row in networks}
        for file in (*platform.layer_files, *platform.network_files):
            if file.name not in filled:
                text = "no rows, only a header: fill it in or remove it"
                findings.append(Finding("warning", file.name, text))
    findings += [Finding("error", f"{f.file}, row {f.row}", f"{f.column}: {f.reason}") for f in bad]
    if seen.unlisted:
        text = f"{seen.unlisted} more rows with faults: these are not listed"
        findings.append(Finding("error", platform.name, text))
    sound = [row for row in rows if not _left_out(row)]
    findings += _duplicates(sound)
    findings += _disagreements(sound)
    findings += _slips(sound)
    findings += _uncounted([*rows, *networks])
    if networks and not seen.rows:
        text = "no layers: evaluate, calibrate and merge use such a folder, fit has no use of it"
        findings.append(Finding("warning", platform.name, text))
    findings += [*seen.odd_flags, *flag_findings(networks)]
    if seen.sample.partial:
        text = (
            f"{seen.sample.seen} rows of layers: {len(rows)}, all of the configurations that a "
            "checksum draws, are looked at for copies, repeats and units, none against the records"
        )
        findings.append(Finding("warning", platform.name, text))
    else:
        findings += record_findings(platform.folder, rows, networks)
    findings += log_findings(platform.folder)
    pairs = {(row.values["network"], row.values["batch"]) for row in networks}
    repeats = repeatability(sound)
    for row in networks:
        seen.flags.update(set(split_flags(row.values.get("flags"))))
    flags = commonest_first(seen.flags)
    quality = Quality.of(repeats, flags, seen.sample.seen + len(networks))
    findings += [
        Finding("warning", platform.name, f"{what}: {much}; such measurements are noisy")
        for what, much, beyond in quality.facts
        if beyond
    ]
    return Report(
        findings=tuple(findings),
        families=tuple(_families(seen.rows, sound)),
        repeatability=repeats,
        networks=len(pairs),
        network_rows=len(networks),
        power=power_figures(sound),
        flags=flags,
        quality=quality,
    )


#: What is looked at: rows in full take half as much memory again.
_LOOKED_AT = (
    *CONFIGURATION_COLUMNS,
    *("runtime_ms", "power_runtime_ms", "power_w", "power_w_raw", "power_w_u_within"),
    "energy_edge_mj",
    *("repeat", "run", "run_repeat", "order", "board", "config_key", "flags", "valid"),
)


def _left_out(row: Row) -> bool:
    return any(fault.action == "left out" for fault in faults([row]))


def _lean(row: Row) -> Row:
    values = row.values
    kept = {name: values[name] for name in _LOOKED_AT if name in values}
    return Row(row.file, row.number, kept)


def _identity(row: Row) -> tuple[object, ...]:
    return tuple(row.values.get(name) for name in CONFIGURATION_COLUMNS)


def _place(row: Row) -> str:
    return f"{row.file}, row {row.number}"


def _duplicates(rows: Sequence[Row]) -> list[Finding]:
    """The same configuration, repeat and runtime twice: a row that was copied, not measured."""
    seen: dict[tuple[object, ...], Row] = {}
    found: list[Finding] = []
    for row in rows:
        key = (*_identity(row), row.values.get("repeat"), row.values.get("runtime_ms"))
        key = (*key, row.values.get("power_w"), row.values.get("order"))
        first = seen.setdefault(key, row)
        if first is not row:
            found.append(Finding("error", _place(row), f"repeats {_place(first)} exactly"))
    return found


def _uncounted(rows: Sequence[Row]) -> list[Finding]:
    """Visits whose number is none: they tell two measurements of one configuration apart."""
    return [
        Finding("warning", _place(row), f"{name} {value:g}: visits are counted 1, 2, 3")
        for row in rows
        for name in ("repeat", "run_repeat")
        if (value := row.values.get(name)) is not None and not (value >= 1 and value % 1 == 0)
    ]


def _disagreements(rows: Sequence[Row]) -> list[Finding]:
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(_identity(row), []).append(row)
    found: list[Finding] = []
    for group in groups.values():
        times = sorted(group, key=lambda row: float(row.values["runtime_ms"]))
        low, high = times[0], times[-1]
        factor = high.values["runtime_ms"] / low.values["runtime_ms"]
        if factor > _DISAGREE:
            text = f"{factor:.0f} times the runtime of {_place(low)}, the same configuration"
            found.append(Finding("warning", _place(high), text))
    return found


def _slips(rows: Iterable[Row]) -> list[Finding]:
    """Rows far from the rest of their family in a way that a wrong unit would cause."""
    found: list[Finding] = []
    families: dict[str, list[tuple[Row, int]]] = {}
    for row in rows:
        work = _macs(row)
        if work:
            rate = 2 * work / row.values["runtime_ms"] / 1e6
            if rate > _MOST_GFLOPS:
                text = f"{rate:.3g} GFLOP/s: seconds taken for milliseconds?"
                found.append(Finding("warning", _place(row), text))
            families.setdefault(row.values["family"], []).append((row, work))
    for family, members in families.items():
        # The larger layers of a family run at similar rates; whole shards that are a thousand
        # times off have another unit.
        large = statistics.median(work for _, work in members)
        rates: dict[str, list[float]] = {}
        for row, work in members:
            if work >= large:
                rates.setdefault(row.file, []).append(work / row.values["runtime_ms"])
        middles = {name: statistics.median(values) for name, values in rates.items()}
        usual = statistics.median(middles.values()) if middles else math.nan
        for name, middle in sorted(middles.items()):
            if len(middles) > 1 and not 1 / _SLIP < middle / usual < _SLIP:
                factor = middle / usual
                text = f"{family} runs at {factor:.3g} times the rate of the other files: a unit?"
                found.append(Finding("warning", name, text))
    return found


def _macs(row: Row) -> int:
    values = row.values
    if values["family"] not in ("conv", "fc"):
        return 0
    return cost.macs(
        Configuration(**{name: values[name] for name in CONFIGURATION_COLUMNS if name in values})
    )


def _families(rows: Mapping[str, int], sound: Sequence[Row]) -> list[FamilySummary]:
    summary: list[FamilySummary] = []
    for family in sorted(rows):
        good = [row for row in sound if row.values["family"] == family and not is_anchor(row)]
        times = sorted(row.values["runtime_ms"] for row in good)
        watts = [row.values["power_w"] for row in good if (row.values.get("power_w") or 0) > 0]
        flagged = sum(bool(str(row.values.get("flags") or "")) for row in good)
        summary.append(
            {
                "family": family,
                "rows": rows[family],
                "configurations": len({_identity(row) for row in good}),
                "fastest_ms": times[0] if times else None,
                "median_ms": float(f"{statistics.median(times):.6g}") if times else None,
                "slowest_ms": times[-1] if times else None,
                "with_power": len(watts),
                "lowest_w": min(watts, default=None),
                "highest_w": max(watts, default=None),
                "flagged": flagged,
            }
        )
    return summary
