"""The second opinion: exact, honest out of fold, stored as text with the same bits."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from modeling_tables import conv_records, layers_of, measured, write_platform
from threadpoolctl import threadpool_limits

from neuralpower.core.errors import InputError
from neuralpower.modeling.candidates import DEFAULT_GRID, SECOND_OPINION
from neuralpower.modeling.crossvalidation import Candidate, Problem, Trial, assign_folds, design_of
from neuralpower.modeling.data import Layers
from neuralpower.modeling.equations import to_latex, to_python, to_text
from neuralpower.modeling.features import FeatureTable
from neuralpower.modeling.fitting import FitOptions, choose, fit_layers
from neuralpower.modeling.gaussian import GaussianTryout, _unlikelihood
from neuralpower.modeling.members import Equation, equation_from_json, equation_to_json
from neuralpower.modeling.metrics import rmspe
from neuralpower.modeling.models import Model, load_model, save_model
from neuralpower.modeling.neighbours import likeness, neighbours_from_json
from neuralpower.modeling.options import load_options
from neuralpower.modeling.selection import TooFewError
from neuralpower.modeling.terms import Factor, TermTable

FEW = (
    Candidate("physical", "relative", "non-negative"),
    Candidate("bends", "log", "stepwise"),
    Candidate("logs", "log", "stepwise"),
)


def humps(table: FeatureTable) -> np.ndarray:
    """A smooth law that no term of the libraries follows."""
    hump = np.sin(1.5 * np.log(table["in_channels"])) * np.cos(1.5 * np.log(table["out_channels"]))
    return np.asarray(1e-7 * table["macs"] ** 0.8 * np.exp(0.8 * hump))


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """As the commands do: the threads of BLAS would wait for one another."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="module")
def layers(tmp_path_factory: pytest.TempPathFactory) -> Layers:
    rows = measured(conv_records(220), humps, noise=0.02)
    return layers_of(
        write_platform(tmp_path_factory.mktemp("near") / "p", {"conv.csv": rows}), "conv"
    )


@pytest.fixture(scope="module")
def problem(layers: Layers) -> Problem:
    return Problem(layers, assign_folds(layers.groups, 5, 0))


@pytest.fixture(scope="module")
def trial(problem: Problem) -> Trial:
    design = design_of(problem.layers, SECOND_OPINION)
    assert design is not None
    return GaussianTryout(problem, SECOND_OPINION, design).trial(nested=True)


@pytest.fixture(scope="module")
def equation(trial: Trial) -> Equation:
    return trial.equation(0, 1.0, 1.0)


@pytest.fixture(scope="module")
def fitted(layers: Layers) -> Model:
    found = fit_layers(layers, FitOptions((*FEW, SECOND_OPINION), 5)).model
    return Model.from_json(json.loads(json.dumps(found)))


def test_scikit_learn_predicts_the_same(layers: Layers, equation: Equation) -> None:
    """The plane aside: the same kernel, lengths and noise give the same weights."""
    from sklearn.gaussian_process.kernels import Matern

    near = equation.neighbours
    assert near is not None
    places = near._places
    kernel = Matern(1.0, nu=1.5)
    assert likeness(places, places) == pytest.approx(kernel(places), abs=1e-12)
    sums = kernel(places) @ np.array(near.weights)
    assert near.values(TermTable(layers.table())) == pytest.approx(sums, abs=1e-9)


def test_the_slope_of_the_likelihood() -> None:
    generator = np.random.default_rng(0)
    places, rest = generator.standard_normal((40, 3)), generator.standard_normal(40)
    at = np.array([-0.5, -2.0, 0.3, 1.0, -0.4])
    _, slope = _unlikelihood(at, places, rest)
    for j, step in enumerate(1e-6 * np.eye(len(at))):
        above, below = (_unlikelihood(at + s, places, rest)[0] for s in (step, -step))
        assert slope[j] == pytest.approx((above - below) / 2e-6, rel=1e-5, abs=1e-6)


