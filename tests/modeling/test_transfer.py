"""A new device from an old one's models; accuracy against the number of measurements."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from modeling_tables import QUICK, conv_records, fc_records, layers_of, measured, write_platform

from neuralpower.cli import main
from neuralpower.core.errors import InputError
from neuralpower.modeling.equations import to_latex, to_python, to_text
from neuralpower.modeling.features import FeatureTable
from neuralpower.modeling.metrics import rmspe
from neuralpower.modeling.models import load_models
from neuralpower.modeling.platforms import fit_platform
from neuralpower.modeling.transfer import transfer_platform
from neuralpower.scoring.learning_curve import learning_curve, write_learning_curve


def old(table: FeatureTable) -> np.ndarray:
    bend = 1.0 + 0.3 * np.tanh(np.log(table["macs"]) - 15.0)
    return 0.02 + 2.5e-7 * table["macs"] * bend + 2e-7 * table["moved_elements"]


def new(table: FeatureTable) -> np.ndarray:
    """The old device, 3 times slower, and slower still for large batches."""
    return 3.0 * old(table) * table["batch"] ** 0.1


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("transfer")
    source = measured(conv_records(400), old, noise=0.03)
    fit_platform(write_platform(root / "old", {"conv.csv": source}), root / "models", QUICK)
    few = measured(conv_records(50, seed=8), new, noise=0.03)
    some = measured(fc_records(30), old, noise=0.03)
    write_platform(root / "new", {"conv.csv": few, "fc.csv": some})
    write_platform(
        root / "unseen", {"conv.csv": measured(conv_records(200, seed=9), new, noise=0.03)}
    )
    return root


def test_transfer_learns_the_scale_and_its_correction(folders: Path, tmp_path: Path) -> None:
    transfer_platform([folders / "models"], folders / "new", tmp_path / "m", QUICK)
    models = load_models(tmp_path / "m")
    model = models.get("conv", "runtime_ms")
    assert model is not None
    assert model.source == "old"
    assert model.parts[0].source == "correction"
    unseen = layers_of(folders / "unseen", "conv")
    guess = model.predict(unseen.columns)
    found = rmspe(unseen.measured, guess.value)
    facts = json.loads((tmp_path / "m" / "conv.runtime_ms.json").read_text())
    # What cross-validation promised from 50 rows holds on 200 others, and beats starting afresh.
    assert found < 1.6 * facts["scores"]["rmspe"]
    assert found < 0.8 * facts["baselines"]["direct"]
    inside = (guess.lo <= unseen.measured) & (unseen.measured <= guess.hi)
    assert 0.75 < inside.mean() <= 1.0
    # A family that the old platform lacks is fitted on its own.
    own = models.get("fc", "runtime_ms")
    assert own is not None
    assert own.parts == ()


def unlike(table: FeatureTable) -> np.ndarray:
    """A device whose runtimes hang on the image's width alone."""
    return 0.5 * table["in_width"] ** 1.5


def test_of_several_devices_the_likest_is_taken_or_none(folders: Path, tmp_path: Path) -> None:
    odd = measured(conv_records(400, seed=3), unlike, noise=0.03)
    fit_platform(write_platform(tmp_path / "odd", {"conv.csv": odd}), tmp_path / "odd-m", QUICK)
    transfer_platform(
        [tmp_path / "odd-m", folders / "models"], folders / "new", tmp_path / "m", QUICK
    )
    model = load_models(tmp_path / "m").get("conv", "runtime_ms")
    assert model is not None
    assert model.parts
    beside = model.facts["baselines"]
    # All ways are scored beside the choice, which is no better than the best: it is nested.
    assert beside["old"] < beside["direct"] < beside["odd"]
    ways = [name for name in beside if name in ("odd", "old", "mixture", "direct") or "+" in name]
    assert model.candidate in ways
    assert beside["nearest + mixture + direct"] > 0
    assert model.facts["scores"]["rmspe"] >= 0.999 * min(beside[name] for name in ways)
    # The unlike device alone is no help: the model is of the new measurements only.
    transfer_platform([tmp_path / "odd-m"], folders / "new", tmp_path / "d", QUICK)
    direct = load_models(tmp_path / "d").get("conv", "runtime_ms")
    assert direct is not None
    assert direct.parts == ()
    assert "source" not in direct.facts["provenance"]
    fit_platform(folders / "new", tmp_path / "fit", QUICK)
    fitted = load_models(tmp_path / "fit").get("conv", "runtime_ms")
    assert fitted is not None
    unseen = layers_of(folders / "unseen", "conv")
    np.testing.assert_array_equal(
        direct.predict(unseen.columns).value, fitted.predict(unseen.columns).value
    )


def halfway(table: FeatureTable) -> np.ndarray:
    """A device between the old one and the unlike one: the geometric mean of the two."""
    return np.asarray(2.0 * np.sqrt(old(table) * unlike(table)))


