"""A new device from other ones' models and a few own measurements.

The shape of the cost law is taken over; a factor of few, smooth terms is learnt from the ratio of
the new measurements to an old model's predictions: a scale per device, and corrections in the
logarithms of work and sizes as far as cross-validation proves them. Which device's model, or none
but a model of the new measurements alone: cross-validation chooses, family by family, target by
target, so that a transfer is no worse than doing without.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from neuralpower.core.errors import InputError
from neuralpower.core.targets import TARGETS
from neuralpower.modeling.baselines import Device, score_baselines
from neuralpower.modeling.crossvalidation import Candidate
from neuralpower.modeling.data import Layers, load_dataset
from neuralpower.modeling.features import Array
from neuralpower.modeling.fitting import (
    Choice,
    FitOptions,
    Fitted,
    build_model,
    choose,
    finish,
    fit_layers,
)
from neuralpower.modeling.metrics import mean_scores, scores
from neuralpower.modeling.models import Correction, Model, ModelSet, load_models
from neuralpower.modeling.platforms import PARTS, Work, write_models
from neuralpower.modeling.selection import TooFewError
from neuralpower.records.folder import load_platform
from neuralpower.records.sealing import refuse_changed

CANDIDATES = (Candidate("corrections", "log", "stepwise"),)


#: Measured layers for each term of a correction: ten layers tell a factor and nothing else.
ROWS_A_TERM = 20
#: What the model of the new measurements alone is called.
DIRECT = "direct"


@dataclass(frozen=True)
class _Tried:
    """A way to a model, its (n,) nested out-of-fold predictions of every deal of the folds."""

    name: str
    choice: Choice
    dealt: tuple[Array, ...]
    source: Model | None = None


def transfer_layers(
    sources: Mapping[str, Model], layers: Layers, options: FitOptions | None = None
) -> Fitted:
    """The best of the sources' models, corrected with the new measurements, or of these alone.

    The score is out of fold: every row's factor comes from the other folds, and so does the choice
    between the ways. Beside it are the scores of all ways; ``direct`` is a model fitted on the new
    measurements alone. Raises ``TooFewError`` as ``fitting.choose`` does.
    """
    options = options or FitOptions()
    direct = choose(layers, options)
    ways = [_corrected(name, source, layers, options) for name, source in sources.items()]
    ways.append(_Tried(DIRECT, direct, direct.selection.dealt))
    folds = [deal.problem.folds for deal in direct.deals]
    errors = [
        np.stack([np.abs(way.dealt[i] / layers.measured - 1.0) for way in ways])
        for i in range(len(direct.selection.dealt))
    ]
    best = ways[_best(np.mean(errors, axis=0))]
    dealt = [_nested(ways, i, folds[i], error) for i, error in enumerate(errors)]
    model = best.choice.model() if best.source is None else _model(best, layers, dealt[0])
    baselines = {b.name: b.to_json() for b in score_baselines(direct.problem, Device())}
    for way in ways:
        # Stored for its scores only: its equations stand in no baseline's form.
        each = [scores(layers.measured, predicted) for predicted in way.dealt]
        baselines[way.name] = {"equations": [], "scores": mean_scores(each)}
    source = {} if best.source is None else {"source": best.name}
    return finish(
        best.choice,
        layers,
        model,
        dealt,
        baselines,
        {
            "inference": [],
            "provenance": {"data_sha256": layers.checksum(), **source},
        },
    )


def _corrected(name: str, source: Model, layers: Layers, options: FitOptions) -> _Tried:
    base = source.predict(layers.columns).value
    ratio = Layers(
        layers.family,
        "ratio",
        layers.columns,
        layers.measured / base,
        layers.visits,
        layers.spread,
        layers.groups,
    )
    most = max(1, len(layers) // ROWS_A_TERM)
    choice = choose(ratio, FitOptions(CANDIDATES, options.folds, options.seed, most))
    dealt = tuple(base * factor for factor in choice.selection.dealt)
    return _Tried(name, choice, dealt, source)


def _best(errors: Array) -> int:
    """The way to take by the sizes of relative errors (ways, n), the last one ``DIRECT``.

    That of least mean, but ``DIRECT`` where it is better by more than a standard error of the
    difference only: of few layers it promises more than it keeps on layers unlike them.
    """
    means = errors.mean(axis=1)
    best = int(np.argmin(means[:-1])) if len(means) > 1 else 0
    gain = errors[best] - errors[-1]
    spread = float(gain.std()) / np.sqrt(max(len(gain) - 1, 1))
    return len(means) - 1 if float(gain.mean()) > spread else best


def _nested(ways: Sequence[_Tried], deal: int, folds: np.ndarray, errors: Array) -> Array:
    """Predictions of a deal, (n,), each fold's by the way that is best on the other folds."""
    predicted = np.empty(len(folds))
    for fold in np.unique(folds):
        inside = folds == fold
        predicted[inside] = ways[_best(errors[:, ~inside])].dealt[deal][inside]
    return predicted


