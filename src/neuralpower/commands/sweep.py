"""``neuralpower sweep``: randomised configurations, one table per family."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from neuralpower.commands.arguments import positive

if TYPE_CHECKING:
    from neuralpower.sweep.design import Row


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--config", required=True, metavar="FILE", help="configuration (YAML)")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for <family>.csv")
    parser.add_argument(
        "--layers",
        nargs="*",
        default=[],
        metavar="TABLE",
        help="layer tables with the networks of near_networks",
    )
    parser.add_argument(
        "--section", default="sweep", metavar="NAME", help="section of the file (default: sweep)"
    )
    parser.add_argument(
        "--choose",
        type=positive,
        metavar="N",
        help="only the N rows that teach the most about all others, the best first",
    )
    parser.add_argument(
        "--given",
        nargs="+",
        action="extend",
        type=Path,
        default=[],
        metavar="MODELS_DIR",
        help="with --choose: models of other platforms, from fit; where they are unsure or "
        "disagree, more is measured",
    )


def run(arguments: argparse.Namespace) -> int:
    """Write one table per family; nothing is written unless all families can be drawn."""
    from neuralpower.core.errors import InputError
    from neuralpower.core.files import write_table
    from neuralpower.sweep.design import SWEEP_COLUMNS, build_design, read_real_layers
    from neuralpower.sweep.sweep_config import load_sweep

    if arguments.given and not arguments.choose:
        raise InputError("--given needs --choose N")
    sweep = load_sweep(arguments.config, arguments.section)
    wanted = sweep.near_networks if any(d.near_share for d in sweep.families) else ()
    if wanted and not arguments.layers:
        raise InputError(
            f"{arguments.section}.near_networks: --layers with the layer tables of "
            f"{', '.join(wanted)} is needed, or near_share 0",
            path=arguments.config,
        )
    layers = read_real_layers(arguments.layers, wanted)
    designs = {
        design.family: build_design(sweep, design, layers.get(design.family, []))
        for design in sweep.families
    }
    if arguments.choose:
        designs = _chosen(designs, arguments.choose, arguments.given)
    for family, rows in designs.items():
        path = Path(arguments.out) / f"{family}.csv"
        write_table(path, SWEEP_COLUMNS, [row.as_row() for row in rows])
    return 0


def _chosen(
    designs: dict[str, list[Row]], count: int, given: Sequence[Path]
) -> dict[str, list[Row]]:
    """The rows of each family that teach the most; families of which none is taken are left out."""
    from neuralpower.modeling.designs import most_informative, shares
    from neuralpower.modeling.models import columns_of, load_models

    models = [load_models(folder) for folder in given]
    found = {}
    for family, most in shares({f: len(rows) for f, rows in designs.items()}, count).items():
        if most:
            rows = designs[family]
            columns = columns_of([row.configuration for row in rows])
            found[family] = [rows[i] for i in most_informative(columns, family, most, models)]
    return found
