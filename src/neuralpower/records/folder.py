"""Reading a folder of recorded measurements, strictly: every stage reads them through here.

A platform is a folder of layer tables (short or full form; the ``family`` column decides, a file's
name only names the shard) with optional ``networks.csv``, ``network_layers.csv``,
``manifest.json`` and ``prototxts/``. Layer tables alone are enough.

What a row means and which rows are refused is in ``rows``. Large tables are read
in blocks of columns by ``blocks``, which fitting uses.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from neuralpower.core.errors import InputError
from neuralpower.core.files import safe_name
from neuralpower.core.network_files import network_files
from neuralpower.records.manifest import Manifest, read_manifest
from neuralpower.records.networks import FOLDER as NETWORKS
from neuralpower.records.rows import (
    NETWORK_LAYER_REQUIRED,
    NETWORK_REQUIRED,
    REQUIRED_COLUMNS,
    Row,
    layer_rows,
    pieces,
    plain_rows,
)

__all__ = [
    "NETWORK_LAYER_REQUIRED",
    "NETWORK_REQUIRED",
    "REQUIRED_COLUMNS",
    "TABLE_SUFFIXES",
    "Platform",
    "Row",
    "discover",
    "iter_rows",
    "load_network_layer_rows",
    "load_network_rows",
    "load_platform",
    "load_rows",
]

TABLE_SUFFIXES = (".csv", ".csv.gz", ".parquet")


#: Rows of whole networks are held at once; 100 networks with all their layers have a tenth of it.
_MOST_ROWS = 500_000


@dataclass(frozen=True)
class Platform:
    """A folder of measurements and what is known about where they come from.

    Files are sorted by name. ``power_reason`` says why there is no power (empty when measured or
    not known). ``manifest`` is empty for a folder that has only tables
    (``described`` is false).
    """

    name: str
    folder: Path
    layer_files: tuple[Path, ...]
    network_files: tuple[Path, ...] = ()
    network_layer_files: tuple[Path, ...] = ()
    manifest: Manifest = field(default_factory=Manifest)
    described: bool = False

    @property
    def device(self) -> str:
        """The device in words; empty when not known."""
        return self.manifest.device

    @property
    def software(self) -> str:
        """The software that was measured, in words; empty when not known."""
        return self.manifest.software

    @property
    def description(self) -> str:
        """How it was measured, in a sentence or two; empty when not known."""
        return self.manifest.description

    @property
    def power_reason(self) -> str:
        """Why there is no power; empty when it was measured or the reason is not known."""
        return (self.manifest.power.reason if self.manifest.power else None) or ""

    @property
    def prototxts(self) -> tuple[Path, ...]:
        """Networks as this platform ran them (in ``prototxts/``), sorted by name."""
        return tuple(network_files(self.folder / NETWORKS).values())

    @property
    def table_files(self) -> tuple[Path, ...]:
        """All tables: layers, networks, layers of networks."""
        return (*self.layer_files, *self.network_files, *self.network_layer_files)

    def fact(self, name: str) -> object:
        """An entry of the manifest as it is; ``None`` where there is none."""
        return self.manifest.as_dict().get(name)

    def number(self, name: str) -> float | None:
        """A positive number of the manifest (``peak_gflops``, ``bandwidth_gb_s``) or ``None``."""
        value = self.fact(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
            return None
        return float(value)


def discover(folder: str | Path) -> list[Platform]:
    """The platforms below ``folder`` (one a sub-folder that holds tables), sorted by name.

    Raises ``InputError`` when there is no such folder, or for a fault of one of them.
    """
    root = Path(folder)
    if not root.is_dir():
        raise InputError("no such folder of measurements: check the path", path=root)
    found = (path for path in sorted(root.iterdir()) if path.is_dir() and _tables(path))
    return [load_platform(path) for path in found]


def load_platform(folder: str | Path) -> Platform:
    """The platform in ``folder``; tables are found but not read yet.

    Raises ``InputError`` for no folder, no tables, a doubled table or a manifest that is not JSON.
    """
    root = Path(folder)
    if not root.is_dir():
        raise InputError("no such folder of measurements: check the path", path=root)
    tables = _tables(root)
    shards: dict[str, Path] = {}
    for path in tables:
        other = shards.setdefault(_shard(path), path)
        if other is not path:
            raise InputError(f"is beside {path.name}: keep one of the two", path=other)
    kinds: dict[str, list[Path]] = {"networks": [], "network_layers": [], "": []}
    for path in tables:
        kinds.get(path.name.split(".")[0], kinds[""]).append(path)
    for path in sorted(root.iterdir()):
        if _named_as_table(path) and not path.is_file():
            text = "is no file (a link to nothing, a pipe or a folder): restore or remove it"
            raise InputError(text, path=path)
    manifest = read_manifest(root)
    platform = Platform(
        name=safe_name(root.resolve().name, "platform"),
        folder=root,
        layer_files=tuple(kinds[""]),
        network_files=tuple(kinds["networks"]),
        network_layer_files=tuple(kinds["network_layers"]),
        manifest=manifest or Manifest(),
        described=manifest is not None,
    )
    if not tables:
        raise InputError("no measurement tables (*.csv, *.csv.gz) in this folder", path=root)
    return platform


def iter_rows(platform: Platform | str | Path) -> Iterator[Row]:
    """Every row of the layer tables, in the order of files and rows, faulty values included.

    Memory holds a piece of a table, whatever its size. Raises ``InputError`` with file and row for
    a missing column, text in a number column, a number that is not whole in a configuration
    column, or an empty cell that has no default.
    """
    for path in _platform(platform).layer_files:
        for piece in pieces(path, REQUIRED_COLUMNS):
            yield from layer_rows(path, piece)


def load_rows(platform: Platform | str | Path) -> list[Row]:
    """``iter_rows`` as a list: about 3 kB per row."""
    return list(iter_rows(platform))


def load_network_rows(platform: Platform | str | Path) -> list[Row]:
    """Every row of the tables of whole networks; ``network`` is text, ``batch`` a whole number."""
    return _plain(_platform(platform).network_files, NETWORK_REQUIRED, ("batch",))


def load_network_layer_rows(platform: Platform | str | Path) -> list[Row]:
    """Every row of the tables of layers measured inside whole networks."""
    files = _platform(platform).network_layer_files
    return _plain(files, NETWORK_LAYER_REQUIRED, ("batch", "index"))


def _platform(platform: Platform | str | Path) -> Platform:
    return platform if isinstance(platform, Platform) else load_platform(platform)


def _plain(files: Sequence[Path], required: Sequence[str], whole: Sequence[str]) -> list[Row]:
    rows: list[Row] = []
    for path in files:
        for piece in pieces(path, required):
            rows += plain_rows(path, piece, whole)
            if len(rows) > _MOST_ROWS:
                raise InputError(f"more than {_MOST_ROWS} rows of whole networks", path=path)
    return rows


def _tables(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if _named_as_table(path) and path.is_file())


def _named_as_table(path: Path) -> bool:
    return path.name.endswith(TABLE_SUFFIXES) and not path.name.startswith(".")


def _shard(path: Path) -> str:
    return next(path.name[: -len(s)] for s in TABLE_SUFFIXES[::-1] if path.name.endswith(s))
