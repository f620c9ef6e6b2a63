"""Learning a platform's composition (``calibration.Composition``) from its measured passes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from neuralpower.core.errors import InputError
from neuralpower.core.network_files import network_name
from neuralpower.core.targets import TARGETS
from neuralpower.networks.adding import in_networks, sums_of, total
from neuralpower.networks.calibration import (
    FEWEST_NETWORKS,
    MOST,
    Composition,
    Shares,
    factors_of,
    scale_of,
)
from neuralpower.networks.estimates import Estimates, Models
from neuralpower.networks.launch import (
    BOUND,
    CLOSE,
    FEWEST_CHOOSING,
    LAUNCHED,
    TRAINED,
    Launch,
    Sums,
    with_power_terms,
)
from neuralpower.networks.loading import network_at
from neuralpower.networks.measured import Pass, load_passes, measured_inside
from neuralpower.networks.reading import Readings
from neuralpower.records.sealing import refuse_changed

if TYPE_CHECKING:
    from neuralpower.caffe.network import Network


@dataclass(frozen=True)
class Trial:
    """A measured pass with its network, the estimates of its layers, and their measured times.

    ``layers``: runtime in ms by layer name, None where layers were not recorded.
    """

    measured: Pass
    network: Network
    estimates: Estimates
    layers: Mapping[str, float] | None

    @cached_property
    def _plain(self) -> dict[tuple[str, ...], tuple[Shares | None, Sums]]:
        return {}

    def plain(self, launch: Launch) -> tuple[Shares | None, Sums]:
        """The pass as shares of its families, and its sums, both without any factor.

        Shares are None if the runtime or all models are missing. Kept: a pass is learnt from once
        for every network that is held out, and again for each other network that is scored.
        """
        key = launch.by_traffic
        if key not in self._plain:
            only = Composition(launch=Launch(by_traffic=key))
            estimates = in_networks(self.estimates, only)
            self._plain[key] = self._shares(estimates), sums_of(estimates)
        return self._plain[key]

    def _shares(self, estimates: Estimates) -> Shares | None:
        whole = self.measured.values.get("runtime_ms")
        times = estimates.runtime_ms
        if whole is None or not times.known.any():
            return None
        predicted: dict[str, float] = {}
        inside: dict[str, float] = {}
        recorded: dict[str, float] = {}
        for layer, known, value in zip(
            self.network.layers, times.known, times.value.tolist(), strict=True
        ):
            if not known:
                continue
            predicted[layer.family] = predicted.get(layer.family, 0.0) + value / whole
            if self.layers is not None and layer.name in self.layers:
                measured = self.layers[layer.name] / whole
                inside[layer.family] = inside.get(layer.family, 0.0) + measured
                recorded[layer.family] = recorded.get(layer.family, 0.0) + value / whole
        name = self.measured.architecture
        return Shares(name, recorded, inside) if inside else Shares(name, predicted)


def load_trials(
    measurements: str | Path,
    models: Models,
    prototxts: Sequence[str | Path] = (),
    readings: Readings | None = None,
) -> tuple[list[Trial], dict[str, str]]:
    """The measured passes of a platform that can be predicted, and why other networks cannot.

    ``prototxts`` are found by file stem; those in the platform's own ``prototxts/`` folder
    override the same names. A pass at an input size (``measured.Pass``) takes the file of its name
    (``resnet18_32``) or that of its architecture, set to the size. The second value says of each
    network that was measured and cannot be read why: a network at fault costs no other. Raises
    ``InputError`` as the readers of measurements do.
    """
    from neuralpower.networks.composition import estimate_networks
    from neuralpower.records.folder import load_platform

    platform = load_platform(measurements)
    refuse_changed(platform)
    files = {network_name(path): Path(path) for path in (*prototxts, *platform.prototxts)}
    # Kept networks are read as they were when they were measured, whatever is said of others.
    kept, others = Readings(), readings or Readings()
    missing: dict[str, str] = {}
    known: list[tuple[Pass, Network]] = []
    for found in load_passes(platform):
        path = files.get(found.network) or files.get(found.architecture)
        if path is None:
            missing[found.network] = "no prototxt of it was given"
            continue
        try:
            read = kept if path in platform.prototxts else others
            known.append((found, network_at(path, found, read)))
        except InputError as error:
            missing[found.network] = f"it cannot be read: {error}"
    known = [(found, network) for found, network in known if found.network not in missing]
    if not known:
        return [], missing
    inside = measured_inside(platform)
    trials = [
        Trial(found, network, estimates, inside.get((found.network, found.batch)))
        for (found, network), estimates in zip(
            known, estimate_networks([network for _, network in known], models), strict=True
        )
    ]
    return trials, missing


def learn(
    trials: Sequence[Trial], held_out: Mapping[str, Sequence[Trial]] | None = None
) -> Composition:
    """What all passes teach; scales from passes predicted without their own network.

    ``held_out``: by architecture, the same passes as models estimate them that were fitted without
    that network's layers (``networks.held_out``); without it the trials' own estimates serve.
    """
    if not trials:
        return Composition()
    names = sorted({trial.measured.architecture for trial in trials})
    launch = _chosen(trials, names)
    misses: dict[str, dict[str, list[float]]] = {target: {} for target in TARGETS}
    for name in names:
        seen = (held_out or {}).get(name, trials)
        others = _fitted([t for t in seen if t.measured.architecture != name], launch)
        others = replace(others, networks=tuple(names), scales=dict.fromkeys(TARGETS, 1.0))
        for trial in seen:
            if trial.measured.architecture == name:
                for target, miss in _misses(trial, others).items():
                    misses[target].setdefault(name, []).append(miss)
    scales = {target: scale_of(found) for target, found in misses.items() if found}
    learnt = _fitted(trials, launch)
    slips = _slips(trials, learnt.launch)
    return replace(learnt, scales=scales, warnings=(*slips, *learnt.warnings))


def _slips(trials: Sequence[Trial], launch: Launch) -> tuple[str, ...]:
    """Networks whose passes take more than ``MOST`` times their layers, or less than a part,
    with launches counted as on this platform. Networks of which a layer has no model say nothing.
    """
    from neuralpower.networks.composition import computes

    plain = Composition(launch=launch)
    worst: dict[str, tuple[float, str]] = {}
    for trial in trials:
        whole = total(in_networks(trial.estimates, plain), plain).runtime_ms
        measured = trial.measured.values.get("runtime_ms")
        needed = [computes(layer) for layer in trial.network.layers]
        covered = bool((trial.estimates.runtime_ms.known | ~np.array(needed)).all())
        if whole is None or not measured or not whole[0] > 0 or not covered:
            continue
        ratio = measured / whole[0]
        if not 1 / MOST <= ratio <= MOST:
            far, name = abs(math.log(ratio)), trial.measured.network
            text = (
                f"{name} at batch {trial.measured.batch} takes {measured:.4g} ms as a whole pass, "
                f"{ratio:.3g} times its layers: is a unit, the batch size or the network wrong?"
            )
            worst[name] = max(worst.get(name, (0.0, "")), (far, text))
    return tuple(text for _, (_, text) in sorted(worst.items()))


def _chosen(trials: Sequence[Trial], names: Sequence[str]) -> Launch:
    """How launches count: what explains each network best by the others, the simplest first.

    With fewer than ``FEWEST_CHOOSING`` networks layers are added up as they are.
    """
    settings = _settings(trials)
    if len(names) < FEWEST_CHOOSING or len(settings) == 1:
        return settings[0]
    errors = [_left_out_error(trials, names, launch) for launch in settings]
    best = min(errors)
    return next(s for s, e in zip(settings, errors, strict=True) if e <= CLOSE * best)


def _settings(trials: Sequence[Trial]) -> list[Launch]:
    """The ways in which launches may count on this platform, a plain sum first.

    Only where launches are a good part of some pass: elsewhere work is always the longer.
    """
    found = [Launch()]
    if any(_launched(trial) for trial in trials):
        found.append(Launch(longer=True))
        found += [Launch((family,), longer=True) for family in TRAINED if _moves(trials, family)]
    return found


def _launched(trial: Trial) -> bool:
    whole = trial.measured.values.get("runtime_ms")
    return whole is not None and trial.plain(Launch())[1].launch_ms > LAUNCHED * whole


def _moves(trials: Sequence[Trial], family: str) -> bool:
    """Whether the family's layers can be estimated from their bytes."""
    return any(
        bool((trial.estimates.traffic_ms.known & (trial.estimates.family == family)).any())
        for trial in trials
    )


