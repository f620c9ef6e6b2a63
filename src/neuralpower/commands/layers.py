"""``neuralpower layers``: the layer tables of prototxt files."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from neuralpower.commands.batches import one_batch
from neuralpower.commands.reading import add_reading_arguments, readings, warn
from neuralpower.core.configuration import LAYER_COLUMNS
from neuralpower.core.errors import InputError, printable, say, show
from neuralpower.core.files import aligned_text, csv_text, safe_name, write_text

if TYPE_CHECKING:
    from neuralpower.caffe.network import Network
    from neuralpower.networks.reading import Readings

#: Columns that go first where a line has no room: the note, then the family.
_SPARE = (7, 3)


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
    parser.add_argument(
        "--format",
        choices=("csv", "json", "md"),
        help="default: csv; on a terminal the columns that people look for",
    )
    parser.add_argument(
        "--all-columns", action="store_true", help="on a terminal: every column, however wide"
    )
    parser.add_argument(
        "--overview",
        type=Path,
        metavar="CSV",
        help="list all networks of the one folder NET, those that cannot be read with the reason "
        "(then no fault), and write their tables to the folder of --out",
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
    if arguments.overview is not None:
        return _list_folder(arguments)
    several = len(arguments.networks) > 1
    if several and arguments.out is not None and arguments.out.is_file():
        raise InputError("several networks need a folder, this is a file", path=arguments.out)
    from neuralpower.networks.loading import refuse_empty

    read = readings(arguments)
    names: dict[str, str] = {}
    status = 0
    for path in arguments.networks:
        try:
            network = _load(path, arguments, read)
            refuse_empty(network, path)
            if several:
                _claim(names, network.name, path)
            _write(network, several, arguments)
        except InputError as error:
            if not several:
                raise
            say(f"neuralpower: {error}")
            status = 2
            continue
        _report(network, path)
    return status


def _list_folder(arguments: argparse.Namespace) -> int:
    """List every network of a folder; what cannot be read has a line with the reason."""
    from neuralpower.networks.overview import list_networks, write_overview
    from neuralpower.project.fingerprint import code_hash

    if len(arguments.networks) != 1 or arguments.out is None:
        raise InputError("--overview goes with one folder of networks and --out DIR")
    if arguments.batch is not None or arguments.strict:
        raise InputError("--overview lists networks as they are: without --batch and --strict")
    listed = list_networks(
        arguments.networks[0],
        arguments.out,
        readings(arguments),
        known_types=arguments.known_types,
        code=code_hash("layers"),
    )
    write_overview(arguments.overview, listed)
    for entry in listed:
        if entry.refused:
            say(f"neuralpower: {entry.reason}")
        elif entry.warnings:
            say(f"{entry.file}: {entry.warnings}")
    return 0


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


def _write(network: Network, several: bool, arguments: argparse.Namespace) -> None:
    from neuralpower.caffe.network import layer_row

    rows = [layer_row(network, layer) for layer in network.layers]
    text = _text(rows, arguments)
    out: Path | None = arguments.out
    if out is None:
        show(text)
        return
    folder = several or out.is_dir()
    name = f"{safe_name(network.name, 'network name')}.{arguments.format or 'csv'}"
    write_text(out / name if folder else out, text)


def _text(rows: Sequence[Mapping[str, object]], arguments: argparse.Namespace) -> str:
    if arguments.format == "json":
        import json

        from neuralpower.core.json_tables import document

        return json.dumps(document("layers", LAYER_COLUMNS, rows), indent=1) + "\n"
    if arguments.format == "md":
        from neuralpower.networks.text import layer_cells, markdown_table

        return markdown_table(*layer_cells(rows))
    if arguments.format is None and arguments.out is None and sys.stdout.isatty():
        if arguments.all_columns:
            return aligned_text(LAYER_COLUMNS, rows)
        from neuralpower.networks.text import layer_cells, table_text

        return table_text(*layer_cells(rows), _SPARE)
    return csv_text(LAYER_COLUMNS, rows)


def _report(network: Network, path: str) -> None:
    """The coverage in one line on standard error, and what was skipped."""
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
    sys.stderr.write("".join(f"{printable(line)}\n" for line in lines))
    warn([network])
