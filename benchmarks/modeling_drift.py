"""How much of a set's error is drift that no function of the configuration can know.

    python benchmarks/modeling_drift.py FOLDER FAMILY [--target runtime_ms]

Scores the models twice, out of fold: as they are, and with the place of a row in its file given
as one more feature. A configuration does not tell its place, so the second score is no model's;
where it is far lower, the measurements drifted (or something unrecorded changed) along the file,
and the difference is a floor for any model of the configuration.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from neuralpower.core.configuration import CONFIGURATION_COLUMNS
from neuralpower.modeling import features, libraries
from neuralpower.modeling.crossvalidation import Candidate
from neuralpower.modeling.data import dataset
from neuralpower.modeling.fitting import FitOptions, choose
from neuralpower.modeling.metrics import rmspe
from neuralpower.records.folder import load_rows

CANDIDATES = (
    Candidate("wide", "relative", "stepwise"),
    Candidate("hinged logs", "log", "stepwise"),
)


def main() -> None:
    """Print both scores and the floor that they imply."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("family")
    parser.add_argument("--target", default="runtime_ms")
    arguments = parser.parse_args()
    rows = [r for r in load_rows(arguments.folder) if r.values["family"] == arguments.family]
    layers = dataset(rows).layers[arguments.family, arguments.target]
    options = FitOptions(CANDIDATES)
    plain = choose(layers, options).selection.predicted

    place: dict[tuple[object, ...], int] = {}
    for row in rows:
        text = str(row.values.get("pool_method", ""))
        values = (
            text if n == "pool_method" else int(row.values.get(n, 1))
            for n in CONFIGURATION_COLUMNS[1:]
        )
        place.setdefault((arguments.family, *values), row.number)
    number = np.array([place[key] for key in layers.rows()], dtype=np.float64)
    # Features enter by their logarithm: e^(0..1) makes that the place itself.
    layers.columns["place"] = np.exp(number / number.max())
    features.DEFAULTS["place"] = 1.0
    words = libraries.vocabulary(arguments.family)
    wider = dataclasses.replace(
        words, sizes=(*words.sizes, "place"), scales=(*words.scales, "place")
    )
    libraries.vocabulary = lambda family: wider
    placed = choose(layers, options).selection.predicted
    without, known = rmspe(layers.measured, plain), rmspe(layers.measured, placed)
    floor = np.sqrt(max(without**2 - known**2, 0.0))
    name = f"{arguments.folder.name} {arguments.family} {arguments.target}"
    print(f"{name}: {without:.1f} %, with the row's place {known:.1f} %, drift {floor:.1f} %")


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
