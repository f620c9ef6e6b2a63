"""The page of a model family on a platform: equations, terms, scores, and the measured range."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from neuralpower.core.targets import LABELS, TARGETS, UNITS
from neuralpower.networks.text import number
from neuralpower.reporting.pages import Page
from neuralpower.reporting.results import PlatformResults, Results
from neuralpower.reporting.scores import worse_than_simple
from neuralpower.reporting.tables import Column, Table, figure, slim, whole, word

_RANGE_NUMBERS = frozenset({"min", "median", "max", "distinct"})


def model_context(results: Results, page: Path, platform: str, family: str) -> dict[str, Any]:
    """What the template ``model.html`` shows."""
    found = results.platform(platform)
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
                    "terms": _terms(target, model),
                }
            )
    return {
        "title": f"{family} on {platform}",
        "platform": platform,
        "family": family,
        "targets": targets,
        "ranges": _ranges(found, family),
    }


def _facts(model: Mapping[str, Any]) -> list[tuple[str, str]]:
    scores, noise = model.get("scores", {}), model.get("noise", {})
    inside = model.get("in_sample", {})
    facts = [
        ("Chosen", str(model.get("candidate", ""))),
        ("Terms", str(model.get("n_terms", ""))),
        ("Out of fold", _errors(scores)),
        ("On the fitted layers", _errors(inside)),
        ("Layers", f"{scores['n']}" if "n" in scores else ""),
    ]
    if scores.get("interval_coverage") is not None:
        held = f"{number(scores['interval_coverage'])} % of the layers lie inside"
        facts.append(("90 % interval", held))
    if noise.get("median_half_range_percent") is not None:
        text = f"± {number(noise['median_half_range_percent'])} % over {noise['repeated']} layers"
        facts.append(("Repeatability", f"{text} that were measured more than once (median)"))
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


def _errors(scores: Mapping[str, Any]) -> str:
    if "rmspe" not in scores:
        return ""
    return f"RMSPE {number(scores['rmspe'])} %, MAPE {number(scores['mape'])} %"


def _terms(target: str, model: Mapping[str, Any]) -> Table | None:
    inferences = model.get("inference") or []
    rows = []
    for i, equation in enumerate(model.get("equations", [])):
        inference = inferences[i] if i < len(inferences) and inferences[i] else {}
        told = {term["name"]: term for term in inference.get("terms", [])}
        for term in equation.get("terms", []):
            known = told.get(term["name"], {})
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
    columns = [Column("Term", False), Column("Equation"), Column("Coefficient"),
               Column("Standard error"), Column("t")]  # fmt: skip
    caption = (
        "Terms of the equations. Standard errors hold for the chosen terms only: they do not know "
        "that the terms were chosen on the same data."
    )
    return slim(
        Table(f"terms-{LABELS[target]}", f"Terms of the {LABELS[target]} model", caption, columns,
              rows, filterable=True)
    )  # fmt: skip


def _ranges(platform: PlatformResults, family: str) -> Table | None:
    rows = [
        [
            word(row["column"]),
            figure(row["min"]),
            figure(row["median"]),
            figure(row["max"]),
            whole(row["distinct"]),
        ]
        for row in platform.table("data_ranges.csv", _RANGE_NUMBERS)
        if row["family"] == family
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


def _each(results: Results) -> list[dict[str, str]]:
    return [
        {"platform": name, "family": family}
        for name in results.platforms
        for family in sorted(results.platform(name).accuracy.get("layers", {}))
    ]


PAGE = Page(
    template="model.html",
    path="models/{platform}.{family}.html",
    inputs=("results/accuracy/{platform}.json", "results/models/{platform}/models.json"),
    sheets=("style",),
    context=model_context,
    each=_each,
)
