"""What the data say about the chosen terms: errors of coefficients, conditioning, influence.

The figures take the choice of terms as given; after a selection on the same data, standard errors
are too small, so they rank terms and warn of ill-determined ones rather than test hypotheses.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, SupportsFloat

import numpy as np

from neuralpower.modeling.crossvalidation import weighted
from neuralpower.modeling.data import Layers
from neuralpower.modeling.features import Array
from neuralpower.modeling.members import Equation
from neuralpower.modeling.terms import TermTable, term_name

#: Rows with the largest Cook's distance that are named.
NAMED = 5


def infer(layers: Layers, equation: Equation) -> dict[str, Any] | None:
    """Inference on one equation by statsmodels, in its own objective (weights 1/y^2 or logs).

    Returns ``n``, ``condition_number`` (columns scaled to unit length), ``breusch_pagan_p``
    (None when it is not defined), ``residual_sd``, per term ``standard_error`` and ``t``, and the
    most influential configurations; ``None`` when there are no residual degrees of freedom. Where
    the terms depend on one another so closely that no figure can be computed: ``n`` and
    ``left_out``, the reason.
    """
    if equation.neighbours is not None:
        reason = "it is a second opinion: a plane, and what the measured layers add to it"
        return {"n": len(layers), "left_out": reason}
    design, target = _design(layers, equation)
    n, p = design.shape
    if n <= p:
        return None
    try:
        return _figures(layers, equation, design, target)
    except np.linalg.LinAlgError as error:
        # A selection with a small ridge may hold terms that are equal on these rows.
        reason = f"the {p} terms depend on one another on these {n} layers ({error})"
        return {"n": n, "left_out": reason}


def _figures(layers: Layers, equation: Equation, design: Array, target: Array) -> dict[str, object]:
    import statsmodels.api as sm
    from statsmodels.stats.outliers_influence import OLSInfluence

    n = len(target)
    length = np.sqrt((design**2).sum(axis=0))
    length[length == 0.0] = 1.0
    scaled = design / length
    fit = sm.OLS(target, scaled).fit(method="qr")
    influence = OLSInfluence(fit)
    # Nearly collinear terms: an error that cannot be known is left empty below.
    with np.errstate(divide="ignore", invalid="ignore"):
        errors = np.asarray(fit.bse) / length
        distance = np.nan_to_num(np.asarray(influence.cooks_distance[0]), posinf=0.0)
    order = np.argsort(-distance, kind="stable")[:NAMED]
    keys = layers.keys()
    return {
        "n": n,
        "residual_sd": float(np.sqrt(max(fit.scale, 0.0))),
        "condition_number": _finite(np.linalg.cond(scaled)),
        "breusch_pagan_p": _breusch_pagan(np.asarray(fit.resid), layers.measured),
        "terms": [
            {
                "name": term_name(term),
                "standard_error": _finite(error),
                "t": _finite(coefficient / error) if error > 0.0 else None,
            }
            for term, coefficient, error in zip(
                equation.terms, equation.coefficients, errors.tolist(), strict=True
            )
        ],
        "influence": {
            "above_4_over_n": int((distance > 4.0 / n).sum()),
            "largest": [
                {"key": keys[i], "cooks_distance": float(distance[i])} for i in order.tolist()
            ],
        },
    }


def _design(layers: Layers, equation: Equation) -> tuple[Array, Array]:
    matrix = TermTable(layers.table()).matrix(equation.terms)
    objective = "log" if equation.link == "log" else "relative"
    if "absolute" in equation.candidate:
        objective = "absolute"
    return weighted(matrix, layers.measured, objective, equation.bend)


def _breusch_pagan(residual: Array, measured: Array) -> float | None:
    """p-value of constant error variance against one that changes with the logarithm of size."""
    from statsmodels.stats.diagnostic import het_breuschpagan

    logs = np.log(measured)
    if len(logs) < 4 or np.ptp(logs) == 0.0 or np.ptp(residual) == 0.0:
        return None
    return _finite(het_breuschpagan(residual, np.stack([np.ones(len(logs)), logs], axis=1))[1])


def _finite(value: SupportsFloat) -> float | None:
    number = float(value)
    return number if np.isfinite(number) else None


def infer_all(layers: Layers, equations: Sequence[Equation]) -> list[dict[str, Any] | None]:
    """``infer`` for every equation of a model."""
    return [infer(layers, equation) for equation in equations]
