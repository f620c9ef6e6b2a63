"""The JSON form of the tables that commands write: named, with the version of its schema.

``docs/schemas`` holds a JSON Schema of each, made by ``tools/write_schemas.py`` from this module
and the tables' columns. A change that could break a reader (a column removed, another unit or
meaning) raises the version and is listed in docs/formats.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

#: The version of each table's schema.
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
    kind: str, columns: Sequence[str], rows: Sequence[Mapping[str, object]]
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


def _value(value: Any) -> object:
    if value is None or isinstance(value, bool | int | str):
        return value
    number = float(value)
    return number if math.isfinite(number) else None


_WORDS = frozenset(
    {
        *("bottom_shapes", "bottoms", "bound", "cost", "dataset", "error_kind", "extrapolates"),
        *("family", "name", "network", "next_network", "note", "pool_method", "source", "target"),
        *("top_shapes", "tops", "type"),
    }
)
_WHOLE = frozenset(
    {
        *("batch", "best_batch", "bias", "groups", "index", "inputs", "macs", "n", "n_terms"),
        *("params", "params_shared", "pareto", "rank"),
    }
)
_WHOLE_ENDS = ("_channels", "_height", "_width", "_elements")
#: What a column is, by the end of its name: units first.
_MEANINGS = (
    ("_note", "why there is no figure, or what to know of it"),
    ("_percent", "per cent"),
    ("_share", "share of the total, 0 to 1"),
    ("_elements", "elements, never bytes"),
    ("_ms", "milliseconds"),
    ("_mj", "millijoules"),
    ("_w", "watts"),
    ("_per_byte", "per byte"),
)
_BOUNDS = {"_lo": ", lower end of the 90 % interval", "_hi": ", upper end of the 90 % interval"}
_SPECIAL = {
    "batch": "images of one forward pass",
    "bound": "what limits the layer: compute, memory or launch",
    "cost": "what ranks the networks: energy_mj or runtime_ms",
    "coverage": "of a total: share of the work that has a runtime, 0 to 1",
    "extrapolates": "columns that are beyond what was measured, with spaces between",
    "extrapolates_by": "the first such column over the largest (smallest) measured value",
    "family": "layer family; null where no model family fits",
    "index": "place in the order of execution; null for a total",
    "macs": "multiply-accumulates of one forward pass of the whole batch; never called FLOPs",
    "mape": "mean absolute percentage error out of fold, per cent",
    "params": "elements of the layer's own parameters",
    "rank": "1 is the cheapest per image",
    "source": "model, measured, none",
    "supported": "whether a model family exists for the layer",
}


def column_schema(name: str) -> dict[str, object]:
    """The JSON Schema of a column's values: its type, or null where it is missing, and its unit."""
    stem, words = name, ""
    for end, text in _BOUNDS.items():
        if name.endswith(end):
            stem, words = name.removesuffix(end), text
    kind = "number"
    if name in _WORDS or name.endswith("_note"):
        kind = "string"
    elif name in _WHOLE or name.endswith(_WHOLE_ENDS):
        kind = "integer"
    elif name == "supported":
        kind = "boolean"
    stem = stem.removesuffix("_per_image") if "_per_image" in stem else stem
    per_image = " per image" if "_per_image" in name else ""
    meaning = _SPECIAL.get(name) or next((t for end, t in _MEANINGS if stem.endswith(end)), "")
    schema: dict[str, object] = {"type": [kind, "null"]}
    if meaning or words:
        schema["description"] = f"{meaning}{per_image}{words}".strip(", ")
    return schema


def table_schema(kind: str, columns: Sequence[str], *, more: bool = False) -> dict[str, object]:
    """The JSON Schema (2020-12) of a table; ``more``: a row may have columns of the user's own."""
    row = {
        "type": "object",
        "properties": {name: column_schema(name) for name in columns},
        "required": list(columns),
        "additionalProperties": more,
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"neuralpower.{kind}",
        "type": "object",
        "properties": {
            "schema": {"const": f"neuralpower.{kind}"},
            "schema_version": {"const": VERSIONS[kind]},
            "columns": {"type": "array", "items": {"type": "string"}},
            "rows": {"type": "array", "items": row},
        },
        "required": ["schema", "schema_version", "columns", "rows"],
        "additionalProperties": False,
    }
