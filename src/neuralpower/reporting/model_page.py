"""The page of a model family on a platform: equations, terms, scores, and the measured range."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from neuralpower.core.file_names import DATA_RANGES
from neuralpower.core.targets import LABELS, TARGETS, UNITS
from neuralpower.networks.text import number
from neuralpower.reporting.drivers_section import drivers_section
from neuralpower.reporting.figures_platform import trade_off
from neuralpower.reporting.pages import Page
from neuralpower.reporting.results import PlatformResults, Results, Row
from neuralpower.reporting.scores import worse_than_simple
from neuralpower.reporting.tables import Cell, Column, Table, figure, slim, whole, word
from neuralpower.scoring.accuracy import LayerScore

#: Terms of a model in its table; the equation has all.
_SHOWN_TERMS = 8
_RANGE_NUMBERS = frozenset({"min", "median", "max", "distinct"})


def model_context(results: Results, page: Path, platform: str, family: str) -> dict[str, object]:
    """What the template ``model.html`` shows."""
    found = results.platform(platform)
    ranges = _rows_of_ranges(found, family)
    medians = {row["column"]: row["median"] for row in ranges if row["median"] is not None}
    candidates = [row for row in found.candidates if row["family"] == family]
    targets = []
    for target in TARGETS:
        model = found.model(family, target)
        if model:
            targets.append(
                {
                    "name": LABELS[target],
                    "title": f"{LABELS[target].capitalize()}, {UNITS[target]}",
                    "facts": _facts(model),
                    "mark": worse_than_simple(
                        found.accuracy.get("layers", {}).get(family, {}).get(target) or {}
                    ),
                    "equation": str(model.get("equation") or ""),
                    "how": _equation_facts(model),
                    "terms": _terms(target, model),
                    "size": _size(target, model),
                    "trade_off": trade_off(
                        [row for row in candidates if row["target"] == target], target
                    ),
                    "drivers": drivers_section(target, model, medians),
                }
            )
    return {
        "title": f"{family} on {platform}",
        "platform": platform,
        "family": family,
        "targets": targets,
        "ranges": _ranges(ranges),
    }


def _facts(model: Mapping[str, Any]) -> list[tuple[str, str]]:
    """How far the model may be trusted."""
    scores, noise = model.get("scores", {}), model.get("noise", {})
    facts = [
        ("Error on unseen layers", _errors(scores) or _unscored(model)),
        ("Layers measured", f"{scores['n']}" if "n" in scores else ""),
    ]
    if scores.get("interval_coverage") is not None:
        held = f"holds for {number(scores['interval_coverage'])} % of the unseen layers"
        facts.append(("90 % interval", held))
    if noise.get("median_half_range_percent") is not None:
        text = f"± {number(noise['median_half_range_percent'])} % over {noise['repeated']} layers"
        facts.append(("Repeatability", f"{text} that were measured more than once (median)"))
    return facts


def _unscored(model: Mapping[str, Any]) -> str:
    """Where a model comes from that no layer of its kind was left to check."""
    source = model.get("provenance", {}).get("source")
    return f"not known: the model is made from {source}" if source else ""


def _equation_facts(model: Mapping[str, Any]) -> list[tuple[str, str]]:
    """How the equations were chosen, and what statistics say of them."""
    facts = [
        ("Chosen", str(model.get("candidate", ""))),
        ("Terms", f"{model.get('n_terms', '')}{_said(model)}"),
        ("Error on the fitted layers", _errors(model.get("in_sample", {}))),
    ]
    for i, inference in enumerate(model.get("inference") or [], 1):
        if inference and "left_out" in inference:
            facts.append((f"Equation {i}", f"no standard errors: {inference['left_out']}"))
        elif inference:
            facts.append(
                (
                    f"Equation {i}",
                    f"condition number {number(inference['condition_number'])}; Breusch-Pagan test "
                    f"of even scatter, p = {number(inference['breusch_pagan_p'])}; "
                    f"{inference['influence']['above_4_over_n']} layers with a Cook's distance "
                    "above 4 / n",
                )
            )
    return facts


def _errors(scores: LayerScore) -> str:
    if "rmspe" not in scores:
        return ""
    return f"{number(scores['mape'])} % on average (MAPE), RMSPE {number(scores['rmspe'])} %"


def _terms(target: str, model: Mapping[str, Any]) -> Table | None:
    inferences = model.get("inference") or []
    rows = []
    for i, equation in enumerate(model.get("equations", [])):
        inference = inferences[i] if i < len(inferences) and inferences[i] else {}
        known_terms = {term["name"]: term for term in inference.get("terms", [])}
        for term in equation.get("terms", []):
            known = known_terms.get(term["name"], {})
            rows.append(
                [
                    word(term["name"]),
                    whole(i + 1),
                    figure(term["coefficient"], 4),
                    figure(known.get("standard_error")),
                    figure(known.get("t")),
                ]
            )
    if not rows:
        return None
    every = len(rows)
    # Terms without an error of their coefficient go last, in the order of the equations.
    rows = sorted(rows, key=lambda row: -abs(row[-1].sort or 0))[:_SHOWN_TERMS]
    columns = [Column("Term", False), Column("Equation"), Column("Coefficient"),
               Column("Standard error"), Column("t")]  # fmt: skip
    shown = (
        f"The {len(rows)} largest t of {every} terms; the equation above has all. "
        if (every > len(rows))
        else "Terms of the equations. "
    )
    caption = (
        f"{shown}Standard errors hold for the chosen terms only: they do not know "
        "that the terms were chosen on the same data."
    )
    return slim(
        Table(f"terms-{LABELS[target]}", f"Terms of the {LABELS[target]} model", caption, columns,
              rows)
    )  # fmt: skip


def _size(target: str, model: Mapping[str, Any]) -> str:
    """What the folded equation is, in a line."""
    count = len(model.get("equations", ()))
    mean = f"a mean of {count} equations" if count > 1 else "one equation"
    terms = f"{model.get('n_terms', 0)} terms{_said(model)}"
    return f"{LABELS[target].capitalize()} is {mean} with {terms}"


def _said(model: Mapping[str, Any]) -> str:
    """That measured layers have a say too, and how many."""
    said = [equation.get("neighbours") or {} for equation in model.get("equations", ())]
    count = sum(len(neighbours.get("layers", ())) for neighbours in said)
    return f", and what {count} measured layers say of layers like them" if count else ""


def _rows_of_ranges(platform: PlatformResults, family: str) -> list[Row]:
    rows = platform.table(DATA_RANGES, _RANGE_NUMBERS, ("family", "column"))
    return [row for row in rows if row["family"] == family]


def _ranges(ranges: Sequence[Row]) -> Table | None:
    rows = [
        [
            word(row["column"]),
            *(_size_cell(row["column"], row[end]) for end in ("min", "median", "max")),
            whole(row["distinct"]),
        ]
        for row in ranges
    ]
    if not rows:
        return None
    columns = [Column("Column", False), Column("Least"), Column("Median"), Column("Most"),
               Column("Distinct values")]  # fmt: skip
    caption = (
        "Columns that vary among the measured layers of this family. Beyond these ranges a "
        "prediction is an extrapolation and is flagged."
    )
    return Table("ranges-table", "Measured ranges", caption, columns, rows)


def _size_cell(column: str, value: float | None) -> Cell:
    """A size of a layer without decimals, a measured quantity with three digits."""
    return figure(value) if column in TARGETS else whole(value)


def _each(results: Results) -> list[dict[str, str]]:
    return [
        {"platform": name, "family": family}
        for name in results.platforms
        for family in sorted(results.platform(name).accuracy.get("layers", {}))
    ]


PAGE = Page(
    template="model.html",
    path="models/{platform}.{family}.html",
    inputs=(
        "results/accuracy/{platform}.json",
        "results/models/{platform}/models.json",
        "results/models/{platform}/cross_validation.csv",
    ),
    sheets=("figures", "style"),
    context=model_context,
    each=_each,
)
