"""The first page: networks by platforms, and what is known about each platform."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from neuralpower.networks.text import count
from neuralpower.reporting.answer_section import partial
from neuralpower.reporting.network_page import per_image, total, unknown_layers
from neuralpower.reporting.pages import Page
from neuralpower.reporting.results import PlatformResults, Results, Row, with_power_first
from neuralpower.reporting.scores import worse_models
from neuralpower.reporting.tables import (
    Cell,
    Column,
    Table,
    bounded,
    figure,
    inline_download,
    per_cent,
    slim,
    whole,
    word,
)
from neuralpower.scoring.accuracy import LayerScores


def index_context(results: Results, page: Path) -> dict[str, object]:
    """What the template ``index.html`` shows."""
    platforms = with_power_first(results)
    return {
        "title": "Overview",
        "lead": (
            f"{_number_of(len(results.networks), 'network')} on "
            f"{_number_of(len(platforms), 'platform')}: predicted from models of single layers, "
            "which were measured."
        ),
        "networks": _networks_table(results, platforms),
        "platforms": _platforms_table(platforms),
        "far": [note for p in platforms if (note := _far(p, results.networks))],
        "no_power": [(p.name, p.why_no_power) for p in platforms if p.why_no_power],
        "unread": list(results.unread.items()),
        "unknown": [
            (name, "; ".join(f"{layer}: {why}" for layer, why in found[:2]), len(found))
            for name in results.networks
            if (found := unknown_layers(results.layers(name)))
        ],
        "broken": sorted(results.broken.items()),
    }


def _far(platform: PlatformResults, networks: Sequence[str]) -> str:
    """That a platform did not measure the batch size of its figures; empty where it did."""
    first = next((totals[0]["batch"] for n in networks if (totals := platform.totals(n))), None)
    low, high = platform.ranges("conv").get("batch", (None, None))
    if first is None or low is None or high is None or low <= first <= high:
        return ""
    return (
        f"{platform.name} was measured at batch sizes from {low:g} to {high:g}: its figures above, "
        f"at batch {first:g}, are extrapolations"
    )


def _number_of(n: int, what: str) -> str:
    return f"{n} {what}" + ("" if n == 1 else "s")


def _networks_table(results: Results, platforms: list[PlatformResults]) -> Table | None:
    if not results.networks:
        return None
    # Costs first: they are what a narrow screen shows.
    columns, header = [Column("Network", False)], ["network"]
    for platform in platforms:
        columns.append(Column("ms per image", group=platform.name))
        header.append(f"{platform.name}:runtime_ms_per_image")
        if platform.has_power:
            columns += [
                Column("W", group=platform.name),
                Column("mJ per image", group=platform.name),
            ]
            header += [f"{platform.name}:power_w", f"{platform.name}:energy_mj_per_image"]
    columns += [Column("Top-1 error %"), Column("Top-5 error %"), Column("Parameters"),
                Column("MACs per image")]  # fmt: skip
    header += ["top1_error", "top5_error", "parameters", "macs_per_image"]
    rows, records, batches = [], [], set()
    for name in results.networks:
        layers = results.layers(name)
        published = results.published.get(name, {})
        values: list[object] = []
        cells = [word(name, href=f"networks/{quote(name)}.html")]
        for platform in platforms:
            first: Mapping[str, Any] = next(iter(platform.totals(name)), {})
            if first:
                batches.add((platform.name, first["batch"]))
            costs = [per_image(first, "runtime_ms")]
            if platform.has_power:
                costs += [first.get("power_w"), per_image(first, "energy_mj")]
            least = "≥" if partial(str(first.get("note") or "")) else ""
            values += costs
            # Power is a mean, not a sum.
            cells += [bounded(figure(c), least if i != 1 else "") for i, c in enumerate(costs)]
        facts: list[float | None] = [
            _float(published, "top1_error"),
            _float(published, "top5_error"),
            total(layers, "params"),
            _macs_per_image(layers),
        ]
        values += facts
        cells += [figure(value) for value in facts[:2]]
        cells += [Cell(count(value), value) if value else Cell() for value in facts[2:]]
        rows.append(cells)
        records.append(dict(zip(header, [name, *values], strict=True)))
    caption = (
        "Predicted cost of one image"
        + (f", at batch {_at(batches)}" if batches else "")
        + (
            ". Empty: not measured on that platform, or no model. ≥: layers without a model are "
            "left out; the network's page says which."
        )
    )
    return slim(
        Table("networks", "Networks", caption, columns, rows,
              download=inline_download("networks.csv", header, records), filterable=True)
    )  # fmt: skip


def _at(batches: set[tuple[str, float]]) -> str:
    """The batch sizes of the figures: one number, or each with its platforms."""
    sizes = sorted({batch for _, batch in batches})
    if len(sizes) == 1:
        return f"{sizes[0]:g}"
    names = {size: sorted(name for name, batch in batches if batch == size) for size in sizes}
    return " and ".join(f"{size:g} ({', '.join(found)})" for size, found in names.items())


def _macs_per_image(layers: list[Row]) -> float | None:
    batch = next((row["batch"] for row in layers if row.get("batch")), None)
    macs = total(layers, "macs")
    return macs / batch if batch and macs is not None else None


def _float(values: Mapping[str, object], name: str) -> float | None:
    value = values.get(name)
    return float(value) if isinstance(value, int | float) else None


def _platforms_table(platforms: list[PlatformResults]) -> Table | None:
    rows = []
    for platform in platforms:
        accuracy = platform.accuracy
        layers = accuracy.get("layers", {})
        measured, powered = _counts(platform)
        summary = accuracy.get("network_summary", {})
        rows.append(
            [
                word(platform.name, href=f"platforms/{platform.name}.html"),
                word(platform.fact("device")),
                word(platform.fact("software")),
                word(_by(platform)),
                word(", ".join(sorted(layers))),
                word(", ".join(worse_models(layers))),
                word("how", f"measurements/{platform.name}.html")
                if platform.is_recorded
                else word(""),
                whole(measured or None),
                Cell(f"{powered:g}", powered) if powered else word("none"),
                per_cent(_typical(layers, "runtime_ms")),
                per_cent(_typical(layers, "power_w")),
                per_cent(summary.get("runtime_ms", {}).get("mape")),
                per_cent(summary.get("energy_mj", {}).get("mape")),
            ]
        )
    if not rows:
        return None
    columns = [
        Column("Platform", False), Column("Device", False), Column("Software", False),
        Column("Measured by", False), Column("Layer families", False),
        Column("Models that a simple rule beats", False),
        Column("Measured", False), Column("Layers timed"),
        Column("Layers with power"),
        Column("conv runtime error %"), Column("conv power error %"),
        Column("Network runtime error %"), Column("Network energy error %"),
    ]  # fmt: skip
    caption = (
        "What was measured and how far predictions are off: the mean absolute percentage error, "
        "out of fold for layers, and of whole passes that were measured for networks."
    )
    return slim(Table("platforms", "Platforms", caption, columns, rows))


def _counts(platform: PlatformResults) -> tuple[int, int]:
    """Configurations with a runtime and with power, also of families too small for scores."""
    fitted = platform.models.get("rows")
    if isinstance(fitted, dict) and fitted:
        rows = list(fitted.values())
        return sum(r["configurations"] for r in rows), sum(r["with_power"] for r in rows)
    scored = platform.accuracy.get("layers", {}).values()
    runtime, power = (
        sum(targets.get(t, {}).get("n", 0) for targets in scored) for t in ("runtime_ms", "power_w")
    )
    return runtime, power


def _by(platform: PlatformResults) -> str:
    if platform.unmeasured:
        return "nobody: from its data sheet"
    return "others (published)" if platform.credit else "this project or you"


def _typical(layers: Mapping[str, LayerScores], target: str) -> float | None:
    value = layers.get("conv", {}).get(target, {}).get("mape")
    return float(value) if value is not None else None


PAGE = Page(
    template="index.html",
    path="index.html",
    inputs=(
        "results/layers/{network}.csv",
        "results/predictions/{platform}/{network}.csv",
        "results/accuracy/{platform}.json",
        "results/models/{platform}/models.json",
    ),
    optional=("prototxts/networks.yaml",),
    context=index_context,
)
