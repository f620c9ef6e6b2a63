"""Ways to the model of a new device, each a product of powers of models, scored out of fold.

``<device>``: that device's model times a factor of few, smooth terms, as far as cross-validation
proves them. ``mixture``: all devices' models, each to a power, times powers of work and sizes; the
powers are a ridge regression of logarithms around the devices' geometric mean. ``direct``: a model
of the new measurements alone. And geometric means of these. All keep within the measured range of
ratios to the geometric mean of the devices' models, where that is no loss.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from neuralpower.modeling.anchors import GUARD
from neuralpower.modeling.crossvalidation import Candidate
from neuralpower.modeling.data import Layers
from neuralpower.modeling.features import Array
from neuralpower.modeling.fitting import Choice, FitOptions, choose
from neuralpower.modeling.members import Anchor, Equation, Guard, Part, product_of
from neuralpower.modeling.models import Model
from neuralpower.modeling.terms import INTERCEPT, Factor, Term, TermTable
from neuralpower.modeling.vocabularies import varying, vocabulary

#: What the model of the new measurements alone is called, and the mixture of devices.
DIRECT, MIXTURE, NEAREST = "direct", "mixture", "nearest"
CORRECTION = "correction"
CANDIDATES = (Candidate("corrections", "log", "stepwise"),)
#: Measured layers for each term of a correction: ten layers tell a factor and nothing else.
ROWS_A_TERM = 20
#: Standard deviations of what a mixture's exponents differ by from those of the geometric mean, of
#: all of them together and of those of work and sizes (chosen on the sets of docs/accuracy.md).
APART, TOGETHER, SIZES = 0.3, 0.1, 0.1
#: Errors of logarithms among which leave-one-out chooses; a larger one must be better by so much.
NOISES, BETTER = (0.03, 0.1, 0.3, 1.0), 0.98
#: Powers of work and sizes may leave the range of the measured layers' by at most this factor.
LEAVE = math.exp(0.3)


#: The error of predictions of some deals, (n,) each, of what was measured, (n,).
Error = Callable[[Sequence[Array], Array], float]


@dataclass(frozen=True)
class Way:
    """A way to a model: ``parts`` to multiply, and (n,) predictions out of fold of every deal."""

    name: str
    parts: tuple[Part, ...]
    dealt: tuple[Array, ...]


def ways_to(
    sources: Mapping[str, Model], layers: Layers, direct: Choice, options: FitOptions
) -> tuple[list[Way], Guard | None]:
    """All ways, the simplest first, and what they are kept within; ``direct`` has the folds.

    There is no guard without sources, or where it makes the way that is taken worse.
    """
    dealt = direct.selection.dealt
    folds = [deal.problem.folds for deal in direct.deals[: len(dealt)]]
    ones = [_corrected(name, source, layers, options) for name, source in sources.items()]
    own = direct.model()
    alone = Way(DIRECT, (part_of(DIRECT, own),), dealt)
    if not ones:
        return [alone], None
    best = ones[best_of(ones, layers.measured)]
    nearest = Way(NEAREST, best.parts, nested(ones, layers.measured, folds))
    basic = [nearest, alone]
    if len(ones) > 1:
        basic.insert(1, _mixture(sources, layers, folds))
    means = [
        _mean(some) for count in range(2, len(basic) + 1) for some in combinations(basic, count)
    ]
    free = [*ones, *basic[1:], *means]
    guard = guard_of(sources, layers)
    kept = _kept(free, sources, layers, folds)
    if _error(nested(kept, layers.measured, folds), layers.measured) > _error(
        nested(free, layers.measured, folds), layers.measured
    ):
        return free, None
    return kept, guard


def _error(dealt: Sequence[Array], measured: Array) -> float:
    """Mean relative error over all deals."""
    return float(np.mean([np.mean(np.abs(one / measured - 1.0)) for one in dealt]))


def guard_of(sources: Mapping[str, Model], layers: Layers) -> Guard:
    """The measured range of ratios to the geometric mean of the sources' models, and a bit more."""
    parts = tuple(part_of(name, model, 1.0 / len(sources)) for name, model in sources.items())
    ratio = layers.measured / np.exp(np.log(_bases(sources, layers)).mean(axis=1))
    wider = GUARD[layers.target]
    return Guard(parts, float(ratio.min()) / wider, float(ratio.max()) * wider)


