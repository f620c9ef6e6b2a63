from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from modeling_tables import REFERENCE, conv_records, dataset, fc_records, measured

from neuralpower.modeling.bands import Interval, Wider, interval_from_json
from neuralpower.modeling.crossvalidation import Candidate
from neuralpower.modeling.data import Layers, load_dataset
from neuralpower.modeling.features import Array
from neuralpower.modeling.fitting import FitOptions, choose
from neuralpower.modeling.intervals import (
    FEWEST_FOR_TREES,
    calibrate,
    coverage_by_kind,
    coverage_by_size,
    cross_fitted,
    interval_score,
    intraclass_correlation,
    scales_of,
)
from neuralpower.modeling.metrics import coverage, mean_scores, rmspe, scores
from neuralpower.records.folder import Row


def made_up(records: list[dict[str, Any]], values: Array) -> Layers:
    """Layers of these configurations with these measurements; no row is checked or merged."""
    cleaned = dataset(
        [
            Row("t.csv", i, row)
            for i, row in enumerate(measured(records, lambda t: 1e-3 + 1e-9 * t["macs"]), 1)
        ]
    ).layers[str(records[0]["family"]), "runtime_ms"]
    assert len(cleaned) >= len(values)
    rows = cleaned.take(np.arange(len(values)))
    return Layers(
        rows.family, "runtime_ms", rows.columns, values, rows.visits, rows.spread, rows.groups
    )


@pytest.mark.parametrize("kind", ["normal", "skewed", "growing"])
def test_fresh_rows_are_covered(kind: str) -> None:
    generator = np.random.default_rng(3)
    predicted = np.exp(generator.uniform(-3, 6, 6000))
    noise = generator.standard_normal(6000)
    if kind == "skewed":
        noise = generator.exponential(1.0, 6000) - 1.0
    if kind == "growing":
        noise *= 0.2 + np.log(predicted + 1.0)
    layers = made_up(fc_records(6500), predicted * np.exp(0.1 * noise))
    first, fresh = np.arange(3000), np.arange(3000, 6000)
    interval = calibrate(layers.take(first), predicted[first])
    lo, hi = interval.bounds(predicted[fresh], layers.take(fresh).table())
    # Half of an exponential's mass lies near its sharp end, where a scale that scatters a little
    # less, from all layers, covers more.
    assert 88.0 < coverage(layers.measured[fresh], lo, hi) < (94.0 if kind == "skewed" else 92.0)
    if kind == "growing":
        parts = coverage_by_size(layers.measured[fresh], predicted[fresh], lo, hi)
        assert min(parts) > 82.0


def shaped(rows: int) -> tuple[Layers, Array]:
    """Convolutions whose errors depend on the shape alone: 1x1 ones are eight times as uncertain.

    Predictions are drawn independently of the shape, so their size says nothing about the error.
    """
    generator = np.random.default_rng(5)
    records = conv_records(rows + 50, seed=1)
    layers = made_up(records, np.ones(rows))
    predicted = np.exp(generator.uniform(-3, 6, rows))
    spread = np.where(layers.table()["window"] == 1.0, 0.4, 0.05)
    values = predicted * np.exp(spread * generator.standard_normal(rows))
    return made_up(records, values), predicted


def test_intervals_know_the_shape() -> None:
    layers, predicted = shaped(1200)
    first, fresh = np.arange(600), np.arange(600, 1200)
    interval = calibrate(layers.take(first), predicted[first])
    part, values = layers.take(fresh), predicted[fresh]
    lo, hi = interval.bounds(values, part.table())
    pointwise = part.table()["window"] == 1.0
    width = np.log(hi / lo)
    # The true 90 % bands are 2 x 1.645 standard deviations wide: 1.32 and 0.16.
    assert 1.0 < np.median(width[pointwise]) < 1.8
    assert 0.12 < np.median(width[~pointwise]) < 0.24
    for kind in (pointwise, ~pointwise):
        assert 84.0 < coverage(part.measured[kind], lo[kind], hi[kind]) < 96.0
    # A band that sees the prediction only misses the uncertain ones and is wider on the whole.
    blind_lo, blind_hi = interval.bounds(values)
    assert interval_score(part.measured, lo, hi) < 0.8 * interval_score(
        part.measured, blind_lo, blind_hi
    )


