"""Fitted models as data: predict with numpy alone, stored as JSON, bit for bit the same.

A model's value is ``sum_m weight_m * near(factor_m * clip(f_m(x)))``: one to five readable
equations ``f_m`` (``linear``: a sum of terms; ``log``: the exponential of one; either may be bent
at a floor or a cap: ``modeling.forms``), each kept within the range of ratios to a simple estimate
(the anchor) that was seen when measuring; three or more are also kept near the middle one of them
(``within_middle``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neuralpower.core.documents import read_json
from neuralpower.core.errors import InputError
from neuralpower.core.file_names import MODELS_INDEX
from neuralpower.core.files import sha256_file, write_json
from neuralpower.core.targets import UNITS
from neuralpower.modeling import soundness
from neuralpower.modeling.bands import Interval, interval_from_json
from neuralpower.modeling.features import Array, Columns, FeatureTable
from neuralpower.modeling.forms import Bend, bend_from_json
from neuralpower.modeling.terms import Term, TermTable, term_from_json, term_name, term_to_json

if TYPE_CHECKING:
    from neuralpower.core.configuration import Configuration

#: 2: equations may have a ``form``. 3: work as ``core.cost`` counts it; up to five equations, kept
#: near their middle; an anchor of logarithms; the lean. 4: intervals may know the shape. Files of
#: version 1 and 2 mean other things: fit again.
SCHEMA_VERSION = 4
READ_VERSIONS = (3, 4)
#: Rows predicted at once: the working set stays in the processor's cache.
CHUNK = 8192
#: Logarithms beyond this cannot come from measurements; keeps ``exp`` finite.
LOG_LIMIT = 60.0
#: Equations of a mean are kept within this factor of the middle one, row by row: one that runs away
#: on a layer unlike all others does not take the mean with it.
MIDDLE = 1.5


def within_middle(values: Array) -> Array:
    """Values of equations, (n, equations), kept within ``MIDDLE`` of the median of their row.

    Two equations have no middle: which of them ran away cannot be seen.
    """
    if values.shape[1] < 3:
        return values
    middle = np.median(values, axis=1, keepdims=True)
    return np.clip(values, middle / MIDDLE, middle * MIDDLE)


@dataclass(frozen=True)
class Prediction:
    """Predicted values with a 90 % interval, arrays of n in the target's unit.

    ``extrapolates``: for each row the column that is farthest outside its measured range, or "".
    ``extrapolates_by``: how far: that column over the largest measured, or over the smallest where
    it is below; NaN where nothing is outside or nothing can be divided.
    """

    value: Array
    lo: Array
    hi: Array
    extrapolates: list[str]
    extrapolates_by: Array


@dataclass(frozen=True)
class Equation:
    """A weighted sum of terms; with link ``log`` its exponential; bent by ``bend``, if any."""

    link: str
    terms: tuple[Term, ...]
    coefficients: tuple[float, ...]
    factor: float = 1.0
    weight: float = 1.0
    candidate: str = ""
    bend: Bend | None = None

    def raw(self, table: TermTable) -> Array:
        """The equation before ``factor`` and clipping: the sum or its exponential, bent."""
        total = np.zeros(table.rows)
        part = np.empty(table.rows)
        # Term by term and never by BLAS: a row's value must not depend on its neighbours.
        for term, coefficient in zip(self.terms, self.coefficients, strict=True):
            table.scaled(term, coefficient, part)
            total += part
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


#: The least and the most that a device can do, None where unknown.
Limits = tuple[float | None, float | None]


def within(values: Array, limits: Limits) -> Array:
    """Values kept within the limits that are known."""
    low, high = limits
    if low is None and high is None:
        return values
    return np.asarray(np.clip(values, low, high))


@dataclass(frozen=True)
class Model:
    """A model of one target of one layer family.

    ``relative_sd``: standard deviation of measured / predicted - 1 out of fold.
    ``error_correlation``: correlation of these errors between two layers of one network.
    ``mean_ratio``: sum of measured over sum of predicted, out of fold. ``lean``: the exponential of
    the mean logarithm of measured over predicted: what predictions are multiplied with before they
    are added up.
    ``ranges``: measured range of each configuration column. ``limits``: what the device cannot fall
    below or exceed (idle power and the board's cap), None where unknown; predictions and intervals
    keep to them. ``launch_ms``: the runtime of a layer that is little more than its launch, where
    enough were measured to tell. ``parts``: what a transferred model is multiplied with; its own
    equations are then those of ``source``, to the power ``exponent``; ``guard``: what it is kept
    within. ``facts``: everything else the file holds (scores, inference, provenance), for reports.
    """

    family: str
    target: str
    equations: tuple[Equation, ...]
    anchor: Anchor
    interval: Interval
    ranges: Mapping[str, tuple[float, float]]
    methods: tuple[str, ...]
    relative_sd: float
    error_correlation: float
    mean_ratio: float
    lean: float
    candidate: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""
    exponent: float = 1.0
    parts: tuple[Part, ...] = ()
    guard: Guard | None = None
    limits: Limits = (None, None)
    launch_ms: float | None = None

    @property
    def n_terms(self) -> int:
        """Terms over all equations, intercepts included: the paper's model size."""
        groups = [self.equations, *(part.equations for part in self.parts)]
        return sum(len(equation.terms) for equations in groups for equation in equations)

    def predict(self, columns: Columns) -> Prediction:
        """Predict a table of layers given as configuration columns (arrays of one length)."""
        arrays = {name: np.asarray(values) for name, values in columns.items()}
        rows = len(next(iter(arrays.values()))) if arrays else 0
        value = np.empty(rows)
        lo, hi = np.empty(rows), np.empty(rows)
        for start in range(0, rows, CHUNK):
            part = slice(start, min(start + CHUNK, rows))
            piece = {name: values[part] for name, values in arrays.items()}
            table = FeatureTable(piece, self.family, part.stop - part.start)
            value[part] = self._value(table)
            lo[part], hi[part] = self.interval.bounds(value[part], table)
        value, lo, hi = (within(part, self.limits) for part in (value, lo, hi))
        return Prediction(value, lo, hi, *self._extrapolates(arrays, rows))

    def _value(self, features: FeatureTable) -> Array:
        table = TermTable(features)
        total = value_of(self.equations, self.anchor, table)
        if self.parts:
            others = [(part.values(table), part.exponent) for part in self.parts]
            total = product_of([(total, self.exponent), *others])
        return total if self.guard is None else self.guard.kept(total, table)

    def _extrapolates(self, columns: Columns, rows: int) -> tuple[list[str], Array]:
        table = FeatureTable(columns, self.family, rows)
        names, by = np.full(rows, "", dtype=object), np.full(rows, np.nan)
        farthest = np.full(rows, -1.0)
        for name, (low, high) in self.ranges.items():
            values = table[name]
            above, below = values > high, values < low
            with np.errstate(all="ignore"):
                times = np.where(above, values / high, values / low)
                distance = np.abs(np.log(times))
            # A padding of 3 where none was measured: outside, but no number of times.
            distance[~np.isfinite(distance)] = 0.0
            farther = (above | below) & (distance > farthest)
            names[farther] = name
            by[farther] = np.where(distance > 0.0, times, np.nan)[farther]
            farthest[farther] = distance[farther]
        if self.methods and "pool_method" in columns:
            other = ~np.isin(columns["pool_method"], self.methods)
            names[other], by[other] = "pool_method", np.nan
        result: list[str] = names.tolist()
        return result, by

    def to_json(self) -> dict[str, object]:
        """The model as JSON values."""
        return {
            **self.facts,
            "schema_version": SCHEMA_VERSION,
            "family": self.family,
            "target": self.target,
            "unit": UNITS[self.target],
            "candidate": self.candidate,
            "n_terms": self.n_terms,
            "equations": [equation_to_json(e) for e in self.equations],
            "anchor": _anchor_to_json(self.anchor),
            "source": self.source,
            "exponent": self.exponent,
            "parts": [_part_to_json(part) for part in self.parts],
            "guard": None
            if self.guard is None
            else {
                "parts": [_part_to_json(part) for part in self.guard.parts],
                "lowest": self.guard.lowest,
                "highest": self.guard.highest,
            },
            "interval": self.interval.to_json(),
            "ranges": {name: list(pair) for name, pair in self.ranges.items()},
            "range_order": list(self.ranges),
            "pool_methods": list(self.methods),
            "relative_sd": self.relative_sd,
            "error_correlation": self.error_correlation,
            "mean_ratio": self.mean_ratio,
            "lean": self.lean,
            "limits": list(self.limits),
            "launch_ms": self.launch_ms,
        }

    @classmethod
    def from_json(cls, value: object) -> Model:
        """The model of ``to_json``; ``ValueError``, ``KeyError`` or ``TypeError`` if it is none."""
        if not isinstance(value, dict):
            raise ValueError("a JSON object is needed")
        if value.get("schema_version") not in READ_VERSIONS:
            found = value.get("schema_version")
            raise ValueError(f"schema_version {found!r}, this program reads {SCHEMA_VERSION}")
        if value["target"] not in UNITS:
            raise ValueError(f"unknown target {value['target']!r}")
        known = {
            *("schema_version", "family", "target", "unit", "candidate", "n_terms", "equations"),
            *("anchor", "interval", "ranges", "range_order", "pool_methods", "relative_sd"),
            *("error_correlation", "mean_ratio", "lean", "correction"),
            *("source", "exponent", "parts", "guard"),
            *("limits", "launch_ms"),
        }
        if value.get("correction") is not None:
            raise ValueError("it was transferred by an earlier version")
        low, high = value.get("limits", (None, None))
        model = cls(
            family=str(value["family"]),
            target=value["target"],
            equations=_equations_from_json(value["equations"]),
            anchor=_anchor_from_json(value["anchor"]),
            interval=interval_from_json(value["interval"]),
            ranges={
                name: (_number(value["ranges"][name][0]), _number(value["ranges"][name][1]))
                for name in value["range_order"]
            },
            methods=tuple(str(m) for m in value["pool_methods"]),
            relative_sd=_number(value["relative_sd"]),
            error_correlation=_number(value["error_correlation"]),
            mean_ratio=_number(value["mean_ratio"]),
            lean=_positive(value["lean"]),
            candidate=str(value["candidate"]),
            source=str(value.get("source", "")),
            exponent=_number(value.get("exponent", 1.0)),
            parts=tuple(map(_part_from_json, value.get("parts", ()))),
            guard=_guard_from_json(value.get("guard")),
            limits=_limits(_optional(low), _optional(high)),
            launch_ms=_optional(value.get("launch_ms")),
            facts={name: v for name, v in value.items() if name not in known},
        )
        soundness.check(model, value, UNITS[model.target])
        return model


def _part_to_json(part: Part) -> dict[str, object]:
    return {
        "source": part.source,
        "exponent": part.exponent,
        "equations": [equation_to_json(e) for e in part.equations],
        "anchor": _anchor_to_json(part.anchor),
    }


def _part_from_json(value: Mapping[str, Any]) -> Part:
    return Part(
        str(value["source"]),
        _number(value["exponent"]),
        _equations_from_json(value["equations"]),
        _anchor_from_json(value["anchor"]),
    )


def _guard_from_json(value: Mapping[str, Any] | None) -> Guard | None:
    if value is None:
        return None
    lowest, highest = _positive(value["lowest"]), _positive(value["highest"])
    if lowest > highest or not value["parts"]:
        raise ValueError("the bounds of the guard are not in order, or of nothing")
    return Guard(tuple(map(_part_from_json, value["parts"])), lowest, highest)


def _equations_from_json(value: Sequence[object]) -> tuple[Equation, ...]:
    if not value:
        raise ValueError("there is no equation")
    return tuple(equation_from_json(e) for e in value)


def _anchor_to_json(anchor: Anchor) -> dict[str, object]:
    return {
        "equation": equation_to_json(anchor.equation),
        "lowest": anchor.lowest,
        "highest": anchor.highest,
    }


def _anchor_from_json(value: Mapping[str, object]) -> Anchor:
    lowest, highest = _positive(value["lowest"]), _positive(value["highest"])
    if lowest > highest:
        raise ValueError("ends of a range are not in order")
    return Anchor(equation_from_json(value["equation"]), lowest, highest)


def _optional(value: object) -> float | None:
    if value is None:
        return None
    number = _number(value)
    if number <= 0.0:
        raise ValueError(f"{value!r} is given where a positive number is needed")
    return number


def _limits(low: float | None, high: float | None) -> Limits:
    if low is not None and high is not None and low >= high:
        raise ValueError(f"limits {low!r} and {high!r} are not in order")
    return low, high


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r} is given where a finite number is needed")
    return float(value)


