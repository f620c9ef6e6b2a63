"""Whole networks that were measured: the part of a platform's page that answers to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from neuralpower.networks.text import number
from neuralpower.reporting import figures_platform as figures
from neuralpower.reporting.network_page import slim
from neuralpower.reporting.results import PlatformResults
from neuralpower.reporting.tables import (
    Cell,
    Column,
    Table,
    figure,
    inline_download,
    per_cent,
    whole,
    word,
)

TARGETS = ("runtime_ms", "power_w", "energy_mj")


def validation_section(platform: PlatformResults) -> dict[str, Any] | None:
    """Network validation of a platform from its accuracy file; None where no network was."""
    accuracy = platform.accuracy
    networks = accuracy.get("networks", {})
    missing = ", ".join(accuracy.get("networks_without_prototxt", []))
    if not networks:
        if not missing:
            return None
        return {"text": "No measured network could be predicted.", "missing": missing,
                "summary": _summary({}), "figure": None, "table": _entries({}), "parts": None,
                "fusion": None}  # fmt: skip
    entries = [e["runtime_ms"] for e in networks.values() if e.get("runtime_ms")]
    return {
        "text": (
            f"{len(networks)} pairs of network and batch size were measured as whole forward "
            "passes and are predicted from models of single layers."
        ),
        "summary": _summary(accuracy.get("network_summary", {})),
        "figure": figures.networks(entries, "runtime_ms"),
        "table": _entries(networks),
        "parts": _parts(accuracy.get("network_decomposition", {})),
        "fusion": _fusion(accuracy.get("network_fusion", {})),
        "missing": missing,
    }


def _summary(summary: Mapping[str, Any]) -> Table:
    names = list(
        dict.fromkeys(n for target in summary.values() for n in target.get("baselines", {}))
    )
    columns = [
        Column("Quantity", False), Column("Pairs"), Column("MAPE %"), Column("RMSPE %"),
        Column("Median error %"), Column("Bias %"), Column("In the 90 % interval, %"),
        *(Column(f"{name} MAPE %") for name in names),
    ]  # fmt: skip
    rows = [
        [
            word(figures.NAMES[target]),
            whole(summary[target].get("n")),
            per_cent(summary[target].get("mape")),
            per_cent(summary[target].get("rmspe")),
            per_cent(summary[target].get("median_ape")),
            per_cent(summary[target].get("bias_percent")),
            per_cent(summary[target].get("interval_coverage")),
            *(per_cent(summary[target].get("baselines", {}).get(n), "q") for n in names),
        ]
        for target in TARGETS
        if target in summary
    ]
    return slim(
        Table("network-summary", "Scores of whole networks",
              "Error of predicted whole passes against their measurements.", columns, rows,
              sortable=False)
    )  # fmt: skip


def _entries(networks: Mapping[str, Any]) -> Table:
    columns = [Column("Network", False), Column("Batch")]
    for target in TARGETS:
        unit = f"{figures.NAMES[target]}, {figures.UNITS[target]}"
        columns += [Column(f"Measured {unit}"), Column(f"Predicted {unit}"),
                    Column("90 % interval"), Column("Error %")]  # fmt: skip
    columns.append(Column("Coverage", False))
    rows: list[list[Cell]] = []
    records = []
    for entry in networks.values():
        first = next(iter(entry.values()))
        name = str(first["network"])
        cells = [word(name, href=f"../networks/{name}.html" if first.get("page", True) else ""),
                 whole(first["batch"])]  # fmt: skip
        for target in TARGETS:
            score = entry.get(target)
            if not score:
                cells += [Cell()] * 4
                continue
            cells += [
                figure(score["measured"]),
                figure(score["predicted"]),
                Cell(f"{number(score['lo'])} – {number(score['hi'])}", score["hi"], "", "q"),
                figure(score["error_percent"]),
            ]
            flat = {k: v for k, v in score.items() if isinstance(v, int | float | str)}
            records.append({"target": target, **flat})
        cells.append(word(first.get("coverage"), mark="note"))
        rows.append(cells)
    header = list(dict.fromkeys(key for record in records for key in record))
    caption = (
        "Whole passes, a row a network and batch size: the median of the repeats beside the sum of "
        "the layers' predictions."
    )
    return slim(
        Table("network-table", "Networks measured and predicted", caption, columns, rows,
              download=inline_download("networks.csv", header, records) if records else None,
              filterable=True)
    )  # fmt: skip


def _parts(decomposition: Mapping[str, Any]) -> Table | None:
    """Layer-model, composition and measurement error of each pair."""
    entries: Sequence[Mapping[str, Any]] = decomposition.get("entries", [])
    if not entries:
        return None
    columns = [
        Column("Network", False), Column("Batch"), Column("Error %"), Column("Layer models %"),
        Column("Composition %"), Column("Not modelled %"), Column("Measurement ± %"),
        Column("Layers from", False),
    ]  # fmt: skip
    rows = [
        [
            word(entry["network"]),
            whole(entry["batch"]),
            figure(entry.get("error_percent")),
            figure(entry.get("layer_models_percent")),
            figure(entry.get("composition_percent")),
            figure(entry.get("not_modelled_percent")),
            figure(entry.get("measurement_percent")),
            word(entry.get("layers_from")),
        ]
        for entry in entries
    ]
    summary = decomposition.get("summary", {})
    foot = [[
        word("mean absolute"), Cell(), figure(summary.get("error_percent")),
        figure(summary.get("layer_models_percent")), figure(summary.get("composition_percent")),
        figure(summary.get("not_modelled_percent")), figure(summary.get("measurement_percent")),
        Cell(),
    ]] if summary else []  # fmt: skip
    caption = (
        "Runtime: the error of the prediction is what the layer models miss (predicted against "
        "measured, over the layers that were measured by themselves or inside the pass), plus what "
        "the sum of measured layers misses of the whole pass (composition), less the measured "
        "layers without a model. Each in per cent of the whole pass; measurement: half the range "
        "of its repeats."
    )
    return slim(
        Table("decomposition", "Parts of the error", caption, columns, rows, foot,
              filterable=True)
    )  # fmt: skip


def _fusion(fusion: Mapping[str, Any]) -> Table | None:
    """Whether an activation after a convolution costs time of its own on the platform."""
    if not fusion:
        return None
    columns = [Column("Activations directly after a convolution or inner product", False),
               Column("Network runtime MAPE %"), Column("Bias %"), Column("", False)]  # fmt: skip
    rows = [
        [
            word({"separate": "cost their own time", "free": "are free (fused)"}.get(rule, rule)),
            per_cent(score.get("mape")),
            per_cent(score.get("bias_percent")),
            word("fits better" if rule == fusion.get("better") else ""),
        ]
        for rule, score in fusion.get("rules", {}).items()
    ]
    caption = str(fusion.get("text", ""))
    return Table("fusion", "Cost of activations", caption, columns, rows, sortable=False)
