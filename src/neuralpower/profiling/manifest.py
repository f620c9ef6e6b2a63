"""``manifest.json``: what a folder of measurements is, and the checksum of each of its files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from neuralpower.errors import InputError
from neuralpower.files import read_rows, safe_name, sha256_file, write_json
from neuralpower.measurements import MANIFEST, Platform

SCHEMA_VERSION = 1


def write_manifest(folder: Path, facts: Mapping[str, Any], names: Iterable[str]) -> None:
    """Write the manifest of ``folder`` with the SHA-256 and row count of each file of ``names``.

    ``facts`` are the other entries (platform, device, software, description, power, ...).
    """
    files = {name: _file_facts(folder / name) for name in sorted(names)}
    manifest = {"schema_version": SCHEMA_VERSION, **facts, "files": files}
    write_json(folder / MANIFEST, manifest)


def _file_facts(path: Path) -> dict[str, Any]:
    facts: dict[str, Any] = {"sha256": sha256_file(path)}
    if path.name.endswith((".csv", ".csv.gz")):
        facts["rows"] = len(read_rows(path)[1])
    return facts


def checksum_faults(platform: Platform) -> list[str]:
    """What the manifest and the folder disagree about, a line each; empty when all is well.

    A folder without a manifest has nothing to disagree with. Raises ``InputError`` when the
    manifest's list of files is not one.
    """
    listed = platform.manifest.get("files")
    if listed is None:
        return []
    place = platform.folder / MANIFEST
    if not isinstance(listed, dict):
        raise InputError("files: an object of file names is needed", path=place)
    found: list[str] = []
    for name, entry in sorted(listed.items()):
        safe_name(name, "file of the manifest")
        digest = entry.get("sha256") if isinstance(entry, dict) else entry
        path = platform.folder / name
        if not path.is_file():
            found.append(f"{name}: listed in the manifest but not here")
        elif digest != sha256_file(path):
            found.append(f"{name}: changed since the manifest was written (sha256 differs)")
    tables = {path.name for path in platform.table_files}
    found += [f"{name}: not in the manifest" for name in sorted(tables - set(listed))]
    return found