def _positive(value: object) -> float:
    number = _number(value)
    if number <= 0:
        raise ValueError(f"{value!r} is given where a positive number is needed")
    return number


def equation_to_json(equation: Equation) -> dict[str, object]:
    """An equation as JSON values, every term with its readable name."""
    return {
        "link": equation.link,
        "factor": equation.factor,
        "weight": equation.weight,
        "candidate": equation.candidate,
        "form": None if equation.bend is None else equation.bend.to_json(),
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
        coefficients=tuple(_number(term["coefficient"]) for term in value["terms"]),
        factor=_positive(value["factor"]),
        weight=_number(value["weight"]),
        candidate=str(value["candidate"]),
        bend=bend_from_json(value.get("form")),
    )


@dataclass(frozen=True)
class ModelSet:
    """All models of a platform and the facts of their index file."""

    platform: str
    models: Mapping[tuple[str, str], Model]
    facts: Mapping[str, Any] = field(default_factory=dict)

    def get(self, family: str, target: str) -> Model | None:
        """The model of a family's ``runtime_ms``, ``power_w`` or ``energy_mj``, if there is one."""
        return self.models.get((family, target))

    def families(self) -> list[str]:
        """Families with a model, sorted."""
        return sorted({family for family, _ in self.models})


def save_model(model: Model, path: str | Path) -> None:
    """Write one model file, whole or not at all."""
    write_json(path, model.to_json())


