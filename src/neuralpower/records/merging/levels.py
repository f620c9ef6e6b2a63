"""By what factor units (boards, runs) differ, from what they measured in common."""

from __future__ import annotations

import math
import statistics
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from neuralpower.core.statistics import student_t

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

Values = Mapping[Hashable, Mapping[str, Sequence[float]]]


@dataclass(frozen=True, slots=True)
class Level:
    """A unit's ``factor`` over the geometric mean of the units that it shares configurations with.

    ``lo`` and ``hi``: 95 % interval; ``shared``: configurations of several runs. ``reason``
    where there is no factor.
    """

    factor: float | None = None
    lo: float | None = None
    hi: float | None = None
    shared: int = 0
    reason: str = ""

    def as_dict(self) -> dict[str, object]:
        """Plain values of six digits; what is missing is left out."""
        values = {"factor": self.factor, "lo": self.lo, "hi": self.hi}
        entries: dict[str, object] = {
            k: float(f"{v:.6g}") for k, v in values.items() if v is not None
        }
        entries["shared_configurations"] = self.shared
        return entries | ({"reason": self.reason} if self.reason else {})


def relative_levels(values: Values, units: Sequence[str]) -> dict[str, Level]:
    """Levels of ``units`` from ``values`` (configuration -> unit -> positive values of its visits).

    Two-way model log y = configuration + unit, fitted by least squares to the means of each
    configuration and unit; units that are connected by shared configurations have a mean of 0.
    The interval is Student's t with the residual variance; where nothing is left for that (a
    single shared configuration), with the scatter of the visits themselves.
    """
    import numpy as np

    units = sorted(units)
    place = {unit: i for i, unit in enumerate(units)}
    shared = [
        {place[unit]: [math.log(v) for v in visits] for unit, visits in own.items()}
        for _, own in sorted(values.items(), key=lambda item: repr(item[0]))
        if len(own) > 1
    ]
    n = len(units)
    normal, right = np.zeros((n, n)), np.zeros(n)
    for cell in shared:
        members = sorted(cell)
        means = np.array([statistics.fmean(cell[i]) for i in members])
        grid = np.ix_(members, members)
        normal[grid] += np.eye(len(members)) - 1.0 / len(members)
        right[members] += means - means.mean()
    inverse = np.linalg.pinv(normal, hermitian=True)
    level = inverse @ right
    connected = _components(shared, n)
    found: dict[str, Level] = {}
    for unit, i in place.items():
        own = [cell for cell in shared if i in cell]
        if not own:
            found[unit] = Level(reason="no configuration in common")
            continue
        group = connected[i]
        inside = [cell for cell in shared if min(cell) in group]
        error = _error(inside, level, inverse[i, i], len(group))
        factor = math.exp(level[i])
        if error is None:
            found[unit] = Level(factor, shared=len(own))
        else:
            found[unit] = Level(
                factor, math.exp(level[i] - error), math.exp(level[i] + error), len(own)
            )
    return found


def _error(
    cells: Sequence[Mapping[int, Sequence[float]]],
    level: NDArray[numpy.float64],
    leverage: float,
    units: int,
) -> float | None:
    """The 95 % half-width of a unit's logarithm."""
    squares, freedom = 0.0, -(units - 1)
    within, visits = 0.0, 0
    for cell in cells:
        left = [statistics.fmean(values) - float(level[i]) for i, values in cell.items()]
        middle = statistics.fmean(left)
        squares += math.fsum((value - middle) ** 2 for value in left)
        freedom += len(cell) - 1
        for values in cell.values():
            middle = statistics.fmean(values)
            # Each mean of a cell has the variance of its visits over their number.
            within += math.fsum((v - middle) ** 2 for v in values) / len(values)
            visits += len(values) - 1
    if freedom >= 1:
        return student_t(freedom) * math.sqrt(max(squares / freedom * leverage, 0.0))
    if visits >= 1:
        return student_t(visits) * math.sqrt(max(within / visits * leverage, 0.0))
    return None


def _components(cells: Sequence[Mapping[int, object]], n: int) -> list[frozenset[int]]:
    """For each unit the units that are connected with it."""
    groups = [frozenset({i}) for i in range(n)]
    for cell in cells:
        joined = frozenset().union(*(groups[i] for i in cell))
        for i in joined:
            groups[i] = joined
    return groups
