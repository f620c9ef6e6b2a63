"""``neuralpower sweep``: randomised configurations, one table per family."""

from __future__ import annotations

import argparse
from pathlib import Path


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


def run(arguments: argparse.Namespace) -> int:
    """Write one table per family; nothing is written unless all families can be drawn."""
    from neuralpower.core.errors import InputError
    from neuralpower.core.files import write_table
    from neuralpower.sweep.design import SWEEP_COLUMNS, build_design, read_real_layers
    from neuralpower.sweep.sweep_config import load_sweep

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
    for family, rows in designs.items():
        path = Path(arguments.out) / f"{family}.csv"
        write_table(path, SWEEP_COLUMNS, [row.as_row() for row in rows])
    return 0
