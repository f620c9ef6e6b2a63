"""Figures of a platform's page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from neuralpower.core.targets import LABELS, UNITS
from neuralpower.reporting.plots import (
    INK,
    QUIET,
    SERIES,
    Picture,
    dots,
    fixed_axis,
    linear_axis,
    log_axis,
    new_figure,
    picture,
    thinned,
    title,
)

Row = Mapping[str, Any]

#: Points a panel shows at most: pages stay small, the scores are of all rows.
MOST_POINTS = 500
#: Relative errors are drawn up to one of these factors either way; the second gets a label too.
_FACTORS = {1.02: 1.01, 1.05: 1.02, 1.1: 1.05, 1.2: 1.1, 1.5: 1.2, 2.0: 1.4, 4.0: 2.0}


def scatter(out_of_fold: Mapping[str, Sequence[Row]], target: str) -> Picture | None:
    """Predicted against measured, a panel a family, out of fold."""
    if not out_of_fold:
        return None
    drawn, panels = _panels(len(out_of_fold))
    for axes, (family, rows) in zip(panels, out_of_fold.items(), strict=False):
        kept = [rows[i] for i in thinned(len(rows), MOST_POINTS)]
        x, y = [row["measured"] for row in kept], [row["predicted"] for row in kept]
        ends = padded([*x, *y])
        log_axis(axes, "x", ends, 4)
        log_axis(axes, "y", ends, 4)
        title(axes, _title(family, rows))
        axes.plot(ends, ends, color=QUIET, linewidth=0.8)
        dots(axes, x, y, SERIES[0], 2.2)
    unit, name = UNITS[target], LABELS[target]
    _name_axes(drawn, f"measured {name}, {unit}", f"predicted {name}, {unit}")
    return picture(
        drawn,
        f"scatter-{name}",
        f"Predicted against measured {name} of layers",
        f"Out-of-fold predictions against measurements of {name}, a dot a configuration (at most "
        f"{MOST_POINTS} a panel, evenly chosen); on the line they agree.",
    )


def residuals(out_of_fold: Mapping[str, Sequence[Row]], target: str) -> Picture | None:
    """Relative error against size, a panel a family, with the median interval."""
    if not out_of_fold:
        return None
    drawn, panels = _panels(len(out_of_fold))
    far = _farthest(out_of_fold)
    half = _FACTORS[far]
    ticks = {1 / far: f"÷{far:g}", 1 / half: f"÷{half:g}", 1.0: "1"}
    ticks |= {half: f"×{half:g}", far: f"×{far:g}"}
    for axes, (family, rows) in zip(panels, out_of_fold.items(), strict=False):
        kept = [rows[i] for i in thinned(len(rows), MOST_POINTS)]
        x = [row["predicted"] for row in kept]
        y = [min(max(row["measured"] / row["predicted"], 1 / far), far) for row in kept]
        log_axis(axes, "x", padded(x), 4)
        fixed_axis(axes, "y", ticks, (far**-1.08, far**1.08))
        title(axes, _title(family, rows))
        axes.axhline(1, color=QUIET, linewidth=0.8)
        dots(axes, x, y, SERIES[0], 2.2)
        ordered = sorted(kept, key=lambda row: row["predicted"])
        middle = [row["predicted"] for row in ordered]
        for end in ("lo", "hi"):
            edge = [row[end] / row["predicted"] for row in ordered]
            axes.plot(middle, edge, color=SERIES[1], linewidth=1)
    unit, name = UNITS[target], LABELS[target]
    _name_axes(drawn, f"predicted {name}, {unit}", "measured / predicted")
    return picture(
        drawn,
        f"residuals-{name}",
        f"Relative error of the predicted {name} by size",
        f"Measured over predicted {name} against the prediction, out of fold (dots beyond a factor "
        f"of {far:g} lie on the edge). The lines are the 90 % interval that a prediction of "
        "that size carries.",
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


def padded(values: Sequence[float]) -> tuple[float, float]:
    """Ends of a logarithmic axis: the values' range and a twentieth of it either way."""
    ratio = max(max(values) / min(values), 1.02) ** 0.05
    return min(values) / ratio, max(values) * ratio