def test_no_fold_sees_its_own_rows(problem: Problem) -> None:
    """What is learnt without a fold does not change when its measurements do."""
    layers, rows = problem.layers, problem.rows[2]
    other = layers.measured.copy()
    other[rows] *= 7.0
    design = design_of(layers, SECOND_OPINION)
    assert design is not None
    changed = Problem(replace(layers, measured=other), problem.folds)
    kept = np.flatnonzero(problem.folds != 2)
    first = GaussianTryout(problem, SECOND_OPINION, design)
    second = GaussianTryout(changed, SECOND_OPINION, design)
    found = first._process.search(kept)
    assert np.array_equal(found, second._process.search(kept))
    one, two = (tryout._process.solve(kept, found) for tryout in (first, second))
    assert np.array_equal(one.weights, two.weights)
    assert np.array_equal(one.slopes, two.slopes)


def test_inner_folds_are_those_of_a_fit_without_them(problem: Problem, trial: Trial) -> None:
    design = design_of(problem.layers, SECOND_OPINION)
    assert design is not None
    tryout = GaussianTryout(problem, SECOND_OPINION, design)
    found = tryout._process.search(np.flatnonzero(problem.folds != 0))
    rows = problem.rows[1]
    kept = np.flatnonzero((problem.folds != 0) & (problem.folds != 1))
    solved = tryout._process.solve(kept, found)
    logs = tryout._process.logs(found, solved, kept, rows)
    values = np.clip(np.exp(logs), *problem.bounds(1, (0, 1)))
    assert trial.inner[0][rows, 0] == pytest.approx(values, rel=1e-5)


def test_it_helps_where_terms_cannot_follow(layers: Layers) -> None:
    without = choose(layers, FitOptions(FEW, 5))
    beside = choose(layers, FitOptions((*FEW, SECOND_OPINION), 5))
    errors = [rmspe(layers.measured, choice.selection.predicted) for choice in (without, beside)]
    assert errors[1] < 0.7 * errors[0]
    assert any(e.neighbours is not None for e in beside.selection.equations)
    assert len(beside.selection.equations) >= 3


def test_it_is_left_out_where_terms_say_it_all(tmp_path: Path) -> None:
    rows = measured(conv_records(150), lambda t: 1e-8 * t["macs"] + 0.01, noise=0.02)
    layers = layers_of(write_platform(tmp_path / "p", {"conv.csv": rows}), "conv")
    choice = choose(layers, FitOptions((*FEW, SECOND_OPINION), 5))
    assert all(e.neighbours is None for e in choice.selection.equations)


def test_few_terms_asked_for_are_terms_only(layers: Layers) -> None:
    choice = choose(layers, FitOptions((*FEW, SECOND_OPINION), 5, most_terms=20))
    assert all(e.neighbours is None for e in choice.selection.equations)


def test_it_is_no_model_alone(layers: Layers) -> None:
    with pytest.raises(TooFewError, match="no candidate"):
        choose(layers, FitOptions((SECOND_OPINION,), 5))


def test_the_same_bits_from_the_file(layers: Layers, fitted: Model, tmp_path: Path) -> None:
    assert fitted.n_neighbours == len(layers)
    save_model(fitted, tmp_path / "conv.runtime_ms.json")
    again = load_model(tmp_path / "conv.runtime_ms.json")
    one, two = fitted.predict(layers.columns), again.predict(layers.columns)
    assert one.value.tobytes() == two.value.tobytes()
    assert again.to_json() == fitted.to_json()


@given(st.integers(0, 219), st.integers(1, 60))
def test_a_row_does_not_depend_on_its_neighbours_in_a_table(
    layers: Layers, equation: Equation, start: int, count: int
) -> None:
    whole = equation.raw(TermTable(layers.table()))
    rows = np.arange(start, min(start + count, len(layers)))
    part = equation.raw(TermTable(layers.take(rows).table()))
    assert part.tobytes() == whole[rows].tobytes()


def test_it_is_written_out_for_people(layers: Layers, fitted: Model) -> None:
    assert f"sum over {len(layers)} measured layers" in to_text(fitted)
    assert f"\\sum_{{j=1}}^{{{len(layers)}}}" in to_latex(fitted)
    scope: dict[str, Any] = {}
    exec(to_python(fitted), scope)  # our own text, not a file's
    function = scope["conv_runtime_ms"]
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    table = layers.table()
    values = fitted.predict(layers.columns).value
    for i in (0, 50, len(layers) - 1):
        assert function(*(float(table[name][i]) for name in names)) == pytest.approx(values[i])


