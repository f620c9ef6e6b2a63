"""Operators one at a time, in models written here: what they become, and how faults are said."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_models import Node, layers, ones, onnx, save

from neuralpower.core.errors import InputError
from neuralpower.onnx_in.loading import load_network

CONV: Node = ("Conv", ["x", "w"], ["y"], {"kernel_shape": [3, 3]})


@pytest.mark.parametrize(
    ("options", "out", "pad", "said"),
    [
        ({"strides": [2, 2], "auto_pad": "SAME_UPPER"}, 5, 1, False),
        ({"strides": [2, 2], "pads": [0, 0, 1, 1]}, 4, 0, True),
        ({"strides": [2, 2], "pads": [0, 0, 2, 2]}, 5, 1, True),
        ({"pads": [1, 1, 1, 1], "dilations": [2, 2]}, 7, 1, False),
    ],
)
def test_uneven_padding_is_listed_as_the_even_one_of_the_same_output(
    options: dict[str, Any], out: int, pad: int, said: bool, tmp_path: Path
) -> None:
    node: Node = ("Conv", ["x", "w"], ["y"], {"kernel_shape": [3, 3], **options})
    (layer,) = layers(save(tmp_path / "n.onnx", [node], weights={"w": ones(8, 4, 3, 3)}))
    assert layer.configuration is not None
    assert (layer.type, layer.family) == ("Convolution", "conv")
    assert (layer.configuration.out_height, layer.configuration.pad_height) == (out, pad)
    assert layer.macs == 2 * 8 * out * out * 4 * 9
    assert ("listed as" in layer.note) == said


def test_an_output_size_that_caffe_has_no_layer_for_keeps_its_figures(tmp_path: Path) -> None:
    options = {"kernel_shape": [4, 4], "pads": [1, 1, 2, 2]}
    node: Node = ("Conv", ["x", "w"], ["y"], options)
    (layer,) = layers(save(tmp_path / "n.onnx", [node], weights={"w": ones(8, 4, 4, 4)}))
    assert (layer.type, layer.family) == ("onnx.Conv", "conv")
    assert layer.top_shapes == ((2, 8, 9, 9),)
    assert (layer.macs, layer.params) == (2 * 8 * 81 * 4 * 16, 8 * 4 * 16)
    assert "no Caffe layer has this output size" in layer.note


def test_fused_operators_are_taken_apart(tmp_path: Path) -> None:
    fused: Node = (
        "com.microsoft:FusedConv", ["x", "w", "b"], ["y"],
        {"kernel_shape": [3, 3], "activation": "Relu"},
    )  # fmt: skip
    weights = {"w": ones(8, 4, 3, 3), "b": ones(8)}
    path = save(tmp_path / "n.onnx", [fused], weights=weights, domains=["com.microsoft"])
    found = layers(path)
    assert [layer.type for layer in found] == ["Convolution", "ReLU"]
    assert found[0].configuration is not None
    assert found[0].configuration.bias == 1
    assert found[1].top_shapes == ((2, 8, 7, 7),)


@pytest.mark.parametrize(
    ("nodes", "weights", "types"),
    [
        ([("Add", ["x", "c"], ["y"], {})], {"c": ones(4, 1, 1)}, ["Bias"]),
        (
            [("Mul", ["x", "c"], ["m"], {}), ("Add", ["m", "d"], ["y"], {})],
            {"c": ones(4, 1, 1), "d": ones(4, 1, 1)},
            ["Scale"],
        ),
        ([("Mul", ["x", "x"], ["y"], {})], {}, ["Eltwise"]),
        ([("Sub", ["x", "c"], ["y"], {})], {"c": ones()}, ["Power"]),
        ([("Div", ["x", "x"], ["y"], {})], {}, ["onnx.Div"]),
        ([("Div", ["x", "c"], ["y"], {})], {"c": ones()}, ["Power"]),
        ([("Div", ["x", "c"], ["y"], {})], {"c": ones() * 0}, ["onnx.Div"]),
        ([("Max", ["x", "c"], ["y"], {})], {"c": ones()}, ["onnx.Max"]),
        ([("PRelu", ["x", "c"], ["y"], {})], {"c": ones(4, 1, 1)}, ["PReLU"]),
        ([("Clip", ["x", "a", "b"], ["y"], {})], {"a": ones() * 0, "b": ones() * 12}, ["ReLU6"]),
        ([("Clip", ["x", "a"], ["y"], {})], {"a": ones() * 0}, ["ReLU"]),
        ([("HardSwish", ["x"], ["y"], {})], {}, ["onnx.HardSwish"]),
        ([("Identity", ["x"], ["i"], {}), ("Relu", ["i"], ["y"], {})], {}, ["ReLU"]),
        ([("Transpose", ["x"], ["y"], {"perm": [0, 2, 3, 1]})], {}, ["Permute"]),
        ([("ReduceMean", ["x"], ["y"], {"axes": [2, 3]})], {}, ["Pooling"]),
        (
            [("ReduceMean", ["x"], ["y"], {"axes": [2, 3], "keepdims": 0})],
            {},
            ["Pooling", "Reshape"],
        ),
        ([("ReduceMax", ["x"], ["y"], {"axes": [1]})], {}, ["onnx.ReduceMax"]),
        ([("MaxPool", ["x"], ["y"], {"kernel_shape": [3, 3], "dilations": [2, 2]})], {},
         ["onnx.MaxPool"]),
        ([("Softmax", ["x"], ["y"], {"axis": -1})], {}, ["Softmax"]),
    ],
)  # fmt: skip
def test_what_operators_become(
    nodes: list[Node], weights: dict[str, Any], types: list[str], tmp_path: Path
) -> None:
    found = layers(save(tmp_path / "n.onnx", nodes, weights=weights))
    assert [layer.type for layer in found] == types
    assert all(layer.known for layer in found)
    for layer in found:
        assert ("without a model family" in layer.note) == layer.type.startswith("onnx.")


def test_a_matrix_product_over_the_last_axis_is_an_inner_product(tmp_path: Path) -> None:
    nodes: list[Node] = [("MatMul", ["x", "w"], ["m"], {}), ("Add", ["m", "b"], ["y"], {})]
    weights = {"w": ones(9, 5), "b": ones(5)}
    (layer,) = layers(save(tmp_path / "n.onnx", nodes, weights=weights))
    assert layer.configuration is not None
    assert (layer.type, layer.params, layer.configuration.bias) == ("InnerProduct", 50, 1)
    assert (layer.configuration.batch, layer.configuration.in_channels) == (2 * 4 * 9, 9)
    assert layer.macs == 2 * 4 * 9 * 9 * 5


def test_pooling_rounds_as_the_model_says(tmp_path: Path) -> None:
    for ceil, out in ((0, 4), (1, 5)):
        options = {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": ceil}
        (layer,) = layers(save(tmp_path / "n.onnx", [("MaxPool", ["x"], ["y"], options)]))
        assert layer.top_shapes == ((2, 4, out, out),)
        assert (layer.type, layer.note) == ("Pooling", "")


def test_an_unknown_operator_leaves_the_rest_readable(tmp_path: Path) -> None:
    nodes: list[Node] = [
        ("vendor:Magic", ["x"], ["m"], {}),
        ("Relu", ["m"], ["a"], {}),
        ("Relu", ["x"], ["y"], {}),
    ]
    path = save(tmp_path / "n.onnx", nodes, domains=["vendor"])
    magic, after, other = layers(path)
    assert (magic.type, magic.known, magic.macs) == ("vendor.Magic", False, None)
    assert "shape unknown" in magic.note
    assert not after.known
    assert other.known


def test_open_sizes_are_asked_for_or_taken(tmp_path: Path) -> None:
    path = save(tmp_path / "n.onnx", [CONV], ("N", 4, "H", 9), {"w": ones(8, 4, 3, 3)})
    with pytest.raises(InputError, match=r"input 'x' is 1x4x\?x9.*--blob-shape x=1x4x224x9"):
        load_network(path)
    network = load_network(path, blob_shapes={"x": (3, 4, 5, 9)})
    assert network.layers[1].top_shapes == ((3, 8, 3, 7),)


def test_a_batch_that_cannot_be_changed_is_one_line(tmp_path: Path) -> None:
    nodes: list[Node] = [
        ("Reshape", ["x", "s"], ["f"], {}),
        ("Reshape", ["f", "t"], ["y"], {}),
    ]
    shapes = {"s": np.array([8, 81], np.int64), "t": np.array([2, 4, 81], np.int64)}
    path = save(tmp_path / "n.onnx", nodes, weights=shapes)
    assert len(layers(path)) == 2
    with pytest.raises(InputError, match=r"n\.onnx: node 'node0' \(Reshape\).*batch is fixed"):
        load_network(path, batch=7)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b"root:x:0:0:root:/root:/bin/bash\n" * 9, "no ONNX model"),
        (b'{"traceEvents": []}', "no ONNX model"),
    ],
)
def test_files_of_other_kinds_are_one_line(data: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.onnx"
    path.write_bytes(data)
    with pytest.raises(InputError, match=rf"bad\.onnx: .*{said}"):
        load_network(path)


def test_no_cut_of_a_model_ends_in_anything_but_an_input_error(tmp_path: Path) -> None:
    whole = save(tmp_path / "n.onnx", [CONV], weights={"w": ones(8, 4, 3, 3)}).read_bytes()
    cut = tmp_path / "cut.onnx"
    for end in range(0, len(whole) - 1, 37):
        cut.write_bytes(whole[:end])
        with contextlib.suppress(InputError):
            load_network(cut)


def test_prototxt_options_are_refused_for_a_model(tmp_path: Path) -> None:
    path = save(tmp_path / "n.onnx", [CONV], weights={"w": ones(8, 4, 3, 3)})
    with pytest.raises(InputError, match="one phase only"):
        load_network(path, phase="TRAIN")


#: Nodes that lack what their operator needs, or have sizes beyond reason.
HOSTILE: dict[str, Node] = {
    "no inputs": ("Conv", [], ["y"], {}),
    "no weight": ("Conv", ["x"], ["y"], {}),
    "no matrix": ("Gemm", ["x"], ["y"], {}),
    "no axis": ("Concat", ["x", "x"], ["y"], {}),
    "no size": ("LRN", ["x"], ["y"], {}),
    "no factor": ("BatchNormalization", ["x"], ["y"], {}),
    "one side": ("Mul", ["x"], ["y"], {}),
    "an If without branches": ("If", ["c"], ["y"], {}),
    "no groups": ("Conv", ["x", "w"], ["y"], {"group": 0}),
    "negative groups": ("Conv", ["x", "w"], ["y"], {"group": -5}),
    "a huge stride": ("Conv", ["x", "w"], ["y"], {"strides": [2**62, 2**62]}),
    "strides of another rank": ("Conv", ["x", "w"], ["y"], {"strides": [1]}),
    "a stride of 0": ("MaxPool", ["x"], ["y"], {"kernel_shape": [2, 2], "strides": [0, 0]}),
    "an empty kernel": ("MaxPool", ["x"], ["y"], {"kernel_shape": [0, 0]}),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_nodes_that_are_not_of_their_operator_are_a_row_or_a_line(
    kind: str, tmp_path: Path
) -> None:
    weights = {"w": ones(8, 4, 3, 3), "c": np.array(True)}
    path = save(tmp_path / "n.onnx", [HOSTILE[kind]], weights=weights)
    try:
        found = layers(path)
    except InputError as error:
        text = str(error)
    else:
        text = f"{path}: {' '.join(layer.note for layer in found)}"
        assert all(layer.macs in (None, 0) for layer in found)
    assert text.startswith(str(path))


def test_sizes_beyond_reason_are_a_row_or_a_line(tmp_path: Path) -> None:
    for size in (0, -3, 2**40, 2**62):
        path = save(tmp_path / "n.onnx", [CONV], weights={"w": ones(8, 4, 3, 3)})
        model = onnx.load(path)
        model.graph.initializer[0].dims[0] = size
        path.write_bytes(model.SerializeToString())
        with contextlib.suppress(InputError):
            assert len(layers(path)) == 1


def test_layers_of_one_name_are_numbered(tmp_path: Path) -> None:
    path = save(tmp_path / "m.onnx", [
        ("Relu", ["x"], ["a"], {}), ("Relu", ["a"], ["b"], {}), ("Relu", ["b"], ["y"], {}),
    ])  # fmt: skip
    model = onnx.load(str(path))
    for node in model.graph.node:
        node.name = "same"
    path.write_bytes(model.SerializeToString())
    assert [layer.name for layer in layers(path)] == ["same", "same_1", "same_2"]


def test_values_that_are_known_are_no_layer(tmp_path: Path) -> None:
    nodes: list[Node] = [
        ("Relu", ["x"], ["a"], {}),
        ("Concat", ["c", "d"], ["s"], {"axis": 0}),
        ("Concat", ["a", "x"], ["j"], {"axis": -3}),
        ("Reshape", ["j", "s"], ["y"], {}),
    ]
    weights = {"c": np.array([2], np.int64), "d": np.array([648], np.int64)}
    found = layers(save(tmp_path / "m.onnx", nodes, weights=weights))
    assert [layer.type for layer in found][:2] == ["ReLU", "Concat"]
    assert found[1].top_shapes == ((2, 8, 9, 9),)


@pytest.mark.parametrize(("op", "operation", "coefficients"), [
    ("Add", "SUM", []), ("Sum", "SUM", []), ("Sub", "SUM", [1.0, -1.0]), ("Mul", "PROD", []),
    ("Max", "MAX", []),
])  # fmt: skip
def test_what_two_maps_are_put_together_by(
    op: str, operation: str, coefficients: list[float], tmp_path: Path
) -> None:
    nodes: list[Node] = [("Relu", ["x"], ["a"], {}), (op, ["a", "x"], ["y"], {})]
    layer = layers(save(tmp_path / "m.onnx", nodes))[-1]
    param = layer.param.eltwise_param
    assert layer.type == "Eltwise"
    assert param.EltwiseOp.Name(param.operation) == operation
    assert list(param.coeff) == coefficients