def _panels(n: int, top: float = 0.3) -> tuple[Any, Any]:
    columns = min(n, 4)
    lines = -(-n // columns)
    width, height = (7.6 if columns > 1 else 4.0), 1.85 * lines + 0.35 + top - 0.3
    drawn, panels = new_figure(lines, columns, width, height, left=0.75, top=top)
    for axes in panels[n:]:
        axes.set_axis_off()
    return drawn, panels


def _name_axes(drawn: Any, x: str, y: str) -> None:
    """One label for the horizontal and one for the vertical axes of all panels."""
    width, height = drawn.get_size_inches()
    drawn.text(0.5, 0.06 / height, x, ha="center", va="bottom")
    drawn.text(0.06 / width, 0.5, y, rotation=90, ha="left", va="center")


def _title(family: str, rows: Sequence[Row]) -> str:
    return f"{family}, n = {len(rows)}"


def networks(entries: Sequence[Row], target: str) -> Picture | None:
    """Whole networks: predicted over measured with the interval, beside the baselines."""
    entries = [entry for entry in entries if entry["measured"]]
    if not entries:
        return None
    names = sorted({entry["network"] for entry in entries})
    baselines = _baselines_of(entries)
    # The more names, the steeper they stand.
    angle = 0 if len(names) <= 5 else 25 if len(names) <= 12 else 60
    bottom = {0: 0.35, 25: 0.75, 60: 1.35}[angle]
    drawn, (axes,) = new_figure(height=2.9 + bottom, bottom=bottom, left=0.7)
    lowest, highest = 0.9, 1.1
    for place, name in enumerate(names):
        own = sorted((e for e in entries if e["network"] == name), key=lambda e: e["batch"])
        own = [own[i] for i in thinned(len(own), 12)]
        # Batch sizes of a network stand side by side.
        step = min(0.8 / len(own), 0.2)
        xs = [place + (i - (len(own) - 1) / 2) * step for i in range(len(own))]
        for x, e in zip(xs, own, strict=True):
            ends = [e[key] / e["measured"] for key in ("lo", "hi")]  # of the interval
            axes.plot([x, x], ends, color=SERIES[0], linewidth=1)
            lowest, highest = min(lowest, ends[0]), max(highest, ends[1])
        ratios = [e["predicted"] / e["measured"] for e in own]
        axes.plot(xs, ratios, "o", ms=3.5, color=SERIES[0])
        for k, baseline in enumerate(baselines, 1):
            known = [
                (x, e["baselines"][baseline] / e["measured"])
                for x, e in zip(xs, own, strict=True)
                if e.get("baselines", {}).get(baseline)
            ]
            heights = [y for _, y in known]
            axes.plot([x for x, _ in known], heights, "_", ms=5, mew=1.5, color=SERIES[k])
            lowest, highest = min([lowest, *heights]), max([highest, *heights])
    axes.axhline(1, color=INK, linewidth=0.8)
    axes.plot([], [], "-o", ms=3.5, color=SERIES[0], linewidth=1, label="predicted, 90 %")
    for k, baseline in enumerate(baselines, 1):
        label = baseline.replace("_", " ")
        axes.plot([], [], "_", ms=6, mew=1.5, color=SERIES[k], label=label)
    log_axis(axes, "y", (max(lowest / 1.1, 0.02), min(highest * 1.1, 50.0)), 7)
    axes.set_xticks(
        range(len(names)),
        names,
        rotation=angle,
        rotation_mode="anchor" if angle else "default",
        ha="right" if angle else "center",
    )
    axes.set_xlim(-0.6, len(names) - 0.4)
    axes.set_ylabel(f"predicted / measured {LABELS[target]}")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4, borderpad=0)
    axes.grid(False, axis="x")
    return picture(
        drawn,
        f"networks-{LABELS[target]}",
        f"Predicted over measured {LABELS[target]} of whole networks",
        f"Whole passes: predicted over measured {LABELS[target]}, batch sizes side by side, small "
        "to large (at most 12 a network); 1 is the measurement. The bar is the 90 % interval.",
    )