def test_inference_is_left_out_with_its_reason(layers: Layers) -> None:
    found = fit_layers(layers, FitOptions((*FEW, SECOND_OPINION), 5)).model
    reasons = [entry.get("left_out", "") for entry in found["inference"] if entry]
    assert any("second opinion" in reason for reason in reasons)


SPOILT: dict[str, dict[str, object]] = {
    "no layers": {"layers": []},
    "too many layers": {"layers": ["1 1"] * 2000, "weights": [0.0] * 2000},
    "a layer too short": {"layers": ["1", "2 2"]},
    "weights of another number": {"weights": [1.0]},
    "a length of 0": {"lengths": [0.0, 1.0]},
    "the logarithm of 0": {"layers": ["0 1", "2 2"]},
    "a text": {"layers": ["one 1", "2 2"]},
    "not finite": {"layers": ["inf 1", "2 2"]},
    "a hinge": {"coordinates": [["batch", "above", 1.0], ["bias", "power", 1.0]]},
    "an unknown feature": {"coordinates": [["spin", "log", 1.0], ["bias", "power", 1.0]]},
    "no list": {"weights": "12"},
}


@pytest.mark.parametrize("what", SPOILT)
def test_a_spoilt_file_is_refused(what: str) -> None:
    sound: dict[str, object] = {
        "coordinates": [["batch", "log", 1.0], ["bias", "power", 1.0]],
        "lengths": [1.0, 1.0],
        "layers": ["1 0", "2 1"],
        "weights": [0.5, -0.5],
    }
    assert neighbours_from_json(sound) is not None
    with pytest.raises((ValueError, KeyError, TypeError)):
        neighbours_from_json({**copy.deepcopy(sound), **SPOILT[what]})


def test_an_equation_survives_json(equation: Equation) -> None:
    assert equation_from_json(json.loads(json.dumps(equation_to_json(equation)))) == equation


def test_the_configuration_takes_it_beside_others_only(tmp_path: Path) -> None:
    def listed(text: str) -> Path:
        path = tmp_path / "c.yaml"
        path.write_text(f"fit: {{candidates: [{text}]}}\n")
        return path

    opinion = "[sizes, log, gaussian process]"
    found = load_options(listed(f"[logs, log, stepwise], {opinion}")).candidates
    assert found == (Candidate("logs", "log", "stepwise"), SECOND_OPINION)
    assert DEFAULT_GRID[-1] == SECOND_OPINION
    assert Candidate.from_text(str(SECOND_OPINION)) == SECOND_OPINION
    with pytest.raises(InputError, match="list others too"):
        load_options(listed(opinion))
    with pytest.raises(InputError, match="a gaussian process is"):
        load_options(listed("[wide, log, gaussian process]"))


def test_the_work_of_a_fourier_transform() -> None:
    """A 5 x 5 convolution of 27 x 27 pixels fits one tile of 32, one of 36 x 36 does not."""
    columns = {
        "batch": np.full(3, 32.0),
        "in_channels": np.full(3, 64.0),
        "out_channels": np.full(3, 192.0),
        **dict.fromkeys(("out_height", "out_width"), np.array([27.0, 36.0, 27.0])),
        **dict.fromkeys(("kernel_height", "kernel_width"), np.array([5.0, 5.0, 3.0])),
        **dict.fromkeys(("stride_height", "stride_width"), np.ones(3)),
    }
    table = FeatureTable(columns, "conv")
    assert table["fft_able"].tolist() == [1.0, 0.0, 0.0]
    products = 4 * (32 * 17) * 64 * 192 + 2.5 * 1024 * 10 * (64 + 192)
    assert table["least_macs"][0] == 32 * products
    assert table["least_macs"][1] == table["macs"][1]
    assert table["least_macs"][2] == min(table["macs"][2], table["winograd_4"][2])


def test_a_coordinate_is_a_factor(equation: Equation) -> None:
    near = equation.neighbours
    assert near is not None
    assert Factor("macs", "log") in near.coordinates