def test_a_device_between_two_others_is_a_mixture_of_them(folders: Path, tmp_path: Path) -> None:
    odd = measured(conv_records(400, seed=3), unlike, noise=0.03)
    fit_platform(write_platform(tmp_path / "odd", {"conv.csv": odd}), tmp_path / "odd-m", QUICK)
    few = measured(conv_records(40, seed=8), halfway, noise=0.03)
    new = write_platform(tmp_path / "half", {"conv.csv": few})
    transfer_platform([tmp_path / "odd-m", folders / "models"], new, tmp_path / "m", QUICK)
    model = load_models(tmp_path / "m").get("conv", "runtime_ms")
    assert model is not None
    assert model.candidate == "mixture"
    exponents = {model.source: model.exponent, **{p.source: p.exponent for p in model.parts}}
    assert exponents["odd"] == pytest.approx(0.5, abs=0.1)
    # The old device's work is in the powers of work and sizes too: no single split is right.
    assert 0.3 < exponents["old"] < 0.9
    beside = model.facts["baselines"]
    assert beside["mixture"] < 0.6 * min(beside["odd"], beside["old"], beside["direct"])
    rest = measured(conv_records(200, seed=9), halfway, noise=0.03)
    unseen = layers_of(write_platform(tmp_path / "rest", {"conv.csv": rest}), "conv")
    assert rmspe(unseen.measured, model.predict(unseen.columns).value) < 12.0
    # What people read says what is multiplied, and the Python source computes it.
    text = to_text(model)
    assert text.startswith("runtime_ms (ms) = p1^0.")
    assert "p2 (old) = " in text
    assert to_latex(model).count("{") == to_latex(model).count("}")
    source = to_python(model)
    names = source.split("(", 1)[1].split(")", 1)[0].split(", ")
    scope: dict[str, object] = {}
    exec(source, scope)
    table = unseen.table()
    expected = model.predict(unseen.columns).value
    for i in range(0, len(unseen), 41):
        value = scope["conv_runtime_ms"](*(float(table[name][i]) for name in names))  # type: ignore[operator]
        assert value == pytest.approx(expected[i], rel=1e-9)


def test_a_source_is_named_once(folders: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a second time"):
        transfer_platform([folders / "models"] * 2, folders / "new", tmp_path / "m", QUICK)


def test_a_transferred_model_is_no_source(
    folders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "quick.yaml"
    config.write_text("fit: {folds: 3, candidates: [[physical, relative, non-negative]]}")
    words = ["transfer", str(folders / "new"), "--out", str(tmp_path / "b"), "--models"]
    assert main([*words, str(folders / "models"), "--config", str(config)]) == 0
    again = ["transfer", str(folders / "new"), "--out", str(tmp_path / "c"), "--models"]
    assert main([*again, str(tmp_path / "b")]) == 2
    assert "transferred themselves" in capsys.readouterr().err


def test_a_transfer_says_whether_more_measurements_would_help(
    folders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "quick.yaml"
    config.write_text("fit: {folds: 3, candidates: [[physical, relative, non-negative]]}")
    words = ["transfer", str(folders / "new"), "--config", str(config), "--models"]
    assert main([*words, str(folders / "models"), "--out", str(tmp_path / "m")]) == 0
    said = [line for line in capsys.readouterr().err.splitlines() if "off on average" in line]
    assert [line.split(" layers")[0] for line in said] == ["conv: 50", "fc: 30"]
    rows = list(csv.DictReader((tmp_path / "m" / "learning_curve.csv").open()))
    sizes = [int(row["configurations"]) for row in rows if row["family"] == "conv"]
    assert sizes == [12] * 3 + [25] * 3 + [50]
    scores = json.loads((tmp_path / "m" / "conv.runtime_ms.json").read_text())["scores"]
    assert float(rows[6]["mape"]) == pytest.approx(scores["mape"])


def test_more_measurements_are_better(folders: Path, tmp_path: Path) -> None:
    layers = layers_of(folders / "old", "conv")
    rows = list(learning_curve(layers, QUICK, sizes=(25, 200)))
    assert [row["configurations"] for row in rows] == [25] * 3 + [200] * 3
    error = {
        size: np.median([r["rmspe"] for r in rows if r["configurations"] == size])
        for size in (25, 200)
    }
    assert error[200] < error[25]
    assert list(learning_curve(layers, QUICK, sizes=(390,))) == []


def test_the_curve_is_a_table(folders: Path, tmp_path: Path) -> None:
    from neuralpower.modeling.data import load_dataset

    data = load_dataset(folders / "new")
    for name in ("a", "b"):
        write_learning_curve(data, tmp_path / name / "curve.csv", QUICK)
    assert (tmp_path / "a" / "curve.csv").read_text().count("\n") == 4  # fc has too few to spare
    first, second = (tmp_path / name / "curve.csv" for name in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()
