from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from network_doubles import LinearModel, PlainLayer, PlainModels, PlainNetwork, layer, small_network

from neuralpower.core.configuration import PREDICTION_COLUMNS
from neuralpower.networks.adding import total
from neuralpower.networks.calibration import Composition
from neuralpower.networks.composition import predict_networks
from neuralpower.networks.estimates import Interval, estimate

CONV_MS, FC_MS = LinearModel(0.1), LinearModel(0.2)
CONV_W, FC_W = LinearModel(2.0), LinearModel(1.0)
#: A composition of enough networks to trust the models' correlations.
TRUSTING = Composition(networks=tuple("abcdefghij"))
RUNTIME_ONLY = PlainModels({("conv", "runtime_ms"): CONV_MS, ("fc", "runtime_ms"): FC_MS})
BOTH = PlainModels({**RUNTIME_ONLY.models, ("conv", "power_w"): CONV_W, ("fc", "power_w"): FC_W})


def rows_of(models: PlainModels, network: Any = None) -> dict[str, dict[str, Any]]:
    rows = predict_networks([network or small_network()], models)
    return {row["name"]: dict(row) for row in rows}


def test_every_layer_then_the_total_in_the_columns_of_the_table() -> None:
    rows = predict_networks([small_network()], BOTH)
    assert [row["name"] for row in rows] == [
        "data", "conv1", "relu2", "conv3", "fc4", "dropout5", "TOTAL",
    ]  # fmt: skip
    assert all(set(row) <= set(PREDICTION_COLUMNS) for row in rows)
    assert {row["batch"] for row in rows} == {4}


def test_totals_are_the_sums_of_the_paper() -> None:
    rows = rows_of(BOTH)
    # conv1: 1 ms at 20 W, conv3: 2 ms at 40 W, fc4: 6 ms at 30 W
    assert rows["TOTAL"]["runtime_ms"] == pytest.approx(9)
    assert rows["TOTAL"]["energy_mj"] == pytest.approx(20 + 80 + 180)
    assert rows["TOTAL"]["power_w"] == pytest.approx(280 / 9)
    assert rows["conv3"]["runtime_share"] == pytest.approx(2 / 9)
    assert rows["conv3"]["energy_share"] == pytest.approx(80 / 280)


def test_what_has_no_model_is_said_and_never_zero() -> None:
    rows = rows_of(BOTH)
    for name in ("data", "relu2", "dropout5"):
        assert rows[name]["source"] == "none"
        assert rows[name]["runtime_ms"] is None
        assert rows[name]["energy_share"] is None
    assert rows["data"]["note"] == "no computation"
    assert rows["relu2"]["note"] == "no model of family relu on this platform"
    assert rows["dropout5"]["note"] == "no computation at inference"
    assert rows["TOTAL"]["note"] == "covers 3 of 4 computing layers, 100 % of MACs"


def test_coverage_counts_macs_and_rounds_down() -> None:
    models = PlainModels({("conv", "runtime_ms"): CONV_MS})
    note = rows_of(models)["TOTAL"]["note"]
    assert note == "covers 2 of 4 computing layers, 50 % of MACs; no power model"


def test_without_power_models_power_and_energy_are_empty() -> None:
    for row in predict_networks([small_network()], RUNTIME_ONLY):
        assert row["power_w"] is None
        assert row["energy_mj"] is None
        assert row["energy_share"] is None


def test_power_of_a_part_is_reported_and_is_its_energy_over_its_own_time() -> None:
    models = PlainModels({**RUNTIME_ONLY.models, ("fc", "power_w"): FC_W})
    whole = rows_of(models)["TOTAL"]
    assert whole["power_w"] == pytest.approx(30)
    assert whole["energy_mj"] == pytest.approx(180)
    assert whole["note"].endswith("power and energy 1 of 4 computing layers, 50 % of MACs")


