"""Reading a folder of recorded measurements, strictly: every stage reads them through here.

A platform is a folder of layer tables (short or full form; the ``family`` column decides, a file's
name only names the shard) with optional ``networks.csv``, ``network_layers.csv``,
``manifest.json`` and ``prototxts/``. Layer tables alone are enough.

A fault of the *table* (a missing column, text in a number column) is an ``InputError`` naming file
and row. A fault of a *value* (a runtime that is not positive, a kernel of 0) is data: it is read as
it stands and told by ``measurement_faults``, so that fitting can list it with its reason.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuralpower.columns import CONFIGURATION_COLUMNS, FAMILIES, POOL_METHODS
from neuralpower.errors import InputError
from neuralpower.files import read_rows, read_text, safe_name

if TYPE_CHECKING:
    import pandas

TABLE_SUFFIXES = (".csv", ".csv.gz", ".parquet")
MANIFEST = "manifest.json"

#: Columns that a layer table must have. ``power_w`` may be empty throughout; ``inputs`` may be
#: absent (then 1) where no family of the table has several, ``repeat`` too (then 1).
REQUIRED_COLUMNS: tuple[str, ...] = (*CONFIGURATION_COLUMNS[:-1], "runtime_ms", "power_w")
NETWORK_REQUIRED: tuple[str, ...] = ("network", "batch", "runtime_ms", "power_w")
NETWORK_LAYER_REQUIRED: tuple[str, ...] = ("network", "batch", "index", "name", "runtime_ms")

_TEXT = frozenset({"family", "pool_method"})
INTEGERS = tuple(name for name in CONFIGURATION_COLUMNS if name not in _TEXT)
_DEFAULTS: Mapping[str, int] = {
    "kernel_height": 1,
    "kernel_width": 1,
    "stride_height": 1,
    "stride_width": 1,
    "pad_height": 0,
    "pad_width": 0,
    "dilation_height": 1,
    "dilation_width": 1,
    "groups": 1,
    "bias": 0,
    "inputs": 1,
}
_WINDOW = (
    "kernel_height",
    "kernel_width",
    "stride_height",
    "stride_width",
    "pad_height",
    "pad_width",
)
#: Cells that must be filled, by family, beyond batch and sizes: a silent default would be wrong.
_FILLED: Mapping[str, tuple[str, ...]] = {
    "conv": (*_WINDOW, "groups"),
    "deconv": (*_WINDOW, "groups"),
    "pool": (*_WINDOW, "pool_method"),
    "eltwise": ("inputs",),
    "concat": ("inputs",),
}
#: Number columns of the short and the full form beside the configuration; empty is missing.
_FLOATS: tuple[str, ...] = (
    "runtime_ms",
    "runtime_ms_lo",
    "runtime_ms_hi",
    "runtime_ms_q25",
    "runtime_ms_q75",
    "runtime_ms_mad",
    "power_w",
    "power_w_corrected",
    "power_w_u_within",
    "energy_j",
    "energy_mj",
    "n_calls",
    "runs",
    "order",
    "repeat",
)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table: ``number`` counts the data rows of ``file`` from 1.

    ``values``: configuration columns as ``int`` (text columns as ``str``), number columns as
    ``float`` or ``None`` where empty, every other column as the text that stood there.
    """

    file: str
    number: int
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Platform:
    """A folder of measurements and what is known about where they come from.

    Files are sorted by name. ``power_reason`` says why there is no power (empty when measured or
    not told). ``manifest`` is empty for a folder that has only tables.
    """

    name: str
    folder: Path
    layer_files: tuple[Path, ...]
    network_files: tuple[Path, ...] = ()
    network_layer_files: tuple[Path, ...] = ()
    manifest: Mapping[str, Any] = field(default_factory=dict)

    @property
    def device(self) -> str:
        """The device in words, as the manifest tells it; empty when not told."""
        return _words(self.manifest.get("device"))

    @property
    def software(self) -> str:
        """The software that was measured, in words; empty when not told."""
        return _words(self.manifest.get("software"))

    @property
    def description(self) -> str:
        """How it was measured, in a sentence or two; empty when not told."""
        return _words(self.manifest.get("description"))

    @property
    def power_reason(self) -> str:
        """Why there is no power; empty when it was measured or nothing is told."""
        power = self.manifest.get("power")
        return _words(power.get("reason")) if isinstance(power, dict) else ""

    @property
    def prototxts(self) -> tuple[Path, ...]:
        """Networks as this platform ran them (``prototxts/*.prototxt``), sorted."""
        return tuple(sorted((self.folder / "prototxts").glob("*.prototxt")))

    @property
    def table_files(self) -> tuple[Path, ...]:
        """All tables: layers, networks, layers of networks."""
        return (*self.layer_files, *self.network_files, *self.network_layer_files)

    def number(self, name: str) -> float | None:
        """A positive number of the manifest (``peak_gflops``, ``bandwidth_gb_s``) or ``None``."""
        value = self.manifest.get(name)
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
            raise InputError(f"stands beside {path.name}: keep one of the two", path=other)
    kinds: dict[str, list[Path]] = {"networks": [], "network_layers": [], "": []}
    for path in tables:
        kinds.get(path.name.split(".")[0], kinds[""]).append(path)
    platform = Platform(
        name=safe_name(root.resolve().name, "platform"),
        folder=root,
        layer_files=tuple(kinds[""]),
        network_files=tuple(kinds["networks"]),
        network_layer_files=tuple(kinds["network_layers"]),
        manifest=_manifest(root / MANIFEST),
    )
    if not tables:
        raise InputError("no measurement tables (*.csv, *.csv.gz) in this folder", path=root)
    return platform


