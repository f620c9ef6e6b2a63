"""``neuralpower calibrate``: what measured whole passes teach about adding up layers."""

from __future__ import annotations

import argparse
from pathlib import Path

from neuralpower.commands.arguments import add_measured
from neuralpower.commands.reading import add_reading_arguments, readings
from neuralpower.commands.summaries import say_composition
from neuralpower.core.errors import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_measured(parser, "networks whose whole passes the folder has measured; others are not read")
    parser.add_argument(
        "--out", type=Path, help="file to write; default: composition.json beside the models"
    )
    add_reading_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Learn the composition and write it, also when there is nothing to learn; exit status 0."""
    from neuralpower.commands.threads import single_thread
    from neuralpower.modeling.models import load_models
    from neuralpower.networks.calibration import save_composition
    from neuralpower.networks.held_out import hold_out
    from neuralpower.networks.learning import learn, load_trials
    from neuralpower.networks.measured import pass_faults
    from neuralpower.records.columns import network_slips
    from neuralpower.records.folder import load_platform

    models = load_models(arguments.models)
    trials, missing = load_trials(
        arguments.measurements, models, arguments.networks, readings(arguments)
    )
    platform = load_platform(arguments.measurements)
    for slip in network_slips(platform):
        place = arguments.measurements / slip.file
        say(f"neuralpower: {place}: column {slip.column!r}: {slip.reason}")
    if found := pass_faults(platform):
        first = found[0]
        say(
            f"neuralpower: {arguments.measurements / first.file}, row {first.row}: {first.reason}: "
            f"left out (such values: {len(found)})"
        )
    for name, reason in sorted(missing.items()):
        say(f"neuralpower: {name} was measured but {reason}")
    with single_thread():
        held_out = hold_out(
            arguments.measurements,
            arguments.models,
            models,
            trials,
            lambda text: say(f"neuralpower: {text}"),
        )
    composition = learn(trials, held_out.trials)
    for text in composition.warnings:
        say(f"neuralpower: {arguments.measurements}: warning: {text}")
    save_composition(composition, arguments.models, arguments.out)
    say_composition(composition, models.platform)
    return 0
