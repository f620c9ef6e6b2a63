"""Few measurements of a new device: transferred models against models fitted on them alone.

    python benchmarks/modeling_transfer.py SOURCE_FOLDER TARGET_FOLDER [--families conv fc]

The source's model is fitted on all its rows. Of the target, `--counts` configurations are drawn
(three times each); what is transferred and what is fitted directly is scored on all its others.
Prints a Markdown table of median RMSPE (%).
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from neuralpower.modeling.data import Layers, load_dataset
from neuralpower.modeling.fitting import FitOptions, choose
from neuralpower.modeling.metrics import rmspe
from neuralpower.modeling.models import Model
from neuralpower.modeling.transfer import transfer_layers
from neuralpower.records.folder import load_platform

DRAWS = 3


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--families", nargs="*", default=["conv", "fc"])
    parser.add_argument("--counts", nargs="*", type=int, default=[20, 50, 100])
    arguments = parser.parse_args()
    names = [load_platform(arguments.source).name, load_platform(arguments.target).name]
    source, target = load_dataset(arguments.source), load_dataset(arguments.target)
    for family in arguments.families:
        model = choose(source.layers[family, "runtime_ms"], FitOptions()).model()
        layers = target.layers[family, "runtime_ms"]
        for count in arguments.counts:
            found = np.median(
                [_scores(model, names[0], layers, count, draw) for draw in range(DRAWS)], axis=0
            )
            moved, direct, scaled = found.tolist()
            print(
                f"| {names[0]} to {names[1]} {family} | {count} | {scaled:.1f} | {moved:.1f} "
                f"| {direct:.1f} |",
                flush=True,
            )


def _scores(model: Model, name: str, layers: Layers, count: int, draw: int) -> list[float]:
    order = sorted(
        range(len(layers)),
        key=lambda i: hashlib.sha256(f"{draw} {i} {layers.family}".encode()).digest(),
    )
    part = layers.take(np.array(sorted(order[:count])))
    rest = layers.take(np.array(sorted(order[count:])))
    moved = Model.from_json(transfer_layers({name: model}, part, FitOptions()).model)
    direct = choose(part, FitOptions()).model()
    old = model.predict(part.columns).value / part.measured
    scale = float(old.sum() / (old**2).sum())
    return [
        rmspe(rest.measured, moved.predict(rest.columns).value),
        rmspe(rest.measured, direct.predict(rest.columns).value),
        rmspe(rest.measured, scale * model.predict(rest.columns).value),
    ]


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