def test_coverage_by_kind_names_kinds_of_enough_layers() -> None:
    layers, predicted = shaped(400)
    found = coverage_by_kind(layers, predicted * 0.0, predicted * 1e9)
    assert found["1x1"] == {"n": int((layers.table()["window"] == 1.0).sum()), "coverage": 100.0}
    assert "depthwise" not in found  # none was drawn
    few = layers.take(np.arange(40))
    assert coverage_by_kind(few, few.measured, few.measured) == {}


def test_an_interval_returns_from_json_bit_for_bit() -> None:
    layers, predicted = shaped(300)
    interval = calibrate(layers, predicted)
    assert interval.forest is not None
    again = interval_from_json(json.loads(json.dumps(interval.to_json())))
    for one, other in zip(
        interval.bounds(predicted, layers.table()),
        again.bounds(predicted, layers.table()),
        strict=True,
    ):
        assert one.tobytes() == other.tobytes()
    assert calibrate(layers, predicted).to_json() == interval.to_json()
    few = np.arange(FEWEST_FOR_TREES - 1)
    assert calibrate(layers.take(few), predicted[few]).forest is None


@pytest.mark.parametrize(
    ("part", "value", "message"),
    [
        ("left", [0, 0, 0], "lead nowhere"),  # a walk in a circle
        ("right", [9, -1, -1], "lead nowhere"),
        ("inputs", [7, -1, -1], "lead nowhere"),
        ("inputs", [0.5, -1, -1], "whole numbers"),
        ("cut", [0.0, 0.0], "differ in length"),
        ("cut", [float("nan"), 0.0, 0.0], "finite number"),
        ("value", [0.1, -0.1, 0.1], "below 0"),
    ],
)
def test_a_damaged_tree_is_refused(part: str, value: list[float], message: str) -> None:
    tree = {
        "inputs": [0, -1, -1], "cut": [1.0, 0.0, 0.0], "left": [1, -1, -1],
        "right": [2, -1, -1], "value": [0.1, 0.1, 0.2],
    }  # fmt: skip
    good = Interval((0.0,), (0.1,), -1.0, 1.0).to_json()
    good["forest"] = {"inputs": ["predicted"], "floor": 0.01, "trees": [tree]}
    assert interval_from_json(good).forest is not None
    tree[part] = value
    with pytest.raises(ValueError, match=message):
        interval_from_json(good)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kinds": {"shell": 2.0}}, "not in order"),
        ({"kinds": {"1x1": 0.5}}, "that cannot be"),
        ({"kinds": {"1x1": 1e9}}, "that cannot be"),
        ({"kinds": {"1x1": "2"}}, "finite number"),
        ({"kinds": ["1x1"]}, "JSON object"),
        ({"parts": [1.0]}, "not in order"),
        ({"cuts": [2.0, 1.0]}, "not in order"),
        ({"parts": [1.0, float("nan"), 1.0]}, "finite number"),
    ],
)
def test_damaged_factors_are_refused(change: dict[str, Any], message: str) -> None:
    wider = Wider((("1x1", 2.0),), (1.0, 2.0), (1.0, 1.5, 1.0))
    good = replace(Interval((0.0,), (0.1,), -1.0, 1.0), wider=wider).to_json()
    assert interval_from_json(json.loads(json.dumps(good))).wider == wider
    assert interval_from_json({k: v for k, v in good.items() if k != "wider"}).wider == Wider()
    with pytest.raises(ValueError, match=message):
        interval_from_json({**good, "wider": {**wider.to_json(), **change}})


def test_a_rare_kind_is_covered() -> None:
    """Forty of 2,500 layers have few outputs, and errors of eight times the others'."""
    generator = np.random.default_rng(7)
    records = fc_records(2900, seed=4)
    for i, record in enumerate(records):
        record["out_channels"] = 8 if i % 62 == 0 else max(record["out_channels"], 17)
    layers = made_up(records, np.ones(2500))
    few = layers.table()["out_channels"] <= 16.0
    assert 30 <= few.sum() <= 50
    predicted = np.exp(generator.uniform(-3, 6, 2500))
    errors = np.where(few, 0.4, 0.05) * generator.standard_normal(2500)
    layers = replace(layers, measured=predicted * np.exp(errors))
    lo, hi = cross_fitted(layers, predicted, np.arange(2500) % 10)
    found = coverage_by_kind(layers, lo, hi)["at most 16 outputs"]
    assert found["coverage"] >= 80.0
    # The others do not pay for it: their true 90 % band is 0.164 wide.
    assert np.median(np.log(hi / lo)[~few]) < 0.19


