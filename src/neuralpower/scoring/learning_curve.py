"""Accuracy against the number of measured configurations: how many are worth measuring."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from neuralpower.core.file_names import LEARNING_CURVE
from neuralpower.core.files import csv_text, write_text
from neuralpower.modeling.data import Dataset, Layers
from neuralpower.modeling.fitting import FitOptions, choose
from neuralpower.modeling.metrics import coverage, rmspe, scores
from neuralpower.modeling.models import Model, ModelSet, load_models
from neuralpower.modeling.selection import TooFewError
from neuralpower.modeling.transfer import load_sources, transfer_layers

COLUMNS = (
    *("family", "target", "configurations", "draw", "rmspe", "mape", "within_10", "coverage"),
    "expected_rmspe",
)
SIZES = (25, 50, 100, 200, 400, 800, 1600, 3200, 6400)
DRAWS = 3
#: Rows that must be left to score a model on.
LEFT = 20


#: A model, and the RMSPE (%) that nested cross-validation promises of it.
Fit = Callable[[Layers], tuple[Model, float]]


def learning_curve(
    layers: Layers,
    options: FitOptions | None = None,
    sizes: Sequence[int] = SIZES,
    fit: Fit | None = None,
    left: int = LEFT,
) -> Iterator[dict[str, object]]:
    """Fit on ``DRAWS`` random parts of every size and score on all the other rows.

    ``expected_rmspe`` is what nested cross-validation promised from the part alone. ``fit``: how a
    part becomes a model, without it as ``fit`` does; ``left``: rows to score on at least.
    """
    options = options or FitOptions()
    if fit is None:

        def fit(part: Layers) -> tuple[Model, float]:
            choice = choose(part, options)
            return choice.model(), rmspe(part.measured, choice.selection.predicted)

    keys = layers.keys()
    for size in sizes:
        if size > len(layers) - left:
            return
        for draw in range(DRAWS):
            order = sorted(range(len(keys)), key=lambda i: _place(options.seed, draw, keys[i]))
            inside = np.array(sorted(order[:size]))
            outside = np.array(sorted(order[size:]))
            part, rest = layers.take(inside), layers.take(outside)
            try:
                model, expected = fit(part)
            except TooFewError:  # a part of fewer groups than folds need, say: no point of a curve
                continue
            guess = model.predict(rest.columns)
            found = scores(rest.measured, guess.value)
            yield {
                "family": layers.family,
                "target": layers.target,
                "configurations": size,
                "draw": draw,
                "rmspe": found["rmspe"],
                "mape": found["mape"],
                "within_10": found["within_10"],
                "coverage": coverage(rest.measured, guess.lo, guess.hi),
                "expected_rmspe": expected,
            }


def _place(seed: int, draw: int, key: str) -> bytes:
    return hashlib.sha256(f"{seed} {draw} {key}".encode()).digest()


def write_learning_curve(data: Dataset, path: Path, options: FitOptions | None = None) -> None:
    """The curves of all families and targets as a CSV table, which the platform's page draws."""
    rows = [row for layers in data.layers.values() for row in learning_curve(layers, options)]
    write_text(path, csv_text(COLUMNS, rows))


#: Shares of the rows of a new device that its curve is drawn through, beside all of them.
PARTS = (4, 2)
#: Fewer rows than this have no parts to speak of.
FEWEST_OF_A_CURVE = 24
LEFT_OF_FEW = 12


def write_transfer_curve(
    sources: Sequence[str | Path],
    data: Dataset,
    models_dir: Path,
    options: FitOptions | None = None,
) -> list[dict[str, object]]:
    """The curve of runtime of transferred models, beside them; families of few rows have none.

    A quarter and a half of the rows, scored on the rest, and all of them, scored out of fold.
    Returns the rows of the table; none is written where no family has enough.
    """
    options = options or FitOptions()
    given, own = load_sources(sources), load_models(models_dir)
    rows: list[dict[str, object]] = []
    for (family, target), layers in sorted(data.layers.items()):
        n, model = len(layers), own.get(family, target)
        if target != "runtime_ms" or n < FEWEST_OF_A_CURVE or model is None:
            continue
        fit = _transferred(given, family, options)
        rows += learning_curve(layers, options, [n // part for part in PARTS], fit, LEFT_OF_FEW)
        found = model.facts["scores"]
        rows.append(
            {
                "family": family,
                "target": target,
                "configurations": n,
                "draw": 0,
                **{name: found[name] for name in ("rmspe", "mape", "within_10")},
                "coverage": found["interval_coverage"],
                "expected_rmspe": found["rmspe"],
            }
        )
    if rows:
        write_text(models_dir / LEARNING_CURVE, csv_text(COLUMNS, rows))
    return rows


def _transferred(given: Mapping[str, ModelSet], family: str, options: FitOptions) -> Fit:
    sources = {name: m for name, old in given.items() if (m := old.get(family, "runtime_ms"))}

    def fit(part: Layers) -> tuple[Model, float]:
        value = transfer_layers(sources, part, options).model
        try:
            return Model.from_json(value), float(value["scores"]["rmspe"])
        except ValueError as error:
            raise TooFewError(str(error)) from None

    return fit