def _bases(sources: Mapping[str, Model], layers: Layers) -> Array:
    """What the sources' models say, (n, sources)."""
    table = TermTable(layers.table())
    return np.stack([part_of("", model).values(table) for model in sources.values()], axis=1)


def _kept(
    ways: Sequence[Way], sources: Mapping[str, Model], layers: Layers, folds: Sequence[np.ndarray]
) -> list[Way]:
    """Ways whose predictions keep to the range of ratios to the sources on the other folds."""
    bases = np.exp(np.log(_bases(sources, layers)).mean(axis=1))
    ratio, wider = layers.measured / bases, GUARD[layers.target]
    bounds = []
    for deal in folds:
        low, high = np.empty(len(deal)), np.empty(len(deal))
        for fold in np.unique(deal):
            inside = deal == fold
            low[inside] = ratio[~inside].min() / wider
            high[inside] = ratio[~inside].max() * wider
        bounds.append((low * bases, high * bases))
    return [
        Way(
            way.name,
            way.parts,
            tuple(np.clip(p, *ends) for p, ends in zip(way.dealt, bounds, strict=True)),
        )
        for way in ways
    ]


def best_of(
    ways: Sequence[Way],
    measured: Array,
    rows: np.ndarray | None = None,
    error: Error | None = None,
) -> int:
    """The way of least mean relative (or another) error over all deals, on some of the rows."""
    rows = np.arange(len(measured)) if rows is None else rows
    part = measured[rows]
    errors = [(error or _error)([dealt[rows] for dealt in way.dealt], part) for way in ways]
    return int(np.argmin(errors))


def nested(
    ways: Sequence[Way],
    measured: Array,
    folds: Sequence[np.ndarray],
    error: Error | None = None,
) -> tuple[Array, ...]:
    """Predictions of every deal, each fold's by the way that is best on the other folds."""
    result = []
    for deal, dealt in enumerate(folds[: len(ways[0].dealt)]):
        predicted = np.empty(len(measured))
        for fold in np.unique(dealt):
            inside = dealt == fold
            way = ways[best_of(ways, measured, np.flatnonzero(~inside), error)]
            predicted[inside] = way.dealt[deal][inside]
        result.append(predicted)
    return tuple(result)


def _mean(ways: Sequence[Way]) -> Way:
    """The geometric mean of ways."""
    share = 1.0 / len(ways)
    return Way(
        " + ".join(way.name for way in ways),
        tuple(
            Part(part.source, part.exponent * share, part.equations, part.anchor)
            for way in ways
            for part in way.parts
        ),
        tuple(
            product_of([(predicted, share) for predicted in each])
            for each in zip(*(way.dealt for way in ways), strict=True)
        ),
    )


def part_of(name: str, source: Model, exponent: float = 1.0) -> Part:
    """A device's model as a part."""
    return Part(name, exponent, source.equations, source.anchor)


def bounded(name: str, equation: Equation, lowest: float, highest: float) -> Part:
    """An equation kept between two bounds, before its factor."""
    one = Equation("log", (INTERCEPT,), (0.0,), candidate="anchor")
    return Part(name, 1.0, (equation,), Anchor(one, lowest, highest))


