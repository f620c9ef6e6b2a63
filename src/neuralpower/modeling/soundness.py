"""What every model file of ``fit`` fulfils: one that does not was changed, and is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from neuralpower.core.configuration import CONFIGURATION_COLUMNS
from neuralpower.core.families import FAMILIES, POOL_METHODS
from neuralpower.core.plausible import MOST_MS, MOST_WATTS
from neuralpower.modeling.members import Equation, are_shares

#: No device's model counts more than so many times.
MOST_EXPONENT = 10.0
#: Measured over predicted, or its inverse: what is farther off is no model of the measurements.
MOST_OFF = 1e9
#: What a layer may take at most, in each target's unit.
MOST = {"runtime_ms": MOST_MS, "power_w": MOST_WATTS, "energy_mj": MOST_MS * MOST_WATTS}


def check(model: Any, entries: Mapping[str, object], unit: str) -> None:
    """``ValueError`` with what cannot be of a ``models.Model``; ``entries``: what its file says."""
    if model.family not in FAMILIES:
        raise ValueError(f"{model.family!r} is no layer family")
    if entries.get("unit", unit) != unit:
        raise ValueError(f"{model.target} in {entries['unit']!r}")
    if entries.get("n_terms", model.n_terms) != model.n_terms:
        raise ValueError(f"n_terms {entries['n_terms']!r}, and there are {model.n_terms}")
    guarded = () if model.guard is None else model.guard.parts
    parts = (*model.parts, *guarded)
    _check_equations([model.equations, *(part.equations for part in parts)])
    interval = model.interval
    if min(interval.scales) <= 0 or any(a >= b for a, b in pairwise(interval.knots)):
        raise ValueError("the interval needs rising knots, each with a positive scale")
    for name, (low, high) in model.ranges.items():
        if name not in CONFIGURATION_COLUMNS or not 0 <= low <= high:
            raise ValueError(f"the range of {name!r} is not one of a column, in order")
    if set(model.methods) - set(POOL_METHODS):
        raise ValueError(f"pool_methods {list(model.methods)} are not known")
    off = (model.mean_ratio, model.lean)
    if (
        not all(1.0 / MOST_OFF <= ratio <= MOST_OFF for ratio in off)
        or not 0.0 <= model.relative_sd <= MOST_OFF
        or not 0.0 <= model.error_correlation <= 1.0
    ):
        raise ValueError("a spread, a ratio or a correlation that cannot be")
    if not all(abs(e) <= MOST_EXPONENT for e in (model.exponent, *(p.exponent for p in parts))):
        raise ValueError("an exponent that cannot be")
    if not model.parts and model.exponent != 1.0:
        raise ValueError(f"an exponent of {model.exponent:g}, and nothing to multiply with")
    known = [value for value in (*model.limits, model.launch_ms) if value is not None]
    if known and max(known) > MOST[model.target]:
        raise ValueError(f"a limit of {max(known):g} {unit}: no layer comes near it")


def _check_equations(groups: Sequence[Sequence[Equation]]) -> None:
    for equations in groups:
        if not are_shares([equation.weight for equation in equations]):
            raise ValueError("the weights of the equations are no shares")
        if not all(1.0 / MOST_OFF <= equation.factor <= MOST_OFF for equation in equations):
            raise ValueError("a factor of an equation that cannot be")
