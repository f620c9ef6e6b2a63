"""Our networks as ONNX: every blob has the layer table's shape, and activations stay finite."""

from __future__ import annotations

from pathlib import Path

import numpy
import pytest

pytest.importorskip("onnxruntime")
import onnxruntime

from neuralpower.caffe.network import load_network
from neuralpower.core.errors import InputError
from neuralpower.frameworks.inputs import random_input
from neuralpower.frameworks.onnx.builder import build_network
from neuralpower.frameworks.onnx.session import open_session
from neuralpower.frameworks.registry import make_executor

PROTOTXTS = Path(__file__).resolve().parents[2] / "prototxts"
#: Layers without an ONNX operator; their networks end in one line that names the layer.
WITHOUT = {"ssd300": "DetectionOutput", "faster_rcnn_vgg16": "Proposal"}
#: Small enough to run in a test; the others differ in size, not in kind.
SMALL = (
    "cifar10_6conv",
    "densenet121",
    "googlenet",
    "googlenet_bn",
    "lenet",
    "mobilenet_v1",
    "mobilenet_v2",
    "nin",
    "resnet18",
    "resnet50",
    "senet50",
    "shufflenet",
    "squeezenet_v1_1",
)


@pytest.mark.parametrize("name", SMALL)
def test_every_blob_has_the_shape_of_the_layer_table(name: str) -> None:
    network = load_network(PROTOTXTS / f"{name}.prototxt", batch=1)
    built = build_network(network, seed=1, every_blob=True)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session, _keep = open_session(built, options)
    feed = {spec.name: random_input(spec, 1) for spec in built.inputs}
    values = session.run(list(built.outputs), feed)
    for (blob, shape), value in zip(built.outputs.items(), values, strict=True):
        assert value.shape == shape, blob
        assert numpy.isfinite(value).all(), blob
        assert not (value == 0).all(), blob
        # Far from infinities and from denormals.
        assert 1e-12 < numpy.abs(value).max() < 1e6, blob
    tops = {top for layer in network.layers for top in layer.tops}
    assert tops - {spec.name for spec in built.inputs} <= set(built.blobs)


@pytest.mark.parametrize(("name", "kind"), sorted(WITHOUT.items()))
def test_layers_without_an_operator_are_named(name: str, kind: str) -> None:
    network = load_network(PROTOTXTS / f"{name}.prototxt")
    with pytest.raises(InputError, match=rf"\({kind}\): this layer type has no"):
        build_network(network)


def test_the_parameters_are_those_of_the_layer_table() -> None:
    for name in ("lenet", "googlenet", "resnet18", "squeezenet_v1_1"):
        network = load_network(PROTOTXTS / f"{name}.prototxt", batch=1)
        built = build_network(network)
        floats = sum(a.size for a in built.arrays.values() if a.dtype == numpy.float32)
        counted = sum(layer.params for layer in network.layers)
        norms = [layer for layer in network.layers if layer.type == "BatchNorm"]
        # Caffe's BatchNorm has mean, variance and one scale factor; ONNX's has a gain and a bias
        # of one beside them instead of the factor.
        extra = sum(2 * (layer.params - 1) // 2 - 1 for layer in norms)
        assert floats == counted + extra


def test_layers_are_timed_inside_their_network() -> None:
    network = load_network(PROTOTXTS / "lenet.prototxt", batch=2)
    rows = make_executor("onnxruntime", 1).network_layers(network, 1)
    computing = [layer for layer in network.layers if layer.type != "Input"]
    assert [(row.name, row.type) for row in rows] == [(x.name, x.type) for x in computing]
    assert [network.layers[row.index].name for row in rows] == [x.name for x in computing]
    assert all(row.runtime_ms >= 0 and row.n_calls == 5 for row in rows)
    assert sum(row.runtime_ms for row in rows) > 0
