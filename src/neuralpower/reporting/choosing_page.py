"""The page for choosing: rank, Pareto front and energy-precision ratio on every platform.

The figures come from ``networks.choosing``; the table on the page can be saved as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from neuralpower.core.targets import LABELS, UNITS
from neuralpower.networks.choosing import ALPHAS, COLUMNS, compare
from neuralpower.networks.text import number
from neuralpower.reporting.charts import GRID, LETTER, LINE, Axis, Chart, Picture, Plane, colour
from neuralpower.reporting.pages import Page
from neuralpower.reporting.results import PlatformResults, Results
from neuralpower.reporting.tables import (
    Cell,
    Column,
    Table,
    figure,
    inline_download,
    per_cent,
    round_sort,
    slim,
    whole,
    word,
)

Row = Mapping[str, Any]


def choosing_context(results: Results, page: Path) -> dict[str, Any]:
    """What the template ``choosing.html`` shows."""
    sections = []
    for name in results.platforms:
        platform = results.platform(name)
        totals = [row for network in results.networks for row in platform.totals(network)]
        rows = compare(totals, results.published)
        best = [row for row in rows if row["best_batch"]]
        if best:
            sections.append(_section(platform, rows, best))
    return {"title": "Choosing", "platforms": sections}


def _section(platform: PlatformResults, rows: Sequence[Row], best: Sequence[Row]) -> dict[str, Any]:
    return {
        "name": platform.name,
        "why_no_power": platform.why_no_power,
        "sentence": _winners(best),
        "figure": _pareto(platform.name, best),
        "table": _table(platform.name, rows, best),
    }


def _winners(best: Sequence[Row]) -> str:
    """The network of the smallest EPR for every alpha, among those of the largest data set."""
    known = _largest_data_set(best)
    if len(known) < 2:
        return ""
    parts = []
    for alpha in ALPHAS:
        top = min(known, key=lambda row: (row[f"epr_{alpha}"], row["network"]))
        parts.append(f"{top['network']} for α = {alpha}")
    return f"Best of the {len(known)} networks for {known[0]['dataset']}: {', '.join(parts)}."


def _largest_data_set(rows: Sequence[Row]) -> list[Row]:
    """Rows whose errors can be compared: the data set and kind of error that most have."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row["error_percent"] is not None:
            groups.setdefault((str(row["dataset"]), str(row["error_kind"])), []).append(row)
    return max(groups.values(), key=len, default=[])


def _pareto(platform: str, best: Sequence[Row]) -> Picture | None:
    known = _largest_data_set(best)
    if len(known) < 2:
        return None
    cost = known[0]["cost"]
    costs = [row[f"{cost}_per_image"] for row in known]
    errors = [row["error_percent"] for row in known]
    span = max(errors) - min(errors) or 1.0
    kind = {"top5_error": "top-5", "top1_error": "top-1"}[known[0]["error_kind"]]
    chart = Chart(760, 400 + 2 * LINE + 10)
    plane = chart.plane(
        Axis((min(costs) / 1.4, max(costs) * 2.2), f"{LABELS[cost]} per image, {UNITS[cost]}",
             most=7),
        Axis((max(min(errors) - 0.1 * span, 0), max(errors) + 0.1 * span),
             f"published {kind} error, %", log=False),
        (54, 12, 748, 400),
    )  # fmt: skip
    for row in known:
        ends = [(row[f"{cost}_per_image{end}"], row["error_percent"]) for end in ("_lo", "_hi")]
        plane.line(ends, GRID)
    front = sorted((r for r in known if r["pareto"]), key=lambda r: r[f"{cost}_per_image"])
    plane.steps([(r[f"{cost}_per_image"], r["error_percent"]) for r in front], colour(1), "line")
    plane.dots(
        [(r[f"{cost}_per_image"], r["error_percent"],
          f"{r['network']}: {number(r[f'{cost}_per_image'])} {UNITS[cost]}, "
          f"{number(r['error_percent'])} %") for r in known],
        colour(0),
    )  # fmt: skip
    _name(plane, sorted(known, key=lambda row: not row["pareto"]), cost)
    return chart.picture(
        f"pareto-{platform}",
        f"Published error against predicted {LABELS[cost]} per image on {platform}",
        f"Published {kind} error on {known[0]['dataset']} (prototxts/networks.yaml) against the "
        f"predicted {LABELS[cost]} of an image at the network's best batch size; grey: 90 % "
        "interval. Networks on the line are not beaten in both at once. A name without room is "
        "left out; the table has all.",
    )


