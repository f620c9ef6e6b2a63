"""The card of a published platform: what was measured by whom, and how far its models can be
trusted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from neuralpower.core.targets import LABELS, TARGETS
from neuralpower.networks.text import number
from neuralpower.project.published import Published
from neuralpower.scoring.accuracy import Accuracy, LayerScores


def card(published: Published, accuracy: Accuracy) -> str:
    """The card as Markdown, from the recipe, the models' index and their accuracy."""
    recipe, index = published.recipe, published.index()
    source = recipe.source
    lines = [
        f"# {recipe.title}",
        "",
        "Models from public measurements; the data are not part of this repository. Measured by "
        f"{source.authors}, not by us; fitted and scored by us. Written by "
        "`neuralpower published refit --write`: change the recipe.",
        "",
        "| | |",
        "|---|---|",
        f"| device | {recipe.device} |",
        f"| software | {recipe.software} |",
        *_facts(recipe.facts),
        f"| batch sizes measured | {_batches(recipe.batch_sizes)} |",
        f"| source | {source.title}, {source.authors}: {source.repository} at {source.commit} |",
        f"| licence, as stated there | {source.licence} |",
        *(
            ("| files | our conversion; the source's repository does not hold them |",)
            if source.converted
            else ()
        ),
        "",
        recipe.description,
        "",
        "## Accuracy of layers",
        "",
        "Out of fold: ten folds by configuration, nested selection.",
        "",
        *_layers(accuracy.get("layers", {}), index.get("rows", {})),
        *_networks(accuracy),
        "## To know before use",
        "",
        *(f"- {' '.join(str(trap).split())}" for trap in recipe.facts.get("traps", ())),
        "",
        "## Refit",
        "",
        f"    neuralpower published fetch {recipe.name}"
        + (" --from FOLDER" if source.converted else ""),
        f"    neuralpower published refit {recipe.name}",
        "",
        f"Files: {', '.join(f'`{file.path}` ({file.bytes:,} bytes)' for file in recipe.files)}.",
        "",
    ]
    return "\n".join(lines)


def _batches(sizes: tuple[int, ...]) -> str:
    return ", ".join(map(str, sizes)) if sizes else "many"


def _facts(facts: Mapping[str, object]) -> list[str]:
    labels = {
        "sensor": "power sensor", "precision": "precision",
        "power_cap_w": "power limit of the board, W", "idle_power_w": "idle power, W",
        "peak_gflops": "peak, GFLOP/s (data sheet)",
        "bandwidth_gb_s": "memory bandwidth, GB/s (data sheet)", "power_reason": "power",
    }  # fmt: skip
    return [f"| {labels[key]} | {facts[key]} |" for key in labels if key in facts]


def _layers(layers: Mapping[str, LayerScores], rows: Mapping[str, object]) -> list[str]:
    lines = [
        "| layer | target | configurations | RMSPE % | MAPE % | constant, RMSPE % | terms | "
        "90 % intervals hold, % |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for family, targets in sorted(layers.items()):
        for target in TARGETS:
            if (entry := targets.get(target)) is None:
                continue
            constant = entry.get("baselines", {}).get("constant")
            lines.append(
                f"| {family} | {LABELS[target]} | {entry['n']} | {entry['rmspe']:.1f} | "
                f"{entry['mape']:.1f} | {'' if constant is None else f'{constant:.3g}'} | "
                f"{entry['n_terms']} | {entry['interval_coverage']:.0f} |"
            )
    return [*lines, ""]


def _networks(accuracy: Mapping[str, Any]) -> list[str]:
    networks, summary = accuracy.get("networks", {}), accuracy.get("network_summary", {})
    if not networks:
        return ["## Whole networks", "", "None was measured.", ""]
    how = accuracy.get("networks_held_out")
    by_models = (
        "models that were fitted without any configuration that occurs in it"
        if how == "by configuration"
        else "models of single layers"
    )
    lines = [
        "## Whole networks",
        "",
        f"Each network is predicted by {by_models}, and by what the other networks teach about "
        "adding layers up. Measured / predicted (90 % interval).",
        "",
        "| network | batch | runtime, ms | power, W | energy, mJ |",
        "|---|---|---|---|---|",
    ]
    for name, targets in sorted(networks.items()):
        for i, first in enumerate(targets["runtime_ms"]):
            cells = [
                _cell(targets[target][i]) if i < len(targets.get(target, ())) else ""
                for target in TARGETS
            ]
            lines.append(f"| {name} | {first['batch']} | {' | '.join(cells)} |")
    means = [f"{summary[t]['mape']:.1f}" if t in summary else "" for t in TARGETS]
    holds = [f"{summary[t]['interval_coverage']:.0f}" if t in summary else "" for t in TARGETS]
    lines.append(f"| **mean absolute error, %** | | {' | '.join(means)} |")
    lines.append(f"| **intervals hold, %** | | {' | '.join(holds)} |")
    missing = ", ".join(accuracy.get("networks_without_prototxt", ()))
    return [*lines, "", *([f"Measured, but not predicted (no Caffe form): {missing}.", ""]
                          if missing else [])]  # fmt: skip


def _cell(entry: Mapping[str, Any]) -> str:
    measured, predicted, lo, hi = (
        number(entry[key], 4) for key in ("measured", "predicted", "lo", "hi")
    )
    return f"{measured} / {predicted} ({lo} to {hi})"
