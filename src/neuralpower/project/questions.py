"""What the Snakefile asks about a project: its networks, its platforms, its settings.

The rule files stay free of logic; this module knows the folders and no Snakemake.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neuralpower.core.errors import InputError
from neuralpower.core.file_names import MANIFEST
from neuralpower.core.files import read_rows, safe_name
from neuralpower.core.network_files import (
    NetworkFiles,
    network_files,
    network_name,
    shown_name,
)
from neuralpower.networks.reading import Readings, read_facts
from neuralpower.project.published import prototxts, published_names, shown
from neuralpower.records.sealing import LOCAL

#: Usual name of the platform that is measured here, into results/; others are recorded folders.
_local = LOCAL
#: Snakemake refuses a name that ends in so many repeats of a text.
_REPEATS = 20

_MEASURED_SUFFIXES = (".csv", ".gz", ".json", ".parquet", ".prototxt", ".onnx")


def name_local(name: str) -> None:
    """Give the platform that is measured here its name (``profile.platform``)."""
    global _local
    _local = safe_name(name, "platform")


def is_local(platform: str) -> bool:
    """Whether a platform is measured here; once it is kept below ``measurements/`` no longer."""
    return platform == _local and not Path("measurements", platform).is_dir()


def put_command_on_path() -> None:
    """Let jobs find ``neuralpower`` beside the running Python, first on the ``PATH``."""
    beside = str(Path(sys.executable).parent)
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    if folders[0] != beside:
        os.environ["PATH"] = os.pathsep.join([beside, *folders])


def networks(
    wanted: str | list[str], found: NetworkFiles, folder: str | Path = "prototxts"
) -> list[str]:
    """The networks to report on, sorted: ``all`` usable files or the list that is wanted.

    Raises ``InputError`` for a folder without networks, a name without a file.
    """
    if not found.files and not found.refused:
        raise InputError("holds no .prototxt or .onnx file: put a network there", path=folder)
    return _chosen(wanted, "all", list(found.files), f"no file {folder}/{{}}.prototxt or .onnx")


@dataclass(frozen=True)
class PlatformFolders:
    """The folders of recorded measurements by name, sorted.

    ``refused``: folders that cannot be used, by name, with the reason; ``ignored``: a line for
    each other thing that lies there.
    """

    names: tuple[str, ...]
    refused: Mapping[str, str]
    ignored: tuple[str, ...]


def find_platforms(folder: str | Path = "measurements") -> PlatformFolders:
    """What lies in the folder of measurements; none where there is no such folder."""
    root = Path(folder)
    names: list[str] = []
    refused: dict[str, str] = {}
    ignored: list[str] = []
    for path in sorted(root.glob("[!.]*")):
        name = shown_name(path.name)
        if not path.is_dir():
            if path.name != "README.md":
                ignored.append(f"{root}/{name}: no folder of a platform: ignored")
        elif path.name == LOCAL:
            refused[name] = "this name is kept for the machine at hand: rename the folder"
        else:
            try:
                names.append(_platform_name(path.name))
            except InputError as error:
                refused[name] = error.message
    return PlatformFolders(tuple(names), refused, tuple(ignored))


def _platform_name(name: str) -> str:
    safe_name(name, "platform")
    for size in range(1, len(name) // _REPEATS + 1):
        if name.endswith(name[-size:] * _REPEATS):
            raise InputError(f"ends in {_REPEATS} repeats, which Snakemake refuses: rename it")
    return name


def platforms(
    wanted: str | list[str], found: PlatformFolders, folder: str | Path = "measurements"
) -> list[str]:
    """The platforms to report on, sorted.

    ``recorded``: every folder of measurements; ``all``: those and the published platforms that are
    meant for the report; or the list that is wanted, of any of them. Raises ``InputError`` when
    there is none, for a name without a folder, or for one name in both.
    """
    known = published_names()
    if both := sorted({*found.names} & {*known}):
        raise InputError(f"{both[0]!r} is a published platform too: rename it", path=folder)
    if not (found.names or found.refused) and (
        wanted == "recorded" or (wanted == "all" and not known)
    ):
        raise InputError(
            "holds no platform: add a folder of tables, or set platforms: [local]", path=folder
        )
    if wanted == "all":
        return sorted({*found.names, *shown()})
    return _chosen(wanted, "recorded", [*found.names, *known, _local], f"no folder {folder}/{{}}",
                   list(found.names))  # fmt: skip


def published_of(chosen: Iterable[str]) -> list[str]:
    """Those of some platforms that are published ones: their models are committed."""
    known = set(published_names())
    return [name for name in chosen if name in known]


def one_of(names: Iterable[str]) -> str:
    """A pattern of these names and no others, for the wildcards of a rule."""
    return "|".join(map(re.escape, names)) or "(?!)"


def _chosen(
    wanted: str | list[str],
    everything: str,
    found: list[str],
    missing: str,
    usual: list[str] | None = None,
) -> list[str]:
    if wanted == everything:
        return sorted(set(found if usual is None else usual))
    for name in wanted:
        if name not in found:
            raise InputError(f"{name!r} in the configuration has {missing.format(name)}")
    return sorted(set(wanted))


def measurement_folder(platform: str) -> str:
    """Where a platform's measurements lie."""
    return f"{'results/' if is_local(platform) else ''}measurements/{platform}"


