"""Figures of a network's page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from neuralpower.networks.composition import TOTAL
from neuralpower.reporting.plots import (
    SERIES,
    Picture,
    dots,
    fixed_axis,
    linear_axis,
    log_axis,
    new_figure,
    picture,
)

Row = Mapping[str, Any]


def per_image(totals: Mapping[str, Sequence[Row]]) -> Picture | None:
    """Runtime and energy per image against the batch size, with intervals."""
    series = [
        (target, unit, chosen)
        for target, unit in (("runtime_ms", "ms per image"), ("energy_mj", "mJ per image"))
        if (chosen := _points(totals, target))
    ]
    if not any(len(points) > 1 for _, _, chosen in series for points in chosen.values()):
        return None
    drawn, panels = new_figure(
        1, len(series), width=3.7 * len(series) + 0.4, height=2.6, between=0.8
    )
    names = sorted(totals)
    for axes, (_, unit, chosen) in zip(panels, series, strict=True):
        for name, points in chosen.items():
            x, y, lo, hi = ([point[i] for point in points] for i in range(4))
            colour = SERIES[names.index(name) % len(SERIES)]
            axes.fill_between(x, lo, hi, color=colour, alpha=0.15, linewidth=0)
            axes.plot(x, y, "-o", ms=3, color=colour, linewidth=1.5, label=name)
        everything = [point for points in chosen.values() for point in points]
        sizes = sorted({point[0] for point in everything})
        shown = sizes[:: -(-len(sizes) // 8)]
        fixed_axis(
            axes,
            "x",
            {size: f"{size:g}" for size in shown},
            (sizes[0] / 1.2, sizes[-1] * 1.2),
        )
        lowest, highest = min(p[2] for p in everything), max(p[3] for p in everything)
        log_axis(axes, "y", (lowest / 1.15, highest * 1.15))
        axes.set(xlabel="batch size", ylabel=unit)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderpad=0)
    return picture(
        drawn,
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
    longest = max(len(label) for label, _ in bars)
    drawn, (axes,) = new_figure(
        height=0.8 + 0.32 * len(bars), left=min(0.3 + 0.075 * longest, 2.5), top=0.28
    )
    families = [f for f in (*_COLOURED, "other") if any(f in shares for _, shares in bars)]
    lefts = [0.0] * len(bars)
    for family in families:
        widths = [shares.get(family, 0.0) for _, shares in bars]
        index = (*_COLOURED, "other").index(family)
        axes.barh(range(len(bars)), widths, 0.7, lefts, color=SERIES[index], label=family)
        for y, (left, wide) in enumerate(zip(lefts, widths, strict=True)):
            if wide >= 6:
                axes.text(left + wide / 2, y, f"{wide:.0f}", color="#ffffff", ha="center",
                          va="center")  # fmt: skip
        lefts = [left + wide for left, wide in zip(lefts, widths, strict=True)]
    labels = {float(i): label for i, (label, _) in enumerate(bars)}
    fixed_axis(axes, "y", labels, (len(bars) - 0.5, -0.5), "linear")
    linear_axis(axes, "x", (0, 100))
    axes.set_xlabel("per cent of the predicted total")
    axes.grid(False)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=8, handlelength=1,
                columnspacing=1, borderpad=0)  # fmt: skip
    return picture(
        drawn,
        "breakdown",
        "Share of each layer family in the predicted totals",
        "Where the time and the energy go, by layer family: sums of the layers' shares in the "
        "prediction table at its first batch size. Layers without a model have no share.",
    )


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
    drawn, (axes,) = new_figure(width=7.2, height=3.3)
    xs = [x for points in clouds.values() for x, _ in points]
    ys = [y for points in clouds.values() for _, y in points]
    left, right, top = min(xs) / 2, max(xs) * 2, max(ys) * 3
    names = sorted(platforms)
    for name, points in clouds.items():
        colour = SERIES[names.index(name) % len(SERIES)]
        dots(axes, [x for x, _ in points], [y for _, y in points], colour, 4.5)
        axes.plot([], [], "o", ms=4, color=colour, label=name)
        manifest = platforms[name][1]
        peak, bandwidth = manifest.get("peak_gflops"), manifest.get("bandwidth_gb_s")
        if isinstance(peak, int | float) and isinstance(bandwidth, int | float):
            corner = min(max(peak / 2 / bandwidth, left), right)
            roof = [min(peak / 2, bandwidth * x) for x in (left, corner, right)]
            axes.plot([left, corner, right], roof, "--", color=colour, linewidth=1)
            top = max(top, 1.5 * peak / 2)
    log_axis(axes, "x", (left, right))
    log_axis(axes, "y", (min(ys) / 3, top))
    axes.set(xlabel="MACs per byte", ylabel="predicted 10⁹ MACs per s")
    axes.legend(loc="lower right")
    return picture(
        drawn,
        "roofline",
        "Predicted rate of the layers against their arithmetic intensity",
        "A dot a layer that multiplies: its MACs over its predicted runtime, against its MACs over "
        "the bytes of its inputs, weights and outputs at 4 bytes an element (layer table). "
        "Dashed: the platform's roof, where its manifest states peak and bandwidth. Far left: "
        "bound by memory.",
    )


def _roofline_points(rows: Sequence[Row], sizes: Mapping[Any, Row]) -> list[tuple[float, float]]:
    points = []
    for row in rows:
        size = sizes.get(row["index"])
        if size is None or not row["macs"] or not row["runtime_ms"] or not size.get("batch"):
            continue
        scale = row["batch"] / size["batch"]
        elements = scale * ((size["input_elements"] or 0) + (size["output_elements"] or 0))
        elements += size["weight_elements"] or 0
        if elements > 0:
            points.append((row["macs"] / (4 * elements), row["macs"] / row["runtime_ms"] / 1e6))
    return points
