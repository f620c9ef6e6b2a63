"""How the layers of a network add up: sums, launches, and how the errors of layers carry over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from neuralpower.networks.calibration import Composition
from neuralpower.networks.estimates import (
    Estimates,
    Interval,
    Limits,
    product,
    take,
)
from neuralpower.networks.launch import BOUND, Launch, Sums
from neuralpower.networks.traffic import Floats

#: The least correlation of the errors of two layers of one family in one network: layers of a sweep
#: show none, and a network of a hundred layers would have hardly any error that a scale can stretch
#: (docs/networks_prediction.md has what was measured).
SHARED = 0.1


#: What adding up layers leaves out where no whole pass was measured, a half-width as a share of the
#: total: with it the plain sums of four other platforms hold nine of ten of their passes, each
#: platform of the same weight (docs/networks_prediction.md). Energy takes that of runtime.
COMPOSED = {"runtime_ms": 0.135, "power_w": 0.12, "energy_mj": 0.135}


@dataclass(frozen=True, slots=True)
class Total:
    """Totals over the layers that have a figure: (value, lo, hi), or None where none has."""

    runtime_ms: tuple[float, float, float] | None
    power_w: tuple[float, float, float] | None
    energy_mj: tuple[float, float, float] | None


def inside(estimates: Estimates, launch: Launch) -> Estimates:
    """The layers with the work that they have inside a pass: that of their bytes, for some."""
    swapped = np.isin(estimates.family, launch.by_traffic) & estimates.traffic_ms.known
    if not swapped.any():
        return estimates
    powered = swapped & estimates.traffic_w.known
    energy = product(estimates.traffic_ms, estimates.traffic_w)
    return replace(
        estimates,
        runtime_ms=_swapped(estimates.runtime_ms, estimates.traffic_ms, swapped),
        power_w=_swapped(estimates.power_w, estimates.traffic_w, powered),
        energy_mj=_swapped(estimates.energy_mj, energy, powered),
        estimated=estimates.estimated | swapped,
    )


def _swapped(own: Interval, other: Interval, where: NDArray[np.bool_]) -> Interval:
    pairs = ((own.value, other.value), (own.lo, other.lo), (own.hi, other.hi))
    return Interval(*(np.where(where, theirs, ours) for ours, theirs in pairs))


def sums_of(estimates: Estimates) -> Sums:
    """The sums of layers as they are inside a pass (``in_networks``)."""
    time, power = estimates.runtime_ms.value, estimates.power_w.value
    timed = estimates.runtime_ms.known
    both = timed & estimates.power_w.known
    bound = both & ~estimates.estimated & (time <= BOUND * estimates.launch_ms)
    return Sums(
        float(time[timed].sum()),
        float(estimates.launch_ms[timed].sum()),
        float(time[both].sum()),
        float((time * power)[both].sum()),
        float(time[bound].sum()),
    )


def in_networks(estimates: Estimates, composition: Composition) -> Estimates:
    """Estimates of layers inside networks, as they are added up.

    A model of least relative error leans low, as many small layers do not show but sums do: values
    are multiplied by their family's ``lean``; runtimes and energies by its factor too. Some
    families work by their bytes (``inside``), and power is what layers draw inside a pass.
    """
    estimates = inside(estimates, composition.launch)
    names = [str(name) for name in estimates.family]
    factor = np.array([composition.factor(name) for name in names])
    time, power = (
        # An estimate from bytes has the lean of its model already.
        np.where(estimates.estimated, 1.0, [estimates.lean[target].get(n, 1.0) for n in names])
        for target in ("runtime_ms", "power_w")
    )
    power = power * composition.launch.power
    runtime_ms = _scaled(estimates.runtime_ms, factor * time)
    power_w = _limited(estimates.power_w, power, estimates.limits)
    return replace(
        estimates,
        runtime_ms=runtime_ms,
        power_w=power_w,
        energy_mj=product(runtime_ms, power_w),
    )


def _limited(interval: Interval, factors: Floats, limits: Limits) -> Interval:
    """The interval times ``factors``, as far as the limits let its value go.

    One that is at the board's cap keeps the width that it has below.
    """
    low, high = limits
    if low is None and high is None:
        return _scaled(interval, factors)
    value = np.clip(interval.value * factors, low, high)
    ends = (np.clip(x * value / interval.value, low, high) for x in (interval.lo, interval.hi))
    return Interval(value, *ends)


def _scaled(interval: Interval, factors: Floats) -> Interval:
    return Interval(interval.value * factors, interval.lo * factors, interval.hi * factors)


def total(estimates: Estimates, composition: Composition | None = None) -> Total:
    """Compose layers one after the other: T = sum T_l, E = sum P_l T_l, P = E / T; where launches
    count (``launch``), T is the longer of work and launches, and E has their share.

    Energy and power cover the layers that have both models, so P is their E over their T.
    The error of each total is the layers' errors carried through its derivative: errors of
    two layers of one family correlate as the model says (``error_correlation``, from data), at
    least by ``SHARED`` where a scale was measured, or fully where too few passes were measured to
    trust that (``Composition.cautious``); those of two families, and runtime and power errors,
    count as independent. The two sides of the intervals are carried separately; one layer alone
    keeps its own interval. Then the half-widths are scaled by what the platform's measured passes
    taught (``composition``); where none was measured, what other platforms' passes show of adding
    up (``COMPOSED``) is one more independent error. Power and its interval keep to what the board
    can draw. Layers at the board's cap have hardly an upper side: a scale that is measured on it
    would be many times too large for the lower side. So the scale of power counts in the wider
    side, and both sides get it.
    """
    composition = composition or Composition()
    time, power, family = estimates.runtime_ms, estimates.power_w, estimates.family
    timed = time.known
    both = timed & power.known
    least_rho = 1.0 if composition.cautious else SHARED if composition.scales else 0.0
    rho_time, rho_power = (
        {name: max(rho.get(name, 0.0), least_rho) for name in set(family.tolist())}
        for rho in (estimates.correlation["runtime_ms"], estimates.correlation["power_w"])
    )

    if not timed.any():
        return Total(None, None, None)
    launch, sums = composition.launch, sums_of(estimates)
    whole = sums.runtime_ms(launch)
    # Launches that are longer than the work are as uncertain as the work, in relative terms.
    scale = composition.scale("runtime_ms") * whole / sums.work_ms
    # One layer alone is no sum.
    unknown = dict.fromkeys(COMPOSED, 0.0)
    if not composition.networks and int(timed.sum()) > 1:
        unknown = COMPOSED
    sides = (_spread(side[timed], family[timed], rho_time) for side in (time.down, time.up))
    more = unknown["runtime_ms"] * whole
    runtime = _around(whole, *(float(np.hypot(scale * side, more)) for side in sides))
    if not both.any():
        return Total(runtime, None, None)

    family = family[both]
    t, p = take(time, np.flatnonzero(both)), take(power, np.flatnonzero(both))
    whole_time = sums.powered_ms + sums.waiting_ms(launch)
    limited = _limited_total((sums.energy_mj + sums.more_mj(launch)) / whole_time, estimates.limits)
    mean, whole_energy = limited, limited * whole_time
    energy_sides, power_sides = [], []
    # However long layers and waiting take, the mean lies between the least and the most of them.
    drawn = [*p.value.tolist(), *([launch.waiting_w] if sums.waiting_ms(launch) else [])]
    least, most = min(drawn), max(drawn)
    for by_power, with_time, against_time, room in (
        (p.down, t.down, t.up, mean - least),
        (p.up, t.up, t.down, most - mean),
    ):
        by_power_energy = _spread(by_power * t.value, family, rho_power)
        by_time_energy = _spread(with_time * p.value, family, rho_time)
        energy_sides.append(float(np.hypot(by_power_energy, by_time_energy)))
        # d(E/T)/dT_l = (P_l - P) / T: a longer layer pulls the mean power towards its own.
        pull = p.value - mean
        moved = np.where(pull > 0, with_time, against_time) * pull / whole_time
        by_time_power = min(_spread(moved, family, rho_time), max(room, 0.0))
        power_sides.append(float(np.hypot(by_power_energy / whole_time, by_time_power)))
    if "power_w" in composition.scales:
        power_sides = [max(power_sides)] * 2
    power_sides, energy_sides = (
        [
            float(np.hypot(composition.scale(target) * side, unknown[target] * value))
            for side in sides
        ]
        for target, value, sides in (
            ("power_w", mean, power_sides),
            ("energy_mj", whole_energy, energy_sides),
        )
    )
    _, lo, hi = _around(mean, *power_sides)
    return Total(
        runtime,
        (mean, _limited_total(lo, estimates.limits), _limited_total(hi, estimates.limits)),
        _around(whole_energy, *energy_sides),
    )


def _limited_total(value: float, limits: Limits) -> float:
    low, high = limits
    value = value if low is None else max(value, low)
    return value if high is None else min(value, high)


def _spread(errors: Floats, family: NDArray[np.str_], correlation: Mapping[str, float]) -> float:
    """Half-width of a sum: within a family (1 - rho) sum e^2 + rho (sum e)^2, then quadrature."""
    square = 0.0
    for name in sorted(set(family.tolist())):
        part = errors[family == name]
        rho = correlation.get(name, 0.0)
        square += (1 - rho) * float((part * part).sum()) + rho * float(part.sum()) ** 2
    return float(np.sqrt(square))


def _around(value: float, down: float, up: float) -> tuple[float, float, float]:
    return value, max(value - down, 0.0), value + up
