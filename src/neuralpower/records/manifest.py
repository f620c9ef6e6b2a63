"""``manifest.json``: what a folder of measurements is, and the checksum of each of its files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from neuralpower.core.errors import InputError
from neuralpower.core.files import read_pieces, read_text, safe_name, sha256_file, write_json
from neuralpower.records.folder import MANIFEST, Platform

SCHEMA_VERSION = 1
#: Files beside the tables that belong to the record of a platform.
_ACCOMPANYING = (
    "NOTES.md",
    "characterise*.json",
    "characterise*-power/*.csv.gz",
    "power/*.csv.gz",
    "visits.jsonl.gz",
)


def write_manifest(folder: Path, facts: Mapping[str, Any], names: Iterable[str]) -> None:
    """Write the manifest of ``folder`` with the SHA-256 and row count of each file of ``names``.

    ``facts`` are the other entries (platform, device, software, description, power, ...).
    """
    files = {name: _file_facts(folder / name) for name in sorted(set(names))}
    manifest = {"schema_version": SCHEMA_VERSION, **facts, "files": files}
    write_json(folder / MANIFEST, manifest)


def accompanying(folder: Path) -> list[str]:
    """Notes, facts of the board, raw power logs and records of visits that are in ``folder``."""
    found = (path for pattern in _ACCOMPANYING for path in folder.glob(pattern))
    return sorted({path.relative_to(folder).as_posix() for path in found})


def seal(platform: Platform) -> list[str]:
    """Take files that came later (facts of the board, the last power log) into the manifest.

    Returns the names that were added. Raises ``InputError`` when the folder has no manifest, or
    when a file that is listed has changed or is gone: that is not for a seal to hide.
    """
    place = platform.folder / MANIFEST
    if not platform.manifest:
        raise InputError("there is no manifest to add to: measure or merge into it", path=place)
    changed = checksum_faults(platform)
    if changed:
        raise InputError(f"{changed[0]}: restore it, then seal", path=place)
    listed = platform.manifest.get("files") or {}
    added = unlisted(platform)
    if added:
        facts = {key: value for key, value in platform.manifest.items() if key != "files"}
        write_manifest(platform.folder, facts, [*listed, *added])
    return added


def unlisted(platform: Platform) -> list[str]:
    """Files that accompany the tables and stand in no list of the manifest, if there is one."""
    listed = platform.manifest.get("files")
    if not isinstance(listed, dict):
        return []
    return [name for name in accompanying(platform.folder) if name not in listed]


def _file_facts(path: Path) -> dict[str, Any]:
    facts: dict[str, Any] = {"sha256": sha256_file(path)}
    if path.name.endswith((".csv", ".csv.gz")):
        facts["rows"] = sum(len(piece.records) for piece in read_pieces(path))
    elif path.name.endswith((".jsonl", ".jsonl.gz")):
        facts["rows"] = read_text(path).count("\n")
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
        for part in name.split("/"):
            safe_name(part, "file of the manifest")
        digest = entry.get("sha256") if isinstance(entry, dict) else entry
        path = platform.folder / name
        if not path.is_file():
            found.append(f"{name}: listed in the manifest but not here")
        elif digest != sha256_file(path):
            found.append(f"{name}: changed since the manifest was written (sha256 differs)")
    tables = {path.name for path in platform.table_files}
    found += [f"{name}: not in the manifest" for name in sorted(tables - set(listed))]
    return found
