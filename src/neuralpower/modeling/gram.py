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
#: What is left of a column's squares when folds are taken off a total: less than this share of
#: the total is rounding, and the column is only in the folds left out.
CANCELLED = 1e-10
#: Relative ridge that keeps factorisations of nearly collinear designs stable.
RIDGE = 1e-7
#: Penalties of a lasso path, from the largest down to this share of it (scikit-learn's range;
#: each costs a call whose overhead outweighs its arithmetic, hence fewer than its 100).
ALPHAS = 40
LEAST_ALPHA = 1e-3


@dataclass(frozen=True)
class Path:
    """Solutions of growing size: ``columns`` (k,) of the design in the order of entry and
    ``coefficients`` (k, sizes) on them; ``counts`` (sizes,) is the number of terms of each."""

    columns: np.ndarray
    coefficients: Array
    counts: np.ndarray


class Gram:
    """The Gram matrix of a training set: a total (p, p) less those of the folds left out.

    Rows are made when asked for; most estimators need few of them. ``rows`` is the number of
    measurements and ``squares`` the sum of their squared targets, for those that need them.
    ``diagonal`` is 0 for columns of which the training set has nothing but rounding errors.
    """

    def __init__(
        self,
        total: Array,
        without: Sequence[Array] = (),
        *,
        rows: int = 0,
        squares: float = 0.0,
    ) -> None:
        self._total = total
        self._without = without
        self.rows = rows
        self.squares = squares
        self.diagonal: Array = np.diag(total).copy()
        for part in without:
            self.diagonal -= np.diag(part)
        self.diagonal[self.diagonal <= CANCELLED * np.diag(total)] = 0.0

    def row(self, j: int) -> Array:
        """Row ``j``, (p,), a fresh array."""
        row: Array = self._total[j].copy()
        for part in self._without:
            row -= part[j]
        return row

    def full(self) -> Array:
        """The whole matrix (p, p), a fresh array, 0 where the diagonal is."""
        full = self._total.copy()
        for part in self._without:
            full -= part
        gone = self.diagonal == 0.0
        full[gone] = 0.0
        full[:, gone] = 0.0
        return full


Estimator = Callable[[Gram, Array, Sequence[int]], Path]


def stepwise(gram: Gram, b: Array, sizes: Sequence[int], ridge: float = RIDGE) -> Path:
    """Forward selection by orthogonal least squares (a pivoted Cholesky factorisation).

    Each step takes the column that lowers the residual sum of squares most, given those already
    in, and costs O(k p): Chen, Billings and Luo (1989), on the Gram matrix. ``sizes`` count the
    intercept and are clipped to what the data can bear.
    """
    p = len(b)
    most = min(max(sizes), p)
    diagonal = gram.diagonal
    floor = max(COLLINEAR, 3.0 * ridge) * diagonal
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
        # No rows are left in some nested folds: the solution is unknown, and never chosen.
        root = np.sqrt(left[j]) if left[j] > 0 else np.nan
        row = gram.row(j) - rows[:k, j] @ rows[:k]
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


def _lasso_path(G: Array, b: Array, ridge: float) -> tuple[Array, Array, np.ndarray]:
    """Lasso solutions of the standardised problem, intercept projected out, by scikit-learn.

    Returns coefficients (p - 1, alphas) in the units of ``G``, the intercept's (alphas,) and the
    number of terms (alphas,), at ``ALPHAS`` penalties down to ``LEAST_ALPHA`` of the first.
    A factor of the Gram matrix replaces the design: p rows instead of n, the same solutions.
    (Least angle regression would be faster, but stops early on nearly collinear terms.)
    """
    import warnings

    from sklearn import config_context
    from sklearn.linear_model import lasso_path

    g = G[0, 1:]
    inner = G[1:, 1:] - np.outer(g, g) / G[0, 0]
    target = b[1:] - g * b[0] / G[0, 0]
    scale = np.sqrt(np.maximum(np.diag(inner), 0.0))
    alive = scale > np.sqrt(COLLINEAR) * np.sqrt(np.diag(G)[1:])
    coefficients = np.zeros((len(g), ALPHAS))
    if alive.any() and np.abs(target[alive]).max() > 0.0:
        inner = inner[np.ix_(alive, alive)] / np.outer(scale[alive], scale[alive])
        target = target[alive] / scale[alive]
        inner[np.diag_indices_from(inner)] += ridge + COLLINEAR
        values, vectors = np.linalg.eigh(inner)
        roots = np.sqrt(np.maximum(values, COLLINEAR))
        design = np.asfortranarray((vectors * roots).T)
        response = (vectors.T @ target) / roots
        checked = config_context(assume_finite=True, skip_parameter_validation=True)
        with checked, warnings.catch_warnings():
            # Nearly collinear terms converge slowly; the tolerance is scikit-learn's own.
            warnings.simplefilter("ignore")
            _, path, _ = lasso_path(
                design,
                response,
                precompute=inner,
                Xy=target,
                eps=LEAST_ALPHA,
                n_alphas=ALPHAS,
                max_iter=1000,
            )
        coefficients[alive] = path / scale[alive, None]
    intercepts: Array = (b[0] - g @ coefficients) / G[0, 0]
    return coefficients, intercepts, (coefficients != 0.0).sum(axis=0) + 1


def _penalised(gram: Gram, b: Array, ridge: float) -> Path:
    coefficients, intercepts, counts = _lasso_path(gram.full(), b, ridge)
    used = np.flatnonzero((coefficients != 0.0).any(axis=1))
    columns = np.concatenate([[0], used + 1])
    return Path(columns, np.concatenate([intercepts[None, :], coefficients[used]]), counts)


