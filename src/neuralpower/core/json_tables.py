"""The JSON form of every table that a command writes: named, with the version of its schema."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

#: The version of each table's schema (docs/formats.md says what changed).
VERSIONS: dict[str, int] = {
    "comparison": 1,
    "configurations": 1,
    "explanation": 1,
    "layers": 1,
    "predictions": 1,
    "scores": 1,
    "table": 1,
}


def document(
    kind: str, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """A table as JSON values: its schema and version, the columns in order, the rows.

    A missing value is null; NaN and infinities are missing. Units are in the names of the columns.
    """
    return {
        "schema": f"neuralpower.{kind}",
        "schema_version": VERSIONS[kind],
        "columns": list(columns),
        "rows": [{name: _value(row.get(name)) for name in columns} for row in rows],
    }


def _value(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value
    number = float(value)
    return number if math.isfinite(number) else None
