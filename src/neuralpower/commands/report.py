"""``neuralpower report``: static HTML pages from the tables of a results folder."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from neuralpower.core.errors import InputError, say
from neuralpower.core.file_names import NETWORKS_FILE

if TYPE_CHECKING:
    from neuralpower.reporting.results import Results


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("results", type=Path, metavar="RESULTS_DIR")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder of pages")
    for what in ("networks", "platforms"):
        parser.add_argument(
            f"--{what}", nargs="+", metavar="NAME", help=f"{what} to show; default: all"
        )
    parser.add_argument(
        "--measurements",
        action="append",
        default=[],
        type=Path,
        metavar="DIR",
        help="one platform's measurements, or a folder of platforms; default: the folders "
        "measurements beside and in RESULTS_DIR",
    )
    parser.add_argument(
        "--compare",
        type=Path,
        metavar="OTHER_RESULTS",
        help="an earlier results folder: a page says what moved beyond its interval",
    )
    parser.add_argument(
        "--networks-file",
        type=Path,
        metavar="YAML",
        help="published errors and sources of the networks; default: prototxts/networks.yaml "
        "beside RESULTS_DIR",
    )


def run(arguments: argparse.Namespace) -> int:
    """Write all pages; exit status 0, or 1 when a page could only say why it cannot be written."""
    from neuralpower.reporting.results import Results
    from neuralpower.reporting.site import Report

    if not arguments.results.is_dir():
        raise InputError("no such results folder: run the workflow first", path=arguments.results)
    home = arguments.results.resolve().parent
    results = Results(
        arguments.results,
        arguments.measurements or [home / "measurements"],
        arguments.networks_file or home / "prototxts" / NETWORKS_FILE,
        arguments.networks,
        arguments.platforms,
        _other(arguments.compare),
    )
    report = Report.of(results, arguments.out)
    report.write()
    for fault in report.faults:
        say(f"neuralpower: page {fault.path}: {fault.reason}")
    return 1 if report.faults else 0


def _other(folder: Path | None) -> Results | None:
    """The run to compare with; ``InputError`` where there is no such folder."""
    from neuralpower.reporting.results import Results

    if folder is None:
        return None
    if not folder.is_dir():
        raise InputError("no such results folder to compare with", path=folder)
    return Results(folder)
