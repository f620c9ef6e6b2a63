"""Choosing a model: candidates x sizes, and means of several, by RMSPE, few terms first, nested.

The choice for an outer fold sees only predictions made without that fold; its rows are then
predicted by the choice trained without them, and only that is reported. The way of dealing the
folds moves both, so the final choice looks at several deals, and of a small family every deal is
chosen and scored on its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neuralpower.modeling.crossvalidation import GAUSSIAN, Problem, Trial
from neuralpower.modeling.features import Array
from neuralpower.modeling.members import Equation, are_shares, within_middle
from neuralpower.modeling.weights import CORRECTION, finite, least_weights, shares

#: Terms that each member of a mean may have at most: means are tried at every one of these.
CAPS = (6, 12, 20, 30, 50, 100)
#: Terms that one leading equation and two small ones beside it may have at most each: much of what
#: a mean of large ones gains, in terms that a person can read.
GUARDED = ((12, 5), (20, 8), (30, 12), (40, 10), (50, 5), (65, 8), (80, 10), (100, 10))
#: Equations of a mean at most, and at least: the middle of fewer than three protects nothing.
MOST_MEMBERS, FEWEST_MEMBERS = 5, 3
#: A smaller model may be at most this much worse than the best, whatever its standard error.
TOLERANCE = 0.02
#: Percentage points of RMSPE that nobody would see.
NOTHING = 0.002
#: A model that a person can still read has about so many terms; it is taken where it costs less
#: than so many percentage points of RMSPE, and than such a share of it. Where none does, the one of
#: fewest terms that costs less than ``HALVED_POINTS``, if it has half as many.
READABLE, READABLE_POINTS, READABLE_SHARE = 60, 0.5, 0.05
HALVED_POINTS = 0.4
#: A second opinion (``modeling.gaussian``) must lower the error by this share: it is no equation
#: that a person can read.
WORTH = 0.02
#: Of fewer rows the factors of logarithms are kept within ``weights.CORRECTION`` too.
FEW_ROWS = 25
#: An equation of more terms is not taken alone: nothing would keep it from running away.
SIMPLE = 12


class TooFewError(ValueError):
    """Too few configurations for a model; the message says how many and what is needed."""


@dataclass(frozen=True)
class Option:
    """Equations, each a (trial, size), and their weights: one of weight 1, or a mean of several.

    The equations of a mean are kept near their middle, row by row (``models.within_middle``).
    """

    members: tuple[tuple[int, int], ...]
    weights: tuple[float, ...]


@dataclass(frozen=True)
class Score:
    """An option's cross-validated RMSPE (%), its standard error over folds, and its terms."""

    option: Option
    terms: int
    rmspe: float
    standard_error: float


@dataclass(frozen=True)
class Deal:
    """A way of dealing the folds, and every candidate tried on it.

    Where the trials have inner folds, the deal is chosen on and scored on its own; else it has a
    say in the final choice only.
    """

    problem: Problem
    trials: Sequence[Trial]

    @property
    def nested(self) -> bool:
        """Whether inner folds were tried."""
        return bool(self.trials[0].inner)


@dataclass(frozen=True)
class Selection:
    """The chosen model and what it is expected to do.

    ``dealt``: (n,) nested out-of-fold predictions of every nested deal, the first ``predicted``.
    ``scores``: every option on the outer folds of all deals (not nested: for the choice, not for
    the report). ``fold_choices``: those of the first deal's outer folds.
    """

    option: Option
    equations: tuple[Equation, ...]
    dealt: tuple[Array, ...]
    scores: list[Score]
    fold_choices: list[Option]

    @property
    def predicted(self) -> Array:
        """Nested out-of-fold predictions of the first deal, (n,)."""
        return self.dealt[0]


