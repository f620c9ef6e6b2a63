"""``neuralpower adapt``: models of this device within minutes, from other devices' models."""

from __future__ import annotations

import argparse
from pathlib import Path

from neuralpower.commands.arguments import add_data_sheet, add_source_models, seconds
from neuralpower.commands.overwriting import refuse_overwriting
from neuralpower.core.errors import InputError, say
from neuralpower.core.files import safe_name

#: Of a visit, with what is built before it and the reference layer between; a run that is slower
#: ends with the budget all the same, in random order of the rows.
SECONDS_A_ROW = 1.0

_EXAMPLE = """example:
  neuralpower adapt --config config/config.yaml --models results/models/ort-cpu \\
      --layers results/layers/*.csv --platform my-cpu --out results/my-cpu --budget 5m \
      -- --threads 4

The layer tables are needed where the sweep is drawn near networks (near_networks); neuralpower
layers or the workflow makes them. What comes after -- goes to neuralpower profile. A run that was
stopped goes on with the same command."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EXAMPLE
    parser.add_argument("--config", required=True, type=Path, help="configuration with a sweep")
    add_source_models(parser)
    add_data_sheet(parser)
    parser.add_argument("--platform", required=True, help="name of the new device")
    parser.add_argument(
        "--out", required=True, type=Path, help="folder for sweep/, measurements/ and models/"
    )
    parser.add_argument(
        "--budget", type=seconds, default=300.0, metavar="TIME", help="time to measure (default 5m)"
    )
    parser.add_argument(
        "--layers", nargs="*", default=[], metavar="TABLE", help="as of neuralpower sweep"
    )
    parser.add_argument(
        "profile", nargs="*", metavar="OPTION", help="behind --: options of neuralpower profile"
    )


def run(arguments: argparse.Namespace) -> int:
    """Choose, measure, transfer; the first exit status that is not 0, or 0."""
    from neuralpower.cli import main
    from neuralpower.modeling.data_sheet import load_data_sheet
    from neuralpower.modeling.models import load_models

    name = safe_name(arguments.platform, "platform")
    if arguments.data_sheet:
        load_data_sheet(arguments.data_sheet)
    for folder in arguments.models:
        load_models(folder)  # a faulty one is said before five minutes are spent
    if (count := int(arguments.budget / SECONDS_A_ROW)) < 1:
        raise InputError(f"--budget: at least {SECONDS_A_ROW:g} seconds are needed")
    sweep, models = arguments.out / "sweep", arguments.out / "models" / name
    refuse_overwriting(models, arguments.models)
    measurements = arguments.out / "measurements" / name
    given = [str(folder) for folder in arguments.models]
    words = ["sweep", "--config", str(arguments.config), "--out", str(sweep)]
    words += ["--choose", str(count), "--given", *given]
    if arguments.layers:
        words += ["--layers", *arguments.layers]
    if status := main(words):
        return status
    tables = [str(path) for path in sorted(sweep.glob("*.csv"))]
    words = ["profile", *tables, "--platform", name, "--out", str(measurements)]
    words += ["--budget", f"{arguments.budget:g}s", *arguments.profile]
    if status := main(words):
        return status
    words = ["transfer", str(measurements), "--models", *given, "--out", str(models)]
    if arguments.data_sheet:
        words += ["--data-sheet", str(arguments.data_sheet)]
    status = main([*words, "--config", str(arguments.config)])
    if not status:
        say(f"{name}: predict with --models {models}")
    return status
