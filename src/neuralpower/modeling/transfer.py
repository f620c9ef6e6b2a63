"""A new device from another one's models and a few measurements of its own.

The shape of the cost law is taken over; a factor of few, smooth terms is learnt from the ratio of
the new measurements to the old model's predictions: a scale per device, and corrections in the
logarithms of work and sizes as far as cross-validation proves them.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from neuralpower.core.errors import InputError
from neuralpower.core.targets import TARGETS
from neuralpower.modeling.crossvalidation import Candidate
from neuralpower.modeling.data import Layers, load_dataset
from neuralpower.modeling.fitting import (
    FitOptions,
    Fitted,
    build_model,
    choose,
    finish,
    fit_layers,
)
from neuralpower.modeling.models import Correction, Model, load_models
from neuralpower.modeling.platforms import PARTS, Work, write_models
from neuralpower.modeling.selection import TooFewError
from neuralpower.records.folder import load_platform
from neuralpower.records.sealing import refuse_changed

CANDIDATES = (Candidate("corrections", "log", "stepwise"),)


def transfer_layers(
    source: Model, layers: Layers, source_name: str, options: FitOptions | None = None
) -> Fitted:
    """The source's model, corrected with the new device's measurements of the same target.

    The score is out of fold: every row's factor comes from the other folds. Beside it,
    ``direct``, the score of a model fitted on the new measurements alone.
    Raises ``TooFewError`` as ``fitting.choose`` does.
    """
    options = options or FitOptions()
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
    choice = choose(ratio, FitOptions(CANDIDATES, options.folds, options.seed))
    [equation] = choice.selection.equations
    anchor = choice.problem.anchor()
    middle = math.exp(anchor.equation.coefficients[0])
    correction = Correction(equation, middle * anchor.lowest, middle * anchor.highest, source_name)
    dealt = [base * factor for factor in choice.selection.dealt]
    model = build_model(
        layers,
        source.equations,
        source.anchor,
        dealt[0],
        f"{source_name} x ({equation.candidate})",
        correction,
    )
    direct = fit_layers(layers, options)
    return finish(
        choice,
        layers,
        model,
        dealt,
        {**direct.baselines, "direct": _direct(direct)},
        {
            "inference": [],
            "provenance": {"data_sha256": layers.checksum(), "source": source_name},
        },
    )


def _direct(fitted: Fitted) -> dict[str, Any]:
    # Stored for its scores only: its equations stand in no baseline's form.
    return {"equations": [], "scores": fitted.model["scores"]}


def transfer_platform(
    source: str | Path,
    measurements: str | Path,
    out: str | Path,
    options: FitOptions | None = None,
) -> Path:
    """Models of the platform in ``measurements`` from the models folder ``source``.

    Families and targets that both have are transferred, others are fitted as ``fit`` does, with
    the candidates of ``options``.
    Raises ``InputError`` for faulty input or when nothing can be transferred.
    """
    models = load_models(source)
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
            model = models.get(family, target)
            if model is not None and model.correction is not None:
                raise InputError(
                    "these models were transferred themselves: start from measured ones",
                    path=source,
                )
            try:
                if model is None:
                    fitted = fit_layers(layers, options)
                else:
                    fitted = transfer_layers(model, layers, models.platform, options)
                    transferred += 1
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
