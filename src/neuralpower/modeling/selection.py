"""Choosing a model: candidates x sizes x blends, by RMSPE, few terms first, nested.

The choice for an outer fold sees only predictions made without that fold; its rows are then
predicted by the choice trained without them, and only that is reported.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from neuralpower.modeling.crossvalidation import Candidate, Problem, Trial
from neuralpower.modeling.features import Array
from neuralpower.modeling.forms import FORMS
from neuralpower.modeling.models import Equation

#: The default grid, in the order in which ties are broken.
DEFAULT_CANDIDATES: tuple[Candidate, ...] = (
    Candidate("physical", "relative", "non-negative"),
    Candidate("paper", "relative", "stepwise"),
    Candidate("wide", "relative", "stepwise"),
    Candidate("logs", "log", "stepwise"),
    Candidate("hinged logs", "log", "stepwise"),
    Candidate("hinged logs", "relative", "stepwise"),
    Candidate("bends", "log", "stepwise"),
    *(
        Candidate(library, "log", "stepwise", form)
        for form in FORMS
        for library in ("logs", "hinged logs", "bends")
    ),
)
#: Shares of the first equation that are tried in a blend of two.
SHARES = (0.25, 0.5, 0.75)
#: A smaller model may be at most this much worse than the best, whatever its standard error.
TOLERANCE = 0.01


class TooFewError(ValueError):
    """Too few configurations for a model; the message says how many and what is needed."""


@dataclass(frozen=True)
class Option:
    """One equation (trial, size) or a blend of two, the first with ``share``."""

    first: tuple[int, int]
    second: tuple[int, int] | None = None
    share: float = 1.0

    def parts(self) -> list[tuple[tuple[int, int], float]]:
        """((trial, size), weight) of every equation."""
        if self.second is None:
            return [(self.first, 1.0)]
        return [(self.first, self.share), (self.second, 1.0 - self.share)]


@dataclass(frozen=True)
class Score:
    """An option's cross-validated RMSPE (%), its standard error over folds, and its terms."""

    option: Option
    terms: int
    rmspe: float
    standard_error: float


@dataclass(frozen=True)
class Selection:
    """The chosen model and what it is expected to do.

    ``predicted``: (n,) nested out-of-fold predictions. ``scores``: every option on the ten outer
    folds (not nested: for the choice, not for the report). ``fold_choices``: each outer fold's.
    """

    option: Option
    equations: tuple[Equation, ...]
    predicted: Array
    scores: list[Score]
    fold_choices: list[Option]


class _View:
    """Predictions of all trials for some rows, with the log candidates' factors applied."""

    def __init__(
        self,
        trials: Sequence[Trial],
        tables: Sequence[np.ndarray],
        measured: Array,
        folds: np.ndarray,
    ) -> None:
        self.trials = trials
        self.measured = measured
        self.labels, self.folds = np.unique(folds, return_inverse=True)
        self.sizes = np.bincount(self.folds).astype(np.float64)
        self.factors: list[Array] = []
        self.values: list[Array] = []
        for trial, table in zip(trials, tables, strict=True):
            values = table.astype(np.float64)
            factor = np.ones(values.shape[1])
            if trial.candidate.link == "log":
                # The factor that makes the relative error least: a smearing correction (Duan,
                # 1983) for relative instead of absolute squares.
                ratio = values / measured[:, None]
                factor = ratio.sum(axis=0) / (ratio**2).sum(axis=0)
            self.factors.append(factor)
            self.values.append(values * factor)

    def predict(self, option: Option) -> Array:
        total = np.zeros(len(self.measured))
        for (trial, size), weight in option.parts():
            total += weight * self.values[trial][:, size]
        return total

    def fold_errors(self, values: Array) -> Array:
        """Mean squared relative error of every fold, (folds, columns)."""
        errors = (values / self.measured[:, None] - 1.0) ** 2
        sums = np.zeros((len(self.sizes), errors.shape[1]))
        np.add.at(sums, self.folds, errors)
        means = sums / self.sizes[:, None]
        # A candidate that some folds without others do not determine has no error: never chosen.
        return np.where(np.isnan(means), np.inf, means)

    def options(self) -> tuple[list[Option], Array]:
        """Every option and its (folds, options) errors."""
        options: list[Option] = []
        errors: list[Array] = []
        best: list[tuple[int, int]] = []
        for t, values in enumerate(self.values):
            by_fold = self.fold_errors(values)
            errors.append(by_fold)
            options.extend(Option((t, s)) for s in range(values.shape[1]))
            best.append((t, int(np.argmin(self.sizes @ by_fold))))
        blends = [Option(a, b, share) for a, b in combinations(best, 2) for share in SHARES]
        if blends:
            values = np.stack([self.predict(option) for option in blends], axis=1)
            errors.append(self.fold_errors(values))
        return options + blends, np.concatenate(errors, axis=1)

    def terms(self, option: Option) -> int:
        return sum(int(self.trials[t].counts[s]) for (t, s), _ in option.parts())

    def choose(self) -> tuple[Option, list[Score]]:
        options, errors = self.options()
        weights = self.sizes / self.sizes.sum()
        mean = weights @ errors
        best = int(np.argmin(mean))
        if not np.isfinite(mean[best]):
            raise TooFewError("too few configurations that differ: no candidate is determined")
        fitted = np.isfinite(mean)
        options = [option for option, good in zip(options, fitted, strict=True) if good]
        errors, mean = errors[:, fitted], mean[fitted]
        best = int(np.argmin(mean))
        # One standard error of the paired difference to the best, fold by fold.
        worse = errors - errors[:, [best]]
        folds = len(self.sizes)
        excess = weights @ worse
        spread = np.sqrt(weights @ (worse - excess) ** 2 / max(folds - 1, 1))
        near = (excess <= spread) & (mean <= mean[best] * (1.0 + TOLERANCE) ** 2)
        own = np.sqrt(weights @ (errors - mean) ** 2 / max(folds - 1, 1))
        counts = np.array([self.terms(option) for option in options])
        # Fewest terms first, then the lower error, then the earlier in the list.
        chosen = min(np.flatnonzero(near).tolist(), key=lambda k: (counts[k], mean[k], k))
        root = 100.0 * np.sqrt(mean)
        error = np.where(root > 0.0, 5000.0 * own / np.where(root > 0.0, root, 1.0), 0.0)
        scores = [
            Score(option, int(counts[k]), float(root[k]), float(error[k]))
            for k, option in enumerate(options)
        ]
        return options[chosen], scores


def select(problem: Problem, trials: Sequence[Trial]) -> Selection:
    """Choose by nested cross-validation; see the module's head."""
    measured, folds = problem.layers.measured, problem.folds
    predicted = np.empty(len(measured))
    fold_choices: list[Option] = []
    for fold, rows in enumerate(problem.rows):
        others = folds != fold
        view = _View(
            trials, [t.inner[fold][others] for t in trials], measured[others], folds[others]
        )
        option, _ = view.choose()
        fold_choices.append(option)
        total = np.zeros(len(rows))
        for (t, s), weight in option.parts():
            total += weight * view.factors[t][s] * trials[t].outer[rows, s]
        predicted[rows] = total
    final = _View(trials, [t.outer for t in trials], measured, folds)
    option, scores = final.choose()
    equations = tuple(
        trials[t].equation(s, float(final.factors[t][s]), weight)
        for (t, s), weight in option.parts()
    )
    return Selection(option, equations, predicted, scores, fold_choices)
