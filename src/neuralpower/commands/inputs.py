"""``neuralpower inputs``: which files of a project cannot be used, and why."""

from __future__ import annotations

import argparse
from pathlib import Path

from neuralpower.core.errors import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "overview", type=Path, metavar="CSV", help="what `layers --overview` wrote of the networks"
    )
    parser.add_argument("--only", nargs="*", metavar="NAME", help="look at these networks only")
    parser.add_argument(
        "--measurements", type=Path, metavar="DIR", help="look at its folders of platforms too"
    )
    parser.add_argument("--out", type=Path, help="write the names of what can be used")


def run(arguments: argparse.Namespace) -> int:
    """A line for each thing at fault; exit status 0, or 2 when there is one."""
    from neuralpower.core.files import write_text
    from neuralpower.networks.overview import read_overview
    from neuralpower.project.questions import find_platforms

    listed = read_overview(arguments.overview)
    if arguments.only is not None:
        listed = [entry for entry in listed if entry.network in arguments.only]
    faults = [entry.reason for entry in listed if entry.refused]
    used = [f"network {entry.network}" for entry in listed if not entry.refused]
    if arguments.measurements is not None:
        folders = find_platforms(arguments.measurements)
        faults += [f"{arguments.measurements}/{n}: {why}" for n, why in folders.refused.items()]
        used += [f"platform {name}" for name in folders.names]
    for fault in faults:
        say(f"neuralpower: {fault}")
    if faults:
        return 2
    if arguments.out is not None:
        write_text(arguments.out, "".join(f"{line}\n" for line in used))
    return 0
