"""The files of the networks that a platform measured, kept in its folder.

What is measured of a network holds for its file as it was. Kept beside the measurements, the file
can change or go where it came from: what the passes teach stays the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from neuralpower.core.documents import read_yaml
from neuralpower.core.errors import InputError
from neuralpower.core.file_names import NETWORKS_FILE
from neuralpower.core.files import write_bytes, write_text
from neuralpower.core.network_files import network_files, network_name

#: In the folder of a platform, and how the networks in it are read (as beside other networks).
FOLDER = "prototxts"
#: A larger file (an ONNX model with its weights) stays where it is.
MOST_BYTES = 20_000_000

#: How a network was read where that was said: the options of ``networks.yaml``.
Facts = Mapping[str, object]


def record_networks(platform: Path, networks: Mapping[Path, Facts]) -> None:
    """Copy the files of networks into a platform's folder, with how each is read."""
    kept = dict(_readings(platform / FOLDER))
    for path, facts in sorted(networks.items()):
        if path.stat().st_size > MOST_BYTES:
            continue
        name = network_name(path)
        write_bytes(platform / FOLDER / path.name, path.read_bytes())
        kept.pop(name, None)
        kept |= {name: facts} if facts else {}
    _write_readings(platform / FOLDER, kept)


def merge_networks(platforms: Sequence[Path], out: Path) -> None:
    """Copy the networks of several platforms into one.

    Raises ``InputError`` for two networks of one name: what was measured of them is not one thing.
    """
    readings: dict[str, Facts] = {}
    places: dict[str, Path] = {}
    for platform in platforms:
        own = _readings(platform / FOLDER)
        for name, path in network_files(platform / FOLDER).items():
            facts, data = own.get(name, {}), path.read_bytes()
            first = places.setdefault(name, path)
            if first.read_bytes() != data or readings.setdefault(name, facts) != facts:
                raise InputError(
                    f"not the network {name} that {first} is: merge them one by one",
                    path=path,
                )
            write_bytes(out / FOLDER / path.name, data)
    _write_readings(out / FOLDER, {name: facts for name, facts in readings.items() if facts})


def _readings(folder: Path) -> dict[str, Facts]:
    path = folder / NETWORKS_FILE
    found = read_yaml(path) if path.is_file() else None
    return found if isinstance(found, dict) else {}


def _write_readings(folder: Path, readings: Mapping[str, Facts]) -> None:
    if readings:
        # JSON is YAML; sorted and plain, so that the same facts are the same bytes.
        write_text(
            folder / NETWORKS_FILE, json.dumps(dict(sorted(readings.items())), indent=1) + "\n"
        )
