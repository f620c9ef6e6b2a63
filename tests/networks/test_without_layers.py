"""Files without layers (settings of a solver, empty ones): one line and exit status 2."""

from __future__ import annotations

from pathlib import Path

import pytest

import neuralpower
from neuralpower.cli import main

ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT / "published/raptorlake-pytorch/models"
LENET = ROOT / "prototxts/lenet.prototxt"
FILES = {
    "solver": ('net: "train_val.prototxt"\nbase_lr: 0.01\n', "this is settings of a solver: give"),
    "empty": ("", "this is no network: give a file with layers"),
    "words": ("# nothing\n", "this is no network: give a file with layers"),
    "other_phase": (
        'layer { name: "a" type: "Input" top: "a" include { phase: TRAIN } '
        "input_param { shape { dim: 1 } } }",
        "give a file with layers (of this phase and stage)",
    ),
}


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("command", ["layers", "predict", "compare", "explain", "onnx"])
def test_it_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, kind: str
) -> None:
    text, said = FILES[kind]
    net, out = tmp_path / f"{kind}.prototxt", tmp_path / "out"
    net.write_text(text)
    words = ["--models", str(MODELS)] if command in ("predict", "compare", "explain") else []
    if command == "onnx":
        pytest.importorskip("onnxruntime")
    assert main([command, str(net), *words, "--out", str(out)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert printed.err.startswith(f"neuralpower: {net}: no layers: ")
    assert said in printed.err
    assert not out.exists()


@pytest.mark.parametrize("command", ["layers", "predict", "compare"])
def test_among_several_the_others_are_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    nets = [str(tmp_path / f"{kind}.prototxt") for kind in FILES]
    for net, (text, _) in zip(nets, FILES.values(), strict=True):
        Path(net).write_text(text)
    words = [] if command == "layers" else ["--models", str(MODELS)]
    if command == "compare":
        words += ["--networks-file", str(ROOT / "prototxts/networks.yaml")]
    assert main([command, nets[0], str(LENET), *nets[1:], *words]) == 2
    printed = capsys.readouterr()
    assert [line.count("no layers: ") for line in printed.err.splitlines()].count(1) == len(nets)
    alone = [command, str(LENET), *words]
    assert main(alone) == 0
    assert printed.out == capsys.readouterr().out


def test_where_none_is_left_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nets = [str(tmp_path / name) for name in ("a.prototxt", "b.prototxt")]
    for net in nets:
        Path(net).write_text("")
    assert main(["predict", *nets, "--models", str(MODELS)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert [line.split(": ")[1] for line in printed.err.splitlines()] == nets


def test_programs_hear_it_too(tmp_path: Path) -> None:
    net = tmp_path / "x.prototxt"
    net.write_text("")
    with pytest.raises(neuralpower.InputError, match="no layers: this is no network"):
        neuralpower.read_network(net)


def test_a_network_without_shapes_is_explained_as_it_is_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net = tmp_path / "x.prototxt"
    net.write_text(
        'layer { name: "c" type: "Convolution" bottom: "data" top: "c" '
        "convolution_param { num_output: 8 kernel_size: 3 } }"
    )
    reason = "no prediction: no layer with a model has a known shape (shape unknown: the shape of"
    assert main(["explain", str(net), "--models", str(MODELS)]) == 2
    said = capsys.readouterr().err
    first, last = said.splitlines()
    assert first.startswith(f"{net}:1: shape unknown from here on: ")
    assert last.startswith(f"neuralpower: {net}: {reason}")
    assert "give --blob-shape" in said
    assert main(["compare", str(net), "--models", str(MODELS)]) == 0
    assert reason in capsys.readouterr().out
