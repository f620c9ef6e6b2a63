"""Regression paths from Gram matrices.

Every estimator here sees the data only through ``G = A'A`` and ``b = A'r`` of the weighted design
``A`` and target ``r``, so a training set is a sum of fold Grams and costs nothing to change.
Column 0 is the intercept: never penalised, always in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from neuralpower.modeling.features import Array

#: A column whose variance is this far explained by the chosen ones is not chosen any more.
COLLINEAR = 1e-9
#: Relative ridge that keeps factorisations of nearly collinear designs stable.
RIDGE = 1e-7


@dataclass(frozen=True)
class Path:
    """Solutions of growing size: ``columns`` (k,) of the design in the order of entry and
    ``coefficients`` (k, sizes) on them; ``counts`` (sizes,) is the number of terms of each."""

    columns: np.ndarray
    coefficients: Array
    counts: np.ndarray


Estimator = Callable[[Array, Array, Sequence[int]], Path]


def stepwise(G: Array, b: Array, sizes: Sequence[int], ridge: float = RIDGE) -> Path:
    """Forward selection by orthogonal least squares (a pivoted Cholesky factorisation).

    Each step takes the column that lowers the residual sum of squares most, given those already
    in, and costs O(k p): Chen, Billings and Luo (1989), on the Gram matrix. ``sizes`` count the
    intercept and are clipped to what the data can bear.
    """
    p = len(b)
    most = min(max(sizes), p)
    diagonal = np.diag(G).copy()
    floor = COLLINEAR * diagonal
    left = diagonal * (1.0 + ridge)
    gradient = b.copy()
    rows = np.zeros((most, p))
    order: list[int] = []
    z: list[float] = []
    open_ = diagonal > 0
    for k in range(most):
        if k == 0:
            j = 0
        else:
            usable = open_ & (left > floor)
            gain = np.where(usable, gradient * gradient / np.where(usable, left, 1.0), -1.0)
            j = int(np.argmax(gain))
            if gain[j] <= 0.0:
                break
        root = np.sqrt(left[j])
        row = G[j] - rows[:k, j] @ rows[:k]
        row[j] += ridge * diagonal[j]
        row /= root
        rows[k] = row
        z.append(gradient[j] / root)
        gradient -= row * z[-1]
        left -= row * row
        open_[j] = False
        order.append(j)
    columns = np.array(order)
    upper = rows[: len(order)][:, columns]
    counts = np.minimum(np.array(sizes), len(order))
    return Path(columns, _triangular(upper, np.array(z), counts), counts)


def _triangular(upper: Array, z: Array, counts: np.ndarray) -> Array:
    """Solutions of the leading blocks of an upper triangular system, one column a count."""
    inverse = np.zeros_like(upper)
    n = len(z)
    # Column k of the inverse of a triangular matrix needs only the earlier ones.
    for k in range(n):
        inverse[:k, k] = -(inverse[:k, :k] @ upper[:k, k]) / upper[k, k]
        inverse[k, k] = 1.0 / upper[k, k]
    masked = np.where(np.arange(n)[:, None] < counts[None, :], z[:, None], 0.0)
    solution: Array = inverse @ masked
    return solution


def _lars(G: Array, b: Array, ridge: float, most: int) -> tuple[Array, Array]:
    """The lasso path of the standardised problem with the intercept projected out.

    Returns coefficients (p - 1, knots) in the units of ``G`` and the intercept's (knots,).
    """
    import warnings

    from sklearn.linear_model import lars_path_gram

    g = G[0, 1:]
    inner = G[1:, 1:] - np.outer(g, g) / G[0, 0]
    target = b[1:] - g * b[0] / G[0, 0]
    scale = np.sqrt(np.maximum(np.diag(inner), 0.0))
    dead = scale <= np.sqrt(COLLINEAR) * np.sqrt(np.diag(G)[1:])
    scale[dead] = 1.0
    inner = inner / np.outer(scale, scale)
    inner[dead, :] = 0.0
    inner[:, dead] = 0.0
    target = np.where(dead, 0.0, target / scale)
    inner[np.diag_indices_from(inner)] += ridge
    with warnings.catch_warnings():
        # Collinear terms leave and enter; the path up to there is what is wanted.
        warnings.simplefilter("ignore")
        _, _, path = lars_path_gram(
            Xy=target, Gram=inner, n_samples=1, method="lasso", max_iter=most, alpha_min=0.0
        )
    coefficients: Array = path / scale[:, None]
    intercepts: Array = (b[0] - g @ coefficients) / G[0, 0]
    return coefficients, intercepts


def _at_sizes(
    G: Array, b: Array, sizes: Sequence[int], coefficients: Array, intercepts: Array, relax: bool
) -> Path:
    active = (coefficients != 0.0).sum(axis=0) + 1
    knots = [int(np.flatnonzero(active <= size)[-1]) for size in sizes]
    used = np.flatnonzero((coefficients[:, knots] != 0.0).any(axis=1)) + 1
    columns = np.concatenate([[0], used])
    result = np.zeros((len(columns), len(sizes)))
    for s, knot in enumerate(knots):
        if relax:
            chosen = np.flatnonzero(coefficients[:, knot]) + 1
            inside = np.concatenate([[0], chosen])
            block = G[np.ix_(inside, inside)].copy()
            block[np.diag_indices_from(block)] *= 1.0 + RIDGE
            result[np.isin(columns, inside), s] = np.linalg.solve(block, b[inside])
        else:
            result[0, s] = intercepts[knot]
            result[1:, s] = coefficients[used - 1, knot]
    return Path(columns, result, active[knots])


def lasso(G: Array, b: Array, sizes: Sequence[int]) -> Path:
    """Lasso (Tibshirani, 1996) at the last knot of its path with at most each size's terms."""
    coefficients, intercepts = _lars(G, b, 0.0, 2 * max(sizes))
    return _at_sizes(G, b, sizes, coefficients, intercepts, relax=False)


