"""What all kinds of layers of a device say together about a kind that was hardly measured.

The power that a layer draws depends on how much of the device it keeps busy, whatever it computes,
and layers that pass over their data once take the time of the bytes they move. So the few rows of
a kind are put beside those of all other kinds, in coordinates that every kind has: a Gaussian
process (``modeling.gaussian``) over their logarithms, and one more coordinate that is 0 for the
kind and 1 for all others. How much the others say about it is the length of that coordinate, which
the likelihood finds (coregionalisation of one kind against the rest; Alvarez, Rosasco and
Lawrence, "Kernels for vector-valued functions", 2012, section 4).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from neuralpower.core.families import FAMILIES
from neuralpower.modeling.bands import Interval
from neuralpower.modeling.baselines import Device
from neuralpower.modeling.data import Layers
from neuralpower.modeling.features import DEFAULTS, Array
from neuralpower.modeling.fitting import FEWEST as FEWEST_ROWS
from neuralpower.modeling.gaussian import Process
from neuralpower.modeling.intervals import quantiles
from neuralpower.modeling.members import LOG_LIMIT, Anchor, Equation, Part
from neuralpower.modeling.models import Model
from neuralpower.modeling.neighbours import Neighbours
from neuralpower.modeling.terms import INTERCEPT, Factor, Term
from neuralpower.modeling.ways import Way

#: How the models are called.
ALIKE, PRODUCT = "alike layers", "power x runtime"
#: A kind with this many rows needs no other. Layers that pass over their data once are simple, and
#: no longer like each other at a closer look: of 40 the choice itself costs two points (ort-cpu).
ENOUGH = {"power_w": 60, "runtime_ms": 20, "energy_mj": 60}
#: Rows of all kinds that there must be, and that are looked at.
FEWEST, MOST = 20, 600
#: Kinds that there must be beside one that cannot be cross-validated.
FEWEST_KINDS = 3
#: What every kind of layer has, by target, and the kinds that are put together.
WORDS: Mapping[str, tuple[str, ...]] = {
    "power_w": ("moved_elements", "output_elements", "intensity", "window"),
    "runtime_ms": ("moved_elements", "inputs"),
}
_ONCE = (
    *("batchnorm", "scale", "relu", "sigmoid", "tanh", "elu", "prelu", "eltwise", "concat"),
    "softmax",
)
KINDS: Mapping[str, tuple[str, ...]] = {"power_w": FAMILIES, "runtime_ms": _ONCE}
#: Values leave what was measured of all kinds by at most this factor.
LEAVE = {"power_w": 1.05, "runtime_ms": 10.0}
#: The coordinate that sets other kinds apart.
OTHER = Factor("other_kind")


@dataclass(frozen=True)
class Kinds:
    """Rows of a target: ``own`` of the kind (``None``: it has none), and those of other kinds."""

    family: str
    target: str
    own: Layers | None
    others: tuple[Layers, ...]

    @property
    def count(self) -> int:
        """Rows of the kind itself."""
        return 0 if self.own is None else len(self.own)


def kinds_of(layers: Mapping[tuple[str, str], Layers], family: str, target: str) -> Kinds | None:
    """A kind and the others; ``None`` where it has enough, or they too few or too many rows.

    Fewer than ``FEWEST_KINDS`` others say nothing of a kind that has too few rows to check it.
    """
    own = layers.get((family, target))
    if target not in KINDS or family not in KINDS[target] or (own and len(own) >= ENOUGH[target]):
        return None
    others = tuple(
        rows
        for (name, what), rows in sorted(layers.items())
        if what == target and name in KINDS[target] and name != family
    )
    count = 0 if own is None else len(own)
    if not others or (count < FEWEST_ROWS and len(others) < FEWEST_KINDS):
        return None
    rows = sum(map(len, others)) + count
    return Kinds(family, target, own, others) if FEWEST <= rows <= MOST else None


def way_of(kinds: Kinds, folds: Sequence[np.ndarray]) -> Way:
    """The way over all kinds: its equation, and predictions (n,) of every deal of the folds.

    The rows of a fold are predicted from the kind's other folds and all other kinds.
    """
    assert kinds.own is not None
    n = len(kinds.own)
    matrix, logs = _rows(kinds, apart=True)
    low, high = _ends(kinds)
    process, dealt = Process(matrix, logs), []
    for deal in folds:
        predicted = np.empty(n)
        for fold in np.unique(deal):
            left = np.flatnonzero(deal == fold)
            kept = np.setdiff1d(np.arange(len(logs)), left)
            found = process.search(kept)
            logarithms = process.logs(found, process.solve(kept, found), kept, left)
            predicted[left] = np.clip(_exp(logarithms), low, high)
        dealt.append(predicted)
    return Way(ALIKE, (_part(process, matrix, kinds),), tuple(dealt))


def model_of(kinds: Kinds, device: Device) -> Model:
    """A model of a kind that has too few rows to be cross-validated, or none.

    So few cannot say how unlike the others they are: they count as more of the same. The interval
    is that of whole kinds, each predicted from all the others.
    """
    matrix, logs = _rows(kinds, apart=False)
    part = _part(Process(matrix, logs), matrix, kinds)
    errors = _errors_of_kinds(kinds)
    low, high = quantiles(errors)
    every_kind = [rows for rows in (kinds.own, *kinds.others) if rows is not None]
    model = Model(
        family=kinds.family,
        target=kinds.target,
        equations=part.equations,
        anchor=part.anchor,
        interval=Interval((0.0,), (1.0,), low, high),
        ranges={
            name: (
                min(float(rows.columns[name].min()) for rows in every_kind),
                max(float(rows.columns[name].max()) for rows in every_kind),
            )
            for name in DEFAULTS
        },
        methods=tuple(
            sorted({str(m) for rows in every_kind for m in rows.columns["pool_method"] if str(m)})
            if kinds.family == "pool"
            else ()
        ),
        relative_sd=float(np.std(np.exp(errors) - 1.0)),
        # A kind that draws more than the others does so in all of its layers.
        error_correlation=1.0,
        mean_ratio=1.0,
        lean=1.0,
        candidate=ALIKE,
        facts={
            "scores": {},
            "baselines": {},
            "provenance": {
                "source": f"{len(logs)} layers of {len(every_kind)} kinds, "
                f"{kinds.count} of this one"
            },
        },
    )
    if kinds.target == "power_w":
        model = replace(model, limits=(device.idle_power_w, device.power_cap_w))
    return model


def energy_of(power: Model, runtime: Model) -> Model:
    """Energy (mJ) as the product of a power (W) and a runtime (ms), both of one kind.

    Their errors are taken as independent.
    """
    half = math.hypot(power.relative_sd, runtime.relative_sd)
    low, high = (
        sign * math.hypot(*(_bound(model.interval, sign) for model in (power, runtime)))
        for sign in (-1.0, 1.0)
    )
    capped = Part(power.target, 1.0, power.equations, _kept(power))
    return replace(
        runtime,
        target="energy_mj",
        interval=Interval((0.0,), (1.0,), low, high),
        ranges={
            name: _common(ends, power.ranges.get(name)) for name, ends in runtime.ranges.items()
        },
        relative_sd=half,
        error_correlation=max(power.error_correlation, runtime.error_correlation),
        mean_ratio=power.mean_ratio * runtime.mean_ratio,
        lean=power.lean * runtime.lean,
        candidate=PRODUCT,
        source=runtime.source or runtime.target,
        parts=(*runtime.parts, capped),
        launch_ms=None,
        facts={"scores": {}, "baselines": {}, "provenance": {"source": PRODUCT}},
    )


def _kept(power: Model) -> Anchor:
    """The anchor of a power, within what the board can draw where the anchor is in watts."""
    anchor, (low, high) = power.anchor, power.limits
    if power.candidate != ALIKE:
        return anchor
    lowest, highest = max(anchor.lowest, low or 0.0), min(anchor.highest, high or math.inf)
    return replace(anchor, lowest=lowest, highest=highest)


def _common(ends: tuple[float, float], others: tuple[float, float] | None) -> tuple[float, float]:
    """The part of a range that is in another one too; all of it where nothing is."""
    low, high = (max(ends[0], others[0]), min(ends[1], others[1])) if others else ends
    return (low, high) if low <= high else ends


def _bound(interval: Interval, sign: float) -> float:
    """The end of an interval of logarithms on one side, at its usual scale."""
    scale = float(np.mean(interval.scales))
    return scale * (interval.upper if sign > 0.0 else -interval.lower)


def _rows(kinds: Kinds, apart: bool) -> tuple[Array, Array]:
    """Coordinates (n, 1 + d) and logarithms (n,) of all rows, those of the kind first.

    ``apart``: with the coordinate that sets other kinds apart.
    """
    parts, logs = [], []
    for rows in (kinds.own, *kinds.others):
        if rows is None:
            continue
        table = rows.table()
        columns = [np.log(table[name]) for name in WORDS[kinds.target]]
        if apart:
            columns.append(np.full(len(rows), 0.0 if rows is kinds.own else 1.0))
        parts.append(np.stack([np.ones(len(rows)), *columns], axis=1))
        logs.append(np.log(rows.measured))
    return np.concatenate(parts), np.concatenate(logs)


def _errors_of_kinds(kinds: Kinds) -> Array:
    """ln(measured / predicted) of every row, its whole kind predicted from all the others."""
    every = [rows for rows in (kinds.own, *kinds.others) if rows is not None]
    matrix, logs = _rows(kinds, apart=False)
    low, high = _ends(kinds)
    of = np.concatenate([np.full(len(rows), i) for i, rows in enumerate(every)])
    process, errors = Process(matrix, logs), np.empty(len(logs))
    for kind in range(len(every)):
        left, kept = np.flatnonzero(of == kind), np.flatnonzero(of != kind)
        found = process.search(kept)
        predicted = _exp(process.logs(found, process.solve(kept, found), kept, left))
        errors[left] = logs[left] - np.log(np.clip(predicted, low, high))
    return errors


def _ends(kinds: Kinds) -> tuple[float, float]:
    measured = [rows.measured for rows in (kinds.own, *kinds.others) if rows is not None]
    leave = LEAVE[kinds.target]
    values = np.concatenate(measured)
    return float(values.min()) / leave, float(values.max()) * leave


def _exp(logs: Array) -> Array:
    return np.asarray(np.exp(np.clip(logs, -LOG_LIMIT, LOG_LIMIT)))


def _part(process: Process, matrix: Array, kinds: Kinds) -> Part:
    """The process on all rows as an equation; its step to other kinds is nothing to the kind."""
    every = np.arange(len(matrix))
    found = process.search(every)
    slopes, lengths, weights = process.stored(found, process.solve(every, found))
    names = WORDS[kinds.target]
    factors: tuple[Factor, ...] = tuple(Factor(name, "log") for name in names)
    places = np.exp(matrix[:, 1 : 1 + len(names)])
    if apart := matrix[:, 1 + len(names) :].size > 0:
        places = np.concatenate([places, matrix[:, -1:]], axis=1)
    neighbours = Neighbours(
        (*factors, OTHER) if apart else factors,
        tuple(lengths.tolist()),
        tuple(tuple(row) for row in places.tolist()),
        tuple(weights.tolist()),
    )
    terms: tuple[Term, ...] = (INTERCEPT, *((factor,) for factor in factors))
    coefficients = tuple(slopes[: len(terms)].tolist())
    equation = Equation("log", terms, coefficients, candidate=ALIKE, neighbours=neighbours)
    one = Equation("log", (INTERCEPT,), (0.0,), candidate="anchor")
    return Part("", 1.0, (equation,), Anchor(one, *_ends(kinds)))