def load_model(path: str | Path) -> Model:
    """Read one model file; ``InputError`` if it is damaged or not a model."""
    try:
        return Model.from_json(read_json(path, "a model"))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        what = f"lacks {error}" if isinstance(error, KeyError) else str(error)
        raise InputError(
            f"not a model of this program ({what}): fit again, or name another folder", path=path
        ) from None


def load_models(folder: str | Path) -> ModelSet:
    """The models of a platform from the folder that ``fit`` wrote.

    Raises ``InputError`` when the folder has no index or a file is missing or damaged.
    """
    root = Path(folder)
    if not root.is_dir():
        raise InputError("no such folder of models: run `neuralpower fit` first", path=root)
    path = root / MODELS_INDEX
    if not path.exists():
        platforms = [found.parent.name for found in sorted(root.glob(f"*/{MODELS_INDEX}"))]
        if platforms:
            some = ", ".join(platforms[:20])
            raise InputError(f"has the models of several platforms: name one, {some}", path=root)
    index = read_json(path, "a model")
    names = index.get("models") if isinstance(index, dict) else None
    if not isinstance(names, list) or index.get("schema_version") not in READ_VERSIONS:
        raise InputError("not an index of models: fit again, or name another folder", path=path)
    models: dict[tuple[str, str], Model] = {}
    for name in names:
        if not isinstance(name, str) or Path(name).name != name:
            raise InputError(f"{name!r} is not the name of a model file", path=path)
        model = load_model(root / name)
        if name != f"{model.family}.{model.target}.json":
            text = f"holds the model of {model.family} {model.target}: restore the file"
            raise InputError(text, path=root / name)
        _check_sum(root / name, index.get("sha256"))
        models[model.family, model.target] = model
    return ModelSet(str(index.get("platform", "")), models, index)


def _check_sum(path: Path, sums: object) -> None:
    """``InputError`` for a model file that is not the one that ``fit`` listed in the index.

    Indices of before 2026-11-25 have no sums: their files are taken as they are.
    """
    if sums is None:
        return
    if not isinstance(sums, Mapping) or sums.get(path.name) != sha256_file(path):
        raise InputError(
            "is not the file that fit wrote (its SHA-256 differs from the index): "
            "restore it, or fit again",
            path=path,
        )


def columns_of(configurations: Sequence[Configuration]) -> dict[str, np.ndarray]:
    """Configurations (``columns.Configuration``) as the arrays that ``predict`` takes."""
    from neuralpower.core.configuration import CONFIGURATION_COLUMNS

    result: dict[str, np.ndarray] = {}
    for name in CONFIGURATION_COLUMNS[1:]:
        kind = np.str_ if name == "pool_method" else np.float64
        result[name] = np.array([getattr(c, name) for c in configurations], dtype=kind)
    return result
