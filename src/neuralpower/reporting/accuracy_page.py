"""The page that says, for all platforms, how accurate the figures are."""

from __future__ import annotations

from pathlib import Path

from markupsafe import Markup

from neuralpower.core.targets import LABELS, TARGETS
from neuralpower.networks.text import number
from neuralpower.reporting.charts import GRID, LETTER, LINE, Axis, Chart, Picture, colour, panels
from neuralpower.reporting.pages import Page
from neuralpower.reporting.results import PlatformResults, Results, with_power_first
from neuralpower.reporting.scores import SIMPLE_WORDS, best_simple, worse_than_simple
from neuralpower.reporting.tables import (
    Column,
    Table,
    inline_download,
    per_cent,
    slim,
    whole,
    word,
)
from neuralpower.scoring.accuracy import LayerScores


def accuracy_context(results: Results, page: Path) -> dict[str, object]:
    """What the template ``accuracy.html`` shows."""
    platforms = with_power_first(results)
    return {
        "title": "Accuracy",
        "networks": _networks(platforms),
        "figures": [
            (f"{LABELS[target].capitalize()} of layers", drawn)
            for target in TARGETS
            if (drawn := _overview(platforms, target))
        ],
        "layers": _layers(platforms),
        "recipe": _recipe(platforms),
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
                name, error = best_simple(score) or ("", None)
                rows.append(
                    [
                        word(platform.name, href=href),
                        word(family, href=f"models/{platform.name}.{family}.html"),
                        word(LABELS[target]),
                        whole(score.get("n")),
                        per_cent(score.get("rmspe")),
                        per_cent(score.get("mape")),
                        per_cent(score.get("median_ape")),
                        per_cent(score.get("within_10")),
                        per_cent(score.get("interval_coverage")),
                        per_cent(error),
                        word(SIMPLE_WORDS.get(name, "")),
                        word("worse than it" if worse_than_simple(score) else ""),
                    ]
                )
                records.append(
                    {"platform": platform.name, "family": family, "target": target}
                    | {name: score.get(name) for name in _SCORES}
                    | {"paper_rmspe": score.get("baselines", {}).get("paper"),
                       "best_simple": name, "best_simple_rmspe": error}
                )  # fmt: skip
    if not rows:
        return None
    columns = [
        Column("Platform", False), Column("Family", False), Column("Quantity", False),
        Column("Layers"), Column("RMSPE %"), Column("MAPE %"), Column("Median error %"),
        Column("Within 10 %, %"), Column("In the 90 % interval, %"),
        Column("Best simple predictor RMSPE %", look="quiet"),
        Column("It is", False, look="quiet"),
        Column("Mark", False),
    ]  # fmt: skip
    caption = (
        "Out-of-fold scores of layer models; each platform's page has the details. Simple "
        "predictors: a constant, a rate of MACs or elements, a roofline with two fitted rates."
    )
    return slim(
        Table("layer-scores", "Scores of layer models", caption, columns, rows,
              download=inline_download("accuracy.csv", list(records[0]), records),
              filterable=True)
    )  # fmt: skip


def _recipe(platforms: list[PlatformResults]) -> str:
    """What the published recipe's terms and objective reach on the same layers, in a sentence."""
    errors = sorted(
        (float(paper), f"{family} on {platform.name}")
        for platform in platforms
        for family, targets in platform.accuracy.get("layers", {}).items()
        if (paper := (targets.get("runtime_ms") or {}).get("baselines", {}).get("paper"))
    )
    if not errors:
        return ""
    (least, first), (most, last) = errors[0], errors[-1]
    ends = (
        f"from {number(least)} % ({first}) to {number(most)} % ({last})"
        if least < most
        else (f"{number(least)} % ({first})")
    )
    return (
        "The terms and the objective of NeuralPower (2017), fitted to the same layers and scored "
        f"out of fold in the same way, have a runtime RMSPE {ends}: their absolute objective gives "
        "small layers no weight. Its paper scores on layers of one size range and in sample."
    )


def _networks(platforms: list[PlatformResults]) -> Table | None:
    rows = []
    for platform in platforms:
        summary = platform.accuracy.get("network_summary", {})
        for target, score in ((t, summary[t]) for t in TARGETS if t in summary):
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


#: The end of the axis of errors, in per cent: what is beyond is drawn there.
_MOST = 100.0


def _overview(platforms: list[PlatformResults], target: str) -> Picture | None:
    """RMSPE by family, a panel per platform, between the noise and the best simple predictor."""
    drawn = {}
    for platform in platforms:
        scores = {
            family: score
            for family, targets in platform.accuracy.get("layers", {}).items()
            if (score := targets.get(target)) and score.get("rmspe") is not None
        }
        if scores:
            drawn[platform.name] = _panel(platform, scores, target)
    if not drawn:
        return None
    return panels(
        f"overview-{LABELS[target]}",
        f"Error of layer {LABELS[target]} by layer family",
        f"Out-of-fold RMSPE of layer {LABELS[target]} (accuracy tables) by family: the model, the "
        "best simple predictor of one line, and the noise where layers were measured more than "
        "once: half of the range of their repeats (median). What is beyond "
        f"{_MOST:g} % is drawn at the end.",
        drawn,
    )


def _panel(platform: PlatformResults, scores: LayerScores, target: str) -> Chart:
    families = sorted(scores, key=lambda family: scores[family]["rmspe"])
    left, wide = 20 + LETTER * max(9, *(len(family) for family in families)), 17.0
    chart = Chart(392, 66 + wide * len(families) + 2 * LINE)
    series = (("model", colour(0)), ("best simple", colour(1)), ("noise", colour(7)))
    chart.text(0, 12, platform.name, kind="title")
    chart.parts.append(Markup('<g transform="translate(0 20)">'))
    chart.legend(left, series)
    plane = chart.plane(
        Axis((0, _MOST), "RMSPE, %", log=False),
        Axis((len(families), 0), log=False, ticks={i + 0.5: f for i, f in enumerate(families)}),
        (left, 24, 380, 24 + wide * len(families)),
    )
    marks: list[list[tuple[float, float, str]]] = [[], [], []]
    for n, family in enumerate(families):
        y, score = n + 0.5, scores[family]
        marks[0].append((score["rmspe"], y, f"{family}: {number(score['rmspe'])} %"))
        if best := best_simple(score):
            plane.line([(score["rmspe"], y), (best[1], y)], GRID)
            text = f"{family}, {SIMPLE_WORDS[best[0]]}: {number(best[1])} %"
            marks[1].append((best[1], y, text))
        noise = platform.model(family, target).get("noise") or {}
        if (floor := noise.get("median_half_range_percent")) is not None:
            marks[2].append((floor, y, f"{family}, half range of repeats: {number(floor)} %"))
    for k in (2, 1, 0):
        plane.dots(marks[k], series[k][1])
    chart.parts.append(Markup("</g>"))
    return chart


PAGE = Page(
    template="accuracy.html",
    path="accuracy.html",
    inputs=("results/accuracy/{platform}.json", "results/models/{platform}/models.json"),
    context=accuracy_context,
)