def _baselines_of(entries: Sequence[Row]) -> list[str]:
    """At most two baselines for a figure, the published ones first."""
    names = {name for entry in entries for name in entry.get("baselines", {})}
    order = ("paleo_ppp1", "paleo_fitted", "roofline_given", "roofline")
    return [name for name in order if name in names][:2] or sorted(names)[:2]


def selection(candidates: Sequence[Row]) -> Picture | None:
    """Cross-validated error against the number of terms, a panel a family, runtime."""
    families = sorted({row["family"] for row in candidates})
    if not families:
        return None
    drawn, panels = _panels(len(families), top=0.75)
    # Blends of two equations are in the table; as lines they would hide the rest.
    labels = sorted({row["candidate"] for row in candidates if " x (" not in row["candidate"]})
    for axes, family in zip(panels, families, strict=False):
        own = [row for row in candidates if row["family"] == family]
        best = min(row["rmspe"] for row in own)
        for label in labels:
            points = sorted((r["n_terms"], r["rmspe"]) for r in own if r["candidate"] == label)
            if points:
                colour = SERIES[labels.index(label) % len(SERIES)]
                axes.plot([x for x, _ in points], [min(y, 5 * best) for _, y in points], "-o",
                          ms=2.5, linewidth=1, color=colour)  # fmt: skip
        for row in own:
            if row.get("chosen"):
                axes.plot([row["n_terms"]], [row["rmspe"]], "o", ms=8, mfc="none", color=INK)
        linear_axis(axes, "x", (0, 1.05 * max(row["n_terms"] for row in own)), 4)
        linear_axis(axes, "y", (0, 1.1 * min(3 * best, max(row["rmspe"] for row in own))), 4)
        title(axes, family)
    for label in labels:
        panels[0].plot([], [], "-o", ms=2.5, color=SERIES[labels.index(label) % len(SERIES)],
                       label=label)  # fmt: skip
    drawn.legend(loc="upper left", ncols=3, borderpad=0.3)
    _name_axes(drawn, "terms", "RMSPE, %")
    return picture(
        drawn,
        "selection-figure",
        "Cross-validated error against the number of terms",
        "Runtime: the error of every candidate in ten folds against its number of terms (cut at "
        "three times the best); the ring is the choice, which may be a blend of two equations. The "
        "reported scores are of a further, outer cross-validation.",
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
    drawn, (axes,) = new_figure(height=3.2)
    for i, (family, sizes) in enumerate(sorted(draws.items())):
        points = [(size, sum(errors) / len(errors)) for size, errors in sorted(sizes.items())]
        axes.plot(
            [x for x, _ in points],
            [y for _, y in points],
            marker="o",
            ms=3,
            color=SERIES[i % len(SERIES)],
            linestyle=("-", "--", ":")[i // len(SERIES) % 3],
            label=family,
        )
    every = [size for sizes in draws.values() for size in sizes]
    errors = [error for sizes in draws.values() for found in sizes.values() for error in found]
    log_axis(axes, "x", (min(every) / 1.2, max(every) * 1.2))
    log_axis(axes, "y", (min(errors) / 1.2, max(errors) * 1.2))
    axes.set(xlabel="measured configurations", ylabel="RMSPE, %")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return picture(
        drawn,
        "learning-figure",
        "Error against the number of measurements",
        "Runtime: error of models fitted to random parts of the configurations, on all the others "
        "(mean of the draws in learning_curve.csv).",
    )
