"""``neuralpower shards``: split a sweep for several machines, merge what they measured."""

from __future__ import annotations

import argparse
from pathlib import Path

from neuralpower.commands.arguments import positive, share
from neuralpower.core.errors import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    split = actions.add_parser("split", help="divide tables of configurations into shards")
    split.add_argument("tables", nargs="+", metavar="TABLE", help="tables of configurations")
    split.add_argument("--shards", required=True, type=positive, metavar="N")
    split.add_argument("--out", required=True, type=Path, metavar="DIR", help="for 0.csv, 1.csv...")
    split.add_argument("--twice", type=share, metavar="SHARE", help="share visited twice")
    split.add_argument("--thrice", type=share, metavar="SHARE", help="share visited three times")
    split.add_argument("--seed", type=int, default=0, help="seed of the repeats and the division")
    merge = actions.add_parser("merge", help="merge the folders of measured shards")
    merge.add_argument("folders", nargs="+", type=Path, metavar="DIR")
    merge.add_argument("--out", required=True, type=Path, metavar="DIR")


def run(arguments: argparse.Namespace) -> int:
    """Split or merge; exit status 0."""
    from neuralpower.project import shards

    if arguments.action == "merge":
        visits = shards.merge(arguments.folders, arguments.out)
        say(f"{arguments.out}: {visits} visits of {len(arguments.folders)} shards")
        return 0
    seconds = shards.split(
        arguments.tables,
        arguments.shards,
        arguments.out,
        twice_share=arguments.twice,
        thrice_share=arguments.thrice,
        seed=arguments.seed,
    )
    say(
        f"{arguments.out}: {len(seconds)} shards of about {min(seconds) / 60:.1f} to "
        f"{max(seconds) / 60:.1f} minutes of visits (networks not counted)"
    )
    return 0
