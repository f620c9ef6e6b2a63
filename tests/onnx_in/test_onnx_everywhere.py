"""ONNX models wherever a prototxt is taken: the commands, and the folder of networks."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from neuralpower.cli import main
from neuralpower.core.network_files import find_networks, network_file, network_name
from neuralpower.project.questions import networks

pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")

ROOT = Path(__file__).resolve().parents[2]
LENET = ROOT / "prototxts/lenet.prototxt"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("onnx") / "lenet.onnx"
    assert main(["onnx", str(LENET), "--out", str(path)]) == 0
    return path


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_layers_of_a_model(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["layers", str(model), "--batch", "7"]) == 0
    ours = capsys.readouterr().out
    assert main(["layers", str(LENET), "--batch", "7"]) == 0
    assert rows(ours) == rows(capsys.readouterr().out)


def test_predict_explain_and_compare_a_model(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    header = "family,batch,in_channels,in_height,in_width,out_channels,out_height,out_width,"
    header += "kernel_height,kernel_width,stride_height,stride_width,pad_height,pad_width,"
    header += "dilation_height,dilation_width,groups,pool_method,bias,runtime_ms,power_w\n"
    lines = [
        f"conv,{1 + i % 4},{i % 5 + 1},{s},{s},{o},{s - 4},{s - 4},5,5,1,1,0,0,1,1,1,,1,"
        f"{1e-6 * (1 + i % 4) * (i % 5 + 1) * o * 25 * (s - 4) ** 2 + 0.01},\n"
        for i in range(40)
        for s, o in [(8 + i % 7, 4 * (1 + i % 9))]
    ]
    (tmp_path / "board").mkdir()
    (tmp_path / "board/conv.csv").write_text(header + "".join(lines))
    models = str(tmp_path / "models")
    prototxt = tmp_path / "lenet.prototxt"
    prototxt.write_text(LENET.read_text())
    assert main(["fit", str(tmp_path / "board"), "--out", models]) == 0
    for command in (["predict"], ["explain", "--layers", "2"], ["compare"]):
        capsys.readouterr()
        said = []
        for path in (model, prototxt):
            assert main([command[0], str(path), "--models", models, *command[1:]]) == 0
            said.append(capsys.readouterr().out)
        assert said[0] == said[1] != ""


def test_a_folder_of_networks_holds_both_forms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("prototxts").mkdir()
    for name in ("b.prototxt", "a.onnx", "networks.yaml"):
        Path("prototxts", name).touch()
    assert networks("all", find_networks("prototxts")) == ["a", "b"]
    assert network_file("a") == "prototxts/a.onnx"
    assert network_file("b") == "prototxts/b.prototxt"
    assert network_file("new") == "prototxts/new.prototxt"
    Path("prototxts/a.prototxt").touch()
    assert network_file("a") == "prototxts/a.prototxt"
    assert "same name" in find_networks("prototxts").refused["a.onnx"]


def test_names_of_files() -> None:
    assert [network_name(n) for n in ("x/a.b.onnx", "c.prototxt.gz", ".onnx")] == [
        "a.b", "c", ".onnx",
    ]  # fmt: skip
