"""The page that says, for all platforms, how accurate the figures are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from neuralpower.core.targets import LABELS, TARGETS
from neuralpower.networks.text import number
from neuralpower.reporting.charts import GRID, LETTER, LINE, Axis, Chart, Picture, colour
from neuralpower.reporting.pages import Page
from neuralpower.reporting.results import PlatformResults, Results
from neuralpower.reporting.tables import (
    Column,
    Table,
    inline_download,
    per_cent,
    slim,
    whole,
    word,
)


def accuracy_context(results: Results, page: Path) -> dict[str, Any]:
    """What the template ``accuracy.html`` shows."""
    platforms = [results.platform(name) for name in results.platforms]
    return {
        "title": "Accuracy",
        "layers": _layers(platforms),
        "networks": _networks(platforms),
        "figure": _overview(platforms),
    }


_SCORES = ("n", "rmspe", "mape", "median_ape", "within_10", "interval_coverage")


def _layers(platforms: list[PlatformResults]) -> Table | None:
    rows, records = [], []
    for platform in platforms:
        href = f"platforms/{platform.name}.html"
        for family, targets in sorted(platform.accuracy.get("layers", {}).items()):
            for target in TARGETS:
                score = targets.get(target)
                if not score:
                    continue
                baselines = {k: v for k, v in score.get("baselines", {}).items() if v is not None}
                usable = {k: v for k, v in baselines.items() if k != "paper_in_sample"}
                best = min(usable, key=lambda k: usable[k], default="")
                rows.append(
                    [
                        word(platform.name, href=href),
                        word(family),
                        word(LABELS[target]),
                        whole(score.get("n")),
                        *(per_cent(score.get(name)) for name in _SCORES[1:]),
                        per_cent(usable.get("paper")),
                        per_cent(usable.get(best)),
                        word(best.replace("_", " ")),
                    ]
                )
                records.append(
                    {"platform": platform.name, "family": family, "target": target}
                    | {name: score.get(name) for name in _SCORES}
                    | {"paper_rmspe": usable.get("paper"), "best_baseline": best,
                       "best_baseline_rmspe": usable.get(best)}
                )  # fmt: skip
    if not rows:
        return None
    columns = [
        Column("Platform", False), Column("Family", False), Column("Quantity", False),
        Column("Layers"), Column("RMSPE %"), Column("MAPE %"), Column("Median error %"),
        Column("Within 10 %, %"), Column("In the 90 % interval, %"),
        Column("NeuralPower 2017 RMSPE %", look="quiet"),
        Column("Best baseline RMSPE %", look="quiet"),
        Column("Best baseline", False, look="quiet"),
    ]  # fmt: skip
    caption = "Out-of-fold scores of layer models; each platform's page has the details."
    return slim(
        Table("layer-scores", "Scores of layer models", caption, columns, rows,
              download=inline_download("accuracy.csv", list(records[0]), records),
              filterable=True)
    )  # fmt: skip


def _networks(platforms: list[PlatformResults]) -> Table | None:
    rows = []
    for platform in platforms:
        for target, score in platform.accuracy.get("network_summary", {}).items():
            rows.append(
                [
                    word(platform.name, href=f"platforms/{platform.name}.html"),
                    word(LABELS.get(target, target)),
                    whole(score.get("n")),
                    per_cent(score.get("mape")),
                    per_cent(score.get("rmspe")),
                    per_cent(score.get("median_ape")),
                    per_cent(score.get("interval_coverage")),
                ]
            )
    if not rows:
        return None
    columns = [
        Column("Platform", False), Column("Quantity", False), Column("Network-batch pairs"),
        Column("MAPE %"), Column("RMSPE %"), Column("Median error %"),
        Column("In the 90 % interval, %"),
    ]  # fmt: skip
    caption = "Whole passes that were measured against predictions composed from layer models."
    return slim(Table("network-scores", "Scores of whole networks", caption, columns, rows))


def _overview(platforms: list[PlatformResults]) -> Picture | None:
    """RMSPE by platform and family, runtime, beside the published recipe's."""
    items = []
    for platform in platforms:
        for family, targets in sorted(platform.accuracy.get("layers", {}).items()):
            score = targets.get("runtime_ms")
            if score and score.get("rmspe") is not None:
                items.append((f"{platform.name}: {family}", score))
    if not items:
        return None
    left, wide = 24 + LETTER * max(len(label) for label, _ in items), 16.0
    chart = Chart(720, 30 + wide * len(items) + 2 * LINE + 10)
    errors = [score["rmspe"] for _, score in items]
    errors += [e for _, score in items if (e := score.get("baselines", {}).get("paper"))]
    chart.legend(left, [("this model", colour(0)), ("the recipe of 2017", colour(1))])
    plane = chart.plane(
        Axis((min(errors) / 1.5, max(errors) * 1.5), "RMSPE of layer runtime, %", most=6),
        Axis((len(items), 0), log=False, ticks={i + 0.5: x for i, (x, _) in enumerate(items)}),
        (left, 24, 706, 24 + wide * len(items)),
    )
    ours, papers = [], []
    for y, (label, score) in enumerate(items):
        own, paper = score["rmspe"], score.get("baselines", {}).get("paper")
        ours.append((own, y + 0.5, f"{label}: {number(own)} %"))
        if paper is not None:
            plane.line([(own, y + 0.5), (paper, y + 0.5)], GRID)
            papers.append((paper, y + 0.5, f"{label}, the recipe of 2017: {number(paper)} %"))
    plane.dots(papers, colour(1))
    plane.dots(ours, colour(0))
    return chart.picture(
        "overview",
        "Error of layer runtimes by platform and layer family",
        "Out-of-fold error of layer runtimes (accuracy tables), beside the same measurements under "
        "the published terms and objective of NeuralPower (2017).",
    )


PAGE = Page(
    template="accuracy.html",
    path="accuracy.html",
    inputs=("results/accuracy/{platform}.json",),
    context=accuracy_context,
)
