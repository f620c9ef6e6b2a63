"""Nested selection: honest, repeatable, and it finds what is true of a made-up device."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from modeling_tables import QUICK, conv_records, fc_records, layers_of, measured, write_platform

from neuralpower.modeling.baselines import Device
from neuralpower.modeling.candidates import DEFAULT_CANDIDATES
from neuralpower.modeling.crossvalidation import (
    Candidate,
    Problem,
    assign_folds,
    try_candidate,
)
from neuralpower.modeling.data import Layers
from neuralpower.modeling.features import FeatureTable
from neuralpower.modeling.fitting import FitOptions, choose, fit_layers
from neuralpower.modeling.members import within_middle
from neuralpower.modeling.metrics import rmspe
from neuralpower.modeling.selection import Deal, select

FAST = (
    Candidate("physical", "relative", "non-negative"),
    Candidate("paper", "relative", "stepwise"),
    Candidate("logs", "log", "stepwise"),
)


def device(table: FeatureTable) -> np.ndarray:
    """0.02 ms to start, 4 TMAC/s, 0.2 ns an element moved."""
    moved = table["input_elements"] + table["output_elements"]
    return 0.02 + 2.5e-10 * 1e3 * table["macs"] / 1e3 + 2e-7 * moved


@pytest.fixture(scope="module")
def layers(tmp_path_factory: pytest.TempPathFactory) -> Layers:
    rows = measured(conv_records(300), device, noise=0.05)
    return layers_of(write_platform(tmp_path_factory.mktemp("p"), {"conv.csv": rows}), "conv")


def deal_of(problem: Problem, candidates: tuple[Candidate, ...] = FAST) -> list[Deal]:
    found = (try_candidate(problem, c) for c in candidates)
    return [Deal(problem, [trial for trial in found if trial is not None])]


def test_folds_are_even_whole_and_free_of_order() -> None:
    groups = [f"g{i % 40}" for i in range(200)]
    folds = assign_folds(groups)
    assert np.bincount(folds).tolist() == [20] * 10
    by_group = {g: {f for h, f in zip(groups, folds, strict=True) if h == g} for g in groups}
    assert all(len(found) == 1 for found in by_group.values())
    shuffled = groups[::-1]
    assert assign_folds(shuffled).tolist() == folds[::-1].tolist()
    assert assign_folds(groups, seed=1).tolist() != folds.tolist()


def test_a_folds_rows_have_no_say_in_their_own_predictions(layers: Layers) -> None:
    folds = assign_folds(layers.groups, 5)
    honest = select(deal_of(Problem(layers, folds)))
    spoilt = np.where(folds == 2, layers.measured * 7.0, layers.measured)
    liar = Layers(
        layers.family, layers.target, layers.columns, spoilt, layers.visits, layers.spread,
        layers.groups,
    )  # fmt: skip
    problem = Problem(liar, folds)
    found = select(deal_of(problem))
    same = folds == 2
    # Gram sums that include the fold are subtracted again, so the last digits may differ.
    np.testing.assert_allclose(found.predicted[same], honest.predicted[same], rtol=1e-4)
    assert found.fold_choices[2].members == honest.fold_choices[2].members
    assert not np.allclose(found.predicted[~same], honest.predicted[~same], rtol=1e-3)


def test_outer_predictions_are_those_of_a_model_trained_without_the_fold(layers: Layers) -> None:
    folds = assign_folds(layers.groups, 5)
    trial = try_candidate(Problem(layers, folds), FAST[1])
    assert trial is not None
    from neuralpower.modeling.terms import TermTable

    matrix = TermTable(layers.table()).matrix(trial.terms)
    train = folds != 0
    size = 3
    weighted = matrix[train] / layers.measured[train, None]
    chosen: list[int] = [0]
    for _ in range(3):  # plain forward selection by least squares
        errors = []
        for j in range(matrix.shape[1]):
            fit = np.linalg.lstsq(weighted[:, [*chosen, j]], np.ones(train.sum()), rcond=None)[0]
            errors.append(((weighted[:, [*chosen, j]] @ fit - 1.0) ** 2).sum())
        chosen.append(int(np.argmin(errors)))
    fit = np.linalg.lstsq(weighted[:, chosen], np.ones(train.sum()), rcond=None)[0]
    expected = matrix[~train][:, chosen] @ fit
    np.testing.assert_allclose(trial.outer[~train, size], expected, rtol=1e-4)


def test_the_true_terms_are_found(layers: Layers) -> None:
    fitted = fit_layers(layers, FitOptions())
    scores = fitted.model["scores"]
    names = {term["name"] for equation in fitted.model["equations"] for term in equation["terms"]}
    written_out = {  # the paper's names of the same products
        "batch*in_channels*in_height*in_width": "input_elements",
        "batch*out_channels*out_height*out_width": "output_elements",
        "batch*in_channels*kernel_height*kernel_width*out_channels*out_height*out_width": "macs",
    }
    found = {written_out.get(name, name) for name in names}
    assert found == {"1", "macs", "input_elements", "output_elements"}
    # The noise is 5 %; no honest score is much below it, and a good one not far above.
    assert 4.5 < scores["rmspe"] < 6.5
    assert 85.0 <= scores["interval_coverage"] <= 95.0
    assert fitted.model["in_sample"]["rmspe"] <= scores["rmspe"]
    assert fitted.model["baselines"]["constant"] > 5 * scores["rmspe"]
    assert fitted.model["baselines"]["roofline"] > scores["rmspe"]


def test_pure_noise_selects_almost_nothing(tmp_path: Path) -> None:
    rows = measured(fc_records(150), lambda t: 1.0 + 0.0 * t["batch"], noise=0.2)
    layers = layers_of(write_platform(tmp_path / "p", {"fc.csv": rows}), "fc")
    problem = Problem(layers, assign_folds(layers.groups))
    found = select(deal_of(problem, DEFAULT_CANDIDATES))
    assert sum(len(e.terms) for e in found.equations) <= 4
    assert 17.0 < rmspe(layers.measured, found.predicted) < 24.0


@pytest.mark.parametrize("estimator", ["aicc", "bic"])
def test_criteria_are_candidates_like_others(layers: Layers, estimator: str) -> None:
    folds = assign_folds(layers.groups, 5)
    for objective, library in (("relative", "paper"), ("log", "logs")):
        trial = try_candidate(Problem(layers, folds), Candidate(library, objective, estimator))
        assert trial is not None
        assert trial.outer.shape == (300, 1)
        # The noise is 5 %; a criterion that took no or all terms would be far above it.
        assert rmspe(layers.measured, trial.outer[:, 0]) < 15.0
        assert 2 <= trial.counts[0] <= 40


def test_a_target_that_hardly_varies_does_not_run_away(tmp_path: Path) -> None:
    """Rows far outside the others, all in one fold: the model must not lose to the constant."""
    rows = measured(fc_records(200), lambda t: 75.0 + 0.05 * np.log(t["batch"]), noise=0.003)
    far = [{**r, "in_channels": 300_000, "batch": 2000 + i} for i, r in enumerate(rows[:6])]
    path = write_platform(tmp_path / "p", {"fc.csv": rows + far})
    layers = layers_of(path, "fc", "runtime_ms")
    layers = dataclasses.replace(layers, target="power_w")
    groups = tuple(
        "far" if b >= 2000 else g
        for b, g in zip(layers.columns["batch"].tolist(), layers.groups, strict=True)
    )
    layers = dataclasses.replace(layers, groups=groups)
    problem = Problem(layers, assign_folds(layers.groups))
    low, high = problem.bounds(0, (0,))
    kept = layers.measured[problem.folds != 0]
    # A spread of 2 % widens by 1 %, not by the quarter that power may leave its range otherwise.
    share = np.sqrt(kept.max() / kept.min())
    np.testing.assert_allclose(high / low, kept.max() / kept.min() * share**2, rtol=1e-9)
    found = select(deal_of(problem, DEFAULT_CANDIDATES))
    constant = np.full(len(layers), np.median(layers.measured))
    assert rmspe(layers.measured, found.predicted) < 1.15 * rmspe(layers.measured, constant)
    assert np.ptp(found.predicted) < 2.0 * np.ptp(layers.measured)


def test_row_order_does_not_matter(tmp_path: Path) -> None:
    rows = measured(fc_records(60), device, noise=0.1)
    options = QUICK
    one = layers_of(write_platform(tmp_path / "a", {"fc.csv": rows}), "fc")
    two = layers_of(write_platform(tmp_path / "b", {"fc.csv": rows[::-1]}), "fc")
    assert fit_layers(one, options).to_json() == fit_layers(two, options).to_json()


def test_networks_stay_in_one_fold(tmp_path: Path) -> None:
    rows = measured(fc_records(60), device)
    layers = layers_of(write_platform(tmp_path / "p", {"fc.csv": rows}), "fc")
    groups = tuple(f"network n{i % 6}" for i in range(60))
    folds = assign_folds(groups)
    assert len(layers) == 60
    assert int(folds.max()) == 5  # six networks: six folds


def test_baselines_know_the_device(layers: Layers) -> None:
    known = fit_layers(layers, QUICK, Device(8000.0, 40.0)).baselines
    assert {"paleo_ppp1", "paleo_fitted", "roofline_given", "roofline", "paper"} <= set(known)
    blind = fit_layers(layers, QUICK).baselines
    assert "paleo_ppp1" not in blind
    # The made-up device adds work and traffic: so does Paleo, once fitted.
    assert blind["paleo_fitted"]["scores"]["rmspe"] < blind["constant"]["scores"]["rmspe"]


def test_a_member_that_runs_away_does_not_take_the_mean_with_it() -> None:
    values = np.array([[1.0, 1.2, 50.0], [1.0, 1.1, 0.9]])
    np.testing.assert_allclose(within_middle(values), [[1.0, 1.2, 1.8], [1.0, 1.1, 0.9]])
    two = np.array([[1.0, 50.0]])
    np.testing.assert_allclose(within_middle(two), two)


def test_most_terms_bound_a_model_at_a_price(layers: Layers) -> None:
    problem = Problem(layers, assign_folds(layers.groups, 5))
    deal = deal_of(problem, DEFAULT_CANDIDATES)
    found = select(deal)
    small = select(deal, most_terms=3)
    assert sum(len(e.terms) for e in small.equations) <= 3
    assert rmspe(layers.measured, small.predicted) > rmspe(layers.measured, found.predicted)


def test_weights_of_a_mean_are_those_of_least_relative_error(layers: Layers) -> None:
    problem = Problem(layers, assign_folds(layers.groups, 5))
    [deal] = deal_of(problem, DEFAULT_CANDIDATES)
    found = select([deal])
    for score in found.scores:
        weights = np.array(score.option.weights)
        assert (weights >= 0.0).all()
        if len(weights) > 1:
            assert 3 <= len(weights) <= 5
            values = np.stack([deal.trials[t].outer[:, s] for t, s in score.option.members], axis=1)
            assert (values > 0.0).all()
            assert 0.8 < weights.sum() < 1.3


def test_small_families_are_chosen_and_scored_on_several_deals(tmp_path: Path) -> None:
    rows = measured(fc_records(60), device, noise=0.1)
    layers = layers_of(write_platform(tmp_path / "p", {"fc.csv": rows}), "fc")
    choice = choose(layers, QUICK)
    assert len(choice.deals) == len(choice.selection.dealt) == 3
    scores = [rmspe(layers.measured, predicted) for predicted in choice.selection.dealt]
    assert len(set(scores)) == 3
    assert all(5.0 < score < 20.0 for score in scores)
