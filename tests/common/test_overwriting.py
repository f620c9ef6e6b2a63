"""No command writes over what it reads, whatever way the path is written."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from neuralpower.cli import main

ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT / "published/a100-pytorch/models"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "prototxts/lenet.prototxt", "net.prototxt")
    shutil.copytree(MODELS, "models")
    shutil.copytree(ROOT / "measurements/caffe-cpu", "measured")
    (tmp_path / "link").symlink_to("models")
    (tmp_path / "sheet.yaml").write_text("peak_gflops: 9000\nbandwidth_gb_s: 300\n")
    (tmp_path / "table.csv").write_text("family,batch,in_channels,out_channels\nfc,1,8,8\n")
    (tmp_path / "a.json").write_text("{}")
    return tmp_path


def _files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "line",
    [
        "transfer --data-sheet sheet.yaml --models models --out models",
        "transfer --data-sheet sheet.yaml --models models --out x/../models/",
        "transfer --data-sheet sheet.yaml --models models --out link",
        "transfer measured --models models --out measured",
        "fit measured --out measured",
        "layers net.prototxt --out net.prototxt",
        "layers net.prototxt --out ./net.prototxt",
        "onnx net.prototxt --out net.prototxt",
        "predict net.prototxt --models models --out net.prototxt",
        "predict --table table.csv --models models --out table.csv",
        "predict net.prototxt --models models --out a.csv --totals a.csv",
        "predict net.prototxt --models models --totals net.prototxt",
        "explain net.prototxt --models models --out net.prototxt",
        "compare net.prototxt --models models --out net.prototxt",
        "sweep --config sheet.yaml --out s --layers table.csv --out table.csv",
        "gate a.json --baseline a.json --out a.json",
        "shards split table.csv --shards 2 --out table.csv",
        "measurements merge measured --platform x --out measured",
        "calibrate measured --models models --out measured/conv.csv.gz",
        "evaluate measured --models models --out models/models.json",
        "fit measured --out x --learning-curve measured/conv.csv.gz",
        "explain net.prototxt --models models --out models/conv.runtime_ms.json",
    ],
)
def test_an_output_is_no_input(place: Path, capsys: pytest.CaptureFixture[str], line: str) -> None:
    before = _files(place)
    assert main(line.split()) == 2
    said = capsys.readouterr().err
    assert "is in use by this command: name another --" in said
    assert said.count("\n") == 1
    assert _files(place) == before


def test_adapt_looks_before_it_measures(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "o/models").mkdir(parents=True)
    shutil.copytree("models", "o/models/new")
    words = "adapt --config sheet.yaml --models o/models/new --platform new --out o"
    assert main(words.split()) == 2
    assert "o/models/new: is in use by this command" in capsys.readouterr().err
