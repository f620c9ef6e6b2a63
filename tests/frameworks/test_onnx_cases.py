"""The open cases of the command ``onnx``: small files written for this project."""

from __future__ import annotations

from pathlib import Path

import pytest

from neuralpower.cli import main

pytest.importorskip("onnxruntime")
onnx = pytest.importorskip("onnx")

CASES = Path(__file__).resolve().parents[1] / "caffe" / "cases"

#: The file, more words of the command line, and the output's shape.
WRITTEN = [
    ("k19_scale_two_bottoms_axis0", [], "sc 2x8x6x6"),
    ("k36_predict_takes_no_shape_option", ["--blob-shape", "data=1x3x32x32"], "conv 1x4x30x30"),
    ("k36_predict_takes_no_shape_option", ["--data-shape", "3x32x32"], "conv 1x4x30x30"),
    ("k40_shared_prelu_caffemodel", ["--caffemodel", "k40_shared_prelu.caffemodel"], "act 1x4x3x3"),
    ("k42_mvn_1d_onnx", [], "mvn 3x1x1x1"),
    ("k43_params_free_caffemodel", ["--caffemodel", "k43_params_free.caffemodel"], "pool 1x2x2x2"),
    ("k01_nvcaffe_bn_scale_bias", [], "bn 1x8x10x10"),
    ("k02_asymmetric_pad_conv", [], "conv 1x32x112x112"),
    ("k04_textboxes_denser_priors", [], "prior 1x2x2048"),
    ("k06_mish", [], "conv2 1x8x32x32"),
    ("k11_normface_normalize", [], "norm 4x512"),
    ("k14_fused_conv_sum", [], "conv 1x8x16x16"),
    ("k21_deeplab_hole", [], "conv 1x8x25x25"),
    ("k22_v1_crop", [], "prob 1x4x32x32"),
]


@pytest.mark.parametrize(("name", "words", "output"), WRITTEN)
def test_the_model_is_written_and_loads(
    name: str,
    words: list[str],
    output: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(CASES)
    model = tmp_path / "net.onnx"
    assert main(["onnx", f"{name}.prototxt", "--out", str(model), *words]) == 0
    assert f"outputs {output}" in capsys.readouterr().err
    onnx.checker.check_model(onnx.load(model))


def test_a_shared_slope_is_the_file_s(tmp_path: Path) -> None:
    model = tmp_path / "net.onnx"
    words = ["--caffemodel", str(CASES / "k40_shared_prelu.caffemodel")]
    file = str(CASES / "k40_shared_prelu_caffemodel.prototxt")
    assert main(["onnx", file, "--out", str(model), *words]) == 0
    (slope,) = (onnx.numpy_helper.to_array(tensor) for tensor in onnx.load(model).graph.initializer)
    assert slope.ravel().tolist() == pytest.approx([-0.37], rel=1e-4)


def test_a_file_without_layers_is_no_caffemodel(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = tmp_path / "x.caffemodel"
    empty.write_bytes(b"")
    file = str(CASES / "k43_params_free_caffemodel.prototxt")
    status = main(["onnx", file, "--out", str(tmp_path / "y"), "--caffemodel", str(empty)])
    assert status == 2
    assert f"{empty}: holds no layers" in capsys.readouterr().err
    assert not (tmp_path / "y").exists()
