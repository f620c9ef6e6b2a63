"""Kinds of layers with few rows, from all kinds of a device together."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from neuralpower.modeling.alike import (
    ALIKE,
    ENOUGH,
    FEWEST,
    PRODUCT,
    energy_of,
    kinds_of,
    model_of,
    way_of,
)
from neuralpower.modeling.baselines import Device
from neuralpower.modeling.crossvalidation import assign_folds
from neuralpower.modeling.data import Layers
from neuralpower.modeling.features import DEFAULTS
from neuralpower.modeling.few import fit_energy, fit_kind
from neuralpower.modeling.fitting import FitOptions, fit_layers
from neuralpower.modeling.models import Model
from neuralpower.reporting.figures_platform import trade_off

IDLE, CAP = 120.0, 700.0


def _law(family: str, target: str, moved: np.ndarray) -> np.ndarray:
    """Power that rises with the bytes until the board is busy; time of the bytes and a launch."""
    if target == "power_w":
        return IDLE + (CAP - IDLE) * moved / (moved + 5e6)
    own = {"relu": 1.0, "tanh": 1.1, "scale": 0.95}.get(family, 1.0)
    return own * (0.0015 + moved * 4 / 4e9)


def _layers(family: str, target: str, count: int, seed: int = 0) -> Layers:
    dice = np.random.default_rng([seed, *family.encode()])
    channels = np.round(np.exp(dice.uniform(math.log(8), math.log(1024), count)))
    size = np.round(np.exp(dice.uniform(math.log(4), math.log(200), count)))
    batch = np.round(np.exp(dice.uniform(0.0, math.log(64), count)))
    columns = {name: np.full(count, value) for name, value in DEFAULTS.items()}
    columns |= {"batch": batch, "in_channels": channels, "out_channels": channels}
    columns |= dict.fromkeys(("in_height", "in_width", "out_height", "out_width"), size)
    columns["pool_method"] = np.full(count, "", dtype=object)
    moved = 2.0 * batch * channels * size**2
    return Layers(
        family,
        target,
        columns,
        _law(family, target, moved),
        np.ones(count, dtype=np.int64),
        np.zeros(count),
        tuple(f"{family} {i}" for i in range(count)),
    )


def _device(target: str, **counts: int) -> dict[tuple[str, str], Layers]:
    return {(family, target): _layers(family, target, n) for family, n in counts.items()}


def test_a_kind_needs_others_only_where_it_has_few_rows() -> None:
    many = _device("power_w", relu=ENOUGH["power_w"], tanh=30)
    assert kinds_of(many, "relu", "power_w") is None
    few = kinds_of(many, "tanh", "power_w")
    assert few is not None
    assert (few.count, len(few.others)) == (30, 1)
    assert kinds_of(many, "concat", "power_w") is None, "two kinds are no law for a third"
    none = kinds_of(many | _device("power_w", elu=5), "concat", "power_w")
    assert none is not None
    assert none.count == 0


def test_nothing_is_said_by_too_few_rows_or_of_kinds_that_differ() -> None:
    assert kinds_of(_device("power_w", relu=FEWEST - 1), "tanh", "power_w") is None
    assert kinds_of(_device("power_w", relu=50), "relu", "power_w") is None, "there is no other"
    times = _device("runtime_ms", relu=30, tanh=9, elu=9, scale=4)
    assert kinds_of(times, "scale", "runtime_ms") is not None
    assert kinds_of(times, "conv", "runtime_ms") is None, "it does not pass over its data once"
    assert kinds_of({("relu", "energy_mj"): times["relu", "runtime_ms"]}, "x", "energy_mj") is None


def test_a_kind_without_rows_is_as_the_others() -> None:
    kinds = kinds_of(_device("power_w", relu=40, tanh=20, elu=9), "concat", "power_w")
    assert kinds is not None
    model = model_of(kinds, Device(idle_power_w=IDLE, power_cap_w=CAP))
    unseen = _layers("concat", "power_w", 50, seed=7)
    guess = model.predict(unseen.columns)
    assert np.abs(guess.value / unseen.measured - 1).mean() < 0.03
    assert model.limits == (IDLE, CAP)
    assert ((guess.lo <= unseen.measured) & (unseen.measured <= guess.hi)).mean() > 0.8
    again = Model.from_json({**model.facts, **model.to_json()}).predict(unseen.columns)
    assert np.array_equal(again.value, guess.value)


def test_rows_of_a_fold_have_no_say_in_what_is_predicted_of_them() -> None:
    layers = _device("power_w", relu=40, tanh=12)
    kinds = kinds_of(layers, "tanh", "power_w")
    assert kinds is not None
    assert kinds.own is not None
    folds = assign_folds(kinds.own.groups, 4)
    left = np.flatnonzero(folds == 1)
    wrong = kinds.own.measured.copy()
    wrong[left] *= 3.0
    changed = replace(kinds, own=replace(kinds.own, measured=wrong))
    [honest], [other] = way_of(kinds, [folds]).dealt, way_of(changed, [folds]).dealt
    assert np.array_equal(honest[left], other[left])
    assert not np.array_equal(honest, other), "other folds have seen them"


def test_the_step_to_a_kind_is_learnt_from_its_few_rows() -> None:
    layers = _device("power_w", relu=60, tanh=14)
    own = layers["tanh", "power_w"]
    layers["tanh", "power_w"] = replace(own, measured=0.7 * own.measured)
    kinds = kinds_of(layers, "tanh", "power_w")
    assert kinds is not None
    fitted = fit_kind(kinds, FitOptions(), Device(), {})
    model = Model.from_json(fitted.model)
    unseen = _layers("tanh", "power_w", 30, seed=5)
    off = model.predict(unseen.columns).value / (0.7 * unseen.measured) - 1
    assert model.candidate == ALIKE
    assert np.abs(off).mean() < 0.05
    assert fitted.model["scores"]["mape"] < 6.0
    assert {row["family"] for row in fitted.out_of_fold} == {"tanh"}


def test_layers_of_a_kind_without_pooling_are_never_beyond_its_methods() -> None:
    kinds = kinds_of(_device("power_w", relu=20, tanh=20, pool=9), "concat", "power_w")
    assert kinds is not None
    model = model_of(kinds, Device())
    assert model.methods == ()
    assert not any(model.predict(_layers("relu", "power_w", 9).columns).extrapolates)


def test_time_never_falls_as_a_batch_of_the_measured_range_doubles() -> None:
    layers = _device("runtime_ms", relu=12, tanh=12, scale=4, eltwise=8)
    wider = layers["eltwise", "runtime_ms"]
    three = {**wider.columns, "inputs": np.full(8, 3.0)}
    moved = wider.table()["moved_elements"] * 2.0
    layers["eltwise", "runtime_ms"] = replace(
        wider, columns=three, measured=_law("eltwise", "runtime_ms", moved)
    )
    kinds = kinds_of(layers, "scale", "runtime_ms")
    assert kinds is not None
    model = model_of(kinds, Device())
    one = _layers("scale", "runtime_ms", 1).columns
    columns = {name: np.repeat(values, 6) for name, values in one.items()}
    columns["batch"] = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0])
    assert np.all(np.diff(model.predict(columns).value) > 0.0)


def test_next_to_nothing_is_no_good_prediction() -> None:
    """Six launches and one large layer: the constant that fits the six is not taken."""
    layers = _device("runtime_ms", relu=18, tanh=18, elu=18)
    own = _layers("softmax", "runtime_ms", 7)
    size = np.array([2.0] * 6 + [200.0])
    same = dict.fromkeys(("in_height", "in_width", "out_height", "out_width"), size)
    columns = {**own.columns, **same, "batch": np.array([1.0] * 6 + [32.0])}
    own = replace(own, columns=columns)
    own = replace(own, measured=_law("softmax", "runtime_ms", own.table()["moved_elements"]))
    layers["softmax", "runtime_ms"] = own
    kinds = kinds_of(layers, "softmax", "runtime_ms")
    assert kinds is not None
    fitted = fit_kind(kinds, FitOptions(), Device(), {})
    value = Model.from_json(fitted.model).predict(own.columns).value
    assert 0.5 < value[-1] / own.measured[-1] < 2.0
    [chosen] = [row for row in fitted.cross_validation if row["chosen"]]
    assert chosen["candidate"] == fitted.model["candidate"]


def test_energy_is_power_times_runtime_in_mj() -> None:
    columns = _layers("relu", "power_w", 40).columns
    power, runtime = (
        Model.from_json(fit_layers(_layers("relu", target, 40)).model)
        for target in ("power_w", "runtime_ms")
    )
    energy = energy_of(power, runtime)
    product = power.predict(columns).value * runtime.predict(columns).value
    assert energy.predict(columns).value == pytest.approx(product, rel=1e-9)
    assert (energy.target, energy.candidate) == ("energy_mj", PRODUCT)
    again = Model.from_json({**energy.facts, **energy.to_json()})
    assert np.array_equal(again.predict(columns).value, energy.predict(columns).value)
    each = [
        math.log(m.predict(columns).hi[0] / m.predict(columns).value[0]) for m in (power, energy)
    ]
    assert each[1] >= each[0] * 0.5, "the interval of a product is that of both"


def test_energy_of_a_kind_without_rows_comes_from_its_power_and_runtime() -> None:
    parts = tuple(fit_layers(_layers("relu", t, 40)) for t in ("power_w", "runtime_ms"))
    fitted = fit_energy(None, FitOptions(), Device(), (parts[0], parts[1]), {})
    assert (fitted.model["candidate"], fitted.out_of_fold) == (PRODUCT, [])
    columns = _layers("relu", "power_w", 5, seed=9).columns
    energy, power, runtime = (
        Model.from_json(each.model).predict(columns).value for each in (fitted, *parts)
    )
    assert energy == pytest.approx(power * runtime, rel=1e-9)


def test_every_candidate_of_a_kind_has_its_number_of_terms() -> None:
    """Pages draw errors over terms: a blank made them fail."""
    layers = _device("power_w", relu=60, tanh=14, elu=14)
    own = layers["tanh", "power_w"]
    for factor in (1.0, 3.0):
        layers["tanh", "power_w"] = replace(own, measured=factor * own.measured)
        kinds = kinds_of(layers, "tanh", "power_w")
        assert kinds is not None
        rows = fit_kind(kinds, FitOptions(), Device(), {}).cross_validation
        assert all(row["n_terms"] >= 1 for row in rows)
        assert sum(row["chosen"] for row in rows) == 1
        assert trade_off(rows, "power_w") is not None


def test_energy_that_cannot_be_checked_row_by_row_is_that_of_the_rows() -> None:
    """The product borrowed the scores of the direct model where a factor had no such row."""
    power, runtime = (fit_layers(_layers("relu", t, 40)) for t in ("power_w", "runtime_ms"))
    own = _layers("relu", "power_w", 12, seed=4)
    energy = replace(own, target="energy_mj", measured=own.measured * 0.5)
    fitted = fit_energy(energy, FitOptions(), Device(), (power, runtime), {})
    assert fitted.model["candidate"] != PRODUCT
    assert all(row["candidate"] != PRODUCT for row in fitted.cross_validation)
    assert {row["family"] for row in fitted.out_of_fold} == {"relu"}
