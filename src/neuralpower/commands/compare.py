"""``neuralpower compare``: networks side by side, per image, ranked."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from neuralpower.commands.arguments import add_models, add_table_output
from neuralpower.commands.batches import add_batches_argument
from neuralpower.commands.predict import write_rows
from neuralpower.commands.reading import add_reading_arguments, read_networks, readings
from neuralpower.core import files
from neuralpower.core.errors import show
from neuralpower.core.file_names import NETWORKS_FILE
from neuralpower.networks import text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "prototxts", nargs="+", type=Path, metavar="NET", help="prototxts, ONNX models"
    )
    add_models(parser)
    add_batches_argument(parser)
    parser.add_argument(
        "--networks-file",
        type=Path,
        metavar="YAML",
        help="published errors (default: networks.yaml beside the first prototxt, if there)",
    )
    parser.add_argument(
        "--error",
        choices=("top1", "top5"),
        help="the published error to compare (default: the kind that most networks have)",
    )
    add_table_output(parser)
    add_reading_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Compare and write; exit status 0, or 2 where a network is at fault."""
    from neuralpower.modeling.models import load_models
    from neuralpower.networks.calibration import load_composition
    from neuralpower.networks.choosing import COLUMNS, compare, comparison_cells
    from neuralpower.networks.composition import predict_networks
    from neuralpower.networks.published import read_published

    models = load_models(arguments.models)
    networks, status = read_networks(arguments.prototxts, arguments.batch, readings(arguments))
    predicted = predict_networks(networks, models, load_composition(arguments.models))
    facts = arguments.networks_file
    if facts is None and (beside := arguments.prototxts[0].parent / NETWORKS_FILE).exists():
        facts = beside
    rows = compare(
        predicted,
        read_published(facts) if facts is not None else {},
        error=arguments.error and f"{arguments.error}_error",
    )
    if arguments.format is None and arguments.out is None and sys.stdout.isatty():
        show(text.table_text(*comparison_cells(rows), _SPARE))
    elif arguments.format == "md":
        table = text.markdown_table(*comparison_cells(rows))
        if arguments.out is None:
            show(table)
        else:
            files.write_text(arguments.out, table)
    else:
        write_rows(arguments, "comparison", COLUMNS, rows)
    return status


#: Columns that go first where a line has no room: intervals, then the lower ratios.
_SPARE = (5, 9, 10)
