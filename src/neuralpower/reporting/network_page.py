"""The page of a network: what it costs on each platform, layer by layer, and what is not known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from neuralpower.core.targets import TARGETS
from neuralpower.networks.choosing import compare
from neuralpower.networks.text import count, number
from neuralpower.reporting import figures_network as figures
from neuralpower.reporting.answer_section import answer, partial
from neuralpower.reporting.beyond import Beyond, column_words
from neuralpower.reporting.diagram import Colouring, Picture, boxes, draw
from neuralpower.reporting.layer_section import all_figures, body, headline, layer_table, parts
from neuralpower.reporting.pages import Page
from neuralpower.reporting.results import (
    PlatformResults,
    Results,
    Row,
    is_total,
    with_power_first,
)
from neuralpower.reporting.scores import SCORE_COLUMNS, by_batch, score_cells
from neuralpower.reporting.tables import (
    Column,
    Table,
    bounded,
    ends,
    figure,
    linked_download,
    slim,
    whole,
    word,
)


def network_context(results: Results, page: Path, network: str) -> dict[str, object]:
    """What the template ``network.html`` shows."""
    layers = results.layers(network)
    platforms = with_power_first(results)
    predictions = {p.name: p.predictions(network) for p in platforms}
    totals = {p.name: totals_of(predictions[p.name]) for p in platforms}
    present = [p for p in platforms if totals[p.name]]
    totals = {p.name: totals[p.name] for p in present}
    headlines = {p.name: headline(predictions[p.name]) for p in present}
    beyond = {p.name: Beyond.of(p.ranges, layers) for p in present}
    figures_of = parts(headlines, beyond)
    return {
        "title": network,
        "name": network,
        "lead": _lead(results.published.get(network, {}), layers),
        "facts": _facts(results.published.get(network, {}), layers),
        "answers": [answer(p, predictions[p.name], network, beyond[p.name]) for p in present],
        "picture": _picture(layers, headlines),
        "breakdowns": {name: figures.breakdown(name, rows) for name, rows in headlines.items()},
        "layers": layer_table(
            layers,
            figures_of,
            _places(layers),
            linked_download(results.layers_file(network), page, "Sizes of the layers (CSV)"),
        )
        if layers
        else None,
        "figures": all_figures(layers, figures_of) if layers and headlines else "",
        "downloads": [
            linked_download(p.prediction_file(network), page, f"Predictions on {p.name} (CSV)")
            for p in present
        ],
        "batches": _batch_table(present, totals),
        "curve": figures.per_image(totals) if present else None,
        "cheapest": _cheapest(totals),
        "roofline": figures.roofline(
            layers, {p.name: (headlines[p.name], p.manifest) for p in present}
        ),
        "measured": _measured_table(present, network),
        "missing": [
            (p.name, _why_missing(predictions[p.name])) for p in platforms if p not in present
        ],
        "unknown": unknown_layers(layers),
    }


def _lead(published: Mapping[str, object], layers: Sequence[Row]) -> str:
    """The network in a line: size, work, published error."""
    facts = dict(_facts(published, layers))
    parts = [
        f"{facts['Parameters']} parameters" if facts["Parameters"] else "",
        f"{facts['MACs per image']} MACs per image" if facts["MACs per image"] else "",
        f"published error {facts['Published error']} on {facts['Data set']}"
        if facts["Published error"] and facts["Data set"]
        else "",
    ]
    title = facts["Network"]
    return ", ".join(part for part in (title, *parts) if part)


def totals_of(rows: Sequence[Row]) -> list[Row]:
    """The ``TOTAL`` rows that have a figure, one per batch size."""
    return [row for row in rows if is_total(row) and row["runtime_ms"] is not None]


def _why_missing(rows: Sequence[Row]) -> str:
    total = next((row for row in rows if is_total(row)), None)
    return str(total["note"] or "").removeprefix("no prediction: ") if total else ""


def unknown_layers(layers: Sequence[Row]) -> list[tuple[str, str]]:
    """Layers that are not understood, each with its reason; what only follows from them is not."""
    found = []
    for row in layers:
        note = str(row["note"] or "")
        reason = note.removeprefix("shape unknown: ")
        known = row["supported"] or "no computation" in note
        if note and not known and not reason.startswith("the shape of bottom "):
            found.append((str(row["name"]), reason))
    return found


def per_image(row: Mapping[str, Any], target: str) -> float | None:
    """A total's runtime or energy divided by its batch size."""
    value, batch = row.get(target), row.get("batch")
    return None if value is None or not batch else value / batch


def _facts(published: Mapping[str, Any], layers: Sequence[Row]) -> list[tuple[str, str]]:
    batch = next((row["batch"] for row in layers if row.get("batch")), None) or 1
    macs = total(layers, "macs")
    errors = [
        f"{label} {number(float(published[key]))} %"
        for label, key in (("top-1", "top1_error"), ("top-5", "top5_error"))
        if published.get(key) is not None
    ]
    return [
        ("Network", str(published.get("title") or "")),
        ("Paper", str(published.get("paper") or "")),
        ("Data set", str(published.get("dataset") or "")),
        ("Published error", ", ".join(errors)),
        ("Source of the error", str(published.get("error_source") or "")),
        ("Layers", str(len(layers)) if layers else ""),
        ("Parameters", count(total(layers, "params"))),
        ("MACs per image", count(None if macs is None else macs / batch)),
    ]


