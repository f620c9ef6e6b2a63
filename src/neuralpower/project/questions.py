"""What the Snakefile asks about a project: its networks, its platforms, its settings.

The rule files stay free of logic; this module knows the folders and no Snakemake.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from neuralpower.core.errors import InputError
from neuralpower.core.files import read_rows, safe_name
from neuralpower.core.network_files import find_networks, network_file
from neuralpower.project.published import prototxts, published_names, shown

#: The platform that is measured here, into results/; every other one is a recorded folder.
LOCAL = "local"

_MEASURED_SUFFIXES = (".csv", ".gz", ".json", ".parquet", ".prototxt", ".onnx")


def put_command_on_path() -> None:
    """Let jobs find ``neuralpower`` beside the running Python, first on the ``PATH``."""
    beside = str(Path(sys.executable).parent)
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    if folders[0] != beside:
        os.environ["PATH"] = os.pathsep.join([beside, *folders])


def networks(wanted: str | list[str], folder: str | Path = "prototxts") -> list[str]:
    """The networks to report on, sorted: ``all`` files of the folder or the list that is wanted.

    Raises ``InputError`` for an empty folder, a name that cannot be a file, a name without one.
    """
    files = find_networks(folder)
    for name, reason in files.refused.items():
        raise InputError(reason, path=f"{folder}/{name}")
    found = list(files.files)
    if not found:
        raise InputError("holds no .prototxt or .onnx file: put a network there", path=folder)
    return _chosen(wanted, "all", found, f"no file {folder}/{{}}.prototxt or .onnx")


def platforms(wanted: str | list[str], folder: str | Path = "measurements") -> list[str]:
    """The platforms to report on, sorted.

    ``recorded``: every folder of measurements; ``all``: those and the published platforms that are
    meant for the report; or the list that is wanted, of any of them. Raises ``InputError`` when
    there is none, for a name without a folder, or for one name in both.
    """
    root = Path(folder)
    found = [safe_name(p.name, "platform") for p in root.glob("[!.]*") if p.is_dir()]
    known = published_names()
    if both := sorted({*found} & {*known}):
        raise InputError(f"{both[0]!r} is a published platform too: rename it", path=folder)
    if wanted == "all":
        return sorted({*_recorded(found, folder, [*known]), *shown()})
    if wanted == "recorded":
        return _recorded(found, folder)
    return _chosen(wanted, "", [*found, *known, LOCAL], f"no folder {folder}/{{}}")


def _recorded(found: list[str], folder: str | Path, others: Sequence[str] = ()) -> list[str]:
    if not found and not others:
        raise InputError(
            "holds no platform: add a folder of tables, or set platforms: [local]", path=folder
        )
    return sorted(found)


def published_of(chosen: Iterable[str]) -> list[str]:
    """Those of some platforms that are published ones: their models are committed."""
    known = set(published_names())
    return [name for name in chosen if name in known]


def one_of(names: Iterable[str]) -> str:
    """A pattern of these names and no others, for the wildcards of a rule."""
    return "|".join(map(re.escape, names)) or "(?!)"


def _chosen(wanted: str | list[str], everything: str, found: list[str], missing: str) -> list[str]:
    if wanted == everything:
        return sorted(set(found))
    for name in wanted:
        if name not in found:
            raise InputError(f"{name!r} in the configuration has {missing.format(name)}")
    return sorted(set(wanted))


def measurement_folder(platform: str) -> str:
    """Where a platform's measurements lie."""
    return f"results/measurements/{LOCAL}" if platform == LOCAL else f"measurements/{platform}"


def measurement_files(platform: str) -> list[str]:
    """The inputs of a fit: what a recorded folder holds, or the manifest of a run made here."""
    folder = Path(measurement_folder(platform))
    if platform == LOCAL:
        return [(folder / "manifest.json").as_posix()]
    return sorted(
        path.as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix in _MEASURED_SUFFIXES
    )


def existing(path: str) -> list[str]:
    """A result that is used where somebody has asked for it, and does not have to be made."""
    return [path] if Path(path).is_file() else []


def measured_networks(platform: str, known: Iterable[str], local: Iterable[str]) -> list[str]:
    """The files of networks that the platform measured whole: ``known`` ones, by name.

    Passes at a stated input size are taken for torchvision's networks, as benchmarks of GPUs run
    them, where these are known (``published/prototxts``), else for ours at that size. A table
    that cannot be read gives none: fitting the platform tells its fault.
    """
    plain = set(local) if platform == LOCAL else set()
    sized: set[tuple[str, str]] = set()
    if platform != LOCAL:
        for path in sorted(Path(measurement_folder(platform)).glob("networks.csv*")):
            try:
                for row in read_rows(path, ["network"])[1]:
                    size = row.get("input", "")
                    sized |= {(row["network"], size)} if size else set()
                    plain |= set() if size else {row["network"]}
            except InputError:
                return []
    torchvision = {path.stem: path.as_posix() for path in prototxts()}
    ours = set(known)
    found = {network_file(name) for name in ours & plain}
    for name, size in sized:
        for candidate in (f"{name}_{size.rpartition('x')[2]}", name):
            if candidate in torchvision:
                found.add(torchvision[candidate])
                break
        else:
            found |= {network_file(name)} if name in ours else set()
    return sorted(found)


def settings(config: Mapping[str, Any], section: str | None = None) -> str:
    """A section of the validated configuration as YAML text on one line, as the commands read it.

    Without a section: all of it.

    The order of keys is kept: it is the order of the values of a design.
    """
    import yaml

    return yaml.safe_dump(
        _plain(config) if section is None else {section: _plain(config[section])},
        sort_keys=False,
        default_flow_style=True,
        width=10**9,
    ).strip()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value
