"""Results with other values than the workflow writes: pages say so, none is a fault of ours."""

from __future__ import annotations

import contextlib
import io
import random
import shutil
from pathlib import Path

import mutations
import pytest

from neuralpower.cli import main

ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT / "published/raptorlake-pytorch"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder of one platform and one network, made without the workflow."""
    folder = tmp_path_factory.mktemp("results") / "results"
    models = folder / "models/board"
    shutil.copytree(MODELS / "models", models)
    (folder / "accuracy").mkdir()
    shutil.copy(MODELS / "accuracy.json", folder / "accuracy/board.json")
    lenet, layers = str(ROOT / "prototxts/lenet.prototxt"), folder / "layers/lenet.csv"
    predictions = folder / "predictions/board/lenet.csv"
    assert main(["layers", lenet, "--out", str(layers)]) == 0
    words = ["predict", lenet, "--models", str(models), "--batch", "1", "--batch", "8"]
    assert main([*words, "--out", str(predictions)]) == 0
    assert main(["report", str(folder), "--out", str(folder.parent / "sound")]) == 0
    return folder


NAMES = (
    "accuracy/board.json",
    "layers/lenet.csv",
    "models/board/cross_validation.csv",
    "models/board/data_quality.csv",
    "models/board/data_ranges.csv",
    "models/board/fc.runtime_ms.json",
    "models/board/models.json",
    "predictions/board/lenet.csv",
)


@pytest.mark.parametrize("name", NAMES)
def test_changed_results_are_said(results: Path, tmp_path: Path, name: str) -> None:
    path, out = results / name, tmp_path / "pages"
    sound = path.read_bytes()
    try:
        for number in range(4):
            draw = random.Random(f"{name} {number}")
            if path.suffix == ".json":
                path.write_bytes(mutations.change_json(draw, sound))
            else:
                text = mutations.change_table(draw, sound.decode())
                path.write_bytes(text.encode("utf-8", "surrogatepass"))
            said = io.StringIO()
            with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
                assert main(["report", str(results), "--out", str(out)]) in (0, 1, 2)
            assert "internal fault" not in said.getvalue()
            for line in said.getvalue().split("\n"):
                assert not line or line.startswith("neuralpower: ")
    finally:
        path.write_bytes(sound)


def test_a_value_of_another_type_in_accuracy_names_its_pages(results: Path, tmp_path: Path) -> None:
    path = results / "accuracy/board.json"
    sound = path.read_text()
    path.write_text(sound.replace('"mape": ', '"mape": [], "was": '))
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            assert main(["report", str(results), "--out", str(tmp_path / "pages")]) == 1
    finally:
        path.write_text(sound)
    assert "the results are not in the form that this version writes" in said.getvalue()
    assert (tmp_path / "pages/index.html").exists()