def _name(plane: Plane, rows: Sequence[Row], cost: str) -> None:
    """Write each network's name beside its dot where it covers no other, earlier rows first."""
    dots = [(plane.x(r[f"{cost}_per_image"]), plane.y(r["error_percent"])) for r in rows]
    taken = [(x - 4, y - 4, x + 4, y + 4) for x, y in dots]
    for row, (x, y), own in zip(rows, dots, list(taken), strict=True):
        wide, high = LETTER * len(row["network"]), 12.0
        corners = [(left, top) for top in (y - 4 - high, y + 4) for left in (x, x - wide)] + [
            (x + 7, y - high / 2)
        ]
        for left, top in corners:
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


def _table(platform: str, rows: Sequence[Row], best: Sequence[Row]) -> Table:
    cost = best[0]["cost"]
    unit = UNITS[cost]
    columns = [
        Column("Network", False), Column("Rank"), Column("Best batch"),
        Column("Data set", False, look="whole"), Column("Error %"), Column(f"{unit} per image"),
        Column("90 % interval", look="quiet"), Column("Surely before the next, %"),
        Column("Pareto", False),
        *(Column(f"EPR, α = {alpha}") for alpha in ALPHAS),
    ]  # fmt: skip
    lowest = {
        alpha: min((r[f"epr_{alpha}"] for r in _largest_data_set(best)), default=None)
        for alpha in ALPHAS
    }
    cells = []
    for row in best:
        ends = [row[f"{cost}_per_image{end}"] for end in ("_lo", "_hi")]
        sure = row["probability_before_next"]
        kind = {"top5_error": "top-5", "top1_error": "top-1"}.get(str(row["error_kind"]), "")
        cells.append(
            [
                word(row["network"], href=f"networks/{quote(row['network'])}.html"),
                whole(row["rank"]),
                whole(row["batch"]),
                word(row["dataset"]),
                Cell(f"{number(row['error_percent'])} ({kind})", row["error_percent"])
                if kind
                else Cell(),
                figure(row[f"{cost}_per_image"]),
                Cell(f"{number(ends[0])} – {number(ends[1])}", round_sort(ends[1])),
                per_cent(None if sure is None else 100 * sure, digits=2),
                word("front" if row["pareto"] else ""),
                *(
                    figure(
                        row[f"epr_{alpha}"],
                        mark="best" if row[f"epr_{alpha}"] == lowest[alpha] else "",
                    )
                    if row[f"epr_{alpha}"] is not None
                    else Cell()
                    for alpha in ALPHAS
                ),
            ]
        )
    caption = (
        f"Networks in order of predicted {LABELS[cost]} per image. “Surely before the next” is the "
        "probability that a network really costs less than the next in rank, from their intervals "
        "and taken as independent. Bold: smallest EPR of the largest data set. The file has all "
        "batch sizes."
    )
    return slim(
        Table(
            f"choosing-{platform}",
            f"Networks ranked on {platform}",
            caption,
            columns,
            cells,
            download=inline_download(f"choosing.{platform}.csv", COLUMNS, rows),
            filterable=True,
        )
    )


PAGE = Page(
    template="choosing.html",
    path="choosing.html",
    inputs=(
        "results/layers/{network}.csv",
        "results/predictions/{platform}/{network}.csv",
        "results/accuracy/{platform}.json",
        "results/models/{platform}/models.json",
    ),
    optional=("prototxts/networks.yaml",),
    context=choosing_context,
)
