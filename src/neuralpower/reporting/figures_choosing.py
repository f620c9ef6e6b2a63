"""The figure for choosing: published error against predicted cost, with the Pareto front."""

from __future__ import annotations

from collections.abc import Sequence

from neuralpower.core.cells import Row
from neuralpower.core.targets import LABELS, UNITS
from neuralpower.networks.text import number
from neuralpower.reporting.beyond import column_words
from neuralpower.reporting.charts import GRID, LETTER, LINE, Axis, Chart, Picture, Plane, colour


def pareto(
    known: Sequence[Row], cost: str, kind: str, data_set: str, platform: str, batch: str
) -> Picture | None:
    """Networks by cost and error; ``known`` have both, ``cost`` is the column of the cost."""
    if len(known) < 2:
        return None
    costs = [row[f"{cost}_per_image"] for row in known]
    errors = [row["error_percent"] for row in known]
    span = max(errors) - min(errors) or 1.0
    chart = Chart(712, 400 + 2 * LINE + 10)
    plane = chart.plane(
        Axis((min(costs) / 1.4, max(costs) * 2.2), f"{LABELS[cost]} per image, {UNITS[cost]}",
             most=7),
        Axis((max(min(errors) - 0.1 * span, 0), max(errors) + 0.1 * span),
             f"published {kind} error, %", log=False),
        (54, 12, 700, 400),
    )  # fmt: skip
    for row in known:
        ends = [(row[f"{cost}_per_image{end}"], row["error_percent"]) for end in ("_lo", "_hi")]
        plane.line(ends, GRID)
    front = sorted((r for r in known if r["pareto"]), key=lambda r: r[f"{cost}_per_image"])
    plane.steps([(r[f"{cost}_per_image"], r["error_percent"]) for r in front], colour(1), "line")
    within = [row for row in known if not row["extrapolates"]]
    plane.dots([_mark(row, cost) for row in within], colour(0))
    for row in known:
        if row["extrapolates"]:
            x, y, text = _mark(row, cost)
            beyond = f"beyond the measured {column_words(row['extrapolates'])}"
            plane.ring(x, y, f"{text}, {beyond}", colour(0), "far")
    _name(plane, sorted(known, key=lambda row: not row["pareto"]), cost)
    hollow = " Hollow: beyond what was measured." if len(within) < len(known) else ""
    at = "at its best batch size" if not batch[0].isdecimal() else f"at batch {batch}"
    return chart.picture(
        "pareto",
        f"Published error against predicted {LABELS[cost]} per image on {platform}",
        f"Published {kind} error on {data_set} (prototxts/networks.yaml) against the predicted "
        f"{LABELS[cost]} of an image, each network {at}; grey: 90 % interval. Networks on the line "
        f"are not beaten in both at once.{hollow} A name without room is left out; the table has "
        "all.",
    )


def _mark(row: Row, cost: str) -> tuple[float, float, str]:
    value = row[f"{cost}_per_image"]
    text = f"{row['network']}: {number(value)} {UNITS[cost]}, {number(row['error_percent'])} %"
    return value, row["error_percent"], text


def _name(plane: Plane, rows: Sequence[Row], cost: str) -> None:
    """Write each network's name beside its dot where it covers no other, earlier rows first."""
    dots = [(plane.x(r[f"{cost}_per_image"]), plane.y(r["error_percent"])) for r in rows]
    taken = [(x - 4, y - 4, x + 4, y + 4) for x, y in dots]
    for row, (x, y), own in zip(rows, dots, list(taken), strict=True):
        wide, high = LETTER * len(row["network"]), 12.0
        corners = [(left, top) for top in (y - 4 - high, y + 4) for left in (x, x - wide)]
        for left, top in [*corners, (x + 7, y - high / 2)]:
            box = (left, top, left + wide, top + high)
            others = [other for other in taken if other is not own]
            inside = left >= plane.x.places[0] and left + wide <= plane.chart.width
            if inside and not any(_overlap(box, other) for other in others):
                taken.append(box)
                kind = "front" if row["pareto"] else "quiet"
                plane.chart.text(left, top + high - 2, row["network"], kind=kind)
                break


def _overlap(a: Sequence[float], b: Sequence[float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
