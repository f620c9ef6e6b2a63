"""Figures of a network's page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from neuralpower.networks.text import TOTAL, number
from neuralpower.reporting.charts import LETTER, LINE, Chart, Scale, colour
from neuralpower.reporting.plots import Picture, log_ticks, plain

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
    wide = _WIDTH / 2
    chart = Chart(wide * len(series), 0)
    names = sorted(totals)
    top = chart.legend_height(60, names) + 8
    chart.height = top + 200
    chart.legend(60, [(name, colour(i)) for i, name in enumerate(names)])
    for i, (_, unit, chosen) in enumerate(series):
        everything = [point for points in chosen.values() for point in points]
        sizes = sorted({point[0] for point in everything})
        lowest, highest = min(p[2] for p in everything), max(p[3] for p in everything)
        ends = (lowest / 1.15, highest * 1.15)
        left, right, bottom = i * wide + 60, (i + 1) * wide - 12, top + 156
        x = Scale((sizes[0] / 1.2, sizes[-1] * 1.2), (left, right))
        y = Scale(ends, (bottom, top))
        shown = sizes[:: -(-len(sizes) // 8)]
        chart.x_axis(x, {size: f"{size:g}" for size in shown}, (top, bottom))
        chart.y_axis(y, {tick: plain(tick) for tick in log_ticks(ends)}, (left, right))
        chart.text((left + right) / 2, bottom + 2 * LINE + 4, "batch size", "middle")
        chart.turned(i * wide + 12, (top + bottom) / 2, unit)
        for name, points in chosen.items():
            own = colour(names.index(name))
            upper = [(x(size), y(hi)) for size, _, _, hi in points]
            lower = [(x(size), y(lo)) for size, _, lo, _ in points]
            chart.band([*upper, *lower[::-1]], own)
            chart.line([(x(size), y(value)) for size, value, _, _ in points], own)
            marks = [
                (x(size), y(value), f"{name}, batch {size:g}: {number(value)} {unit}")
                for size, value, _, _ in points
            ]
            chart.dots(marks, own)
    return chart.picture(
        "per-image",
        "Runtime and energy per image against batch size",
        "Cost of one image against the batch size: the total of the prediction table divided by "
        "the batch; the band is its 90 % interval.",
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
    """Share of each layer family in the runtime and energy, a bar a platform."""
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
    x = Scale((0, 100), (left, _WIDTH - 20), log=False)
    chart.x_axis(x, {share: f"{share}" for share in range(0, 101, 20)}, (top, bottom))
    chart.text((left + _WIDTH) / 2, bottom + 2 * LINE + 4, _OF_TOTAL, "middle")
    for i, (label, shares) in enumerate(bars):
        y = top + 26 * i + 3
        chart.text(left - 8, y + 14, label, "end")
        start = 0.0
        for family in families:
            share = shares.get(family, 0.0)
            if share <= 0:
                continue
            wide = x(start + share) - x(start)
            title = f"{family}: {number(share)} % ({label})"
            chart.bar(x(start), y, (wide, 20), colours[family], title)
            if share >= 6:
                chart.text(x(start) + wide / 2, y + 14, f"{share:.0f}", "middle", "on")
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
    across, up = (min(xs) / 2, max(xs) * 2), (min(ys) / 3, high)
    names = sorted(platforms)
    chart = Chart(_WIDTH, 0)
    top, left = chart.legend_height(60, sorted(clouds)) + 8, 60.0
    bottom = top + 240
    chart.height = bottom + 2 * LINE + 10
    chart.legend(60, [(name, colour(names.index(name))) for name in sorted(clouds)])
    x, y = Scale(across, (left, _WIDTH - 12)), Scale(up, (bottom, top))
    chart.x_axis(x, {tick: plain(tick) for tick in log_ticks(across)}, (top, bottom))
    chart.y_axis(y, {tick: plain(tick) for tick in log_ticks(up)}, (left, _WIDTH - 12))
    chart.text((left + _WIDTH) / 2, bottom + 2 * LINE + 4, "MACs per byte", "middle")
    chart.turned(12, (top + bottom) / 2, "predicted 10⁹ MACs per s")
    for name, points in clouds.items():
        own = colour(names.index(name))
        if name in roofs:
            peak, bandwidth = roofs[name]
            corner = min(max(peak / bandwidth, across[0]), across[1])
            bends = (across[0], corner, across[1])
            chart.line([(x(v), y(min(peak, bandwidth * v))) for v in bends], own, "line roof")
        chart.dots(_together([(x(v), y(rate), rate, layer) for v, rate, layer in points]), own)
    return chart.picture(
        "roofline",
        "Predicted rate of the layers against their arithmetic intensity",
        "A dot a layer that multiplies: its MACs over its predicted runtime, against its MACs over "
        "the bytes of its inputs, weights and outputs at 4 bytes an element (layer table). "
        "Dashed: the platform's roof, where its manifest states peak and bandwidth. Far left: "
        "bound by memory. Pointing at a dot tells its layer.",
    )


def _together(marks: Sequence[tuple[float, float, float, str]]) -> list[tuple[float, float, str]]:
    """Dots of layers with what each tells; alike layers, as of repeated blocks, share one."""
    found: dict[tuple[float, float], list[tuple[float, str]]] = {}
    for x, y, rate, layer in marks:
        found.setdefault((x, y), []).append((rate, layer))
    dots = []
    for (x, y), alike in found.items():
        rate, layer = alike[0]
        more = f" and {len(alike) - 1} alike" if len(alike) > 1 else ""
        dots.append((x, y, f"{layer}{more}: {number(rate)}"))
    return dots


def _roof(manifest: Mapping[str, Any]) -> tuple[float, float] | None:
    """Peak in 10⁹ MACs per s (two operations each) and bandwidth in GB per s, if both are told."""
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
