"""Speed of fitting and predicting, in CPU seconds of one core.

    python benchmarks/modeling_bench.py [--set FOLDER] [--rows 1000 10000 100000]

Fitting: the whole default grid with ten nested outer folds, against one
`sklearn.linear_model.LassoCV(cv=10, alphas=100)` on the paper's terms of the same rows. `--set`
names a folder of measurements and `--family` one of its families; without it, and for the growth
with rows, a made-up convolution table takes its place (speed does not depend on the figures in it).
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from neuralpower.caffe.network import load_network
from neuralpower.modeling.data import Layers, load_dataset
from neuralpower.modeling.features import FeatureTable
from neuralpower.modeling.fitting import FitOptions, choose
from neuralpower.modeling.libraries import paper
from neuralpower.modeling.models import Model, ModelSet
from neuralpower.modeling.terms import TermTable
from neuralpower.networks.composition import predict_networks


def made_up(rows: int) -> Layers:
    """Square convolutions of random sizes with a smooth cost and 10 % noise; no measurement."""
    generator = np.random.default_rng(rows)

    def log_uniform(low: float, high: float) -> np.ndarray:
        return np.round(np.exp(generator.uniform(np.log(low), np.log(high), rows)))

    size, kernel = log_uniform(8, 128), generator.choice([1.0, 3.0, 5.0], rows)
    columns = {
        "batch": log_uniform(1, 64),
        "in_channels": log_uniform(3, 512),
        "out_channels": log_uniform(8, 512),
        **dict.fromkeys(("in_height", "in_width", "out_height", "out_width"), size),
        **dict.fromkeys(("kernel_height", "kernel_width"), kernel),
        **dict.fromkeys(("pad_height", "pad_width"), (kernel - 1.0) / 2.0),
    }
    for name, value in (("stride", 1.0), ("dilation", 1.0)):
        columns |= dict.fromkeys((f"{name}_height", f"{name}_width"), np.full(rows, value))
    columns |= {"groups": np.ones(rows), "bias": np.ones(rows), "inputs": np.ones(rows)}
    columns["pool_method"] = np.full(rows, "")
    table = FeatureTable(columns, "conv")
    cost = 0.02 + 1e-9 * table["macs"] + 1e-7 * table["moved_elements"]
    measured = cost * np.exp(0.1 * generator.standard_normal(rows))
    groups = tuple(str(i) for i in range(rows))
    return Layers(
        "conv", "runtime_ms", columns, measured, np.ones(rows, int), np.zeros(rows), groups
    )


def lasso_seconds(layers: Layers) -> tuple[float, int]:
    """CPU seconds of one LassoCV on all of the paper's terms, and their number."""
    from sklearn.linear_model import LassoCV

    terms = paper(layers.table(), layers.family, layers.target, all_terms=True)[1:]
    matrix = TermTable(layers.table()).matrix(terms)
    spread = matrix.std(axis=0)
    matrix = (matrix - matrix.mean(axis=0)) / np.where(spread > 0.0, spread, 1.0)
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        LassoCV(cv=10, alphas=100).fit(matrix, layers.measured)
    return time.process_time() - start, len(terms)


def grid_seconds(layers: Layers) -> tuple[float, Model]:
    """CPU seconds of the nested grid, and the model that it chose."""
    start = time.process_time()
    choice = choose(layers, FitOptions())
    return time.process_time() - start, choice.model()


def peak_mb() -> float:
    """Peak memory of this process, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--set", type=Path)
    parser.add_argument("--family", default="conv")
    parser.add_argument("--rows", nargs="*", type=int, default=[1000, 10_000, 100_000])
    arguments = parser.parse_args()
    if arguments.set:
        layers = load_dataset(arguments.set).layers[arguments.family, "runtime_ms"]
    else:
        layers = made_up(5000)
    lasso, terms = lasso_seconds(layers)
    grid, model = grid_seconds(layers)
    print(f"{len(layers)} rows of {layers.family}: LassoCV on {terms} terms {lasso:.2f} s,")
    print(f"  nested grid {grid:.2f} s: ratio {grid / lasso:.1f}; peak memory {peak_mb():.0f} MB")
    predict_speed(layers, model)
    network_speed(model)
    for rows in arguments.rows:
        seconds, _ = grid_seconds(made_up(rows))
        print(
            f"{rows} made-up rows: {seconds:.1f} s, {1e3 * seconds / rows:.2f} ms per row, ", end=""
        )
        print(f"peak {peak_mb():.0f} MB")


def predict_speed(layers: Layers, model: Model) -> None:
    """Layers a second of a large table, and the time of one network of 1,000 layers."""
    for rows in (1_000_000, 1000):
        pick = np.random.default_rng(0).integers(0, len(layers), rows)
        columns = {name: values[pick] for name, values in layers.columns.items()}
        model.predict({name: values[:10] for name, values in columns.items()})
        start = time.process_time()
        model.predict(columns)
        seconds = time.process_time() - start
        print(
            f"predict {rows} layers with {model.n_terms} terms: {1e3 * seconds:.1f} ms, "
            f"{rows / seconds / 1e6:.2f} million a second"
        )


def network_speed(model: Model) -> None:
    """The time of one network of 1,000 convolutions: layers, totals and intervals."""
    lines = ["input: 'b0' input_shape { dim: 4 dim: 16 dim: 32 dim: 32 }"]
    for i in range(1000):
        lines.append(
            f"layer {{ name: 'c{i}' type: 'Convolution' bottom: 'b{i}' top: 'b{i + 1}' "
            f"convolution_param {{ num_output: {16 + i % 48} kernel_size: 3 pad: 1 }} }}"
        )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "thousand.prototxt"
        path.write_text("\n".join(lines))
        start = time.process_time()
        network = load_network(path)
        reading = time.process_time() - start
    models = ModelSet("made up", {("conv", "runtime_ms"): model})
    predict_networks([network], models)
    start = time.process_time()
    predict_networks([network], models)
    seconds = time.process_time() - start
    print(
        f"predict a network of {len(network.layers)} layers: {1e3 * seconds:.0f} ms "
        f"(reading its prototxt: {1e3 * reading:.0f} ms)"
    )


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
