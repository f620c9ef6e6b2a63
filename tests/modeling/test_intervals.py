from __future__ import annotations

import numpy as np
import pytest

from neuralpower.modeling.intervals import (
    calibrate,
    coverage_by_size,
    cross_fitted,
    intraclass_correlation,
)
from neuralpower.modeling.metrics import coverage, rmspe, scores


@pytest.mark.parametrize("kind", ["normal", "skewed", "growing"])
def test_fresh_rows_are_covered(kind: str) -> None:
    generator = np.random.default_rng(3)
    predicted = np.exp(generator.uniform(-3, 6, 6000))
    noise = generator.standard_normal(6000)
    if kind == "skewed":
        noise = generator.exponential(1.0, 6000) - 1.0
    if kind == "growing":
        noise *= 0.2 + np.log(predicted + 1.0)
    measured = predicted * np.exp(0.1 * noise)
    interval = calibrate(measured[:3000], predicted[:3000])
    lo, hi = interval.bounds(predicted[3000:])
    assert 88.0 < coverage(measured[3000:], lo, hi) < 92.0
    if kind == "growing":
        parts = coverage_by_size(measured[3000:], predicted[3000:], lo, hi)
        assert min(parts) > 82.0


def test_cross_fitting_never_uses_the_row_itself() -> None:
    predicted = np.ones(100)
    measured = np.ones(100)
    measured[7] = 50.0
    folds = np.arange(100) % 10
    lo, hi = cross_fitted(measured, predicted, folds)
    # Without row 7 its fold has seen no error at all.
    assert hi[7] == pytest.approx(1.0, abs=1e-6)
    assert lo[7] <= 1.0


def test_intraclass_correlation() -> None:
    generator = np.random.default_rng(4)
    shared = np.repeat(generator.standard_normal(400), 5)
    own = generator.standard_normal(2000)
    labels = [str(i) for i in np.repeat(np.arange(400), 5)]
    found = intraclass_correlation(shared + own, labels)
    assert 0.42 < found < 0.58
    assert intraclass_correlation(own, labels) < 0.06
    assert intraclass_correlation(own[:5], ["a"] * 5) == 0.0


def test_scores_by_hand() -> None:
    measured, predicted = np.array([1.0, 2.0, 4.0]), np.array([1.1, 2.0, 2.0])
    found = scores(measured, predicted)
    assert rmspe(measured, predicted) == pytest.approx(100 * np.sqrt((0.01 + 0.25) / 3))
    assert found["mape"] == pytest.approx(20.0)
    assert found["median_ape"] == pytest.approx(10.0)
    assert found["within_10"] == pytest.approx(100 / 3)
    assert scores(np.ones(3), np.ones(3))["r2"] is None
