"""A fit never ends in a fault of linear algebra, and absurd rows do not steer it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from modeling_tables import REFERENCE, Record, conv_records, data_of, measured, write_platform

from neuralpower.commands.measurements import _check
from neuralpower.modeling.data import load_dataset
from neuralpower.modeling.features import FeatureTable
from neuralpower.modeling.fitting import FitOptions, choose, fit_layers
from neuralpower.modeling.gram import ESTIMATORS, Gram
from neuralpower.modeling.inference import infer
from neuralpower.modeling.members import Equation
from neuralpower.modeling.models import Model
from neuralpower.modeling.terms import Factor

SLOW = bool(os.environ.get("NEURALPOWER_SLOW"))
CASES = REFERENCE.parent / "cases"
SETS = sorted(path.name for path in REFERENCE.iterdir()) if REFERENCE.is_dir() else []


def law(table: FeatureTable) -> np.ndarray:
    return 0.02 + 1e-7 * table["macs"] + 1e-6 * table["output_elements"]


def rows_of_conv(rows: int = 60) -> list[Record]:
    return measured(conv_records(rows), law, noise=0.05)


@pytest.mark.skipif(not SETS, reason="the reference sets are not beside the repository")
@pytest.mark.parametrize("name", SETS)
def test_random_parts_of_every_set_are_fitted(name: str) -> None:
    """Five to eighty rows of each family and target; every prediction is positive."""
    generator = np.random.default_rng(SETS.index(name))
    for (family, target), layers in sorted(load_dataset(REFERENCE / name).layers.items()):
        if target == "energy_mj" and not SLOW:
            continue  # as runtime and power, a third of the time
        count = round(min(len(layers), np.exp(generator.uniform(np.log(5), np.log(80)))))
        part = layers.take(np.sort(generator.choice(len(layers), count, replace=False)))
        fitted = fit_layers(part, FitOptions(seed=int(generator.integers(100))))
        model = Model.from_json(fitted.model)
        guess = model.predict(layers.columns)
        assert np.isfinite(guess.value).all(), (family, target)
        assert (guess.value > 0.0).all(), (family, target)
        assert (guess.lo <= guess.value).all()
        assert (guess.value <= guess.hi).all()


@pytest.mark.skipif(not CASES.is_dir(), reason="the reference cases are not beside the repository")
def test_the_public_table_on_which_a_fit_once_crashed(tmp_path: Path) -> None:
    shutil.copy(CASES / "fit-singular" / "relu.csv", tmp_path)
    for (_, target), layers in load_dataset(tmp_path).layers.items():
        for seed in range(3 if SLOW or target == "runtime_ms" else 1):
            assert fit_layers(layers, FitOptions(seed=seed)).model["scores"]["rmspe"] > 0.0


def test_figures_of_dependent_terms_are_left_out_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layers = data_of(write_platform(tmp_path, {"conv.csv": rows_of_conv()})).layers
    terms = ((), (Factor("batch"),), (Factor("batch"),))
    equation = Equation("linear", terms, (1.0, 2.0, 3.0), candidate="wide, absolute, lasso")

    def singular(matrix: np.ndarray) -> np.ndarray:
        raise np.linalg.LinAlgError("Singular matrix")

    # Whether rounding makes a dependent design exactly singular differs between processors.
    monkeypatch.setattr(np.linalg, "inv", singular)
    found = infer(layers["conv", "runtime_ms"], equation)
    assert found is not None
    assert found["n"] == 60
    assert "3 terms depend on one another on these 60 layers" in found["left_out"]


@pytest.mark.parametrize("estimator", sorted(ESTIMATORS))
def test_estimators_bear_a_column_only_in_the_folds_left_out(estimator: str) -> None:
    """Total less fold leaves rounding errors of it, and no positive definite matrix."""
    generator = np.random.default_rng(0)
    kept = np.concatenate([np.ones((40, 1)), generator.uniform(1, 2, (40, 4))], axis=1)
    kept[:, 4] = 0.0
    left = 1e4 * np.concatenate([np.ones((5, 1)), generator.uniform(1, 2, (5, 4))], axis=1)
    target = kept[:, 1] + 2.0 * kept[:, 2]
    outside = left.T @ left
    total = kept.T @ kept + outside
    gram = Gram(total, [outside], rows=40, squares=float(target @ target))
    assert gram.diagonal[4] == 0.0
    path = ESTIMATORS[estimator](gram, kept.T @ target, [1, 2, 3, 5])
    assert np.isfinite(path.coefficients).all()
    assert 4 not in path.columns[np.abs(path.coefficients).max(axis=1) > 0.0]


def test_non_negative_bears_any_symmetric_matrix() -> None:
    """What is left of a Gram after subtraction may have negative eigenvalues."""
    generator = np.random.default_rng(1)
    for _ in range(50):
        root = generator.standard_normal((6, 6))
        matrix = root @ np.diag([3.0, 2.0, 1.0, 1e-3, -1e-3, -1e-2]) @ root.T
        matrix[np.diag_indices(6)] = np.abs(np.diag(matrix))
        path = ESTIMATORS["non-negative"](Gram(matrix), generator.standard_normal(6), [1, 3, 6])
        assert np.isfinite(path.coefficients).all()
        assert (path.coefficients >= 0.0).all()


@pytest.mark.parametrize(
    ("change", "column", "reason"),
    [
        ({"batch": 10**9}, "batch", "bytes of data: no device holds them"),
        ({"batch": 10**6}, "runtime_ms", "times what its like take: is every size right?"),
        ({"in_height": 100_000}, "out_height", "an input of 100000 gives an output of"),
        ({"out_width": 1000}, "out_width", "gives an output of"),
        ({"groups": 7}, "groups", "7 groups do not divide the channels"),
        ({"in_channels": 10**9}, "runtime_ms", "multiply-accumulates a second: no device does"),
        ({"runtime_ms": 1e300}, "runtime_ms", "no measurement of a layer"),
        ({"runtime_ms": 1e-300}, "runtime_ms", "no device does"),
    ],
)
def test_one_absurd_row_is_left_out_and_fails_the_check(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: Record,
    column: str,
    reason: str,
) -> None:
    rows = rows_of_conv()
    sound = write_platform(tmp_path / "sound", {"conv.csv": [*rows[:20], *rows[21:]]})
    rows[20] |= change
    folder = write_platform(tmp_path / "absurd", {"conv.csv": rows})
    data = data_of(folder)
    found = [f for f in data.left_out if reason in f.reason]
    assert [(f.file, f.row, f.column) for f in found] == [("conv.csv", 21, column)]
    layers = data.layers["conv", "runtime_ms"]
    assert layers.checksum() == data_of(sound).layers["conv", "runtime_ms"].checksum()
    assert _check([folder], 20) == 1
    assert f"error: conv.csv, row 21: {column}: " in capsys.readouterr().out
    assert _check([sound], 20) == 0


@pytest.mark.skipif(not SETS, reason="the reference sets are not beside the repository")
@pytest.mark.parametrize("name", SETS)
def test_no_sound_row_of_a_public_set_is_left_out(name: str) -> None:
    """Frameworks round and pad in their own ways: all of these are measurements."""
    assert {f.column for f in load_dataset(REFERENCE / name).left_out} <= {"power_w"}


def test_choice_is_not_steered_by_terms_without_finite_squares(tmp_path: Path) -> None:
    rows = rows_of_conv()
    layers = data_of(write_platform(tmp_path, {"conv.csv": rows})).layers["conv", "runtime_ms"]
    layers.columns["batch"] *= np.where(np.arange(len(layers)) % 2, 1e50, 1.0)
    with np.errstate(over="ignore"):
        choice = choose(layers, FitOptions(folds=3))
    assert np.isfinite(choice.selection.predicted).all()
