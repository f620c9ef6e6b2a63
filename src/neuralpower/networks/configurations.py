"""Predictions for a table of layer configurations: design-space search without a prototxt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpower.core.configuration import CONFIGURATION_COLUMNS, POOL_METHODS, Configuration
from neuralpower.core.errors import InputError
from neuralpower.core.files import read_rows
from neuralpower.networks.composition import TARGETS
from neuralpower.networks.estimates import Models, estimate

#: Columns that a row of configurations gains.
ADDED_COLUMNS = (
    *(target + end for target in TARGETS for end in ("", "_lo", "_hi")),
    "extrapolates",
    "source",
)

_DEFAULTS = {field.name: field.default for field in fields(Configuration)}
#: Sizes without a sensible default: batch, input and output.
_REQUIRED = CONFIGURATION_COLUMNS[:8]
_MAY_BE_ZERO = frozenset({"pad_height", "pad_width", "bias"})


def predict_table(path: str | Path, models: Models) -> tuple[list[str], list[dict[str, Any]]]:
    """The rows of a CSV table of configurations with their predictions, and the header.

    Columns of the input are kept in their order; one that has the name of an added column (a
    measured ``runtime_ms``) is kept as ``given_<name>``. A row of a family without a model has
    source ``none`` and empty figures. Raises ``InputError`` naming row and column.
    """
    header, rows = read_rows(path, required=_REQUIRED)
    columns = columns_of_rows(rows, path)
    estimates = estimate(columns, models)
    kept = {name: f"given_{name}" if name in ADDED_COLUMNS else name for name in header}
    out: list[dict[str, Any]] = [{kept[name]: row[name] for name in header} for row in rows]
    for target in TARGETS:
        interval = getattr(estimates, target)
        for end, values in (("", interval.value), ("_lo", interval.lo), ("_hi", interval.hi)):
            for row, value in zip(out, values.tolist(), strict=True):
                row[target + end] = None if value != value else value
    for row, column in zip(out, estimates.extrapolates, strict=True):
        row["extrapolates"] = column or None
        row["source"] = "none" if row["runtime_ms"] is None else "model"
    return [*kept.values(), *ADDED_COLUMNS], out


def columns_of_rows(
    rows: Sequence[Mapping[str, str]], path: str | Path | None = None
) -> dict[str, NDArray[Any]]:
    """Table rows of strings as arrays of shape (n,), with the defaults of ``Configuration``.

    Raises ``InputError`` for a field that is empty without a default or not a whole number of
    its range.
    """
    columns: dict[str, NDArray[Any]] = {}
    for name in CONFIGURATION_COLUMNS:
        texts = [row.get(name, "") for row in rows]
        if name in ("family", "pool_method"):
            columns[name] = np.array(texts, dtype=np.str_)
            continue
        if name not in _REQUIRED:
            default = str(_DEFAULTS[name])
            texts = [text or default for text in texts]
        try:
            values = np.array(texts, dtype=np.float64)
        except ValueError:
            values = np.array([_float(text) for text in texts])
        least = 0 if name in _MAY_BE_ZERO else 1
        good = (values >= least) & (values < 2**53) & (np.floor(values) == values)
        if not good.all():
            row = int(np.flatnonzero(~good)[0])
            raise InputError(
                f"column {name}: {texts[row]!r} is not a whole number of at least {least}",
                path=path,
                row=row + 1,
            )
        columns[name] = values
    _check_words(columns, path)
    return columns


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _check_words(columns: Mapping[str, NDArray[Any]], path: str | Path | None) -> None:
    for row in np.flatnonzero(columns["family"] == ""):
        raise InputError("column family is empty", path=path, row=int(row) + 1)
    known = np.isin(columns["pool_method"], ("", *POOL_METHODS))
    for row in np.flatnonzero(~known):
        word = str(columns["pool_method"][row])
        raise InputError(
            f"column pool_method: {word!r} is none of {', '.join(POOL_METHODS)}",
            path=path,
            row=int(row) + 1,
        )
