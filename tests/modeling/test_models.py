"""Stored models: the same bits after loading, clear faults, light and fast to load."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from modeling_tables import QUICK, conv_records, fc_records, layers_of, measured, write_platform

from neuralpower.core.configuration import Configuration
from neuralpower.core.errors import InputError
from neuralpower.modeling.equations import to_latex, to_python, to_text
from neuralpower.modeling.features import FeatureTable
from neuralpower.modeling.models import Model, columns_of, load_model, load_models, save_model
from neuralpower.modeling.platforms import fit_platform


def device(table: FeatureTable) -> np.ndarray:
    return 0.02 + 2.5e-7 * table["macs"] ** 0.95 + 2e-7 * table["moved_elements"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    rows = measured(
        conv_records(130), device, noise=0.1, power=lambda t: 50.0 + 5 * np.log(t["macs"])
    )
    fit_platform(write_platform(root / "p", {"conv.csv": rows}), root / "m", QUICK)
    return root


@pytest.fixture(scope="module")
def model(folder: Path) -> Model:
    found = load_models(folder / "m").get("conv", "runtime_ms")
    assert found is not None
    return found


def test_save_load_predict_is_bit_identical(model: Model, folder: Path, tmp_path: Path) -> None:
    columns = layers_of(folder / "p", "conv").columns
    save_model(model, tmp_path / "again.json")
    again = load_model(tmp_path / "again.json")
    one, two = model.predict(columns), again.predict(columns)
    assert one.value.tobytes() == two.value.tobytes()
    assert one.lo.tobytes() == two.lo.tobytes()
    assert one.hi.tobytes() == two.hi.tobytes()
    assert again.to_json() == model.to_json()


def test_a_row_alone_has_the_bits_it_has_in_a_table(model: Model, folder: Path) -> None:
    columns = layers_of(folder / "p", "conv").columns
    whole = model.predict(columns).value
    for i in (0, 1, 63, len(whole) - 1):
        alone = model.predict({name: values[i : i + 1] for name, values in columns.items()})
        assert alone.value[0] == whole[i]


def test_predictions_are_positive_and_inside_their_interval(model: Model) -> None:
    far = columns_of(
        [
            Configuration("conv", 1, 1, 1, 1, 1, 1, 1),
            Configuration("conv", 4096, 4096, 900, 900, 4096, 900, 900, 31, 31),
        ]
    )
    guess = model.predict(far)
    assert (guess.value > 0.0).all()
    assert np.isfinite(guess.value).all()
    assert ((guess.lo <= guess.value) & (guess.value <= guess.hi)).all()
    assert guess.extrapolates[1] == "batch"
    assert guess.extrapolates[0] != ""


def test_an_empty_table_is_fine(model: Model) -> None:
    guess = model.predict(columns_of([]))
    assert len(guess.value) == 0
    assert guess.extrapolates == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.update(schema_version=99), "schema_version 99"),
        (lambda m: m.pop("anchor"), "lacks 'anchor'"),
        (lambda m: m["equations"][0]["terms"][0].update(coefficient="1"), "finite number"),
        (lambda m: m["equations"][0]["terms"][0].update(factors=[["os", "system", 1]]), "unknown"),
        (lambda m: m["interval"].update(lower=None), "finite number"),
        (lambda m: m.update(equations=[]), "there is no equation"),
        (lambda m: m["anchor"]["equation"].update(terms=[]), "an equation has no terms"),
        (lambda m: m["equations"][0].update(factor=0), "0 is given where a positive number"),
        (lambda m: m["equations"][0].update(factor=-1), "-1 is given where a positive number"),
        (lambda m: m.update(lean=0), "0 is given where a positive number"),
        (lambda m: m["anchor"].update(lowest=9e9), "ends of a range are not in order"),
        (lambda m: m["interval"].update(lower=9.0), "ends of a range are not in order"),
        (lambda m: m["interval"].update(knots=[]), "knots in order, each with a scale"),
        (lambda m: m["interval"]["knots"].reverse(), "knots in order, each with a scale"),
    ],
)
def test_damaged_models_are_refused(
    folder: Path, tmp_path: Path, change: object, message: str
) -> None:
    value = json.loads((folder / "m" / "conv.runtime_ms.json").read_text())
    change(value)  # type: ignore[operator]
    path = tmp_path / "conv.runtime_ms.json"
    path.write_text(json.dumps(value))
    with pytest.raises(InputError, match=message):
        load_model(path)


def test_a_model_under_another_name_is_refused(folder: Path, tmp_path: Path) -> None:
    for path in (folder / "m").glob("*.json"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    value = json.loads((tmp_path / "conv.runtime_ms.json").read_text())
    (tmp_path / "conv.runtime_ms.json").write_text(json.dumps(value | {"family": "pool"}))
    with pytest.raises(InputError, match=r"conv\.runtime_ms\.json: holds the model of pool"):
        load_models(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", "null", "\x80pickle", "[" * 100_000])
def test_foreign_files_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(InputError, match=r"x\.json"):
        load_model(path)


def test_folders_without_models_are_refused(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(InputError, match="run `neuralpower fit` first"):
        load_models(tmp_path / "nothing")
    with pytest.raises(InputError, match=r"models\.json"):
        load_models(tmp_path)
    (tmp_path / "models.json").write_text('{"schema_version": 3, "models": ["../x.json"]}')
    with pytest.raises(InputError, match="not the name of a model file"):
        load_models(tmp_path)


def test_prediction_imports_numpy_only(folder: Path) -> None:
    code = (
        "import sys; from neuralpower.modeling.models import load_models, columns_of;"
        "from neuralpower.core.configuration import Configuration;"
        f"m = load_models({str(folder / 'm')!r});"
        "m.get('conv', 'runtime_ms').predict(columns_of([Configuration('conv',1,3,8,8,8,8,8)]));"
        "heavy = {'pandas', 'scipy', 'sklearn', 'statsmodels', 'matplotlib'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_python_form_computes_the_same(model: Model, folder: Path) -> None:
    layers = layers_of(folder / "p", "conv")
    table = layers.table()
    source = to_python(model)
    names = source.split("(", 1)[1].split(")", 1)[0].split(", ")
    scope: dict[str, object] = {}
    exec(source, scope)
    function = scope["conv_runtime_ms"]
    expected = model.predict(layers.columns).value
    for i in range(0, len(layers), 17):
        value = function(*(float(table[name][i]) for name in names))  # type: ignore[operator]
        assert value == pytest.approx(expected[i], rel=1e-9)


def test_equations_are_readable(model: Model) -> None:
    text = to_text(model)
    assert text.startswith("runtime_ms (ms) = ")
    assert "anchor = " in text
    latex = to_latex(model)
    assert latex.count("{") == latex.count("}")
    assert "runtime\\_ms" in latex


def test_the_file_says_where_it_comes_from(folder: Path) -> None:
    value = json.loads((folder / "m" / "conv.runtime_ms.json").read_text())
    for key in ("scores", "baselines", "inference", "in_sample", "provenance", "equation", "noise"):
        assert key in value
    inference = value["inference"][0]
    assert inference["condition_number"] >= 1.0
    assert all(term["standard_error"] >= 0.0 for term in inference["terms"])
    assert len(value["provenance"]["data_sha256"]) == 64


def test_the_distance_outside_of_the_measured_range_is_given(tmp_path: Path) -> None:
    records = measured(fc_records(120), lambda t: 0.01 + 1e-8 * t["macs"])
    fit_platform(write_platform(tmp_path / "p", {"fc.csv": records}), tmp_path / "m", QUICK)
    model = load_models(tmp_path / "m").get("fc", "runtime_ms")
    assert model is not None
    columns = {
        name: np.repeat(v[:1], 4) for name, v in layers_of(tmp_path / "p", "fc").columns.items()
    }
    (low, high), (_, widest) = model.ranges["in_channels"], model.ranges["out_channels"]
    columns["in_channels"] = np.array([high, 2.0 * high, low / 4.0, 2.0 * high])
    columns["out_channels"] = np.array([widest, widest, widest, 3.0 * widest])
    columns["bias"] = np.array([1.0, 1.0, 1.0, 1.0])
    guess = model.predict(columns)
    # The farther one is named; within the range nothing is.
    assert guess.extrapolates == ["", "in_channels", "in_channels", "out_channels"]
    np.testing.assert_array_equal(guess.extrapolates_by, [np.nan, 2.0, 0.25, 3.0])
    # No bias of 0 was measured: outside, but no number of times.
    bare = model.predict({**columns, "bias": np.zeros(4)})
    assert bare.extrapolates == ["bias", "in_channels", "in_channels", "out_channels"]
    assert np.isnan(bare.extrapolates_by[0])