def total(layers: Sequence[Row], column: str) -> float | None:
    """The sum of a column of a layer table; None where no layer that computes has a value."""
    known = [row[column] for row in layers if row[column]]
    return sum(known) if known else None


def _cheapest(totals: Mapping[str, Sequence[Row]]) -> list[str]:
    """At which of the batch sizes an image costs least, a sentence per platform."""
    sentences = []
    for platform, rows in totals.items():
        best = [row for row in compare(rows) if row["best_batch"]]
        if len(rows) > 1 and best:
            what = "energy" if best[0]["cost"] == "energy_mj" else "time"
            sentences.append(
                f"On {platform} an image takes least {what} at batch {best[0]['batch']:g} of the "
                f"{len(rows)} that were predicted."
            )
    return sentences


def _batch_table(
    platforms: Sequence[PlatformResults], totals: Mapping[str, Sequence[Row]]
) -> Table | None:
    rows = []
    for platform in platforms:
        for row in totals[platform.name]:
            time = row["runtime_ms"]
            per_second = 1000 * row["batch"] / time if time else None
            least, most = ("≥", "≤") if partial(str(row["note"] or "")) else ("", "")
            rows.append(
                [
                    word(platform.name),
                    whole(row["batch"]),
                    bounded(figure(time), least),
                    ends(row, "runtime_ms"),
                    bounded(figure(per_image(row, "runtime_ms")), least),
                    bounded(figure(per_second), most),
                    figure(row["power_w"]),
                    ends(row, "power_w"),
                    bounded(figure(row["energy_mj"]), least),
                    ends(row, "energy_mj"),
                    bounded(figure(per_image(row, "energy_mj")), least),
                    word(column_words(row["extrapolates"] or "")),
                ]
            )
    if not rows:
        return None
    columns = [
        Column("Platform", False),
        Column("Batch"),
        Column("Runtime ms"),
        Column("90 % interval", look="quiet"),
        Column("ms per image"),
        Column("Images per s"),
        Column("Power W"),
        Column("90 % interval", look="quiet"),
        Column("Energy mJ"),
        Column("90 % interval", look="quiet"),
        Column("mJ per image"),
        Column("Beyond the measured range in", False, look="note"),
    ]
    return slim(
        Table(
            "totals",
            "Whole network by platform and batch size",
            "One forward pass of the whole batch: the sum of its layers' predictions (≥, ≤: layers "
            "without a figure are left out). The interval "
            "carries the layers' errors with their correlation. What it covers is said with "
            "each platform below.",
            columns,
            rows,
        )
    )


def _picture(layers: Sequence[Row], headlines: Mapping[str, Sequence[Row]]) -> Picture | None:
    """The picture of the network, coloured by energy where the first platform has it."""
    metrics = [
        metric
        for metric in ("energy", "runtime")
        if any(row[f"{metric}_share"] for rows in headlines.values() for row in rows)
    ]
    colouring = None
    for platform, rows in list(headlines.items())[:1]:
        own = {row["index"]: row for row in body(rows)}
        metric = next((m for m in metrics if any(r[f"{m}_share"] for r in rows)), "runtime")
        shares = [own.get(layer["index"], {}).get(f"{metric}_share") for layer in layers]
        colouring = Colouring(platform, metric, shares)
    return draw(layers, colouring, "picture", metrics)


def _places(layers: Sequence[Row]) -> dict[int, int]:
    """Row of the layer table -> row whose box in the picture it is in."""
    return {row: box.members[0] for box in boxes(layers) for row in box.members}


def _measured_table(platforms: Sequence[PlatformResults], name: str) -> Table | None:
    """Whole passes that were measured, from the platforms' accuracy files."""
    rows = [
        [
            word(platform.name),
            whole(batch),
            *(c for t in TARGETS for c in score_cells(scores.get(t))),
        ]
        for platform in platforms
        for batch, scores in by_batch(platform.accuracy.get("networks", {}).get(name, {})).items()
    ]
    if not rows:
        return None
    caption = (
        "Whole forward passes that were measured (median of the repeats) beside the prediction "
        "composed from layer models without anything from this network's own passes."
    )
    own = [platform.name for platform in platforms if platform.own_prototxt(name)]
    if own:
        caption += (
            f" On {', '.join(own)} this is the network as that platform ran it, from its own "
            "prototxt, which may differ from the one on this page."
        )
    columns = [Column("Platform", False), Column("Batch"), *SCORE_COLUMNS]
    return slim(Table("measured", "Measured against predicted", caption, columns, rows))


PAGE = Page(
    template="network.html",
    path="networks/{network}.html",
    inputs=(
        "results/layers/{network}.csv",
        "results/predictions/{platform}/{network}.csv",
        "results/changes/{platform}.csv",
        "results/models/{platform}/models.json",
        "results/accuracy/{platform}.json",
    ),
    optional=("prototxts/networks.yaml",),
    sheets=("network", "figures", "style"),
    scripts=("tables", "switches", "network", "budget"),
    context=network_context,
    each=lambda results: [{"network": name} for name in results.networks],
)
