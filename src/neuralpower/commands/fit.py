"""``neuralpower fit``: models of a platform from its measurements."""

from __future__ import annotations

import argparse
from pathlib import Path

from neuralpower.commands.progress import Bar
from neuralpower.commands.summaries import say_models
from neuralpower.core.errors import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "measurements", type=Path, metavar="MEASUREMENTS_DIR", help="folder of measurements"
    )
    parser.add_argument(
        "--out", required=True, type=Path, metavar="MODELS_DIR", help="folder for the models"
    )
    parser.add_argument("--config", type=Path, help="YAML file; its `fit` section is used")
    parser.add_argument(
        "--learning-curve",
        type=Path,
        metavar="FILE.csv",
        help="also write accuracy against the number of configurations, and FILE.svg (slow)",
    )
    parser.add_argument(
        "--leave-out-negative",
        action="store_true",
        help="leave out rows with a negative runtime instead of refusing the table",
    )
    parser.add_argument("--seed", type=int, help="seed of the folds (default: 0)")


def run(arguments: argparse.Namespace) -> int:
    """Fit every family and target; exit status 0."""
    from neuralpower.commands.threads import single_thread

    with single_thread(), Bar("fit ", transient=True) as bar:
        from neuralpower.modeling.options import load_options
        from neuralpower.modeling.platforms import fit_platform

        options = load_options(arguments.config, arguments.seed)
        fit_platform(
            arguments.measurements,
            arguments.out,
            options,
            bar.update,
            leave_out_negative=arguments.leave_out_negative,
            tell=say,
        )
        if arguments.learning_curve is not None:
            from neuralpower.modeling.data import load_dataset
            from neuralpower.scoring.learning_curve import write_learning_curve

            data = load_dataset(arguments.measurements)
            write_learning_curve(data, arguments.learning_curve, options)
    say_models(arguments.out)
    return 0
