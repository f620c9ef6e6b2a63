"""The schema: compiled as committed, with Caffe's names and the forks' fields apart."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from neuralpower.caffe import caffe_pb2 as pb
from neuralpower.caffe.fields import FORK_NUMBERS
from neuralpower.caffe.layers import find
from neuralpower.caffe.layers.index import MODULES

TOOL = Path(__file__).parents[2] / "tools/compile_schema.py"


def tool() -> Any:
    spec = importlib.util.spec_from_file_location("compile_schema", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_compiling_changes_nothing(tmp_path: Path) -> None:
    pytest.importorskip("grpc_tools")
    compiler = tool()
    compiler.compile_schema(tmp_path)
    for name in compiler.OUTPUTS:
        made = (tmp_path / "neuralpower" / "caffe" / name).read_text()
        assert made == (compiler.FOLDER / name).read_text(), f"run {TOOL.name}: {name} is old"


def test_the_index_of_types_is_current() -> None:
    compiler = tool()
    assert compiler.layer_index() == compiler.INDEX.read_text(), f"run {TOOL.name}"


def test_field_numbers_are_those_of_binary_files() -> None:
    numbers = {item.name: item.number for item in pb.LayerParameter.DESCRIPTOR.fields}
    assert (numbers["name"], numbers["blobs"], numbers["convolution_param"]) == (1, 7, 106)
    assert (numbers["scale_param"], numbers["clip_param"]) == (142, 148)
    numbers = {item.name: item.number for item in pb.V1LayerParameter.DESCRIPTOR.fields}
    assert (numbers["bottom"], numbers["blobs"], numbers["param"]) == (2, 6, 1001)
    assert pb.V1LayerParameter.DECONVOLUTION == 39


def test_defaults() -> None:
    layer = pb.LayerParameter()
    assert layer.lrn_param.local_size == 5
    assert layer.convolution_param.bias_term
    assert layer.pooling_param.round_mode == pb.PoolingParameter.CEIL
    assert layer.batch_norm_param.eps == pytest.approx(1e-5)


def test_parameters_of_forks_are_known_by_their_numbers() -> None:
    forks = {
        item.name for item in pb.LayerParameter.DESCRIPTOR.fields if item.number >= FORK_NUMBERS
    }
    assert "roi_pooling_param" in forks
    assert "convolution_param" not in forks


def test_every_layer_type_is_found_in_its_module() -> None:
    for module, names in MODULES.items():
        for name in names.split():
            kind = find(name)
            assert kind is not None
            assert kind.name == name
            assert kind.shapes.__module__.endswith(f".{module}")
    assert find("NoSuchType") is None


def test_bvlc_types_are_all_known() -> None:
    # The registry that Caffe prints with its refusal of an unknown type, and the two that need
    # OpenCV.
    known = """AbsVal Accuracy ArgMax BNLL BatchNorm BatchReindex Bias Clip Concat ContrastiveLoss
    Convolution Crop Data Deconvolution Dropout DummyData ELU Eltwise Embed EuclideanLoss Exp Filter
    Flatten HDF5Data HDF5Output HingeLoss Im2col InfogainLoss InnerProduct Input LRN LSTM LSTMUnit
    Log MVN MemoryData MultinomialLogisticLoss PReLU Parameter Pooling Power Python RNN ReLU
    Reduction Reshape SPP Scale Sigmoid SigmoidCrossEntropyLoss Silence Slice Softmax
    SoftmaxWithLoss Split Swish TanH Threshold Tile ImageData WindowData"""
    for name in known.split():
        kind = find(name)
        assert kind is not None, name
        assert not kind.fork
