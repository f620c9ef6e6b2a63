"""What the models of one platform say about many layers at once, and how layer errors add up.

Everything here is numpy on arrays: a network's layers and a table of a hundred thousand
configurations go the same way. Unknown is NaN, never 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from neuralpower.core.configuration import CONFIGURATION_COLUMNS, Configuration
from neuralpower.networks.calibration import Composition

Floats = NDArray[np.float64]
Columns = Mapping[str, NDArray[Any]]


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


class Model(Protocol):
    """One family's model of one target, as composition needs it."""

    @property
    def error_correlation(self) -> float: ...  # noqa: D102
    @property
    def lean(self) -> float: ...  # noqa: D102
    def predict(self, columns: Columns) -> Prediction: ...  # noqa: D102


class Models(Protocol):
    """The models of one platform, as composition needs them."""

    @property
    def platform(self) -> str: ...  # noqa: D102
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

    family: NDArray[Any]
    runtime_ms: Interval
    power_w: Interval
    energy_mj: Interval
    extrapolates: list[str]
    #: Correlation of relative errors between two layers of one family: target -> family -> rho.
    correlation: Mapping[str, Mapping[str, float]]
    #: What a family's values must be multiplied with before they are added up (``Model.lean``).
    lean: Mapping[str, Mapping[str, float]]

    def part(self, start: int, stop: int) -> Estimates:
        """Layers ``start`` to ``stop`` (not included)."""
        rows = np.arange(start, stop)
        return Estimates(
            self.family[rows],
            _take(self.runtime_ms, rows),
            _take(self.power_w, rows),
            _take(self.energy_mj, rows),
            self.extrapolates[start:stop],
            self.correlation,
            self.lean,
        )


@dataclass(frozen=True, slots=True)
class Total:
    """Totals over the layers that have a figure: (value, lo, hi), or None where none has."""

    runtime_ms: tuple[float, float, float] | None
    power_w: tuple[float, float, float] | None
    energy_mj: tuple[float, float, float] | None


