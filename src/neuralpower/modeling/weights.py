"""Weights of the equations of a mean: none below 0, together about 1, whatever overflows."""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls

from neuralpower.modeling.features import Array

#: Equations may be off as a whole, out of fold; weights and factors correct that. From few rows the
#: equations of the folds are far off, and those of all rows are not: a correction learnt there is
#: at most ``CORRECTION``. Weights need it whatever the rows: they are shares of about 1.
CORRECTION = 1.25
#: What a prediction that overflows counts as (single precision ends at 3e38).
OVERFLOW = 1e39


def finite(table: np.ndarray) -> Array:
    """Predictions with an overflow as a number that is beyond every use, and can be squared."""
    return np.nan_to_num(table.astype(np.float64), nan=OVERFLOW, posinf=OVERFLOW, neginf=-OVERFLOW)


def shares(gram: Array, moment: Array) -> Array:
    """As ``least_weights``, its sum within ``CORRECTION`` of 1; zeros where all overflow."""
    found = least_weights(gram, moment)
    total = float(found.sum())
    if total <= 0.0 or 1.0 / CORRECTION <= total <= CORRECTION:
        return found
    return np.asarray(found * (np.clip(total, 1.0 / CORRECTION, CORRECTION) / total))


def least_weights(gram: Array, moment: Array) -> Array:
    """The w >= 0 of least w' gram w - 2 w' moment; 0 for a member that overflows."""
    sound = np.diag(gram) < OVERFLOW
    if not sound.all():
        found = np.zeros(len(moment))
        if sound.any():
            found[sound] = least_weights(gram[np.ix_(sound, sound)], moment[sound])
        return found
    values, vectors = np.linalg.eigh(gram)
    roots = np.sqrt(np.maximum(values, 1e-12 * max(float(values[-1]), 1e-300)))
    try:
        found, _ = nnls((vectors * roots).T, (vectors.T @ moment) / roots)
    except RuntimeError:  # it did not settle: the best one alone
        found = np.zeros(len(moment))
        gain = moment / np.diag(gram)
        found[int(np.argmax(gain * moment))] = float(np.max(gain))
    return np.asarray(found)
