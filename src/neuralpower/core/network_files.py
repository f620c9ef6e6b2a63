"""Files that hold networks: what they are called, and which of a folder's files they are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from neuralpower.core.errors import InputError
from neuralpower.core.file_names import NETWORKS_FILE
from neuralpower.core.files import safe_name

#: What a network's file ends with in a folder of networks, preferred ones first.
ENDINGS = (".prototxt", ".pbtxt", ".onnx")
#: Files that lie beside networks and are none.
BESIDE = (NETWORKS_FILE, "README.md")


@dataclass(frozen=True)
class NetworkFiles:
    """The networks of a folder by name, sorted, and what else lies there.

    ``refused``: files that are meant as networks and cannot be used, by their name in the folder,
    with the reason; ``ignored``: a line for each other thing.
    """

    files: dict[str, Path]
    refused: dict[str, str]
    ignored: tuple[str, ...]

    @property
    def paths(self) -> list[str]:
        """The files of the networks, as text."""
        return [path.as_posix() for path in self.files.values()]


def network_name(path: str | Path) -> str:
    """The name a file gives its network: its own without ``.gz`` and one ending of a format.

    >>> [network_name(name) for name in ("a.prototxt", "b.txt.prototxt", "c.v2.prototxt.gz")]
    ['a', 'b.txt', 'c.v2']
    """
    name = Path(path).name
    name = name.removesuffix(".gz") or name
    for suffix in (*ENDINGS, ".txt"):
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
        found = sorted(root.iterdir(), key=lambda path: (_form(path), path.name))
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path=root) from None
    files: dict[str, Path] = {}
    refused: dict[str, str] = {}
    ignored: list[str] = []
    for path in found:
        if path.name.startswith(".") or path.name in BESIDE:
            continue
        shown = shown_name(path.name)
        if _form(path) == len(ENDINGS):
            kinds = ", ".join(ENDINGS)
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
    return NetworkFiles(dict(sorted(files.items())), refused, tuple(ignored))


def _form(path: Path) -> int:
    """The place of a file's ending in ``ENDINGS``."""
    name = path.name.removesuffix(".gz")
    return next((n for n, ending in enumerate(ENDINGS) if name.endswith(ending)), len(ENDINGS))


def network_files(folder: str | Path) -> dict[str, Path]:
    """The networks of a folder that can be used, by name; none where there is no folder."""
    return find_networks(folder).files if Path(folder).is_dir() else {}


def network_file(name: str, folder: str | Path = "prototxts") -> str:
    """The file of a network, as text; the prototxt where there is none yet."""
    path = network_files(folder).get(name)
    return f"{Path(folder).as_posix()}/{name}{ENDINGS[0]}" if path is None else path.as_posix()


def shown_name(name: str) -> str:
    """A file's name for people and tables: what cannot be printed is escaped."""
    return name if name.isprintable() and name.isascii() else ascii(name)[1:-1]
