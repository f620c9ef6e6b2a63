"""Launches, bytes and the board's cap in whole passes, learnt where passes have them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from network_doubles import LinearModel, PlainLayer, PlainModels, layer, network_of

from neuralpower.core.configuration import Configuration
from neuralpower.networks.adding import in_networks, sums_of, total
from neuralpower.networks.calibration import Composition
from neuralpower.networks.composition import estimate_networks, predict_networks
from neuralpower.networks.estimates import configuration_columns, estimate
from neuralpower.networks.launch import Launch, with_power_terms
from neuralpower.networks.learning import Trial, learn
from neuralpower.networks.measured import Pass, merged_passes
from neuralpower.networks.traffic import as_rectifier
from neuralpower.records.rows import Row

LAUNCH_MS, CAP_W, WAITING_W = 0.05, 150.0, 60.0


def models(**more: Any) -> PlainModels:
    """A device of 0.001 ms per channel of a convolution and 100 W, whose launches take 0.05 ms."""
    limits = (20.0, CAP_W)
    return PlainModels(
        {
            ("conv", "runtime_ms"): LinearModel(1e-3, launch_ms=LAUNCH_MS, **more),
            ("conv", "power_w"): _Constant(100.0, limits=limits),
            ("batchnorm", "runtime_ms"): LinearModel(1e-2, launch_ms=LAUNCH_MS),
            ("batchnorm", "power_w"): _Constant(100.0, limits=limits),
            ("relu", "runtime_ms"): LinearModel(1e-4),
            ("relu", "power_w"): _Constant(90.0, limits=limits),
        }
    )


class _Constant(LinearModel):
    def predict(self, columns: Any) -> Any:
        ones = {"out_channels": np.ones(len(np.asarray(columns["out_channels"])))}
        return super().predict(ones)


def network(widths: list[int], norms: bool = False) -> Any:
    layers: list[PlainLayer] = []
    for width in widths:
        layers.append(layer(len(layers), "conv", width))
        if norms:
            layers.append(layer(len(layers), "batchnorm", width))
    return network_of("net", layers)


def trial(name: str, net: Any, runtime_ms: float, energy_mj: float) -> Trial:
    values = {"runtime_ms": runtime_ms, "energy_mj": energy_mj, "power_w": energy_mj / runtime_ms}
    measured = Pass(name, 4, 1, values, {}, name)
    [estimates] = estimate_networks([net], models())
    return Trial(measured, net, estimates, None)


def passes(norms: bool = False) -> list[Trial]:
    """Four networks that work, two that wait for their launches; batch normalisation by bytes."""
    found = []
    for name, widths in {
        "a": [900, 700], "b": [400, 800], "c": [1000], "d": [500, 500, 500],
        "small": [5] * 10, "tiny": [2] * 20,
    }.items():  # fmt: skip
        net = network(widths, norms)
        moved = [1e-4 * (3 + w) / 2 if norms else 0.0 for w in widths]  # of 3 and w channels
        work = sum(1e-3 * w for w in widths) + sum(moved)
        launches = LAUNCH_MS * len(net.layers)
        time = max(work, launches)
        drawn = sum(1e-3 * w * 100.0 for w in widths) + 90.0 * sum(moved)
        found.append(trial(name, net, time, drawn + WAITING_W * (time - work)))
    return found


def test_waiting_for_launches_is_learnt_where_passes_show_it() -> None:
    composition = learn(passes())
    assert composition.launch.longer
    assert composition.launch.by_traffic == ()
    for one in passes():
        whole = total(in_networks(one.estimates, composition), composition)
        assert whole.runtime_ms is not None
        assert whole.energy_mj is not None
        assert whole.runtime_ms[0] == pytest.approx(one.measured.values["runtime_ms"], rel=0.02)
        assert whole.energy_mj[0] == pytest.approx(one.measured.values["energy_mj"], rel=0.05)
    assert composition.launch.waiting_w == pytest.approx(WAITING_W, rel=0.1)


def test_layers_measured_in_training_count_by_their_bytes() -> None:
    composition = learn(passes(norms=True))
    assert composition.launch.by_traffic == ("batchnorm",)
    [rows] = [predict_networks([network([900], norms=True)], models(), composition)]
    norm = next(row for row in rows if row["family"] == "batchnorm")
    assert norm["source"] == "estimate"
    assert norm["runtime_ms"] == pytest.approx(1e-4 * 903 / 2, rel=0.05)


def test_a_plain_sum_stays_one() -> None:
    """Passes that take as long as their layers teach nothing about launches."""
    plain = [one for one in passes() if one.measured.network not in ("small", "tiny")]
    assert learn(plain).launch == replace(Launch(), power=learn(plain).launch.power)
    assert learn(plain).launch.power == pytest.approx(1.0, abs=1e-6)


def test_power_of_a_pass_keeps_to_the_boards_limits() -> None:
    [estimates] = estimate_networks([network([100, 200])], models())
    wide = Composition(scales={"power_w": 30.0})
    whole = total(in_networks(estimates, wide), wide)
    assert whole.power_w == pytest.approx((100.0, 20.0, CAP_W))
    more = Composition(launch=Launch(power=4.0), networks=("one",))
    inside = in_networks(estimates, more)
    assert inside.power_w.hi.max() <= CAP_W
    whole = total(inside, more)
    # What is at the cap is not known better than what is below: 20 % down, as every layer.
    assert whole.power_w == pytest.approx((CAP_W, 0.8 * CAP_W, CAP_W))
    assert whole.energy_mj is not None
    assert whole.runtime_ms is not None
    assert whole.energy_mj[0] == pytest.approx(CAP_W * whole.runtime_ms[0])


def test_the_upper_side_that_a_cap_cuts_does_not_widen_the_lower_side() -> None:
    """Layers at the cap have hardly an upper side; passes are predicted within 2 W of 150."""
    at_cap = PlainModels(
        {
            ("conv", "runtime_ms"): LinearModel(1e-3),
            ("conv", "power_w"): _Constant(146.0, down=0.1, up=0.001, limits=(20.0, CAP_W)),
        }
    )
    trials = []
    for i, drawn in enumerate((144.5, 147.5, 144.8, 147.2, 145.0, 147.4, 144.6)):
        net = network([400 + 50 * i, 700, 300])
        time = 1.4 + 0.05 * i
        values = {"runtime_ms": time, "power_w": drawn, "energy_mj": time * drawn}
        [estimates] = estimate_networks([net], at_cap)
        trials.append(Trial(Pass(f"n{i}", 4, 1, values, {}, f"n{i}"), net, estimates, None))
    composition = learn(trials)
    for one in trials:
        whole = total(in_networks(one.estimates, composition), composition)
        assert whole.power_w is not None
        drawn, lo, hi = whole.power_w
        assert 140.0 < lo < one.measured.values["power_w"] < hi <= CAP_W
        assert drawn == pytest.approx(146.0, abs=1.0)


def test_the_mean_power_lies_between_those_of_the_layers_however_unsure_their_times_are() -> None:
    unsure = PlainModels(
        {
            (family, target): _Constant(value, down=error, up=error)
            for family, watts in (("conv", 140.0), ("relu", 90.0))
            for target, value, error in (("runtime_ms", 1.0, 60.0), ("power_w", watts, 0.0))
        }
    )
    [estimates] = estimate_networks(
        [network_of("net", [layer(0, "conv", 10), layer(1, "relu", 10)])], unsure
    )
    whole = total(estimates, Composition(networks=("one",)))
    assert whole.power_w == pytest.approx((115.0, 90.0, 140.0))


def test_terms_of_power_are_never_negative() -> None:
    rows = [(1.3, 0.01, 0.02), (1.2, 0.02, 0.0), (1.25, 0.0, 0.01)]
    found = with_power_terms(Launch(longer=True), rows)
    assert min(found.power, found.busy_w, found.waiting_w) >= 0.0
    assert found.power == pytest.approx(0.8, rel=0.05)


def test_a_launch_is_read_back_and_damage_refused() -> None:
    launch = Launch(("batchnorm",), longer=True, power=1.1, busy_w=3.0, waiting_w=50.0)
    assert Launch.from_json(launch.to_json()) == launch
    for damage in ({"power": -1.0}, {"waiting_w": float("nan")}, {"longer": 1}):
        with pytest.raises(ValueError, match="launch"):
            Launch.from_json({**launch.to_json(), **damage})


def columns(*configurations: Configuration) -> dict[str, Any]:
    return dict(configuration_columns(list(configurations)))


def test_a_rectifier_serves_for_what_moves_as_many_bytes() -> None:
    sizes = (8, 64, 14, 14, 64, 14, 14)
    addition = Configuration("eltwise", *sizes, inputs=2)
    joined = Configuration("concat", 8, 32, 14, 14, 64, 14, 14, inputs=2)
    largest = Configuration("pool", 8, 64, 14, 14, 64, 7, 7, 2, 2, 2, 2, pool_method="max")
    for configuration, elements in (
        (addition, 3 * 8 * 64 * 196),
        (joined, 2 * 8 * 64 * 196),
        (largest, 8 * 64 * (196 + 49)),
    ):
        like = as_rectifier(columns(configuration), configuration.family)
        moved = 2 * like["batch"] * like["out_channels"] * like["out_height"] * like["out_width"]
        assert moved[0] == elements
    found = estimate(columns(addition, joined, largest), models())
    assert found.sources() == ["estimate"] * 3
    assert found.runtime_ms.value[0] == pytest.approx(1e-4 * 96)
    assert (found.runtime_ms.hi >= 2 * found.runtime_ms.value).all()
    assert (found.runtime_ms.lo <= found.runtime_ms.value / 2).all()
    assert found.power_w.value[0] == 90.0


def test_a_method_of_pooling_that_was_not_measured_is_an_estimate() -> None:
    pools = PlainModels(
        {**models().models, ("pool", "runtime_ms"): LinearModel(0.5, methods=("ave",))}
    )
    window = (8, 64, 14, 14, 64, 7, 7, 2, 2, 2, 2)
    found = estimate(
        columns(*(Configuration("pool", *window, pool_method=m) for m in ("ave", "max"))), pools
    )
    assert found.sources() == ["model", "estimate"]


def test_without_rectifiers_nothing_is_estimated() -> None:
    only = PlainModels({k: m for k, m in models().models.items() if k[0] == "conv"})
    found = estimate(columns(Configuration("eltwise", 1, 2, 3, 3, 2, 3, 3, inputs=2)), only)
    assert found.sources() == ["none"]
    assert np.isnan(found.runtime_ms.value).all()


def test_sums_tell_work_launches_and_what_is_bound() -> None:
    [estimates] = estimate_networks([network([10, 1000])], models())
    sums = sums_of(estimates)
    assert sums.work_ms == pytest.approx(1.01)
    assert sums.launch_ms == pytest.approx(2 * LAUNCH_MS)
    assert sums.bound_ms == pytest.approx(0.01)
    assert sums.runtime_ms(Launch(longer=True)) == sums.work_ms


def _row(number: int, **values: Any) -> Row:
    return Row("networks.csv", number, {"batch": 32, "power_w": 100.0, **values})


def test_passes_are_distinguished_by_their_input() -> None:
    rows = [
        _row(1, network="resnet18", input="3x224x224", runtime_ms=11.0),
        _row(2, network="resnet18", input="3x32x32", runtime_ms=3.0),
        _row(3, network="resnet18", input="3x224x224", runtime_ms=13.0),
        _row(4, network="lenet", input="", runtime_ms=1.0),
    ]
    found = {one.network: one for one in merged_passes(rows)}
    assert set(found) == {"resnet18_224", "resnet18_32", "lenet"}
    assert found["resnet18_224"].values["runtime_ms"] == 12.0
    assert found["resnet18_224"].architecture == "resnet18"
    assert found["resnet18_32"].image == (3, 32, 32)
    assert found["lenet"].image == ()


@pytest.mark.parametrize("text", ["224", "3x224", "3x0x224", "3x2.5x4", "3x224x224x1"])
def test_an_input_that_is_none_is_one_line(text: str) -> None:
    from neuralpower.core.errors import InputError

    with pytest.raises(InputError, match="as 3x224x224") as caught:
        merged_passes([_row(7, network="n", input=text, runtime_ms=1.0)])
    assert caught.value.row == 7


def test_a_layer_without_a_configuration_stays_unknown() -> None:
    net = network_of("n", [PlainLayer(0, "data", "Input"), layer(1, "conv", 10)])
    [estimates] = estimate_networks([net], models())
    assert estimates.sources() == ["none", "model"]
    assert estimates.launch_ms.tolist() == [0.0, LAUNCH_MS]


def test_a_layer_that_another_holds_is_included_and_needs_no_model() -> None:
    def pair(bottom: str) -> Any:
        return network_of(
            "n",
            [
                layer(0, "batchnorm", 10, bottoms=("data",), tops=("b",)),
                layer(1, "scale", 10, bottoms=(bottom,), tops=("s",)),
            ],
        )

    fused = PlainModels(models().models, facts={"included": {"scale": "batchnorm"}})
    rows = predict_networks([pair("b")], fused)
    assert [row["source"] for row in rows] == ["model", "included", "model"]
    assert rows[1]["runtime_ms"] is None
    assert "counted in batchnorm0" in str(rows[1]["note"])
    assert rows[-1]["note"] == "covers 1 of 1 computing layers, 100 % of MACs"
    for other in (predict_networks([pair("data")], fused), predict_networks([pair("b")], models())):
        assert other[1]["source"] == "none"
        assert "covers 1 of 2" in str(other[-1]["note"])


def test_a_total_says_what_it_rests_on() -> None:
    device = PlainModels(models().models, facts={"peak_gflops": 0.01})
    net = network_of("n", [layer(0, "conv", 10), layer(1, "eltwise", 10)])
    waiting = Composition(launch=Launch(longer=True))
    note = str(predict_networks([net], device, waiting)[-1]["note"])
    assert "1 of them estimated from the bytes they move" in note
    assert "ms of waiting for launches" in note
    assert "above the data sheet's 1e-05" in note
