"""Does a folder hold what its manifest lists? Checking it, and taking later files into it."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from neuralpower.core.errors import InputError
from neuralpower.core.file_names import MANIFEST, VISIT_RECORDS
from neuralpower.core.files import safe_name, sha256_file
from neuralpower.records.folder import Platform, load_platform
from neuralpower.records.manifest import write_manifest
from neuralpower.records.visits import iter_visit_records

#: Files beside the tables that belong to the record of a platform.
_ACCOMPANYING = (
    "NOTES.md",
    "characterise*.json",
    "characterise*-power/*.csv.gz",
    "power/*.csv.gz",
    "prototxts/*",
    VISIT_RECORDS,
)


def accompanying(folder: Path) -> list[str]:
    """Notes, facts of the board, raw power logs, records of visits and measured networks."""
    found = (p for pattern in _ACCOMPANYING for p in folder.glob(pattern) if p.is_file())
    return sorted({path.relative_to(folder).as_posix() for path in found})


def seal(platform: Platform) -> list[str]:
    """Take files that came later (facts of the board, the last power log) into the manifest.

    Returns the names that were added. Raises ``InputError`` when the folder has no manifest, or
    when a file that is listed has changed or is gone: that is not for a seal to hide.
    """
    place = platform.folder / MANIFEST
    if not platform.described:
        raise InputError("there is no manifest to add to: measure or merge into it", path=place)
    changed = checksum_faults(platform)
    if changed:
        raise InputError(f"{changed[0]}: restore it, then seal", path=place)
    added = unlisted(platform)
    if added:
        listed = platform.manifest.files or {}
        write_manifest(platform.folder, platform.manifest, [*listed, *added])
    return added


#: The platform that the workflow measures on the machine at hand; no recorded one has its name.
LOCAL = "local"


def keep(folder: Path, out: Path, *, unfinished: bool = False) -> list[str]:
    """Copy what belongs to a platform, sealed, to ``out``; returns the names of the files.

    What a run only needs to go on (its growing record, logs for people) stays behind. ``out``
    appears whole or not at all. Raises ``InputError`` as ``seal``, for a measurement that is not
    complete (unless ``unfinished``: its manifest says so), for an ``out`` that is there and for one
    of the name ``LOCAL``.
    """
    if out.name == LOCAL:
        raise InputError(
            f"{LOCAL} is the name of what is measured on this machine now: name the device, as in "
            f"{out.parent / 'my-cpu'}",
            path=out,
        )
    if out.exists():
        raise InputError("is there already: give another name, or remove it", path=out)
    seal(load_platform(folder))
    platform = load_platform(folder)
    if not (platform.manifest.complete or unfinished):
        raise InputError(
            "not complete: the same command of the measurement goes on; then keep it, or keep it "
            "as it is with --unfinished",
            path=folder,
        )
    safe_name(out.name, "platform")
    names = sorted({MANIFEST, *(platform.manifest.files or {})})
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as beside:
        made = Path(beside) / out.name
        for name in names:
            (made / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(folder / name, made / name)
        made.rename(out)
    return names


def unlisted(platform: Platform) -> list[str]:
    """Files that accompany the tables and stand in no list of the manifest, if there is one."""
    listed = platform.manifest.files
    if listed is None:
        return []
    return [name for name in accompanying(platform.folder) if name not in listed]


def checksum_faults(platform: Platform) -> list[str]:
    """What the manifest and the folder disagree about, a line each; empty when all is well.

    A folder without a manifest has nothing to disagree with. Raises ``InputError`` for a name in
    the manifest that is not one of a file.
    """
    listed = platform.manifest.files
    if listed is None:
        return []
    found: list[str] = []
    for name, entry in sorted(listed.items()):
        for part in name.split("/"):
            safe_name(part, "file of the manifest", platform.folder / MANIFEST)
        digest = entry.get("sha256") if isinstance(entry, dict) else entry
        path = platform.folder / name
        if not path.is_file():
            found.append(f"{name}: listed in the manifest but not here")
        elif digest != sha256_file(path):
            found.append(f"{name}: changed since the manifest was written (sha256 differs)")
    tables = {path.name for path in platform.table_files}
    found += [f"{name}: not in the manifest" for name in sorted(tables - set(listed))]
    return found


def refuse_changed(platform: Platform) -> None:
    """Raise ``InputError`` where the folder is not what its manifest says.

    Records of visits that no manifest lists are read, as ``measurements check`` does: a folder
    whose record is damaged is not learnt from.
    """
    faults = checksum_faults(platform)
    if faults:
        raise InputError(f"{faults[0]}: restore the file", path=platform.folder)
    if VISIT_RECORDS not in (platform.manifest.files or {}):
        for _ in iter_visit_records(platform.folder):
            pass
