"""``neuralpower gate``: exit 1 when accuracy got worse than a baseline allows."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from neuralpower.core.cells import Row
from neuralpower.core.errors import InputError, say
from neuralpower.core.files import write_table

if TYPE_CHECKING:
    from neuralpower.scoring.gate import Figures


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("accuracy", type=Path, metavar="accuracy.json")
    parser.add_argument(
        "--baseline", required=True, type=Path, help="what --accept wrote, or any accuracy file"
    )
    parser.add_argument("--config", type=Path, help="YAML file; tolerances from its `gate` section")
    parser.add_argument(
        "--points", type=_number, help="rise of an error that is allowed, in points"
    )
    parser.add_argument(
        "--relative", type=_number, help="rise allowed in per cent of the baseline's"
    )
    parser.add_argument("--all", action="store_true", help="list figures that did not move too")
    parser.add_argument("--out", type=Path, help="write the table there instead of printing it")
    accept = parser.add_mutually_exclusive_group()
    accept.add_argument(
        "--accept",
        action="store_true",
        help="if nothing fails, move the baseline to the figures that are better or new; "
        "makes the baseline where there is none",
    )
    accept.add_argument(
        "--accept-all",
        action="store_true",
        help="make these figures the baseline whatever they are: a decision to be reviewed",
    )


def run(arguments: argparse.Namespace) -> int:
    """Compare; exit status 0 when no verdict is red, 1 otherwise."""
    from neuralpower.scoring import gate
    from neuralpower.scoring.accuracy import load_accuracy

    tolerances = gate.load_tolerances(arguments.config)
    if arguments.points is not None:
        tolerances = replace(tolerances, points=arguments.points, network_points=arguments.points)
    if arguments.relative is not None:
        tolerances = replace(tolerances, relative_percent=arguments.relative)
    accuracy = load_accuracy(arguments.accuracy)
    now, _ = gate.load_figures(arguments.accuracy)
    accepting = arguments.accept or arguments.accept_all
    baseline, facts = _baseline(arguments, accepting)
    _must_be_of_one_platform(arguments, accuracy.get("platform"), facts.get("platform"))
    if facts and facts.get("data_sha256") != accuracy.get("data_sha256"):
        _say(f"{arguments.accuracy}: the measurements are not those of the baseline")
    rows = gate.compare(now, baseline, tolerances)
    moved = [
        row
        for row in rows
        if arguments.all or row["verdict"] != "ok" or abs(row["change"] or 0.0) >= gate.NOTICED
    ]
    shown = moved if arguments.out is not None else [_short(row) for row in moved]
    write_table(arguments.out, gate.COLUMNS, shown)
    red = gate.failed(rows)
    _say(f"{arguments.accuracy}: {_summary(rows)}: {'FAILED' if red else 'passed'}")
    if arguments.accept_all:
        gate.write_baseline(arguments.baseline, accuracy, now)
        _say(f"{arguments.baseline}: is now what {arguments.accuracy} says")
        return 0
    if red:
        _say("make it better, or decide that it may be so: the same command with --accept-all")
    elif arguments.accept:
        kept = gate.accepted(now, baseline, tolerances)
        gate.write_baseline(arguments.baseline, accuracy, kept)
        _say(f"{arguments.baseline}: moved; commit it")
    elif any(row["verdict"] in ("better", "new") for row in rows):
        _say("better or new figures: the same command with --accept moves the baseline to them")
    return 1 if red else 0


def _short(row: Mapping[str, object]) -> dict[str, object]:
    """A row with four significant digits, for people; the file of ``--out`` keeps all."""
    return {
        name: f"{value:.4g}" if isinstance(value, float) else value for name, value in row.items()
    }


def _baseline(
    arguments: argparse.Namespace, accepting: bool
) -> tuple[Figures, Mapping[str, object]]:
    from neuralpower.scoring.gate import load_figures

    if arguments.baseline.exists():
        return load_figures(arguments.baseline)
    if accepting:
        return {}, {}
    raise InputError(
        f"no baseline: `neuralpower gate {arguments.accuracy} --baseline {arguments.baseline} "
        "--accept` makes it from this accuracy, then commit it",
        path=arguments.baseline,
    )


def _must_be_of_one_platform(arguments: argparse.Namespace, now: object, before: object) -> None:
    if now and before and now != before:
        raise InputError(
            f"of platform {now}, but {arguments.baseline} of {before}: name that platform's "
            "baseline, or remove the file if the platform has a new name",
            path=arguments.accuracy,
        )


def _summary(rows: Sequence[Row]) -> str:
    counts: dict[str, int] = {}
    for row in rows:
        counts[row["verdict"]] = counts.get(row["verdict"], 0) + 1
    order = ("worse", "gone", "fewer", "coverage", "units", "better", "new", "ok")
    return ", ".join(f"{counts[name]} {name}" for name in order if name in counts)


def _number(text: str) -> float:
    value = float(text)
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 on")
    return value


def _say(text: str) -> None:
    say(text)
