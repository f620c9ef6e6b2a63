"""``neuralpower predict``: networks, or a table of configurations, through a platform's models."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from neuralpower.commands.arguments import add_models, add_table_output
from neuralpower.commands.batches import add_batches_argument
from neuralpower.commands.reading import add_reading_arguments, read_networks, readings
from neuralpower.core import files
from neuralpower.core.configuration import PREDICTION_COLUMNS
from neuralpower.core.errors import InputError, say, show
from neuralpower.core.json_tables import document

#: Batch sizes within this factor of the measured ones are near enough to be shown by default.
NEAR = 2.0

if TYPE_CHECKING:
    from neuralpower.modeling.models import ModelSet


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "prototxts", nargs="*", type=Path, metavar="NET", help="prototxts, ONNX models"
    )
    add_models(parser)
    add_batches_argument(parser)
    parser.add_argument(
        "--measured-batches",
        action="store_true",
        help="where the platform measured a few batch sizes only, keep to those",
    )
    parser.add_argument(
        "--table", type=Path, metavar="CSV", help="predict the rows of a table of configurations"
    )
    parser.add_argument(
        "--overview",
        type=Path,
        metavar="CSV",
        help="predict the networks of a table that `layers --overview` wrote, one file each in "
        "the folder of --out",
    )
    parser.add_argument(
        "--only", nargs="*", metavar="NAME", help="only these networks of the overview"
    )
    parser.add_argument(
        "--totals", type=Path, metavar="CSV", help="write the totals of all of them here"
    )
    add_table_output(parser)
    add_reading_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Predict and write; exit status 0, or 2 where one of several networks is at fault."""
    given = (bool(arguments.prototxts), arguments.table is not None, arguments.overview is not None)
    if sum(given) != 1:
        raise InputError("give networks, --table CSV or --overview CSV, one of the three")
    if arguments.table is not None and arguments.batch:
        raise InputError("--batch goes with prototxt files: a table has its own batch column")
    from neuralpower.modeling.models import load_models

    models = load_models(arguments.models)
    if arguments.totals is not None and arguments.overview is None:
        raise InputError("--totals goes with --overview: name --out for the figures of a network")
    if arguments.table is not None:
        from neuralpower.networks.configurations import predict_table

        columns, rows = predict_table(
            arguments.table, models, lambda text: say(f"{arguments.table}: {text}")
        )
        write_rows(arguments, "configurations", columns, rows)
        return 0
    if arguments.overview is not None:
        _predict_overview(arguments, models)
        return 0
    from neuralpower.networks.calibration import load_composition
    from neuralpower.networks.composition import predict_networks

    batches = arguments.batch
    if arguments.measured_batches:
        batches = batches_of(batches, models)
    networks, status = read_networks(arguments.prototxts, batches, readings(arguments))
    predicted = predict_networks(networks, models, load_composition(arguments.models))
    write(arguments, predicted)
    return status


def batches_of(wanted: Sequence[int], models: ModelSet) -> list[int]:
    """The wanted batch sizes that a platform's models were measured at or near."""
    rows = models.facts.get("rows")
    counts = rows if isinstance(rows, Mapping) else {}
    largest = max(
        (model for (_, target), model in sorted(models.models.items()) if target == "runtime_ms"),
        key=lambda model: counts.get(model.family, {}).get("configurations", 0),
        default=None,
    )
    span = None if largest is None else largest.ranges.get("batch")
    return measured_batches(wanted, models.facts.get("batch_sizes"), span)


def measured_batches(
    wanted: Sequence[int], measured: object, span: tuple[float, float] | None = None
) -> list[int]:
    """The wanted batch sizes that a platform measured; all it measured if none is wanted.

    ``measured``: the few sizes of the models' index. Without any, those within a factor of ``NEAR``
    of the least and the largest that was measured (``span``), else the nearer end: the largest, or
    the first power of two.
    """
    if isinstance(measured, list) and measured:
        return [size for size in wanted if size in measured] or [int(size) for size in measured]
    if span is None or not wanted:
        return list(wanted)
    low, high = span
    near = [size for size in wanted if low / NEAR <= size <= high * NEAR]
    if near:
        return near
    return [int(high) if min(wanted) > high else min(2 ** math.ceil(math.log2(low)), int(high))]


def _predict_overview(arguments: argparse.Namespace, models: ModelSet) -> None:
    from neuralpower.core.made import key_of
    from neuralpower.networks.calibration import load_composition
    from neuralpower.networks.overview import read_overview
    from neuralpower.networks.predictions import predict_listed
    from neuralpower.project.fingerprint import code_hash

    if arguments.out is None or arguments.totals is None:
        raise InputError("--overview goes with --out DIR and --totals CSV")
    listed = read_overview(arguments.overview)
    if arguments.only is not None:
        wanted = set(arguments.only)
        listed = [entry for entry in listed if entry.network in wanted]
    batches = arguments.batch
    if arguments.measured_batches:
        batches = batches_of(batches, models)
    digests = [files.sha256_file(path) for path in sorted(arguments.models.glob("*.json"))]
    totals = predict_listed(
        listed,
        batches,
        models,
        load_composition(arguments.models),
        arguments.out,
        made_of=key_of(code_hash("predict"), *digests),
    )
    files.write_text(arguments.totals, files.csv_text(PREDICTION_COLUMNS, totals))


def write(arguments: argparse.Namespace, rows: Sequence[Mapping[str, object]]) -> None:
    """Write network predictions in the chosen format to ``--out`` or standard output."""
    from neuralpower.networks import text

    if arguments.format == "md":
        _put(arguments.out, text.prediction_markdown(rows))
    elif arguments.format is None and arguments.out is None and sys.stdout.isatty():
        _put(None, text.prediction_text(rows))
    else:
        write_rows(arguments, "predictions", PREDICTION_COLUMNS, rows)


def write_rows(
    arguments: argparse.Namespace,
    kind: str,
    columns: Sequence[str],
    rows: Sequence[Mapping[str, object]],
) -> None:
    """Write any table in the chosen format to ``--out`` or standard output.

    ``kind`` is the name of its schema (``core.json_tables``).
    """
    from neuralpower.networks import text

    if arguments.format == "json":
        table = document(kind, columns, rows)
        _put(arguments.out, json.dumps(table, indent=1, allow_nan=False) + "\n")
    elif arguments.format == "md":
        cells = [[text.cell(row.get(name)) for name in columns] for row in rows]
        _put(arguments.out, text.markdown_table(columns, [False] * len(columns), cells))
    elif arguments.format is None and arguments.out is None and sys.stdout.isatty():
        _put(None, text.rows_text(columns, rows))
    else:
        _put(arguments.out, files.csv_text(columns, rows))


def _put(out: Path | None, text: str) -> None:
    if out is not None:
        files.write_text(out, text)
    else:
        show(text)
