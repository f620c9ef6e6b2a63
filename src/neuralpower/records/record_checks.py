"""Do manifest, records of visits, tables and raw power logs of a folder say the same?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from neuralpower.core.file_names import MANIFEST, VISIT_RECORDS
from neuralpower.core.plausible import DEVICE_FACTS, impossible_facts
from neuralpower.records.flags import FLAGS, split_flags
from neuralpower.records.folder import Platform, Row
from neuralpower.records.manifest import SCHEMA_VERSION
from neuralpower.records.power_figures import positive
from neuralpower.records.raw_windows import PowerLogs
from neuralpower.records.repeatability import run_of
from neuralpower.records.sealing import checksum_faults, unlisted
from neuralpower.records.visits import VisitRecord, iter_visit_records

#: Tables hold six significant digits: at most half of the last one is off.
_ROUNDING = 6e-6
#: Power of the same window from the same samples, by this version and by the one that measured.
_SAME_POWER = 1e-3


@dataclass(frozen=True, slots=True)
class Finding:
    """``severity``: ``error`` (the row or file cannot be trusted) or ``warning`` (look at it)."""

    severity: str
    place: str
    text: str


def manifest_findings(platform: Platform) -> list[Finding]:
    """Versions, checksums, facts of the device, and files that the manifest does not list."""
    found = [Finding("error", MANIFEST, text) for text in checksum_faults(platform)]
    version = platform.manifest.schema_version
    if version is not None and version != SCHEMA_VERSION:
        text = f"schema_version {version!r}: this version of neuralpower reads {SCHEMA_VERSION}"
        found.append(Finding("error", MANIFEST, text))
    facts = {name: platform.number(name) for name in DEVICE_FACTS}
    found += [Finding("error", MANIFEST, text) for text in impossible_facts(facts)]
    for name in unlisted(platform):
        text = f"{name} has no checksum: `neuralpower measurements seal` adds it"
        found.append(Finding("warning", MANIFEST, text))
    return found


def flag_findings(rows: Iterable[Row]) -> list[Finding]:
    """Flags that no version of the protocol knows."""
    found = []
    for row in rows:
        unknown = [f for f in split_flags(row.values.get("flags")) if f not in FLAGS]
        if unknown:
            text = f"flags: {', '.join(unknown)!r} is not a flag of the protocol"
            found.append(Finding("error", f"{row.file}, row {row.number}", text))
    return found


def record_findings(folder: Path, rows: Sequence[Row], networks: Sequence[Row]) -> list[Finding]:
    """Where the records of visits, if there are any, tell otherwise than the tables."""
    found: list[Finding] = []
    runs: set[str] = set()
    by_visit = {_visit(row.values, _number(row, "repeat")): row for row in (*rows, *networks)}
    for n, record in enumerate(iter_visit_records(folder), 1):
        place = f"{VISIT_RECORDS}, line {n}"
        runs.add(record.run or "")
        row = by_visit.pop(_visit_of_record(record), None)
        if record.timing is None:
            if row is not None:
                text = f"visit {record.visit} failed but is in {_place(row)}"
                found.append(Finding("error", place, text))
            continue
        if row is None:
            text = f"visit {record.visit} is in no table"
            found.append(Finding("error", place, text))
            continue
        found += [Finding("error", place, text) for text in _differences(record, row)]
    # Of a merged platform some runs may have been recorded without, and so may a whole folder.
    left = [row for row in by_visit.values() if run_of(row) in runs]
    left.sort(key=lambda row: (row.file, row.number))
    found += [Finding("error", _place(row), f"no visit in {VISIT_RECORDS}") for row in left]
    return found


def log_findings(folder: Path) -> list[Finding]:
    """Visits whose power does not come out of the raw logs again, where there are logs."""
    logs = PowerLogs(folder)
    if not logs.names:
        return []
    found: list[Finding] = []
    missing = 0
    for n, record in enumerate(iter_visit_records(folder), 1):
        mean = positive(record.power_w)
        if mean is None or record.power is None or record.power.t0_ns is None:
            continue
        window = logs.window(record)
        if window is None:
            missing += 1
        elif window.mean_w is None or abs(window.mean_w / mean - 1) > _SAME_POWER:
            now = "nothing" if window.mean_w is None else f"{window.mean_w:.6g} W"
            text = f"visit {record.visit} has {mean:.6g} W, its samples in {window.log} {now}"
            found.append(Finding("warning", f"{VISIT_RECORDS}, line {n}", text))
    if missing:
        found.append(Finding("warning", "power", f"no log covers {missing} of the power windows"))
    return found


def _visit(values: Mapping[str, object], repeat: float) -> tuple[object, ...]:
    # Shards of one run number their anchors alike: they differ in their order.
    return (values.get("run") or "", values.get("config_key"), repeat, values.get("order"))


def _visit_of_record(record: VisitRecord) -> tuple[object, ...]:
    return (record.run or "", record.key, float(record.repeat), float(record.order))


def _number(row: Row, name: str) -> float:
    # In a merged folder the repeat of the run itself is in another column.
    value = row.values.get("run_repeat") or row.values.get(name)
    return float(value) if value not in (None, "") else 1.0


def _place(row: Row) -> str:
    return f"{row.file}, row {row.number}"


def _differences(record: VisitRecord, row: Row) -> list[str]:
    watts = row.values.get("power_w_raw") or row.values.get("power_w")
    pairs = (
        ("runtime_ms", record.runtime_ms, row.values.get("runtime_ms")),
        ("power_w", record.power_w, watts),
    )
    found = []
    for name, in_log, in_table in pairs:
        a, b = positive(in_log), positive(in_table)
        if (a is None) != (b is None) or (a and b and abs(b / a - 1) > _ROUNDING):
            found.append(f"{name} {in_log!r}, but {in_table!r} in {_place(row)}")
    if set(record.flags) != set(split_flags(row.values.get("flags"))):
        flags, text = " ".join(record.flags), row.values.get("flags") or ""
        found.append(f"flags {flags!r}, but {text!r} in {_place(row)}")
    return found
