"""The numbers behind a network's figures: per image, in the axis' unit, shares that add up."""

from __future__ import annotations

import re
from typing import Any

import pytest

from neuralpower.reporting.answer_section import costliest, marks, per_image
from neuralpower.reporting.beyond import Beyond
from neuralpower.reporting.figures_network import (
    breakdown,
    family_shares,
    image_points,
    roof_of,
    roofline,
    roofline_points,
)


def row(index: int | None, name: str, family: str, **more: Any) -> dict[str, Any]:
    values = {"index": index, "name": name, "family": family, "batch": 8, "macs": None, "note": ""}
    values |= {"runtime_ms": None, "runtime_share": None, "energy_share": None, "extrapolates": ""}
    return values | more


LAYERS = [
    row(0, "conv1", "conv", macs=8_000_000, runtime_ms=2.0, runtime_share=0.5, energy_share=0.6),
    row(1, "relu1", "relu", runtime_ms=0.5, runtime_share=0.125, energy_share=0.05),
    row(2, "conv2", "conv", macs=4_000_000, runtime_ms=1.5, runtime_share=0.375, energy_share=0.35),
]
TOTAL = row(
    None, "TOTAL", "", runtime_ms=4.0, runtime_ms_lo=3.0, runtime_ms_hi=6.0, power_w=50.0,
    power_w_lo=40.0, power_w_hi=60.0, energy_mj=200.0, energy_mj_lo=160.0, energy_mj_hi=280.0,
    runtime_share=1.0, energy_share=1.0,
)  # fmt: skip
#: Of one image, as the layer table is written without --batch.
SIZES: dict[int, dict[str, Any]] = {
    0: {"batch": 1, "input_elements": 100, "output_elements": 300, "weight_elements": 1800},
    1: {"batch": 1, "input_elements": 300, "output_elements": 300, "weight_elements": None},
    2: {"batch": 1, "input_elements": 300, "output_elements": 200, "weight_elements": None},
}
DOT = re.compile(r"<title>([^<]*)</title>")


def test_an_image_costs_the_pass_over_the_batch_and_power_is_not_divided() -> None:
    found = {figure.target: (figure.value, figure.lo, figure.hi) for figure in per_image(TOTAL)}
    assert found == {
        "runtime_ms": (0.5, 0.375, 0.75),
        "power_w": (50.0, 40.0, 60.0),
        "energy_mj": (25.0, 20.0, 35.0),
    }
    assert [figure.text for figure in per_image(TOTAL)] == ["0.500 ms", "50.0 W", "25.0 mJ"]
    assert [f.target for f in per_image(TOTAL | {"power_w_lo": None})] == [
        "runtime_ms",
        "energy_mj",
    ]


def test_points_against_the_batch_size_are_per_image_and_in_its_order() -> None:
    single = TOTAL | {"batch": 1, "runtime_ms": 1.0, "runtime_ms_lo": 0.8, "runtime_ms_hi": 1.1}
    unknown = TOTAL | {"batch": 2, "runtime_ms": None}
    found = image_points({"a": [TOTAL, unknown, single], "b": [unknown]}, "runtime_ms")
    assert found == {"a": [(1, 1.0, 0.8, 1.1), (8, 0.5, 0.375, 0.75)]}
    assert image_points({"a": [TOTAL]}, "energy_mj") == {"a": [(8, 25.0, 20.0, 35.0)]}


def test_roofline_points_are_macs_per_byte_and_giga_macs_per_second() -> None:
    first, second = roofline_points([*LAYERS, TOTAL], SIZES)
    # 8 images of 400 elements, weights once, 4 bytes each: 8e6 / (4 x 5000). 8e6 in 2 ms: 4e9 / s.
    assert (first.layer, first.intensity, first.rate) == ("conv1", 400.0, 4.0)
    # 4e6 / (4 x 8 x 500) and 4e6 in 1.5 ms.
    assert [second.intensity, second.rate] == pytest.approx([250.0, 4 / 1.5])
    assert (first.share, second.share) == (0.5, 0.375)


def test_a_roof_is_in_the_unit_of_its_axis() -> None:
    # Two operations are one MAC: 10 TFLOP/s are 5,000 x 10^9 MACs per s.
    assert roof_of({"peak_gflops": 10_000, "bandwidth_gb_s": 500}) == (5_000, 500.0)
    for incomplete in ({"peak_gflops": 1.0}, {"peak_gflops": 1.0, "bandwidth_gb_s": 0}):
        assert roof_of(incomplete) is None
    picture = roofline(list(_with_index()), {"p": ([*LAYERS, TOTAL], {})})
    assert picture is not None
    assert DOT.findall(str(picture.svg)) == ["conv1: 4.00", "conv2: 2.67"]


def _with_index() -> list[dict[str, Any]]:
    return [{"index": index, **size} for index, size in SIZES.items()]


def test_small_layers_have_no_name_in_the_roofline() -> None:
    def named(share: float) -> list[str]:
        rows = [LAYERS[0] | {"runtime_share": share}]
        picture = roofline(_with_index(), {"p": (rows, {})})
        assert picture is not None
        return DOT.findall(str(picture.svg))

    assert named(0.01) == ["conv1: 4.00"]
    assert named(0.0099) == []


def test_shares_of_families_add_up_to_the_whole_without_the_total_s_row() -> None:
    shares = family_shares([*LAYERS, TOTAL])
    assert shares == {"conv": [87.5, pytest.approx(95.0)], "relu": [12.5, pytest.approx(5.0)]}
    assert [sum(side) for side in zip(*shares.values(), strict=True)] == pytest.approx([100, 100])
    # A layer that bears the total's name is a layer.
    assert family_shares([LAYERS[1] | {"name": "TOTAL"}]) == {"relu": [12.5, 5.0]}
    picture = breakdown("p", [*LAYERS, TOTAL])
    assert picture is not None
    assert DOT.findall(str(picture.svg)) == [
        "runtime 87.5 %",
        "energy 95.0 %",
        "runtime 12.5 %",
        "energy 5.00 %",
    ]


def test_the_costliest_layer_is_named_with_its_shares_and_bound() -> None:
    explained = [{"name": "conv1", "bound": "memory", "macs": 9.0}]
    text = costliest([*LAYERS, TOTAL], explained)
    assert text == "conv1 takes 60.0 % of the energy and 50.0 % of the runtime; it is memory-bound"
    work = [{"name": "conv1", "bound": "compute", "macs": 9.0}]
    assert costliest([*LAYERS, TOTAL], work).endswith("; it is compute-bound")
    no_macs = [{"name": "conv1", "bound": "compute", "macs": 0.0}]  # a pooling layer's work
    assert costliest([*LAYERS, TOTAL], no_macs).endswith(
        "; it is bound by its comparisons and additions (it has no MACs), not by memory"
    )
    slow = [LAYERS[0], LAYERS[1], LAYERS[2] | {"runtime_share": 0.51}, TOTAL]
    assert (
        costliest(slow, []) == "conv1 takes 60.0 % of the energy; conv2 takes 51.0 % of the runtime"
    )


@pytest.mark.parametrize(("share", "said"), [(0.01, True), (0.0099, False)])
def test_extrapolation_is_said_from_a_hundredth_of_the_runtime(share: float, said: bool) -> None:
    outside = LAYERS[1] | {"extrapolates": "out_channels", "runtime_share": share}
    assert bool(marks([LAYERS[0], outside, TOTAL], Beyond(lambda _: {}, {}))) is said
