"""The folder of measurements that imported logs make, and the account of what matched."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuralpower.core.configuration import CONFIGURATION_COLUMNS, Configuration
from neuralpower.core.errors import InputError
from neuralpower.core.file_names import NETWORK_TABLE
from neuralpower.core.files import csv_text, safe_name, sha256_file, write_text
from neuralpower.importing.logs.alignment import Match, shares
from neuralpower.importing.logs.timings import Timing
from neuralpower.records.manifest import Manifest, write_manifest

if TYPE_CHECKING:
    from neuralpower.caffe.network import Network

#: The account of an import beside the tables.
ACCOUNT = "import.json"
ACCOUNT_VERSION = 1
_ADDED = ("runtime_ms", "power_w", "repeat", "n_calls", "fused", "network", "timed_in", "layer")
#: From so many networks on cross-validation leaves out whole networks (the column ``network``);
#: fewer are not enough for a model.
_NETWORKS = 5
NETWORK_COLUMNS = (
    *("network", "batch", "runtime_ms", "power_w", "energy_j", "runs", "repeat", "basis"),
)
LAYER_COLUMNS = (
    *("network", "batch", "repeat", "index", "name", "type", "runtime_ms", "n_calls", "fused"),
)
Rows = list[dict[str, object]]


@dataclass(frozen=True, slots=True)
class ImportedLog:
    """One log of layer times with its network and matches."""

    path: Path
    name: str
    batch: int
    network: Network
    timing: Timing
    matches: Sequence[Match]


@dataclass(slots=True)
class Tables:
    """Everything that goes into a folder; ``files`` are texts and bytes by name."""

    families: dict[str, Rows] = field(default_factory=dict)
    networks: Rows = field(default_factory=list)
    layers: Rows = field(default_factory=list)
    account: list[dict[str, Any]] = field(default_factory=list)
    prototxts: dict[str, Callable[[Path], None]] = field(default_factory=dict)
    visits: dict[str, int] = field(default_factory=dict)
    passes: dict[tuple[str, int], int] = field(default_factory=dict)
    #: Names of the layers of every network, by which two networks of one name differ.
    networks_seen: dict[str, list[str]] = field(default_factory=dict)
    #: Windows of a power log: samples, power, or why there is none.
    windows: list[dict[str, object]] = field(default_factory=list)

    def add_visit(self, configuration: Configuration, row: Mapping[str, object]) -> None:
        """One measured layer; visits of a configuration count from 1."""
        key = configuration.key()
        self.visits[key] = self.visits.get(key, 0) + 1
        cells = {name: getattr(configuration, name) for name in CONFIGURATION_COLUMNS}
        self.families.setdefault(configuration.family, []).append(
            {**cells, **row, "repeat": self.visits[key]}
        )

    def add_pass(self, network: str, batch: int, row: Mapping[str, object]) -> int:
        """One measured pass; returns which repeat of its network and batch size it is."""
        key = (network, batch)
        self.passes[key] = self.passes.get(key, 0) + 1
        self.networks.append(
            {"network": network, "batch": batch, **row, "repeat": self.passes[key]}
        )
        return self.passes[key]


def add_log(tables: Tables, log: ImportedLog) -> None:
    """The rows of a log: its pass, its layers, and those that have a configuration as visits.

    Layers that run side by side in one kernel have no times by themselves: they are in the account
    only. A row of 0 ms is below the resolution of its log and no visit.
    """
    timing = log.timing
    figures = {"runtime_ms": timing.whole_ms, "runs": timing.runs, "basis": timing.basis}
    if timing.whole_ms:
        repeat = tables.add_pass(log.name, log.batch, figures)
    else:
        repeat = 1 + sum(a["network"] == log.name for a in tables.account)
    for match in log.matches:
        if not match.layers or match.parallel:
            continue
        layers = [log.network.layers[index] for index in match.layers]
        host = layers[0]
        fused = " + ".join(layer.name for layer in layers[1:])
        row = {"runtime_ms": match.row.runtime_ms, "n_calls": match.row.runs, "fused": fused}
        place = {"network": log.name, "batch": log.batch, "repeat": repeat}
        tables.layers.append(
            {**place, "index": host.index, "name": host.name, "type": host.type, **row}
        )
        if host.configuration is not None and match.row.runtime_ms > 0:
            tables.add_visit(host.configuration, {**row, "timed_in": log.name, "layer": host.name})
    tables.account.append(_account(log))
    tables.prototxts.setdefault(log.name, lambda path: _write_network(log.network, path))


def _account(log: ImportedLog) -> dict[str, object]:
    """What became of every row of a log, its share of the time, and the layers without a row."""
    total = sum(match.row.runtime_ms for match in log.matches) or 1.0
    timed = {index for match in log.matches for index in match.layers}
    left = [
        layer.name
        for index, layer in enumerate(log.network.layers)
        if index not in timed and layer.family and layer.family != "dropout"
    ]
    rows = [
        {
            "row": match.row.place,
            "name": match.row.name,
            "runtime_ms": match.row.runtime_ms,
            "share": match.row.runtime_ms / total,
            "matched": match.how or ("moved data" if match.row.moves else "unmatched"),
            "layers": [log.network.layers[index].name for index in match.layers],
            "side_by_side": match.parallel,
            "not_found": list(match.missing),
        }
        for match in log.matches
    ]
    return {
        "file": log.path.name,
        "sha256": sha256_file(log.path),
        "tool": log.timing.tool,
        "network": log.name,
        "batch": log.batch,
        "facts": log.timing.facts,
        "notes": [*log.timing.notes, *log.network.notes],
        "shares": dict(shares(log.matches)),
        "layers_without_a_row": left,
        "rows": rows,
    }


def _write_network(network: Network, folder: Path) -> None:
    """The network as a prototxt of the phase that was timed: its rules have been applied."""
    from google.protobuf import text_format

    from neuralpower.caffe import caffe_pb2 as pb

    message = pb.NetParameter(name=network.title)
    for layer in network.layers:
        copied = message.layer.add()
        copied.CopyFrom(layer.param)
        for name in ("include", "exclude", "blobs"):
            copied.ClearField(name)
    write_text(folder / f"{network.name}.prototxt", text_format.MessageToString(message))


def write_folder(out: Path, tables: Tables, facts: Mapping[str, object]) -> None:
    """Write the folder whole or not at all; ``InputError`` where ``out`` holds something."""
    name = safe_name(out.resolve().name, "platform")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(
            "holds something already: give a new folder, and all logs in one call", path=out
        )
    if not (tables.families or tables.networks):
        raise InputError("nothing in the logs is a layer or a pass of the network", path=out)
    part = out.with_name(f".{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        names = _write(part, tables)
        write_manifest(part, Manifest.of({"platform": name, **facts}), names)
        if out.exists():
            out.rmdir()
        os.replace(part, out)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def _write(folder: Path, tables: Tables) -> list[str]:
    names: list[str] = []

    def write(name: str, columns: Sequence[str], rows: Rows) -> None:
        if rows:
            write_text(folder / name, csv_text(columns, rows))
            names.append(name)

    many = len({row["timed_in"] for rows in tables.families.values() for row in rows
                if "timed_in" in row}) >= _NETWORKS  # fmt: skip
    for family, rows in sorted(tables.families.items()):
        if many:
            rows = [{**row, "network": row["timed_in"], "timed_in": None} for row in rows]
        write(f"{family}.csv", (*CONFIGURATION_COLUMNS, *_ADDED), rows)
    write(NETWORK_TABLE, NETWORK_COLUMNS, tables.networks)
    write("network_layers.csv", LAYER_COLUMNS, tables.layers)
    for network, put in sorted(tables.prototxts.items()):
        safe_name(network, "network")
        put(folder / "prototxts")
    names += [f"prototxts/{path.name}" for path in sorted((folder / "prototxts").glob("*"))]
    if tables.account or tables.windows:
        account = {"schema_version": ACCOUNT_VERSION, "logs": tables.account}
        if tables.windows:
            account["windows"] = tables.windows
        text = json.dumps(account, indent=1, allow_nan=False) + "\n"
        write_text(folder / ACCOUNT, text)
        names.append(ACCOUNT)
    return names
