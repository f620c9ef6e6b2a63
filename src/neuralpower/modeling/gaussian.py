"""A Gaussian process in logarithms as a candidate: what the measured layers say by themselves.

The logarithm of the target is a plane over the coordinates (the terms of the candidate's library)
plus a smooth rest that is alike for layers that are near (``modeling.neighbours``). The lengths,
the size of the rest and of the noise are those of largest likelihood, with a weak prior on the
lengths (Rasmussen and Williams, 2006, section 5.4), found anew for every outer training set. The
inner folds then come from one inverse: what is left of a block of rows when it is predicted from
all others (Dubrule, "Cross validation of kriging in a unique neighborhood", 1983).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from neuralpower.modeling.crossvalidation import Candidate, Design, Problem, Trial
from neuralpower.modeling.features import Array
from neuralpower.modeling.gram import Path
from neuralpower.modeling.members import LOG_LIMIT
from neuralpower.modeling.neighbours import MOST_LAYERS, Neighbours, likeness

#: Fewer rows say nothing about lengths; more make model files large and fits slow.
FEWEST_ROWS, MOST_ROWS = 60, MOST_LAYERS
#: Rows that the likelihood looks at, and steps of the search: each costs the cube of the rows.
LOOKED_AT, STEPS, STEPS_ON = 300, 40, 15
#: Prior of the logarithms of the lengths, in standard deviations of a coordinate.
LENGTH, LENGTH_SPREAD = float(np.log(3.0)), 1.5
#: Bounds of the logarithms: variance of the rest, of the noise (1 % of the target), lengths.
BOUNDS = ((-8.0, 4.0), (-9.0, 1.0), (-2.0, 5.0))
#: What is found is rounded to this, so that processors that differ in a last digit agree.
ROUNDED = 0.1
#: Variance of the plane's slopes, over that of the target: hardly a prior at all.
SLOPES = 100.0


@dataclass(frozen=True)
class Solved:
    """A process on n rows: slopes of the plane (p,), weights of the rows (n,), and the inverse
    (n, n) without the plane, which says what is left of a block predicted from all others."""

    slopes: Array
    weights: Array
    inverse: Array


class Process:
    """A Gaussian process in logarithms over layers: (n, 1 + d) coordinates, the first of them 1.

    ``logs``: (n,), logarithms of what was measured. Coordinates are centred and scaled inside.
    """

    def __init__(self, matrix: Array, logs: Array) -> None:
        self._middle, self._spread = matrix.mean(axis=0), matrix.std(axis=0)
        self._middle[0], self._spread[self._spread == 0.0] = 0.0, 1.0
        self._matrix = self._scaled(matrix)
        self._logs = logs
        self._start: Array | None = None

    def _scaled(self, matrix: Array) -> Array:
        return np.asarray((matrix - self._middle) / self._spread)

    def search(self, rows: np.ndarray) -> Array:
        """Logarithms of the variances of rest and noise and of the lengths, (2 + d,)."""
        from scipy.optimize import minimize

        some = rows
        if len(rows) > LOOKED_AT:
            some = np.sort(np.random.default_rng(0).permutation(rows)[:LOOKED_AT])
        matrix, logs = self._matrix[some], self._logs[some]
        rest = logs - matrix @ np.linalg.lstsq(matrix, logs, rcond=1e-6)[0]
        count = matrix.shape[1] - 1
        start, steps = self._start, STEPS_ON
        if start is None:
            size = np.log(max(float(rest.var()), np.exp(BOUNDS[0][0])))
            start, steps = np.array([size, size + np.log(0.1), *[LENGTH] * count]), STEPS
        bounds = [BOUNDS[0], BOUNDS[1], *[BOUNDS[2]] * count]
        start = np.clip(start, [low for low, _ in bounds], [high for _, high in bounds])
        found = minimize(
            _unlikelihood,
            start,
            (matrix[:, 1:], rest),
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options={"maxiter": steps},
        ).x
        found = np.round(found / ROUNDED) * ROUNDED
        if self._start is None:
            self._start = found
        return np.asarray(found)

    def solve(self, rows: np.ndarray, found: Array) -> Solved:
        """The process on some rows with what ``search`` found."""
        matrix, logs = self._matrix[rows], self._logs[rows]
        places = matrix[:, 1:] / np.exp(found[2:])
        gram = np.exp(found[0]) * likeness(places, places)
        gram[np.diag_indices_from(gram)] += np.exp(found[1])
        inverse = _inverse(gram)
        weighted = inverse @ matrix
        prior = np.full(matrix.shape[1], 1.0 / (SLOPES * max(float(logs.var()), 1e-12)))
        prior[0] = 0.0  # the level is whatever it is
        system = matrix.T @ weighted + np.diag(prior)
        slopes = np.linalg.solve(system, weighted.T @ logs)
        inverse -= weighted @ np.linalg.solve(system, weighted.T)
        return Solved(slopes, inverse @ logs, inverse)

    def logs(self, found: Array, solved: Solved, kept: np.ndarray, rows: np.ndarray) -> Array:
        """Logarithms predicted of some rows by the process on those ``kept``."""
        places = self._matrix[:, 1:] / np.exp(found[2:])
        alike = np.exp(found[0]) * likeness(places[rows], places[kept])
        return np.asarray(self._matrix[rows] @ solved.slopes + alike @ solved.weights)

    def stored(self, found: Array, solved: Solved) -> tuple[Array, Array, Array]:
        """Slopes (1 + d,) and lengths (d,) of the coordinates as given, and the rows' weights."""
        slopes = solved.slopes / self._spread
        slopes[0] -= float(slopes[1:] @ self._middle[1:])
        lengths = np.exp(found[2:]) * self._spread[1:]
        return slopes, lengths, np.exp(found[0]) * solved.weights


