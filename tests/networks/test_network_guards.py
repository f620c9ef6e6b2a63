"""Limits of what is said of networks: a case just above each and one just below, by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from network_doubles import LinearModel, PlainModels, PlainNetwork, layer

from neuralpower.networks.adding import total
from neuralpower.networks.calibration import Composition
from neuralpower.networks.choosing import MIN_COVERAGE, compare, probability_less
from neuralpower.networks.composition import coverage, included, predict_networks
from neuralpower.networks.estimates import Interval, estimate
from neuralpower.networks.moved import moved


def row(network: str, ms: float, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "network": network, "index": None, "name": "TOTAL", "batch": 1, "power_w": None,
        "power_w_lo": None, "power_w_hi": None, "extrapolates": None, "note": "", "coverage": None,
    }  # fmt: skip
    for target, value in (("runtime_ms", ms), ("energy_mj", None)):
        for end, factor in (("", 1.0), ("_lo", 0.9), ("_hi", 1.1)):
            found[target + end] = None if value is None else value * factor
    return found | more


def test_a_layer_that_bears_the_total_s_name_is_no_network() -> None:
    rows = [row("a", 1.0, index=3), row("a", 5.0), row("a", 2.0, name="conv", index=None)]
    assert [found["runtime_ms_per_image"] for found in compare(rows)] == [5.0]


@pytest.mark.parametrize(("share", "rank"), [(MIN_COVERAGE, 1), (MIN_COVERAGE - 1e-9, None)])
def test_networks_are_ranked_from_nine_tenths_of_their_work(share: float, rank: int | None) -> None:
    (found,) = compare([row("a", 1.0, coverage=share)])
    assert found["rank"] == rank
    assert found["note"].startswith("not ranked") is (rank is None)


def test_the_ratio_of_error_and_cost_by_hand() -> None:
    facts = {"a": {"dataset": "D", "top5_error": 20.0}}
    (runtime,) = compare([row("a", 8.0, batch=4)], facts)
    assert [runtime[f"runtime_ratio_{k}_ms"] for k in (1, 2, 3, 4)] == pytest.approx(
        [0.4, 0.08, 0.016, 0.0032]
    )
    energy = {"energy_mj": 4000.0, "energy_mj_lo": 3600.0, "energy_mj_hi": 4400.0}
    (joules,) = compare([row("a", 8.0, batch=4, **energy)], facts)
    assert [joules[f"epr_{k}_j"] for k in (1, 2, 3, 4)] == pytest.approx([0.2, 0.04, 0.008, 0.0016])


def cost(value: float, lo: float, hi: float) -> dict[str, Any]:
    names = ("runtime_ms_per_image", "runtime_ms_per_image_lo", "runtime_ms_per_image_hi")
    return dict(zip(names, (value, lo, hi), strict=True))


def test_the_probability_of_a_lower_cost_by_hand() -> None:
    z = 1.6448536269514722
    a, b = cost(1.0, math.exp(-0.1 * z), math.exp(0.1 * z)), cost(1.2, 1.2, 1.2)
    normal = 0.5 * (1 + math.erf(math.log(1.2) / 0.1 / math.sqrt(2)))
    assert probability_less(a, b, "runtime_ms") == pytest.approx(normal)
    assert probability_less(b, a, "runtime_ms") == pytest.approx(1 - normal)
    exact = [cost(value, value, value) for value in (1.0, 1.0, 2.0)]
    assert probability_less(exact[0], exact[1], "runtime_ms") == 0.5
    assert probability_less(exact[0], exact[2], "runtime_ms") == 1.0
    assert probability_less(exact[2], exact[0], "runtime_ms") == 0.0


@pytest.mark.parametrize(("point", "front"), [
    # Error and cost of a second network, beside one of 20 % and 10 ms.
    ((20.0, 10.0), [1, 1]), ((20.0, 9.9), [0, 1]), ((19.9, 10.0), [0, 1]),
    ((20.1, 9.9), [1, 1]), ((20.1, 10.0), [1, 0]), ((20.0, 10.1), [1, 0]),
])  # fmt: skip
def test_what_no_other_network_beats_is_in_front(
    point: tuple[float, float], front: list[int]
) -> None:
    facts = {
        "a": {"dataset": "D", "top5_error": 20.0},
        "b": {"dataset": "D", "top5_error": point[0]},
    }
    found = {
        r["network"]: r["pareto"] for r in compare([row("a", 10.0), row("b", point[1])], facts)
    }
    assert [found["a"], found["b"]] == front


@pytest.mark.parametrize(("macs", "timed", "share"), [
    ([6, 4], [True, False], 0.6), ([6, 4], [True, True], 1.0), ([0, 0], [True, False], 0.5),
    ([6, None], [True, False], 0.5), ([6, 4, None, None], [True, False, False, False], 0.3),
    ([None], [False], 0.0),
])  # fmt: skip
def test_the_share_of_the_work_that_is_covered(
    macs: list[int | None], timed: list[bool], share: float
) -> None:
    rows: list[Any] = [
        {"macs": work, "runtime_ms": 1.0 if known else None}
        for work, known in zip(macs, timed, strict=True)
    ]
    assert coverage(rows) == pytest.approx(share)


def test_what_a_total_says_that_it_covers() -> None:
    models = PlainModels({("conv", "runtime_ms"): LinearModel(0.1)})
    wide, thin = layer(0, "conv", 10, macs=999), layer(1, "fc", 20, macs=1)
    network: Any = PlainNetwork("n", [wide, thin])
    assert predict_networks([network], models)[-1]["note"] == (
        "covers 1 of 2 computing layers, 99.9 % of MACs; no power model"
    )
    unknown: Any = PlainNetwork("n", [wide, layer(1, "fc", 20, macs=None)])
    note = predict_networks([unknown], models)[-1]["note"]
    assert note is not None
    assert "; the work of 1 is unknown" in note


def test_power_of_two_layers_has_the_interval_of_its_derivative() -> None:
    # 1 ms at 10.4 W and 3 ms at 10 W: P = 10.1 W; a longer first layer pulls P up, by 0.3 W / 4 ms.
    found = estimate({"family": np.array(["conv", "fc"]), "out_channels": np.array([1, 1])},
                     PlainModels({("conv", "runtime_ms"): LinearModel(1.0),
                                  ("fc", "runtime_ms"): LinearModel(3.0),
                                  ("conv", "power_w"): LinearModel(10.4),
                                  ("fc", "power_w"): LinearModel(10.0)}))  # fmt: skip
    power = total(found, Composition(networks=tuple("abcdefghij"))).power_w
    assert power is not None
    # Models err by -0.2 and +0.3 of a value; the energy of each layer errs with its power alone,
    # the mean power with both: times of a layer above the mean pull down when they are too small.
    energy_down = math.hypot(0.2 * 10.4 * 1, 0.2 * 10.0 * 3) / 4
    energy_up = math.hypot(0.3 * 10.4 * 1, 0.3 * 10.0 * 3) / 4
    first, second = (10.4 - 10.1) / 4 * 1, (10.0 - 10.1) / 4 * 3
    down = math.hypot(energy_down, math.hypot(0.2 * first, 0.3 * second))
    up = math.hypot(energy_up, math.hypot(0.3 * first, 0.2 * second))
    assert power == pytest.approx((10.1, 10.1 - down, 10.1 + up), rel=1e-9)


def test_a_layer_that_another_s_figure_holds_follows_it_directly() -> None:
    norm = layer(0, "batchnorm", 4, tops=("a",))
    scale = layer(1, "scale", 4, bottoms=("a",), tops=("b",))
    relu = layer(2, "relu", 4, bottoms=("b",), tops=("c",))
    late = layer(3, "scale", 4, bottoms=("c",), tops=("d",))
    network: Any = PlainNetwork("n", [norm, scale, relu, late])
    assert list(included(network, {"included": {"scale": "batchnorm"}})) == [1]
    assert included(network, {"included": ["scale"]}) == {}
    assert included(network, {}) == {}


@pytest.mark.parametrize(("after", "said"), [
    # Before: 10 ms, 9 to 11.
    ((11.5, 11.2, 12.0), "beyond its interval"),
    ((11.5, 10.0, 12.0), "within its interval"),
    ((11.0, 10.5, 12.0), "within its interval"),
    ((8.9, 8.0, 9.9), "beyond its interval"),
])  # fmt: skip
def test_what_moved_lies_beyond_both_intervals(
    after: tuple[float, float, float], said: str
) -> None:
    def totals(*values: float) -> list[dict[str, Any]]:
        ends = dict(zip(("runtime_ms", "runtime_ms_lo", "runtime_ms_hi"), values, strict=True))
        return [row("a", 1.0) | ends]

    (found,) = moved("p", totals(10.0, 9.0, 11.0), totals(*after))
    assert found["moved"] == said
    assert found["change_percent"] == pytest.approx(10 * (after[0] - 10))
    (new,) = moved("p", [], totals(*after))
    (gone,) = moved("p", totals(*after), [])
    assert (new["moved"], gone["moved"]) == ("new", "gone")
    assert (new["change_percent"], gone["change_percent"]) == (None, None)


def test_intervals_keep_missing_values_missing() -> None:
    interval = Interval(np.array([1.0, np.nan]), np.array([0.5, np.nan]), np.array([2.0, np.nan]))
    assert interval.known.tolist() == [True, False]
    assert (interval.down[0], interval.up[0]) == (0.5, 1.0)
