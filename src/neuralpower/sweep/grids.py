"""Values a parameter may take, as grids of equally likely cells: the same on every machine.

A coordinate ``u`` in [0, 1) picks cell ``floor(u n)``. Sobol points are multiples of 2^-30 and a
grid has far fewer than 2^20 cells, so the product is exact in double precision; the logarithmic
grids come from decimal arithmetic, not from the platform's mathematical library.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Context, Decimal
from functools import lru_cache
from math import floor
from typing import TypeVar

#: Cells of a logarithmic grid: steps of 0.8 % over a range of 1 to 4096.
LOG_CELLS = 1024

#: Most cells that a table of weights may expand to.
MAX_CELLS = 4096

_DECIMAL = Context(prec=40)

T = TypeVar("T")


@lru_cache(maxsize=256)
def log_grid(low: int, high: int) -> tuple[int, ...]:
    """Whole numbers from ``low`` to ``high``, uniform in the logarithm.

    The cells are the integer parts of ``low ((high + 1) / low)^((i + 1/2) / n)``, so a value ``v``
    has a share close to ``log((v + 1) / v)``. Where ``v`` is large not every value has a cell.
    """
    if not 1 <= low <= high:
        raise ValueError(f"a range needs 1 <= low <= high, not {low} and {high}")
    ratio = _DECIMAL.divide(Decimal(high + 1), Decimal(low))
    half_step = _DECIMAL.exp(_DECIMAL.divide(_DECIMAL.ln(ratio), Decimal(2 * LOG_CELLS)))
    step = _DECIMAL.multiply(half_step, half_step)
    value = _DECIMAL.multiply(Decimal(low), half_step)
    cells = []
    for _ in range(LOG_CELLS):
        cells.append(min(int(value), high))
        value = _DECIMAL.multiply(value, step)
    return tuple(cells)


def weighted_grid(weights: Mapping[T, int]) -> tuple[T, ...]:
    """Each value as often as its weight says, in the order given."""
    return tuple(value for value, weight in weights.items() for _ in range(weight))


def pick(grid: Sequence[T], u: float) -> T:
    """The value of the cell that ``u`` in [0, 1) falls into."""
    return grid[floor(u * len(grid))]
