"""Scores worked out by hand, ends of intervals included."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neuralpower.modeling.metrics import coverage, mean_scores, rmspe, scores

MEASURED = np.array([10.0, 20.0, 40.0, 80.0])
PREDICTED = np.array([11.0, 20.0, 30.0, 100.0])


def test_the_figures_of_four_layers() -> None:
    """Relative errors of 0.1, 0, -0.25 and 0.25; squares sum to 0.135."""
    found = scores(MEASURED, PREDICTED)
    assert found["n"] == 4
    assert found["rmspe"] == pytest.approx(100 * (0.135 / 4) ** 0.5)
    assert found["rmse"] == pytest.approx(((1 + 0 + 100 + 400) / 4) ** 0.5)
    assert found["mape"] == pytest.approx(15.0)
    assert found["median_ape"] == pytest.approx(17.5)
    assert found["within_10"] in (25.0, 50.0)  # 11 / 10 - 1 is not 0.1 to the last digit
    # Around the mean of 37.5: 756.25 + 306.25 + 6.25 + 1806.25.
    assert found["r2"] == pytest.approx(1 - 501 / 2875)
    assert rmspe(MEASURED, MEASURED) == 0.0
    assert scores(np.array([5.0]), np.array([5.0]))["r2"] is None


def test_just_within_ten_per_cent() -> None:
    measured = np.array([100.0, 100.0, 100.0, 100.0])
    assert scores(measured, np.array([109.9, 90.1, 110.1, 89.9]))["within_10"] == 50.0


def test_an_interval_holds_its_ends() -> None:
    measured = np.array([1.0, 2.0, 3.0, 4.0])
    lo, hi = np.array([1.0, 1.0, 3.1, 5.0]), np.array([9.0, 2.0, 9.0, 9.0])
    assert coverage(measured, lo, hi) == 50.0


def test_means_of_deals() -> None:
    deals: list[dict[str, Any]] = [
        {"n": 4, "rmspe": 10.0, "mape": 8.0, "r2": 0.5, "sizes": [1.0, 2.0]},
        {"n": 4, "rmspe": 14.0, "mape": 6.0, "r2": None, "sizes": [3.0, 6.0]},
    ]
    assert mean_scores(deals) == {
        "n": 4, "rmspe": 12.0, "mape": 7.0, "r2": None, "sizes": [2.0, 4.0],
        "rmspe_range": [10.0, 14.0], "mape_range": [6.0, 8.0], "deals": 2,
    }  # fmt: skip
    assert mean_scores(deals[:1])["deals"] == 1
    assert "rmspe_range" not in mean_scores(deals[:1])
