"""``neuralpower measurements check DIR``: is a folder of measurements sound?"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from neuralpower.errors import InputError
from neuralpower.files import aligned_text

if TYPE_CHECKING:
    from neuralpower.measurements import Platform
    from neuralpower.profiling.checks import Report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("action", choices=["check"], help="what to do")
    parser.add_argument(
        "folders", nargs="+", type=Path, metavar="DIR", help="a platform, or a folder of platforms"
    )
    parser.add_argument(
        "--show", type=int, default=20, metavar="N", help="findings to print a platform"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print what was found; 0 without errors, 1 with. A table that cannot be read ends with 2."""
    from neuralpower.profiling.checks import check

    errors = 0
    for folder in arguments.folders:
        for platform in _platforms(folder):
            report = check(platform)
            errors += report.errors
            sys.stdout.write(_text(platform, report, arguments.show))
    return 1 if errors else 0


def _platforms(folder: Path) -> list[Platform]:
    from neuralpower.measurements import discover, load_platform

    try:
        return [load_platform(folder)]
    except InputError:
        found = discover(folder)
        if not found:
            raise
        return found


def _text(platform: Platform, report: Report, show: int) -> str:
    lines = [f"{platform.name}: {platform.software or 'software not told'}"]
    lines.append(f"  on {platform.device or 'a device not told'}")
    if platform.power_reason:
        lines.append(f"  no power: {platform.power_reason}")
    columns = list(report.families[0]) if report.families else []
    lines.append(aligned_text(columns, report.families).rstrip())
    if report.networks:
        lines.append(
            f"networks: {report.networks} at a batch size, {report.network_rows} measurements"
        )
    lines += _repeats(report)
    for finding in report.findings[:show]:
        lines.append(f"{finding.severity}: {finding.place}: {finding.text}")
    if len(report.findings) > show:
        lines.append(f"... {len(report.findings) - show} more (--show N)")
    warnings = len(report.findings) - report.errors
    lines.append(f"{report.errors} errors, {warnings} warnings")
    return "\n".join(lines) + "\n\n"


def _repeats(report: Report) -> list[str]:
    r = report.repeatability
    lines = []
    if r.anchor_median_ms is not None and r.anchor_cv is not None:
        drift = "" if r.anchor_drift is None else f", drift {r.anchor_drift:+.1%}"
        lines.append(
            f"anchor: {r.anchors} visits, median {r.anchor_median_ms:.4g} ms, "
            f"coefficient of variation {r.anchor_cv:.1%}{drift}"
        )
    if r.spread_median is not None and r.spread_p90 is not None:
        lines.append(
            f"repeats: {r.repeated} of {r.configurations} configurations, spread (slowest over "
            f"fastest, less 1) median {r.spread_median:.1%}, 90th percentile {r.spread_p90:.1%}"
        )
    return lines
