"""A network's layers on one platform: the table with their predictions and what they cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from neuralpower.networks.text import TOTAL, count, percent
from neuralpower.reporting.results import PlatformResults, Row
from neuralpower.reporting.tables import (
    Cell,
    Column,
    Table,
    ends,
    figure,
    linked_download,
    share,
    slim,
    word,
)


def headline(rows: Sequence[Row]) -> list[Row]:
    """The rows of the first batch size of a prediction table, its total last."""
    for i, row in enumerate(rows):
        if row["name"] == TOTAL and row["index"] is None:
            return list(rows[: i + 1])
    return list(rows)


def layer_section(
    platform: PlatformResults,
    predictions: Sequence[Row],
    layers: Sequence[Row],
    name: str,
    page: Path,
) -> dict[str, Any]:
    """What the template shows of a platform: coverage, the dearest layer, and the table."""
    rows = headline(predictions)
    table = layer_table(
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


def layer_table(
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
