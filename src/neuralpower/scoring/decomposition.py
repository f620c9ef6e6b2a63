"""Where the error of a predicted pass comes from: layer models, composition, or measurement.

With T the measured pass, S the sum of its measured layers, P the sum of predicted ones (those with
a model), S' the part of S of layers with a model, and W what the prediction adds for launches:

    (P + W - T) / T  =  (P - S') / T  +  (S + W - T) / T  -  (S - S') / T
       error            layer models     composition          not modelled

Layers are measured inside the same passes (``network_layers.csv``) or by themselves: the very
configuration is in the layer tables, if need be at another batch size, from which the model's
ratio of measured to predicted is carried over. Then P and S are of layers by themselves, and the
composition is all the rest: factors, launches, what a pass does otherwise. A layer that has neither
adds to no model's error; a pass of which these are more than ``GUESSED`` has no parts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from neuralpower.core.configuration import CONFIGURATION_COLUMNS, Configuration
from neuralpower.networks.estimates import Models, configuration_columns, estimate
from neuralpower.records.folder import Platform, iter_rows, load_platform
from neuralpower.scoring.accuracy import Decomposition, PartName, Parts

if TYPE_CHECKING:
    from neuralpower.networks.learning import Trial
    from neuralpower.networks.measured import Pass

PARTS: tuple[PartName, ...] = (
    "error_percent",
    "layer_models_percent",
    "composition_percent",
    "not_modelled_percent",
    "measurement_percent",
)


#: More of a pass than this, in predicted time, may not be taken at its prediction.
GUESSED = 0.35


def decompose(
    measurements: str | Path,
    trials: Sequence[Trial],
    predicted: Sequence[Sequence[Mapping[str, Any]]],
    models: Models,
) -> Decomposition:
    """``entries`` (one per pass) and ``summary`` (mean absolute value of every part), runtime only.

    ``predicted`` are the prediction rows of each trial. Parts are in per cent of the measured
    pass; ``measurement_percent`` is half the range of the pass's repeats (None for one run). A
    pass of which too little was measured is left out; empty if that is all of them.
    """
    alone: Alone | None = None
    entries = []
    for trial, rows in zip(trials, predicted, strict=True):
        time = trial.measured.values.get("runtime_ms")
        if time is None or rows[-1]["runtime_ms"] is None:
            continue
        wanted = {r["index"]: r["runtime_ms"] for r in rows[:-1] if r["runtime_ms"] is not None}
        layers = _inside(trial)
        if set(wanted) <= set(layers):
            entries.append(_entry(trial.measured, time, rows, layers))
            continue
        alone = alone or Alone(load_platform(measurements), models)
        layers = alone.layers(trial)
        if sum(value for i, value in wanted.items() if i not in layers) <= GUESSED * time:
            entries.append(_entry_alone(trial, time, rows[-1]["runtime_ms"], layers))
    if not entries:
        return {}
    return {"entries": entries, "summary": _summary(entries)}


def _inside(trial: Trial) -> dict[int, float]:
    times = trial.layers or {}
    return {layer.index: times[layer.name] for layer in trial.network.layers if layer.name in times}


def _entry(
    measured: Pass, time: float, rows: Sequence[Mapping[str, Any]], layers: Mapping[int, float]
) -> Parts:
    """The parts where layers were recorded inside the pass."""
    predicted = {r["index"]: r["runtime_ms"] for r in rows[:-1] if r["runtime_ms"] is not None}
    whole = sum(layers.values())
    modelled = sum(layers[index] for index in predicted)
    waiting = rows[-1]["runtime_ms"] - sum(predicted.values())
    return _parts(
        measured,
        time,
        "the same passes",
        rows[-1]["runtime_ms"] - time,
        sum(predicted.values()) - modelled,
        whole + waiting - time,
        whole - modelled,
    )


def _entry_alone(trial: Trial, time: float, predicted: float, layers: Mapping[int, float]) -> Parts:
    """The parts where layers were measured by themselves."""
    estimates, missed = trial.estimates, 0.0
    lean = estimates.lean["runtime_ms"]
    for i, layer in enumerate(trial.network.layers):
        if layer.index in layers and not estimates.estimated[i]:
            value = float(estimates.runtime_ms.value[i]) * lean.get(layer.family, 1.0)
            missed += value - layers[layer.index]
    error = predicted - time
    where = "layers by themselves"
    return _parts(trial.measured, time, where, error, missed, error - missed, 0.0)


def _parts(
    measured: Pass,
    time: float,
    layers_from: str,
    error: float,
    layer_models: float,
    composition: float,
    not_modelled: float,
) -> Parts:
    """An entry from the error, of layer models, of composition, and what is not modelled, in ms."""
    half_range = measured.half_ranges.get("runtime_ms")
    return {
        "network": measured.network,
        "batch": measured.batch,
        "layers_from": layers_from,
        "error_percent": 100 * error / time,
        "layer_models_percent": 100 * layer_models / time,
        "composition_percent": 100 * composition / time,
        "not_modelled_percent": 100 * not_modelled / time,
        "measurement_percent": None if half_range is None else 100 * half_range / time,
    }


def _summary(entries: Sequence[Parts]) -> Parts:
    result: Parts = {}
    for part in PARTS:
        values = [abs(value) for entry in entries if (value := entry[part]) is not None]
        if values:
            result[part] = sum(values) / len(values)
    return result


class Alone:
    """Layers measured by themselves: the median of a configuration's visits, by batch size."""

    def __init__(self, platform: Platform, models: Models) -> None:
        visits: dict[_Shape, dict[int, list[float]]] = {}
        for row in iter_rows(platform):
            time = row.values["runtime_ms"]
            if time is not None and math.isfinite(time) and time > 0:
                shape = tuple(row.values.get(name, 1) for name in _SHAPE)
                visits.setdefault(shape, {}).setdefault(row.values["batch"], []).append(time)
        self._times = {
            shape: {batch: float(median(times)) for batch, times in sorted(batches.items())}
            for shape, batches in visits.items()
        }
        self._models = models
        self._ratios: dict[tuple[_Shape, int], float] = {}

    def layers(self, trial: Trial) -> dict[int, float]:
        """Runtime of a pass's layers by index, ms, as far as it was measured."""
        found: dict[int, float] = {}
        for i, layer in enumerate(trial.network.layers):
            configuration = layer.configuration
            predicted = float(trial.estimates.runtime_ms.value[i])
            if configuration is None or math.isnan(predicted):
                continue
            batches = self._times.get(_shape(configuration), {})
            if configuration.batch in batches:
                found[layer.index] = batches[configuration.batch]
            elif batches:
                found[layer.index] = predicted * self._ratio(configuration, batches)
        return found

    def _ratio(self, configuration: Configuration, batches: Mapping[int, float]) -> float:
        """Measured over predicted at the nearest measured batch size."""
        wanted = configuration.batch
        nearest = min(batches, key=lambda batch: abs(math.log(batch / wanted)))
        key = _shape(configuration), nearest
        if key not in self._ratios:
            columns = configuration_columns([replace(configuration, batch=nearest)])
            value = float(estimate(columns, self._models).runtime_ms.value[0])
            self._ratios[key] = batches[nearest] / value
        return self._ratios[key]


_Shape = tuple[object, ...]

#: What makes two measurements the same layer, but for the batch; a bias is not worth a miss.
_SHAPE = tuple(name for name in CONFIGURATION_COLUMNS if name not in ("batch", "bias"))


def _shape(configuration: Configuration) -> _Shape:
    return tuple(getattr(configuration, name) for name in _SHAPE)