def relaxed_lasso(G: Array, b: Array, sizes: Sequence[int]) -> Path:
    """Lasso's choice of terms, refitted without the penalty (Meinshausen, 2007, phi = 0)."""
    coefficients, intercepts = _lars(G, b, 0.0, 2 * max(sizes))
    return _at_sizes(G, b, sizes, coefficients, intercepts, relax=True)


def elastic_net(G: Array, b: Array, sizes: Sequence[int]) -> Path:
    """Elastic net (Zou and Hastie, 2005) with a ridge share of 1 % of a term's own variance."""
    coefficients, intercepts = _lars(G, b, 0.01, 2 * max(sizes))
    return _at_sizes(G, b, sizes, coefficients, intercepts, relax=False)


def nonnegative(G: Array, b: Array, sizes: Sequence[int]) -> Path:
    """Forward selection with every coefficient at or above zero (NNLS on the chosen columns)."""
    from scipy.optimize import nnls

    p = len(b)
    diagonal = np.diag(G)
    scale = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    # An equivalent design of p rows: the Cholesky factor of the scaled Gram matrix.
    scaled = G / np.outer(scale, scale)
    scaled[np.diag_indices_from(scaled)] += RIDGE
    factor = np.linalg.cholesky(scaled).T
    target = np.linalg.solve(factor.T, b / scale)
    chosen: list[int] = [0]
    solutions: list[Array] = []
    current = np.zeros(p)
    while True:
        weights, _ = nnls(factor[:, chosen], target)
        current = np.zeros(p)
        current[chosen] = weights
        solutions.append(current)
        if len(chosen) == min(p, max(sizes)):
            break
        gradient = factor.T @ (target - factor @ current)
        gradient[chosen] = -1.0
        if gradient.max() <= 1e-10 * float(np.abs(target).max()):
            break
        chosen.append(int(np.argmax(gradient)))
    picks = [min(size, len(solutions)) - 1 for size in sizes]
    columns = np.array(chosen)
    coefficients = np.stack([solutions[i][columns] / scale[columns] for i in picks], axis=1)
    return Path(columns, coefficients, (coefficients != 0.0).sum(axis=0))


ESTIMATORS: dict[str, Estimator] = {
    "stepwise": stepwise,
    "lasso": lasso,
    "relaxed lasso": relaxed_lasso,
    "elastic net": elastic_net,
    "non-negative": nonnegative,
}
