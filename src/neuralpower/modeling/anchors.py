"""A simple estimate of every layer, and how far from it a model may go.

A polynomial of many terms runs away where few layers were measured. Its predictions are kept
within a range of ratios to an estimate that cannot: logarithms of work and sizes, one bend of the
work (for power a constant). The range is that of the measured layers but for the ``TAIL`` at both
ends (a few layers that took fifty times their like would make it useless), widened by ``GUARD``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neuralpower.modeling.data import Layers
from neuralpower.modeling.features import Array, FeatureTable
from neuralpower.modeling.gram import Gram, stepwise
from neuralpower.modeling.libraries import corrections
from neuralpower.modeling.members import Anchor, Equation
from neuralpower.modeling.terms import INTERCEPT, Term, TermTable

#: A prediction may leave the measured range of ratios to the anchor by at most this factor.
GUARD = {"runtime_ms": 1.5, "power_w": 1.25, "energy_mj": 1.5, "ratio": 1.5}
#: Shares of the measured ratios, at either end, that the range leaves out; none where the anchor is
#: a constant and the range is that of the target itself.
TAIL = 0.02
#: Power, whose anchor is a constant, may leave its measured range by at most this share of the
#: range's logarithm too: where it hardly varies, a model may hardly leave its range.
POWER_GUARD_SHARE = 0.5
#: Measured layers for each term of an anchor.
ROWS_A_TERM = 6

#: Coefficients of the anchor's terms, lowest and highest ratio to it.
_Fit = tuple[Array, float, float]


class Anchors:
    """The anchor of every training set of a family's layers: all folds less one or two.

    ``features`` and ``measured`` are those of the folds.
    """

    def __init__(
        self, layers: Layers, features: Sequence[FeatureTable], measured: Sequence[Array]
    ) -> None:
        self._target = layers.target
        self._constant = layers.target in ("power_w", "ratio")
        self.terms: list[Term] = [INTERCEPT]
        if not self._constant:
            self.terms = corrections(layers.table(), layers.family, layers.target)
        self._parts = [TermTable(table).matrix(self.terms) for table in features]
        self._logs = [np.log(values) for values in measured]
        self._grams = [part.T @ part for part in self._parts]
        self._moments = [p.T @ y for p, y in zip(self._parts, self._logs, strict=True)]
        self._fits: dict[tuple[int, ...], _Fit] = {}

    def _fit(self, without: tuple[int, ...]) -> _Fit:
        if without not in self._fits:
            kept = [f for f in range(len(self._parts)) if f not in without]
            gram = np.sum([self._grams[f] for f in kept], axis=0)
            moment = np.sum([self._moments[f] for f in kept], axis=0)
            rows = sum(len(self._logs[f]) for f in kept)
            path = stepwise(Gram(gram), moment, [max(1, rows // ROWS_A_TERM)])
            weights = np.zeros(len(self.terms))
            weights[path.columns] = path.coefficients[:, 0]
            apart = np.concatenate([self._logs[f] - self._parts[f] @ weights for f in kept])
            tail = 0.0 if self._constant else TAIL
            low, high = np.exp(np.quantile(apart, [tail, 1.0 - tail])).tolist()
            wider = GUARD[self._target]
            if self._target == "power_w":
                wider = min(wider, (high / low) ** POWER_GUARD_SHARE)
            self._fits[without] = (weights, low / wider, high * wider)
        return self._fits[without]

    def bounds(self, fold: int, without: tuple[int, ...]) -> tuple[Array, Array]:
        """Lowest and highest sane prediction of a fold's rows, trained ``without`` some folds."""
        weights, low, high = self._fit(without)
        base = np.exp(self._parts[fold] @ weights)
        return base * low, base * high

    def anchor(self) -> Anchor:
        """The anchor fitted on all rows, as a model stores it."""
        weights, low, high = self._fit(())
        used = np.flatnonzero(weights)
        if not len(used):  # the constant alone, and its logarithm is 0
            used = np.array([0])
        equation = Equation(
            "log",
            tuple(self.terms[j] for j in used),
            tuple(float(weights[j]) for j in used),
            candidate="anchor",
        )
        return Anchor(equation, low, high)