def load_rows(platform: Platform | str | Path) -> list[Row]:
    """Every row of the layer tables, in the order of files and rows, faulty values included.

    Raises ``InputError`` with file and row for a missing column, text in a number column, a
    number that is not whole in a configuration column, or an empty cell that has no default.
    """
    return [row for path in _platform(platform).layer_files for row in _layer_table(path)]


def load_network_rows(platform: Platform | str | Path) -> list[Row]:
    """Every row of the tables of whole networks; ``network`` is text, ``batch`` a whole number."""
    files = _platform(platform).network_files
    return [row for path in files for row in _plain_table(path, NETWORK_REQUIRED, ("batch",))]


def load_network_layer_rows(platform: Platform | str | Path) -> list[Row]:
    """Every row of the tables of layers measured inside whole networks."""
    files = _platform(platform).network_layer_files
    whole = ("batch", "index")
    return [row for path in files for row in _plain_table(path, NETWORK_LAYER_REQUIRED, whole)]


def frame(rows: Sequence[Row]) -> pandas.DataFrame:
    """Rows as a pandas frame with ``file`` and ``row`` in front; missing numbers are NaN.

    Configuration columns are int64, number columns float64, everything else text (empty string
    where a table does not have the column).
    """
    import pandas

    names = ["file", "row", *dict.fromkeys(name for row in rows for name in row.values)]
    data: dict[str, Any] = {"file": [row.file for row in rows], "row": [r.number for r in rows]}
    for name in names[2:]:
        column = [row.values.get(name) for row in rows]
        if name in _FLOATS:
            data[name] = pandas.array([math.nan if v is None else v for v in column], "float64")
        elif name in INTEGERS or name == "index":
            data[name] = column
        else:
            data[name] = ["" if v is None else v for v in column]
    return pandas.DataFrame(data, columns=names)


def load_frame(platform: Platform | str | Path) -> pandas.DataFrame:
    """``frame(load_rows(platform))``: the layer tables of a platform as one pandas frame."""
    return frame(load_rows(platform))


def load_network_frame(platform: Platform | str | Path) -> pandas.DataFrame:
    """The tables of whole networks as one pandas frame (a row a measurement, not merged)."""
    return frame(load_network_rows(platform))


def _platform(platform: Platform | str | Path) -> Platform:
    return platform if isinstance(platform, Platform) else load_platform(platform)


def _tables(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.iterdir()
        if path.is_file() and path.name.endswith(TABLE_SUFFIXES) and not path.name.startswith(".")
    )


