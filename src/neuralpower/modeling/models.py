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
from neuralpower.modeling.beyond import beyond_batches, times_outside, widening
from neuralpower.modeling.features import Array, Columns, FeatureTable
from neuralpower.modeling.members import (
    Anchor,
    Equation,
    Guard,
    Part,
    anchor_from_json,
    anchor_to_json,
    equation_to_json,
    equations_from_json,
    guard_from_json,
    number_of,
    optional_of,
    part_from_json,
    part_to_json,
    positive_of,
    product_of,
    text_of,
    value_of,
)
from neuralpower.modeling.terms import TermTable

if TYPE_CHECKING:
    from neuralpower.core.configuration import Configuration

#: 2: equations may have a ``form``. 3: work as ``core.cost`` counts it; up to five equations, kept
#: near their middle; an anchor of logarithms; the lean. 4: intervals may know the shape. 5:
#: measured layers may have a say. 6: intervals may be wider for kinds of layers. Files of version
#: 1 and 2 mean other things: fit again.
SCHEMA_VERSION = 6
READ_VERSIONS = (3, 4, 5, 6)
#: Rows predicted at once: the working set stays in the processor's cache.
CHUNK = 8192
#: Predictions are far below, in every unit; sums of them and products with factors stay finite.
BEYOND = 1e60


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

    @property
    def n_neighbours(self) -> int:
        """Measured layers that have a say in a prediction, beside the terms."""
        parts = (*self.parts, *(() if self.guard is None else self.guard.parts))
        every = [*self.equations, *(e for part in parts for e in part.equations)]
        said = (equation.neighbours for equation in every)
        return sum(len(neighbours.layers) for neighbours in said if neighbours is not None)

    def predict(self, columns: Columns) -> Prediction:
        """Predict a table of layers given as configuration columns (arrays of one length).

        Raises ``InputError`` where the equations run away to what is no number of a device: their
        file was changed, or the layer is far beyond all that there are.
        """
        arrays = {name: np.asarray(values) for name, values in columns.items()}
        rows = len(next(iter(arrays.values()))) if arrays else 0
        value = np.empty(rows)
        lo, hi, sound = np.empty(rows), np.empty(rows), True
        for start in range(0, rows, CHUNK):
            part = slice(start, min(start + CHUNK, rows))
            piece = {name: values[part] for name, values in arrays.items()}
            table = FeatureTable(piece, self.family, part.stop - part.start)
            with np.errstate(all="ignore"):  # what overflows is looked for below
                found = self._value(table)
                far, there = beyond_batches(
                    self._evaluate, piece, self.family, self.target, self.ranges
                )
                found[far] = there
                sound &= bool(((found > 0.0) & (found < BEYOND)).all())
                # Kept within the limits before: the interval is that of what is predicted.
                value[part] = within(found, self.limits)
                times = times_outside(table, self.ranges)
                more = widening(times, self.target, self._half_range, table.rows) if times else None
                lo[part], hi[part] = self.interval.bounds(value[part], table, more)
        if not (sound and ((lo >= 0.0) & (hi < BEYOND) & (lo <= hi)).all()):
            raise InputError(
                f"the model {self.family}.{self.target}.json gives no number that a layer can "
                "have: fit again, or ask for smaller layers"
            )
        lo, hi = (within(ends, self.limits) for ends in (lo, hi))
        return Prediction(value, lo, hi, *self._extrapolates(arrays, rows))

    @property
    def _half_range(self) -> float:
        """Half the logarithm of the anchor's range: how far measured layers are from it."""
        return 0.5 * math.log(self.anchor.highest / self.anchor.lowest)

    def _evaluate(self, columns: Columns) -> Array:
        """The values of layers, (n,), whatever was measured."""
        return self._value(FeatureTable(columns, self.family))

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
        for name, times in times_outside(table, self.ranges).items():
            # A padding of 3 where none was measured: outside, but no number of times.
            distance = np.nan_to_num(np.abs(np.log(times)), nan=0.0)
            farther = (times != 1.0) & (distance > farthest)
            names[farther], by[farther] = name, times[farther]
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
            "anchor": anchor_to_json(self.anchor),
            "source": self.source,
            "exponent": self.exponent,
            "parts": [part_to_json(part) for part in self.parts],
            "guard": None
            if self.guard is None
            else {
                "parts": [part_to_json(part) for part in self.guard.parts],
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
            family=text_of(value["family"]),
            target=value["target"],
            equations=equations_from_json(value["equations"]),
            anchor=anchor_from_json(value["anchor"]),
            interval=interval_from_json(value["interval"]),
            ranges={
                name: (number_of(value["ranges"][name][0]), number_of(value["ranges"][name][1]))
                for name in value["range_order"]
            },
            methods=tuple(text_of(m) for m in value["pool_methods"]),
            relative_sd=number_of(value["relative_sd"]),
            error_correlation=number_of(value["error_correlation"]),
            mean_ratio=number_of(value["mean_ratio"]),
            lean=positive_of(value["lean"]),
            candidate=text_of(value["candidate"]),
            source=text_of(value.get("source", "")),
            exponent=number_of(value.get("exponent", 1.0)),
            parts=tuple(map(part_from_json, value.get("parts", ()))),
            guard=guard_from_json(value.get("guard")),
            limits=_limits(optional_of(low), optional_of(high)),
            launch_ms=optional_of(value.get("launch_ms")),
            facts={name: v for name, v in value.items() if name not in known},
        )
        soundness.check(model, value, UNITS[model.target])
        return model


def _limits(low: float | None, high: float | None) -> Limits:
    if low is not None and high is not None and low >= high:
        raise ValueError(f"limits {low!r} and {high!r} are not in order")
    return low, high


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
        if len(platforms) == 1:
            raise InputError(f"the models are one folder deeper: give {root / platforms[0]}")
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
