"""What the models of one platform say about many layers at once.

Everything here is numpy on arrays: a network's layers and a table of a hundred thousand
configurations go the same way. Unknown is NaN, never 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from neuralpower.core.configuration import CONFIGURATION_COLUMNS, Configuration
from neuralpower.networks.traffic import (
    MOVED,
    STAND_IN,
    WIDER,
    Columns,
    Floats,
    Values,
    as_rectifier,
)

#: The least and the most that a device can do, None where unknown.
Limits = tuple[float | None, float | None]


class Prediction(Protocol):
    """What a model returns: arrays of one length, 90 % intervals."""

    @property
    def value(self) -> Floats: ...  # noqa: D102
    @property
    def lo(self) -> Floats: ...  # noqa: D102
    @property
    def hi(self) -> Floats: ...  # noqa: D102
    @property
    def extrapolates(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def extrapolates_by(self) -> Floats: ...  # noqa: D102


class Model(Protocol):
    """One family's model of one target, as composition needs it."""

    @property
    def error_correlation(self) -> float: ...  # noqa: D102
    @property
    def lean(self) -> float: ...  # noqa: D102
    @property
    def methods(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def limits(self) -> Limits: ...  # noqa: D102
    @property
    def launch_ms(self) -> float | None: ...  # noqa: D102
    def predict(self, columns: Columns) -> Prediction: ...  # noqa: D102


class Models(Protocol):
    """The models of one platform, as composition needs them."""

    @property
    def platform(self) -> str: ...  # noqa: D102
    @property
    def facts(self) -> Mapping[str, object]: ...  # noqa: D102
    def get(self, family: str, target: str) -> Model | None: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Interval:
    """Values with their 90 % intervals, arrays of shape (n,); NaN where unknown."""

    value: Floats
    lo: Floats
    hi: Floats

    @classmethod
    def unknown(cls, n: int) -> Interval:
        """``n`` unknown values."""
        return cls(*(np.full(n, np.nan) for _ in range(3)))

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which values are known."""
        return ~np.isnan(self.value)

    @property
    def down(self) -> Floats:
        """Distance from the value to the lower end."""
        return self.value - self.lo

    @property
    def up(self) -> Floats:
        """Distance from the value to the upper end."""
        return self.hi - self.value


@dataclass(frozen=True, slots=True)
class Estimates:
    """Runtime (ms), power (W) and energy (mJ) of n layers, each layer run by itself."""

    family: NDArray[np.str_]
    runtime_ms: Interval
    power_w: Interval
    energy_mj: Interval
    extrapolates: list[str]
    #: That column over the largest (smallest) measured value; NaN where there is none.
    extrapolates_by: Floats
    #: Correlation of relative errors between two layers of one family: target -> family -> rho.
    correlation: Mapping[str, Mapping[str, float]]
    #: What a family's values must be multiplied with before they are added up (``Model.lean``).
    lean: Mapping[str, Mapping[str, float]]
    #: Runtime and power of layers that only move data, from their bytes (``traffic``).
    traffic_ms: Interval
    traffic_w: Interval
    #: Rows whose figures are such estimates, because no model fits them.
    estimated: NDArray[np.bool_]
    #: The runtime of a layer of the family that is little more than its launch; 0 if unknown.
    launch_ms: Floats
    #: What the board draws at least and at most.
    limits: Limits = (None, None)
    #: What is known of the platform (the index of its models).
    facts: Mapping[str, object] = field(default_factory=dict)

    def sources(self) -> list[str]:
        """Where each runtime comes from: ``model``, ``estimate`` (from bytes) or ``none``."""
        names = np.where(self.estimated, "estimate", "model")
        result: list[str] = np.where(self.runtime_ms.known, names, "none").tolist()
        return result

    def take(self, rows: NDArray[np.intp]) -> Estimates:
        """Some of the layers, in the order of ``rows``; -1 is a layer of which nothing is known."""
        return replace(
            self,
            family=_filled(self.family, rows, ""),
            runtime_ms=take(self.runtime_ms, rows),
            power_w=take(self.power_w, rows),
            energy_mj=take(self.energy_mj, rows),
            traffic_ms=take(self.traffic_ms, rows),
            traffic_w=take(self.traffic_w, rows),
            extrapolates=[self.extrapolates[row] if row >= 0 else "" for row in rows.tolist()],
            extrapolates_by=_filled(self.extrapolates_by, rows, np.nan),
            estimated=_filled(self.estimated, rows, False),
            launch_ms=_filled(self.launch_ms, rows, 0.0),
        )

    def part(self, start: int, stop: int) -> Estimates:
        """Layers ``start`` to ``stop`` (not included)."""
        return self.take(np.arange(start, stop))


def _filled(values: Values, rows: NDArray[np.intp], missing: float | str) -> Values:
    if not len(values):
        return np.full(len(rows), missing)
    return np.asarray(np.where(rows < 0, missing, values[rows]))


def configuration_columns(configurations: Sequence[Configuration]) -> dict[str, Values]:
    """Configurations as one array a column (numbers as float64, words as str)."""
    return {
        name: np.array(
            [getattr(configuration, name) for configuration in configurations],
            dtype=np.str_ if name in ("family", "pool_method") else np.float64,
        )
        for name in CONFIGURATION_COLUMNS
    }


def estimate(columns: Columns, models: Models) -> Estimates:
    """Estimate every row of ``columns`` (arrays of shape (n,)) from the models of its family.

    Rows of a family without a model, or of a pooling method that was not measured, are estimated
    from the bytes that they move where that can be done, and stay NaN otherwise. Energy is runtime
    times power, and the two errors count as independent: relative half-widths add in quadrature.
    """
    family = np.asarray(columns["family"])
    n = len(family)
    found = {target: Interval.unknown(n) for target in _MODELLED}
    moved = {target: Interval.unknown(n) for target in _MODELLED}
    correlation: dict[str, dict[str, float]] = {target: {} for target in _MODELLED}
    lean: dict[str, dict[str, float]] = {target: {} for target in _MODELLED}
    extrapolates, by, launch_ms = [""] * n, np.full(n, np.nan), np.zeros(n)
    limits: Limits = (None, None)
    estimated = np.zeros(n, dtype=bool)
    for name in sorted(set(family.tolist()) - {""}):
        rows = np.flatnonzero(family == name)
        part = {key: np.asarray(column)[rows] for key, column in columns.items()}
        for target in _MODELLED:
            if name in MOVED and (stand_in := models.get(STAND_IN, target)) is not None:
                _put(moved[target], rows, _by_traffic(stand_in, part, name))
            model = models.get(name, target)
            if model is None:
                continue
            interval, guess = _predicted(model, part)
            _put(found[target], rows, interval)
            if name == "pool":
                _forget(found[target], rows[~np.isin(part["pool_method"], model.methods)])
            correlation[target][name] = min(max(model.error_correlation, 0.0), 1.0)
            lean[target][name] = model.lean
            if target == "runtime_ms":
                launch_ms[rows] = model.launch_ms or 0.0
            else:
                limits = model.limits
            for row, column, times in zip(
                rows.tolist(), guess.extrapolates, guess.extrapolates_by.tolist(), strict=True
            ):
                if column and not extrapolates[row]:
                    extrapolates[row], by[row] = column, times
        gaps = rows[~found["runtime_ms"].known[rows] & moved["runtime_ms"].known[rows]]
        if len(gaps):
            estimated[gaps] = True
            for row in gaps.tolist():
                extrapolates[row], by[row] = "", np.nan
            for target in _MODELLED:
                _put(found[target], gaps, take(moved[target], gaps))
                correlation[target].setdefault(name, 1.0)
            stand_in = models.get(STAND_IN, "runtime_ms")
            launch_ms[gaps] = (stand_in.launch_ms if stand_in is not None else None) or 0.0
    return Estimates(
        family=family,
        runtime_ms=found["runtime_ms"],
        power_w=found["power_w"],
        energy_mj=product(found["runtime_ms"], found["power_w"]),
        extrapolates=extrapolates,
        extrapolates_by=by,
        correlation=correlation,
        lean=lean,
        traffic_ms=moved["runtime_ms"],
        traffic_w=moved["power_w"],
        estimated=estimated,
        launch_ms=launch_ms,
        limits=limits,
        facts=models.facts,
    )


_MODELLED = ("runtime_ms", "power_w")


def _predicted(model: Model, columns: Columns) -> tuple[Interval, Prediction]:
    # A size of 0 (a dilation of 0, say) has no logarithm: such a row stays unknown.
    with np.errstate(all="ignore"):
        prediction = model.predict(columns)
    good = np.isfinite(prediction.value) & np.isfinite(prediction.hi)
    value = np.where(good, prediction.value, np.nan)
    lo, hi = np.minimum(prediction.lo, value), np.maximum(prediction.hi, value)
    return Interval(value, lo, hi), prediction


def _by_traffic(model: Model, columns: Columns, family: str) -> Interval:
    """What the stand-in's model says, with its lean, within a factor of ``WIDER``."""
    interval, _ = _predicted(model, as_rectifier(columns, family))
    value, (low, high) = interval.value * model.lean, model.limits
    wide = Interval(value, interval.lo * model.lean / WIDER, interval.hi * model.lean * WIDER)
    if low is None and high is None:
        return wide
    return Interval(*(np.clip(ends, low, high) for ends in (wide.value, wide.lo, wide.hi)))


def _put(into: Interval, rows: NDArray[np.intp], part: Interval) -> None:
    into.value[rows], into.lo[rows], into.hi[rows] = part.value, part.lo, part.hi


def _forget(interval: Interval, rows: NDArray[np.intp]) -> None:
    for values in (interval.value, interval.lo, interval.hi):
        values[rows] = np.nan


def product(runtime: Interval, power: Interval) -> Interval:
    """Energy (mJ) of runtimes (ms) and powers (W), whose errors count as independent."""
    value = runtime.value * power.value
    down = np.hypot(runtime.down * power.value, power.down * runtime.value)
    up = np.hypot(runtime.up * power.value, power.up * runtime.value)
    # With both errors near 100 % the quadrature sum may pass 0, which no energy does: it is never
    # less than both lower ends make it.
    return Interval(value, np.maximum(value - down, runtime.lo * power.lo), value + up)


def take(interval: Interval, rows: NDArray[np.intp]) -> Interval:
    """Some of the values, in the order of ``rows``; -1 is an unknown one."""
    ends = (interval.value, interval.lo, interval.hi)
    return Interval(*(_filled(values, rows, np.nan) for values in ends))