def lasso(gram: Gram, b: Array, sizes: Sequence[int]) -> Path:
    """Lasso (Tibshirani, 1996) at ``ALPHAS`` penalties; ``sizes`` plays no part."""
    return _penalised(gram, b, 0.0)


def elastic_net(gram: Gram, b: Array, sizes: Sequence[int]) -> Path:
    """Elastic net (Zou and Hastie, 2005) with a ridge share of 1 % of a term's own variance."""
    return _penalised(gram, b, 0.01)


def relaxed_lasso(gram: Gram, b: Array, sizes: Sequence[int]) -> Path:
    """Lasso's choice of at most each size's terms, refitted without the penalty.

    Meinshausen, "Relaxed lasso" (2007), with phi = 0.
    """
    G = gram.full()
    coefficients, _, active = _lasso_path(G, b, 0.0)
    picks = [int(np.flatnonzero(active <= max(size, 1))[-1]) for size in sizes]
    used = np.flatnonzero((coefficients[:, picks] != 0.0).any(axis=1)) + 1
    columns = np.concatenate([[0], used])
    result = np.zeros((len(columns), len(sizes)))
    for s, pick in enumerate(picks):
        inside = np.concatenate([[0], np.flatnonzero(coefficients[:, pick]) + 1])
        block = G[np.ix_(inside, inside)].copy()
        block[np.diag_indices_from(block)] *= 1.0 + RIDGE
        result[np.isin(columns, inside), s] = _solved(block, b[inside])
    return Path(columns, result, active[picks])


def _solved(matrix: Array, b: Array) -> Array:
    """The solution of a symmetric system, the shortest one where it is singular."""
    try:
        return np.asarray(np.linalg.solve(matrix, b))
    except np.linalg.LinAlgError:
        return np.asarray(np.linalg.lstsq(matrix, b, rcond=COLLINEAR)[0])


def nonnegative(gram: Gram, b: Array, sizes: Sequence[int]) -> Path:
    """Forward selection with every coefficient at or above zero (NNLS on the chosen columns)."""
    from scipy.optimize import nnls

    p = len(b)
    scale = np.sqrt(np.where(gram.diagonal > 0.0, gram.diagonal, 1.0))
    # An equivalent design of p rows. A difference of Grams need not be positive definite, so its
    # root is that of the nearest matrix that is: no eigenvalue below the ridge.
    values, vectors = np.linalg.eigh(gram.full() / np.outer(scale, scale))
    roots = np.sqrt(np.maximum(values, 0.0) + RIDGE)
    factor = (vectors * roots).T
    target = (vectors.T @ (b / scale)) / roots
    dead = gram.diagonal == 0.0
    chosen: list[int] = [0]
    solutions: list[Array] = []
    current = np.zeros(p)
    while True:
        try:
            weights, _ = nnls(factor[:, chosen], target)
        except RuntimeError:  # it did not settle: the sizes before this one stand
            chosen.pop()
            break
        current = np.zeros(p)
        current[chosen] = weights
        solutions.append(current)
        if len(chosen) == min(p, max(sizes)):
            break
        gradient = factor.T @ (target - factor @ current)
        gradient[chosen] = -1.0
        gradient[dead] = -1.0
        if gradient.max() <= 1e-10 * float(np.abs(target).max()):
            break
        chosen.append(int(np.argmax(gradient)))
    picks = [min(size, len(solutions)) - 1 for size in sizes]
    columns = np.array(chosen)
    coefficients = np.stack([solutions[i][columns] / scale[columns] for i in picks], axis=1)
    return Path(columns, coefficients, (coefficients != 0.0).sum(axis=0))


def _least_criterion(criterion: str) -> Estimator:
    """Forward selection that ends where an information criterion is least: one solution."""

    def estimate(gram: Gram, b: Array, sizes: Sequence[int]) -> Path:
        from statsmodels.tools import eval_measures

        n = gram.rows
        if n == 0:
            raise ValueError("an information criterion needs the rows and squares of its Gram")
        # The small-sample correction of AICc is defined up to n - 2 coefficients only.
        path = stepwise(gram, b, range(1, max(1, min(max(sizes), n - 3)) + 1))
        G = gram.full()[np.ix_(path.columns, path.columns)]
        fitted = path.coefficients
        explained = 2.0 * b[path.columns] @ fitted - np.einsum("ks,kl,ls->s", fitted, G, fitted)
        # Sums that cancel leave this much of a residual that is zero.
        residual = np.maximum(gram.squares - explained, 1e-14 * gram.squares + 1e-300)
        likelihood = -0.5 * n * (np.log(2.0 * np.pi * residual / n) + 1.0)
        measure = getattr(eval_measures, criterion)
        values = [measure(x, n, k) for x, k in zip(likelihood, path.counts, strict=True)]
        best = int(np.argmin(values))
        return Path(path.columns, fitted[:, [best]], path.counts[[best]])

    return estimate


#: Hurvich and Tsai (1989), Schwarz (1978), as statsmodels computes them, for normal errors of the
#: weighted rows; the error variance is not counted among the coefficients.
aicc = _least_criterion("aicc")
bic = _least_criterion("bic")

ESTIMATORS: dict[str, Estimator] = {
    "stepwise": stepwise,
    "aicc": aicc,
    "bic": bic,
    "lasso": lasso,
    "relaxed lasso": relaxed_lasso,
    "elastic net": elastic_net,
    "non-negative": nonnegative,
}
