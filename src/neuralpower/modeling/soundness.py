"""What every model file of ``fit`` fulfils: one that does not was changed, and is refused."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from neuralpower.core.configuration import CONFIGURATION_COLUMNS
from neuralpower.core.families import FAMILIES, POOL_METHODS
from neuralpower.modeling.members import are_shares

#: No device's model counts more than so many times.
MOST_EXPONENT = 10.0


def check(model: Any, entries: Mapping[str, object], unit: str) -> None:
    """``ValueError`` with what cannot be of a ``models.Model``; ``entries``: what its file says."""
    if model.family not in FAMILIES:
        raise ValueError(f"{model.family!r} is no layer family")
    if entries.get("unit", unit) != unit:
        raise ValueError(f"{model.target} in {entries['unit']!r}")
    if entries.get("n_terms", model.n_terms) != model.n_terms:
        raise ValueError(f"n_terms {entries['n_terms']!r}, and there are {model.n_terms}")
    parts = [*model.parts, *(model.guard.parts if model.guard is not None else ())]
    for equations in (model.equations, *(part.equations for part in parts)):
        if not are_shares([equation.weight for equation in equations]):
            raise ValueError("the weights of the equations are no shares")
    interval = model.interval
    if min(interval.scales) <= 0 or any(a >= b for a, b in pairwise(interval.knots)):
        raise ValueError("the interval needs rising knots, each with a positive scale")
    for name, (low, high) in model.ranges.items():
        if name not in CONFIGURATION_COLUMNS or not 0 <= low <= high:
            raise ValueError(f"the range of {name!r} is not one of a column, in order")
    if set(model.methods) - set(POOL_METHODS):
        raise ValueError(f"pool_methods {list(model.methods)} are not known")
    if model.relative_sd < 0 or model.mean_ratio <= 0 or abs(model.error_correlation) > 1:
        raise ValueError("a spread, a ratio or a correlation that cannot be")
    if not all(abs(e) <= MOST_EXPONENT for e in (model.exponent, *(p.exponent for p in parts))):
        raise ValueError("an exponent that cannot be")
