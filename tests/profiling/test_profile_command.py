"""The commands on real input: a few layers and a small network through ONNX Runtime."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("onnxruntime")
import onnx

from neuralpower.cli import main
from neuralpower.core.configuration import CONFIGURATION_COLUMNS, Configuration
from neuralpower.core.errors import InputError
from neuralpower.core.files import csv_text
from neuralpower.networks.reading import Readings
from neuralpower.records.folder import (
    load_network_layer_rows,
    load_network_rows,
    load_platform,
    load_rows,
)
from neuralpower.records.sealing import keep

NET = """
name: "tiny"
layer { name: "data" type: "Input" top: "data"
  input_param { shape { dim: 1 dim: 3 dim: 16 dim: 16 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 8 kernel_size: 3 pad: 1 } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool"
  pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 } }
layer { name: "fc" type: "InnerProduct" bottom: "pool" top: "fc"
  inner_product_param { num_output: 10 } }
layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }
"""
LAYERS = (
    Configuration("conv", 2, 4, 12, 12, 8, 12, 12, 3, 3, 1, 1, 1, 1, bias=1),
    Configuration("conv", 1, 8, 12, 12, 8, 5, 5, 3, 3, 2, 2, 0, 0, groups=4),
    Configuration("deconv", 1, 4, 6, 6, 8, 12, 12, 4, 4, 2, 2, 1, 1, bias=1),
    Configuration("pool", 2, 4, 9, 9, 4, 5, 5, 3, 3, 2, 2, 1, 1, pool_method="ave"),
    Configuration("pool", 2, 4, 9, 9, 4, 4, 4, 3, 3, 2, 2, 0, 0, pool_method="max"),
    Configuration("fc", 4, 64, 1, 1, 10, 1, 1, bias=1),
    Configuration("lrn", 1, 8, 6, 6, 8, 6, 6),
    Configuration("batchnorm", 1, 8, 6, 6, 8, 6, 6),
    Configuration("scale", 1, 8, 6, 6, 8, 6, 6, bias=1),
    *(
        Configuration(family, 1, 8, 6, 6, 8, 6, 6)
        for family in ("relu", "sigmoid", "tanh", "elu", "prelu", "softmax", "dropout")
    ),
    Configuration("eltwise", 1, 8, 6, 6, 8, 6, 6, inputs=3),
    Configuration("concat", 1, 8, 6, 6, 24, 6, 6, inputs=3),
)
QUICK = ("--min-time", "2ms", "--max-time", "4ms", "--twice", "0", "--thrice", "0")


@pytest.fixture
def sources(tmp_path: Path) -> list[str]:
    net = tmp_path / "tiny.prototxt"
    net.write_text(NET)
    table = tmp_path / "layers.csv"
    table.write_text(csv_text(CONFIGURATION_COLUMNS, [c.as_row() for c in LAYERS]))
    return [str(table), f"{net}@1,4"]


def profile(*words: str) -> int:
    return main(["profile", *words, *QUICK])


def test_the_networks_are_kept_as_they_were_measured(tmp_path: Path) -> None:
    net, out = tmp_path / "tiny.prototxt", tmp_path / "here"
    net.write_text(NET)
    (tmp_path / "networks.yaml").write_text("tiny: {stages: deploy}\nother: {level: 2}\n")
    words = (f"{net}@1", "--platform", "here", "--out", str(out), "--meter", "none")
    assert profile(*words) == 0
    assert (out / "prototxts/tiny.prototxt").read_text() == NET
    assert Readings().of(out / "prototxts/tiny.prototxt").as_facts() == {"stages": ["deploy"]}
    files = load_platform(out).manifest.files or {}
    assert {"prototxts/networks.yaml", "prototxts/tiny.prototxt"} <= files.keys()
    assert keep(out, tmp_path / "kept")
    assert [path.stem for path in load_platform(tmp_path / "kept").prototxts] == ["tiny"]
    manifest = json.loads((out / "manifest.json").read_text()) | {"complete": False}
    (out / "manifest.json").write_text(json.dumps(manifest))
    keeping = ["measurements", "keep", str(out), "--out", str(tmp_path / "cut")]
    assert main(keeping) == 2
    assert main([*keeping, "--unfinished"]) == 0
    assert not load_platform(tmp_path / "cut").manifest.complete
    with pytest.raises(InputError, match="local is the name of what is measured on this machine"):
        keep(out, tmp_path / "local")
    assert not (tmp_path / "local").exists()


def test_every_family_and_a_network_are_measured(
    sources: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "here"
    words = (*sources, "--platform", "here", "--out", str(out), "--layers-of-networks")
    assert profile(*words, "--meter", "none") == 0
    rows = load_rows(out)
    assert {row.values["family"] for row in rows} == {c.family for c in LAYERS}
    assert all(row.values["runtime_ms"] > 0 for row in rows)
    networks = load_network_rows(out)
    assert len(networks) == 6
    assert {(row.values["network"], row.values["batch"]) for row in networks} == {
        ("tiny", 1),
        ("tiny", 4),
    }
    inside = [row.values["name"] for row in load_network_layer_rows(out)]
    assert inside == ["conv", "relu", "pool", "fc", "prob"] * 2
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["executor"]["threads_intra"] == 1
    assert manifest["executor"]["graph_optimisation"] == "ORT_DISABLE_ALL"
    assert manifest["power"] == {
        "measured": False,
        "reason": "power was not asked for (meter none)",
    }
    assert manifest["peak_gflops"] > 0
    capsys.readouterr()
    assert main(["measurements", "check", str(out)]) == 0
    assert "0 errors" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("batch,x", "row 1: column batch: 'x' is not a whole number"),
        ("family,wave", "row 1: column family: 'wave' is not a layer family"),
        ("out_height,13", "row 1: conv: an input of 12 gives an output of 12, not 13"),
        ("groups,3", "row 1: conv: 3 groups do not divide the channels"),
        ("stride_width,0", "row 1: column stride_width: 0 is out of its range"),
    ],
)
def test_a_faulty_table_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: str, message: str
) -> None:
    name, value = change.split(",")
    table = tmp_path / "layers.csv"
    table.write_text(csv_text(CONFIGURATION_COLUMNS, [LAYERS[0].as_row() | {name: value}]))
    out = tmp_path / "here"
    assert profile(str(table), "--platform", "here", "--out", str(out)) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not out.exists()


@pytest.mark.parametrize("words", [("--platform", "../up"), ("--meter", "magic")])
def test_faulty_arguments_are_one_line(
    sources: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, str]
) -> None:
    named = ("--platform", "here", *words, "--out", str(tmp_path / "here"))
    assert profile(*sources, *named) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_pinning_holds_in_the_process_that_measures(tmp_path: Path, sources: list[str]) -> None:
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("this system cannot bind a process to a core")
    core = max(os.sched_getaffinity(0))
    out = tmp_path / "here"
    words = [sources[1], "--platform", "here", "--out", str(out), "--pin", str(core), *QUICK]
    subprocess.run([sys.executable, "-m", "neuralpower", "profile", *words], check=True)
    assert json.loads((out / "manifest.json").read_text())["affinity"] == [core]


def test_onnx_command_writes_a_checked_model(tmp_path: Path, sources: list[str]) -> None:
    net, out = sources[1].partition("@")[0], tmp_path / "net.onnx"
    assert main(["onnx", net, "--out", str(out), "--batch", "5"]) == 0
    first = out.read_bytes()
    model = onnx.load(str(out))
    onnx.checker.check_model(model, full_check=True)
    shape = model.graph.output[0].type.tensor_type.shape
    assert [dim.dim_value for dim in shape.dim] == [5, 10]
    assert main(["onnx", net, "--out", str(out), "--batch", "5"]) == 0
    assert out.read_bytes() == first
    assert main(["onnx", net, "--out", str(out), "--batch", "5", "--seed", "1"]) == 0
    assert out.read_bytes() != first


def test_onnx_command_takes_the_parameters_of_a_caffemodel(
    tmp_path: Path, sources: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    import numpy
    from onnx import numpy_helper

    from neuralpower.caffe import caffe_pb2

    values = numpy.arange(8 * 27, dtype=numpy.float32).reshape(8, 3, 3, 3)
    trained = caffe_pb2.NetParameter(name="tiny")
    blobs = trained.layer.add(name="conv", type="Convolution").blobs
    blobs.add(data=values.ravel().tolist()).shape.dim.extend(values.shape)
    blobs.add(data=[1.0] * 8).shape.dim.append(8)
    path = tmp_path / "tiny.caffemodel"
    path.write_bytes(trained.SerializeToString())
    net, out = sources[1].partition("@")[0], tmp_path / "net.onnx"
    words = ["onnx", net, "--out", str(out), "--caffemodel", str(path)]
    assert main(words) == 0
    assert "random instead: fc" in capsys.readouterr().err
    tensors = {t.name: numpy_helper.to_array(t) for t in onnx.load(str(out)).graph.initializer}
    assert any(numpy.array_equal(tensor, values) for tensor in tensors.values())
    path.write_bytes(path.read_bytes()[:-20])
    out.unlink()
    assert main(words) == 2
    assert not out.exists()
    assert "not a .caffemodel" in capsys.readouterr().err


def test_check_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    header = (*CONFIGURATION_COLUMNS, "runtime_ms", "power_w", "repeat")
    row = LAYERS[0].as_row() | {"runtime_ms": "1.5", "repeat": "1"}
    bad = row | {"runtime_ms": "-1", "repeat": "2"}
    text = csv_text(header, [row, row, bad, row | {"runtime_ms": "900", "repeat": "3"}])
    (tmp_path / "conv.csv.gz").write_bytes(gzip.compress(text.encode()))
    assert main(["measurements", "check", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "error: conv.csv.gz, row 3: runtime_ms: runtime -1 is not positive" in out
    assert "error: conv.csv.gz, row 2: repeats conv.csv.gz, row 1 exactly" in out
    assert "warning: conv.csv.gz, row 4: 600 times the runtime" in out
    assert "2 errors, 2 warnings" in out


def test_check_suspects_a_unit_slip(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    header = (*CONFIGURATION_COLUMNS, "runtime_ms", "power_w", "repeat")
    layers = [Configuration("fc", n, 512, 1, 1, 512, 1, 1) for n in range(1, 9)]

    def shard(name: str, unit: float) -> None:
        rows = [c.as_row() | {"runtime_ms": c.batch * unit, "repeat": "1"} for c in layers]
        (tmp_path / name).write_text(csv_text(header, rows))

    shard("fc.1.csv", 0.1)
    shard("fc.2.csv", 0.11)
    shard("fc.3.csv", 100.0)
    assert main(["measurements", "check", str(tmp_path)]) == 1
    assert "warning: fc.3.csv: fc runs at" in capsys.readouterr().out
