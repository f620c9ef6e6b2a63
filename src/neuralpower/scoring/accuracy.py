"""The contents of ``accuracy.json``, typed: what ``evaluate`` writes and pages, card and gate read.

Errors and shares are in per cent; runtime in ms, power in W, energy in mJ. An entry that does not
apply is absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypedDict, cast

from neuralpower.core.documents import read_json
from neuralpower.core.errors import InputError


class LayerScore(TypedDict, total=False):
    """How far a family's model is off for one target; ``baselines``: name -> RMSPE."""

    n: int
    n_terms: int
    visits: int
    rmspe: float
    rmse: float
    mape: float
    median_ape: float
    within_10: float
    interval_coverage: float
    r2: float | None
    baselines: Mapping[str, float | None]
    coverage_by_kind: Mapping[str, object]
    derived_rmspe: float
    extrapolating: int


class PassScore(TypedDict, total=False):
    """A measured pass beside its prediction, for one target; ``baselines``: name -> value."""

    batch: int
    measured: float
    half_range: float | None
    runs: int
    predicted: float
    lo: float
    hi: float
    error_percent: float
    coverage: str
    baselines: Mapping[str, float]


class PassSummary(TypedDict, total=False):
    """Errors over all pairs of network and batch size; ``baselines``: name -> MAPE."""

    n: int
    networks: int
    mape: float
    rmspe: float
    median_ape: float
    bias_percent: float
    interval_coverage: float
    baselines: Mapping[str, float]


#: The parts of a pass's error.
PartName = Literal[
    "error_percent", "layer_models_percent", "composition_percent", "not_modelled_percent",
    "measurement_percent",
]  # fmt: skip


class Parts(TypedDict, total=False):
    """Where the error of a pass comes from (``decomposition``); in a summary their mean sizes."""

    network: str
    batch: int
    layers_from: str
    error_percent: float | None
    layer_models_percent: float | None
    composition_percent: float | None
    not_modelled_percent: float | None
    measurement_percent: float | None


class Decomposition(TypedDict, total=False):
    """The parts of every pass, and their mean absolute values."""

    entries: list[Parts]
    summary: Parts


class FactorFacts(TypedDict):
    """``networks.calibration.Factor`` as JSON."""

    value: float
    measured: float
    spread: float
    networks: int
    passes: float


class CompositionFacts(TypedDict, total=False):
    """``networks.calibration.Composition`` as JSON, as far as pages show it."""

    factors: Mapping[str, FactorFacts]
    scales: Mapping[str, float]
    warnings: list[str]


#: Target -> score.
LayerScores = Mapping[str, LayerScore]
#: Target -> one entry per batch size.
PassScores = Mapping[str, list[PassScore]]


class Accuracy(TypedDict, total=False):
    """The whole file; ``layers`` by family and target, ``networks`` by name and target."""

    platform: str
    models_of: str
    software: str
    created: str | None
    data_sha256: str
    scored_on: str
    layers: Mapping[str, LayerScores]
    networks: Mapping[str, PassScores]
    network_summary: Mapping[str, PassSummary]
    network_summary_plain: Mapping[str, PassSummary]
    networks_without_prototxt: list[str]
    network_shared_percent: float
    networks_held_out: str
    network_composition: CompositionFacts
    network_decomposition: Decomposition


def load_accuracy(path: str | Path) -> Accuracy:
    """Read an accuracy file; ``InputError`` if it is none."""
    value = read_json(path, "an accuracy file (write one with `neuralpower evaluate`)")
    if not isinstance(value.get("layers"), dict):
        raise InputError("not an accuracy file: write one with `neuralpower evaluate`", path=path)
    return cast(Accuracy, value)
