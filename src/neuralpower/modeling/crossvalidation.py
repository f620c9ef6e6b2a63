"""Nested cross-validation of one candidate, from fold Gram matrices.

For outer fold ``o`` and inner fold ``i`` the training Gram is the total minus two folds, and the
solution serves (o, i) and (i, o) alike: 10 outer folds with 9 inner ones cost 45 + 10 + 1 paths
and two passes over the rows, whatever the number of rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from neuralpower.modeling.anchors import Anchors
from neuralpower.modeling.data import Layers
from neuralpower.modeling.features import Array, FeatureTable
from neuralpower.modeling.forms import FORMS, Bend
from neuralpower.modeling.gram import ESTIMATORS, Gram, Path
from neuralpower.modeling.libraries import LIBRARIES
from neuralpower.modeling.members import LOG_LIMIT, Equation
from neuralpower.modeling.neighbours import Neighbours
from neuralpower.modeling.terms import Term, TermTable

#: Numbers of terms (intercept included) that are tried along a path.
SIZES = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 65, 80, 100)
FOLDS = 10
#: The estimator of ``modeling.gaussian``, of logarithms over the library ``sizes`` only.
GAUSSIAN = "gaussian process"
#: Terms with larger values than this are left out: their squares must have a finite sum.
MOST = 1e100
#: A design of at most so many numbers is kept: 160 MB.
MOST_KEPT = 20_000_000


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
        known = library in LIBRARIES and estimator in (*ESTIMATORS, GAUSSIAN)
        if not known or set(form) - set(FORMS):
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
        self._anchors = Anchors(
            layers, [self.features(f) for f in range(self.count)], self.measured
        )
        self.bounds = self._anchors.bounds
        self.anchor = self._anchors.anchor

    def features(self, fold: int) -> FeatureTable:
        """A fresh feature table of a fold's rows."""
        return FeatureTable(self._columns[fold], self.layers.family, len(self.rows[fold]))

    def largest(self) -> int:
        """The most terms that an inner training set can bear."""
        return max(2, int(len(self.layers) * (self.count - 2) / self.count) // 4)


@dataclass(frozen=True)
class Trial:
    """A candidate's predictions, one column per size, before the log candidates' factor.

    ``outer``: (n, sizes), trained without the row's fold. ``inner[o]``: (n, sizes), trained
    without fold o and the row's own; not set (NaN) for the rows of o. ``counts``: terms of the
    solution on all rows. ``bend``: what the candidate's form does to the sum, from all rows.
    ``used``: the columns that any training set chose. ``neighbours``: what measured layers add.
    """

    candidate: Candidate
    terms: list[Term]
    full: Path
    outer: Array
    inner: list[np.ndarray]
    bend: Bend | None
    used: np.ndarray
    neighbours: Neighbours | None = None

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
            self.neighbours,
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


class Design:
    """A candidate's terms over a family's layers: the columns of its least squares.

    The matrix is kept where it is small, so that all deals of the folds share it.
    """

    def __init__(self, layers: Layers, terms: Sequence[Term]) -> None:
        self.terms = list(terms)
        self._layers = layers
        self._matrix: Array | None = None
        if len(layers) * len(self.terms) <= MOST_KEPT:
            matrix = TermTable(layers.table()).matrix(self.terms)
            good = np.asarray((np.abs(matrix) < MOST).all(axis=0)).tolist()
            self._matrix = np.ascontiguousarray(matrix[:, good])
        else:
            table = TermTable(layers.table())
            good = [bool((np.abs(table[term]) < MOST).all()) for term in self.terms]
        self.terms = [term for term, fine in zip(self.terms, good, strict=True) if fine]

    def rows(self, rows: np.ndarray, columns: np.ndarray | None = None) -> Array:
        """Some rows, of some columns: (rows, columns), a fresh array."""
        if self._matrix is not None:
            part = self._matrix[rows]
            return np.asarray(part if columns is None else part[:, columns])
        terms = self.terms if columns is None else [self.terms[j] for j in columns]
        layers = {name: values[rows] for name, values in self._layers.columns.items()}
        return TermTable(FeatureTable(layers, self._layers.family, len(rows))).matrix(terms)


def design_of(layers: Layers, candidate: Candidate) -> Design | None:
    """The design of a candidate; ``None`` where its library has no terms or its form no rows."""
    if candidate.form and not FORMS[candidate.form].suits(layers.measured):
        return None
    terms = LIBRARIES[candidate.term_library](layers.table(), layers.family, layers.target)
    return Design(layers, terms) if terms else None


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
    design = design_of(problem.layers, candidate)
    if design is None:
        return None
    return Tryout(problem, candidate, design, guarded=guarded).trial(nested=nested)


#: By the folds that a training set lacks: the path, and what the candidate's form does.
_Paths = dict[tuple[int, ...], tuple[Path, Bend | None]]


class Tryout:
    """A candidate on a problem: its paths on training sets and what they predict.

    ``columns``: those of the design that may be chosen, all if not given.
    """

    def __init__(
        self,
        problem: Problem,
        candidate: Candidate,
        design: Design,
        *,
        columns: np.ndarray | None = None,
        guarded: bool = True,
    ) -> None:
        self._problem = problem
        self._candidate = candidate
        self._design = design
        self._columns = columns
        self._guarded = guarded
        self._form = FORMS[candidate.form] if candidate.form else None
        self._folds = _FoldGrams(problem, design, columns, candidate.objective)
        most = min(problem.largest(), len(design.terms))
        self._sizes = [s for s in SIZES if s <= most]

    def trial(self, *, nested: bool) -> Trial:
        """The candidate cross-validated; ``nested``: with inner folds."""
        paths: _Paths = {
            without: self._solve(without)
            for without in _exclusions(self._problem.count)
            if nested or len(without) == 1
        }
        full, bend = self._solve(())
        outer, inner = self._predictions(paths, full.coefficients.shape[1], nested)
        used = np.unique(np.concatenate([path.columns for path, _ in [*paths.values(), (full, 0)]]))
        return Trial(self._candidate, self._design.terms, full, outer, inner, bend, used)

    def again(self, first: Trial) -> Trial:
        """Another deal of the same rows, without inner folds: ``first`` has the rest."""
        paths: _Paths = {(fold,): self._solve((fold,)) for fold in range(self._problem.count)}
        outer, _ = self._predictions(paths, first.outer.shape[1], nested=False)
        return replace(first, outer=outer, inner=[])

    def _solve(self, without: tuple[int, ...]) -> tuple[Path, Bend | None]:
        problem = self._problem
        kept = [fold for fold in range(problem.count) if fold not in without]
        bend = None
        if self._form is not None:
            bend = Bend(self._form, self._form.level([problem.measured[fold] for fold in kept]))
        grams = self._folds.at(bend)
        gram = Gram(
            grams.total,
            [grams.parts[fold] for fold in without],
            rows=sum(len(problem.rows[fold]) for fold in kept),
            squares=sum(grams.squares[fold] for fold in kept),
        )
        moment = grams.moment - np.sum([grams.moments[fold] for fold in without], axis=0)
        path = ESTIMATORS[self._candidate.estimator](gram, moment, self._sizes)
        scale = grams.scale[path.columns, None]
        return Path(path.columns, path.coefficients / scale, path.counts), bend

    def _predictions(
        self, paths: _Paths, sizes: int, nested: bool
    ) -> tuple[Array, list[np.ndarray]]:
        problem = self._problem
        n = len(problem.layers)
        outer = np.empty((n, sizes))
        inner = [
            np.full((n, sizes), np.nan, dtype=np.float32)
            for _ in range(problem.count if nested else 0)
        ]
        for fold, rows in enumerate(problem.rows):
            matrix = self._design.rows(rows, self._columns)
            for without, (path, bent) in paths.items():
                if fold not in without:
                    continue
                bounds = problem.bounds(fold, without) if self._guarded else None
                values = _predict(matrix, path, self._candidate, bent, bounds)
                if len(without) == 1:
                    outer[rows] = values
                else:
                    other = without[0] if without[1] == fold else without[1]
                    inner[other][rows] = values
        return outer, inner


@dataclass(frozen=True)
class _Grams:
    """Of every fold: Gram matrix, moment and sum of squared targets of columns over ``scale``."""

    parts: list[Array]
    moments: list[Array]
    squares: list[float]
    scale: Array

    @cached_property
    def total(self) -> Array:
        total = self.parts[0].copy()
        for part in self.parts[1:]:
            total += part
        return total

    @cached_property
    def moment(self) -> Array:
        return np.asarray(np.sum(self.moments, axis=0))


class _FoldGrams:
    """The Grams of a candidate's terms, made once for every level that its form takes."""

    def __init__(
        self, problem: Problem, design: Design, columns: np.ndarray | None, objective: str
    ) -> None:
        self._problem = problem
        self._design = design
        self._columns = columns
        self._objective = objective
        self._made: dict[Bend | None, _Grams] = {}

    def at(self, bend: Bend | None) -> _Grams:
        """Grams with columns of unit mean square over all rows."""
        if bend not in self._made:
            self._made[bend] = self._make(bend)
        return self._made[bend]

    def _make(self, bend: Bend | None) -> _Grams:
        parts, moments, squares = [], [], []
        for fold, rows in enumerate(self._problem.rows):
            matrix = self._design.rows(rows, self._columns)
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
