"""Reading configuration columns: what a cell may hold and which value an empty one has.

The one place for it, whether a table is read row by row or as columns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any, TypeAlias

from neuralpower.core.configuration import CONFIGURATION_COLUMNS, Configuration
from neuralpower.core.families import FAMILIES, FAMILY, POOL_METHODS

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

#: Columns that hold words; all others of a configuration hold whole numbers.
TEXT_COLUMNS = frozenset({"family", "pool_method"})
INTEGER_COLUMNS: tuple[str, ...] = tuple(
    name for name in CONFIGURATION_COLUMNS if name not in TEXT_COLUMNS
)
#: Columns that every table must have: batch and sizes have no sensible default.
SIZE_COLUMNS: tuple[str, ...] = CONFIGURATION_COLUMNS[:8]
#: The value of an empty or absent cell, where a silent default is right.
DEFAULTS: dict[str, int] = {
    field.name: field.default
    for field in fields(Configuration)
    if field.default is not MISSING and field.name not in TEXT_COLUMNS
}
#: Columns whose least value is 0; that of all others is 1.
MAY_BE_ZERO = frozenset({"bias", "pad_height", "pad_width"})
#: Beyond this a double does not hold every whole number.
LARGEST = 2**53


def number_of(text: str) -> float:
    """A cell of a number column; ``ValueError`` if it is none."""
    if "_" in text or len(text) > 400:  # Python alone reads 1_000 as a number
        raise ValueError(text)
    return float(text)


def whole_number(text: str) -> int:
    """A cell of a configuration column; ``ValueError`` if it is not a whole number."""
    value = number_of(text)
    if not value.is_integer() or abs(value) > LARGEST:
        raise ValueError(text)
    return int(value)


def default_of(name: str, family: str) -> int | None:
    """The value of an empty cell of a family's row; ``None`` where it must be filled."""
    known = FAMILY.get(family)
    return None if known is not None and name in known.cells else DEFAULTS.get(name)


def integer_cell(text: str, name: str, family: str) -> int:
    """A whole number of a row of ``family``; ``ValueError`` says what is wrong with it."""
    if not text:
        default = default_of(name, family)
        if default is None:
            raise ValueError(f"column {name} is empty or missing")
        return default
    try:
        return whole_number(text)
    except ValueError:
        raise ValueError(f"column {name}: {shown(text)} is not a whole number") from None


def check_words(family: str, pool_method: str) -> None:
    """``ValueError`` for a family or a method that is not known, or a pooling without one."""
    if family not in FAMILIES:
        raise ValueError(
            f"column family: {shown(family)} is not a layer family ({', '.join(FAMILIES)})"
            if family
            else "column family is empty or missing"
        )
    if pool_method not in POOL_METHODS and (pool_method or family == "pool"):
        raise ValueError(
            f"column pool_method: {shown(pool_method)} is none of {', '.join(POOL_METHODS)}"
        )


def read_configuration(row: Mapping[str, str]) -> Configuration:
    """The configuration of a table row of texts.

    Raises ``ValueError`` naming the column of a cell that cannot be read, is out of its range, or
    is empty without a default.
    """
    family, method = ((row.get(name) or "").strip() for name in ("family", "pool_method"))
    check_words(family, method)
    values: dict[str, int] = {
        name: integer_cell((row.get(name) or "").strip(), name, family) for name in INTEGER_COLUMNS
    }
    for name, value in values.items():
        if value < (0 if name in MAY_BE_ZERO else 1):
            raise ValueError(f"column {name}: {value} is out of its range")
    return Configuration(family, pool_method=method, **values)


#: A row of a table as it was read: numbers where its columns are numbers, else text; None: empty.
Row: TypeAlias = Mapping[str, Any]


class Cells(dict[str, Any]):
    """What the texts of one column mean: most cells of a column are the same few."""

    def __init__(self, read: Callable[[str], object]) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, text: str) -> object:
        value = self[text] = self._read(text.strip())
        return value


def integer_column(
    texts: Sequence[str] | None, name: str, family: str, n: int
) -> npt.NDArray[np.int64]:
    """A column of ``n`` cells of one family's rows, absent ones as empty; shape (n,).

    Raises ``ValueError`` as ``integer_cell`` does.
    """
    import numpy

    if texts is None:
        return numpy.full(n, integer_cell("", name, family), dtype=numpy.int64)
    cells = Cells(lambda text: integer_cell(text, name, family))
    return numpy.fromiter(map(cells.__getitem__, texts), numpy.int64, n)


def shown(text: str) -> str:
    """A cell as a message quotes it: never longer than a line."""
    return repr(text if len(text) <= 40 else text[:37] + "...")
