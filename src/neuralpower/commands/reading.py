"""The options that say how a network's file is read; every command that reads one takes them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from neuralpower.core.errors import InputError, printable, say
from neuralpower.networks.reading import PHASES, Reading, Readings, blob_shape, data_shape

if TYPE_CHECKING:
    from neuralpower.caffe.network import Network


def add_reading_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare phase, stages, level, shapes from outside and the configuration that has them."""
    group = parser.add_argument_group(
        "how networks are read (these win over networks.yaml beside them)"
    )
    group.add_argument("--phase", choices=PHASES, help="default: TEST")
    group.add_argument("--stage", action="append", metavar="S", help="a stage of the state")
    group.add_argument("--level", type=int, metavar="N", help="level of the state")
    group.add_argument(
        "--assume-elementwise",
        action="store_const",
        const=True,
        help="unknown layer types with one bottom and one top keep the shape",
    )
    group.add_argument(
        "--data-shape",
        type=_argument(data_shape),
        metavar="CxHxW",
        help="one item of the data layers, before they crop it",
    )
    group.add_argument(
        "--blob-shape",
        type=_argument(blob_shape),
        action="append",
        metavar="NAME=DIMS",
        help="a blob that comes from outside the file, as data=10x3x227x227",
    )
    group.add_argument(
        "--config", type=Path, metavar="YAML", help="options by network, in its section `reading`"
    )


def readings(arguments: argparse.Namespace) -> Readings:
    """What the options say; ``InputError`` for a faulty configuration."""
    given = Reading(
        phase=arguments.phase,
        stages=tuple(arguments.stage) if arguments.stage else None,
        level=arguments.level,
        assume_elementwise=arguments.assume_elementwise,
        data_shape=arguments.data_shape,
        blob_shapes=tuple(sorted(dict(arguments.blob_shape).items()))
        if arguments.blob_shape
        else None,
    )
    return Readings(arguments.config, given)


def read_networks(
    paths: Sequence[Path], batches: Sequence[int], read: Readings
) -> tuple[list[Network], int]:
    """Networks at the wanted batch sizes, their warnings said, and the exit status so far.

    One of several that is at fault is named and left out: the status is 2 then. Raises
    ``InputError`` where none is left, and for two of one name.
    """
    from neuralpower.networks.loading import load_networks, refuse_doubled

    refuse_doubled(paths)
    networks, faults = [], []
    for path in dict.fromkeys(paths):
        try:
            networks += load_networks([path], batches, read)
        except InputError as error:
            faults.append(error)
    last = faults.pop() if faults and not networks else None
    for fault in faults:
        say(f"neuralpower: {fault}")
    if last is not None:
        raise last
    warn(networks)
    return networks, 2 if faults else 0


def warn(networks: Iterable[Network]) -> None:
    """Write on standard error what makes figures unsure or assumed, once a file."""
    lines = dict.fromkeys(line for network in networks for line in network.warnings)
    sys.stderr.write("".join(f"{printable(line)}\n" for line in lines))


def _argument(read: Callable[[str], object]) -> Callable[[str], object]:
    def reader(text: str) -> object:
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return reader