def _left_out_error(trials: Sequence[Trial], names: Sequence[str], launch: Launch) -> float:
    """Mean squared relative error of runtime, each network predicted by the others."""
    errors = []
    for name in names:
        composition = _fitted([t for t in trials if t.measured.architecture != name], launch)
        own = [
            (total(in_networks(t.estimates, composition), composition).runtime_ms, time)
            for t in trials
            if t.measured.architecture == name
            and (time := t.measured.values.get("runtime_ms")) is not None
        ]
        ratios = [(whole[0] / time - 1.0) ** 2 for whole, time in own if whole is not None]
        if ratios:
            errors.append(sum(ratios) / len(ratios))
    return sum(errors) / len(errors) if errors else 0.0


def _fitted(trials: Sequence[Trial], launch: Launch) -> Composition:
    """Factors, and the terms of power, with launches counting in a given way."""
    names = sorted({trial.measured.architecture for trial in trials})
    factors, warnings = factors_of(_working(trials, launch))
    composition = Composition(factors, {}, tuple(names), tuple(warnings), launch)
    return replace(composition, launch=_powered(trials, composition))


def _working(trials: Sequence[Trial], launch: Launch) -> list[Shares]:
    """Shares of the passes that are not bound by launches, which say nothing about the work."""
    found = []
    for trial in trials:
        shares, sums = trial.plain(launch)
        whole = trial.measured.values.get("runtime_ms")
        if shares is None or (launch.longer and whole and sums.launch_ms * BOUND >= whole):
            continue
        found.append(shares)
    return found


