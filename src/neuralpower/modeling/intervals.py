"""Prediction intervals from out-of-fold errors (split conformal, locally scaled).

Lei et al., "Distribution-free predictive inference for regression" (2018): errors are divided by
a scale that varies with the prediction, and their empirical quantiles, with the finite-sample
correction (n + 1), give bounds that hold whatever the errors' distribution.
"""

from __future__ import annotations

import math

import numpy as np

from neuralpower.modeling.features import Array
from neuralpower.modeling.models import Interval

LEVEL = 0.9
_BIN = 40
_MOST_BINS = 12
_SHRINK = 10.0


def calibrate(measured: Array, predicted: Array) -> Interval:
    """The 90 % interval of ln(measured / predicted) from out-of-fold predictions, (n,) each.

    With fewer than 19 rows the bounds are the extreme errors: all that the data can say.
    """
    error = np.log(measured / predicted)
    position = np.log(predicted)
    n = len(error)
    overall = max(float(np.mean(np.abs(error))), 1e-9)
    bins = max(1, min(_MOST_BINS, n // _BIN))
    order = np.argsort(position, kind="stable")
    knots: list[float] = []
    scales: list[float] = []
    for part in np.array_split(order, bins):
        size = float(np.mean(np.abs(error[part])))
        scale = (len(part) * size + _SHRINK * overall) / (len(part) + _SHRINK)
        knot = float(np.mean(position[part]))
        if not knots or knot > knots[-1]:
            knots.append(knot)
            scales.append(max(scale, 1e-9))
    ratio = np.sort(error / np.interp(position, knots, scales))
    tail = (1.0 - LEVEL) / 2.0
    low = max(math.floor((n + 1) * tail), 1) - 1
    high = min(math.ceil((n + 1) * (1.0 - tail)), n) - 1
    return Interval(
        tuple(knots), tuple(scales), min(float(ratio[low]), 0.0), max(float(ratio[high]), 0.0)
    )


def cross_fitted(measured: Array, predicted: Array, folds: np.ndarray) -> tuple[Array, Array]:
    """Bounds of every row from an interval calibrated on the other folds only: (lo, hi)."""
    lo, hi = np.empty_like(predicted), np.empty_like(predicted)
    for fold in np.unique(folds):
        inside = folds == fold
        interval = calibrate(measured[~inside], predicted[~inside])
        lo[inside], hi[inside] = interval.bounds(predicted[inside])
    return lo, hi


def coverage_by_size(measured: Array, predicted: Array, lo: Array, hi: Array) -> list[float]:
    """Coverage (%) in tenths of the predictions from small to large (fewer parts if n < 100)."""
    order = np.argsort(predicted, kind="stable")
    inside = (measured >= lo) & (measured <= hi)
    parts = np.array_split(order, max(1, min(10, len(order) // 10)))
    return [float(100.0 * np.mean(inside[part])) for part in parts]


def intraclass_correlation(errors: Array, labels: list[str]) -> float:
    """Correlation of two errors of one group: the one-way analysis-of-variance estimate.

    Clipped to [0, 1]; 0 when there are fewer than two groups or no group of two.
    """
    groups: dict[str, list[float]] = {}
    for label, error in zip(labels, errors.tolist(), strict=True):
        groups.setdefault(label, []).append(error)
    sizes = np.array([len(g) for g in groups.values()], dtype=np.float64)
    n, k = float(sizes.sum()), len(groups)
    if k < 2 or n <= k:
        return 0.0
    mean = float(np.mean(errors))
    between = sum(len(g) * (float(np.mean(g)) - mean) ** 2 for g in groups.values()) / (k - 1)
    within = sum(float(np.sum((np.array(g) - np.mean(g)) ** 2)) for g in groups.values()) / (n - k)
    typical = (n - float((sizes**2).sum()) / n) / (k - 1)
    total = between + (typical - 1.0) * within
    if total <= 0.0:
        return 0.0
    return float(min(1.0, max(0.0, (between - within) / total)))
