"""What a model is made of: equations, the anchor that bounds them, and their mean."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuralpower.modeling.features import Array
from neuralpower.modeling.forms import Bend, bend_from_json
from neuralpower.modeling.neighbours import Neighbours, neighbours_from_json
from neuralpower.modeling.terms import Term, TermTable, term_from_json, term_name, term_to_json

#: Logarithms beyond this cannot come from measurements; keeps ``exp`` finite.
LOG_LIMIT = 60.0
#: Equations of a mean are kept within this factor of the middle one, row by row: one that runs away
#: on a layer unlike all others does not take the mean with it.
MIDDLE = 1.5
#: Weights of a mean of equations sum to 1 but for what all of them are off by, out of fold (0.98 to
#: 1.06 in the published models). A sum outside these bounds is no mean of them: it would be a
#: fraction or a multiple of what every one of them says.
LEAST_SUM, MOST_SUM = 0.5, 2.0


def are_shares(weights: Sequence[float] | Array) -> bool:
    """Whether weights make a mean of equations: none below 0, and about 1 in all.

    >>> are_shares([0.7, 0.32]), are_shares([0.2, 0.1]), are_shares([1.2, -0.2])
    (True, False, False)
    """
    return bool(min(weights) >= 0.0 and LEAST_SUM < sum(weights) < MOST_SUM)


def within_middle(values: Array) -> Array:
    """Values of equations, (n, equations), kept within ``MIDDLE`` of the median of their row.

    Two equations have no middle: which of them ran away cannot be seen.
    """
    if values.shape[1] < 3:
        return values
    middle = np.median(values, axis=1, keepdims=True)
    return np.clip(values, middle / MIDDLE, middle * MIDDLE)


@dataclass(frozen=True)
class Equation:
    """A weighted sum of terms; with link ``log`` its exponential; bent by ``bend``, if any.

    ``neighbours``: what measured layers add to the sum, if they have a say.
    """

    link: str
    terms: tuple[Term, ...]
    coefficients: tuple[float, ...]
    factor: float = 1.0
    weight: float = 1.0
    candidate: str = ""
    bend: Bend | None = None
    neighbours: Neighbours | None = None

    def raw(self, table: TermTable) -> Array:
        """The equation before ``factor`` and clipping: the sum or its exponential, bent."""
        total = np.zeros(table.rows)
        part = np.empty(table.rows)
        # Term by term and never by BLAS: a row's value must not depend on its neighbours.
        for term, coefficient in zip(self.terms, self.coefficients, strict=True):
            table.scaled(term, coefficient, part)
            total += part
        if self.neighbours is not None:
            total += self.neighbours.values(table)
        if self.link == "log":
            total = np.exp(np.clip(total, -LOG_LIMIT, LOG_LIMIT))
        return total if self.bend is None else self.bend.apply(total)


@dataclass(frozen=True)
class Anchor:
    """A simple estimate from work and sizes, and the range of ratios to it (``anchors``)."""

    equation: Equation
    lowest: float
    highest: float


def value_of(equations: Sequence[Equation], anchor: Anchor, table: TermTable) -> Array:
    """The weighted mean of equations, (n,), each kept in the anchor's range and near the middle."""
    base = anchor.equation.raw(table)
    lowest, highest = base * anchor.lowest, base * anchor.highest
    values = np.empty((table.rows, len(equations)))
    for j, equation in enumerate(equations):
        values[:, j] = np.clip(equation.raw(table), lowest, highest) * equation.factor
    values = within_middle(values)
    total = np.zeros(table.rows)
    for j, equation in enumerate(equations):
        total += values[:, j] * equation.weight
    return total


@dataclass(frozen=True)
class Part:
    """Something that a transferred model is multiplied with: values to the power ``exponent``.

    ``source``: another device whose model it is, or what it does (``transfer``).
    """

    source: str
    exponent: float
    equations: tuple[Equation, ...]
    anchor: Anchor

    def values(self, table: TermTable) -> Array:
        """The values before the exponent, (n,)."""
        return value_of(self.equations, self.anchor, table)


def product_of(powers: Sequence[tuple[Array, float]]) -> Array:
    """The product of values (n,), each to its exponent."""
    logs = np.zeros(len(powers[0][0]))
    for values, exponent in powers:
        logs += exponent * np.log(values)
    return np.asarray(np.exp(np.clip(logs, -LOG_LIMIT, LOG_LIMIT)))