def test_no_model_at_all() -> None:
    whole = rows_of(PlainModels({}))["TOTAL"]
    assert whole["source"] == "none"
    assert whole["runtime_ms"] is None
    assert whole["note"] == "no runtime model covers any of its layers"


def test_an_unknown_layer_type_counts_as_not_covered() -> None:
    network = PlainNetwork(
        "odd", [layer(0, "conv", 10), PlainLayer(1, "x", "Python", macs=None, supported=False)]
    )
    rows = rows_of(BOTH, network)
    assert rows["x"]["note"] == "no model family for type Python"
    assert rows["TOTAL"]["note"].startswith("covers 1 of 2 computing layers")


def test_a_model_s_figure_that_is_no_number_stays_unknown() -> None:
    models = PlainModels({("conv", "runtime_ms"): LinearModel(float("nan"))})
    rows = rows_of(models)
    assert rows["conv1"]["runtime_ms"] is None
    assert rows["conv1"]["note"] == "no figure: a size of this layer means nothing to the model"
    assert rows["TOTAL"]["runtime_ms"] is None


def test_extrapolation_is_flagged_on_the_layer_and_the_total() -> None:
    models = PlainModels({("conv", "runtime_ms"): LinearModel(0.1, widest=15)})
    rows = rows_of(models)
    assert rows["conv1"]["extrapolates"] is None
    assert rows["conv3"]["extrapolates"] == "out_channels"
    assert rows["conv3"]["extrapolates_by"] == pytest.approx(20 / 15)
    assert rows["TOTAL"]["extrapolates"] == "out_channels"
    assert rows["TOTAL"]["extrapolates_by"] == pytest.approx(20 / 15)
    assert rows["conv1"]["extrapolates_by"] is None


