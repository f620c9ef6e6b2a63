"""Terms of a model: products of simple functions of features, with readable names.

A term is a tuple of factors, the empty tuple is the intercept. Terms are data, not code: a model
file holds them as lists, and nothing in it is ever executed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from neuralpower.modeling.features import DEFAULTS, FEATURES, Array, FeatureTable

#: Functions a factor may apply to its feature; ``argument`` is the power, the knot or the value.
FUNCTIONS = ("power", "log", "above", "below", "equals")
_METHODS = ("is_max", "is_ave", "is_stochastic")


@dataclass(frozen=True, slots=True, order=True)
class Factor:
    """One function of one feature.

    ``power``: x^argument; ``log``: ln(x)^argument; ``above``: max(0, ln x - argument);
    ``below``: max(0, argument - ln x); ``equals``: 1 where x = argument, else 0.
    """

    feature: str
    function: str = "power"
    argument: float = 1.0

    def __str__(self) -> str:
        x, a = self.feature, self.argument
        number = f"{a:g}"
        if self.function == "power":
            if a == 1.0:
                return x
            return f"sqrt({x})" if a == 0.5 else f"{x}^{number}"
        if self.function == "log":
            return f"log({x})" if a == 1.0 else f"log({x})^{number}"
        if self.function == "above":
            return f"max(0, log({x}) - {number})"
        if self.function == "below":
            return f"max(0, {number} - log({x}))"
        return f"[{x} = {number}]"

    def values(self, table: FeatureTable) -> Array:
        """The factor over a table of layers."""
        x = table[self.feature]
        if self.function == "power":
            if self.argument == 1.0:
                return x
            return np.sqrt(x) if self.argument == 0.5 else x**self.argument
        if self.function == "equals":
            return np.asarray(x == self.argument, dtype=np.float64)
        logs = log_of(table, self.feature)
        if self.function == "log":
            return logs if self.argument == 1.0 else logs**self.argument
        if self.function == "above":
            return np.maximum(0.0, logs - self.argument)
        return np.maximum(0.0, self.argument - logs)


Term = tuple[Factor, ...]
INTERCEPT: Term = ()


def log_of(table: FeatureTable, feature: str) -> Array:
    """Natural logarithm of a feature, kept with the table (features are positive)."""
    key = f"log {feature}"
    cache = table._cache
    if key not in cache:
        cache[key] = np.log(table[feature])
    return cache[key]


def term_name(term: Term) -> str:
    """Readable form: ``batch*out_channels``, ``sqrt(macs)``, ``1`` for the intercept."""
    return "*".join(str(factor) for factor in term) or "1"


def product(*terms: Term) -> Term:
    """The product of terms, powers and logs of one feature joined, in a canonical order."""
    joined: dict[tuple[str, str], float] = {}
    rest: list[Factor] = []
    for factor in (f for term in terms for f in term):
        if factor.function in ("power", "log"):
            key = (factor.feature, factor.function)
            joined[key] = joined.get(key, 0.0) + factor.argument
        elif factor not in rest:
            rest.append(factor)
    factors = [Factor(name, function, a) for (name, function), a in joined.items() if a]
    return tuple(sorted([*factors, *rest]))


class TermTable:
    """Evaluates terms on a table of layers; shared factors are computed once."""

    def __init__(self, table: FeatureTable) -> None:
        self._table = table
        self.rows = table.rows
        self._factors: dict[Factor, Array] = {}

    def _factor(self, factor: Factor) -> Array:
        values = self._factors.get(factor)
        if values is None:
            values = self._factors[factor] = factor.values(self._table)
        return values

    def __getitem__(self, term: Term) -> Array:
        if not term:
            return np.ones(self._table.rows)
        values = self._factor(term[0])
        for factor in term[1:]:
            values = values * self._factor(factor)
        return values

    def scaled(self, term: Term, coefficient: float, out: Array) -> None:
        """Write the term times a coefficient to ``out``, (layers,), without other arrays."""
        if not term:
            out[:] = coefficient
            return
        np.multiply(self._factor(term[0]), coefficient, out=out)
        for factor in term[1:]:
            out *= self._factor(factor)

    def matrix(self, terms: Sequence[Term]) -> Array:
        """Terms as columns: shape (layers, terms), column-major."""
        result = np.empty((self._table.rows, len(terms)), order="F")
        for j, term in enumerate(terms):
            result[:, j] = self[term]
        return result


def term_to_json(term: Term) -> list[list[object]]:
    """A term as JSON: a list of [feature, function, argument]."""
    return [[f.feature, f.function, f.argument] for f in term]


def term_from_json(value: object) -> Term:
    """The term of ``term_to_json``; ``ValueError`` if a name or a number is not known."""
    if not isinstance(value, list):
        raise ValueError("a list of factors is needed")
    factors = []
    for entry in value:
        feature, function, argument = entry
        if feature not in FEATURES and feature not in DEFAULTS and feature not in _METHODS:
            raise ValueError(f"unknown feature {feature!r}")
        if function not in FUNCTIONS:
            raise ValueError(f"unknown function {function!r}")
        factors.append(Factor(feature, function, float(argument)))
    return tuple(factors)


def unique(terms: Iterable[Term]) -> list[Term]:
    """The terms without doubles, first come first."""
    return list(dict.fromkeys(terms))
