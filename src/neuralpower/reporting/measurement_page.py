"""The page of a recorded folder: what was measured, how, by which sensor, and how far to trust it.

Everything comes from the folder itself: manifest, facts of the board, tables, records of visits
and raw power logs. What it does not hold is said, and its part of the page is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from neuralpower.core.errors import InputError
from neuralpower.records.checks import Report, check
from neuralpower.records.export import flat
from neuralpower.records.flags import FLAGS
from neuralpower.records.folder import (
    Platform,
    Row,
    load_network_rows,
    load_platform,
    load_rows,
)
from neuralpower.records.manifest import Manifest
from neuralpower.records.readme import protocol_text
from neuralpower.records.repeatability import is_anchor
from neuralpower.records.visits import VisitRecord, read_visit_records
from neuralpower.reporting.pages import Page
from neuralpower.reporting.repeats_section import repeats_section, time_table
from neuralpower.reporting.results import Results, optional_json
from neuralpower.reporting.sensor_section import raw_power_section, sensor_section
from neuralpower.reporting.tables import (
    Cell,
    Column,
    Table,
    figure,
    inline_download,
    slim,
    whole,
    word,
)

#: Findings that the page shows; ``neuralpower measurements check`` prints all.
_SHOWN_FINDINGS = 50


@dataclass(frozen=True)
class Recorded:
    """A recorded folder, each part read once."""

    platform: Platform

    @cached_property
    def rows(self) -> list[Row]:
        """Rows of the layer tables."""
        return load_rows(self.platform)

    @cached_property
    def networks(self) -> list[Row]:
        """Rows of the tables of whole networks."""
        return load_network_rows(self.platform)

    @cached_property
    def records(self) -> list[VisitRecord]:
        """Records of visits, empty where the folder holds none."""
        return read_visit_records(self.platform.folder)

    @cached_property
    def boards(self) -> list[str]:
        """Files with facts of the device: one, or one a run of a merged platform."""
        found = self.platform.folder.glob("characterise*.json")
        return sorted(path.name for path in found)

    @cached_property
    def board(self) -> dict[str, object]:
        """The facts of the first of them; empty where there is none."""
        return optional_json(self.platform.folder / self.boards[0]) if self.boards else {}

    checked: Report | None = None

    @cached_property
    def report(self) -> Report:
        """What ``check`` finds."""
        return self.checked or check(self.platform)


def measurement_context(results: Results, page: Path, platform: str) -> dict[str, object]:
    """What the template ``measurement.html`` shows; ``InputError`` where nothing is recorded."""
    folder = results.platform(platform).measurements
    if folder is None:
        raise InputError(f"no measurements of {platform} here", path=results.folder)
    recorded = Recorded(load_platform(folder), results.platform(platform).checked)
    return _context(platform, recorded)


def _context(name: str, folder: Recorded) -> dict[str, object]:
    platform = folder.platform
    manifest = platform.manifest
    report = folder.report
    context: dict[str, Any] = {
        "title": f"How {name} was measured",
        "name": name,
        "lead": _lead(folder),
        "facts": _facts(folder),
        "families": _families(report),
        "runs": _runs(manifest),
        "boards": _boards(manifest),
        "unrecorded": _unrecorded(folder),
        "protocol": _protocol(manifest),
        "why_no_power": "" if report.power else _why_no_power(platform),
        "sensor": sensor_section(folder.board, manifest),
        "power": raw_power_section(platform.folder, folder.records) if report.power else None,
        "repeats": repeats_section(folder.rows, report, manifest),
        "flags": _flags(report),
        "time": time_table(folder.records),
        "sound": _sound(report),
    }
    if len(folder.boards) > 1:
        words = f"Shown: {folder.boards[0]}, one of {len(folder.boards)} such files in the folder."
        context["sensor"]["words"].insert(0, words)
    later = (
        ("protocol", "how", "How a visit was made"),
        ("sensor", "sensor", "Power sensor"),
        ("power", "power", "Raw power"),
        ("repeats", "repeats", "How well it repeats"),
        ("flags", "flags", "Flags"),
        ("time", "time", "Where the time went"),
        ("sound", "sound", "Is it sound?"),
    )
    shown = dict(context) | {"protocol": any(context["protocol"].values())}
    context["contents"] = [
        ("what", "What was measured"),
        *((id, text) for key, id, text in later if shown[key]),
    ]
    return context


def _lead(folder: Recorded) -> str:
    report = folder.report
    configurations = sum(row["configurations"] for row in report.families)
    text = f"{configurations} layer configurations in {len(folder.rows)} visits"
    if report.networks:
        networks = "network" if report.networks == 1 else "networks"
        text += f", {report.networks} {networks} at a batch size in {report.network_rows} passes"
    if report.power:
        text += f"; power in {100 * report.power.share:.0f} % of the layer visits"
    return text + "."


def _facts(folder: Recorded) -> list[tuple[str, str]]:
    manifest = folder.platform.manifest
    executor, machine = manifest.executor or {}, manifest.machine or {}
    gpu = _mapping(executor.get("gpu"))
    software = _mapping(_mapping(folder.board.get("nvml")).get("software"))
    precision = executor.get("precision")
    tf32 = [name for name in ("convolution", "matmul") if executor.get(f"tf32_{name}")]
    return [
        ("Device", folder.platform.device),
        ("Software", folder.platform.software),
        ("Precision", "" if precision is None else f"{precision}{_tf32(tf32, executor)}"),
        ("Driver", _joined(software.get("driver"), _of("CUDA", executor.get("cuda")),
                           _of("cuDNN", executor.get("cudnn")))),
        ("Board", _joined(_of("VBIOS", software.get("vbios")),
                          _of("power limit", software.get("power_limit_w"), "W"),
                          _of("processor clock at most", software.get("sm_mhz_max"), "MHz"),
                          _of("memory clock at most", software.get("memory_mhz_max"), "MHz"),
                          _of("L2", gpu.get("l2_bytes"), "B"))),
        ("Host", _joined(machine.get("cpu") if gpu else None, _of("kernel", machine.get("kernel")),
                         _of("Python", machine.get("python")))),
        ("Threads", _words(executor.get("threads_intra"))),
        ("Data", _joined(executor.get("data"), _of("seed", manifest.seed))),
        ("Measured on", ", ".join(manifest.measured_on)),
        ("By", _of("NeuralPower", manifest.neuralpower) or ""),
        ("What", folder.platform.description),
        ("Complete", "" if manifest.complete else _incomplete(manifest)),
        ("Notes", manifest.notes),
    ]  # fmt: skip


def _tf32(used: Sequence[str], executor: Mapping[str, object]) -> str:
    if "tf32_convolution" not in executor:
        return ""
    return f", TF32 in {' and '.join(used)}" if used else ", TF32 off"


def _incomplete(manifest: Manifest) -> str:
    visits = manifest.visits
    return "no" if visits is None else f"no: {visits.made} of {visits.planned} visits were made"


def _families(report: Report) -> Table:
    columns = [
        Column("Family", False), Column("Visits"), Column("Configurations"),
        Column("Fastest ms"), Column("Median ms"), Column("Slowest ms"),
        Column("Visits with power"), Column("Lowest W"), Column("Highest W"),
        Column("Flagged visits"),
    ]  # fmt: skip
    names = list(report.families[0]) if report.families else []
    rows = [
        [word(row["family"]), whole(row["rows"]), whole(row["configurations"]),
         *(figure(row[n]) for n in ("fastest_ms", "median_ms", "slowest_ms")),
         whole(row["with_power"] or None), figure(row["lowest_w"]), figure(row["highest_w"]),
         whole(row["flagged"])]
        for row in report.families
    ]  # fmt: skip
    caption = (
        "Visits of each family, anchors included; configurations, times and power without the "
        "anchors. From the layer tables."
    )
    download = inline_download("families.csv", names, report.families)
    return slim(Table("families", "Layer families", caption, columns, rows, download=download))


def _runs(manifest: Manifest) -> Table | None:
    if manifest.runs is None:
        return None
    levels = manifest.runtime_levels or {}
    rows = []
    for software in manifest.runs:
        run = Manifest.of(software)
        rows.append([
            word(run.run), word(", ".join(run.measured_on)), word(", ".join(run.boards or ())),
            whole(software.get("rows")), *_level(_mapping(levels.get(run.run or ""))),
        ])  # fmt: skip
    columns = [Column("Run", False), Column("Measured on", False), Column("Board", False),
               Column("Visits"), *_LEVEL_COLUMNS]  # fmt: skip
    caption = (
        "Runs that were merged. Level: the run's runtimes over the geometric mean of the runs, "
        "from the configurations that it shares with others (two-way model of the logarithms, "
        "95 % interval)."
    )
    return Table("runs", "Runs", caption, columns, rows)


_LEVEL_COLUMNS = (Column("Level"), Column("From"), Column("To"), Column("Shared configurations"))


def _level(level: Mapping[str, Any]) -> list[Cell]:
    values = (figure(level.get(name), 5) for name in ("factor", "lo", "hi"))
    return [*values, whole(level.get("shared_configurations"))]


def _boards(manifest: Manifest) -> Table | None:
    gain = manifest.gain or {}
    if len(gain) < 2:
        return None
    columns = [Column("Board", False), *_LEVEL_COLUMNS]
    rows = [[word(board), *_level(_mapping(level))] for board, level in sorted(gain.items())]
    levelled = "taken out of" if manifest.gain_levelled else "left in"
    caption = (
        "Power of each board over the geometric mean of the boards, from shared configurations; "
        f"{levelled} the power column. Boards are named by a digest of their UUID. A sensor's gain "
        "and a board's own draw cannot be separated this way; the gain common to all stays "
        "uncertain by about 5 %."
    )
    return Table("boards", "Boards", caption, columns, rows)


def _unrecorded(folder: Recorded) -> list[str]:
    """What cannot be shown, in words."""
    rows = folder.rows
    found = []
    if not folder.platform.described:
        found.append("A manifest: device, software and protocol are not known.")
    elif folder.platform.manifest.files is None:
        found.append("Checksums of its files.")
    if not folder.records:
        found.append(
            "Records of single visits (visits.jsonl.gz): when each was made and what its time was "
            "spent on is not known; the figures here come from the tables."
        )
    if not any(row.values.get("runtime_ms_lo") is not None for row in rows):
        found.append("Intervals of the runtimes within a visit.")
    if not any(is_anchor(row) for row in rows):
        found.append("Anchor visits: drift of the machine is not known.")
    if not folder.board:
        found.append("Facts of the device (characterise.json).")
    if folder.report.power and not any(folder.platform.folder.glob("power/*.csv.gz")):
        found.append("Raw power logs: power can be looked at visit by visit only.")
    return found


def _protocol(manifest: Manifest) -> dict[str, object]:
    rows = [
        [word(name.replace("_", " ").replace(".", ": ")), word(value)]
        for name, value in flat(manifest.protocol or {})
        if value is not None
    ]
    table = None
    if rows:
        columns = [Column("Rule", False), Column("Value", False)]
        caption = "The protocol's numbers as the run recorded them; names end in their unit."
        table = Table("protocol", "Protocol", caption, columns, rows, sortable=False)
    return {"text": protocol_text(manifest).replace("`", ""), "numbers": table}


def _why_no_power(platform: Platform) -> str:
    return platform.power_reason or "the tables hold none, and no reason is given"


def _flags(report: Report) -> Table | None:
    if not report.flags:
        return None
    rows = [
        [word(name), whole(n), word(FLAGS.get(name, "not a flag that is known"))]
        for name, n in report.flags.items()
    ]
    caption = "Visits of layers and networks that carry each flag; flagged rows are kept."
    columns = [Column("Flag", False), Column("Visits"), Column("What it means", False)]
    return Table("flag-table", "Flags", caption, columns, rows)


def _sound(report: Report) -> dict[str, object]:
    findings = report.findings
    warnings = len(findings) - report.errors
    text = (
        "neuralpower measurements check compares manifest, checksums, tables, records of visits "
        f"and raw logs: {report.errors} errors, {warnings} warnings."
    )
    table = None
    if findings:
        rows = [[word(f.severity), word(f.place), word(f.text)] for f in findings[:_SHOWN_FINDINGS]]
        columns = [Column("Severity", False), Column("Place", False), Column("Finding", False)]
        caption = f"The first {len(rows)} findings." if len(findings) > len(rows) else "Findings."
        table = Table("findings", "Findings", caption, columns, rows)
    return {"text": text, "table": table}


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _words(value: object) -> str:
    return "" if value is None else str(value)


def _of(name: str, value: object, unit: str = "") -> str | None:
    return None if value is None else f"{name} {value}{' ' + unit if unit else ''}"


def _joined(*parts: object) -> str:
    return ", ".join(str(part) for part in parts if part is not None)


PAGE = Page(
    template="measurement.html",
    path="measurements/{platform}.html",
    inputs=("results/accuracy/{platform}.json",),
    context=measurement_context,
    each=lambda results: [
        {"platform": name} for name in results.platforms if results.platform(name).is_recorded
    ],
)
