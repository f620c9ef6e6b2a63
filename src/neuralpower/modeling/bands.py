"""Intervals around predictions: quantiles of relative errors, in units of a scale that varies.

The scale is the size of error that layers of a kind have. It varies with the prediction, and where
enough layers were measured with the shape too: a forest of small trees (Geurts, Ernst and Wehenkel,
2006), which are data here, comparisons and numbers, and computed with numpy alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from neuralpower.modeling.features import Array, FeatureTable
from neuralpower.modeling.members import LOG_LIMIT
from neuralpower.modeling.terms import Factor, term_from_json, term_to_json

#: What a tree may look at beside factors of features: the logarithm of the prediction.
PREDICTED = "predicted"


@dataclass(frozen=True)
class Tree:
    """A binary tree: node i sends a layer to ``left[i]`` where its input is at most ``cut[i]``.

    ``inputs[i]`` is the place of the input, -1 at a leaf, whose value is ``value[i]``. Children
    come after their parents.
    """

    inputs: np.ndarray
    cut: Array
    left: np.ndarray
    right: np.ndarray
    value: Array

    def values(self, columns: Array) -> Array:
        """The leaf of every layer, (n,), from the inputs (inputs, n)."""
        inputs, cut, children, steps = self._walk
        rows, flat = np.arange(columns.shape[1]), columns.ravel()
        starts = inputs * columns.shape[1]
        at = np.zeros(columns.shape[1], dtype=np.int64)
        for _ in range(steps):
            # What is no number is not below: it goes to the right.
            below = flat[starts[at] + rows] <= cut[at]
            at = children[2 * at + below]
        return np.asarray(self.value[at])

    @cached_property
    def _walk(self) -> tuple[np.ndarray, Array, np.ndarray, int]:
        """Inputs, cuts, (right, left) of every node, and the longest way; a leaf leads to itself.

        So all layers take the same number of steps, without asking who has arrived.
        """
        leaf = self.inputs < 0
        itself = np.arange(len(leaf))
        left, right = np.where(leaf, itself, self.left), np.where(leaf, itself, self.right)
        depth = np.zeros(len(leaf), dtype=np.int64)
        for i in np.flatnonzero(~leaf):
            depth[left[i]] = depth[right[i]] = depth[i] + 1
        children = np.stack([right, left], axis=1).ravel()
        return np.where(leaf, 0, self.inputs), self.cut, children, int(depth.max())


@dataclass(frozen=True)
class Forest:
    """Mean absolute logarithm of measured over predicted, by trees; at least ``floor``."""

    inputs: tuple[Factor | None, ...]
    trees: tuple[Tree, ...]
    floor: float

    def scale(self, columns: Array) -> Array:
        """The scale of every layer, (n,), from what trees look at (n, inputs)."""
        total = np.zeros(len(columns))
        places = np.ascontiguousarray(columns.T)
        for tree in self.trees:
            total += tree.values(places)
        return np.maximum(total / len(self.trees), self.floor)

    def to_json(self) -> dict[str, object]:
        """The forest as JSON values."""
        return {
            "inputs": [PREDICTED if f is None else term_to_json((f,))[0] for f in self.inputs],
            "floor": self.floor,
            "trees": [
                {
                    "inputs": tree.inputs.tolist(),
                    "cut": tree.cut.tolist(),
                    "left": tree.left.tolist(),
                    "right": tree.right.tolist(),
                    "value": tree.value.tolist(),
                }
                for tree in self.trees
            ],
        }


def inputs_of(table: FeatureTable, value: Array, inputs: Sequence[Factor | None]) -> Array:
    """What trees look at, (n, inputs)."""
    columns = np.empty((len(value), len(inputs)))
    for j, factor in enumerate(inputs):
        columns[:, j] = np.log(value) if factor is None else factor.values(table)
    return columns


#: Kinds of layers that intervals must hold for.
KINDS: dict[str, Callable[[FeatureTable], np.ndarray]] = {
    "depthwise": lambda t: t["depthwise"] == 1.0,
    "grouped": lambda t: (t["grouped"] == 1.0) & (t["depthwise"] == 0.0),
    "1x1": lambda t: t["window"] == 1.0,
    "batch 1": lambda t: t["batch"] == 1.0,
    "at most 16 outputs": lambda t: t["out_channels"] <= 16.0,
}
#: No kind's errors are so many times those that the trees see.
MOST_WIDER = 1e3


@dataclass(frozen=True)
class Wider:
    """Factors of the scale for parts of the layers where it is too small; the largest counts.

    ``kinds``: of kinds of layers. ``parts``: of predictions up to the first of ``cuts``, between
    them, and beyond the last.
    """

    kinds: tuple[tuple[str, float], ...] = ()
    cuts: tuple[float, ...] = ()
    parts: tuple[float, ...] = (1.0,)

    def factors(self, value: Array, table: FeatureTable) -> Array:
        """The factor of every layer, (n,)."""
        found = np.array(self.parts)[np.searchsorted(self.cuts, value)]
        for name, factor in self.kinds:
            belongs = np.asarray(KINDS[name](table))
            found[belongs] = np.maximum(found[belongs], factor)
        return np.asarray(found)

    def to_json(self) -> dict[str, object]:
        """The factors as JSON values."""
        return {"kinds": dict(self.kinds), "cuts": list(self.cuts), "parts": list(self.parts)}


@dataclass(frozen=True)
class Interval:
    """Conformal 90 % bounds of ln(measured / predicted), in units of a scale that varies.

    The scale is the forest's, ``wider`` for some; without a forest it is interpolated in
    ln(predicted) between ``knots``.
    """

    knots: tuple[float, ...]
    scales: tuple[float, ...]
    lower: float
    upper: float
    forest: Forest | None = None
    wider: Wider = Wider()

    def inputs(self, value: Array, table: FeatureTable) -> Array:
        """What the forest looks at, (n, inputs), of predictions (n,) and the layers' features."""
        return inputs_of(table, value, self.forest.inputs if self.forest else ())

    def scale(self, value: Array, table: FeatureTable | None = None) -> Array:
        """The size of error of every layer, (n,); without ``table`` from the predictions alone."""
        if self.forest is None or table is None:
            return np.asarray(np.interp(np.log(value), self.knots, self.scales))
        return self.forest.scale(self.inputs(value, table)) * self.wider.factors(value, table)

    def bounds(
        self, value: Array, table: FeatureTable | None = None, more: Array | None = None
    ) -> tuple[Array, Array]:
        """Interval of positive predictions (n,), same unit; ``table`` has the layers' features.

        ``more``: what is added to both sides' logarithms in quadrature, (n,).
        """
        scale = self.scale(value, table)
        down, up = -self.lower * scale, self.upper * scale
        if more is not None:
            # Rows with nothing to add keep their bits.
            down, up = (np.where(more > 0.0, np.hypot(x, more), x) for x in (down, up))
        ends = (np.clip(end, -LOG_LIMIT, LOG_LIMIT) for end in (-down, up))
        lo, hi = (value * np.exp(end) for end in ends)
        return lo, hi

    def to_json(self) -> dict[str, object]:
        """The interval as JSON values."""
        return {
            "level": 0.9,
            "knots": list(self.knots),
            "scales": list(self.scales),
            "lower": self.lower,
            "upper": self.upper,
            "forest": None if self.forest is None else self.forest.to_json(),
            "wider": self.wider.to_json(),
        }