@dataclass(frozen=True)
class Guard:
    """Other devices' law as a bound: ``lowest`` to ``highest`` times the product of ``parts``.

    A model of few layers runs away on layers unlike them; other devices have seen those.
    """

    parts: tuple[Part, ...]
    lowest: float
    highest: float

    def kept(self, values: Array, table: TermTable) -> Array:
        """Values (n,) kept within the bounds."""
        base = product_of([(part.values(table), part.exponent) for part in self.parts])
        return np.asarray(np.clip(values, self.lowest * base, self.highest * base))


def number_of(value: object) -> float:
    """A finite number from JSON; ``ValueError`` if it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r} is given where a finite number is needed")
    return float(value)


def positive_of(value: object) -> float:
    """A positive number from JSON; ``ValueError`` if it is none."""
    number = number_of(value)
    if number <= 0:
        raise ValueError(f"{value!r} is given where a positive number is needed")
    return number


def optional_of(value: object) -> float | None:
    """A positive number or None from JSON; ``ValueError`` if it is neither."""
    if value is None:
        return None
    number = number_of(value)
    if number <= 0.0:
        raise ValueError(f"{value!r} is given where a positive number is needed")
    return number


def text_of(value: object) -> str:
    """A printable line from JSON; ``ValueError`` if it is none: terminals and pages show it."""
    if not isinstance(value, str) or not value.isprintable():
        raise ValueError(f"{value!r} is given where a line of text is needed")
    return value


def equation_to_json(equation: Equation) -> dict[str, object]:
    """An equation as JSON values, every term with its readable name."""
    return {
        "link": equation.link,
        "factor": equation.factor,
        "weight": equation.weight,
        "candidate": equation.candidate,
        "form": None if equation.bend is None else equation.bend.to_json(),
        "neighbours": None if equation.neighbours is None else equation.neighbours.to_json(),
        "terms": [
            {"name": term_name(term), "factors": term_to_json(term), "coefficient": coefficient}
            for term, coefficient in zip(equation.terms, equation.coefficients, strict=True)
        ],
    }


def equation_from_json(value: object) -> Equation:
    """The equation of ``equation_to_json``; errors as of ``Model.from_json``."""
    if not isinstance(value, dict):
        raise ValueError("a JSON object is needed")
    if value["link"] not in ("linear", "log"):
        raise ValueError(f"unknown link {value['link']!r}")
    if not value["terms"]:
        raise ValueError("an equation has no terms")
    return Equation(
        link=value["link"],
        terms=tuple(term_from_json(term["factors"]) for term in value["terms"]),
        coefficients=tuple(number_of(term["coefficient"]) for term in value["terms"]),
        factor=positive_of(value["factor"]),
        weight=number_of(value["weight"]),
        candidate=text_of(value["candidate"]),
        bend=bend_from_json(value.get("form")),
        neighbours=neighbours_from_json(value.get("neighbours")),
    )


def part_to_json(part: Part) -> dict[str, object]:
    """A part as JSON values."""
    return {
        "source": part.source,
        "exponent": part.exponent,
        "equations": [equation_to_json(e) for e in part.equations],
        "anchor": anchor_to_json(part.anchor),
    }


def part_from_json(value: Mapping[str, Any]) -> Part:
    """The part of ``part_to_json``; errors as of ``Model.from_json``."""
    return Part(
        text_of(value["source"]),
        number_of(value["exponent"]),
        equations_from_json(value["equations"]),
        anchor_from_json(value["anchor"]),
    )


def guard_from_json(value: Mapping[str, Any] | None) -> Guard | None:
    """The guard of a model file, None for None; errors as of ``Model.from_json``."""
    if value is None:
        return None
    lowest, highest = positive_of(value["lowest"]), positive_of(value["highest"])
    if lowest > highest or not value["parts"]:
        raise ValueError("the bounds of the guard are not in order, or of nothing")
    return Guard(tuple(map(part_from_json, value["parts"])), lowest, highest)


def equations_from_json(value: Sequence[object]) -> tuple[Equation, ...]:
    """One or more equations; errors as of ``Model.from_json``."""
    if not value:
        raise ValueError("there is no equation")
    return tuple(equation_from_json(e) for e in value)


def anchor_to_json(anchor: Anchor) -> dict[str, object]:
    """An anchor as JSON values."""
    return {
        "equation": equation_to_json(anchor.equation),
        "lowest": anchor.lowest,
        "highest": anchor.highest,
    }


def anchor_from_json(value: Mapping[str, object]) -> Anchor:
    """The anchor of ``anchor_to_json``; errors as of ``Model.from_json``."""
    lowest, highest = positive_of(value["lowest"]), positive_of(value["highest"])
    if lowest > highest:
        raise ValueError("ends of a range are not in order")
    return Anchor(equation_from_json(value["equation"]), lowest, highest)
