"""``neuralpower init``: a starter project folder."""

from __future__ import annotations

import argparse
from pathlib import Path

from neuralpower.core.errors import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="a new or empty folder")


def run(arguments: argparse.Namespace) -> int:
    """Write the project; exit status 0."""
    from neuralpower.project.starter import write_project

    names = write_project(arguments.folder)
    say(f"{arguments.folder}: {len(names)} files; read README.md there")
    return 0
