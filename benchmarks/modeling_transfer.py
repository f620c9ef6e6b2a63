"""Few measurements of a new device: transferred models against models fitted on them alone.

    python benchmarks/modeling_transfer.py TARGET_FOLDER --models MODELS_DIR... [--families conv fc]

Of the target, `--counts` configurations are taken: drawn at random (`--draws` times), and chosen
as `neuralpower sweep --choose --given` would. What is transferred and what is fitted directly on
them is scored on all its other configurations. Prints a Markdown table of median RMSPE (%).
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from neuralpower.modeling.data import Layers, load_dataset
from neuralpower.modeling.designs import MOST, most_informative
from neuralpower.modeling.fitting import FitOptions
from neuralpower.modeling.metrics import rmspe
from neuralpower.modeling.models import Model, ModelSet, load_models
from neuralpower.modeling.transfer import transfer_layers
from neuralpower.records.folder import load_platform


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", type=Path)
    parser.add_argument("--models", type=Path, nargs="+", required=True)
    parser.add_argument("--families", nargs="*", default=["conv", "fc"])
    parser.add_argument("--target-of", default="runtime_ms")
    parser.add_argument("--counts", nargs="*", type=int, default=[10, 30, 100])
    parser.add_argument("--draws", type=int, default=3)
    arguments = parser.parse_args()
    given = [load_models(folder) for folder in arguments.models]
    name, data = load_platform(arguments.target).name, load_dataset(arguments.target)
    what = arguments.target_of
    for family in arguments.families:
        layers = data.layers[family, what]
        sources = {m.platform: model for m in given if (model := m.get(family, what)) is not None}
        for count in arguments.counts:
            drawn = [_random(layers, count, draw) for draw in range(arguments.draws)]
            found = np.median([_scores(sources, layers, rows) for rows in drawn], axis=0)
            moved, direct, scaled = found.tolist()
            best = _scores(sources, layers, _chosen(layers, count, given))
            print(
                f"| {', '.join(sources)} to {name} {family} | {count} | {scaled:.1f} | "
                f"{moved:.1f} | {direct:.1f} | {best[0]:.1f} | {best[1]:.1f} |",
                flush=True,
            )


def _random(layers: Layers, count: int, draw: int) -> np.ndarray:
    order = sorted(
        range(len(layers)),
        key=lambda i: hashlib.sha256(f"{draw} {i} {layers.family}".encode()).digest(),
    )
    return np.array(sorted(order[:count]))


def _chosen(layers: Layers, count: int, given: Sequence[ModelSet]) -> np.ndarray:
    # Of a large set a random part: the rows stand in the order of their measurement.
    part = _random(layers, min(MOST, len(layers)), 0)
    columns = layers.take(part).columns
    return np.sort(part[most_informative(columns, layers.family, count, given)])


def _scores(sources: dict[str, Model], layers: Layers, rows: np.ndarray) -> list[float]:
    part = layers.take(rows)
    rest = layers.take(np.setdiff1d(np.arange(len(layers)), rows))

    def scored(model: Model) -> float:
        return rmspe(rest.measured, model.predict(rest.columns).value)

    scaled = []
    for model in sources.values():
        old = model.predict(part.columns).value / part.measured
        factor = float(old.sum() / (old**2).sum())
        scaled.append(rmspe(rest.measured, factor * model.predict(rest.columns).value))
    return [
        scored(Model.from_json(transfer_layers(sources, part, FitOptions()).model)),
        scored(Model.from_json(transfer_layers({}, part, FitOptions()).model)),
        min(scaled),
    ]


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
