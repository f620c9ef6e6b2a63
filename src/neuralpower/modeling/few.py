"""Fitting kinds of layers with few rows: of these, or with all kinds of the device (``alike``).

What errs less out of fold is taken, each outer fold by the choice on the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np

from neuralpower.modeling.alike import ALIKE, PRODUCT, Kinds, energy_of, model_of, way_of
from neuralpower.modeling.baselines import Device, score_baselines
from neuralpower.modeling.data import Layers
from neuralpower.modeling.features import Array
from neuralpower.modeling.fitting import (
    Choice,
    FitOptions,
    Fitted,
    build_model,
    choose,
    finish,
    fit_layers,
    limited,
)
from neuralpower.modeling.inference import infer_all
from neuralpower.modeling.metrics import rmspe
from neuralpower.modeling.models import Model, within
from neuralpower.modeling.selection import TooFewError
from neuralpower.modeling.ways import DIRECT, Way, best_of, nested


def fit_kind(
    kinds: Kinds, options: FitOptions, device: Device, provenance: Mapping[str, object]
) -> Fitted:
    """A model from the rows of the kind, or of all kinds, whichever errs less out of fold.

    A kind with too few rows to be cross-validated gets that of all kinds, without scores.
    """
    own = kinds.own
    if own is not None:
        with suppress(TooFewError):
            return _better(own, kinds, options, device, provenance)
    model = model_of(kinds, device)
    return Fitted({**model.facts, **model.to_json()}, [], [], {})


def _better(
    own: Layers,
    kinds: Kinds,
    options: FitOptions,
    device: Device,
    provenance: Mapping[str, object],
) -> Fitted:
    direct = choose(own, options)
    folds = [deal.problem.folds for deal in direct.deals[: len(direct.selection.dealt)]]
    way = way_of(kinds, folds)
    [part] = way.parts
    model = build_model(own, part.equations, part.anchor, way.dealt[0], ALIKE)
    return _chosen(direct, own, way, model, device, provenance)


def fit_energy(
    own: Layers | None,
    options: FitOptions,
    device: Device,
    factors: tuple[Fitted, Fitted],
    provenance: Mapping[str, object],
) -> Fitted:
    """Energy of a kind with few rows: a model of these, or power times runtime if that errs less.

    ``factors``: power and runtime of the kind.
    """
    power, runtime = (Model.from_json(fitted.model) for fitted in factors)
    model = energy_of(power, runtime)
    if own is not None:
        with suppress(TooFewError):
            direct = choose(own, options)
            dealt = _products(own, *map(_out_of_fold, factors))
            if len(dealt) < len(direct.selection.dealt):
                # Not to be checked row by row: then the rows themselves, which can be.
                return fit_layers(own, options, device, provenance)
            built = build_model(own, model.equations, model.anchor, dealt[0], PRODUCT)
            built = replace(built, source=model.source, exponent=model.exponent, parts=model.parts)
            way = Way(PRODUCT, (), dealt)
            return _chosen(direct, own, way, built, device, provenance)
    return Fitted({**model.facts, **model.to_json()}, [], [], {})


def _chosen(
    direct: Choice,
    own: Layers,
    way: Way,
    model: Model,
    device: Device,
    provenance: Mapping[str, object],
) -> Fitted:
    """The model of the kind's own rows, or ``model`` of ``way``, by ``_error`` over all deals."""
    ways = [Way(DIRECT, (), direct.selection.dealt), way]
    folds = [deal.problem.folds for deal in direct.deals[: len(direct.selection.dealt)]]
    dealt = nested(ways, own.measured, folds, _error)
    terms = model.n_terms
    taken = best_of(ways, own.measured, error=_error) == 1
    model = model if taken else direct.model()
    if model.target == "power_w":
        limits = (device.idle_power_w, device.power_cap_w)
        model = limited(model, own, ways[int(taken)].dealt[0], limits)
    baselines = {b.name: b.to_json() for b in score_baselines(direct.problem, device)}
    fitted = finish(
        direct,
        own,
        model,
        [within(predicted, model.limits) for predicted in dealt],
        baselines,
        {
            "inference": [] if taken else infer_all(own, direct.selection.equations),
            "provenance": {"data_sha256": own.checksum(), **provenance},
        },
    )
    error = float(np.mean([rmspe(own.measured, predicted) for predicted in way.dealt]))
    tried = [{**row, "chosen": 0 if taken else row["chosen"]} for row in fitted.cross_validation]
    tried.append(
        {
            "family": own.family,
            "target": own.target,
            "candidate": way.name,
            "n_terms": terms,
            "rmspe": error,
            "standard_error": "",
            "chosen": int(taken),
        }
    )
    return replace(fitted, cross_validation=tried)


def _error(dealt: Sequence[Array], measured: Array) -> float:
    """Mean size of ln(predicted / measured): next to nothing is no good prediction, as it is for
    relative errors, where a constant fits six launches and one layer of five hundred times."""
    return float(np.mean([np.abs(np.log(predicted / measured)).mean() for predicted in dealt]))


def _out_of_fold(fitted: Fitted) -> dict[tuple[int, str], float]:
    """Out-of-fold predictions by deal and key of the configuration."""
    return {(row["deal"], row["key"]): row["predicted"] for row in fitted.out_of_fold}


def _products(
    own: Layers, power: Mapping[tuple[int, str], float], runtime: Mapping[tuple[int, str], float]
) -> tuple[Array, ...]:
    """Power times runtime out of fold, (n,) a deal, as far as both were predicted."""
    keys, dealt = own.keys(), []
    for deal in sorted({deal for deal, _ in power} & {deal for deal, _ in runtime}):
        places = [(deal, key) for key in keys]
        if not all(place in power and place in runtime for place in places):
            break
        dealt.append(np.array([power[place] * runtime[place] for place in places]))
    return tuple(dealt)
