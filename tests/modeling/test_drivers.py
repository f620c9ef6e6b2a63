"""What drives a cost: the factors of a model whose powers are known."""

from __future__ import annotations

import math

import pytest

from neuralpower.core.configuration import Configuration
from neuralpower.modeling.bands import Interval
from neuralpower.modeling.members import Anchor, Equation
from neuralpower.modeling.models import Model
from neuralpower.modeling.terms import Factor
from neuralpower.scoring.drivers import drivers, stored_drivers

#: ln cost = ln batch + 0.5 ln out_channels: doubling multiplies by 2 and by the root of 2.
TERMS = ((Factor("batch", "log", 1.0),), (Factor("out_channels", "log", 1.0),))
EQUATION = Equation("log", TERMS, (1.0, 0.5))
RANGES = {
    "batch": (1.0, 64.0),
    "in_channels": (3.0, 512.0),
    "out_channels": (8.0, 40.0),
    "in_height": (7.0, 224.0),
    "in_width": (7.0, 224.0),
    "kernel_height": (1.0, 7.0),
    "stride_height": (1.0, 2.0),
    "pad_height": (0.0, 3.0),
}
MEDIANS = {
    "batch": 8.0,
    "in_channels": 32.0,
    "out_channels": 32.0,
    "in_height": 28.0,
    "in_width": 30.0,
    "kernel_height": 3.0,
    "stride_height": 1.0,
    "pad_height": 1.0,
}


def made(family: str = "conv", ranges: dict[str, tuple[float, float]] | None = None) -> Model:
    return Model(
        family=family, target="runtime_ms", equations=(EQUATION,),
        anchor=Anchor(Equation("log", TERMS, (1.0, 0.5)), 0.1, 10.0),
        interval=Interval((0.0,), (1.0,), -0.1, 0.1), ranges=ranges or RANGES, methods=(),
        relative_sd=0.1, error_correlation=0.0, mean_ratio=1.0, lean=1.0, candidate="made",
    )  # fmt: skip


def test_each_size_has_the_factor_of_its_power_strongest_first() -> None:
    found = drivers(made(), MEDIANS)
    assert found is not None
    assert found.cost == pytest.approx(8 * math.sqrt(32))
    factors = {curve.words: curve.per_doubling for curve in found.curves}
    assert factors["batch"] == pytest.approx(2.0)
    # Measured up to 40 only: the slope from 16 to 40, still the root of 2.
    assert factors["output channels"] == pytest.approx(math.sqrt(2))
    assert factors["input channels"] == factors["kernel"] == pytest.approx(1.0)
    assert [curve.words for curve in found.curves][:2] == ["batch", "output channels"]


def test_a_curve_keeps_to_what_was_measured() -> None:
    found = drivers(made(), MEDIANS)
    assert found is not None
    curves = {curve.words: curve for curve in found.curves}
    sizes = [size for size, _ in curves["output channels"].points]
    assert (min(sizes), max(sizes)) == (8, 40)
    assert dict(curves["output channels"].points)[32] == 1.0
    sizes = [size for size, _ in curves["batch"].points]
    assert (min(sizes), max(sizes)) == (1, 64)


def test_the_typical_layer_is_square_and_its_output_follows() -> None:
    found = drivers(made(), MEDIANS)
    assert found is not None
    layer = found.layer
    assert (layer.in_height, layer.in_width, layer.pad_width, layer.out_height) == (28, 28, 1, 28)
    assert isinstance(layer, Configuration)


def test_the_channels_of_an_element_wise_layer_move_together() -> None:
    ranges = {name: RANGES[name] for name in ("batch", "in_channels", "in_height")}
    found = drivers(made("relu", ranges), MEDIANS)
    assert found is not None
    factors = {curve.words: curve.per_doubling for curve in found.curves}
    assert factors["channels"] == pytest.approx(math.sqrt(2))
    assert "output channels" not in factors


def test_what_cannot_be_a_layer_or_a_model_has_no_drivers() -> None:
    assert drivers(made(), MEDIANS | {"kernel_height": 60.0, "pad_height": 0.0}) is None
    assert stored_drivers({"schema_version": 3, "family": "conv"}, MEDIANS) is None
    stored = stored_drivers(made().to_json(), MEDIANS)
    assert stored == drivers(made(), MEDIANS)
