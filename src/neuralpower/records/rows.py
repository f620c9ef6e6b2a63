"""One row of a measurement table: what its fields mean, and which are refused.

A fault of the *table* (a missing column, text in a number column) is an ``InputError`` naming file
and row. A fault of a *value* (a runtime that is not positive, a kernel of 0) is data: it is read as
it is and listed by ``measurement_faults``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neuralpower.core.cells import (
    INTEGER_COLUMNS,
    SIZE_COLUMNS,
    check_words,
    integer_cell,
    number_of,
    whole_number,
)
from neuralpower.core.errors import InputError
from neuralpower.core.files import Piece, check_header, read_pieces, safe_name

#: Columns that a layer table must have; those that a family needs beside them (``Family.cells``)
#: are asked for row by row. Any other may be absent: an empty cell and none are the same.
REQUIRED_COLUMNS: tuple[str, ...] = (*SIZE_COLUMNS, "runtime_ms")
NETWORK_REQUIRED: tuple[str, ...] = ("network", "batch", "runtime_ms")
NETWORK_LAYER_REQUIRED: tuple[str, ...] = ("network", "batch", "index", "name", "runtime_ms")

#: Number columns of the short and the full form beside the configuration; empty is missing.
NUMBERS: tuple[str, ...] = (
    "runtime_ms",
    "runtime_ms_lo",
    "runtime_ms_hi",
    "runtime_ms_q25",
    "runtime_ms_q75",
    "runtime_ms_mad",
    "runtime_ms_drift_corrected",
    "power_w",
    "power_w_corrected",
    "power_w_drift_corrected",
    "power_w_u_within",
    "power_runtime_ms",
    "energy_j",
    "energy_mj",
    "n_calls",
    "runs",
    "order",
    "repeat",
    "run_repeat",
    "power_w_raw",
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


#: Bytes of one column of a piece of a Parquet table.
_LARGEST_COLUMN = 50_000_000


def pieces(path: Path, required: Sequence[str], rows: int = 20_000) -> Iterator[Piece]:
    """A table (CSV, ``.csv.gz`` or Parquet) in pieces of so many rows, the first without any."""
    if path.name.endswith(".parquet"):
        return _parquet_pieces(path, required, rows)
    return read_pieces(path, required, rows)


def _parquet_pieces(path: Path, required: Sequence[str], rows: int) -> Iterator[Piece]:
    from importlib import import_module

    try:
        parquet = import_module("pyarrow.parquet")
    except ImportError:
        raise InputError(
            "Parquet needs pyarrow: install it, or save as .csv.gz", path=path
        ) from None
    arrow = import_module("pyarrow")
    try:
        table = parquet.ParquetFile(path)
        schema = table.schema_arrow
        header = check_header([str(name) for name in schema.names], required, path)
        for name, kind in zip(header, schema.types, strict=True):
            if not _plain_type(kind, arrow.types):
                raise InputError(f"column {name!r} is of type {kind}: numbers or text are needed",
                                 path=path)  # fmt: skip
        yield Piece(header, 1, [])
        first = 1
        for batch in table.iter_batches(batch_size=rows):
            lists = [_texts(column, path) for column in batch.columns]
            yield Piece(header, first, [list(cells) for cells in zip(*lists, strict=True)])
            first += batch.num_rows
    except (OSError, ValueError, OverflowError, arrow.ArrowException) as error:
        raise InputError(f"not a Parquet table: {error}", path=path) from None


def _plain_type(kind: Any, types: Any) -> bool:
    """Whether a column of Parquet holds what a CSV table could."""
    if types.is_dictionary(kind):
        kind = kind.value_type
    return any(
        check(kind)
        for check in (
            *(types.is_integer, types.is_floating, types.is_boolean, types.is_null),
            *(types.is_string, types.is_large_string),
        )
    )


def _texts(column: Any, path: Path) -> list[str]:
    """The cells of a column as a CSV table has them; a missing one and NaN are empty."""
    if column.nbytes > _LARGEST_COLUMN:
        raise InputError("cells too long for a table of this program", path=path)
    return ["" if cell is None or cell != cell else str(cell) for cell in column.to_pylist()]


def layer_rows(path: Path, piece: Piece) -> Iterator[Row]:
    """The rows of a piece of a layer table; ``InputError`` for the first that is no row."""
    floats = [name for name in NUMBERS if name in piece.header]
    for number, fields in enumerate(piece.records, piece.first):
        record = dict(zip(piece.header, map(str.strip, fields), strict=True))
        yield Row(path.name, number, _layer_values(record, floats, path, number))


def _layer_values(
    record: Mapping[str, str], floats: Sequence[str], path: Path, number: int
) -> dict[str, object]:
    family = record["family"]
    try:
        check_words(family, record.get("pool_method", ""))
        values: dict[str, object] = {"pool_method": "", **record}
        for name in INTEGER_COLUMNS:
            values[name] = integer_cell(record.get(name, ""), name, family)
    except ValueError as error:
        raise InputError(str(error), path=path, row=number) from None
    for name in floats:
        values[name] = _number(record[name], name, path, number)
    if values.get("repeat") is None:
        values["repeat"] = 1.0
    return values


def plain_rows(path: Path, piece: Piece, whole: Sequence[str]) -> Iterator[Row]:
    """The rows of a piece of a table of networks; the columns ``whole`` are whole numbers."""
    floats = [name for name in NUMBERS if name in piece.header]
    for number, fields in enumerate(piece.records, piece.first):
        values: dict[str, Any] = dict(zip(piece.header, map(str.strip, fields), strict=True))
        for name in whole:
            values[name] = _whole(values[name], name, path, number)
        for name in floats:
            values[name] = _number(values[name], name, path, number)
        try:
            safe_name(values["network"], "network")
        except InputError as error:
            raise InputError(error.message, path=path, row=number) from None
        yield Row(path.name, number, values)


def _whole(text: str, name: str, path: Path, row: int) -> int:
    if not text:
        raise InputError(f"column {name} is empty or missing", path=path, row=row)
    try:
        return whole_number(text)
    except ValueError:
        raise InputError(
            f"column {name}: {text!r} is not a whole number", path=path, row=row
        ) from None


def _number(text: str, name: str, path: Path, row: int) -> float | None:
    try:
        return number_of(text) if text else None
    except ValueError:
        raise InputError(f"column {name}: {text!r} is not a number", path=path, row=row) from None
