"""Prediction intervals from out-of-fold errors (split conformal, locally scaled).

Lei et al., "Distribution-free predictive inference for regression" (2018): errors are divided by
a scale that varies with the layer, and their empirical quantiles, with the finite-sample
correction (n + 1), give bounds that hold whatever the errors' distribution. A scale that knows the
shape has seen the errors that it scales, so the quantiles are of scales from other layers: each
part's scale is learnt from the other parts. Coverage is checked by doing all of it again without
the fold that is checked.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from neuralpower.modeling.bands import (
    KINDS,
    MOST_WIDER,
    Forest,
    Interval,
    Tree,
    Wider,
    inputs_of,
)
from neuralpower.modeling.crossvalidation import assign_folds
from neuralpower.modeling.data import Layers
from neuralpower.modeling.features import Array
from neuralpower.modeling.terms import Factor
from neuralpower.modeling.vocabularies import varying, vocabulary

LEVEL = 0.9
_BIN = 40
_MOST_BINS = 12
_SHRINK = 10.0
#: Fewer layers than this do not tell how errors depend on the shape.
FEWEST_FOR_TREES = 60
#: More layers than this are not needed to tell: so many are drawn, the same ones every time.
MOST_FOR_TREES = 2000
TREES, LEAVES, FEWEST_IN_LEAF = 24, 32, 8
#: Layers of a rare kind count as this share of all when trees are grown: else no branch is theirs.
RARE = 0.05
#: Kinds of so many layers of which the scale holds less than this share, and tenths of so many
#: predictions of which it holds less than ``LEVEL``, are made wider until it holds as much.
FEWEST_OF_A_PART, KIND_HELD, SIZE_PARTS = 27, 0.86, 10
#: Parts that scales are learnt apart of.
PARTS = 5
#: No scale is smaller than this share of the mean error.
FLOOR = 0.25
#: Fewer errors than this do not hold 90 % between the extremes: theirs are taken for normal.
FEWEST_FOR_QUANTILES = 19
#: That many layers do not show that others are predicted better than this, even if they are all
#: alike: two measurements of one layer differ by so much.
LEAST_ERROR = 0.02


def calibrate(layers: Layers, predicted: Array) -> Interval:
    """The 90 % interval of ln(measured / predicted) from out-of-fold predictions (n,).

    Of fewer than ``FEWEST_FOR_QUANTILES`` rows the extreme errors hold less (5 rows: 67 %): there
    the bounds are those of a further draw from a normal distribution, where these are wider.
    """
    _, scale, interval = scales_of(layers, predicted)
    low, high = quantiles(np.log(layers.measured / predicted) / scale)
    return replace(interval, lower=low, upper=high)


def scales_of(layers: Layers, predicted: Array) -> tuple[Array, Array, Interval]:
    """What the scale depends on (n, inputs), every layer's scale (n,), and the interval of them.

    A layer's scale is learnt from other layers, the interval's from all; its bounds are not set.
    """
    error = np.log(layers.measured / predicted)
    knots, scales = _by_size(error, np.log(predicted))
    factors = _inputs(layers)
    table = layers.table()
    columns = inputs_of(table, predicted, factors)
    interval = Interval(knots, scales, 0.0, 0.0)
    if len(error) < FEWEST_FOR_TREES:
        return columns, interval.scale(predicted), interval
    size = np.abs(error)
    kinds = {name: np.asarray(belongs(table)) for name, belongs in KINDS.items()}
    weights = np.ones(len(size))
    for inside in kinds.values():
        if 0.0 < (share := float(inside.mean())) < RARE:
            weights[inside] = np.maximum(weights[inside], RARE / share)
    parts = assign_folds(layers.groups, PARTS, seed=-1)
    scale = np.empty(len(error))
    for part in np.unique(parts):
        inside = parts == part
        grown = _grow(columns[~inside], size[~inside], weights[~inside], factors)
        scale[inside] = grown.scale(columns[inside])
    wider = _wider(kinds, predicted, error / scale)
    interval = replace(interval, forest=_grow(columns, size, weights, factors), wider=wider)
    return columns, scale * wider.factors(predicted, table), interval


def _wider(kinds: Mapping[str, np.ndarray], predicted: Array, ratio: Array) -> Wider:
    """Factors for kinds of layers, and parts of predictions, whose errors pass the scale's bounds.

    A scale knows no sides: where most errors are on one, too many pass the bound of that side.
    """
    low, high = (end or np.inf for end in quantiles(ratio))
    reach = np.where(ratio < 0.0, ratio / low, ratio / high)

    def factor(inside: np.ndarray, share: float) -> float:
        own = np.sort(reach[inside])
        place = min(math.ceil((len(own) + 1) * share), len(own)) - 1
        return min(max(float(f"{own[place]:.6g}"), 1.0), MOST_WIDER)

    found = [
        (name, factor(inside, KIND_HELD))
        for name, inside in kinds.items()
        if FEWEST_OF_A_PART <= int(inside.sum()) < len(inside)
    ]
    wide = tuple((name, by) for name, by in found if by > 1.0)
    if len(predicted) < SIZE_PARTS * FEWEST_OF_A_PART:
        return Wider(wide)
    shares = np.linspace(0.0, 1.0, SIZE_PARTS + 1)[1:-1]
    cuts = np.unique(np.quantile(predicted, shares))
    place = np.searchsorted(cuts, predicted)
    parts = [
        factor(inside, LEVEL) if (inside := place == k).any() else 1.0 for k in range(len(cuts) + 1)
    ]
    return Wider(wide, tuple(cuts.tolist()), tuple(parts))


def _by_size(error: Array, position: Array) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Places on the axis of ln(predicted), and the mean absolute error around each."""
    least = LEAST_ERROR if len(error) < FEWEST_FOR_QUANTILES else 1e-9
    overall = max(float(np.mean(np.abs(error))), least)
    bins = max(1, min(_MOST_BINS, len(error) // _BIN))
    order = np.argsort(position, kind="stable")
    knots: list[float] = []
    scales: list[float] = []
    for part in np.array_split(order, bins):
        size = float(np.mean(np.abs(error[part])))
        scale = (len(part) * size + _SHRINK * overall) / (len(part) + _SHRINK)
        knot = float(np.mean(position[part]))
        if not knots or knot > knots[-1]:
            knots.append(knot)
            scales.append(max(scale, least))
    return tuple(knots), tuple(scales)


def quantiles(ratio: Array) -> tuple[float, float]:
    """Both ends of the middle ``LEVEL`` with the finite-sample correction; 0 is inside.

    ``ratio``: (n,) errors in units of their scales.
    """
    ratio, n = np.sort(ratio), len(ratio)
    tail = (1.0 - LEVEL) / 2.0
    low = max(math.floor((n + 1) * tail), 1) - 1
    high = min(math.ceil((n + 1) * (1.0 - tail)), n) - 1
    below, above = min(float(ratio[low]), 0.0), max(float(ratio[high]), 0.0)
    if n >= FEWEST_FOR_QUANTILES or n < 2:
        return below, above
    from scipy.special import stdtrit

    # Errors of the size of their scale at least: those of alike layers are 0, and say nothing.
    spread = max(float(np.sqrt(np.mean(ratio**2))), 1.0)
    reach = float(stdtrit(n - 1, 1.0 - tail)) * math.sqrt(1.0 + 1.0 / n) * spread
    return min(below, -reach), max(above, reach)


def _inputs(layers: Layers) -> tuple[Factor | None, ...]:
    """What the scale may depend on: logarithms of sizes and work, flags, the prediction."""
    table, words = layers.table(), vocabulary(layers.family)
    sizes = dict.fromkeys(
        (*words.scales, *words.sizes, "in_channels", "out_channels", "group_in", "group_out")
    )
    flags = varying(table, (*words.flags, *words.regimes))
    return (
        *(Factor(name, "log") for name in varying(table, tuple(sizes))),
        *(Factor(name) for name in flags),
        None,
    )


def _grow(
    columns: Array, size: Array, weights: Array, factors: tuple[Factor | None, ...]
) -> Forest:
    """A forest of the sizes of errors (n,); numbers rounded, so that files differ less.

    ``weights``: what every layer counts, (n,), also when layers are drawn from many.
    """
    from sklearn.ensemble import ExtraTreesRegressor

    floor = max(FLOOR * float(size.mean()), 1e-9)
    if len(size) > MOST_FOR_TREES:
        drawn = np.sort(
            np.random.default_rng(0).choice(
                len(size), MOST_FOR_TREES, replace=False, p=weights / weights.sum()
            )
        )
        columns, size, weights = columns[drawn], size[drawn], np.ones(MOST_FOR_TREES)
    model = ExtraTreesRegressor(
        TREES,
        max_leaf_nodes=LEAVES,
        min_samples_leaf=FEWEST_IN_LEAF,
        max_features=0.8,
        random_state=0,
    ).fit(columns, size, sample_weight=weights)
    trees = []
    for grown in model.estimators_:
        tree = grown.tree_
        trees.append(
            Tree(
                np.maximum(tree.feature, -1).astype(np.int64),
                np.where(tree.feature >= 0, np.round(tree.threshold, 6), 0.0),
                tree.children_left.astype(np.int64),
                tree.children_right.astype(np.int64),
                _rounded(tree.value[:, 0, 0]),
            )
        )
    return Forest(factors, tuple(trees), floor)


def _rounded(values: Array) -> Array:
    return np.array([float(f"{x:.6g}") for x in values.tolist()])


def cross_fitted(layers: Layers, predicted: Array, folds: np.ndarray) -> tuple[Array, Array]:
    """Bounds of every row from an interval calibrated on the other folds only: (lo, hi)."""
    lo, hi = np.empty_like(predicted), np.empty_like(predicted)
    for fold in np.unique(folds):
        inside = folds == fold
        interval = calibrate(layers.take(np.flatnonzero(~inside)), predicted[~inside])
        table = layers.take(np.flatnonzero(inside)).table()
        lo[inside], hi[inside] = interval.bounds(predicted[inside], table)
    return lo, hi


#: Fewer layers than this give no share to speak of.
FEWEST_OF_A_KIND = 30


def coverage_by_kind(layers: Layers, lo: Array, hi: Array) -> dict[str, dict[str, float]]:
    """Layers and coverage (%) of every kind with ``FEWEST_OF_A_KIND`` layers, but not all."""
    table, found = layers.table(), {}
    held = (layers.measured >= lo) & (layers.measured <= hi)
    for name, belongs in KINDS.items():
        inside = np.asarray(belongs(table))
        if FEWEST_OF_A_KIND <= int(inside.sum()) < len(held):
            found[name] = {"n": int(inside.sum()), "coverage": float(100 * held[inside].mean())}
    return found


def interval_score(measured: Array, lo: Array, hi: Array) -> float:
    """Mean interval score in per cent of the measurement (Gneiting and Raftery, 2007).

    The width, and 2 / (1 - level) times what a measurement lies outside by: lower is better.
    """
    outside = np.maximum(lo - measured, 0.0) + np.maximum(measured - hi, 0.0)
    return float(100.0 * np.mean((hi - lo + 2.0 / (1.0 - LEVEL) * outside) / measured))


def coverage_by_size(measured: Array, predicted: Array, lo: Array, hi: Array) -> list[float]:
    """Coverage (%) in tenths of the predictions from small to large (fewer parts if n < 100)."""
    order = np.argsort(predicted, kind="stable")
    inside = (measured >= lo) & (measured <= hi)
    parts = np.array_split(order, max(1, min(10, len(order) // 10)))
    return [float(100.0 * np.mean(inside[part])) for part in parts]


def intraclass_correlation(errors: Array, labels: list[str]) -> float:
    """Correlation of two errors of one group: the one-way analysis-of-variance estimate.

    Clipped to [0, 1]; 0 when there are fewer than two groups or no group of two.
    """
    groups: dict[str, list[float]] = {}
    for label, error in zip(labels, errors.tolist(), strict=True):
        groups.setdefault(label, []).append(error)
    sizes = np.array([len(g) for g in groups.values()], dtype=np.float64)
    n, k = float(sizes.sum()), len(groups)
    if k < 2 or n <= k:
        return 0.0
    mean = float(np.mean(errors))
    between = sum(len(g) * (float(np.mean(g)) - mean) ** 2 for g in groups.values()) / (k - 1)
    within = sum(float(np.sum((np.array(g) - np.mean(g)) ** 2)) for g in groups.values()) / (n - k)
    typical = (n - float((sizes**2).sum()) / n) / (k - 1)
    total = between + (typical - 1.0) * within
    if total <= 0.0:
        return 0.0
    return float(min(1.0, max(0.0, (between - within) / total)))
