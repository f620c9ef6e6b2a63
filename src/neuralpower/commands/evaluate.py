"""``neuralpower evaluate``: accuracy of models beside the baselines."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from neuralpower.commands.arguments import add_measured
from neuralpower.commands.reading import add_reading_arguments, readings
from neuralpower.commands.summaries import say_accuracy
from neuralpower.core.errors import show
from neuralpower.core.files import write_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_measured(parser, "networks whose whole runs the folder has measured")
    parser.add_argument("--out", type=Path, help="accuracy.json; otherwise standard output")
    add_reading_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Score and write; exit status 0."""
    from neuralpower.commands.threads import single_thread
    from neuralpower.scoring.layers import evaluate

    with single_thread():
        accuracy = evaluate(
            arguments.measurements, arguments.models, arguments.networks, readings(arguments)
        )
    if arguments.out is not None:
        write_json(arguments.out, accuracy)
        say_accuracy(accuracy)
    else:
        show(json.dumps(accuracy, indent=1, sort_keys=True, allow_nan=False) + "\n")
    return 0
