"""Figures of a network's page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from neuralpower.networks.text import TOTAL, number
from neuralpower.reporting.charts import LETTER, LINE, Axis, Chart, Picture, colour, panels

Row = Mapping[str, Any]

_WIDTH = 720.0


def per_image(totals: Mapping[str, Sequence[Row]]) -> Picture | None:
    """Runtime and energy per image against the batch size, with intervals."""
    series = [
        (target, unit, chosen)
        for target, unit in (("runtime_ms", "ms per image"), ("energy_mj", "mJ per image"))
        if (chosen := _points(totals, target))
    ]
    if not any(len(points) > 1 for _, _, chosen in series for points in chosen.values()):
        return None
    names = sorted(totals)
    drawn = {}
    for _, unit, chosen in series:
        chart = Chart(360, 0)
        top = chart.legend_height(54, sorted(chosen)) + 8
        chart.height = top + 200
        chart.legend(54, [(name, colour(names.index(name))) for name in sorted(chosen)])
        everything = [point for points in chosen.values() for point in points]
        sizes = sorted({point[0] for point in everything})
        shown = sizes[:: -(-len(sizes) // 8)]
        plane = chart.plane(
            Axis((sizes[0] / 1.2, sizes[-1] * 1.2), "batch size",
                 ticks={size: f"{size:g}" for size in shown}),
            Axis((min(p[2] for p in everything) / 1.15, max(p[3] for p in everything) * 1.15),
                 unit),
            (54, top, 350, top + 156),
        )  # fmt: skip
        for name, points in chosen.items():
            own = colour(names.index(name))
            lower = [(size, lo) for size, _, lo, _ in points]
            plane.band([*((size, hi) for size, _, _, hi in points), *lower[::-1]], own)
            plane.line([(size, value) for size, value, _, _ in points], own)
            plane.dots(
                [(size, value, f"{name}, batch {size:g}: {number(value)} {unit}")
                 for size, value, _, _ in points],
                own,
            )  # fmt: skip
        drawn[unit] = chart
    return panels(
        "per-image",
        "Cost of one image against the batch size",
        "Cost of one image against the batch size: the total of the prediction table divided by "
        "the batch; the band is its 90 % interval.",
        drawn,
    )


def _points(
    totals: Mapping[str, Sequence[Row]], target: str
) -> dict[str, list[tuple[float, float, float, float]]]:
    found = {}
    for name, rows in totals.items():
        points = sorted(
            (row["batch"], *(row[target + end] / row["batch"] for end in ("", "_lo", "_hi")))
            for row in rows
            if row[target] and row[f"{target}_lo"] and row["batch"]
        )
        if points:
            found[name] = points
    return found


#: Families with a fixed colour, the rest share the last one: a colour means the same everywhere.
_COLOURED = ("conv", "fc", "pool", "lrn", "batchnorm", "relu", "eltwise")


def breakdown(headlines: Mapping[str, Sequence[Row]]) -> Picture | None:
    """Share of each layer family in the runtime and energy, a bar per platform."""
    bars: list[tuple[str, dict[str, float]]] = []
    for name, rows in headlines.items():
        for target, what in (("runtime_share", "runtime"), ("energy_share", "energy")):
            shares: dict[str, float] = {}
            for row in rows:
                if row[target] is not None and row["name"] != TOTAL:
                    family = row["family"] if row["family"] in _COLOURED else "other"
                    shares[family] = shares.get(family, 0.0) + 100 * row[target]
            if shares:
                bars.append((f"{name}, {what}", shares))
    if not bars:
        return None
    left = 20 + LETTER * max(len(label) for label, _ in bars)
    families = [f for f in (*_COLOURED, "other") if any(f in shares for _, shares in bars)]
    chart = Chart(_WIDTH, 0)
    top = chart.legend_height(left, families) + 8
    bottom = top + 26 * len(bars)
    chart.height = bottom + 2 * LINE + 10
    colours = {family: colour(i) for i, family in enumerate((*_COLOURED, "other"))}
    chart.legend(left, [(family, colours[family]) for family in families])
    plane = chart.plane(
        Axis((0, 100), _OF_TOTAL, log=False, ticks={n: f"{n}" for n in range(0, 101, 20)}),
        Axis((0, len(bars)), log=False, ticks={}),
        (left, top, _WIDTH - 20, bottom),
    )
    for i, (label, shares) in enumerate(bars):
        y = top + 26 * i + 3
        chart.text(left - 8, y + 14, label, "end")
        start = 0.0
        for family in families:
            share = shares.get(family, 0.0)
            if share <= 0:
                continue
            wide = plane.x(start + share) - plane.x(start)
            title = f"{family}: {number(share)} % ({label})"
            chart.bar(plane.x(start), y, (wide, 20), colours[family], title)
            if share >= 6:
                chart.text(plane.x(start) + wide / 2, y + 14, f"{share:.0f}", "middle", "on")
            start += share
    return chart.picture(
        "breakdown",
        "Share of each layer family in the predicted totals",
        "Where the time and the energy go, by layer family: sums of the layers' shares in the "
        "prediction table at its first batch size. Layers without a model have no share.",
    )


_OF_TOTAL = "per cent of the predicted total"


def roofline(
    layers: Sequence[Row], platforms: Mapping[str, tuple[Sequence[Row], Mapping[str, Any]]]
) -> Picture | None:
    """Predicted rate of every layer against its intensity, under the roof where it is known."""
    sizes = {row["index"]: row for row in layers}
    clouds = {
        name: points
        for name, (rows, _) in platforms.items()
        if (points := _roofline_points(rows, sizes))
    }
    if not clouds:
        return None
    xs = [x for points in clouds.values() for x, _, _ in points]
    ys = [y for points in clouds.values() for _, y, _ in points]
    roofs = {name: roof for name in clouds if (roof := _roof(platforms[name][1]))}
    high = max([3 * max(ys), *(1.5 * peak for peak, _ in roofs.values())])
    names = sorted(platforms)
    chart = Chart(_WIDTH, 0)
    top = chart.legend_height(60, sorted(clouds)) + 8
    chart.height = top + 240 + 2 * LINE + 10
    chart.legend(60, [(name, colour(names.index(name))) for name in sorted(clouds)])
    plane = chart.plane(
        Axis((min(xs) / 2, max(xs) * 2), "MACs per byte"),
        Axis((min(ys) / 3, high), "predicted 10⁹ MACs per s"),
        (60, top, _WIDTH - 12, top + 240),
    )
    for name, points in clouds.items():
        own = colour(names.index(name))
        if name in roofs:
            peak, bandwidth = roofs[name]
            corner = min(max(peak / bandwidth, plane.x.ends[0]), plane.x.ends[1])
            bends = (plane.x.ends[0], corner, plane.x.ends[1])
            plane.line([(v, min(peak, bandwidth * v)) for v in bends], own, "line roof")
        plane.dots(_together(points), own)
    return chart.picture(
        "roofline",
        "Predicted rate of the layers against their arithmetic intensity",
        "A dot for each layer that multiplies: its MACs over its predicted runtime, against its "
        "MACs over the bytes of its inputs, weights and outputs at 4 bytes an element (layer "
        "table). Dashed: the platform's roof, where its manifest states peak and bandwidth. Far "
        "left: bound by memory. Pointing at a dot names its layer.",
    )


def _together(points: Sequence[tuple[float, float, str]]) -> list[tuple[float, float, str]]:
    """Dots of layers with their names; alike layers, as of repeated blocks, share one."""
    found: dict[tuple[str, str], list[tuple[float, float, str]]] = {}
    for point in points:
        found.setdefault((f"{point[0]:.2e}", f"{point[1]:.1e}"), []).append(point)
    dots = []
    for alike in found.values():
        x, rate, layer = alike[0]
        more = f" and {len(alike) - 1} alike" if len(alike) > 1 else ""
        dots.append((x, rate, f"{layer}{more}: {number(rate)}"))
    return dots


def _roof(manifest: Mapping[str, Any]) -> tuple[float, float] | None:
    """Peak in 10⁹ MACs per s (two operations each) and bandwidth in GB per s, if both are given."""
    peak, bandwidth = manifest.get("peak_gflops"), manifest.get("bandwidth_gb_s")
    if isinstance(peak, int | float) and isinstance(bandwidth, int | float) and bandwidth > 0:
        return peak / 2, float(bandwidth)
    return None


def _roofline_points(
    rows: Sequence[Row], sizes: Mapping[Any, Row]
) -> list[tuple[float, float, str]]:
    points = []
    for row in rows:
        size = sizes.get(row["index"])
        if size is None or not row["macs"] or not row["runtime_ms"] or not size.get("batch"):
            continue
        scale = row["batch"] / size["batch"]
        elements = scale * ((size["input_elements"] or 0) + (size["output_elements"] or 0))
        elements += size["weight_elements"] or 0
        if elements > 0:
            rate = row["macs"] / row["runtime_ms"] / 1e6
            points.append((row["macs"] / (4 * elements), rate, str(row["name"])))
    return points
