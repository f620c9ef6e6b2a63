"""Fitting one layer family's model of one target: candidates, choice, interval, baselines."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from neuralpower import __version__
from neuralpower.core.configuration import CONFIGURATION_COLUMNS
from neuralpower.modeling.baselines import Device, score_baselines
from neuralpower.modeling.candidates import DEFAULT_GRID
from neuralpower.modeling.crossvalidation import (
    FOLDS,
    GAUSSIAN,
    Candidate,
    Problem,
    Trial,
    Tryout,
    assign_folds,
    design_of,
)
from neuralpower.modeling.data import Layers, key_of
from neuralpower.modeling.equations import to_text
from neuralpower.modeling.features import DEFAULTS, Array
from neuralpower.modeling.forms import launch_level
from neuralpower.modeling.gaussian import FEWEST_ROWS, MOST_ROWS, GaussianTryout
from neuralpower.modeling.inference import infer_all
from neuralpower.modeling.intervals import (
    calibrate,
    coverage_by_kind,
    coverage_by_size,
    cross_fitted,
    interval_score,
    intraclass_correlation,
)
from neuralpower.modeling.members import Anchor, Equation
from neuralpower.modeling.metrics import coverage, mean_scores, scores
from neuralpower.modeling.models import Limits, Model, within
from neuralpower.modeling.selection import (
    Deal,
    Option,
    Selection,
    TooFewError,
    select,
)

#: Fewer configurations than this cannot be cross-validated: the family gets no model.
FEWEST = 5
#: Ways of dealing the folds that the choice looks at; families below ``SMALL`` configurations are
#: chosen and scored on each of them; from ``MANY`` on one deal is like another.
DEALS, SMALL, MANY = 3, 200, 3000
#: Between the seeds of deals: the deals of neighbouring seeds stay apart.
DEAL_STEP = 1000
CROSS_VALIDATION_COLUMNS = (
    *("family", "target", "candidate", "n_terms", "rmspe", "standard_error", "chosen"),
)
OUT_OF_FOLD_COLUMNS = (
    *("family", "target", "key", "deal", "fold", *CONFIGURATION_COLUMNS[1:], "visits", "spread"),
    *("measured", "predicted", "lo", "hi"),
)


@dataclass(frozen=True)
class FitOptions:
    """What may be chosen: the candidates, the number of folds and the seed that deals them.

    ``most_terms``: terms that a model may have over all its equations; None for no limit.
    """

    candidates: tuple[Candidate, ...] = DEFAULT_GRID
    folds: int = FOLDS
    seed: int = 0
    most_terms: int | None = None

    def checksum(self) -> str:
        """SHA-256 of the options and of this package's code that they run."""
        digest = hashlib.sha256(
            f"{__version__} {self.folds} {self.seed} {self.most_terms}".encode()
        )
        digest.update("\n".join(map(str, self.candidates)).encode())
        for path in sorted(Path(__file__).parent.glob("*.py")):
            digest.update(path.read_bytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class Fitted:
    """A model and the tables that tell how it came about, all as JSON values."""

    model: dict[str, Any]
    cross_validation: list[dict[str, Any]]
    out_of_fold: list[dict[str, Any]]
    baselines: dict[str, Any]

    def to_json(self) -> dict[str, object]:
        """All four as one JSON object."""
        return {
            "model": self.model,
            "cross_validation": self.cross_validation,
            "out_of_fold": self.out_of_fold,
            "baselines": self.baselines,
        }


@dataclass(frozen=True)
class Choice:
    """The deals of the folds with all candidates tried on them, and the model that was chosen."""

    deals: Sequence[Deal]
    selection: Selection

    @property
    def problem(self) -> Problem:
        """The first deal's problem."""
        return self.deals[0].problem

    @property
    def trials(self) -> Sequence[Trial]:
        """The first deal's trials."""
        return self.deals[0].trials

    def model(self) -> Model:
        """The chosen model, fitted on all rows."""
        return build_model(
            self.problem.layers,
            self.selection.equations,
            self.problem.anchor(),
            self.selection.predicted,
            candidate_text(self.selection.equations),
        )


def choose(layers: Layers, options: FitOptions) -> Choice:
    """Try every candidate and choose by nested cross-validation.

    Raises ``TooFewError`` for fewer than ``FEWEST`` configurations or three fold groups, or where
    no candidate can be tried.
    """
    if len(layers) < FEWEST:
        raise TooFewError(f"{len(layers)} configurations; at least {FEWEST} are needed")
    count = DEALS if len(layers) < MANY else 1
    problems = []
    for i in range(count):
        folds = assign_folds(layers.groups, options.folds, options.seed + i * DEAL_STEP)
        if int(folds.max()) < 2:
            raise TooFewError("at least 3 groups of configurations are needed for cross-validation")
        problems.append(Problem(layers, folds))
    tried: list[list[Trial]] = [[] for _ in problems]
    for candidate in options.candidates:
        if candidate.estimator == GAUSSIAN:
            if options.most_terms is None and FEWEST_ROWS <= len(layers) <= MOST_ROWS:
                _opinions(problems, tried, candidate)
            continue
        design = design_of(layers, candidate)
        if design is None:
            continue
        first = Tryout(problems[0], candidate, design).trial(nested=True)
        tried[0].append(first)
        for problem, trials in zip(problems[1:], tried[1:], strict=True):
            if len(layers) < SMALL:
                trials.append(Tryout(problem, candidate, design).trial(nested=True))
            else:
                again = Tryout(problem, candidate, design, columns=first.used)
                trials.append(again.again(first))
    if all(trial.candidate.estimator == GAUSSIAN for trial in tried[0]):
        raise TooFewError("no candidate of the configuration has terms for this family")
    deals = [Deal(problem, trials) for problem, trials in zip(problems, tried, strict=True)]
    return Choice(deals, select(deals, options.most_terms))


def _opinions(
    problems: Sequence[Problem], tried: Sequence[list[Trial]], candidate: Candidate
) -> None:
    """Add the Gaussian process of every deal to its trials."""
    layers = problems[0].layers
    design = design_of(layers, candidate)
    if design is None or len(design.terms) < 2:
        return
    for problem, trials in zip(problems, tried, strict=True):
        tryout = GaussianTryout(problem, candidate, design)
        if problem is problems[0] or len(layers) < SMALL:
            trials.append(tryout.trial(nested=True))
        else:
            trials.append(tryout.again(tried[0][-1]))


def candidate_text(equations: Sequence[Equation]) -> str:
    """The winning candidate, or the blend with its weights."""
    return _blend([(e.candidate, e.weight) for e in equations])


def _blend(parts: Sequence[tuple[str, float]]) -> str:
    """Candidates with their weights; one without weight only has a say in the middle of them."""
    if len(parts) == 1:
        return parts[0][0]
    return " + ".join(f"{weight:.2g} x ({name})" for name, weight in parts if weight)


def fit_layers(
    layers: Layers,
    options: FitOptions | None = None,
    device: Device | None = None,
    provenance: Mapping[str, object] | None = None,
) -> Fitted:
    """Fit, select and score one family's model of one target.

    Raises ``TooFewError`` as ``choose`` does.
    """
    choice = choose(layers, options or FitOptions())
    device = device or Device()
    model = choice.model()
    if layers.target == "power_w":
        limits = (device.idle_power_w, device.power_cap_w)
        model = limited(model, layers, choice.selection.predicted, limits)
    baselines = {b.name: b.to_json() for b in score_baselines(choice.problem, device)}
    return finish(
        choice,
        layers,
        model,
        [within(predicted, model.limits) for predicted in choice.selection.dealt],
        baselines,
        {
            "inference": infer_all(layers, choice.selection.equations),
            "provenance": {"data_sha256": layers.checksum(), **(provenance or {})},
        },
    )


def limited(model: Model, layers: Layers, predicted: Array, limits: Limits) -> Model:
    """A model of power that keeps to what the device can draw, and its interval of what it says.

    ``predicted``: out-of-fold predictions (n,) before they are kept to it.
    """
    return replace(model, limits=limits, interval=calibrate(layers, within(predicted, limits)))


def finish(
    choice: Choice,
    layers: Layers,
    model: Model,
    dealt: Sequence[Array],
    baselines: dict[str, Any],
    facts: Mapping[str, Any],
) -> Fitted:
    """Scores and tables of a model from its out-of-fold predictions, (n,) a deal of the folds.

    The figures are means over the deals, with the range that a deal moves them by.
    """
    figures = []
    rows: list[dict[str, Any]] = []
    kinds: dict[str, dict[str, float]] = {}
    for number, (deal, predicted) in enumerate(zip(choice.deals, dealt, strict=False)):
        folds = deal.problem.folds
        lo, hi = (within(end, model.limits) for end in cross_fitted(layers, predicted, folds))
        found = scores(layers.measured, predicted)
        found["interval_coverage"] = coverage(layers.measured, lo, hi)
        found["interval_width"] = float(100.0 * np.median((hi - lo) / predicted))
        found["interval_score"] = interval_score(layers.measured, lo, hi)
        found["coverage_by_size"] = coverage_by_size(layers.measured, predicted, lo, hi)
        figures.append(found)
        kinds = kinds or coverage_by_kind(layers, lo, hi)
        rows += _out_of_fold(layers, number, folds, predicted, lo, hi)
    fitted = scores(layers.measured, model.predict(layers.columns).value)
    names = [str(trial.candidate) for trial in choice.trials]
    stored = {
        "scores": {**mean_scores(figures), "coverage_by_kind": kinds},
        "in_sample": {"rmspe": fitted["rmspe"], "mape": fitted["mape"]},
        "baselines": {name: b["scores"]["rmspe"] for name, b in baselines.items()},
        "noise": _noise(layers),
        "equation": to_text(model),
        **facts,
        **model.to_json(),
    }
    return Fitted(stored, _cross_validation(layers, names, choice.selection), rows, baselines)


def _text(names: Sequence[str], option: Option) -> str:
    members = zip(option.members, option.weights, strict=True)
    return _blend([(names[t], float(weight)) for (t, _), weight in members])


def build_model(
    layers: Layers,
    equations: tuple[Equation, ...],
    anchor: Anchor,
    predicted: Array,
    candidate: str,
) -> Model:
    """A model with what its out-of-fold predictions (n,) say about its errors."""
    ratio = layers.measured / predicted
    octaves = np.round(np.log2(layers.columns["batch"])).astype(int)
    known = any(group.startswith("network ") for group in layers.groups)
    labels = list(layers.groups) if known else [str(octave) for octave in octaves.tolist()]
    ranges = {
        name: (float(layers.columns[name].min()), float(layers.columns[name].max()))
        for name in DEFAULTS
    }
    methods = sorted({str(m) for m in layers.columns["pool_method"] if str(m)})
    return Model(
        family=layers.family,
        target=layers.target,
        equations=equations,
        anchor=anchor,
        interval=calibrate(layers, predicted),
        ranges=ranges,
        methods=tuple(methods),
        relative_sd=float(np.std(ratio - 1.0)),
        error_correlation=intraclass_correlation(ratio - 1.0, labels),
        mean_ratio=float(layers.measured.sum() / predicted.sum()),
        lean=float(np.exp(np.mean(np.log(ratio)))),
        candidate=candidate,
        launch_ms=launch_level(layers.measured) if layers.target == "runtime_ms" else None,
    )


def _noise(layers: Layers) -> dict[str, object]:
    """Repeatability: configurations visited more than once and their median relative spread."""
    repeated = layers.visits > 1
    count = int(repeated.sum())
    middle = float(100.0 * np.median(layers.spread[repeated])) if count else None
    return {"repeated": count, "median_half_range_percent": middle}


def _cross_validation(
    layers: Layers, names: Sequence[str], selection: Selection
) -> list[dict[str, object]]:
    rows = []
    for score in selection.scores:
        rows.append(
            {
                "family": layers.family,
                "target": layers.target,
                "candidate": _text(names, score.option),
                "n_terms": score.terms,
                "rmspe": score.rmspe,
                "standard_error": score.standard_error,
                "chosen": int(score.option == selection.option),
            }
        )
    return rows


def _out_of_fold(
    layers: Layers, deal: int, folds: np.ndarray, predicted: Array, lo: Array, hi: Array
) -> list[dict[str, object]]:
    rows = []
    for i, configuration in enumerate(layers.rows()):
        row = dict(zip(CONFIGURATION_COLUMNS, configuration, strict=True))
        row.update(
            target=layers.target,
            key=key_of(configuration),
            deal=deal,
            fold=int(folds[i]),
            visits=int(layers.visits[i]),
            spread=float(layers.spread[i]),
            measured=float(layers.measured[i]),
            predicted=float(predicted[i]),
            lo=float(lo[i]),
            hi=float(hi[i]),
        )
        rows.append(row)
    return rows
