"""Our own ONNX models read back: the table of the prototxt, by the marks and by the operators."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy
import pytest

from neuralpower.caffe.network import Network, layer_row, load_network
from neuralpower.core.configuration import Configuration
from neuralpower.core.errors import InputError
from neuralpower.onnx_in.loading import load_network as load_any

onnx: Any = pytest.importorskip("onnx", reason="the extra onnx is not installed")

ROOT = Path(__file__).resolve().parents[2]
PROTOTXTS = sorted((ROOT / "prototxts").glob("*.prototxt"))
#: Networks with layers that have no ONNX form.
NOT_EXPORTED = {"faster_rcnn_vgg16", "ssd300"}


class Zeros:
    """Parameters whose values do not matter here, quickly made."""

    def blob(self, owner: str, index: int, shape: Sequence[int], kind: str) -> Any:
        make = numpy.ones if kind == "factor" else numpy.zeros
        return make(tuple(shape), numpy.float32)


def exported(network: Network, path: Path, *, marks: bool = True) -> Path:
    """The network's model without the values of its weights; without marks as another tool's."""
    from neuralpower.frameworks.onnx.builder import build_network

    data, _ = build_network(network, weights=Zeros()).outlined()
    if not marks:
        model = onnx.ModelProto.FromString(data)
        model.producer_name = "another tool"
        model.graph.doc_string = ""
        for part in (*model.graph.node, *model.graph.input):
            part.doc_string = ""
        data = model.SerializeToString()
    path.write_bytes(data)
    return path


def table(network: Network) -> list[dict[str, Any]]:
    return [layer_row(network, layer) for layer in network.layers]


def work(network: Network) -> Counter[Configuration | None]:
    """What is predicted from; a Dropout does nothing at inference and is no operator."""
    known = (layer for layer in network.layers if layer.family not in ("", "dropout"))
    return Counter(layer.configuration for layer in known)


def sums(network: Network) -> tuple[int, int]:
    """Multiply-accumulates and parameters, shared ones once."""
    macs = sum(layer.macs or 0 for layer in network.layers)
    return macs, sum(layer.params - layer.params_shared for layer in network.layers)


def test_all_but_the_detectors_are_exported(tmp_path: Path) -> None:
    assert len(PROTOTXTS) > 25
    for name in NOT_EXPORTED:
        with pytest.raises(InputError, match="this layer type has no"):
            exported(load_network(ROOT / f"prototxts/{name}.prototxt"), tmp_path / "x.onnx")


@pytest.mark.parametrize(
    "path", [p for p in PROTOTXTS if p.stem not in NOT_EXPORTED], ids=lambda p: p.stem
)
def test_an_exported_network_gives_the_table_of_its_prototxt(path: Path, tmp_path: Path) -> None:
    network = load_network(path)
    model = exported(network, tmp_path / f"{path.stem}.onnx")
    assert table(load_any(model)) == table(network)
    assert table(load_any(model, batch=3)) == table(load_network(path, batch=3))
    plain = load_any(exported(network, tmp_path / f"{path.stem}.onnx", marks=False))
    assert work(plain) == work(network)
    assert sums(plain) == sums(network)


#: Layers that are written out as several operators, or that share parameters, in one network.
MANY = """
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 6 dim: 12 dim: 10 } } }
layer { name: "c" type: "Convolution" bottom: "x" top: "c" param { name: "w" } param { name: "b" }
  convolution_param { num_output: 6 kernel_h: 3 kernel_w: 5 pad_h: 1 pad_w: 2 } }
layer { name: "d" type: "Convolution" bottom: "c" top: "d" param { name: "w" } param { name: "b" }
  convolution_param { num_output: 6 kernel_h: 3 kernel_w: 5 pad_h: 1 pad_w: 2 } }
layer { name: "p" type: "Power" bottom: "d" top: "d" power_param { power: 2 scale: 3 shift: 1 } }
layer { name: "n" type: "Normalize" bottom: "d" top: "n" }
layer { name: "l" type: "LRN" bottom: "n" top: "l"
  lrn_param { norm_region: WITHIN_CHANNEL local_size: 3 } }
layer { name: "a" type: "Pooling" bottom: "l" top: "a"
  pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 } }
layer { name: "s" type: "Pooling" bottom: "l" top: "s"
  pooling_param { pool: STOCHASTIC kernel_size: 3 stride: 2 } }
layer { name: "m" type: "MVN" bottom: "a" top: "m" }
layer { name: "v" type: "Dropout" bottom: "m" top: "m" }
layer { name: "q" type: "Slice" bottom: "m" top: "q1" top: "q2" slice_param { slice_point: 2 } }
layer { name: "o" type: "Concat" bottom: "q2" bottom: "q1" top: "o" }
layer { name: "f" type: "InnerProduct" bottom: "o" top: "f"
  inner_product_param { num_output: 4 axis: 2 } }
layer { name: "r" type: "Reduction" bottom: "f" top: "r" reduction_param { axis: 1 } }
layer { name: "hush" type: "Silence" bottom: "s" }
layer { name: "g" type: "InnerProduct" bottom: "o" top: "g" inner_product_param { num_output: 3 } }
layer { name: "end" type: "Silence" bottom: "r" }
"""


def test_layers_of_several_operators_and_of_none_come_back(tmp_path: Path) -> None:
    path = tmp_path / "many.prototxt"
    path.write_text(MANY)
    network = load_network(path)
    model = exported(network, tmp_path / "many.onnx")
    assert table(load_any(model)) == table(network)
    plain = load_any(exported(network, tmp_path / "many.onnx", marks=False))
    shared = [layer for layer in plain.layers if layer.type == "Convolution"]
    assert [layer.params_shared for layer in shared] == [0, 6 * 6 * 15 + 6]
    assert [layer.family for layer in plain.layers].count("fc") == 2


def test_marks_that_do_not_fit_the_operators_are_not_believed(tmp_path: Path) -> None:
    network = load_network(ROOT / "prototxts/lenet.prototxt")
    path = exported(network, tmp_path / "lenet.onnx")
    model = onnx.load(path, load_external_data=False)
    for node in model.graph.node:
        node.doc_string = node.doc_string.replace("num_output: 20", "num_output: 21")
    path.write_bytes(model.SerializeToString())
    read = load_any(path)
    assert read.notes == ["its marks do not fit its operators: the operators are listed"]
    assert read.layers[1].configuration is not None
    assert read.layers[1].configuration.out_channels == 20
    for node in model.graph.node:
        node.doc_string = "no layer {"
    path.write_bytes(model.SerializeToString())
    assert work(load_any(path)) == work(network)
