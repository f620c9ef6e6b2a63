"""Scores of the models on recorded measurement sets, as the table of docs/accuracy.md.

    python benchmarks/modeling_scores.py FOLDER [--sets NAME...] [--write docs/accuracy.md]

FOLDER holds a folder of tables a set. Every figure is out of fold (nested selection, ten folds by
configuration, seed 0); `--seeds 0 1 2` gives the mean over the ways of dealing the folds. The
table replaces what stands between the markers of the file.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from neuralpower.core.files import write_text
from neuralpower.modeling.data import load_dataset
from neuralpower.modeling.fitting import FEWEST, FitOptions, fit_layers
from neuralpower.records.folder import discover

BEGIN, END = "<!-- scores: begin -->\n", "<!-- scores: end -->\n"

#: The best known column before this project (design, modelling.md), RMSPE in %; conv runtimes of
#: the GPU sets have figures of their own.
TO_BEAT = {
    ("neusight-a100", "conv", "runtime_ms"): 22.0,
    ("neusight-a100", "fc", "runtime_ms"): 9.6,
    ("neusight-p100", "conv", "runtime_ms"): 24.5,
    ("neusight-p100", "fc", "runtime_ms"): 10.5,
    ("getzner-xeon5120", "conv", "runtime_ms"): 27.7,
    ("getzner-xeon5120", "fc", "runtime_ms"): 9.1,
    ("getzner-xeon5120", "pool", "runtime_ms"): 6.5,
    ("cunningham-raptorlake", "conv", "runtime_ms"): 22.8,
    ("cunningham-raptorlake", "conv", "power_w"): 19.1,
    ("cunningham-raptorlake", "fc", "runtime_ms"): 15.0,
    ("cunningham-raptorlake", "pool", "runtime_ms"): 4.9,
    ("cunningham-raptorlake", "pool", "power_w"): 5.4,
    ("justus-1080ti", "conv", "runtime_ms"): 16.7,
    ("justus-1080ti", "fc", "runtime_ms"): 10.8,
    ("neurstruc-edge", "conv", "runtime_ms"): 30.0,
    ("neurstruc-edge", "conv", "power_w"): 11.0,
    ("caffe-cpu", "conv", "runtime_ms"): 27.5,
    ("caffe-cpu", "fc", "runtime_ms"): 23.1,
}
HEADER = (
    "| set, layer, target | n | constant | work | roofline | Paleo | paper | to beat "
    "| **NeuralPower** RMSPE / MAPE / within 10 % | in sample | terms | interval: coverage, width "
    "| chosen |\n"
    "|---|---|---|---|---|---|---|---|---|---|---|---|---|\n"
)


def main() -> int:
    """Score, print and, if asked, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", nargs="*", default=[])
    parser.add_argument("--seeds", nargs="*", type=int, default=[0])
    parser.add_argument("--write", type=Path)
    arguments = parser.parse_args()
    lines = []
    for platform in discover(arguments.folder):
        if arguments.sets and platform.name not in arguments.sets:
            continue
        for (family, target), layers in sorted(load_dataset(platform).layers.items()):
            if len(layers) < FEWEST:
                continue
            fits = [fit_layers(layers, FitOptions(seed=s)).model for s in arguments.seeds]
            line = _line(platform.name, family, target, fits)
            sys.stderr.write(line)
            lines.append(line)
    table = HEADER + "".join(lines)
    if arguments.write is None:
        sys.stdout.write(table)
        return 0
    text = arguments.write.read_text()
    head, rest = text.split(BEGIN)
    tail = rest.split(END)[1]
    write_text(arguments.write, head + BEGIN + table + END + tail)
    return 0


def _line(name: str, family: str, target: str, fits: list[dict[str, Any]]) -> str:
    def mean(*keys: str) -> float:
        total = 0.0
        for fit in fits:
            value: Any = fit
            for key in keys:
                value = value[key]
            total += value
        return total / len(fits)

    first = fits[0]
    beside = first["baselines"]

    def baseline(*names: str) -> str:
        found = [mean("baselines", n) for n in names if n in beside]
        return f"{found[0]:.3g}" if found else ""

    rmspe = mean("scores", "rmspe")
    goal = TO_BEAT.get((name, family, target))
    figures = f"{rmspe:.1f} / {mean('scores', 'mape'):.1f} / {mean('scores', 'within_10'):.0f}"
    cells = [
        f"{name} {family} {target.partition('_')[0]}",
        f"{first['scores']['n']}",
        baseline("constant"),
        baseline("macs", "elements"),
        baseline("roofline"),
        baseline("paleo_fitted"),
        baseline("paper"),
        "" if goal is None else f"{goal:g}",
        f"**{figures}**",
        f"{mean('in_sample', 'rmspe'):.1f}",
        f"{mean('n_terms'):.0f}",
        f"{mean('scores', 'interval_coverage'):.1f} %, {mean('scores', 'interval_width'):.0f} %",
        first["candidate"],
    ]
    return "| " + " | ".join(cells) + " |\n"


if __name__ == "__main__":
    with threadpool_limits(1):
        raise SystemExit(main())