def test_errors_of_one_side_are_covered() -> None:
    """The layers of the shortest tenth all take longer than predicted."""
    generator = np.random.default_rng(8)
    layers = made_up(conv_records(700, seed=3), np.ones(600))
    predicted = np.exp(generator.uniform(-3, 6, 600))
    errors = 0.1 * generator.standard_normal(600)
    short = predicted <= np.quantile(predicted, 0.1)
    errors = np.where(short, 0.1 + 0.25 * generator.uniform(size=600), errors)
    layers = replace(layers, measured=predicted * np.exp(errors))
    lo, hi = cross_fitted(layers, predicted, np.arange(600) % 10)
    assert min(coverage_by_size(layers.measured, predicted, lo, hi)) >= 80.0


def test_every_kind_of_layer_of_a_recorded_set_is_covered() -> None:
    """401 convolutions of measurements/ort-cpu: each kind and tenth of 30 layers or more holds."""
    folder = Path(__file__).parents[2] / "measurements/ort-cpu"
    layers = load_dataset(folder).layers["conv", "runtime_ms"]
    grid = FitOptions(
        (Candidate("wide", "relative", "stepwise"), Candidate("logs", "log", "stepwise"))
    )
    choice = choose(layers, grid)
    predicted, folds = choice.selection.predicted, choice.problem.folds
    lo, hi = cross_fitted(layers, predicted, folds)
    kinds = coverage_by_kind(layers, lo, hi)
    assert set(kinds) == {"depthwise", "grouped", "1x1", "batch 1", "at most 16 outputs"}
    assert min(kind["coverage"] for kind in kinds.values()) >= 80.0
    assert min(coverage_by_size(layers.measured, predicted, lo, hi)) >= 80.0
    assert 88.0 < coverage(layers.measured, lo, hi) < 93.0
    # The same errors with a scale of the prediction alone: wider, and short for some kinds.
    blind_lo, blind_hi = np.empty_like(lo), np.empty_like(hi)
    for fold in np.unique(folds):
        inside, other = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        interval = replace(calibrate(layers.take(other), predicted[other]), forest=None)
        error = np.log(layers.measured[other] / predicted[other])
        ratio = np.sort(error / interval.scale(predicted[other]))
        ends = ratio[[int(0.05 * len(ratio)), int(np.ceil(0.95 * len(ratio))) - 1]]
        scale = interval.scale(predicted[inside])
        blind_lo[inside] = predicted[inside] * np.exp(ends[0] * scale)
        blind_hi[inside] = predicted[inside] * np.exp(ends[1] * scale)
    assert interval_score(layers.measured, lo, hi) < 0.9 * interval_score(
        layers.measured, blind_lo, blind_hi
    )
    blind = coverage_by_kind(layers, blind_lo, blind_hi)
    assert min(k["coverage"] for k in blind.values()) < min(k["coverage"] for k in kinds.values())


