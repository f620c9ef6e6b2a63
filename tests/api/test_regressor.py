"""The layer model as an estimator of scikit-learn."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.utils.estimator_checks import check_estimator

from neuralpower import NeuralPowerRegressor, fit
from neuralpower.api.regressor import NUMBERS

ROOT = Path(__file__).resolve().parents[2]
#: Checks that cannot hold: a size of 0 has no logarithm.
EXPECTED = {"check_regressor_data_not_an_array": "its sizes are 0"}


def measured(family: str) -> tuple[pandas.DataFrame, pandas.Series[float]]:
    table = pandas.read_csv(ROOT / f"measurements/caffe-cpu/{family}.csv.gz")
    return table[list(NUMBERS)], table["runtime_ms"]


def test_the_checks_of_scikit_learn_but_for_one() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = check_estimator(
            NeuralPowerRegressor("softmax", folds=3, whole=False),
            expected_failed_checks=EXPECTED,
            on_skip=None,
        )
    passed = [check for check in found if check["status"] == "passed"]
    assert len(passed) >= len(found) - 2 > 40


def test_it_is_the_model_that_fit_makes() -> None:
    X, y = measured("lrn")
    ours = NeuralPowerRegressor("lrn").fit(X, y)
    theirs = fit(ROOT / "measurements/caffe-cpu/lrn.csv.gz")[0]
    assert ours.scores_["n"] == theirs["n"]
    assert ours.scores_["mape"] == pytest.approx(theirs["mape"], rel=0.15)
    assert ours.equation_.startswith("runtime_ms (ms) =")
    assert ours.score(X, y) > 0.9
    low, high = ours.predict_interval(X)
    value = ours.predict(X)
    assert ((low <= value) & (value <= high)).all()
    assert 0.8 < ((low <= y) & (y <= high)).mean() <= 1


def test_it_is_cloned_searched_and_pickled() -> None:
    X, y = measured("softmax")
    model = NeuralPowerRegressor("softmax", folds=4, seed=3)
    assert clone(model).get_params() == model.get_params()
    fitted = model.fit(X, y)
    again = pickle.loads(pickle.dumps(fitted))  # our own object
    np.testing.assert_array_equal(again.predict(X), fitted.predict(X))
    np.testing.assert_array_equal(clone(model).fit(X, y).predict(X), fitted.predict(X))
    assert cross_val_predict(clone(model), X, y, cv=3).shape == y.shape
    search = GridSearchCV(clone(model), {"folds": [3, 4]}, cv=2).fit(X, y)
    assert search.best_params_["folds"] in (3, 4)


def test_frames_and_arrays_are_the_same() -> None:
    X, y = measured("softmax")
    short = X[["batch", "in_channels"]]
    names = NeuralPowerRegressor("softmax", folds=3).fit(short, y)
    plain = NeuralPowerRegressor("softmax", folds=3).fit(short.to_numpy(), y)
    np.testing.assert_array_equal(names.predict(short), plain.predict(short.to_numpy()))
    assert list(names.feature_names_in_) == ["batch", "in_channels"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch": 0}, "column batch: whole numbers from 1 on"),
        ({"in_height": 2.5}, "column in_height: whole numbers from 1 on"),
        ({"pad_height": -1}, "column pad_height: whole numbers from 0 on"),
    ],
)
def test_values_that_are_no_sizes(change: dict[str, float], message: str) -> None:
    X, y = measured("softmax")
    with pytest.raises(ValueError, match=message):
        NeuralPowerRegressor("softmax").fit(X.assign(**change), y)


@pytest.mark.parametrize(
    ("options", "change", "message"),
    [
        ({"family": "tanhh"}, lambda X, y: (X, y), "family 'tanhh' is none of conv"),
        ({"target": "joules"}, lambda X, y: (X, y), "target 'joules' is none of"),
        ({}, lambda X, y: (X.rename(columns={"batch": "n"}), y), "column 'n' is none of batch"),
        ({}, lambda X, y: (X, y - y.max()), "runtime_ms must be positive"),
        ({}, lambda X, y: (X[:3], y[:3]), r"n_samples = 3: .* at least 5 are needed"),
    ],
)
def test_other_faults(options: dict[str, Any], change: Any, message: str) -> None:
    X, y = change(*measured("softmax"))
    with pytest.raises(ValueError, match=message):
        NeuralPowerRegressor(**{"family": "softmax", **options}).fit(X, y)
