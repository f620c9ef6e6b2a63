"""A recorded folder as flat tables: visits with all that their records hold, samples, networks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from neuralpower.core.errors import InputError
from neuralpower.core.extras import not_installed
from neuralpower.core.files import csv_text, read_rows, write_text
from neuralpower.records.folder import (
    load_network_layer_rows,
    load_network_rows,
    load_platform,
    load_rows,
)
from neuralpower.records.raw_windows import PowerLogs
from neuralpower.records.sealing import refuse_changed
from neuralpower.records.visits import read_visit_records

Table = list[dict[str, object]]
#: Lists of objects are further tables.
_APART = frozenset({"layers"})


def export(folder: Path, out: Path, form: str = "parquet") -> dict[str, int]:
    """Write ``visits``, ``samples``, ``networks`` and ``network_layers`` below ``out``.

    ``form``: ``parquet`` (zstd, needs pyarrow) or ``csv`` (compressed). Tables without rows are
    not written. Returns rows by table. ``visits`` are the records, nested fields joined by ``.``
    (``timing.median_ms``, ``power.slope_per_s``); of a folder without records, the rows of its
    layer tables. Raises ``InputError`` for a folder that cannot be read, an ``out`` that holds
    files, or where pyarrow is absent.
    """
    write = _writer(form)
    platform = load_platform(folder)
    refuse_changed(platform)
    if out.exists() and any(out.iterdir()):
        raise InputError("not empty: give a new folder", path=out)
    records = read_visit_records(folder)
    tables: dict[str, Table] = {
        "visits": [dict(flat(record.as_dict())) for record in records]
        or [{"file": row.file, "row": row.number, **row.values} for row in load_rows(platform)],
        "samples": _samples(folder),
        "networks": [dict(row.values) for row in load_network_rows(platform)],
        "network_layers": [dict(row.values) for row in load_network_layer_rows(platform)],
    }
    for name, rows in tables.items():
        if rows:
            write(out, name, rows)
    return {name: len(rows) for name, rows in tables.items() if rows}


def flat(record: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Fields of a nested record with joined names; lists of plain values as words."""
    for name, value in record.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}.")
        elif isinstance(value, list | tuple):
            if name not in _APART:
                yield f"{prefix}{name}", " ".join(str(part) for part in value)
        else:
            yield f"{prefix}{name}", value


def _samples(folder: Path) -> Table:
    rows: Table = []
    for name in PowerLogs(folder).names:
        header, cells = read_rows(folder / name, required=("t_ns",))
        for number, row in enumerate(cells, 1):
            try:
                numbers = {key: _number(key, row[key]) for key in header}
            except ValueError as error:
                raise InputError(str(error), path=folder / name, row=number) from None
            rows.append({"log": name, **numbers})
    return rows


def _number(name: str, text: str) -> float | int | None:
    if not text:
        return None
    return int(text) if name == "t_ns" else float(text)


def _writer(form: str) -> Callable[[Path, str, Table], None]:
    if form == "csv":
        return _write_csv
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise not_installed("pyarrow", "parquet", ", or take --format csv") from None
    return _write_parquet


def _write_csv(out: Path, name: str, rows: Table) -> None:
    write_text(out / f"{name}.csv.gz", csv_text(_columns(rows), rows))


def _write_parquet(out: Path, name: str, rows: Table) -> None:
    import io

    import pyarrow
    import pyarrow.parquet

    from neuralpower.core.files import write_bytes

    arrays = {}
    for column in _columns(rows):
        values = [row.get(column) for row in rows]
        arrays[column] = pyarrow.array(_alike(values), _type(values, pyarrow))
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(arrays), buffer, compression="zstd")
    write_bytes(out / f"{name}.parquet", buffer.getvalue())


def _columns(rows: Table) -> list[str]:
    """All columns, in the order in which rows bring them."""
    return list(dict.fromkeys(name for row in rows for name in row))


def _type(values: Sequence[object], arrow: Any) -> object:
    """One type a column: whole numbers, numbers, truth values, or text; empty columns numbers."""
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {float} or kinds == {int, float}:
        return arrow.float64()
    if kinds == {int}:
        return arrow.int64()
    return arrow.bool_() if kinds == {bool} else arrow.string()


def _alike(values: Sequence[Any]) -> list[object]:
    kinds = {type(value) for value in values if value is not None}
    if kinds == {int, float}:
        return [None if value is None else float(value) for value in values]
    if len(kinds) > 1 or kinds & {str}:
        return [None if value is None else str(value) for value in values]
    return list(values)
