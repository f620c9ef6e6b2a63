"""Whole networks that were measured: the part of a platform's page that answers to them."""

from __future__ import annotations

from collections.abc import Mapping

from neuralpower.core.targets import LABELS, TARGETS
from neuralpower.networks.text import number
from neuralpower.reporting import figures_platform as figures
from neuralpower.reporting.results import PlatformResults
from neuralpower.reporting.scores import BASELINES, SCORE_COLUMNS, by_batch, score_cells
from neuralpower.reporting.tables import (
    Cell,
    Column,
    Table,
    figure,
    inline_download,
    per_cent,
    slim,
    whole,
    word,
)
from neuralpower.scoring.accuracy import (
    Accuracy,
    CompositionFacts,
    Decomposition,
    PassScores,
    PassSummary,
)


def validation_section(platform: PlatformResults) -> dict[str, object] | None:
    """Network validation of a platform from its accuracy file; None where no network was."""
    accuracy = platform.accuracy
    networks = accuracy.get("networks", {})
    missing = ", ".join(accuracy.get("networks_without_prototxt", []))
    entries = _of_target(networks, "runtime_ms")
    if not entries and not missing:
        return None
    text = "No measured network could be predicted: there is no prototxt of its name."
    if entries:
        text = (
            f"{len(entries)} pairs of network and batch size were measured as whole passes. "
            "Each network is predicted from models of single layers, added up with factors from "
            "the other measured networks, never from its own passes."
        )
        if accuracy.get("networks_held_out") == "by configuration":
            shared = accuracy.get("network_shared_percent", 0.0)
            text += (
                f" The layer tables hold the layers of these networks ({number(shared, 2)} % of "
                "their time), so each network is predicted by models that were fitted without any "
                "configuration that occurs in it."
            )
    return {
        "text": text,
        "summary": _summary(accuracy) if entries else None,
        "figures": [figures.networks(_of_target(networks, t), t) for t in TARGETS],
        "table": _entries(networks) if entries else None,
        "parts": _parts(accuracy.get("network_decomposition", {})),
        "factors": _factors(accuracy.get("network_composition", {})),
        "warnings": accuracy.get("network_composition", {}).get("warnings", []),
        "missing": missing,
    }


def _of_target(networks: Mapping[str, PassScores], target: str) -> list[dict[str, object]]:
    return [
        {**entry, "network": name}
        for name, targets in sorted(networks.items())
        for entry in targets.get(target, [])
    ]


#: Whole networks of the paper, from its table of five networks: MAPE and RMSPE in per cent.
_PAPER: tuple[str, Mapping[str, PassSummary]] = (
    "the paper, on another board",
    {
        "runtime_ms": {"n": 5, "mape": 7.96, "rmspe": 11.76},
        "power_w": {"n": 5, "mape": 8.85, "rmspe": 11.66},
        "energy_mj": {"n": 5, "mape": 2.25, "rmspe": 2.79},
    },
)


def _summary(accuracy: Accuracy) -> Table:
    scored = [
        ("with factors from other networks", accuracy.get("network_summary", {})),
        ("sum of layers by themselves", accuracy.get("network_summary_plain", {})),
    ]
    names = list(
        dict.fromkeys(
            n for _, summary in scored for t in summary.values() for n in t.get("baselines", {})
        )
    )
    columns = [
        Column("Quantity", False), Column("Prediction", False), Column("Pairs"),
        Column("MAPE %"), Column("RMSPE %"), Column("Median error %"), Column("Bias %"),
        Column("In the 90 % interval, %"),
        *(Column(f"{BASELINES.get(name, name)} MAPE %", look="quiet") for name in names),
    ]  # fmt: skip
    rows = [
        [
            word(LABELS[target]),
            word(label),
            whole(summary[target].get("n")),
            per_cent(summary[target].get("mape")),
            per_cent(summary[target].get("rmspe")),
            per_cent(summary[target].get("median_ape")),
            per_cent(summary[target].get("bias_percent")),
            per_cent(summary[target].get("interval_coverage")),
            *(per_cent(summary[target].get("baselines", {}).get(n)) for n in names),
        ]
        for target in TARGETS
        for label, summary in (*scored, _PAPER)
        if target in summary and target in accuracy.get("network_summary", {})
    ]
    return slim(
        Table(
            "network-summary",
            "Scores of whole networks",
            "Error of predicted whole passes against their measurements. The row of the paper (Cai "
            "et al., 2017) is not a measurement of ours: five networks on a GTX Titan X with "
            "TensorFlow, whose layers were among the rows that were fitted; its “average accuracy” "
            "of 88.24, 88.34 and 97.21 % is 100 less RMSPE.",
            columns,
            rows,
            sortable=False,
        )
    )


def _entries(networks: Mapping[str, PassScores]) -> Table:
    columns = [Column("Network", False), Column("Batch"), *SCORE_COLUMNS,
               Column("Coverage", False, look="whole")]  # fmt: skip
    rows: list[list[Cell]] = []
    records: list[dict[str, object]] = []
    for name, targets in sorted(networks.items()):
        for target in TARGETS:
            for score in targets.get(target, []):
                flat = {k: v for k, v in score.items() if isinstance(v, int | float | str)}
                records.append({"network": name, "target": target, **flat})
        for batch, scores in by_batch(targets).items():
            said = str(next(iter(scores.values())).get("coverage") or "")
            coverage = said.removeprefix("covers ").partition(";")[0].replace(" computing", "")
            rows.append(
                [
                    word(name),
                    whole(batch),
                    *(cell for target in TARGETS for cell in score_cells(scores.get(target))),
                    word(coverage),
                ]
            )
    header = list(dict.fromkeys(key for record in records for key in record))
    caption = (
        "Whole passes, one row per network and batch size: the median of the repeats beside the "
        "sum of the layers' predictions."
    )
    return slim(
        Table("network-table", "Networks measured and predicted", caption, columns, rows,
              download=inline_download("networks.csv", header, records) if records else None,
              filterable=True)
    )  # fmt: skip


def _factors(composition: CompositionFacts) -> Table | None:
    """What whole passes teach: the time of layers inside networks against layers alone."""
    factors = composition.get("factors", {})
    if not factors:
        return None
    columns = [
        Column("Family", False), Column("Factor used"), Column("Measured ratio"),
        Column("Spread between networks ± %"), Column("Networks"),
    ]  # fmt: skip
    rows = [
        [
            word("all families" if family == "all" else family),
            figure(factor["value"]),
            figure(factor["measured"]),
            figure(100 * factor["spread"]),
            whole(factor["networks"]),
        ]
        for family, factor in sorted(factors.items())
    ]
    scales = ", ".join(
        f"{LABELS.get(target, target)} × {number(scale)}"
        for target, scale in sorted(composition.get("scales", {}).items())
    )
    caption = (
        "Runtime of layers inside whole networks over their prediction as layers by themselves "
        "(near 0: free), shrunk towards 1 as far as the networks disagree. Predictions of networks "
        "use these factors. " + (f"Half-widths of intervals of totals: {scales}." if scales else "")
    )
    return Table("factors", "Factors of layer families inside networks", caption, columns, rows)


def _parts(decomposition: Decomposition) -> Table | None:
    """Layer-model, composition and measurement error of each pair."""
    entries = decomposition.get("entries", [])
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
