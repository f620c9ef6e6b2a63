"""Small networks and models with known answers, in the shapes of the real interfaces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from neuralpower.core.configuration import Configuration
from neuralpower.networks.traffic import Columns, Floats


@dataclass(frozen=True)
class PlainPrediction:
    value: Floats
    lo: Floats
    hi: Floats
    extrapolates: Sequence[str]
    extrapolates_by: Floats


@dataclass(frozen=True)
class LinearModel:
    """Predicts ``scale * out_channels`` and an interval of -down to +up, relative."""

    scale: float
    down: float = 0.2
    up: float = 0.3
    error_correlation: float = 0.0
    lean: float = 1.0
    relative_sd: float = 0.15
    widest: float = np.inf
    methods: Sequence[str] = ()
    limits: tuple[float | None, float | None] = (None, None)
    launch_ms: float | None = None

    def predict(self, columns: Columns) -> PlainPrediction:
        value = self.scale * np.asarray(columns["out_channels"], dtype=np.float64)
        outside = np.asarray(columns["out_channels"]) > self.widest
        return PlainPrediction(
            value,
            value * (1 - self.down),
            value * (1 + self.up),
            ["out_channels" if x else "" for x in outside],
            np.where(outside, np.asarray(columns["out_channels"]) / self.widest, np.nan),
        )


@dataclass(frozen=True)
class PlainModels:
    models: Mapping[tuple[str, str], LinearModel]
    platform: str = "double"
    facts: Mapping[str, Any] = field(default_factory=dict)

    def get(self, family: str, target: str) -> LinearModel | None:
        return self.models.get((family, target))


@dataclass(frozen=True)
class PlainLayer:
    index: int
    name: str
    type: str
    family: str = ""
    configuration: Configuration | None = None
    macs: int | None = 0
    supported: bool = True
    note: str = ""
    bottoms: tuple[str, ...] = ()
    tops: tuple[str, ...] = ()


@dataclass(frozen=True)
class PlainNetwork:
    name: str
    layers: list[PlainLayer]
    inputs: dict[str, tuple[int, ...]] = field(default_factory=dict)


def layer(index: int, family: str, width: int, **more: Any) -> PlainLayer:
    configuration = Configuration(family, 4, 3, 8, 8, width, 8, 8)
    values: dict[str, Any] = {
        "name": f"{family}{index}",
        "type": family,
        "macs": 1000 * width,
    } | more
    return PlainLayer(index, family=family, configuration=configuration, **values)


def small_network(name: str = "small") -> Any:
    """An input, two convolutions, a ReLU without a model, an fc layer and a dropout."""
    return PlainNetwork(
        name,
        [
            PlainLayer(0, "data", "Input", note="no computation"),
            layer(1, "conv", 10),
            layer(2, "relu", 10, macs=0),
            layer(3, "conv", 20),
            layer(4, "fc", 30),
            layer(5, "dropout", 30, macs=0),
        ],
        {"data": (4, 3, 8, 8)},
    )


def network_of(name: str, layers: list[PlainLayer]) -> Any:
    """A network of given layers, in place of ``caffe.network.Network``."""
    return PlainNetwork(name, layers)
