"""The page of a network: what it costs on each platform, layer by layer, and what is not known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from neuralpower.networks.choosing import compare
from neuralpower.networks.text import TOTAL, count, number, percent
from neuralpower.reporting import figures_network as figures
from neuralpower.reporting.diagram import Colouring, draw
from neuralpower.reporting.plots import Picture
from neuralpower.reporting.results import PlatformResults, Results, Row
from neuralpower.reporting.tables import (
    Cell,
    Column,
    Table,
    figure,
    heat_key,
    linked_download,
    round_sort,
    share,
    whole,
    word,
)


def network_context(results: Results, name: str, page: Path) -> dict[str, Any]:
    """What the template ``network.html`` shows."""
    layers = results.layers(name)
    platforms = [results.platform(p) for p in results.platforms]
    predictions = {p.name: p.predictions(name) for p in platforms}
    present = [p for p in platforms if predictions[p.name]]
    totals = {p.name: totals_of(predictions[p.name]) for p in present}
    sections = [
        _platform_section(p, predictions[p.name], layers, results, name, page) for p in present
    ]
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
        "layers_only": _layer_table(layers, [], "layers", "Layers") if not sections else None,
        "layer_table": linked_download(
            results.layers_file(name), page, "Layer table with every size (CSV)"
        )
        if layers
        else None,
        "missing": [p for p in results.platforms if p not in totals],
        "key": heat_key(),
    }


def totals_of(rows: Sequence[Row]) -> list[Row]:
    """The ``TOTAL`` rows, one a batch size."""
    return [row for row in rows if row["name"] == TOTAL and row["index"] is None]


def headline(rows: Sequence[Row]) -> list[Row]:
    """The rows of the first batch size of a prediction table, its total last."""
    for i, row in enumerate(rows):
        if row["name"] == TOTAL and row["index"] is None:
            return list(rows[: i + 1])
    return list(rows)


def per_image(row: Mapping[str, Any], target: str) -> float | None:
    """A total's runtime or energy divided by its batch size."""
    value, batch = row.get(target), row.get("batch")
    return None if value is None or not batch else value / batch


def _facts(published: Mapping[str, Any], layers: Sequence[Row]) -> list[tuple[str, str]]:
    batch = next((row["batch"] for row in layers if row.get("batch")), None) or 1
    macs = sum(row["macs"] or 0 for row in layers)
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
        ("Parameters", count(sum(row["params"] or 0 for row in layers)) if layers else ""),
        ("MACs per image", count(macs / batch) if layers else ""),
    ]


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


def slim(table: Table) -> Table:
    """A table without the columns that are empty in every row."""
    keep = [
        j
        for j in range(len(table.columns))
        if any(row[j].text for row in (*table.rows, *table.foot))
    ]
    return Table(
        table.id,
        table.label,
        table.caption,
        [table.columns[j] for j in keep],
        [[row[j] for j in keep] for row in table.rows],
        [[row[j] for j in keep] for row in table.foot],
        table.download,
        table.sortable,
        table.filterable,
    )


def ends(row: Mapping[str, Any], target: str) -> Cell:
    """The interval of a target; sorts by its upper end."""
    lo, hi = row.get(f"{target}_lo"), row.get(f"{target}_hi")
    if lo is None or hi is None:
        return Cell()
    return Cell(f"{number(lo)} – {number(hi)}", round_sort(hi))


def _platform_section(
    platform: PlatformResults,
    predictions: Sequence[Row],
    layers: Sequence[Row],
    results: Results,
    name: str,
    page: Path,
) -> dict[str, Any]:
    rows = headline(predictions)
    table = _layer_table(
        layers, rows, f"layers-{platform.name}", f"Layers on {platform.name}",
        linked_download(
            platform.prediction_file(name), page, "Predictions at all batch sizes (CSV)"
        ),
    )  # fmt: skip
    body = [row for row in rows if row["name"] != TOTAL or row["index"] is not None]
    beyond = [row for row in body if row["extrapolates"]]
    return {
        "name": platform.name,
        "href": f"../platforms/{platform.name}.html",
        "batch": f"{rows[-1]['batch']:g}",
        "coverage": rows[-1]["note"],
        "extrapolated": f"{len(beyond)} layer{'s' if len(beyond) > 1 else ''}" if beyond else "",
        "extrapolated_share": percent(sum(row["runtime_share"] or 0 for row in beyond)),
        "why_no_power": platform.why_no_power,
        "costliest": _costliest(body),
        "table": table,
    }