class _View:
    """Predictions of all trials for some rows, with the log candidates' factors applied.

    ``few``: whether the family has fewer rows than ``FEW_ROWS``.
    """

    def __init__(
        self,
        trials: Sequence[Trial],
        tables: Sequence[np.ndarray],
        measured: Array,
        folds: np.ndarray,
        few: bool = False,
    ) -> None:
        self.trials = trials
        self.measured = measured
        self.labels, self.folds = np.unique(folds, return_inverse=True)
        self.sizes = np.bincount(self.folds).astype(np.float64)
        self.opinions = frozenset(
            t for t, trial in enumerate(trials) if trial.candidate.estimator == GAUSSIAN
        )
        self.factors: list[Array] = []
        self.values: list[Array] = []
        for trial, table in zip(trials, tables, strict=True):
            values = finite(table)
            factor = np.ones(values.shape[1])
            if trial.candidate.link == "log":
                # The factor that makes the relative error least: a smearing correction (Duan,
                # 1983) for relative instead of absolute squares.
                ratio = values / measured[:, None]
                factor = ratio.sum(axis=0) / (ratio**2).sum(axis=0)
                if few:
                    factor = np.clip(factor, 1.0 / CORRECTION, CORRECTION)
            self.factors.append(factor)
            self.values.append(values * factor)

    def fold_means(self, errors: Array) -> Array:
        """Means of (n, columns) over every fold, (folds, columns)."""
        sums = np.zeros((len(self.sizes), errors.shape[1]))
        np.add.at(sums, self.folds, errors)
        return sums / self.sizes[:, None]

    def options(self) -> tuple[list[Option], Array]:
        """Every option and its (folds, options) mean squared relative errors."""
        options: list[Option] = []
        errors: list[Array] = []
        for t, values in enumerate(self.values):
            errors.append(self.fold_means((values / self.measured[:, None] - 1.0) ** 2))
            options.extend(Option(((t, s),), (1.0,)) for s in range(values.shape[1]))
        single = [self.sizes @ part for part in errors]
        tried: set[tuple[tuple[int, int], ...]] = set()
        means: list[list[tuple[int, int]]] = []
        opinions = [(t, 0) for t in self.opinions]
        readable = [t for t in range(len(single)) if t not in self.opinions]
        for beside in [[], opinions] if opinions else [[]]:
            for cap in CAPS:
                means.append([*(self._best(t, single[t], cap) for t in readable), *beside])
            if len(readable) >= FEWEST_MEMBERS:
                means += [self._guarded(single, readable, beside, *caps) for caps in GUARDED]
        for members in means:
            found = self._mean(members, [float(single[t][s]) for t, s in members], tried)
            if found is not None:
                options.append(found[0])
                errors.append(found[1])
        return options, np.concatenate(errors, axis=1)

    def _guarded(
        self,
        single: Sequence[Array],
        readable: Sequence[int],
        beside: Sequence[tuple[int, int]],
        lead: int,
        side: int,
    ) -> list[tuple[int, int]]:
        """The best mean of an equation of at most ``lead`` terms and two others.

        These have at most ``side`` terms each; those of ``beside`` are taken first.
        """
        leads = [self._best(t, single[t], lead) for t in readable]
        sides = [*beside, *(self._best(t, single[t], side) for t in readable)]
        columns = [*leads, *sides]
        ratios = np.stack([self.values[t][:, s] for t, s in columns], axis=1)
        ratios /= self.measured[:, None]
        gram, moment = ratios.T @ ratios, ratios.sum(axis=0)

        def solved(places: Sequence[int]) -> tuple[Array, float]:
            part = gram[np.ix_(places, places)]
            weights = least_weights(part, moment[places])
            return weights, float(weights @ part @ weights - 2.0 * weights @ moment[places])

        found: tuple[float, list[int]] | None = None
        for first, (own, _) in enumerate(leads):
            pool = [first, *(len(leads) + j for j, (t, _) in enumerate(sides) if t != own)]
            weights, _ = solved(pool)
            order = sorted(
                range(1, len(pool)),
                key=lambda j: (
                    j > len(beside),
                    -weights[j],
                    single[columns[pool[j]][0]][columns[pool[j]][1]],
                ),
            )
            places = [first, *(pool[j] for j in order[: FEWEST_MEMBERS - 1])]
            _, error = solved(places)
            if found is None or error < found[0]:
                found = error, places
        return [] if found is None else [columns[j] for j in found[1]]

    def _best(self, trial: int, error: Array, cap: int) -> tuple[int, int]:
        allowed = np.where(self.trials[trial].counts <= cap, error, np.inf)
        return trial, int(np.argmin(allowed))

    def _mean(
        self,
        best: Sequence[tuple[int, int]],
        errors: Sequence[float],
        tried: set[tuple[tuple[int, int], ...]],
    ) -> tuple[Option, Array] | None:
        """The mean of some equations, None if it is none; its error is by other folds' weights."""
        if len(best) < FEWEST_MEMBERS:
            return None
        values = np.stack([self.values[t][:, s] for t, s in best], axis=1)
        ratios = values / self.measured[:, None]
        weights = least_weights(ratios.T @ ratios, ratios.sum(axis=0))
        # Members of weight first, then those of least error, to have a middle.
        order = sorted(range(len(best)), key=lambda j: (-weights[j], errors[j]))
        count = int((weights > 0.0).sum())
        kept = order[: min(max(count, FEWEST_MEMBERS), MOST_MEMBERS)]
        members = tuple(best[j] for j in sorted(kept))
        if members in tried:
            return None
        tried.add(members)
        ratios = within_middle(ratios[:, sorted(kept)])
        grams = np.zeros((len(self.sizes), len(kept), len(kept)))
        np.add.at(grams, self.folds, ratios[:, :, None] * ratios[:, None, :])
        moments = np.zeros((len(self.sizes), len(kept)))
        np.add.at(moments, self.folds, ratios)
        gram, moment = grams.sum(axis=0), moments.sum(axis=0)
        errors_by_fold = np.empty((len(self.sizes), 1))
        for f, size in enumerate(self.sizes):
            w = shares(gram - grams[f], moment - moments[f])
            errors_by_fold[f] = max(w @ grams[f] @ w - 2.0 * w @ moments[f] + size, 0.0) / size
        final = shares(gram, moment)
        if not are_shares(final):
            return None
        return Option(members, tuple(final.tolist())), errors_by_fold

    def terms(self, option: Option) -> int:
        """Terms over all equations of an option."""
        return sum(int(self.trials[t].counts[s]) for t, s in option.members)

    def _worth_it(
        self, options: list[Option], weights: Array, errors: Array
    ) -> tuple[list[Option], Array]:
        """The options without a second opinion where it does not lower the error by ``WORTH``.

        Nor is one taken alone: nothing would keep it from running away.
        """
        second = np.array([bool(self.opinions & {t for t, _ in o.members}) for o in options])
        alone = np.array([len(option.members) < FEWEST_MEMBERS for option in options])
        mean = weights @ errors
        kept = ~second
        together = second & ~alone
        if together.any() and mean[together].min() < mean[kept].min() * (1.0 - WORTH) ** 2:
            kept |= together
        places = np.flatnonzero(kept)
        return [options[k] for k in places], errors[:, places]

    def choose(self, most_terms: int | None = None) -> tuple[Option, list[Score]]:
        """The option to take, and all of them.

        The smallest within one standard error of the best (of the paired difference, fold by
        fold) and ``TOLERANCE``; if that is beyond ``READABLE``, the best readable one within
        ``READABLE_POINTS``, or the smallest within ``HALVED_POINTS`` where that halves the terms.
        With ``most_terms`` larger options do not count.
        """
        options, errors = self.options()
        counts = np.array([self.terms(option) for option in options])
        if most_terms is not None:
            fits = np.flatnonzero(counts <= max(most_terms, int(counts.min())))
            options, errors, counts = [options[k] for k in fits], errors[:, fits], counts[fits]
        weights = self.sizes / self.sizes.sum()
        options, errors = self._worth_it(options, weights, errors)
        counts = np.array([self.terms(option) for option in options])
        mean = weights @ errors
        root = 100.0 * np.sqrt(mean)
        best = int(np.argmin(mean))
        worse = errors - errors[:, [best]]
        folds = len(self.sizes)
        excess = weights @ worse
        spread = np.sqrt(weights @ (worse - excess) ** 2 / max(folds - 1, 1))
        near = (excess <= spread) & (mean <= mean[best] * (1.0 + TOLERANCE) ** 2)
        near |= root <= root[best] + NOTHING
        alone = np.array([len(option.members) < FEWEST_MEMBERS for option in options])
        if not alone.all():
            near &= ~alone | (counts <= SIMPLE)
            if not near.any():
                near = ~alone & (mean <= mean[~alone].min() * (1.0 + TOLERANCE) ** 2)
        # Fewest terms first, then the lower error, then the earlier in the list.
        chosen = min(np.flatnonzero(near).tolist(), key=lambda k: (counts[k], mean[k], k))
        if counts[chosen] > READABLE:
            share = root[best] * READABLE_SHARE
            for most, points in ((READABLE, READABLE_POINTS), (counts[chosen] // 2, HALVED_POINTS)):
                small = np.flatnonzero(
                    (counts <= most)
                    & (root <= root[best] + min(points, share))
                    & (~alone | (counts <= SIMPLE))
                ).tolist()
                if small:
                    chosen = min(small, key=lambda k: (max(counts[k], READABLE), mean[k], k))
                    break
        own = np.sqrt(weights @ (errors - mean) ** 2 / max(folds - 1, 1))
        error = np.where(root > 0.0, 5000.0 * own / np.where(root > 0.0, root, 1.0), 0.0)
        scores = [
            Score(option, int(counts[k]), float(root[k]), float(error[k]))
            for k, option in enumerate(options)
        ]
        return options[chosen], scores


def select(deals: Sequence[Deal], most_terms: int | None = None) -> Selection:
    """Choose by nested cross-validation; see the module's head. The first deal is nested."""
    dealt = []
    first: list[Option] = []
    for deal in deals:
        if deal.nested:
            predicted, fold_choices = _score(deal, most_terms)
            dealt.append(predicted)
            first = first or fold_choices
    trials = deals[0].trials
    count = deals[0].problem.count
    final = _View(
        trials,
        [np.concatenate([deal.trials[t].outer for deal in deals]) for t in range(len(trials))],
        np.concatenate([deal.problem.layers.measured for deal in deals]),
        np.concatenate([deal.problem.folds + i * count for i, deal in enumerate(deals)]),
        _few(deals[0]),
    )
    option, scores = final.choose(most_terms)
    return Selection(option, _equations(final, option), tuple(dealt), scores, first)


def _few(deal: Deal) -> bool:
    return len(deal.problem.layers) < FEW_ROWS


def _score(deal: Deal, most_terms: int | None) -> tuple[Array, list[Option]]:
    """Nested out-of-fold predictions of a deal, (n,), and the choices of its folds."""
    problem, trials = deal.problem, deal.trials
    measured, folds = problem.layers.measured, problem.folds
    predicted = np.empty(len(measured))
    choices: list[Option] = []
    for fold, rows in enumerate(problem.rows):
        others = folds != fold
        view = _View(
            trials,
            [t.inner[fold][others] for t in trials],
            measured[others],
            folds[others],
            _few(deal),
        )
        option, _ = view.choose(most_terms)
        choices.append(option)
        values = np.stack(
            [view.factors[t][s] * finite(trials[t].outer[rows, s]) for t, s in option.members],
            axis=1,
        )
        predicted[rows] = within_middle(values) @ np.array(option.weights)
    return predicted, choices


def _equations(view: _View, option: Option) -> tuple[Equation, ...]:
    found = [
        view.trials[t].equation(s, float(view.factors[t][s]), weight)
        for (t, s), weight in zip(option.members, option.weights, strict=True)
    ]
    return tuple(sorted(found, key=lambda equation: -equation.weight))
