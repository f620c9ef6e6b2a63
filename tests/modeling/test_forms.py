"""Forms with a floor or a cap: exact inverses, honest levels, and better where there is a bend."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from modeling_tables import conv_records, layers_of, measured, write_platform

from neuralpower.modeling.baselines import Device
from neuralpower.modeling.crossvalidation import Candidate, Problem, assign_folds, try_candidate
from neuralpower.modeling.data import Layers
from neuralpower.modeling.equations import to_latex, to_python, to_text
from neuralpower.modeling.features import FeatureTable
from neuralpower.modeling.fitting import FitOptions, fit_layers
from neuralpower.modeling.forms import FORMS, Bend, Form, bend_from_json, launch_level
from neuralpower.modeling.models import Model

CAP_W, LAUNCH_MS = 165.0, 0.03


def runtime(table: FeatureTable) -> np.ndarray:
    return np.maximum(LAUNCH_MS, 2.5e-9 * table["macs"] ** 0.95)


def power(table: FeatureTable) -> np.ndarray:
    return np.minimum(CAP_W, 25.0 + 1.2 * table["macs"] ** 0.3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = measured(conv_records(300), runtime, noise=0.01, power=power)
    return write_platform(tmp_path_factory.mktemp("forms") / "p", {"conv.csv": rows})


bends = st.builds(
    Bend,
    st.builds(Form, st.sampled_from(["floor", "cap"]), st.sampled_from([1.0, 2.0, 4.0, 8.0])),
    st.floats(0.01, 1000.0),
)


@given(bends, st.floats(-3.0, 3.0))
def test_a_form_is_undone_exactly_away_from_its_level(bend: Bend, log_ratio: float) -> None:
    f = np.array([bend.level * np.exp(log_ratio)])
    back, weight = bend.unbend(bend.apply(f))
    assert 0.0 <= weight[0] <= 1.0
    if weight[0] > 1e-3:
        assert back[0] == pytest.approx(f[0], rel=1e-6)


@given(bends, st.floats(-1e9, 1e9))
def test_a_value_keeps_to_its_side_of_the_level(bend: Bend, f: float) -> None:
    value = float(bend.apply(np.array([f]))[0])
    assert np.isfinite(value)
    assert value > 0.0
    edge = bend.level * (1 + 1e-12)
    assert value <= edge if bend.form.kind == "cap" else value >= bend.level / (1 + 1e-12)


@given(bends)
def test_the_weight_is_the_slope(bend: Bend) -> None:
    """d ln y / d ln f, by a difference quotient."""
    f = bend.level * np.array([0.3, 0.9, 1.1, 3.0])
    y, step = bend.apply(f), 1e-6
    slope = np.log(bend.apply(f * (1 + step)) / y) / np.log1p(step)
    assert bend.unbend(y)[1] == pytest.approx(slope, rel=1e-3, abs=1e-6)


def test_a_row_beyond_the_level_says_nothing() -> None:
    floor, cap = Bend(FORMS["max(floor, f)"], 1.0), Bend(FORMS["min(cap, f)"], 1.0)
    assert floor.unbend(np.array([0.9, 1.0]))[1].tolist() == [0.0, 0.0]
    assert cap.unbend(np.array([1.0, 1.1]))[1].tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("target", "form"), [("runtime_ms", "max(floor, f)"), ("power_w", "min(cap, f)")]
)
def test_a_bend_is_found_and_kept(folder: Path, target: str, form: str) -> None:
    """The selection takes the form, and errs less by it."""
    layers = layers_of(folder, "conv", target)
    plain = (Candidate("logs", "log", "stepwise"), Candidate("bends", "log", "stepwise"))
    bent = tuple(dataclasses.replace(candidate, form=form) for candidate in plain)
    without = fit_layers(layers, FitOptions(plain))
    fitted = fit_layers(layers, FitOptions((*plain, *bent)))
    assert form in fitted.model["candidate"]
    assert fitted.model["scores"]["rmspe"] < 0.95 * without.model["scores"]["rmspe"]
    model = Model.from_json(json.loads(json.dumps(fitted.model)))
    assert model.to_json() == Model.from_json(model.to_json()).to_json()
    values = model.predict(layers.columns).value
    table = layers.table()
    source: dict[str, object] = {}
    text = to_python(model)
    exec(text, source)
    function = source[f"conv_{target}"]
    names = text.split("(", 1)[1].split(")", 1)[0].split(", ")
    for i in range(0, len(layers), 29):
        value = function(*(float(table[name][i]) for name in names))  # type: ignore[operator]
        assert value == pytest.approx(values[i], rel=1e-9)
    assert ("min(" if target == "power_w" else "max(") in to_text(model)
    assert "^{1/(" in to_latex(model)


def test_a_form_is_not_tried_where_no_rows_are_near_a_level(tmp_path: Path) -> None:
    rows = measured(conv_records(200), lambda t: 1e-6 * t["macs"] ** 0.9, noise=0.05)
    layers = layers_of(write_platform(tmp_path / "p", {"conv.csv": rows}), "conv")
    problem = Problem(layers, assign_folds(layers.groups))
    for form in ("max(floor, f)", "floor + f", "min(cap, f)"):
        assert try_candidate(problem, Candidate("logs", "log", "stepwise", form)) is None


def _outer(layers: Layers, folds: np.ndarray, form: str) -> np.ndarray:
    trial = try_candidate(Problem(layers, folds), Candidate("bends", "log", "stepwise", form))
    assert trial is not None
    return trial.outer


@pytest.mark.parametrize(
    ("target", "form"), [("runtime_ms", "max(floor, f)"), ("power_w", "min(cap, f)")]
)
def test_a_fold_is_predicted_without_its_own_rows(folder: Path, target: str, form: str) -> None:
    """Also the level: a fold's own extremes change nothing in its predictions."""
    layers = layers_of(folder, "conv", target)
    folds = assign_folds(layers.groups)
    inside = folds == 3
    changed = layers.measured.copy()
    changed[inside] *= np.where(changed[inside] > np.median(changed), 1.4, 1.0)
    other = dataclasses.replace(layers, measured=changed)
    one, two = (_outer(x, folds, form)[inside] for x in (layers, other))
    np.testing.assert_allclose(one, two, rtol=1e-6)