def measurement_files(platform: str) -> list[str]:
    """The inputs of a fit: what a recorded folder holds, or the manifest of a run made here."""
    folder = Path(measurement_folder(platform))
    if is_local(platform):
        return [(folder / MANIFEST).as_posix()]
    return sorted(
        path.as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix in _MEASURED_SUFFIXES
    )


def existing(path: str) -> list[str]:
    """A result that is used where somebody has asked for it, and does not have to be made."""
    return [path] if Path(path).is_file() else []


def measured_networks(platform: str, found: NetworkFiles, local: Iterable[str]) -> list[str]:
    """The files of networks that the platform measured whole, whatever is reported on.

    Passes at a stated input size are taken for torchvision's networks, as benchmarks of GPUs run
    them, where these are known (``published/prototxts``), else for ours at that size. A table
    that cannot be read gives none: fitting the platform says why. Networks that are kept
    beside the measurements are taken from there (``records.networks``), not from here.
    """
    folder = measurement_folder(platform)
    plain = set(local) if is_local(platform) else set()
    sized: set[tuple[str, str]] = set()
    if not is_local(platform):
        for path in sorted(Path(folder).glob("networks.csv*")):
            try:
                for row in read_rows(path, ["network"])[1]:
                    size = row.get("input", "")
                    sized |= {(row["network"], size)} if size else set()
                    plain |= set() if size else {row["network"]}
            except InputError:
                return []
    kept = set() if is_local(platform) else set(network_files(f"{folder}/prototxts"))
    plain -= kept
    sized = {(name, size) for name, size in sized if name not in kept}
    torchvision = {path.stem: path.as_posix() for path in prototxts()}
    ours = {name: path.as_posix() for name, path in found.files.items()}
    files = {path for name, path in ours.items() if name in plain}
    for name, size in sized:
        for candidate in (f"{name}_{size.rpartition('x')[2]}", name):
            if candidate in torchvision:
                files.add(torchvision[candidate])
                break
        else:
            files |= {ours[name]} if name in ours else set()
    return sorted(files)


def only(wanted: str | list[str]) -> list[str]:
    """The option that narrows a command to the networks that are reported on."""
    return [] if wanted == "all" else ["--only", *wanted]


def reading_of(config: Mapping[str, Any], files: Iterable[str]) -> str:
    """How these networks are read, as the section ``reading`` on one line.

    It holds what ``networks.yaml`` says of them too, so that an edit of it makes again what
    depends on these networks and nothing else. What is at fault is left out here: it is said where
    the network is read.
    """
    found: dict[str, object] = {}
    readings = Readings()
    for path in files:
        name = network_name(path)
        try:
            own = readings.of(path)
            laid = read_facts(config["reading"].get(name, {}), name, path)
        except InputError:
            continue
        if facts := laid.over(own).as_facts():
            found[name] = facts
    return settings({"reading": found}, "reading")


def declared(paths: Iterable[str]) -> list[str]:
    """Results as the rules declare them: tables of a network stand for the one of all networks."""
    return list(
        dict.fromkeys(re.sub(r"^(results/layers|results/predictions/[^/]+)/[^/]+", r"\1.csv", path)
                      for path in paths)
    )  # fmt: skip


def is_older(path: str, others: Iterable[str]) -> bool:
    """Whether a file is missing, or one of the others is missing or newer."""
    try:
        made = os.stat(path).st_mtime_ns
        return any(os.stat(other).st_mtime_ns > made for other in others)
    except OSError:
        return True


def settings(config: Mapping[str, object], section: str | None = None) -> str:
    """A section of the validated configuration as YAML text on one line, as the commands read it.

    Without a section: all of it.

    The order of keys is kept: it is the order of the values of a design.
    """
    from neuralpower.core.documents import yaml_line

    return yaml_line(_plain(config) if section is None else {section: _plain(config[section])})


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value
