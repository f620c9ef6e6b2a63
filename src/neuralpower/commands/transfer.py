"""``neuralpower transfer``: models of a new device from others' and a few measurements."""

from __future__ import annotations

import argparse
from pathlib import Path

from neuralpower.commands.arguments import add_data_sheet, add_source_models
from neuralpower.commands.summaries import say_models
from neuralpower.core.errors import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "measurements",
        nargs="?",
        type=Path,
        metavar="MEASUREMENTS_DIR",
        help="the few measurements of the new device; none with --data-sheet",
    )
    add_source_models(parser)
    parser.add_argument(
        "--out", required=True, type=Path, metavar="MODELS_DIR", help="folder for the models"
    )
    add_data_sheet(parser)
    parser.add_argument("--config", type=Path, help="YAML file; its `fit` section is used")
    parser.add_argument("--seed", type=int, help="seed of the folds")


def run(arguments: argparse.Namespace) -> int:
    """Transfer every family that another device has; exit status 0."""
    from neuralpower.commands.threads import single_thread

    with single_thread():
        return _transfer(arguments)


def _transfer(arguments: argparse.Namespace) -> int:
    from neuralpower.core.errors import InputError
    from neuralpower.modeling.data_sheet import load_data_sheet
    from neuralpower.modeling.options import load_options
    from neuralpower.modeling.transfer import transfer_platform

    options = load_options(arguments.config, arguments.seed)
    sheet = load_data_sheet(arguments.data_sheet) if arguments.data_sheet else None
    if arguments.measurements is None and sheet is None:
        raise InputError("give MEASUREMENTS_DIR, --data-sheet FILE, or both")
    transfer_platform(arguments.models, arguments.measurements, arguments.out, options, sheet)
    say_models(arguments.out)
    if arguments.measurements is not None:
        from neuralpower.modeling.data import load_dataset
        from neuralpower.scoring.learning_curve import write_transfer_curve
        from neuralpower.scoring.outlook import outlooks

        data = load_dataset(arguments.measurements)
        for outlook in outlooks(
            write_transfer_curve(arguments.models, data, arguments.out, options)
        ):
            say(outlook.text())
    return 0