def _shard(path: Path) -> str:
    return next(path.name[: -len(s)] for s in TABLE_SUFFIXES[::-1] if path.name.endswith(s))


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k} {v}" for k, v in value.items() if isinstance(v, str | int | float))
    return value if isinstance(value, str) else ""


def _manifest(path: Path) -> Mapping[str, Any]:
    if not path.exists():
        return {}
    try:
        value = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise InputError(
            f"not JSON: {error.msg}", path=path, line=error.lineno, column=error.colno
        ) from None
    except RecursionError:
        raise InputError("not a manifest: nested too deeply", path=path) from None
    if not isinstance(value, dict):
        raise InputError("not a manifest: a JSON object is needed", path=path, line=1)
    return value


def _read(path: Path, required: Sequence[str]) -> tuple[list[str], list[dict[str, str]]]:
    if not path.name.endswith(".parquet"):
        return read_rows(path, required)
    try:
        import pandas

        table = pandas.read_parquet(path)
    except ImportError:
        raise InputError(
            "Parquet needs pyarrow: install it, or save as .csv.gz", path=path
        ) from None
    except (OSError, ValueError) as error:
        raise InputError(f"not a Parquet table: {error}", path=path) from None
    header = [str(name) for name in table.columns]
    for name in required:
        if name not in header:
            raise InputError(f"column {name!r} is missing: add it to the table", path=path)
    lists = [
        ["" if cell is None or cell != cell else str(cell) for cell in table[name].tolist()]
        for name in table.columns
    ]
    return header, [dict(zip(header, cells, strict=True)) for cells in zip(*lists, strict=True)]


def _layer_table(path: Path) -> list[Row]:
    header, records = _read(path, REQUIRED_COLUMNS)
    floats = [name for name in _FLOATS if name in header]
    rows: list[Row] = []
    for number, record in enumerate(records, 1):
        family = record["family"]
        if family not in FAMILIES:
            known = ", ".join(FAMILIES)
            raise InputError(
                f"column family: {family!r} is not a layer family ({known})", path=path, row=number
            )
        filled = _FILLED.get(family, ())
        values: dict[str, Any] = dict(record)
        for name in INTEGERS:
            text = record.get(name, "")
            default = None if name in filled else _DEFAULTS.get(name)
            if text or default is None:
                values[name] = _whole(text, name, path, number)
            else:
                values[name] = default
        if family == "pool" and record["pool_method"] not in POOL_METHODS:
            method, known = record["pool_method"], ", ".join(POOL_METHODS)
            raise InputError(
                f"column pool_method: {method!r} is none of {known}", path=path, row=number
            )
        for name in floats:
            values[name] = _number(record[name], name, path, number)
        if values.get("repeat") is None:
            values["repeat"] = 1.0
        rows.append(Row(path.name, number, values))
    return rows


def _plain_table(path: Path, required: Sequence[str], whole: Sequence[str]) -> list[Row]:
    header, records = _read(path, required)
    floats = [name for name in _FLOATS if name in header]
    rows: list[Row] = []
    for number, record in enumerate(records, 1):
        values: dict[str, Any] = dict(record)
        for name in whole:
            values[name] = _whole(record[name], name, path, number)
        for name in floats:
            values[name] = _number(record[name], name, path, number)
        try:
            safe_name(record["network"], "network")
        except InputError as error:
            raise InputError(error.message, path=path, row=number) from None
        rows.append(Row(path.name, number, values))
    return rows


def _whole(text: str, name: str, path: Path, row: int) -> int:
    if not text:
        raise InputError(f"column {name} is empty or missing", path=path, row=row)
    value = _float(text)
    if value is None or not value.is_integer() or abs(value) > 2**53:
        raise InputError(f"column {name}: {text!r} is not a whole number", path=path, row=row)
    return int(value)


def _number(text: str, name: str, path: Path, row: int) -> float | None:
    if not text:
        return None
    value = _float(text)
    if value is None:
        raise InputError(f"column {name}: {text!r} is not a number", path=path, row=row)
    return value


def _float(text: str) -> float | None:
    # Python alone reads 1_000 as a number.
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None
