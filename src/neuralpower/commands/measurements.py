"""``neuralpower measurements``: check, merge, export, seal and begin measurements."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from neuralpower.core.cells import SIZE_COLUMNS
from neuralpower.core.errors import InputError, printable, say, show
from neuralpower.core.families import FAMILIES, FAMILY
from neuralpower.core.files import aligned_text, csv_text, safe_name, write_table

if TYPE_CHECKING:
    from neuralpower.records.checks import Report
    from neuralpower.records.folder import Platform

#: Columns with a sensible default that change what a layer of a family costs.
_OPTIONAL = {
    "conv": ("dilation_height", "dilation_width", "bias"),
    "deconv": ("dilation_height", "dilation_width", "bias"),
    "fc": ("bias",),
    "scale": ("bias",),
}
#: Kinds of differences between runs that can be allowed (``profiling.merging.compatible``).
_DIFFERENCES = ("anchor", "device", "precision", "protocol", "software")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    check = actions.add_parser("check", help="faults of a folder, and a summary")
    check.add_argument(
        "folders", nargs="+", type=Path, metavar="DIR", help="a platform, or a folder of platforms"
    )
    check.add_argument(
        "--show", type=int, default=20, metavar="N", help="findings to print per platform"
    )
    merge = actions.add_parser("merge", help="runs and boards of one kind as one platform")
    merge.add_argument("folders", nargs="+", type=Path, metavar="DIR", help="recorded platforms")
    merge.add_argument("--platform", required=True, help="name of the merged platform")
    merge.add_argument("--out", required=True, type=Path, metavar="DIR", help="a new folder")
    merge.add_argument(
        "--level-gain",
        action="store_true",
        help="bring the boards' power to their common level (as read: power_w_raw)",
    )
    merge.add_argument(
        "--allow-different",
        action="append",
        default=[],
        choices=_DIFFERENCES,
        help="merge runs that differ in this; may be given several times, and is recorded",
    )
    export = actions.add_parser("export", help="visits, raw samples and networks as tables")
    export.add_argument("folder", type=Path, metavar="DIR", help="a platform")
    export.add_argument("--format", choices=("parquet", "csv"), default="parquet")
    export.add_argument("--out", required=True, type=Path, metavar="DIR", help="a new folder")
    template = actions.add_parser(
        "template", help="an empty table of a family, with the columns that must be filled"
    )
    template.add_argument("family", choices=FAMILIES, metavar="FAMILY", help=", ".join(FAMILIES))
    template.add_argument("--out", type=Path, metavar="FILE.csv", help="default: standard output")
    keep = actions.add_parser("keep", help="a finished measurement as a recorded platform")
    keep.add_argument("folder", type=Path, metavar="DIR", help="a platform, as profile wrote it")
    keep.add_argument("--out", required=True, type=Path, metavar="DIR", help="measurements/NAME")
    keep.add_argument(
        "--unfinished",
        action="store_true",
        help="keep a run that was cut too: what it lacks is in its manifest",
    )
    seal = actions.add_parser("seal", help="take files that came later into the manifest")
    seal.add_argument("folders", nargs="+", type=Path, metavar="DIR", help="recorded platforms")


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked; ``check`` returns 1 when it found errors. Unreadable tables end with 2."""
    if arguments.action == "check":
        return _check(arguments.folders, arguments.show)
    if arguments.action == "merge":
        return _merge(arguments)
    if arguments.action == "template":
        return _template(arguments.family, arguments.out)
    if arguments.action == "keep":
        from neuralpower.records.sealing import keep

        files = keep(arguments.folder, arguments.out, unfinished=arguments.unfinished)
        say(f"{arguments.out}: {len(files)} files with their checksums")
        return 0
    if arguments.action == "export":
        from neuralpower.records.export import export

        counts = export(arguments.folder, arguments.out, arguments.format)
        listed = ", ".join(f"{name} {rows}" for name, rows in counts.items())
        say(f"rows: {listed}; in {arguments.out}")
        return 0
    from neuralpower.records.folder import load_platform
    from neuralpower.records.sealing import seal

    for folder in arguments.folders:
        added = seal(load_platform(folder))
        say(f"{folder}: {', '.join(added) or 'nothing'} added to the manifest")
    return 0


def _template(family: str, out: Path | None) -> int:
    """The header of a table; what else may be in it goes to standard error."""
    needed = (*SIZE_COLUMNS, *FAMILY[family].cells, "runtime_ms")
    optional = [name for name in _OPTIONAL.get(family, ()) if name not in needed]
    write_table(out, needed, []) if out is not None else show(csv_text(needed, []))
    say(
        f"one row per measurement; may be added: {', '.join([*optional, 'power_w', 'repeat'])} "
        "(docs/measurements_format.md)"
    )
    return 0


def _merge(arguments: argparse.Namespace) -> int:
    from neuralpower.records.merging.merge import merge

    facts = merge(
        arguments.folders,
        safe_name(arguments.platform, "platform"),
        arguments.out,
        level_gain=arguments.level_gain,
        allowed=frozenset(arguments.allow_different),
    )
    say(f"{facts.description} In {arguments.out}")
    return 0


def _check(folders: list[Path], most: int) -> int:
    from neuralpower.records.checks import check

    errors = 0
    for folder in folders:
        for platform in _platforms(folder):
            report = _with_unlike(platform, check(platform))
            errors += report.errors
            show(_text(platform, report, most))
    return 1 if errors else 0


def _with_unlike(platform: Platform, report: Report) -> Report:
    """The report with the rows that ``fit`` leaves out because they are unlike all others."""
    from neuralpower.modeling.data import unlike
    from neuralpower.records.record_checks import Finding

    found = [
        Finding("error", f"{f.file}, row {f.row}", f"{f.column}: {f.reason}")
        for f in unlike(platform)
    ]
    return replace(report, findings=(*report.findings, *found))


def _platforms(folder: Path) -> list[Platform]:
    from neuralpower.records.folder import discover, load_platform

    try:
        return [load_platform(folder)]
    except InputError:
        found = discover(folder)
        if not found:
            raise
        return found


def _text(platform: Platform, report: Report, most: int) -> str:
    from neuralpower.core.facts import as_text
    from neuralpower.records.repeat_facts import power_facts, runtime_facts

    lines = [f"{platform.name}: {printable(platform.software) or 'software not known'}"]
    lines.append(f"  on {printable(platform.device) or 'a device that is not known'}")
    if platform.power_reason:
        lines.append(f"  no power: {printable(platform.power_reason)}")
    columns = list(report.families[0]) if report.families else []
    lines.append(aligned_text(columns, report.families).rstrip())
    if report.networks:
        lines.append(
            f"networks: {report.networks} at a batch size, {report.network_rows} measurements"
        )
    lines += as_text(runtime_facts(report.repeatability))
    lines += as_text(power_facts(report.power, platform.manifest))
    if report.flags:
        flags = ", ".join(f"{name} {n}" for name, n in report.flags.items())
        lines.append(f"flags: {printable(flags)}")
    for finding in report.findings[:most]:
        lines.append(f"{finding.severity}: {printable(f'{finding.place}: {finding.text}')}")
    if len(report.findings) > most:
        lines.append(f"... {len(report.findings) - most} more (--show N)")
    warnings = len(report.findings) - report.errors
    lines.append(f"{report.errors} errors, {warnings} warnings")
    return "\n".join(lines) + "\n\n"
