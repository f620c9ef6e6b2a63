"""``neuralpower gate``: exit 1 when accuracy got worse than a baseline allows."""

from __future__ import annotations

import argparse
from pathlib import Path

from neuralpower.files import write_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("accuracy", type=Path, metavar="accuracy.json")
    parser.add_argument("--baseline", required=True, type=Path, help="an earlier accuracy file")
    parser.add_argument(
        "--points", type=float, default=0.5, help="rise of an error that is allowed, in points"
    )
    parser.add_argument(
        "--relative", type=float, default=5.0, help="rise allowed in per cent of the baseline's"
    )
    parser.add_argument("--all", action="store_true", help="list figures that did not move too")
    parser.add_argument("--out", type=Path, help="write the table there instead of printing it")


def run(arguments: argparse.Namespace) -> int:
    """Compare; exit status 0 when nothing is worse or gone, 1 otherwise."""
    from neuralpower.modeling.gate import COLUMNS, Tolerances, compare, failed, load_accuracy

    rows = compare(
        load_accuracy(arguments.accuracy),
        load_accuracy(arguments.baseline),
        Tolerances(arguments.points, arguments.relative),
    )
    moved = [row for row in rows if arguments.all or row["change"] != 0.0]
    write_table(arguments.out, COLUMNS, moved)
    return 1 if failed(rows) else 0
