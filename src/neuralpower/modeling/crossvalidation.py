"""Nested cross-validation of one candidate, from fold Gram matrices.

For outer fold ``o`` and inner fold ``i`` the training Gram is the total minus two folds, and the
solution serves (o, i) and (i, o) alike: 10 outer folds with 9 inner ones cost 45 + 10 + 1 paths
and two passes over the rows, whatever the number of rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from neuralpower.modeling.data import Layers
from neuralpower.modeling.features import Array, FeatureTable
from neuralpower.modeling.forms import FORMS, Bend
from neuralpower.modeling.gram import ESTIMATORS, Gram, Path, nonnegative
from neuralpower.modeling.libraries import LIBRARIES, physical
from neuralpower.modeling.models import LOG_LIMIT, Anchor, Equation
from neuralpower.modeling.terms import INTERCEPT, Term, TermTable

#: Numbers of terms (intercept included) that are tried along a path.
SIZES = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 65, 80, 100, 125, 150)
FOLDS = 10
#: Terms with larger values than this are left out: their squares must have a finite sum.
MOST = 1e100
#: A prediction may leave the measured range of ratios to the anchor by at most this factor.
GUARD = {"runtime_ms": 1.5, "power_w": 1.25, "energy_mj": 1.5, "ratio": 1.5}
#: Power, whose anchor is a constant, may leave its measured range by at most this share of the
#: range's logarithm too: where it hardly varies, a model may hardly leave its range.
POWER_GUARD_SHARE = 0.5


@dataclass(frozen=True, order=True)
class Candidate:
    """A term library, an objective (relative, absolute, log), an estimator, perhaps a form."""

    term_library: str
    objective: str
    estimator: str
    form: str = ""

    def __str__(self) -> str:
        text = f"{self.term_library}, {self.objective}, {self.estimator}"
        return f"{text}, {self.form}" if self.form else text

    @classmethod
    def from_text(cls, text: str) -> Candidate:
        """The candidate of ``str``; ``ValueError`` if it is none."""
        library, objective, estimator, *form = text.split(", ", 3)
        if library not in LIBRARIES or estimator not in ESTIMATORS or set(form) - set(FORMS):
            raise ValueError(f"{text!r} is no candidate")
        return cls(library, objective, estimator, *form)

    @property
    def link(self) -> str:
        """How the sum of terms becomes the target: ``linear`` or ``log``."""
        return "log" if self.objective == "log" else "linear"


def assign_folds(groups: Sequence[str], folds: int = FOLDS, seed: int = 0) -> np.ndarray:
    """A fold for every row, (n,) of 0..folds-1: groups whole, sizes even, independent of order."""
    sizes: dict[str, int] = {}
    for group in groups:
        sizes[group] = sizes.get(group, 0) + 1
    order = sorted(sizes, key=lambda g: hashlib.sha256(f"{seed} {g}".encode()).digest())
    count = min(folds, len(order))
    filled = np.zeros(count, dtype=np.int64)
    fold_of: dict[str, int] = {}
    for group in order:
        fold_of[group] = int(np.argmin(filled))
        filled[fold_of[group]] += sizes[group]
    return np.array([fold_of[group] for group in groups])


class Problem:
    """The rows of one family and target, split into folds, with an anchor for every exclusion.

    ``rows[f]``: indices of fold f; ``measured[f]``: their targets.
    """

    def __init__(self, layers: Layers, folds: np.ndarray) -> None:
        self.layers = layers
        self.folds = folds
        self.count = int(folds.max()) + 1
        self.table = layers.table()
        self.rows = [np.flatnonzero(folds == f) for f in range(self.count)]
        self.measured = [layers.measured[rows] for rows in self.rows]
        self._columns = [
            {name: values[rows] for name, values in layers.columns.items()} for rows in self.rows
        ]
        if layers.target in ("power_w", "ratio"):
            self.anchor_terms: list[Term] = [INTERCEPT]
        else:
            self.anchor_terms = physical(self.table, layers.family, layers.target)
        self._anchor_parts = [
            TermTable(self.features(f)).matrix(self.anchor_terms) for f in range(self.count)
        ]
        weighted = [a / y[:, None] for a, y in zip(self._anchor_parts, self.measured, strict=True)]
        self._anchor_grams = [a.T @ a for a in weighted]
        self._anchor_moments = [a.sum(axis=0) for a in weighted]
        self._anchors: dict[tuple[int, ...], tuple[Array, float, float]] = {}

    def features(self, fold: int) -> FeatureTable:
        """A fresh feature table of a fold's rows."""
        return FeatureTable(self._columns[fold], len(self.rows[fold]))

    def largest(self) -> int:
        """The most terms that an inner training set can bear."""
        return max(2, int(len(self.layers) * (self.count - 2) / self.count) // 4)

    def _anchor(self, without: tuple[int, ...]) -> tuple[Array, float, float]:
        if without not in self._anchors:
            kept = [f for f in range(self.count) if f not in without]
            gram = np.sum([self._anchor_grams[f] for f in kept], axis=0)
            moment = np.sum([self._anchor_moments[f] for f in kept], axis=0)
            path = nonnegative(Gram(gram), moment, [len(self.anchor_terms)])
            weights = np.zeros(len(self.anchor_terms))
            weights[path.columns] = path.coefficients[:, 0]
            ratios = [self.measured[f] / (self._anchor_parts[f] @ weights) for f in kept]
            low = min(float(r.min()) for r in ratios)
            high = max(float(r.max()) for r in ratios)
            wider = GUARD[self.layers.target]
            if self.layers.target == "power_w":
                wider = min(wider, (high / low) ** POWER_GUARD_SHARE)
            self._anchors[without] = (weights, low / wider, high * wider)
        return self._anchors[without]

    def bounds(self, fold: int, without: tuple[int, ...]) -> tuple[Array, Array]:
        """Lowest and highest sane prediction of a fold's rows, trained ``without`` some folds."""
        weights, low, high = self._anchor(without)
        base = self._anchor_parts[fold] @ weights
        return base * low, base * high

    def anchor(self) -> Anchor:
        """The anchor fitted on all rows, as a model stores it."""
        weights, low, high = self._anchor(())
        used = np.flatnonzero(weights)
        equation = Equation(
            "linear",
            tuple(self.anchor_terms[j] for j in used),
            tuple(float(weights[j]) for j in used),
            candidate="anchor",
        )
        return Anchor(equation, low, high)


@dataclass(frozen=True)
class Trial:
    """A candidate's predictions, one column a size, before the log candidates' factor.

    ``outer``: (n, sizes), trained without the row's fold. ``inner[o]``: (n, sizes), trained
    without fold o and the row's own; not set (NaN) for the rows of o. ``counts``: terms of the
    solution on all rows. ``bend``: what the candidate's form does to the sum, from all rows.
    """

    candidate: Candidate
    terms: list[Term]
    full: Path
    outer: Array
    inner: list[np.ndarray]
    bend: Bend | None = None

    @property
    def counts(self) -> np.ndarray:
        """Number of terms of each size, on all rows."""
        return self.full.counts

    def equation(self, size: int, factor: float, weight: float) -> Equation:
        """The equation of one size fitted on all rows."""
        coefficients = self.full.coefficients[:, size]
        used = np.flatnonzero(coefficients)
        if not len(used):
            used = np.array([0])
        return Equation(
            self.candidate.link,
            tuple(self.terms[self.full.columns[j]] for j in used),
            tuple(float(coefficients[j]) for j in used),
            factor,
            weight,
            str(self.candidate),
            self.bend,
        )


def weighted(
    matrix: Array, measured: Array, objective: str, bend: Bend | None
) -> tuple[Array, Array]:
    """Design (n, p) and target (n,) of the least squares that an objective and a form mean."""
    f, weight = (measured, np.ones(len(measured))) if bend is None else bend.unbend(measured)
    if objective == "log":
        return matrix * weight[:, None], np.log(f) * weight
    if objective == "absolute":
        weight = weight * measured
    return matrix * (weight / f)[:, None], weight


def _finite(terms: list[Term], problem: Problem) -> list[Term]:
    table = TermTable(problem.table)
    return [term for term in terms if (np.abs(table[term]) < MOST).all()]


def _exclusions(count: int) -> Iterator[tuple[int, ...]]:
    yield from ((a, b) for a in range(count) for b in range(a + 1, count))
    yield from ((a,) for a in range(count))


def try_candidate(
    problem: Problem, candidate: Candidate, *, nested: bool = True, guarded: bool = True
) -> Trial | None:
    """Cross-validate a candidate at every size; ``None`` if its library has no terms here.

    ``nested=False`` leaves the inner folds out (for figures that need no selection);
    ``guarded=False`` lets predictions leave the anchor's bounds, as the published recipe does.
    """
    form = FORMS[candidate.form] if candidate.form else None
    if form is not None and not form.suits(problem.layers.measured):
        return None
    library = LIBRARIES[candidate.term_library]
    terms = _finite(library(problem.table, problem.layers.family, problem.layers.target), problem)
    if not terms:
        return None
    folds = _FoldGrams(problem, terms, candidate.objective)
    most = min(problem.largest(), len(terms))
    sizes = [s for s in SIZES if s <= most]
    estimate = ESTIMATORS[candidate.estimator]

    def solve(without: tuple[int, ...]) -> tuple[Path, Bend | None]:
        kept = [fold for fold in range(problem.count) if fold not in without]
        bend = None
        if form is not None:
            bend = Bend(form, form.level([problem.measured[fold] for fold in kept]))
        grams = folds.at(bend)
        gram = Gram(
            grams.total,
            [grams.parts[fold] for fold in without],
            rows=sum(len(problem.rows[fold]) for fold in kept),
            squares=sum(grams.squares[fold] for fold in kept),
        )
        moment = grams.moment - np.sum([grams.moments[fold] for fold in without], axis=0)
        path = estimate(gram, moment, sizes)
        scale = grams.scale[path.columns, None]
        return Path(path.columns, path.coefficients / scale, path.counts), bend

    paths = {
        without: solve(without)
        for without in _exclusions(problem.count)
        if nested or len(without) == 1
    }
    full, bend = solve(())
    n = len(problem.layers)
    columns = full.coefficients.shape[1]
    outer = np.empty((n, columns))
    inner = [
        np.full((n, columns), np.nan, dtype=np.float32)
        for _ in range(problem.count if nested else 0)
    ]
    for fold, rows in enumerate(problem.rows):
        matrix = TermTable(problem.features(fold)).matrix(terms)
        for without, (path, bent) in paths.items():
            if fold not in without:
                continue
            bounds = problem.bounds(fold, without) if guarded else None
            values = _predict(matrix, path, candidate, bent, bounds)
            if len(without) == 1:
                outer[rows] = values
            else:
                other = without[0] if without[1] == fold else without[1]
                inner[other][rows] = values
    return Trial(candidate, terms, full, outer, inner, bend)


@dataclass(frozen=True)
class _Grams:
    """Of every fold: Gram matrix, moment and sum of squared targets of columns over ``scale``."""

    parts: list[Array]
    moments: list[Array]
    squares: list[float]
    scale: Array

    @cached_property
    def total(self) -> Array:
        return np.asarray(np.sum(self.parts, axis=0))

    @cached_property
    def moment(self) -> Array:
        return np.asarray(np.sum(self.moments, axis=0))


class _FoldGrams:
    """The Grams of a candidate's terms, made once for every level that its form takes."""

    def __init__(self, problem: Problem, terms: list[Term], objective: str) -> None:
        self._problem = problem
        self._terms = terms
        self._objective = objective
        self._made: dict[Bend | None, _Grams] = {}

    def at(self, bend: Bend | None) -> _Grams:
        """Grams with columns of unit mean square over all rows."""
        if bend not in self._made:
            self._made[bend] = self._make(bend)
        return self._made[bend]

    def _make(self, bend: Bend | None) -> _Grams:
        parts, moments, squares = [], [], []
        for fold in range(self._problem.count):
            matrix = TermTable(self._problem.features(fold)).matrix(self._terms)
            design, target = weighted(matrix, self._problem.measured[fold], self._objective, bend)
            parts.append(design.T @ design)
            moments.append(design.T @ target)
            squares.append(float(target @ target))
        scale = np.sqrt(np.sum([np.diag(g) for g in parts], axis=0) / len(self._problem.layers))
        scale[scale == 0.0] = 1.0
        for gram, moment in zip(parts, moments, strict=True):
            gram /= scale
            gram /= scale[:, None]
            moment /= scale
        return _Grams(parts, moments, squares, scale)


def _predict(
    matrix: Array,
    path: Path,
    candidate: Candidate,
    bend: Bend | None,
    bounds: tuple[Array, Array] | None,
) -> Array:
    values = matrix[:, path.columns] @ path.coefficients
    if candidate.link == "log":
        values = np.exp(np.clip(values, -LOG_LIMIT, LOG_LIMIT))
    if bend is not None:
        values = bend.apply(values)
    if bounds is not None:
        values = np.clip(values, bounds[0][:, None], bounds[1][:, None])
    return np.asarray(values)
