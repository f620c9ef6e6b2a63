"""The paths against scikit-learn, SciPy and plain least squares."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.optimize import nnls
from sklearn.linear_model import Lasso

from neuralpower.modeling.gram import (
    ALPHAS,
    ESTIMATORS,
    LEAST_ALPHA,
    Gram,
    lasso,
    nonnegative,
    stepwise,
)


@pytest.fixture
def problem() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    design = np.concatenate([np.ones((200, 1)), generator.standard_normal((200, 12))], axis=1)
    design[:, 5] = design[:, 4] + 0.3 * design[:, 5]
    target = 2.0 + 3.0 * design[:, 1] - design[:, 4] + 0.5 * design[:, 9]
    return design, target + 0.1 * generator.standard_normal(200)


def test_stepwise_solves_least_squares_on_its_columns(
    problem: tuple[np.ndarray, np.ndarray],
) -> None:
    design, target = problem
    path = stepwise(Gram(design.T @ design), design.T @ target, [1, 2, 4, 8], ridge=0.0)
    assert path.columns[0] == 0
    assert set(path.columns[1:4].tolist()) == {1, 4, 9}
    for column, count in enumerate(path.counts.tolist()):
        used = path.columns[:count]
        expected = np.linalg.lstsq(design[:, used], target, rcond=None)[0]
        np.testing.assert_allclose(path.coefficients[:count, column], expected, rtol=1e-8)
        assert not path.coefficients[count:, column].any()


def test_stepwise_takes_the_best_next_column(problem: tuple[np.ndarray, np.ndarray]) -> None:
    design, target = problem

    def residual(columns: list[int]) -> float:
        fit = np.linalg.lstsq(design[:, columns], target, rcond=None)[0]
        return float(((target - design[:, columns] @ fit) ** 2).sum())

    path = stepwise(Gram(design.T @ design), design.T @ target, [4])
    for k in range(1, 4):
        before = path.columns[:k].tolist()
        rivals = [residual([*before, j]) for j in range(13) if j not in before]
        assert residual([*before, int(path.columns[k])]) == pytest.approx(min(rivals))


def test_stepwise_leaves_collinear_columns_out() -> None:
    generator = np.random.default_rng(1)
    x = generator.standard_normal((50, 2))
    design = np.concatenate([np.ones((50, 1)), x, x[:, :1] * 2.0], axis=1)
    path = stepwise(Gram(design.T @ design), design.T @ (x @ [1.0, 2.0]), [4])
    assert path.counts.tolist() == [3]


def test_a_training_gram_is_the_total_less_the_folds(
    problem: tuple[np.ndarray, np.ndarray],
) -> None:
    design, _ = problem
    held = design[:40]
    gram = Gram(design.T @ design, [held.T @ held])
    expected = design[40:].T @ design[40:]
    np.testing.assert_allclose(gram.full(), expected, atol=1e-9)
    np.testing.assert_allclose(gram.row(3), expected[3], atol=1e-9)
    np.testing.assert_allclose(gram.diagonal, np.diag(expected), atol=1e-9)


def test_lasso_agrees_with_scikit_learn(problem: tuple[np.ndarray, np.ndarray]) -> None:
    design, target = problem
    path = lasso(Gram(design.T @ design), design.T @ target, [])
    inner = design[:, 1:] - design[:, 1:].mean(axis=0)
    scale = np.sqrt((inner**2).sum(axis=0))
    largest = np.abs((inner / scale).T @ (target - target.mean())).max()
    for k in (8, 24, 39):
        alpha = largest * LEAST_ALPHA ** (k / (ALPHAS - 1))
        fit = Lasso(alpha=alpha / len(target), tol=1e-10, max_iter=100_000).fit(
            inner / scale, target
        )
        ours = np.zeros(13)
        ours[path.columns] = path.coefficients[:, k]
        np.testing.assert_allclose(ours[1:] * scale, fit.coef_, atol=0.02 * np.abs(fit.coef_).max())


def test_non_negative_agrees_with_scipy(problem: tuple[np.ndarray, np.ndarray]) -> None:
    design, target = problem
    path = nonnegative(Gram(design.T @ design), design.T @ target, [13])
    ours = np.zeros(13)
    ours[path.columns] = path.coefficients[:, 0]
    expected, _ = nnls(design, target)
    np.testing.assert_allclose(ours, expected, atol=1e-4)
    assert (ours >= 0.0).all()


def _forward(design: np.ndarray, target: np.ndarray, most: int) -> list[int]:
    """Columns in the order of plain forward selection by least squares."""
    chosen = [0]
    while len(chosen) < most:
        rest = [j for j in range(design.shape[1]) if j not in chosen]
        fits = [sm.OLS(target, design[:, [*chosen, j]]).fit() for j in rest]
        chosen.append(rest[int(np.argmin([fit.ssr for fit in fits]))])
    return chosen


@pytest.mark.parametrize("rows", [20, 200])
@pytest.mark.parametrize("name", ["aicc", "bic"])
def test_criteria_stop_where_statsmodels_says(
    problem: tuple[np.ndarray, np.ndarray], name: str, rows: int
) -> None:
    design, target = problem[0][:rows], problem[1][:rows]
    order = _forward(design, target, 13)
    criteria = []
    for k in range(1, 14):
        fit = sm.OLS(target, design[:, order[:k]]).fit()
        corrected = fit.aic + 2.0 * k * (k + 1) / (rows - k - 1)
        criteria.append(fit.bic if name == "bic" else corrected)
    best = int(np.argmin(criteria)) + 1
    gram = Gram(design.T @ design, rows=rows, squares=float(target @ target))
    path = ESTIMATORS[name](gram, design.T @ target, [1, 2, 4, 13])
    assert 1 < best < 13
    assert path.counts.tolist() == [best]
    used = np.flatnonzero(path.coefficients[:, 0])
    assert path.columns[used].tolist() == order[:best]
    expected = sm.OLS(target, design[:, order[:best]]).fit().params
    np.testing.assert_allclose(path.coefficients[used, 0], expected, rtol=1e-4)


@pytest.mark.parametrize("name", ["aicc", "bic"])
def test_criteria_of_relative_errors_are_those_of_weighted_least_squares(
    problem: tuple[np.ndarray, np.ndarray], name: str
) -> None:
    design = problem[0]
    target = np.exp(0.3 * problem[1])
    weighted = design / target[:, None]
    gram = Gram(weighted.T @ weighted, rows=200, squares=200.0)
    path = ESTIMATORS[name](gram, weighted.T @ np.ones(200), [13])
    # The order of entry is that of the weighted rows; WLS on the rows themselves agrees.
    fits = [
        sm.WLS(target, design[:, path.columns[:k]], weights=target**-2.0).fit()
        for k in range(1, len(path.columns) + 1)
    ]
    corrected = [f.aic + 2.0 * k * (k + 1) / (199 - k) for k, f in enumerate(fits, 1)]
    criteria = [f.bic for f in fits] if name == "bic" else corrected
    assert path.counts.tolist() == [int(np.argmin(criteria)) + 1]


def test_a_criterion_needs_the_number_of_rows() -> None:
    with pytest.raises(ValueError, match="rows"):
        ESTIMATORS["bic"](Gram(np.eye(3)), np.ones(3), [1, 2])


@pytest.mark.parametrize("name", sorted(ESTIMATORS))
def test_every_estimator_bears_a_target_without_signal(name: str) -> None:
    design = np.concatenate([np.ones((30, 1)), np.eye(30)[:, :3]], axis=1)
    gram = Gram(design.T @ design, rows=30, squares=30.0)
    path = ESTIMATORS[name](gram, design.T @ np.ones(30), [1, 2, 4])
    fitted = design[:, path.columns] @ path.coefficients
    np.testing.assert_allclose(fitted[10:], 1.0, atol=1e-5)
