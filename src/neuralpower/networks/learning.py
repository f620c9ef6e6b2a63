"""Learning a platform's composition (``calibration.Composition``) from its measured passes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from neuralpower.core.errors import InputError
from neuralpower.core.network_files import network_name
from neuralpower.core.targets import TARGETS
from neuralpower.networks.calibration import (
    Composition,
    Shares,
    factors_of,
    scale_of,
)
from neuralpower.networks.estimates import Estimates, Models, in_networks, total
from neuralpower.networks.loading import load_networks
from neuralpower.networks.measured import Pass, load_passes, measured_inside
from neuralpower.networks.reading import Readings

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
    def shares(self) -> Shares | None:
        """The pass as shares of its families; None if its runtime or all models are missing.

        Kept: a pass is learnt from once for every network that is held out, and again for each
        other network that is scored.
        """
        whole = self.measured.values.get("runtime_ms")
        times = in_networks(self.estimates, Composition()).runtime_ms
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
        name = self.measured.network
        return Shares(name, recorded, inside) if inside else Shares(name, predicted)


def load_trials(
    measurements: str | Path,
    models: Models,
    prototxts: Sequence[str | Path] = (),
    readings: Readings | None = None,
) -> tuple[list[Trial], dict[str, str]]:
    """The measured passes of a platform that can be predicted, and why other networks cannot.

    ``prototxts`` are found by file stem; those in the platform's own ``prototxts/`` folder
    override the same names. The second value says of each network that was measured and cannot
    be read why: a network at fault costs no other. Raises ``InputError`` as the readers of
    measurements do.
    """
    from neuralpower.networks.composition import estimate_networks
    from neuralpower.records.folder import load_platform

    platform = load_platform(measurements)
    files = {network_name(path): Path(path) for path in (*prototxts, *platform.prototxts)}
    readings = readings or Readings()
    missing: dict[str, str] = {}
    known: list[tuple[Pass, Network]] = []
    for found in load_passes(platform):
        if found.network not in files:
            missing[found.network] = "no prototxt of it was given"
            continue
        try:
            network = load_networks([files[found.network]], [found.batch], readings)[0]
            known.append((found, network))
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


def learn(trials: Sequence[Trial]) -> Composition:
    """Factors from all passes; scales from passes predicted without their own network."""
    if not trials:
        return Composition()
    names = sorted({trial.measured.network for trial in trials})
    misses: dict[str, dict[str, list[float]]] = {target: {} for target in TARGETS}
    for name in names:
        factors, _ = factors_of(_shares([t for t in trials if t.measured.network != name]))
        others = Composition(factors, networks=tuple(names))
        for trial in trials:
            if trial.measured.network == name:
                for target, miss in _misses(trial, others).items():
                    misses[target].setdefault(name, []).append(miss)
    scales = {target: scale_of(found) for target, found in misses.items() if found}
    factors, warnings = factors_of(_shares(trials))
    return Composition(factors, scales, tuple(names), tuple(warnings))


def _shares(trials: Sequence[Trial]) -> list[Shares]:
    return [shares for trial in trials if (shares := trial.shares) is not None]


def _misses(trial: Trial, composition: Composition) -> dict[str, float]:
    """How many half-widths (of the side it is on) each target lies from its prediction."""
    whole = total(in_networks(trial.estimates, composition), composition)
    found = {}
    for target in TARGETS:
        ends, measured = getattr(whole, target), trial.measured.values.get(target)
        if ends is None or measured is None:
            continue
        value, lo, hi = ends
        half = value - lo if measured < value else hi - value
        if half > 0:
            found[target] = abs(measured - value) / half
    return found
