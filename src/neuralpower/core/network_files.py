"""Files that hold networks: what they are called, and which of a folder's files they are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from neuralpower.core.errors import InputError
from neuralpower.core.files import safe_name

#: What a network's file may end with; the graph formats of other tools are added here.
NETWORK_SUFFIXES = (".prototxt", ".pbtxt")
#: Files that lie beside networks and are none.
BESIDE = ("networks.yaml", "README.md")


@dataclass(frozen=True)
class NetworkFiles:
    """The networks of a folder by name, sorted, and what else lies there.

    ``refused``: files that are meant as networks and cannot be used, by their name in the folder,
    with the reason; ``ignored``: a line for each other thing.
    """

    files: dict[str, Path]
    refused: dict[str, str]
    ignored: tuple[str, ...]


def network_name(path: str | Path) -> str:
    """The name a file gives its network: its own without ``.gz`` and one ending of a format.

    >>> [network_name(name) for name in ("a.prototxt", "b.txt.prototxt", "c.v2.prototxt.gz")]
    ['a', 'b.txt', 'c.v2']
    """
    name = Path(path).name
    name = name.removesuffix(".gz") or name
    for suffix in (*NETWORK_SUFFIXES, ".txt"):
        if name.endswith(suffix) and name != suffix:
            return name.removesuffix(suffix)
    return name


def find_networks(folder: str | Path) -> NetworkFiles:
    """The networks of a folder; nothing in it makes this fail but a folder that is not there.

    Hidden files (those of editors and of macOS's archives begin with ``.`` or ``._``) are skipped
    without a word. Raises ``InputError`` when there is no such folder.
    """
    root = Path(folder)
    try:
        found = sorted(root.iterdir())
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path=root) from None
    files: dict[str, Path] = {}
    refused: dict[str, str] = {}
    ignored: list[str] = []
    for path in found:
        if path.name.startswith(".") or path.name in BESIDE:
            continue
        shown = shown_name(path.name)
        if not path.name.removesuffix(".gz").endswith(NETWORK_SUFFIXES):
            kinds = ", ".join(NETWORK_SUFFIXES)
            what = "a folder" if path.is_dir() else "no network's file"
            ignored.append(f"{root}/{shown}: {what}: ignored (networks end with {kinds})")
        elif not path.is_file():
            refused[shown] = "is not a regular file"
        else:
            try:
                name = safe_name(network_name(path), "network")
            except InputError as error:
                refused[shown] = error.message
                continue
            if name in files:
                refused[shown] = f"has the same name as {files[name].name}: rename one of them"
            else:
                files[name] = path
    return NetworkFiles(files, refused, tuple(ignored))


def shown_name(name: str) -> str:
    """A file's name for people and tables: what cannot be printed is escaped."""
    return name if name.isprintable() and name.isascii() else ascii(name)[1:-1]
