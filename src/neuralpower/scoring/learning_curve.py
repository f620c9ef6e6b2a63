"""Accuracy against the number of measured configurations: how many are worth measuring."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

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
) -> Iterator[dict[str, Any]]:
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
    """The curves of all families and targets as a CSV table, and as a figure beside it (SVG)."""
    rows = [row for layers in data.layers.values() for row in learning_curve(layers, options)]
    write_text(path, csv_text(COLUMNS, rows))
    write_text(path.with_suffix(".svg"), _figure(rows))


def _figure(rows: Sequence[dict[str, Any]]) -> str:
    import io

    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    # No date and a fixed salt: the same rows draw the same bytes.
    with pyplot.rc_context({"svg.hashsalt": "neuralpower", "svg.fonttype": "none"}):
        figure, axes = pyplot.subplots(figsize=(7, 4.5), layout="constrained")
        for name in dict.fromkeys((row["family"], row["target"]) for row in rows):
            own = [row for row in rows if (row["family"], row["target"]) == name]
            sizes = sorted({row["configurations"] for row in own})
            middle = [
                float(np.median([r["rmspe"] for r in own if r["configurations"] == size]))
                for size in sizes
            ]
            axes.plot(sizes, middle, marker="o", label=f"{name[0]} {name[1].partition('_')[0]}")
        axes.set(xscale="log", yscale="log", xlabel="measured configurations")
        axes.set_ylabel("RMSPE on the others, %")
        if rows:
            axes.legend()
        stream = io.StringIO()
        figure.savefig(stream, format="svg", metadata={"Date": None})
        pyplot.close(figure)
    return stream.getvalue()