def _costliest(rows: Sequence[Row]) -> str:
    """The layer that costs most, in a sentence."""
    sentences = []
    for target, what in (("energy_share", "energy"), ("runtime_share", "runtime")):
        known = [row for row in rows if row[target] is not None]
        if known:
            top = max(known, key=lambda row: row[target])
            sentences.append(f"{top['name']} takes {percent(top[target])} % of the {what}")
    return "; ".join(sentences)


_LAYER_COLUMNS = (
    Column("Layer", False),
    Column("Type", False),
    Column("Output", False, "shape of the first top, without the batch", "whole"),
    Column("Parameters"),
    Column("MACs"),
    Column("Runtime ms"),
    Column("90 % interval", look="quiet"),
    Column("Runtime %"),
    Column("Power W"),
    Column("Energy mJ"),
    Column("90 % interval", look="quiet"),
    Column("Energy %"),
    Column("Remarks", False, look="note"),
)


def _layer_table(
    layers: Sequence[Row],
    rows: Sequence[Row],
    id: str,
    label: str,
    download: Any = None,
) -> Table:
    """Layers with their predictions (the total in the foot), or alone without any."""
    shapes = {row["index"]: row for row in layers}
    body: list[list[Cell]] = []
    foot: list[list[Cell]] = []
    for row in rows or [dict.fromkeys(_NO_FIGURES) | row for row in layers]:
        is_total = row["name"] == TOTAL and row["index"] is None
        cells = _layer_cells(row, shapes.get(row["index"], {}), is_total)
        (foot if is_total else body).append(cells)
    caption = "Layers in execution order. "
    if rows:
        caption += (
            f"Figures of one pass at batch {rows[-1]['batch']:g}; parameters and shapes "
            "at the file's own batch size. Empty: no model, or not measured on this platform."
        )
    table = Table(
        id, label, caption, _LAYER_COLUMNS, body, foot, download=download, filterable=True
    )
    return slim(table)


_NO_FIGURES = (
    "runtime_ms", "runtime_ms_lo", "runtime_ms_hi", "runtime_share", "power_w", "energy_mj",
    "energy_mj_lo", "energy_mj_hi", "energy_share", "extrapolates", "source", "note",
)  # fmt: skip


def _layer_cells(row: Row, shape: Mapping[str, Any], is_total: bool) -> list[Cell]:
    remarks = []
    if row["extrapolates"] and not is_total:
        remarks.append(f"beyond the measured {row['extrapolates']}")
    if row["note"] and not is_total:
        remarks.append(str(row["note"]).removesuffix(" on this platform"))
    macs, params = row["macs"], shape.get("params")
    tops = str(shape.get("top_shapes") or "").split()
    return [
        word(row["name"]),
        word(row["type"]),
        word("×".join(tops[0].split("x")[1:]) if tops else ""),
        Cell(count(params), params) if params else Cell(),
        Cell(count(macs), macs) if macs else Cell(),
        figure(row["runtime_ms"]),
        ends(row, "runtime_ms"),
        figure(100.0) if is_total and row["runtime_share"] else share(row["runtime_share"]),
        figure(row["power_w"]),
        figure(row["energy_mj"]),
        ends(row, "energy_mj"),
        figure(100.0) if is_total and row["energy_share"] else share(row["energy_share"]),
        word("; ".join(remarks)),
    ]


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


TARGETS = ("runtime_ms", "power_w", "energy_mj")
SCORE_COLUMNS = tuple(
    Column(label, look="quiet" if "interval" in label else "")
    for what in ("runtime, ms", "power, W", "energy, mJ")
    for label in (f"Measured {what}", f"Predicted {what}", "90 % interval", "Error %")
)


def by_batch(
    targets: Mapping[str, Sequence[Mapping[str, Any]]],
) -> dict[float, dict[str, Mapping[str, Any]]]:
    """A network's scores of accuracy.json: batch size -> target -> score, small batches first."""
    found: dict[float, dict[str, Mapping[str, Any]]] = {}
    for target in TARGETS:
        for score in targets.get(target, []):
            found.setdefault(score["batch"], {})[target] = score
    return dict(sorted(found.items()))


def score_cells(score: Mapping[str, Any] | None) -> list[Cell]:
    """The cells of ``SCORE_COLUMNS`` for one target."""
    if score is None:
        return [Cell()] * 4
    return [
        figure(score["measured"]),
        figure(score["predicted"]),
        Cell(f"{number(score['lo'])} – {number(score['hi'])}", round_sort(score["hi"])),
        figure(score["error_percent"]),
    ]