def _corrected(name: str, source: Model, layers: Layers, options: FitOptions) -> Way:
    part = part_of(name, source)
    base = part.values(TermTable(layers.table()))
    ratio = Layers(
        layers.family,
        "ratio",
        layers.columns,
        layers.measured / base,
        layers.visits,
        layers.spread,
        layers.groups,
    )
    most = max(1, len(layers) // ROWS_A_TERM)
    choice = choose(ratio, FitOptions(CANDIDATES, options.folds, options.seed, most))
    [equation] = choice.selection.equations
    anchor = choice.problem.anchor()
    middle = math.exp(anchor.equation.coefficients[0])
    correction = bounded(CORRECTION, equation, middle * anchor.lowest, middle * anchor.highest)
    return Way(name, (part, correction), tuple(base * f for f in choice.selection.dealt))


@dataclass(frozen=True)
class _Powers:
    """A mixture: exponents of the devices, an equation of work and sizes, and its bounds."""

    exponents: Array
    equation: Equation
    lowest: float
    highest: float

    def parts(self, devices: Sequence[Part]) -> tuple[Part, ...]:
        """The parts of it, one a device and the correction."""
        powers = zip(devices, self.exponents.tolist(), strict=True)
        return (
            *(Part(d.source, exponent, d.equations, d.anchor) for d, exponent in powers),
            bounded(CORRECTION, self.equation, self.lowest, self.highest),
        )

    def values(self, bases: Array, table: TermTable) -> Array:
        """Predictions (n,) from the devices' values (n, devices)."""
        correction = bounded(CORRECTION, self.equation, self.lowest, self.highest)
        powers = [(bases[:, k], float(e)) for k, e in enumerate(self.exponents)]
        return product_of([*powers, (correction.values(table), 1.0)])


def _mixture(sources: Mapping[str, Model], layers: Layers, folds: Sequence[np.ndarray]) -> Way:
    devices = [part_of(name, source) for name, source in sources.items()]
    table = layers.table()
    bases = _bases(sources, layers)
    words = vocabulary(layers.family)
    shape = ("gemm_rows", "gemm_columns", "reduction") if words.main == "macs" else words.sizes
    names = varying(table, tuple(dict.fromkeys((words.main, "moved_elements", *shape))))
    terms: list[Term] = [(Factor(name, "log"),) for name in names]
    dealt = []
    for deal in folds:
        predicted = np.empty(len(layers))
        for fold in np.unique(deal):
            kept, left = np.flatnonzero(deal != fold), np.flatnonzero(deal == fold)
            powers = _fit(bases[kept], layers.take(kept), terms)
            predicted[left] = powers.values(bases[left], TermTable(layers.take(left).table()))
        dealt.append(predicted)
    return Way(MIXTURE, _fit(bases, layers, terms).parts(devices), tuple(dealt))


def _fit(bases: Array, layers: Layers, terms: Sequence[Term]) -> _Powers:
    """The powers by a ridge regression around the geometric mean of ``bases`` (n, devices)."""
    logs, target = np.log(bases), np.log(layers.measured)
    middle = logs.mean(axis=1)
    matrix = TermTable(layers.table()).matrix(list(terms))
    design = np.concatenate([logs - middle[:, None], middle[:, None], matrix], axis=1)
    means = design.mean(axis=0)
    count = logs.shape[1]
    prior = np.array([APART] * count + [TOGETHER] + [SIZES] * len(terms))
    start, weights, errors = _ridge(design - means, target - middle, prior)
    apart, together, sizes = weights[:count], weights[count], weights[count + 1 :]
    own = matrix @ sizes
    constant = start - float(means @ weights)
    equation = Equation(
        "log",
        (INTERCEPT, *terms),
        (constant, *sizes.tolist()),
        factor=_least_relative(np.exp(-errors)),
        candidate="ridge",
    )
    return _Powers(
        1.0 / count + apart - apart.mean() + together / count,
        equation,
        math.exp(constant + float(own.min())) / LEAVE,
        math.exp(constant + float(own.max())) * LEAVE,
    )


def _least_relative(ratio: Array) -> float:
    """The factor of least squared relative errors, from predicted over measured, (n,)."""
    return float(ratio.sum() / (ratio**2).sum())


def _ridge(design: Array, target: Array, prior: Array) -> tuple[float, Array, Array]:
    """Constant, weights and leave-one-out errors (n,) of a ridge with a free constant.

    ``prior``: standard deviations of the weights; the noise is that of least leave-one-out error.
    """
    scale = np.concatenate([[100.0], prior])
    whole = np.concatenate([np.ones((len(target), 1)), design], axis=1) * scale
    u, s, vt = np.linalg.svd(whole, full_matrices=False)
    found: tuple[float, Array, Array] | None = None
    for noise in NOISES:
        shrunk = s**2 / (s**2 + noise**2)
        inside = (u * shrunk) @ (u.T @ target)
        leverage = ((u**2) * shrunk).sum(axis=1)
        errors = (target - inside) / np.maximum(1.0 - leverage, 1e-6)
        square = float(np.mean(errors**2))
        if found is None or square < BETTER * found[0]:
            weights = vt.T @ ((s / (s**2 + noise**2)) * (u.T @ target)) * scale
            found = square, weights, errors
    assert found is not None
    _, weights, errors = found
    return float(weights[0]), weights[1:], errors