def configuration_columns(configurations: Sequence[Configuration]) -> dict[str, NDArray[Any]]:
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

    Rows of a family without a model stay NaN. Energy is runtime times power, and the two
    errors count as independent: relative half-widths add in quadrature.
    """
    family = np.asarray(columns["family"])
    n = len(family)
    found = {"runtime_ms": Interval.unknown(n), "power_w": Interval.unknown(n)}
    correlation: dict[str, dict[str, float]] = {"runtime_ms": {}, "power_w": {}}
    lean: dict[str, dict[str, float]] = {"runtime_ms": {}, "power_w": {}}
    extrapolates = [""] * n
    for name in sorted(set(family.tolist()) - {""}):
        rows = np.flatnonzero(family == name)
        part = {key: np.asarray(column)[rows] for key, column in columns.items()}
        for target, interval in found.items():
            model = models.get(name, target)
            if model is None:
                continue
            # A size of 0 (a dilation of 0, say) has no logarithm: such a row stays unknown.
            with np.errstate(all="ignore"):
                prediction = model.predict(part)
            good = np.isfinite(prediction.value) & np.isfinite(prediction.hi)
            value = np.where(good, prediction.value, np.nan)
            interval.value[rows] = value
            interval.lo[rows] = np.minimum(prediction.lo, value)
            interval.hi[rows] = np.maximum(prediction.hi, value)
            correlation[target][name] = min(max(model.error_correlation, 0.0), 1.0)
            lean[target][name] = model.lean
            for row, column in zip(rows.tolist(), prediction.extrapolates, strict=True):
                extrapolates[row] = extrapolates[row] or column
    return Estimates(
        family=family,
        runtime_ms=found["runtime_ms"],
        power_w=found["power_w"],
        energy_mj=_product(found["runtime_ms"], found["power_w"]),
        extrapolates=extrapolates,
        correlation=correlation,
        lean=lean,
    )


def _product(runtime: Interval, power: Interval) -> Interval:
    value = runtime.value * power.value
    down = np.hypot(runtime.down * power.value, power.down * runtime.value)
    up = np.hypot(runtime.up * power.value, power.up * runtime.value)
    # With both errors near 100 % the quadrature sum may pass 0, which no energy does.
    return Interval(value, np.maximum(value - down, 0.0), value + up)


def in_networks(estimates: Estimates, composition: Composition) -> Estimates:
    """Estimates of layers inside networks, as they are added up.

    A model of least relative error leans low, as many small layers do not show but sums do: values
    are multiplied by their family's ``lean``; runtimes and energies by its factor too.
    """
    names = [str(name) for name in estimates.family]
    factor = np.array([composition.factor(name) for name in names])
    time, power = (
        np.array([estimates.lean[target].get(name, 1.0) for name in names])
        for target in ("runtime_ms", "power_w")
    )
    return replace(
        estimates,
        runtime_ms=_scaled(estimates.runtime_ms, factor * time),
        power_w=_scaled(estimates.power_w, power),
        energy_mj=_scaled(estimates.energy_mj, factor * time * power),
    )


def _scaled(interval: Interval, factors: Floats) -> Interval:
    return Interval(interval.value * factors, interval.lo * factors, interval.hi * factors)


def total(estimates: Estimates, composition: Composition | None = None) -> Total:
    """Compose layers one after the other: T = sum T_l, E = sum P_l T_l, P = E / T.

    Energy and power cover the layers that have both models, so P is their E over their T.
    The error of each total is the layers' errors carried through its derivative: errors of
    two layers of one family correlate as the model says (``error_correlation``, from data), or
    fully where too few passes were measured to trust that (``Composition.cautious``); those of
    two families, and runtime and power errors, count as independent. The two sides of
    the intervals are carried separately; one layer alone keeps its own interval. Then the
    half-widths are scaled by what the platform's measured passes taught (``composition``).
    """
    composition = composition or Composition()
    time, power, family = estimates.runtime_ms, estimates.power_w, estimates.family
    timed = time.known
    both = timed & power.known
    rho_time, rho_power = estimates.correlation["runtime_ms"], estimates.correlation["power_w"]
    if composition.cautious:
        rho_time = rho_power = dict.fromkeys(family.tolist(), 1.0)

    runtime = None
    if timed.any():
        value = float(time.value[timed].sum())
        sides = (_spread(side[timed], family[timed], rho_time) for side in (time.down, time.up))
        scale = composition.scale("runtime_ms")
        runtime = _around(value, *(scale * side for side in sides))
    if not both.any():
        return Total(runtime, None, None)

    family = family[both]
    t, p = _take(time, np.flatnonzero(both)), _take(power, np.flatnonzero(both))
    whole_time = float(t.value.sum())
    whole_energy = float((t.value * p.value).sum())
    mean = whole_energy / whole_time
    energy_sides, power_sides = [], []
    for by_power, with_time, against_time in (
        (p.down, t.down, t.up),
        (p.up, t.up, t.down),
    ):
        by_power_energy = _spread(by_power * t.value, family, rho_power)
        by_time_energy = _spread(with_time * p.value, family, rho_time)
        energy_sides.append(float(np.hypot(by_power_energy, by_time_energy)))
        # d(E/T)/dT_l = (P_l - P) / T: a longer layer pulls the mean power towards its own.
        pull = p.value - mean
        moved = np.where(pull > 0, with_time, against_time) * pull / whole_time
        by_time_power = _spread(moved, family, rho_time)
        power_sides.append(float(np.hypot(by_power_energy / whole_time, by_time_power)))
    return Total(
        runtime,
        _around(mean, *(composition.scale("power_w") * side for side in power_sides)),
        _around(whole_energy, *(composition.scale("energy_mj") * side for side in energy_sides)),
    )


def _take(interval: Interval, rows: NDArray[np.intp]) -> Interval:
    return Interval(interval.value[rows], interval.lo[rows], interval.hi[rows])


def _spread(errors: Floats, family: NDArray[Any], correlation: Mapping[str, float]) -> float:
    """Half-width of a sum: within a family (1 - rho) sum e^2 + rho (sum e)^2, then quadrature."""
    square = 0.0
    for name in sorted(set(family.tolist())):
        part = errors[family == name]
        rho = correlation.get(name, 0.0)
        square += (1 - rho) * float((part * part).sum()) + rho * float(part.sum()) ** 2
    return float(np.sqrt(square))


def _around(value: float, down: float, up: float) -> tuple[float, float, float]:
    return value, max(value - down, 0.0), value + up
