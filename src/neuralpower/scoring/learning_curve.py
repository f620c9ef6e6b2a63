"""Accuracy against the number of measured configurations: how many are worth measuring."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from neuralpower.core.files import csv_text, write_text
from neuralpower.modeling.data import Dataset, Layers
from neuralpower.modeling.fitting import FitOptions, choose
from neuralpower.modeling.metrics import coverage, rmspe, scores

COLUMNS = (
    *("family", "target", "configurations", "draw", "rmspe", "mape", "within_10", "coverage"),
    "expected_rmspe",
)
SIZES = (25, 50, 100, 200, 400, 800, 1600, 3200, 6400)
DRAWS = 3
#: Rows that must be left to score a model on.
LEFT = 20


def learning_curve(
    layers: Layers, options: FitOptions | None = None, sizes: Sequence[int] = SIZES
) -> Iterator[dict[str, object]]:
    """Fit on ``DRAWS`` random parts of every size and score on all the other rows.

    ``expected_rmspe`` is what nested cross-validation promised from the part alone.
    """
    options = options or FitOptions()
    keys = layers.keys()
    for size in sizes:
        if size > len(layers) - LEFT:
            return
        for draw in range(DRAWS):
            order = sorted(range(len(keys)), key=lambda i: _place(options.seed, draw, keys[i]))
            inside = np.array(sorted(order[:size]))
            outside = np.array(sorted(order[size:]))
            part, rest = layers.take(inside), layers.take(outside)
            choice = choose(part, options)
            guess = choice.model().predict(rest.columns)
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
                "expected_rmspe": rmspe(part.measured, choice.selection.predicted),
            }


def _place(seed: int, draw: int, key: str) -> bytes:
    return hashlib.sha256(f"{seed} {draw} {key}".encode()).digest()


def write_learning_curve(data: Dataset, path: Path, options: FitOptions | None = None) -> None:
    """The curves of all families and targets as a CSV table, which the platform's page draws."""
    rows = [row for layers in data.layers.values() for row in learning_curve(layers, options)]
    write_text(path, csv_text(COLUMNS, rows))
