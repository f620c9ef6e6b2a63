"""Networks written in PyTorch and exported: the figures of the prototxts of the same definition."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from needed import needed

from neuralpower.core.configuration import CONFIGURATION_COLUMNS
from neuralpower.core.families import FAMILIES
from neuralpower.networks.composition import predict_networks
from neuralpower.networks.traffic import Columns
from neuralpower.onnx_in.loading import load_network

needed("torch")
pytest.importorskip("onnx", reason="the extra onnx is not installed")
networks: Any = pytest.importorskip("torch_networks")

pytestmark = pytest.mark.frameworks
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def quiet() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch says that this exporter is the older one
        yield


@dataclass(frozen=True)
class Guess:
    value: Any
    lo: Any
    hi: Any
    extrapolates: list[str]
    extrapolates_by: Any


@dataclass(frozen=True)
class Everything:
    """A model that hangs on every column of a configuration."""

    weight: float
    error_correlation: float = 0.3
    lean: float = 1.0
    methods: tuple[str, ...] = ("max", "ave", "stochastic")
    limits: tuple[float | None, float | None] = (None, None)
    launch_ms: float | None = None

    def predict(self, columns: Columns) -> Guess:
        numbers = [n for n in CONFIGURATION_COLUMNS if n not in ("family", "pool_method")]
        value = self.weight + sum(
            (i + 1) * np.log1p(np.asarray(columns[name])) for i, name in enumerate(numbers)
        )
        return Guess(
            value, 0.9 * value, 1.2 * value, [""] * len(value), np.full(len(value), np.nan)
        )


class Models:
    """Every family but Dropout, which PyTorch leaves out of a model for inference."""

    platform = "every family"
    facts: ClassVar[dict[str, Any]] = {}

    def get(self, family: str, target: str) -> Everything | None:
        if family == "dropout":
            return None
        return Everything(FAMILIES.index(family) + (0.5 if target == "power_w" else 0.0))


@pytest.mark.parametrize(
    ("name", "make", "side", "macs", "params"),
    [
        ("alexnet", "alexnet", 227, 726_791_936, 60_965_224),
        ("resnet50", "ResNet50", 224, 3_879_147_520, 25_610_269),
        ("mobilenet_v2", "MobileNetV2", 224, 314_130_496, 3_539_036),
    ],
)
def test_the_figures_are_those_of_the_prototxt(
    name: str, make: str, side: int, macs: int, params: int, tmp_path: Path
) -> None:
    path = networks.export(getattr(networks, make)(), tmp_path / "net.onnx", (1, 3, side, side))
    read = load_network(path, batch=2)
    path.unlink()
    prototxt = load_network(ROOT / f"prototxts/{name}.prototxt", batch=2)
    for network in (read, prototxt):
        assert sum(layer.macs or 0 for layer in network.layers) == 2 * macs
        assert sum(layer.params for layer in network.layers) == params
    own, theirs = (
        Counter(x.configuration for x in n.layers if x.family not in ("", "dropout"))
        for n in (read, prototxt)
    )
    assert own == theirs
    ends = [predict_networks([network], Models())[-1] for network in (read, prototxt)]
    for column in ("runtime_ms", "power_w", "energy_mj", "runtime_ms_lo", "energy_mj_hi"):
        assert ends[0][column] == ends[1][column]


def _types(network: Any) -> Counter[str]:
    return Counter(layer.type for layer in network.layers)


def test_folded_normalisations_are_biases_of_their_convolutions(tmp_path: Path) -> None:
    path = networks.export(networks.MobileNetV2(), tmp_path / "m.onnx", (1, 3, 224, 224), fold=True)
    types = _types(load_network(path))
    assert (types["Convolution"], types["BatchNorm"], types["ReLU6"]) == (52, 0, 35)


def _squeeze() -> Any:
    return networks.SqueezeExcite(32)


@pytest.mark.parametrize("batch_axis", [False, True])
@pytest.mark.parametrize(
    ("make", "shape", "supported", "macs_share"),
    [(_squeeze, (1, 32, 56, 56), 12, 1.0), (networks.Fixed, (1, 1, 8, 8), 2, 1.0)],
)
def test_another_batch_size_can_be_asked_for(
    make: Callable[[], Any],
    shape: tuple[int, ...],
    supported: int,
    macs_share: float,
    batch_axis: bool,
    tmp_path: Path,
) -> None:
    path = networks.export(make(), tmp_path / "net.onnx", shape, batch_axis=batch_axis)
    one, five = load_network(path), load_network(path, batch=5)
    assert five.coverage()["macs"] == 5 * one.coverage()["macs"]
    assert one.coverage()["layers_supported"] == supported
    assert one.coverage()["macs_supported_share"] == macs_share
    assert all(layer.top_shapes[0][:1] == (5,) for layer in five.layers if layer.top_shapes[0])
    said = any("is open: 1 is taken" in note for note in one.notes)
    assert said == batch_axis


def test_a_transformer_block_is_listed_with_what_has_no_family(tmp_path: Path) -> None:
    path = networks.export(networks.Attention(), tmp_path / "vit.onnx", (1, 3, 32, 32))
    network = load_network(path, batch=4)
    types = _types(network)
    assert types["InnerProduct"] == 4
    assert types["onnx.MatMul"] == 2
    assert types["onnx.LayerNormalization"] == 1
    products = [layer for layer in network.layers if layer.type == "onnx.MatMul"]
    assert [layer.macs for layer in products] == [4 * 4 * 16 * 16 * 8] * 2
    assert "both factors are computed" in products[0].note
    norm = next(layer for layer in network.layers if "Normalization" in layer.type)
    assert (norm.family, norm.macs, norm.params) == ("", None, 64)
    assert "without a model family" in norm.note
    assert 0.9 < network.coverage()["macs_supported_share"] < 1
