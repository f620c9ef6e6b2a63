"""Which files are networks, and what they are called: a folder may hold both forms."""

from __future__ import annotations

from pathlib import Path

from neuralpower.core.errors import InputError

#: What a network's file ends with in a folder of networks.
ENDINGS = (".prototxt", ".onnx")
#: Endings that are no part of a network's name, in the order in which they are taken off.
_SUFFIXES = (".gz", ".onnx", ".prototxt", ".txt", ".pbtxt")


def network_name(path: str | Path) -> str:
    """The name that a file gives its network: the file's own without its ending."""
    name = Path(path).name
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix) or name
    return name


def network_files(folder: str | Path) -> dict[str, Path]:
    """The networks in a folder by name, sorted.

    Raises ``InputError`` where a prototxt and an ONNX model have the same name.
    """
    found: dict[str, Path] = {}
    for ending in ENDINGS:
        for path in sorted(Path(folder).glob(f"*{ending}")):
            name = path.name.removesuffix(ending)
            other = found.setdefault(name, path)
            if other is not path:
                raise InputError(f"{path.name} has the same name: remove one of them", path=other)
    return dict(sorted(found.items()))


def network_file(name: str, folder: str | Path = "prototxts") -> str:
    """The file of a network, as text; the prototxt where there is none yet."""
    files = [f"{Path(folder).as_posix()}/{name}{ending}" for ending in ENDINGS]
    return next((path for path in files if Path(path).exists()), files[0])
