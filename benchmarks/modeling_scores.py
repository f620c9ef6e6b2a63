"""Scores of fitted models beside their baselines, as the table of docs/accuracy.md.

    python benchmarks/modeling_scores.py MODELS_DIR... [--write docs/accuracy.md]

MODELS_DIR is a folder that `fit` (or `published refit`) wrote. Every figure is out of fold, as it
is in their files: nested selection, ten folds by configuration; a mean of three deals of the
folds below 200 configurations. The table replaces what is between the markers of the file.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from neuralpower.core.files import write_text
from neuralpower.modeling.models import Model, load_models

BEGIN, END = "<!-- scores: begin -->\n", "<!-- scores: end -->\n"

#: The best known column before this project (design, modelling.md), RMSPE in %; conv runtimes of
#: the GPU sets have their own figures.
TO_BEAT = {
    ("a100-pytorch", "conv", "runtime_ms"): 22.0,
    ("a100-pytorch", "fc", "runtime_ms"): 9.6,
    ("p100-pytorch", "conv", "runtime_ms"): 24.5,
    ("p100-pytorch", "fc", "runtime_ms"): 10.5,
    ("getzner-xeon5120", "conv", "runtime_ms"): 27.7,
    ("getzner-xeon5120", "fc", "runtime_ms"): 9.1,
    ("getzner-xeon5120", "pool", "runtime_ms"): 6.5,
    ("raptorlake-pytorch", "conv", "runtime_ms"): 22.8,
    ("raptorlake-pytorch", "conv", "power_w"): 19.1,
    ("raptorlake-pytorch", "fc", "runtime_ms"): 15.0,
    ("raptorlake-pytorch", "pool", "runtime_ms"): 4.9,
    ("raptorlake-pytorch", "pool", "power_w"): 5.4,
    ("1080ti-tensorflow", "conv", "runtime_ms"): 16.7,
    ("1080ti-tensorflow", "fc", "runtime_ms"): 10.8,
    ("edge-gpu-pytorch", "conv", "runtime_ms"): 30.0,
    ("edge-gpu-pytorch", "conv", "power_w"): 11.0,
    ("a30-pytorch-fp32", "conv", "power_w"): 8.6,
    ("a30-pytorch-fp32", "conv", "runtime_ms"): 24.5,
    ("a30-pytorch-fp32", "conv", "energy_mj"): 22.8,
    ("a30-pytorch-tf32", "conv", "power_w"): 5.4,
    ("a30-pytorch-tf32", "conv", "runtime_ms"): 21.4,
    ("a30-pytorch-tf32", "conv", "energy_mj"): 21.0,
    ("ort-cpu", "conv", "runtime_ms"): 24.4,
    ("ort-cpu", "deconv", "runtime_ms"): 50.0,
    ("ort-cpu", "prelu", "runtime_ms"): 40.0,
    ("ort-cpu", "scale", "runtime_ms"): 35.0,
    ("ort-cpu", "pool", "runtime_ms"): 35.0,
    ("caffe-cpu", "conv", "runtime_ms"): 27.5,
    ("caffe-cpu", "fc", "runtime_ms"): 23.1,
}
HEADER = (
    "| set, layer, target | n | constant | work | roofline | Paleo | paper | to beat "
    "| **NeuralPower** RMSPE / MAPE / within 10 % | in sample | terms | interval: coverage, width, "
    "score |\n"
    "|---|---|---|---|---|---|---|---|---|---|---|---|\n"
)


def main() -> int:
    """Print or, if asked, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+", metavar="MODELS_DIR")
    parser.add_argument("--write", type=Path)
    arguments = parser.parse_args()
    sets = {models.platform: models for models in map(load_models, arguments.folders)}
    table = HEADER + "".join(
        _line(name, model)
        for name in sorted(sets)
        for _, model in sorted(sets[name].models.items())
        if model.facts["scores"]  # of kinds that were hardly measured there are none
    )
    if arguments.write is None:
        sys.stdout.write(table)
        return 0
    text = arguments.write.read_text()
    head, rest = text.split(BEGIN)
    tail = rest.split(END)[1]
    write_text(arguments.write, head + BEGIN + table + END + tail)
    return 0


def _line(name: str, model: Model) -> str:
    scores, beside = model.facts["scores"], model.facts["baselines"]

    def baseline(*names: str) -> str:
        found: list[float] = [beside[n] for n in names if n in beside]
        return f"{found[0]:.3g}" if found else ""

    goal = TO_BEAT.get((name, model.family, model.target))
    low, high = scores.get("rmspe_range", (None, None))
    deals = "" if low is None else f" ({low:.1f}-{high:.1f})"
    cells = [
        f"{name} {model.family} {model.target.partition('_')[0]}",
        f"{scores['n']}",
        baseline("constant"),
        baseline("macs", "elements"),
        baseline("roofline"),
        baseline("paleo_fitted"),
        baseline("paper"),
        "" if goal is None else f"{goal:g}",
        f"**{scores['rmspe']:.1f}**{deals} / {scores['mape']:.1f} / {scores['within_10']:.0f}",
        f"{model.facts['in_sample']['rmspe']:.1f}",
        f"{model.n_terms}" + (f" + {model.n_neighbours} layers" if model.n_neighbours else ""),
        f"{scores['interval_coverage']:.0f} %, {scores['interval_width']:.0f} %, "
        f"{scores['interval_score']:.0f}",
    ]
    return "| " + " | ".join(cells) + " |\n"


if __name__ == "__main__":
    raise SystemExit(main())
