"""Figures of a network's page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from neuralpower.core.cells import Row
from neuralpower.networks.text import TOTAL, number
from neuralpower.reporting.charts import LETTER, LINE, Axis, Chart, Picture, colour, panels

_WIDTH = 560.0


def per_image(totals: Mapping[str, Sequence[Row]]) -> Picture | None:
    """Runtime and energy per image against the batch size, with intervals."""
    series = [
        (target, unit, chosen)
        for target, unit in (("runtime_ms", "ms per image"), ("energy_mj", "mJ per image"))
        if (chosen := image_points(totals, target))
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


def image_points(
    totals: Mapping[str, Sequence[Row]], target: str
) -> dict[str, list[tuple[float, float, float, float]]]:
    """Batch size, value per image and its ends, by name in order of batch size."""
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


def breakdown(platform: str, rows: Sequence[Row]) -> Picture | None:
    """Share of each layer family in the runtime and the energy of a platform's headline rows."""
    shares = family_shares(rows)
    kinds = [(i, name) for i, name in enumerate(("runtime", "energy")) if _any(shares, i)]
    if not kinds:
        return None
    ordered = sorted(shares.items(), key=lambda item: (-max(item[1]), item[0]))
    kept = [(family, own) for family, own in ordered if max(own) >= 0.5]
    left, bar = 20 + LETTER * max(len(family) for family, _ in kept), 11
    high = bar * len(kinds) + 7
    chart = Chart(430, 0)
    top = 26.0
    bottom = top + high * len(kept)
    chart.height = bottom + 2 * LINE + 10
    chart.legend(left, [(name, colour(i)) for i, name in kinds])
    most = max(max(own) for _, own in kept)
    plane = chart.plane(
        Axis((0, 1.12 * most), "per cent of the predicted total", log=False),
        Axis((0, 1), log=False, ticks={}),
        (left, top, chart.width - 12, bottom),
    )
    for n, (family, own) in enumerate(kept):
        y = top + high * n + 3
        chart.text(left - 8, y + bar * len(kinds) / 2 + 5, family, "end")
        for k, (i, name) in enumerate(kinds):
            wide = plane.x(own[i]) - plane.x(0)
            title = f"{name} {number(own[i])} %"
            chart.bar(left, y + bar * k, (wide, bar - 1), colour(i), title)
    return chart.picture(
        f"breakdown-{platform}",
        f"Share of each layer family in the predicted totals on {platform}",
        "Sums of the layers' shares in the prediction table, from half a per cent on.",
    )


def family_shares(rows: Sequence[Row]) -> dict[str, list[float]]:
    """Per cent of runtime and of energy by family, the total's row left out."""
    shares: dict[str, list[float]] = {}
    for row in rows:
        if row["name"] == TOTAL and row["index"] is None:
            continue
        own = shares.setdefault(row["family"] or "other", [0.0, 0.0])
        own[0] += 100 * (row["runtime_share"] or 0.0)
        own[1] += 100 * (row["energy_share"] or 0.0)
    return shares


def _any(shares: Mapping[str, Sequence[float]], i: int) -> bool:
    return any(own[i] > 0 for own in shares.values())


def roofline(
    layers: Sequence[Row], platforms: Mapping[str, tuple[Sequence[Row], Mapping[str, object]]]
) -> Picture | None:
    """Predicted rate of every layer against its intensity, under the roof where it is known."""
    sizes = {row["index"]: row for row in layers}
    clouds = {
        name: points
        for name, (rows, _) in platforms.items()
        if (points := roofline_points(rows, sizes))
    }
    if not clouds:
        return None
    xs = [p.intensity for points in clouds.values() for p in points]
    ys = [p.rate for points in clouds.values() for p in points]
    roofs = {name: roof for name in clouds if (roof := roof_of(platforms[name][1]))}
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
        named = [point for point in points if point.share >= NAMED]
        plane.cloud([(p.intensity, p.rate) for p in points if p not in named], own)
        plane.dots(_together(named), own)
    return chart.picture(
        "roofline",
        "Predicted rate of the layers against their arithmetic intensity",
        "A dot for each layer that multiplies: its MACs over its predicted runtime, against its "
        "MACs over the bytes of its inputs, weights and outputs at 4 bytes an element (layer "
        "table). Dashed: the platform's roof, where its manifest states peak and bandwidth. Far "
        "left: bound by memory. Larger dots are layers of at least a hundredth of the runtime; "
        "pointing at one names it.",
    )


@dataclass(frozen=True, slots=True)
class RooflinePoint:
    """A layer: MACs per byte, predicted 10⁹ MACs per s, its name and share of the runtime."""

    intensity: float
    rate: float
    layer: str
    share: float


#: Layers of at least this share of the runtime say their names.
NAMED = 0.01


def _together(points: Sequence[RooflinePoint]) -> list[tuple[float, float, str]]:
    """Dots of layers with their names; alike layers, as of repeated blocks, share one."""
    found: dict[tuple[str, str], list[RooflinePoint]] = {}
    for point in points:
        key = (f"{point.intensity:.2e}", f"{point.rate:.1e}")
        found.setdefault(key, []).append(point)
    dots = []
    for first, *alike in found.values():
        more = f" and {len(alike)} alike" if alike else ""
        text = f"{first.layer}{more}: {number(first.rate)}"
        dots.append((first.intensity, first.rate, text))
    return dots


def roof_of(manifest: Mapping[str, object]) -> tuple[float, float] | None:
    """Peak in 10⁹ MACs per s (two operations each) and bandwidth in GB per s, if both are given."""
    peak, bandwidth = manifest.get("peak_gflops"), manifest.get("bandwidth_gb_s")
    if isinstance(peak, int | float) and isinstance(bandwidth, int | float) and bandwidth > 0:
        return peak / 2, float(bandwidth)
    return None


def roofline_points(rows: Sequence[Row], sizes: Mapping[int, Row]) -> list[RooflinePoint]:
    """The layers that multiply: their MACs over the bytes of elements, and over their runtime.

    ``sizes``: index -> row of the layer table, which may be of another batch size.
    """
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
            share = row["runtime_share"] or 0.0
            intensity = row["macs"] / (4 * elements)
            points.append(RooflinePoint(intensity, rate, str(row["name"]), share))
    return points
