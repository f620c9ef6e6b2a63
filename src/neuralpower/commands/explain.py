"""``neuralpower explain``: the layers that cost most, why, and what changing them would save."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from neuralpower.commands.arguments import positive
from neuralpower.commands.batches import one_batch
from neuralpower.commands.predict import write_rows
from neuralpower.commands.reading import add_reading_arguments, readings, warn
from neuralpower.core.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("prototxt", type=Path, metavar="NET")
    parser.add_argument("--models", required=True, type=Path, help="folder written by fit")
    parser.add_argument("--batch", type=one_batch, metavar="N", help="instead of the file's")
    parser.add_argument(
        "--layers", type=positive, default=5, metavar="N", help="how many (default: 5)"
    )
    parser.add_argument("--out", type=Path, help="file to write; otherwise standard output")
    parser.add_argument(
        "--format",
        choices=("csv", "json", "md"),
        help="default: csv; aligned text on a terminal",
    )
    add_reading_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Explain and write; exit status 0. ``InputError`` where no layer has a model."""
    from neuralpower.modeling.models import load_models
    from neuralpower.networks.calibration import load_composition
    from neuralpower.networks.explaining import COLUMNS, explain, sentences
    from neuralpower.networks.loading import load_networks

    read = readings(arguments)
    warn(load_networks([arguments.prototxt], [arguments.batch] if arguments.batch else [], read))
    rows = explain(
        arguments.prototxt,
        load_models(arguments.models),
        arguments.models,
        load_composition(arguments.models),
        arguments.batch,
        arguments.layers,
        read,
    )
    if not rows:
        raise InputError("no runtime model covers any of its layers", path=arguments.prototxt)
    if arguments.format is None and arguments.out is None and sys.stdout.isatty():
        sys.stdout.write(_text(rows, sentences(rows)))
    else:
        write_rows(arguments, "explanation", COLUMNS, rows)
    return 0


def _text(rows: Sequence[Mapping[str, Any]], lines: Sequence[str]) -> str:
    import textwrap

    from neuralpower.networks.explaining import CHANGES
    from neuralpower.networks.text import WIDTH, count, number, percent, table_text

    headings = ["layer", "type", "MACs", "runtime ms", "%", "energy mJ", "%", "bound by",
                "MACs/byte", "half width", "2x stride",
                "kernel-2"]  # fmt: skip
    right = [False, False, True, True, True, True, True, False, True, True, True, True]
    cells = [
        [
            str(row["name"]),
            str(row["type"]),
            count(row["macs"]) if row["macs"] else "",
            number(row["runtime_ms"]),
            percent(row["runtime_share"]),
            number(row["energy_mj"]),
            percent(row["energy_share"]),
            row["bound"] or "",
            number(row["macs_per_byte"]),
            *(
                "" if saves is None else f"{-saves:+.1f} %"
                for saves in (row[f"{change.key}_saves_percent"] for change in CHANGES)
            ),
        ]
        for row in rows
    ]
    text = table_text(headings, right, cells, (8, 2))
    wrapped = [textwrap.fill(line, WIDTH, subsequent_indent="   ") for line in lines]
    return text + "\n" + "".join(line + "\n" for line in wrapped)