class GaussianTryout:
    """The candidate on a problem, with the methods of ``crossvalidation.Tryout``."""

    def __init__(self, problem: Problem, candidate: Candidate, design: Design) -> None:
        self._problem = problem
        self._candidate = candidate
        self._design = design
        self._logs = np.log(problem.layers.measured)
        self._process = Process(design.rows(np.arange(len(problem.layers))), self._logs)

    def trial(self, *, nested: bool) -> Trial:
        """The candidate cross-validated; ``nested``: with inner folds."""
        n = len(self._logs)
        outer, inner = self._predictions(nested)
        every = np.arange(n)
        found = self._process.search(every)
        slopes, lengths, weights = self._process.stored(found, self._process.solve(every, found))
        terms = self._design.terms
        factors = tuple(term[0] for term in terms[1:])
        table = self._problem.table
        places = np.stack([table[factor.feature] for factor in factors], axis=1)
        neighbours = Neighbours(
            factors,
            tuple(lengths.tolist()),
            tuple(tuple(row) for row in places.tolist()),
            tuple(weights.tolist()),
        )
        columns = np.arange(len(terms))
        path = Path(columns, slopes[:, None], np.array([len(terms)]))
        return Trial(self._candidate, terms, path, outer, inner, None, columns, neighbours)

    def again(self, first: Trial) -> Trial:
        """Another deal of the same rows, without inner folds: ``first`` has the rest."""
        outer, _ = self._predictions(nested=False)
        return replace(first, outer=outer, inner=[])

    def _predictions(self, nested: bool) -> tuple[Array, list[np.ndarray]]:
        problem, process = self._problem, self._process
        n = len(self._logs)
        outer = np.empty((n, 1))
        inner = []
        for fold, rows in enumerate(problem.rows):
            kept = np.flatnonzero(problem.folds != fold)
            found = process.search(kept)
            solved = process.solve(kept, found)
            logs = process.logs(found, solved, kept, rows)
            outer[rows, 0] = self._bounded(fold, (fold,), logs)
            if not nested:
                continue
            values = np.full((n, 1), np.nan, dtype=np.float32)
            for other, others in enumerate(problem.rows):
                if other == fold:
                    continue
                block = np.searchsorted(kept, others)
                left = np.linalg.solve(solved.inverse[np.ix_(block, block)], solved.weights[block])
                without = (min(fold, other), max(fold, other))
                values[others, 0] = self._bounded(other, without, self._logs[others] - left)
            inner.append(values)
        return outer, inner

    def _bounded(self, fold: int, without: tuple[int, ...], logs: Array) -> Array:
        values = np.exp(np.clip(logs, -LOG_LIMIT, LOG_LIMIT))
        return np.asarray(np.clip(values, *self._problem.bounds(fold, without)))


def _inverse(gram: Array) -> Array:
    from scipy.linalg import cho_factor, cho_solve

    return np.asarray(cho_solve(cho_factor(gram, lower=True), np.eye(len(gram))))


def _unlikelihood(found: Array, places: Array, rest: Array) -> tuple[float, Array]:
    """Negative logarithm of likelihood and prior, and its gradient (2 + d,)."""
    from scipy.linalg import cho_solve

    size, noise, lengths = np.exp(found[0]), np.exp(found[1]), np.exp(found[2:])
    scaled = places / lengths
    squares = (scaled**2).sum(axis=1)
    d = np.sqrt(3.0 * np.maximum(squares[:, None] + squares - 2.0 * scaled @ scaled.T, 0.0))
    fading = np.exp(-d)
    alike = (1.0 + d) * fading
    gram = size * alike
    gram[np.diag_indices_from(gram)] += noise
    factor = np.linalg.cholesky(gram)
    inverse = cho_solve((factor, True), np.eye(len(rest)))
    weights = inverse @ rest
    off = (found[2:] - LENGTH) / LENGTH_SPREAD
    value = 0.5 * float(rest @ weights) + float(np.log(np.diag(factor)).sum())
    slope = inverse - np.outer(weights, weights)
    gradient = np.empty_like(found)
    gradient[0] = 0.5 * size * float((slope * alike).sum())
    gradient[1] = 0.5 * noise * float(np.trace(slope))
    # d k / d ln length_j = 3 exp(-d) times the squared difference of coordinate j, in lengths.
    bend = 3.0 * size * slope * fading
    sums = bend.sum(axis=1)
    gradient[2:] = sums @ scaled**2 - np.einsum("ij,ij->j", scaled, bend @ scaled)
    gradient[2:] += off / LENGTH_SPREAD
    return value + 0.5 * float(off @ off), gradient