def test_several_networks_follow_one_another() -> None:
    rows = predict_networks([small_network("a"), small_network("b")], BOTH)
    assert [row["network"] for row in rows if row["name"] == "TOTAL"] == ["a", "b"]
    first, second = rows[: len(rows) // 2], rows[len(rows) // 2 :]
    assert [{**row, "network": ""} for row in first] == [{**row, "network": ""} for row in second]


def columns_of(*layers: PlainLayer) -> dict[str, Any]:
    return {
        "family": np.array([x.family for x in layers]),
        "out_channels": np.array([x.configuration.out_channels for x in layers if x.configuration]),
    }


def test_one_layer_keeps_its_own_interval() -> None:
    columns = columns_of(layer(0, "conv", 10))
    estimates = estimate(columns, BOTH)
    whole = total(estimates)
    for target in ("runtime_ms", "power_w", "energy_mj"):
        interval: Interval = getattr(estimates, target)
        ends = (interval.value[0], interval.lo[0], interval.hi[0])
        assert getattr(whole, target) == pytest.approx(ends)


@pytest.mark.parametrize(("rho", "power"), [(0.0, 0.5), (1.0, 1.0)])
def test_correlation_decides_how_errors_add(rho: float, power: float) -> None:
    n = 16
    model = LinearModel(1.0, down=0.2, up=0.3, error_correlation=rho)
    estimates = estimate(
        columns_of(*(layer(i, "conv", 10) for i in range(n))),
        PlainModels({("conv", "runtime_ms"): model}),
    )
    whole = total(estimates, TRUSTING).runtime_ms
    assert whole is not None
    value, lo, hi = whole
    assert value == pytest.approx(160)
    assert hi - value == pytest.approx(0.3 * 10 * n**power)
    assert value - lo == pytest.approx(0.2 * 10 * n**power)


def test_without_enough_measured_networks_errors_of_a_family_count_as_shared() -> None:
    columns = columns_of(*(layer(i, "conv", 10) for i in range(16)))
    estimates = estimate(columns, PlainModels({("conv", "runtime_ms"): LinearModel(1.0)}))
    few = Composition(networks=("one",))
    cautious, trusting = total(estimates, few).runtime_ms, total(estimates, TRUSTING).runtime_ms
    assert cautious is not None
    assert trusting is not None
    assert cautious[2] - 160 == pytest.approx(4 * (trusting[2] - 160)) == pytest.approx(48)


def test_without_any_measured_pass_adding_up_itself_is_unsure() -> None:
    """Other platforms' plain sums are off by more than their layers are (13.5 %, power 12 %)."""
    columns = columns_of(*(layer(i, "conv", 10) for i in range(16)))
    few, none = (total(estimate(columns, BOTH), c) for c in (Composition(networks=("one",)), None))
    for target, share in (("runtime_ms", 0.135), ("power_w", 0.12), ("energy_mj", 0.135)):
        value, lo, hi = getattr(few, target)
        assert getattr(none, target) == pytest.approx(
            (
                value,
                value - np.hypot(value - lo, share * value),
                value + np.hypot(hi - value, share * value),
            )
        )
    # A layer alone is no sum: its interval is its model's.
    one = estimate(columns_of(layer(0, "conv", 10)), BOTH)
    assert total(one) == total(one, Composition(networks=("one",)))


def test_measured_passes_scale_the_intervals() -> None:
    columns = columns_of(layer(0, "conv", 10))
    wide = Composition(scales={"runtime_ms": 3.0, "power_w": 2.0}, networks=TRUSTING.networks)
    whole = total(estimate(columns, BOTH), wide)
    assert whole.runtime_ms == pytest.approx((1.0, 0.4, 1.9))
    assert whole.power_w == pytest.approx((20.0, 8.0, 32.0))


@settings(deadline=None, max_examples=25)
@given(
    widths=st.lists(st.integers(1, 500), min_size=2, max_size=12),
    rho=st.floats(0, 1),
    seed=st.integers(0, 100),
)
def test_intervals_of_totals_hold_what_they_say(widths: list[int], rho: float, seed: int) -> None:
    """Simulated correlated gaussian errors stay in the composed 90 % interval 90 % of the time."""
    relative = 0.1
    half = 1.6448536 * relative
    time = LinearModel(0.1, half, half, rho)
    watts = LinearModel(0.5, half, half, rho)
    models = PlainModels({("conv", "runtime_ms"): time, ("conv", "power_w"): watts})
    estimates = estimate(columns_of(*(layer(i, "conv", w) for i, w in enumerate(widths))), models)
    whole = total(estimates, TRUSTING)
    rng = np.random.default_rng(seed)
    draws, n = 6000, len(widths)
    w = np.array(widths, dtype=float)

    def errors() -> Any:
        own, shared = rng.standard_normal((draws, n)), rng.standard_normal((draws, 1))
        return 1 + relative * (np.sqrt(1 - rho) * own + np.sqrt(rho) * shared)

    t, p = 0.1 * w * errors(), 0.5 * w * errors()
    truth = {
        "runtime_ms": t.sum(1),
        "energy_mj": (t * p).sum(1),
        "power_w": (t * p).sum(1) / t.sum(1),
    }
    for target, values in truth.items():
        _, lo, hi = getattr(whole, target)
        assert np.mean((values >= lo) & (values <= hi)) == pytest.approx(0.9, abs=0.035)


@given(
    widths=st.lists(st.integers(1, 10_000), min_size=1, max_size=20),
    rho=st.floats(0, 1),
    down=st.floats(0, 1),
    up=st.floats(0, 5),
)
def test_intervals_hold_the_value_and_never_pass_zero(
    widths: list[int], rho: float, down: float, up: float
) -> None:
    model = LinearModel(1.0, down, up, rho)
    models = PlainModels({("fc", "runtime_ms"): model, ("fc", "power_w"): model})
    columns = columns_of(*(layer(i, "fc", width) for i, width in enumerate(widths)))
    whole = total(estimate(columns, models))
    for ends in (whole.runtime_ms, whole.power_w, whole.energy_mj):
        assert ends is not None
        value, lo, hi = ends
        assert 0 <= lo <= value <= hi