def _powered(trials: Sequence[Trial], composition: Composition) -> Launch:
    """The terms of power of least relative error of energy, drawn towards none (a ridge)."""
    launch = composition.launch
    drawn = [t for t in trials if "energy_mj" in t.measured.values]
    if len({t.measured.architecture for t in drawn}) < FEWEST_NETWORKS:
        return launch
    rows = []
    for trial in drawn:
        energy = trial.measured.values["energy_mj"]
        sums = sums_of(in_networks(trial.estimates, composition))
        if sums.energy_mj > 0.0 and sums.powered_ms >= sums.work_ms:
            waiting = sums.waiting_ms(launch)
            rows.append((sums.energy_mj / energy, sums.bound_ms / energy, waiting / energy))
    return with_power_terms(launch, rows) if rows else launch


def _misses(trial: Trial, composition: Composition) -> dict[str, float]:
    """How many half-widths each target lies from its prediction.

    Half-widths are of the side it is on; of power, whose sides differ only by the board's limits,
    of the wider side (``adding.total``).
    """
    whole = total(in_networks(trial.estimates, composition), composition)
    found = {}
    for target in TARGETS:
        ends, measured = getattr(whole, target), trial.measured.values.get(target)
        if ends is None or measured is None:
            continue
        value, lo, hi = ends
        down, up = value - lo, hi - value
        half = max(down, up) if target == "power_w" else down if measured < value else up
        if half > 0:
            found[target] = abs(measured - value) / half
    return found