def interval_from_json(value: object) -> Interval:
    """The interval of ``Interval.to_json``; errors as of ``models.Model.from_json``."""
    if not isinstance(value, dict):
        raise ValueError("a JSON object is needed")
    knots, scales = _numbers(value["knots"]), _numbers(value["scales"])
    if not knots or len(knots) != len(scales) or knots != sorted(knots) or min(scales) < 0.0:
        raise ValueError("the interval needs knots in order, each with a scale")
    lower, upper = _numbers([value["lower"], value["upper"]])
    if lower > upper:
        raise ValueError("ends of a range are not in order")
    forest = value.get("forest")
    return Interval(
        tuple(knots),
        tuple(scales),
        lower,
        upper,
        None if forest is None else _forest_from_json(forest),
        _wider_from_json(value.get("wider", Wider().to_json())),
    )


def _wider_from_json(value: object) -> Wider:
    if not isinstance(value, dict) or not isinstance(value["kinds"], dict):
        raise ValueError("a JSON object is needed")
    names, factors = list(value["kinds"]), _numbers(list(value["kinds"].values()))
    cuts, parts = _numbers(value["cuts"]), _numbers(value["parts"])
    if set(names) - set(KINDS) or cuts != sorted(cuts) or len(parts) != len(cuts) + 1:
        raise ValueError("the kinds and parts of an interval are not in order")
    if not all(1.0 <= factor <= MOST_WIDER for factor in (*factors, *parts)):
        raise ValueError("a factor of an interval that cannot be")
    return Wider(tuple(zip(names, factors, strict=True)), tuple(cuts), tuple(parts))


def _forest_from_json(value: object) -> Forest:
    if not isinstance(value, dict):
        raise ValueError("a JSON object is needed")
    inputs: list[Factor | None] = []
    for entry in value["inputs"]:
        inputs.append(None if entry == PREDICTED else term_from_json([entry])[0])
    trees = tuple(_tree_from_json(tree, len(inputs)) for tree in value["trees"])
    [floor] = _numbers([value["floor"]])
    if not trees or floor <= 0.0:
        raise ValueError("a scale needs trees and a positive floor")
    return Forest(tuple(inputs), trees, floor)


def _tree_from_json(value: Mapping[str, object], inputs: int) -> Tree:
    looked_at, left, right = (_places(value[name]) for name in ("inputs", "left", "right"))
    cut, leaf = (np.array(_numbers(value[name])) for name in ("cut", "value"))
    count = len(looked_at)
    if not count or any(len(part) != count for part in (left, right, cut, leaf)):
        raise ValueError("the parts of a tree differ in length")
    for i, j in enumerate(looked_at.tolist()):
        # Children after their parents: whatever a file says, no walk goes round in circles.
        if j >= inputs or (
            j >= 0 and not i < min(left[i], right[i]) <= max(left[i], right[i]) < count
        ):
            raise ValueError("a tree's branches lead nowhere")
    if leaf.min() < 0.0:
        raise ValueError("a scale is below 0")
    return Tree(looked_at, cut, left, right, leaf)


def _places(value: object) -> np.ndarray:
    if not isinstance(value, list) or not all(
        type(x) is int and -1 <= x < 1_000_000 for x in value
    ):
        raise ValueError("whole numbers are needed in a tree")
    return np.array(value, dtype=np.int64)


def _numbers(values: object) -> list[float]:
    if not isinstance(values, list):
        raise ValueError("a list of numbers is needed")
    for x in values:
        if isinstance(x, bool) or not isinstance(x, int | float) or not math.isfinite(x):
            raise ValueError(f"{x!r} is given where a finite number is needed")
    return [float(x) for x in values]
