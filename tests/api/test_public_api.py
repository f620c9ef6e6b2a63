"""The public face: examples that run, the figures of the commands, tables that convert."""

from __future__ import annotations

import csv
import doctest
import importlib
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas
import pytest

import neuralpower
from neuralpower.cli import main

ROOT = Path(__file__).resolve().parents[2]
MODULES = ("neuralpower", *(f"neuralpower.api.{n}" for n in
           ("models", "networks", "predicting", "regressor", "results")))  # fmt: skip
ALEXNET, LENET = "prototxts/alexnet.prototxt", "prototxts/lenet.prototxt"


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("user")
    for name in ("prototxts", "measurements"):
        (folder / name).symlink_to(ROOT / name)
    neuralpower.fit(
        ROOT / "measurements/caffe-cpu",
        networks=ROOT / "prototxts",
        out=folder / "results/models/caffe-cpu",
    )
    return folder


@pytest.fixture
def user(fitted: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder, as the current one."""
    monkeypatch.chdir(fitted)
    return fitted


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_run_as_they_stand(name: str, user: Path) -> None:
    found = doctest.testmod(importlib.import_module(name))
    assert found.failed == 0
    assert found.attempted > 0 or name.endswith("results")


def test_every_public_function_has_an_example() -> None:
    for name in neuralpower.__all__:
        thing = getattr(neuralpower, name)
        assert ">>>" in (thing.__doc__ or "") or name == "InputError", name
        assert name in dir(neuralpower)
    with pytest.raises(AttributeError, match="no attribute 'predictor'"):
        _ = neuralpower.predictor


def test_importing_the_package_loads_nothing_heavy() -> None:
    program = "import sys, neuralpower; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert not loaded & {"numpy", "pandas", "sklearn", "google.protobuf"}


def predicted_by_command(*words: str, capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    capsys.readouterr()
    assert main(list(words)) == 0
    return list(csv.DictReader(io.StringIO(capsys.readouterr().out)))


@pytest.mark.parametrize("batch", [1, 16])
def test_predictions_are_those_of_the_command(
    batch: int, user: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = "results/models/caffe-cpu"
    theirs = predicted_by_command(
        "predict", ALEXNET, "--models", models, "--batch", str(batch), capsys=capsys
    )
    ours = neuralpower.predict(ALEXNET, "caffe-cpu", batch)
    assert [str(row["name"]) for row in ours] == [row["name"] for row in theirs]
    for mine, row in zip(ours, theirs, strict=True):
        for target in ("runtime_ms", "runtime_ms_lo", "runtime_ms_hi", "power_w", "energy_mj"):
            assert mine[target] == (float(row[target]) if row[target] else None)
    alone = sum(
        row["runtime_ms"] or 0.0
        for row in neuralpower.predict(ALEXNET, _without_composition(user), batch).layers
    )
    assert ours.runtime_ms != pytest.approx(alone, rel=1e-6)  # the composition is in it


def _without_composition(user: Path) -> Path:
    """The same models without what whole passes taught."""
    import shutil

    folder = user / "plain"
    if not folder.exists():
        shutil.copytree(user / "results/models/caffe-cpu", folder)
        (folder / "composition.json").unlink()
    return folder


def test_networks_of_either_form_and_their_figures(user: Path) -> None:
    network = neuralpower.read_network(ALEXNET)
    assert (network.name, network.batch, len(network)) == ("alexnet", 1, 24)
    assert (network.macs, network.params) == (726_791_936, 60_965_224)
    assert network.at_batch(4).macs == 4 * network.macs
    shaped = neuralpower.read_network(LENET, shapes={"data": (2, 1, 32, 32)})
    assert shaped[1]["top_shapes"] == "2x20x28x28"
    with pytest.raises(neuralpower.InputError, match=r"no\.prototxt: no such file"):
        neuralpower.read_network("no.prototxt")


def test_what_predict_takes_and_returns(user: Path) -> None:
    models = neuralpower.load_models("caffe-cpu")
    network = neuralpower.read_network(LENET, batch=8)
    one = neuralpower.predict(network, models)
    assert (one.network, one.batch, one.platform) == ("lenet", 8, "caffe-cpu")
    assert one.runtime_ms == neuralpower.predict(LENET, models, batch=8).runtime_ms
    several = neuralpower.predict([LENET, ALEXNET], models, batch=[1, 2])
    assert [(p.network, p.batch) for p in several.parts] == [
        ("lenet", 1), ("lenet", 2), ("alexnet", 1), ("alexnet", 2),
    ]  # fmt: skip
    assert several.totals().to_frame()["runtime_ms"].is_monotonic_increasing
    assert one.energy_mj is None
    assert one.interval("energy_mj") is None


@pytest.mark.parametrize("kind", ["layers", "predictions", "comparison", "explanation", "scores"])
def test_tables_convert_and_show_themselves(kind: str, user: Path) -> None:
    models = neuralpower.load_models("caffe-cpu")
    make: dict[str, Any] = {
        "layers": lambda: neuralpower.read_network(LENET),
        "predictions": lambda: neuralpower.predict(LENET, models),
        "comparison": lambda: neuralpower.compare([LENET, ALEXNET], models, batch=[1, 4]),
        "explanation": lambda: neuralpower.explain(LENET, models, layers=3),
        "scores": lambda: models,
    }
    table = make[kind]()
    frame = table.to_frame()
    assert list(frame.columns) == list(table.columns)
    assert len(frame) == len(table) == len(list(table)) > 0
    document = json.loads(json.dumps(table.to_dict(), allow_nan=False))
    assert (document["schema"], document["schema_version"]) == (f"neuralpower.{kind}", 1)
    assert list(document["rows"][0]) == document["columns"]
    shown, html = repr(table), table._repr_html_()
    assert any(word in shown for word in ("lenet", "ip1", "runtime_ms"))
    assert max(map(len, shown.splitlines())) <= 100 or kind == "explanation"
    assert html.count("<tr>") == len(table) + 1
    assert "<script" not in html


def test_names_from_files_are_escaped_in_a_notebook(tmp_path: Path) -> None:
    text = 'layer { name: "<script>" type: "Input" top: "x" input_param { shape { dim: 1 } } }'
    (tmp_path / "n.prototxt").write_text(text)
    html = neuralpower.read_network(tmp_path / "n.prototxt")._repr_html_()
    assert "&lt;script&gt;" in html
    assert "<script>" not in html


def test_long_tables_are_cut_in_a_notebook(user: Path) -> None:
    html = neuralpower.read_network("prototxts/resnet152.prototxt")._repr_html_()
    assert html.count("<tr>") == 62
    assert "611 more rows" in html


def test_models_are_found_by_name_or_folder(user: Path) -> None:
    by_name = neuralpower.load_models("caffe-cpu")
    by_folder = neuralpower.load_models(user / "results/models/caffe-cpu")
    assert by_name.rows == by_folder.rows
    assert by_name.families == sorted({row["family"] for row in by_name})
    with pytest.raises(neuralpower.InputError, match=r"no models of 'my-gpu': there is no results"):
        neuralpower.load_models("my-gpu")


def test_fit_takes_a_folder_a_table_and_a_frame(user: Path, tmp_path: Path) -> None:
    path = "measurements/caffe-cpu/lrn.csv.gz"
    frame = pandas.read_csv(path)
    from_frame, from_table = neuralpower.fit(frame), neuralpower.fit(path)
    assert from_frame.rows == from_table.rows
    assert from_frame.families == ["lrn"]
    kept = neuralpower.fit(frame, out=tmp_path / "models")
    assert kept.folder == tmp_path / "models"
    assert (tmp_path / "models/models.json").exists()
    folder = from_table.folder
    assert folder.exists()
    del from_table
    assert not folder.exists()  # a temporary folder goes with the models
    with pytest.raises(neuralpower.InputError, match="column 'batch' is missing"):
        neuralpower.fit(frame.drop(columns="batch"))
    with pytest.raises(neuralpower.InputError, match="no such folder or table"):
        neuralpower.fit("nothing.csv")


def test_the_notebook_runs(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    execute = importlib.import_module("run_notebook").execute
    path = ROOT / "docs/notebooks/first_estimate.ipynb"
    stored = json.loads(path.read_text(encoding="utf-8"))
    again = execute(json.loads(path.read_text(encoding="utf-8")), user)
    cells = [(a, b) for a, b in zip(stored["cells"], again["cells"], strict=True) if "outputs" in a]
    assert len(cells) > 6
    for before, after in cells:
        kinds = [[sorted(o.get("data", o)) for o in cell["outputs"]] for cell in (before, after)]
        assert kinds[0] == kinds[1]
    assert "MAPE out of fold" in json.dumps(again)
