"""Scores of predictions against measurements, percentages in per cent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from neuralpower.modeling.features import Array


def rmspe(measured: Array, predicted: Array) -> float:
    """Root mean squared percentage error: 100 sqrt(mean((predicted / measured - 1)^2))."""
    return float(100.0 * np.sqrt(np.mean((predicted / measured - 1.0) ** 2)))


def scores(measured: Array, predicted: Array) -> dict[str, Any]:
    """``n, rmspe, rmse, mape, median_ape, within_10, r2``; ``r2`` is None for a constant target.

    ``within_10`` is the share (%) of layers predicted within 10 % of the measurement.
    """
    relative = np.abs(predicted / measured - 1.0)
    variation = float(np.sum((measured - measured.mean()) ** 2))
    residual = float(np.sum((predicted - measured) ** 2))
    return {
        "n": len(measured),
        "rmspe": rmspe(measured, predicted),
        "rmse": float(np.sqrt(residual / len(measured))),
        "mape": float(100.0 * relative.mean()),
        "median_ape": float(100.0 * np.median(relative)),
        "within_10": float(100.0 * np.mean(relative <= 0.1)),
        "r2": 1.0 - residual / variation if variation > 0 else None,
    }


def mean_scores(each: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Figures of several deals of the folds as their means; ranges of RMSPE and MAPE beside.

    A figure that is a list is averaged place by place; one that any deal lacks is None.
    """
    result: dict[str, Any] = {}
    for name in each[0]:
        values = [scored[name] for scored in each]
        if any(value is None for value in values):
            result[name] = None
        elif isinstance(values[0], int) or not isinstance(values[0], float | list):
            result[name] = values[0]
        else:
            mean = np.mean(values, axis=0)
            result[name] = mean.tolist() if isinstance(values[0], list) else float(mean)
    if len(each) > 1:
        for name in ("rmspe", "mape"):
            figures = [scored[name] for scored in each]
            result[f"{name}_range"] = [min(figures), max(figures)]
    result["deals"] = len(each)
    return result


def coverage(measured: Array, lo: Array, hi: Array) -> float:
    """Share (%) of measurements inside their interval."""
    return float(100.0 * np.mean((measured >= lo) & (measured <= hi)))