@pytest.mark.skipif(not REFERENCE.is_dir(), reason="the reference sets are not beside it")
@pytest.mark.parametrize("name", ["getzner-xeon5120", "cunningham-raptorlake"])
def test_as_an_independent_library_has_it(name: str) -> None:
    """crepes on the same errors: the same bounds from the same scales; its own scale is no better.

    Its conformal predictive system takes the same quantiles by code of others; its own measure of
    difficulty is the mean error of the 25 nearest layers.
    """
    crepes = pytest.importorskip("crepes")
    from crepes.extras import DifficultyEstimator

    layers = load_dataset(REFERENCE / name).layers["conv", "runtime_ms"]
    choice = choose(layers, FitOptions((Candidate("logs", "log", "stepwise"),), folds=5))
    predicted, folds = choice.selection.predicted, choice.problem.folds
    error = np.log(layers.measured / predicted)
    position = np.log(predicted)
    lo, hi = cross_fitted(layers, predicted, folds)
    theirs_lo, theirs_hi = np.empty_like(lo), np.empty_like(hi)
    for fold in np.unique(folds):
        inside, other = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        columns, scale, interval = scales_of(layers.take(other), predicted[other])
        fresh = interval.scale(predicted[inside], layers.take(inside).table())
        system = crepes.ConformalPredictiveSystem()
        system.fit(error[other], sigmas=scale)
        ends = system.predict_int(
            position[inside], sigmas=fresh, confidence=0.9, y_min=-np.inf, y_max=np.inf
        )
        # A rank of n + 1 more or less, where the rank is not whole.
        np.testing.assert_allclose(np.exp(ends[:, 0]), lo[inside], rtol=0.02)
        np.testing.assert_allclose(np.exp(ends[:, 1]), hi[inside], rtol=0.02)
        middle, spread = columns.mean(axis=0), columns.std(axis=0) + 1e-9
        near = DifficultyEstimator()
        near.fit((columns - middle) / spread, residuals=error[other], k=25, oob=True)
        regressor = crepes.ConformalPredictiveSystem()
        regressor.fit(error[other], sigmas=near.apply())
        mine = interval.inputs(predicted[inside], layers.take(inside).table())
        ends = regressor.predict_int(
            position[inside], sigmas=near.apply((mine - middle) / spread), confidence=0.9
        )
        theirs_lo[inside], theirs_hi[inside] = np.exp(ends[:, 0]), np.exp(ends[:, 1])
    assert abs(coverage(layers.measured, theirs_lo, theirs_hi) - 90.0) < 3.0
    assert abs(coverage(layers.measured, lo, hi) - 90.0) < 2.0
    ours = interval_score(layers.measured, lo, hi)
    assert ours <= interval_score(layers.measured, theirs_lo, theirs_hi)
    assert min(coverage_by_size(layers.measured, predicted, lo, hi)) >= 78.0


def test_cross_fitting_never_uses_the_row_itself() -> None:
    predicted, values = np.ones(100), np.ones(100)
    values[7] = 50.0
    folds = np.arange(100) % 10
    lo, hi = cross_fitted(made_up(fc_records(110), values), predicted, folds)
    # Without row 7 its fold has seen no error at all.
    assert hi[7] == pytest.approx(1.0, abs=1e-6)
    assert lo[7] <= 1.0


def test_intraclass_correlation() -> None:
    generator = np.random.default_rng(4)
    shared = np.repeat(generator.standard_normal(400), 5)
    own = generator.standard_normal(2000)
    labels = [str(i) for i in np.repeat(np.arange(400), 5)]
    found = intraclass_correlation(shared + own, labels)
    assert 0.42 < found < 0.58
    assert intraclass_correlation(own, labels) < 0.06
    assert intraclass_correlation(own[:5], ["a"] * 5) == 0.0


def test_scores_by_hand() -> None:
    values, predicted = np.array([1.0, 2.0, 4.0]), np.array([1.1, 2.0, 2.0])
    found = scores(values, predicted)
    assert rmspe(values, predicted) == pytest.approx(100 * np.sqrt((0.01 + 0.25) / 3))
    assert found["mape"] == pytest.approx(20.0)
    assert found["median_ape"] == pytest.approx(10.0)
    assert found["within_10"] == pytest.approx(100 / 3)
    assert scores(np.ones(3), np.ones(3))["r2"] is None


def test_interval_score_by_hand() -> None:
    values = np.array([1.0, 2.0])
    # 20 % wide and inside; 10 % wide and 5 % outside, which costs 2 / 0.1 as much.
    found = interval_score(values, np.array([0.9, 2.1]), np.array([1.1, 2.3]))
    assert found == pytest.approx((20.0 + 10.0 + 20 * 5.0) / 2)


def test_means_over_deals_have_their_range() -> None:
    each: list[dict[str, Any]] = [
        {"n": 4, "rmspe": 10.0, "mape": 8.0, "r2": None, "coverage_by_size": [80.0, 90.0]},
        {"n": 4, "rmspe": 20.0, "mape": 9.0, "r2": 0.5, "coverage_by_size": [90.0, 90.0]},
    ]
    assert mean_scores(each) == {
        "n": 4, "rmspe": 15.0, "mape": 8.5, "r2": None, "coverage_by_size": [85.0, 90.0],
        "rmspe_range": [10.0, 20.0], "mape_range": [8.0, 9.0], "deals": 2,
    }  # fmt: skip
    assert "rmspe_range" not in mean_scores(each[:1])
