"""What a column of a source means: a small fixed set of formulas, never code."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

_KEYS = {"column", "divided_by", "times"}


@dataclass(frozen=True)
class Formula:
    """``constant``, or ``column`` ``times`` a factor, perhaps ``divided_by`` a column or a number.

    >>> Formula(column="energy_uj", divided_by="time_us").value({"energy_uj": "9", "time_us": "3"})
    3.0
    """

    column: str = ""
    divided_by: str | float = 1.0
    times: float = 1.0
    constant: float | None = None

    def value(self, row: Mapping[str, str]) -> float | None:
        """The figure of a row of texts; None where a cell is empty or a divisor is 0.

        Raises ``ValueError`` naming a column that is not there or holds no number.
        """
        if self.constant is not None:
            return self.constant
        value, divisor = _number(row, self.column), self.divided_by
        if isinstance(divisor, str):
            divisor = _number(row, divisor) or 0.0
        return value * self.times / divisor if value is not None and divisor else None

    @classmethod
    def read(cls, value: object) -> Formula:
        """The formula of a YAML value: a number, a column's name, or a mapping of the fields.

        Raises ``ValueError`` for anything else.
        """
        if isinstance(value, int | float) and not isinstance(value, bool):
            return cls(constant=_finite(value))
        if isinstance(value, str) and value:
            return cls(column=value)
        if not isinstance(value, dict) or not isinstance(value.get("column"), str):
            raise ValueError(f"{value!r} is no number, column or formula with a column")
        if set(value) - _KEYS:
            unknown = sorted(map(str, set(value) - _KEYS))[0]
            raise ValueError(f"{unknown!r} is no part of a formula ({', '.join(sorted(_KEYS))})")
        divided_by = value.get("divided_by", 1.0)
        if not isinstance(divided_by, str):
            divided_by = _finite(divided_by)
        return cls(value["column"], divided_by, _finite(value.get("times", 1.0)))


def _finite(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r} is not a finite number")
    return float(value)


def _number(row: Mapping[str, str], name: str) -> float | None:
    if name not in row:
        raise ValueError(f"there is no column {name!r}")
    text = row[name].strip()
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"column {name}: {text!r} is not a number") from None
