"""What models say beyond the range that they were fitted on: errors and coverage by distance.

    python benchmarks/modeling_beyond.py FOLDER FAMILY [--target power_w]

Ranges of a set are cut: models are fitted on the layers with the least (the largest) 35 and 70 % of
batch sizes, channels and maps, and on one batch size (or one nearly so), and predict the layers
that are cut off. Distances are natural logarithms of how many times the range is left, in all
columns together.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from neuralpower.modeling.beyond import times_outside
from neuralpower.modeling.candidates import DEFAULT_CANDIDATES
from neuralpower.modeling.data import Layers, load_dataset
from neuralpower.modeling.fitting import FitOptions, choose
from neuralpower.modeling.selection import TooFewError

COLUMNS = ("batch", "in_channels", "out_channels", "in_height")
#: Layers to fit on, and to predict, at least; to fit on at most.
FEWEST, FEWEST_LEFT, MOST = 60, 20, 500
#: Ends of the parts of distances.
ENDS = (0.02, 0.3, 0.7, 1.2, 2.0, 3.0, np.inf)


def cuts(layers: Layers) -> Iterator[tuple[str, np.ndarray]]:
    """Names of cuts and the layers (n,) that are kept."""
    table = layers.table()
    for name in COLUMNS:
        values = table[name]
        for share in (0.35, 0.7):
            yield name, values <= np.quantile(values, share)
            yield name, values >= np.quantile(values, 1.0 - share)
    batch = table["batch"]
    for share in (0.15, 0.5, 0.85):
        apart = np.abs(np.log(batch / np.quantile(batch, share)))
        yield "batch", apart <= max(1e-9, float(np.sort(apart)[min(FEWEST, len(apart) - 1)]))


def main() -> None:
    """Print a row for each kind of cut and part of the distances."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("family")
    parser.add_argument("--target", default="runtime_ms")
    arguments = parser.parse_args()
    layers = load_dataset(arguments.folder).layers[arguments.family, arguments.target]
    found: dict[tuple[str, int], list[tuple[float, float, float]]] = {}
    generator = np.random.default_rng(0)
    for name, kept in cuts(layers):
        inside, left = np.flatnonzero(kept), np.flatnonzero(~kept)
        if len(inside) < FEWEST or len(left) < FEWEST_LEFT:
            continue
        if len(inside) > MOST:
            inside = np.sort(generator.choice(inside, MOST, replace=False))
        try:
            model = choose(layers.take(inside), FitOptions(DEFAULT_CANDIDATES)).model()
        except TooFewError:
            continue
        rest = layers.take(left)
        guess = model.predict(rest.columns)
        # The same values with the interval of inside the range: what was said before.
        narrow = replace(model, ranges={}).predict(rest.columns)
        times = times_outside(rest.table(), model.ranges)
        logs = [np.nan_to_num(np.log(one), nan=np.log(2.0)) for one in times.values()]
        distance = np.sqrt(np.sum(np.square(logs), axis=0)) if logs else np.zeros(len(left))
        error = np.abs(np.log(rest.measured / guess.value))
        holds = (rest.measured >= guess.lo) & (rest.measured <= guess.hi)
        held = (rest.measured >= narrow.lo) & (rest.measured <= narrow.hi)
        for part, (low, high) in enumerate(itertools.pairwise(ENDS)):
            rows = (distance >= low) & (distance < high)
            if rows.sum() >= FEWEST_LEFT:
                kind = "batch" if name == "batch" else "sizes"
                figures = (float(error[rows].mean()), float(holds[rows].mean()))
                found.setdefault((kind, part), []).append((*figures, float(held[rows].mean())))
    print("cut    distance     cuts  error %  holds %  without all this %")
    for (kind, part), each in sorted(found.items()):
        error_, holds_, held_ = (100.0 * np.mean(each, axis=0)).tolist()
        ends = f"{ENDS[part]:.2g} to {ENDS[part + 1]:.2g}"
        print(f"{kind:6s} {ends:12s} {len(each):4d} {error_:8.1f} {holds_:8.0f} {held_:8.0f}")


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
