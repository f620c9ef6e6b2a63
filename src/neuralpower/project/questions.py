"""What the Snakefile asks about a project: its networks, its platforms, its settings.

The rule files stay free of logic; this module knows the folders and no Snakemake.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from neuralpower.core.errors import InputError
from neuralpower.core.files import read_rows, safe_name
from neuralpower.core.network_files import find_networks, network_file

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
    """The platforms to model, sorted: ``recorded`` (every folder) or the list that is wanted.

    Raises ``InputError`` when there is none, or for a name without a folder.
    """
    root = Path(folder)
    found = [safe_name(p.name, "platform") for p in root.glob("[!.]*") if p.is_dir()]
    if wanted == "recorded" and not found:
        raise InputError(
            "holds no platform: add a folder of tables, or set platforms: [local]", path=folder
        )
    return _chosen(wanted, "recorded", [*found, LOCAL], f"no folder {folder}/{{}}", {LOCAL})


def _chosen(
    wanted: str | list[str],
    everything: str,
    found: list[str],
    missing: str,
    only_when_named: Iterable[str] = (),
) -> list[str]:
    if wanted == everything:
        return sorted(set(found) - set(only_when_named))
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
    """The files of ``known`` networks that the platform measured whole.

    A table that cannot be read gives none: fitting the platform tells its fault.
    """
    names = set(local) if platform == LOCAL else set()
    if platform != LOCAL:
        for path in sorted(Path(measurement_folder(platform)).glob("networks.csv*")):
            try:
                names |= {row["network"] for row in read_rows(path, ["network"])[1]}
            except InputError:
                return []
    return [network_file(name) for name in sorted(known) if name in names]


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
