"""All networks of a folder in one table: how each is read, what it holds, or why it cannot be.

The table is what later stages take their networks from, so that a file at fault is named once and
costs no other network.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from neuralpower.core.configuration import LAYER_COLUMNS
from neuralpower.core.documents import parse_json
from neuralpower.core.errors import InputError
from neuralpower.core.files import csv_text, read_rows, sha256_file, write_text
from neuralpower.core.made import MadeFolder, key_of
from neuralpower.core.network_files import find_networks, network_name
from neuralpower.networks.reading import NOTHING, Reading, Readings, read_facts

if TYPE_CHECKING:
    from neuralpower.caffe.network import Network

COLUMNS = (
    *("network", "file", "sha256", "reading", "layers", "layers_known", "layers_supported"),
    *("macs", "macs_supported_share", "warnings", "refused"),
)


@dataclass(frozen=True)
class Listed:
    """One file of the folder. ``refused`` says why it cannot be used, empty where it can.

    ``layers``: all, with known shapes, and of a family with models; ``macs`` of those known.
    ``warnings``: what a person must know before believing the figures.
    """

    network: str
    file: str
    sha256: str = ""
    reading: Reading = NOTHING
    layers: int | None = None
    layers_known: int | None = None
    layers_supported: int | None = None
    macs: int | None = None
    macs_supported_share: float | None = None
    warnings: str = ""
    refused: str = ""

    def as_row(self) -> dict[str, object]:
        """The row of the table; how it is read is there as JSON."""
        facts = self.reading.as_facts()
        row = {name: getattr(self, name) for name in COLUMNS}
        return {**row, "reading": json.dumps(facts, sort_keys=True) if facts else ""}

    @property
    def reason(self) -> str:
        """Why it is refused, with the file in front."""
        known = self.refused.startswith(self.file)
        return self.refused if known else f"{self.file}: {self.refused}"


def list_networks(
    folder: str | Path,
    out: str | Path,
    readings: Readings,
    *,
    known_types: bool = False,
    code: str = "",
) -> list[Listed]:
    """Write the layer table of every network of ``folder`` to ``out`` and list all its files.

    A table is made again only when its file, how it is read, or ``code`` has changed. ``out`` is
    left without the tables of networks that are gone or refused.
    """
    found = find_networks(folder)
    tables = MadeFolder(Path(out))
    listed = [
        _listed(name, path, readings, tables, known_types, code)
        for name, path in found.files.items()
    ]
    listed += [
        Listed(network_name(name), f"{Path(folder).as_posix()}/{name}", refused=reason)
        for name, reason in found.refused.items()
    ]
    tables.close()
    return sorted(listed, key=lambda entry: (entry.network, entry.file))


def _listed(
    name: str, path: Path, readings: Readings, tables: MadeFolder, known_types: bool, code: str
) -> Listed:
    from neuralpower.networks.loading import refuse_empty
    from neuralpower.onnx_in.loading import load_network

    entry = Listed(name, path.as_posix())
    try:
        entry = replace(entry, sha256=sha256_file(path), reading=readings.of(path))
        key = key_of(code, known_types, entry.sha256, entry.reading.as_facts())
        facts = tables.kept(f"{name}.csv", key)
        if facts is None:
            network = load_network(path, known_types=known_types, **entry.reading.options())
            refuse_empty(network, path)
            facts = _facts(network)
            tables.write(f"{name}.csv", key, layer_table(network), facts)
    except InputError as error:
        return replace(entry, refused=str(error))
    except OSError as error:
        return replace(entry, refused=f"{path}: cannot be read: {error.strerror}")
    return replace(entry, **facts)


def layer_table(network: Network) -> str:
    """The layer table of a network as CSV."""
    from neuralpower.caffe.network import layer_row

    return csv_text(LAYER_COLUMNS, (layer_row(network, layer) for layer in network.layers))


def _facts(network: Network) -> dict[str, object]:
    names = ("layers", "layers_known", "layers_supported", "macs", "macs_supported_share")
    covered = network.coverage()
    warnings = " | ".join(" ".join(line.split()) for line in network.warnings)
    return {**{name: covered[name] for name in names}, "warnings": warnings}


def write_overview(path: str | Path, listed: Iterable[Listed]) -> None:
    """Write the table."""
    write_text(path, csv_text(COLUMNS, (entry.as_row() for entry in listed)))


def read_overview(path: str | Path) -> list[Listed]:
    """The table of ``write_overview``; ``InputError`` with the row for anything else."""
    listed = []
    for number, row in enumerate(read_rows(path, COLUMNS)[1], 1):
        try:
            listed.append(_entry(row, path))
        except ValueError as error:
            raise InputError(str(error), path=path, row=number) from None
    return listed


def _entry(row: Mapping[str, str], path: str | Path) -> Listed:
    facts = parse_json(row["reading"], path) if row["reading"] else {}
    counts = {
        name: int(row[name]) if row[name] else None
        for name in ("layers", "layers_known", "layers_supported", "macs")
    }
    share = row["macs_supported_share"]
    return Listed(
        network=row["network"],
        file=row["file"],
        sha256=row["sha256"],
        reading=read_facts(facts, row["network"], path, strict=True),
        macs_supported_share=float(share) if share else None,
        warnings=row["warnings"],
        refused=row["refused"],
        **counts,
    )
