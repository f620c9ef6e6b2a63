"""Measured beside predicted whole passes: columns that several pages show."""

from __future__ import annotations

from collections.abc import Mapping

from neuralpower.core.targets import LABELS, TARGETS
from neuralpower.networks.text import number
from neuralpower.reporting.tables import Cell, Column, figure, round_sort
from neuralpower.scoring.accuracy import LayerScore, LayerScores, PassScore, PassScores

#: Baselines in words, and what they are.
BASELINES = {
    "constant": "constant", "macs": "MACs", "elements": "elements", "roofline": "roofline",
    "roofline_given": "roofline (data sheet)", "paleo_fitted": "Paleo (fitted)",
    "paleo_ppp1": "Paleo (ppp 1)", "paper": "NeuralPower 2017",
    "paper_in_sample": "NeuralPower 2017, in sample",
}  # fmt: skip
BASELINE_HELP = {
    "constant": "the mean of the measurements",
    "macs": "proportional to multiply-accumulates",
    "roofline": "the slower of arithmetic and memory, both rates fitted",
    "paper": "the published terms and objective, out of fold",
    "paper_in_sample": "the published recipe, scored on the rows it was fitted to, as published",
}

SCORE_COLUMNS = tuple(
    Column(label, look="quiet" if "interval" in label else "")
    for what in ("runtime, ms", "power, W", "energy, mJ")
    for label in (f"Measured {what}", f"Predicted {what}", "90 % interval", "Error %")
)


def by_batch(targets: PassScores) -> dict[float, dict[str, PassScore]]:
    """A network's scores of accuracy.json: batch size -> target -> score, small batches first."""
    found: dict[float, dict[str, PassScore]] = {}
    for target in TARGETS:
        for score in targets.get(target, []):
            found.setdefault(score["batch"], {})[target] = score
    return dict(sorted(found.items()))


def score_cells(score: PassScore | None) -> list[Cell]:
    """The cells of ``SCORE_COLUMNS`` for one target."""
    if score is None:
        return [Cell()] * 4
    return [
        figure(score["measured"]),
        figure(score["predicted"]),
        Cell(f"{number(score['lo'])} – {number(score['hi'])}", round_sort(score["hi"])),
        figure(score["error_percent"]),
    ]


#: Predictors of one line: a constant, a rate, a roofline with two rates.
SIMPLE = ("constant", "macs", "elements", "roofline")
SIMPLE_WORDS = {
    "constant": "a constant",
    "macs": "a rate of MACs",
    "elements": "a rate of elements",
    "roofline": "a fitted roofline",
}


def best_simple(score: LayerScore) -> tuple[str, float] | None:
    """The simple predictor of least RMSPE (per cent) beside a layer model; None without any."""
    baselines = score.get("baselines", {})
    known = [(value, name) for name in SIMPLE if (value := baselines.get(name)) is not None]
    return (min(known)[1], float(min(known)[0])) if known else None


def worse_than_simple(score: LayerScore) -> str:
    """The simple rule that beats a layer model, in words; empty where none does."""
    best, own = best_simple(score), score.get("rmspe")
    if best is None or own is None or best[1] >= own:
        return ""
    return f"worse than {SIMPLE_WORDS[best[0]]}, {number(best[1])} %"


def worse_models(layers: Mapping[str, LayerScores]) -> list[str]:
    """Families and targets of an accuracy file whose model a simple rule beats, in words."""
    return [
        f"{family} {LABELS[target]}"
        for family, targets in sorted(layers.items())
        for target in TARGETS
        if worse_than_simple(targets.get(target) or {})
    ]
