"""Figures of a platform's page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from neuralpower.core.cells import Row
from neuralpower.core.targets import LABELS, UNITS
from neuralpower.networks.text import number
from neuralpower.reporting.charts import (
    GRID,
    INK,
    LETTER,
    LINE,
    PANEL,
    PANEL_BOX,
    QUIET,
    Axis,
    Chart,
    Picture,
    Plane,
    colour,
    panels,
)
from neuralpower.reporting.scores import BASELINES
from neuralpower.reporting.ticks import padded, thinned

#: Points a panel shows at most: pages stay small, the scores are of all rows.
MOST_POINTS = 250
#: Relative errors are drawn up to one of these factors either way; the second gets a label too.
_FACTORS = {1.02: 1.01, 1.05: 1.02, 1.1: 1.05, 1.2: 1.1, 1.5: 1.2, 2.0: 1.4, 4.0: 2.0}


def _panel(x: Axis, y: Axis, title: str) -> Plane:
    return Chart(*PANEL).plane(x, y, PANEL_BOX, title)


def scatter(out_of_fold: Mapping[str, Sequence[Row]], target: str) -> Picture | None:
    """Predicted against measured, a panel per family, out of fold."""
    if not out_of_fold:
        return None
    unit, name = UNITS[target], LABELS[target]
    drawn = {}
    for family, rows in out_of_fold.items():
        kept = [rows[i] for i in thinned(len(rows), MOST_POINTS)]
        points = [(row["measured"], row["predicted"]) for row in kept]
        ends = padded([value for point in points for value in point])
        plane = _panel(
            Axis(ends, f"measured, {unit}", most=4), Axis(ends, f"predicted, {unit}", most=4),
            _title(family, rows),
        )  # fmt: skip
        plane.line([(end, end) for end in ends], QUIET, "line thin")
        plane.cloud(points, colour(0))
        drawn[family] = plane.chart
    return panels(
        f"scatter-{name}",
        f"Predicted against measured {name} of layers",
        f"Out-of-fold predictions against measurements of {name}, a dot for each configuration (at "
        f"most {MOST_POINTS} a panel, evenly chosen); on the line they agree.",
        drawn,
    )


def residuals(out_of_fold: Mapping[str, Sequence[Row]], target: str) -> Picture | None:
    """Relative error against size, a panel per family, with the median interval."""
    if not out_of_fold:
        return None
    far = _farthest(out_of_fold)
    half = _FACTORS[far]
    ticks = {1 / far: f"÷{far:g}", 1 / half: f"÷{half:g}", 1.0: "1"}
    ticks |= {half: f"×{half:g}", far: f"×{far:g}"}
    unit, name = UNITS[target], LABELS[target]
    drawn = {}
    for family, rows in out_of_fold.items():
        kept = [rows[i] for i in thinned(len(rows), MOST_POINTS)]
        plane = _panel(
            Axis(padded([row["predicted"] for row in kept]), f"predicted, {unit}", most=4),
            Axis((far**-1.08, far**1.08), "measured / predicted", ticks=ticks),
            _title(family, rows),
        )
        plane.level(1.0)
        plane.cloud([(row["predicted"], row["measured"] / row["predicted"]) for row in kept],
                    colour(0))  # fmt: skip
        ordered = sorted(kept, key=lambda row: row["predicted"])
        ordered = [ordered[i] for i in thinned(len(ordered), 60)]
        for end in ("lo", "hi"):
            edge = [(row["predicted"], row[end] / row["predicted"]) for row in ordered]
            plane.line(edge, colour(1), "line thin")
        drawn[family] = plane.chart
    return panels(
        f"residuals-{name}",
        f"Relative error of the predicted {name} by size",
        f"Measured over predicted {name} against the prediction, out of fold (dots beyond a factor "
        f"of {far:g} lie on the edge). The lines are the 90 % interval that a prediction of "
        "that size carries.",
        drawn,
    )


def _farthest(out_of_fold: Mapping[str, Sequence[Row]]) -> float:
    """The smallest of ``_FACTORS`` that holds 98 of 100 ratios of measured to predicted."""
    ratios = sorted(
        max(row["measured"] / row["predicted"], row["predicted"] / row["measured"])
        for rows in out_of_fold.values()
        for row in rows
    )
    wanted = ratios[int(0.98 * (len(ratios) - 1))]
    return next((factor for factor in _FACTORS if factor >= wanted), max(_FACTORS))


def _title(family: str, rows: Sequence[Row]) -> str:
    return f"{family}, n = {len(rows)}"


def networks(entries: Sequence[Row], target: str) -> Picture | None:
    """Whole networks: predicted over measured with the interval, beside the baselines."""
    entries = [entry for entry in entries if entry["measured"]]
    if not entries:
        return None
    names = sorted({entry["network"] for entry in entries})
    baselines = _baselines_of(entries)
    lowest, highest = _range(entries, baselines)
    left, wide = 24 + LETTER * max(len(name) for name in names), 17.0
    chart = Chart(720, 0)
    labels = ["predicted, 90 % interval", *(BASELINES.get(name, name) for name in baselines)]
    top = chart.legend_height(left, labels) + 8
    bottom = top + wide * len(names)
    chart.height = bottom + 2 * LINE + 10
    chart.legend(left, [(label, colour(i)) for i, label in enumerate(labels)])
    places = {i + 0.5: name for i, name in enumerate(names)}
    plane = chart.plane(
        Axis((lowest, highest), f"predicted / measured {LABELS[target]}", most=7),
        Axis((len(names), 0), log=False, ticks=places),
        (left, top, chart.width - 14, bottom),
    )
    plane.line([(1.0, 0), (1.0, len(names))], INK, "line thin")
    shown: list[list[tuple[float, float, str]]] = [[] for _ in labels]
    for place, name in enumerate(names):
        own = sorted((e for e in entries if e["network"] == name), key=lambda e: e["batch"])
        own = [own[i] for i in thinned(len(own), 12)]
        # Batch sizes of a network stand one below the other, small to large.
        step = min(0.8 / len(own), 0.25)
        for i, entry in enumerate(own):
            y = place + 0.5 + (i - (len(own) - 1) / 2) * step
            of = f"{name}, batch {entry['batch']:g}"
            lo, hi, value = (entry[key] / entry["measured"] for key in ("lo", "hi", "predicted"))
            plane.line([(max(lo, lowest), y), (hi, y)], colour(0), "line thin")
            shown[0].append((value, y, f"{of}: {number(value)} of the measurement"))
            for k, baseline in enumerate(baselines, 1):
                guess = entry.get("baselines", {}).get(baseline)
                if guess:
                    ratio = guess / entry["measured"]
                    shown[k].append((ratio, y, f"{of}, {labels[k]}: {number(ratio)}"))
    for k in reversed(range(len(labels))):
        plane.dots(shown[k], colour(k))
    return chart.picture(
        f"networks-{LABELS[target]}",
        f"Predicted over measured {LABELS[target]} of whole networks",
        f"Whole passes: predicted over measured {LABELS[target]}, batch sizes one below the other, "
        "small to large (at most 12 per network); 1 is the measurement. The bar is the 90 % "
        "interval. What lies beyond the axis is drawn at its end.",
    )


def _range(entries: Sequence[Row], baselines: Sequence[str]) -> tuple[float, float]:
    ratios = [0.9, 1.1]
    for entry in entries:
        known = [entry["lo"], entry["hi"], entry["predicted"]]
        known += [entry.get("baselines", {}).get(name) or entry["measured"] for name in baselines]
        ratios += [value / entry["measured"] for value in known]
    return max(min(ratios) / 1.1, 0.02), min(max(ratios) * 1.1, 50.0)


def _baselines_of(entries: Sequence[Row]) -> list[str]:
    """At most two baselines for a figure, the published ones first."""
    names = {name for entry in entries for name in entry.get("baselines", {})}
    order = ("paleo_ppp1", "paleo_fitted", "roofline_given", "roofline")
    return [name for name in order if name in names][:2] or sorted(names)[:2]


def trade_off(candidates: Sequence[Row], target: str) -> Picture | None:
    """Cross-validated error of one model's candidates against the number of terms.

    A line for each kind of candidate, and the least error with at most so many terms.
    """
    chosen = next((row for row in candidates if row["chosen"]), None)
    if chosen is None or len({row["n_terms"] for row in candidates}) < 2:
        return None
    # A blend of several equations is one separate dot: as lines they would hide the rest.
    kinds = sorted({row["candidate"] for row in candidates if " x (" not in row["candidate"]})
    best = min(row["rmspe"] for row in candidates)
    across = (0.0, 1.05 * max(row["n_terms"] for row in candidates))
    up = (0.0, 1.1 * min(3 * best, max(row["rmspe"] for row in candidates)))
    chart = Chart(440, 250)
    plane = chart.plane(
        Axis(across, "terms", log=False), Axis(up, "RMSPE in ten folds, %", log=False),
        (50, 10, chart.width - 14, 202),
    )  # fmt: skip
    for kind in kinds:
        own = sorted((r["n_terms"], r["rmspe"]) for r in candidates if r["candidate"] == kind)
        plane.line([place for place in own if place[1] <= up[1]], QUIET, "line thin")
    least: list[tuple[float, float]] = []
    for n_terms, error in sorted((row["n_terms"], row["rmspe"]) for row in candidates):
        if not least or error < least[-1][1]:
            least.append((n_terms, error))
    plane.steps([*least, (across[1], least[-1][1])], colour(0), "line")
    text = f"chosen: {chosen['n_terms']:g} terms, {number(chosen['rmspe'])} %"
    plane.ring(chosen["n_terms"], chosen["rmspe"], text)
    name = LABELS[target]
    few = next((n for n, error in least if error <= best + 1.0), least[-1][0])
    return chart.picture(
        f"terms-{name}-figure",
        f"Cross-validated error of the {name} model against its number of terms",
        f"The least error with at most so many terms (blue) and each kind of candidate (grey; cut "
        f"at three times the best); the ring is the choice, {text.removeprefix('chosen: ')}. "
        f"{few:g} terms come within one point of the best, {number(best)} %. The error of the "
        "model given above is of a further, outer cross-validation.",
    )


def learning(rows: Sequence[Row]) -> Picture | None:
    """Error against the number of measured configurations."""
    draws: dict[str, dict[float, list[float]]] = {}
    for row in rows:
        if row["target"] == "runtime_ms":
            found = draws.setdefault(row["family"], {})
            found.setdefault(row["configurations"], []).append(row["rmspe"])
    if not draws:
        return None
    means = {
        family: [(size, sum(e) / len(e)) for size, e in sorted(sizes.items())]
        for family, sizes in sorted(draws.items())
    }
    every = [point for points in means.values() for point in points]
    across, up = (padded([point[i] for point in every]) for i in (0, 1))
    drawn = {}
    for family, points in means.items():
        plane = _panel(Axis(across, "configurations", most=4), Axis(up, "RMSPE, %", most=4), family)
        for other, those in means.items():
            if other != family:
                plane.line(those, GRID)
        plane.line(points, colour(0))
        plane.dots([(x, y, f"{x:g} configurations: {number(y)} %") for x, y in points], colour(0))
        drawn[family] = plane.chart
    return panels(
        "learning-figure",
        "Error against the number of measured configurations",
        "Runtime: error of models fitted to random parts of the measured configurations, on all "
        "the others (mean of the draws in learning_curve.csv); grey: the other families.",
        drawn,
    )