def test_damaged_forms_are_refused() -> None:
    good = Bend(Form("cap", 4.0), 165.0)
    assert bend_from_json(good.to_json()) == good
    assert bend_from_json(None) is None
    for change in ({"kind": "step"}, {"level": 0.0}, {"level": -1.0}, {"sharpness": 1e9}):
        with pytest.raises(ValueError, match="form"):
            bend_from_json({**good.to_json(), **change})


def test_power_keeps_to_what_the_board_can_draw(folder: Path) -> None:
    """Neither values nor intervals pass the cap or fall below idle, out of fold and anywhere."""
    layers = layers_of(folder, "conv", "power_w")
    device = Device(idle_power_w=60.0, power_cap_w=150.0)
    fitted = fit_layers(layers, FitOptions((Candidate("logs", "log", "stepwise"),)), device)
    for row in fitted.out_of_fold:
        assert 60.0 <= row["lo"] <= row["predicted"] <= row["hi"] <= 150.0
    model = Model.from_json(json.loads(json.dumps(fitted.model)))
    assert model.limits == (60.0, 150.0)
    columns = {name: np.repeat(values[:1], 3) for name, values in layers.columns.items()}
    columns["in_channels"] = np.array([1.0, 64.0, 1e6])
    guess = model.predict(columns)
    assert guess.lo.min() >= 60.0
    assert guess.hi.max() <= 150.0
    assert (guess.value >= guess.lo).all()
    for damage in ([150.0, 60.0], [0.0, 5.0], ["a", None]):
        with pytest.raises((ValueError, TypeError)):
            Model.from_json({**fitted.model, "limits": damage})


def test_a_launch_level_is_reported_where_there_is_one(folder: Path, tmp_path: Path) -> None:
    layers = layers_of(folder, "conv")
    assert launch_level(layers.measured) == pytest.approx(LAUNCH_MS, rel=0.03)
    assert launch_level(np.geomspace(0.01, 100.0, 300)) is None
