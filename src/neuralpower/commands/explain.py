"""``neuralpower explain``: the layers that cost most, why, and what changing them would save."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from neuralpower.commands.arguments import add_models, add_table_output, positive
from neuralpower.commands.batches import one_batch
from neuralpower.commands.predict import write_rows
from neuralpower.commands.reading import add_reading_arguments, readings, warn
from neuralpower.core.cells import Row
from neuralpower.core.errors import InputError, printable, say, show


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "networks", nargs="+", type=Path, metavar="NET", help="prototxts, ONNX models"
    )
    add_models(parser)
    parser.add_argument(
        "--batch", type=one_batch, metavar="N", help="batch size instead of the file's"
    )
    parser.add_argument(
        "--layers", type=positive, default=5, metavar="N", help="how many (default: 5)"
    )
    add_table_output(parser)
    parser.add_argument(
        "--kept",
        type=Path,
        metavar="DIR",
        help="for many networks: keep results here and renew only what has changed; "
        "a network at fault is named and left out",
    )
    add_reading_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Explain and write; exit status 0. ``InputError`` where no layer has a model."""
    if arguments.kept is not None:
        return _many(arguments)
    if len(arguments.networks) > 1:
        raise InputError("one network at a time, or several with --kept DIR")
    (network,) = arguments.networks
    from neuralpower.modeling.models import load_models
    from neuralpower.networks.calibration import load_composition
    from neuralpower.networks.composition import nothing
    from neuralpower.networks.explaining import COLUMNS, explain, sentences
    from neuralpower.networks.loading import load_networks

    read = readings(arguments)
    loaded = load_networks([network], [arguments.batch] if arguments.batch else [], read)
    warn(loaded)
    rows = explain(
        network,
        load_models(arguments.models),
        arguments.models,
        load_composition(arguments.models),
        arguments.batch,
        arguments.layers,
        read,
    )
    if not rows:
        raise InputError(nothing(loaded[0]), path=network)
    if arguments.format is None and arguments.out is None and sys.stdout.isatty():
        show(_text(rows, sentences(rows)))
    else:
        write_rows(arguments, "explanation", COLUMNS, rows)
    return 0


def _many(arguments: argparse.Namespace) -> int:
    """Explain every network at the first batch size that the platform measured."""
    from neuralpower.commands.predict import batches_of
    from neuralpower.core.files import sha256_file
    from neuralpower.modeling.models import load_models
    from neuralpower.networks.calibration import load_composition
    from neuralpower.networks.explaining import COLUMNS
    from neuralpower.networks.explaining_many import explain_many
    from neuralpower.project.fingerprint import code_hash

    models = load_models(arguments.models)
    wanted = [arguments.batch] if arguments.batch else []
    batches = batches_of(wanted, models)
    digests = [sha256_file(path) for path in sorted(arguments.models.glob("*.json"))]
    rows = explain_many(
        arguments.networks,
        models,
        arguments.models,
        load_composition(arguments.models),
        batches[0] if batches else None,
        readings(arguments),
        kept=arguments.kept,
        made_of=" ".join([code_hash("explain"), str(arguments.layers), *digests]),
        say=lambda reason: say(f"neuralpower: {reason}"),
    )
    write_rows(arguments, "explanation", COLUMNS, rows)
    return 0


def _text(rows: Sequence[Row], lines: Sequence[str]) -> str:
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
    wrapped = [textwrap.fill(printable(line), WIDTH, subsequent_indent="   ") for line in lines]
    return text + "\n" + "".join(line + "\n" for line in wrapped)