def _model(way: _Tried, layers: Layers, predicted: Array) -> Model:
    """The source's model times the factor, with what its errors (n,) say."""
    source = way.source
    assert source is not None
    [equation] = way.choice.selection.equations
    anchor = way.choice.problem.anchor()
    middle = math.exp(anchor.equation.coefficients[0])
    return build_model(
        layers,
        source.equations,
        source.anchor,
        predicted,
        f"{way.name} x ({equation.candidate})",
        Correction(equation, middle * anchor.lowest, middle * anchor.highest, way.name),
    )


def transfer_platform(
    sources: Sequence[str | Path],
    measurements: str | Path,
    out: str | Path,
    options: FitOptions | None = None,
) -> Path:
    """Models of the platform in ``measurements`` from other platforms' models.

    ``sources`` are folders that ``fit`` wrote. Families and targets that one of them has are
    transferred (``transfer_layers``), others are fitted as ``fit`` does, with the candidates of
    ``options``.
    Raises ``InputError`` for faulty input or when nothing can be transferred.
    """
    models = _sources(sources)
    platform = load_platform(measurements)
    refuse_changed(platform)
    data = load_dataset(platform)
    options = options or FitOptions()
    work = Work(Path(out) / PARTS, options.checksum())
    done: dict[tuple[str, str], Fitted] = {}
    transferred = 0
    for family in data.families():
        for target in TARGETS:
            layers = data.layers.get((family, target))
            if layers is None:
                continue
            found = {
                name: model for name, old in models.items() if (model := old.get(family, target))
            }
            try:
                if found:
                    fitted = transfer_layers(found, layers, options)
                    transferred += 1
                else:
                    fitted = fit_layers(layers, options)
            except TooFewError as error:
                reason = f"too few for a model: {error}"
                work.refused.append(
                    {
                        "file": f"{family} tables",
                        "column": target,
                        "reason": reason,
                        "action": "no model",
                    }
                )
                continue
            done[family, target] = fitted
    if not transferred:
        raise InputError(
            "no family with 5 configurations has a model there: measure more, or use fit",
            path=platform.folder,
        )
    for (family, target), fitted in done.items():
        work.add(family, target, fitted, {})
    return write_models(Path(out), platform, data, work, options)


def _sources(folders: Sequence[str | Path]) -> dict[str, ModelSet]:
    """The sets of models by the names of their platforms."""
    found: dict[str, ModelSet] = {}
    for folder in folders:
        models = load_models(folder)
        if any(model.correction is not None for model in models.models.values()):
            raise InputError(
                "these models were transferred themselves: start from measured ones", path=folder
            )
        if models.platform in found or models.platform == DIRECT:
            raise InputError(f"models of {models.platform!r} a second time", path=folder)
        found[models.platform] = models
    return found
