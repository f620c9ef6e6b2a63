"""``neuralpower layers``: the layer tables of prototxt files."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from neuralpower.commands.batches import one_batch
from neuralpower.commands.reading import add_reading_arguments, readings, warn
from neuralpower.core.configuration import LAYER_COLUMNS
from neuralpower.core.errors import InputError
from neuralpower.core.files import csv_text, safe_name, write_table, write_text

if TYPE_CHECKING:
    from neuralpower.caffe.network import Network
    from neuralpower.networks.reading import Readings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's inputs and options."""
    parser.add_argument("networks", nargs="+", metavar="NET", help="prototxts, ONNX models")
    add_network_arguments(parser)
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE or DIR",
        help="the table; with several networks a folder of them (default: standard output)",
    )


def add_network_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that say how a prototxt is read; other commands take them too."""
    parser.add_argument(
        "--batch", type=one_batch, metavar="N", help="first size of every network input"
    )
    parser.add_argument("--strict", action="store_true", help="refuse what BVLC Caffe refuses")
    parser.add_argument(
        "--known-types",
        action="store_true",
        help="refuse layer types that no known Caffe has (misspelt ones, mostly)",
    )
    add_reading_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """List the networks; a faulty one is reported, the others are still written (status 2)."""
    several = len(arguments.networks) > 1
    if several and arguments.out is not None and arguments.out.is_file():
        raise InputError("several networks need a folder, this is a file", path=arguments.out)
    read = readings(arguments)
    names: dict[str, str] = {}
    status = 0
    for path in arguments.networks:
        try:
            network = _load(path, arguments, read)
            if several:
                _claim(names, network.name, path)
            _write(network, several, arguments.out)
        except InputError as error:
            if not several:
                raise
            sys.stderr.write(f"neuralpower: {error}\n")
            status = 2
            continue
        _report(network, path)
    return status


def _load(path: str, arguments: argparse.Namespace, read: Readings) -> Network:
    from neuralpower.onnx_in.loading import load_network

    return load_network(
        path,
        batch=arguments.batch,
        strict=arguments.strict,
        known_types=arguments.known_types,
        **read.of(path).options(),
    )


def _claim(names: dict[str, str], name: str, path: str) -> None:
    """Two networks of one name would overwrite each other's table."""
    if name in names:
        raise InputError(f"the name {name!r} is taken by {names[name]}: rename one", path=path)
    names[name] = path


def _write(network: Network, several: bool, out: Path | None) -> None:
    from neuralpower.caffe.network import layer_row

    rows = [layer_row(network, layer) for layer in network.layers]
    if out is None:
        write_table(None, LAYER_COLUMNS, rows)
        return
    folder = several or out.is_dir() or (not out.suffix and not out.exists() and several)
    target = out / f"{safe_name(network.name, 'network name')}.csv" if folder else out
    write_text(target, csv_text(LAYER_COLUMNS, rows))


def _report(network: Network, path: str) -> None:
    """The coverage in one line on standard error, and what was passed over."""
    covered = network.coverage()
    lines = [
        f"{network.name}: {covered['layers']} layers, {covered['layers_known']} with known shapes "
        f"({100 * covered['layers_known_share']:.1f} %), {covered['layers_supported']} with a "
        f"model family, which do {100 * covered['macs_supported_share']:.1f} % of "
        f"{covered['macs']:.4g} MACs"
    ]
    if covered["layers_not_sure"]:
        lines[0] += f"; {covered['layers_not_sure']} not sure"
    lines += [f"{path}: note: {note}" for note in network.notes]
    sys.stderr.write("".join(f"{' '.join(line.split())}\n" for line in lines))
    warn([network])
