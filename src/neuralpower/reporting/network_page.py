"""The page of a network: what it costs on each platform, layer by layer, and what is not known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from neuralpower.core.targets import TARGETS
from neuralpower.networks.choosing import compare
from neuralpower.networks.text import count, number
from neuralpower.reporting import figures_network as figures
from neuralpower.reporting.charts import Picture
from neuralpower.reporting.diagram import Colouring, draw
from neuralpower.reporting.layer_section import headline, layer_section, layer_table
from neuralpower.reporting.pages import Page
from neuralpower.reporting.results import PlatformResults, Results, Row, is_total
from neuralpower.reporting.scores import SCORE_COLUMNS, by_batch, score_cells
from neuralpower.reporting.tables import (
    Column,
    Table,
    ends,
    figure,
    heat_key,
    linked_download,
    slim,
    whole,
    word,
)


def network_context(results: Results, page: Path, network: str) -> dict[str, Any]:
    """What the template ``network.html`` shows."""
    name = network
    layers = results.layers(name)
    platforms = [results.platform(p) for p in results.platforms]
    predictions = {p.name: p.predictions(name) for p in platforms}
    totals = {p.name: totals_of(predictions[p.name]) for p in platforms}
    present = [p for p in platforms if totals[p.name]]
    totals = {p.name: totals[p.name] for p in present}
    sections = [layer_section(p, predictions[p.name], layers, name, page) for p in present]
    return {
        "title": name,
        "name": name,
        "facts": _facts(results.published.get(name, {}), layers),
        "cards": _cards(present, totals),
        "batches": _batch_table(present, totals),
        "curve": figures.per_image(totals) if present else None,
        "cheapest": _cheapest(totals),
        "breakdown": figures.breakdown({p.name: headline(predictions[p.name]) for p in present}),
        "roofline": figures.roofline(
            layers, {p.name: (headline(predictions[p.name]), p.manifest) for p in present}
        ),
        "diagram": _picture(layers, present, predictions),
        "measured": _measured_table(present, name),
        "platforms": sections,
        "layers_only": layer_table(layers, [], "layers", "Layers") if not sections else None,
        "layer_table": linked_download(
            results.layers_file(name), page, "Layer table with every size (CSV)"
        )
        if layers
        else None,
        "missing": [
            (p.name, _why_missing(predictions[p.name])) for p in platforms if p not in present
        ],
        "unknown": unknown_layers(layers),
        "key": heat_key(),
    }


def totals_of(rows: Sequence[Row]) -> list[Row]:
    """The ``TOTAL`` rows that have a figure, one per batch size."""
    return [row for row in rows if is_total(row) and row["runtime_ms"] is not None]


def _why_missing(rows: Sequence[Row]) -> str:
    total = next((row for row in rows if is_total(row)), None)
    return str(total["note"] or "") if total else ""


def unknown_layers(layers: Sequence[Row]) -> list[tuple[str, str]]:
    """Layers that are not understood, each with its reason; what only follows from them is not."""
    follows = "the shape of bottom "
    return [
        (str(row["name"]), note.removeprefix("shape unknown: "))
        for row in layers
        if not row["supported"]
        and (note := str(row["note"] or ""))
        and not note.removeprefix("shape unknown: ").startswith(follows)
    ]


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


def _cards(
    platforms: Sequence[PlatformResults], totals: Mapping[str, Sequence[Row]]
) -> list[tuple[str, str, str]]:
    cards = []
    for platform in platforms:
        row = totals[platform.name][0]
        where = f"{platform.name}, batch {row['batch']:g}"
        time, energy = per_image(row, "runtime_ms"), per_image(row, "energy_mj")
        if time is not None:
            cards.append((f"{number(time)} ms", "per image", where))
        if energy is not None:
            cards.append((f"{number(energy)} mJ", "per image", where))
    return cards


def _cheapest(totals: Mapping[str, Sequence[Row]]) -> list[str]:
    """At which of the batch sizes an image costs least, a sentence a platform."""
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
            rows.append(
                [
                    word(platform.name),
                    whole(row["batch"]),
                    figure(time),
                    ends(row, "runtime_ms"),
                    figure(per_image(row, "runtime_ms")),
                    figure(per_second),
                    figure(row["power_w"]),
                    ends(row, "power_w"),
                    figure(row["energy_mj"]),
                    ends(row, "energy_mj"),
                    figure(per_image(row, "energy_mj")),
                    word(row["extrapolates"]),
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
            "One forward pass of the whole batch: the sum of its layers' predictions. The interval "
            "carries the layers' errors with their correlation. Which layers it covers stands with "
            "each platform below.",
            columns,
            rows,
        )
    )


def _picture(
    layers: Sequence[Row],
    platforms: Sequence[PlatformResults],
    predictions: Mapping[str, Sequence[Row]],
) -> dict[str, Any] | None:
    if not layers:
        return None
    colourings = []
    for platform in platforms:
        rows = {row["index"]: row for row in headline(predictions[platform.name])}
        for target, what in (("energy_share", "energy"), ("runtime_share", "runtime")):
            shares = [rows.get(layer["index"], {}).get(target) for layer in layers]
            if any(value is not None for value in shares):
                colourings.append(Colouring(f"{platform.name}, {what}", shares))
    colourings.sort(key=lambda colouring: not colouring.label.endswith("energy"))
    svg = draw(layers, colourings, "picture")
    labels = [colouring.label for colouring in colourings]
    caption = (
        "Every layer in execution order, from the layer table; layers that work in place stand in "
        "the box of the layer whose result they change. The colour is the box's share of the "
        "predicted total (prediction table, first batch size); dashed boxes have no figure."
    )
    return {"picture": Picture("", svg, caption), "choices": labels}


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
        "composed from layer models without anything learnt from this network's own passes."
    )
    own = [platform.name for platform in platforms if platform.own_prototxt(name)]
    if own:
        caption += (
            f" On {', '.join(own)} this is the network as that platform ran it, from a prototxt of "
            "its own, which may differ from the one on this page."
        )
    columns = [Column("Platform", False), Column("Batch"), *SCORE_COLUMNS]
    return slim(Table("measured", "Measured against predicted", caption, columns, rows))


PAGE = Page(
    template="network.html",
    path="networks/{network}.html",
    inputs=(
        "results/layers/{network}.csv",
        "results/predictions/{platform}/{network}.csv",
        "results/accuracy/{platform}.json",
    ),
    optional=("prototxts/networks.yaml",),
    context=network_context,
    each=lambda results: [{"network": name} for name in results.networks],
)
