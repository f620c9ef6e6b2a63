"""Tables with other people's columns: decimal commas, semicolons, and a mapping to our names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from neuralpower.core.errors import InputError
from neuralpower.core.files import read_rows
from neuralpower.importing.logs.timings import TimedRow, Timing, check_size

#: Units of a time in ms.
UNITS = {"ms": 1.0, "us": 1e-3, "s": 1e3, "ns": 1e-6}
Rows = list[dict[str, str]]


def read_foreign(path: str | Path) -> tuple[list[str], Rows]:
    """The header and rows of a CSV file whose fields are parted by commas, semicolons or tabs.

    Raises ``InputError`` with the row whose number of fields differs.
    """
    check_size(path)
    header, rows = read_rows(path, marks=",;\t")
    return header, [row for row in rows if any(row.values())]


def number(text: str) -> float:
    """A number with a point or a comma before its decimals; ``ValueError`` for anything else.

    Where both are there the last one is the decimal mark: 1.234,5 and 1,234.5 are the same.
    """
    plain = text.strip().replace("\u00a0", "").replace(" ", "")
    comma, point = plain.rfind(","), plain.rfind(".")
    if comma > point:
        plain = plain.replace(".", "").replace(",", ".")
    elif comma >= 0:
        plain = plain.replace(",", "")
    if "_" in plain:
        raise ValueError(text)
    return float(plain)


def field(row: Mapping[str, str], column: str, path: str | Path, place: int) -> float | None:
    """A number of a row, None where it is empty; ``InputError`` where it is none."""
    text = row.get(column, "")
    if not text:
        return None
    try:
        value = number(text)
    except ValueError:
        raise InputError(
            f"column {column}: {text[:40]!r} is not a number", path=path, row=place
        ) from None
    return value


def check_columns(wanted: Sequence[str], header: Sequence[str], path: str | Path) -> None:
    """``InputError`` for the first column that the header does not have."""
    for name in wanted:
        if name not in header:
            known = ", ".join(column[:30] for column in header[:12])
            raise InputError(f"no column {name!r} (there are: {known})", path=path, line=1)


def read_named_times(path: str | Path, mapping: Mapping[str, str], unit: str) -> Timing:
    """A table of layer names and times; ``mapping`` (``name``, ``runtime``, ``runs``) to columns.

    Rows of one name are repeats: their median counts. Raises ``InputError`` naming row and column.
    """
    from statistics import median

    header, rows = read_foreign(path)
    columns = {"name": "name", "runtime": "runtime_ms", **mapping}
    check_columns(list(columns.values()), header, path)
    times: dict[str, list[float]] = {}
    first: dict[str, int] = {}
    runs = 1
    for place, row in enumerate(rows, 1):
        value = field(row, columns["runtime"], path, place)
        if value is None:
            continue
        if not 0 <= value < 1e12:
            raise InputError(f"the time {value:g} is not positive", path=path, row=place)
        name = row[columns["name"]]
        first.setdefault(name, place)
        times.setdefault(name, []).append(value * UNITS[unit])
        if "runs" in columns:
            runs = _runs(field(row, columns["runs"], path, place), path, place)
    if not times:
        raise InputError("no times in it", path=path)
    found = [TimedRow(n, median(v), runs * len(v), first[n]) for n, v in times.items()]
    return Timing(found, runs, "a table", facts={"unit": unit})


def _runs(value: float | None, path: str | Path, place: int) -> int:
    if value is None:
        return 1
    if not 1 <= value < 1e12 or not value.is_integer():
        raise InputError(f"the runs {value:g} are no whole number from 1 on", path=path, row=place)
    return int(value)
