"""Predictions for a table of layer configurations: design-space search without a prototxt."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from numpy.typing import NDArray

from neuralpower.core.cells import (
    INTEGER_COLUMNS,
    MAY_BE_ZERO,
    SIZE_COLUMNS,
    Cells,
    check_words,
    integer_cell,
    shown,
)
from neuralpower.core.configuration import CONFIGURATION_COLUMNS
from neuralpower.core.errors import InputError
from neuralpower.core.files import read_rows
from neuralpower.core.plausible import contradictions, contradictory
from neuralpower.core.slips import header_slips
from neuralpower.core.targets import TARGETS
from neuralpower.networks.estimates import Models, estimate

#: Columns that a row of configurations gains.
ADDED_COLUMNS = (
    *(target + end for target in TARGETS for end in ("", "_lo", "_hi")),
    "extrapolates",
    "extrapolates_by",
    "source",
)


def predict_table(
    path: str | Path, models: Models, tell: Callable[[str], object] = lambda _: None
) -> tuple[list[str], list[dict[str, object]]]:
    """The rows of a CSV table of configurations with their predictions, and the header.

    Columns of the input are kept in their order; one that has the name of an added column (a
    measured ``runtime_ms``) is kept as ``given_<name>``. A row of a family without a model has
    source ``none`` and empty figures. ``tell`` hears of columns whose names are nearly those of a
    configuration and that are not read. Raises ``InputError`` naming row and column, also for
    sizes that contradict each other.
    """
    header, rows = read_rows(path, required=SIZE_COLUMNS)
    for name, likely in header_slips(header, CONFIGURATION_COLUMNS):
        tell(f"column {name!r} is none of a configuration, not read: did you mean {likely}?")
    columns = columns_of_rows(rows, path)
    _refuse_contradictions(columns, path)
    estimates = estimate(columns, models)
    kept = {name: f"given_{name}" if name in ADDED_COLUMNS else name for name in header}
    out: list[dict[str, object]] = [{kept[name]: row[name] for name in header} for row in rows]
    for target in TARGETS:
        interval = getattr(estimates, target)
        for end, values in (("", interval.value), ("_lo", interval.lo), ("_hi", interval.hi)):
            for row, value in zip(out, values.tolist(), strict=True):
                row[target + end] = None if value != value else value
    by = estimates.extrapolates_by.tolist()
    marks = zip(out, estimates.extrapolates, by, estimates.sources(), strict=True)
    for row, column, times, source in marks:
        row["extrapolates"], row["source"] = column or None, source
        row["extrapolates_by"] = None if times != times else times
    return [*kept.values(), *ADDED_COLUMNS], out


def _refuse_contradictions(columns: Mapping[str, NDArray[np.generic]], path: str | Path) -> None:
    """``InputError`` for the first row that no layer can have: its figures would not show it."""
    for family in np.unique(columns["family"]).tolist():
        rows = np.flatnonzero(columns["family"] == family)
        sizes = {name: columns[name][rows].astype(np.float64) for name in INTEGER_COLUMNS}
        odd = np.flatnonzero(contradictory(SimpleNamespace(family=family, **sizes)))
        if odd.size:
            one = {name: int(values[odd[0]]) for name, values in sizes.items()}
            column, reason = next(contradictions(SimpleNamespace(family=family, **one)))
            raise InputError(f"column {column}: {reason}", path=path, row=int(rows[odd[0]]) + 1)


def columns_of_rows(
    rows: Sequence[Mapping[str, str]], path: str | Path | None = None
) -> dict[str, NDArray[np.generic]]:
    """Table rows of strings as arrays of shape (n,), with the defaults of ``Configuration``.

    Raises ``InputError`` for a field that is empty without a default or not a whole number of
    its range.
    """
    families = [(row.get("family") or "").strip() for row in rows]
    methods = [(row.get("pool_method") or "").strip() for row in rows]
    columns: dict[str, NDArray[np.generic]] = {"family": np.array(families, dtype=np.str_)}
    for number, words in enumerate(zip(families, methods, strict=True), 1):
        try:
            check_words(*words)
        except ValueError as error:
            raise InputError(str(error), path=path, row=number) from None
    for name in INTEGER_COLUMNS:
        least = 0 if name in MAY_BE_ZERO else 1
        cells = {family: Cells(partial(_cell, name, family, least)) for family in set(families)}
        values = np.empty(len(rows))
        for i, (family, row) in enumerate(zip(families, rows, strict=True)):
            try:
                values[i] = cells[family][row.get(name) or ""]
            except ValueError as error:
                raise InputError(str(error), path=path, row=i + 1) from None
        columns[name] = values
    columns["pool_method"] = np.array(methods, dtype=np.str_)
    return columns


def _cell(name: str, family: str, least: int, text: str) -> int:
    value = integer_cell(text, name, family)
    if value < least:
        raise ValueError(f"column {name}: {shown(text)} is less than {least}")
    return value
