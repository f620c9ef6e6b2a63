"""The parameters of the layers that operators become: numbers that the layer tables show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf import text_format
from onnx_models import Node, layers, ones, save

#: Nodes, fixed values: type of the first layer, its parameters in Caffe's text.
PARAMETERS: list[tuple[list[Node], dict[str, Any], str, str]] = [
    ([("LeakyRelu", ["x"], ["y"], {})], {}, "ReLU", "relu_param { negative_slope: 0.01 }"),
    ([("LeakyRelu", ["x"], ["y"], {"alpha": 0.25})], {}, "ReLU",
     "relu_param { negative_slope: 0.25 }"),
    ([("Elu", ["x"], ["y"], {})], {}, "ELU", "elu_param { alpha: 1 }"),
    ([("Elu", ["x"], ["y"], {"alpha": 0.5})], {}, "ELU", "elu_param { alpha: 0.5 }"),
    ([("PRelu", ["x", "c"], ["y"], {})], {"c": ones(1)}, "PReLU",
     "prelu_param { channel_shared: true }"),
    ([("PRelu", ["x", "c"], ["y"], {})], {"c": ones(4, 1, 1)}, "PReLU", ""),
    ([("Clip", ["x", "a", "b"], ["y"], {})], {"a": ones() * -2, "b": ones() * 6}, "Clip",
     "clip_param { min: -1 max: 3 }"),
    ([("Clip", ["x", "", "b"], ["y"], {})], {"b": ones()}, "Clip",
     "clip_param { min: -3.4e38 max: 0.5 }"),
    ([("Clip", ["x", "a"], ["y"], {})], {"a": ones()}, "Clip",
     "clip_param { min: 0.5 max: 3.4e38 }"),
    ([("Neg", ["x"], ["y"], {})], {}, "Power", "power_param { scale: -1 }"),
    ([("Sqrt", ["x"], ["y"], {})], {}, "Power", "power_param { power: 0.5 }"),
    ([("Pow", ["x", "c"], ["y"], {})], {"c": ones() * 6}, "Power", "power_param { power: 3 }"),
    ([("Add", ["x", "c"], ["y"], {})], {"c": ones()}, "Power", "power_param { shift: 0.5 }"),
    ([("Sub", ["x", "c"], ["y"], {})], {"c": ones()}, "Power", "power_param { shift: -0.5 }"),
    ([("Sub", ["c", "x"], ["y"], {})], {"c": ones()}, "Power",
     "power_param { scale: -1 shift: 0.5 }"),
    ([("Mul", ["x", "c"], ["y"], {})], {"c": ones()}, "Power", "power_param { scale: 0.5 }"),
    ([("Div", ["x", "c"], ["y"], {})], {"c": ones()}, "Power", "power_param { scale: 2 }"),
    ([("Mul", ["x", "c"], ["y"], {})], {"c": ones(4, 1, 1)}, "Scale", ""),
    ([("Mul", ["x", "c"], ["y"], {})], {"c": ones(9, 1)}, "Scale", "scale_param { axis: 2 }"),
    ([("Mul", ["x", "c"], ["y"], {})], {"c": ones(9)}, "Scale", "scale_param { axis: 3 }"),
    ([("Mul", ["x", "c"], ["y"], {})], {"c": ones(4, 9, 1)}, "Scale",
     "scale_param { num_axes: 2 }"),
    ([("Add", ["x", "c"], ["y"], {})], {"c": ones(9, 9)}, "Bias",
     "bias_param { axis: 2 num_axes: 2 }"),
    ([("Mul", ["x", "c"], ["m"], {}), ("Add", ["m", "d"], ["y"], {})],
     {"c": ones(4, 1, 1), "d": ones(4, 1, 1)}, "Scale", "scale_param { bias_term: true }"),
    ([("Mul", ["x", "c"], ["m"], {}), ("Sub", ["m", "d"], ["y"], {})],
     {"c": ones(4, 1, 1), "d": ones()}, "Scale", ""),
    ([("Dropout", ["x"], ["y"], {})], {}, "Dropout", ""),
    ([("Identity", ["x"], ["y"], {})], {}, "Split", ""),
    ([("Softmax", ["x"], ["y"], {"axis": -1})], {}, "Softmax", "softmax_param { axis: 3 }"),
    ([("LRN", ["x"], ["y"], {"size": 3, "alpha": 0.25, "beta": 0.5, "bias": 2.0})], {}, "LRN",
     "lrn_param { local_size: 3 alpha: 0.25 beta: 0.5 k: 2 }"),
    ([("Transpose", ["x"], ["y"], {"perm": [0, 3, 1, 2]})], {}, "Permute",
     "permute_param { order: [0, 3, 1, 2] }"),
    ([("Concat", ["x", "x"], ["y"], {"axis": 2})], {}, "Concat", "concat_param { axis: 2 }"),
    ([("MaxPool", ["x"], ["y"], {"kernel_shape": [3, 2], "strides": [2, 1]})], {}, "Pooling",
     "pooling_param { pool: MAX kernel_h: 3 kernel_w: 2 stride_h: 2 stride_w: 1 }"),
    ([("GlobalAveragePool", ["x"], ["y"], {})], {}, "Pooling",
     "pooling_param { pool: AVE global_pooling: true }"),
    ([("GlobalMaxPool", ["x"], ["y"], {})], {}, "Pooling",
     "pooling_param { pool: MAX global_pooling: true }"),
    ([("Conv", ["x", "w"], ["y"], {"kernel_shape": [3, 3], "group": 2, "dilations": [2, 2]})],
     {"w": ones(6, 2, 3, 3)}, "Convolution",
     "convolution_param { num_output: 6 bias_term: false pad: 0 kernel_size: 3 group: 2 "
     "stride: 1 dilation: 2 }"),
    ([("Conv", ["x", "w"], ["y"], {"strides": [2, 1], "pads": [1, 0, 1, 0]})],
     {"w": ones(6, 4, 3, 1)}, "Convolution", "convolution_param { num_output: 6 "
     "bias_term: false pad: [1, 0] kernel_size: [3, 1] group: 1 stride: [2, 1] dilation: 1 }"),
]  # fmt: skip

#: Fields that say which layer it is and how it is wired.
_WIRING = ("name", "type", "bottom", "top", "blobs", "param")


@pytest.mark.parametrize(("nodes", "weights", "kind", "text"), PARAMETERS)
def test_parameters_of_what_an_operator_becomes(
    nodes: list[Node], weights: dict[str, Any], kind: str, text: str, tmp_path: Path
) -> None:
    layer = layers(save(tmp_path / "n.onnx", nodes, weights=weights))[0]
    assert layer.type == kind
    wanted, found = type(layer.param)(), type(layer.param)()
    text_format.Parse(text, wanted)
    found.CopyFrom(layer.param)
    for name in _WIRING:
        found.ClearField(name)
    assert found == wanted


def test_factors_that_the_model_computes(tmp_path: Path) -> None:
    """Squeeze and excitation: a number per channel of an image, computed by other layers."""
    nodes: list[Node] = [
        ("GlobalAveragePool", ["x"], ["g"], {}),
        ("Mul", ["x", "g"], ["m"], {}),
        ("Flatten", ["g"], ["f"], {}),
        ("Unsqueeze", ["f", "axes"], ["u"], {}),
        ("Add", ["u", "m"], ["y"], {}),
    ]
    weights = {"axes": np.array([2, 3], np.int64)}
    found = layers(save(tmp_path / "n.onnx", nodes, weights=weights))
    scale = next(layer for layer in found if layer.type == "Scale")
    bias = next(layer for layer in found if layer.type == "Bias")
    assert scale.bottom_shapes == ((2, 4, 9, 9), (2, 4))
    assert bias.bottom_shapes == ((2, 4, 9, 9), (2, 4))
    assert (scale.param.scale_param.axis, bias.param.bias_param.axis) == (0, 0)
    assert scale.macs == 2 * 4 * 81
    assert {layer.top_shapes for layer in (scale, bias)} == {((2, 4, 9, 9),)}


def test_a_summand_of_a_fused_convolution_is_added(tmp_path: Path) -> None:
    fused: Node = (
        "com.microsoft:FusedConv", ["x", "w", "b", "x"], ["y"],
        {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "activation": "Relu"},
    )  # fmt: skip
    weights = {"w": ones(4, 4, 3, 3), "b": ones(4)}
    path = save(tmp_path / "n.onnx", [fused], weights=weights, domains=["com.microsoft"])
    conv, add, relu = layers(path)
    assert [conv.type, add.type, relu.type] == ["Convolution", "Eltwise", "ReLU"]
    assert conv.macs == 2 * 4 * 81 * 36
    assert add.bottoms == (conv.tops[0], "x")
    assert relu.tops == ("y",)


def test_sizes_in_constants_of_every_kind(tmp_path: Path) -> None:
    for attribute, value in (("value_ints", [2, 4, 81]), ("value_floats", [0.5])):
        reads = "Reshape" if attribute == "value_ints" else "Mul"
        nodes: list[Node] = [
            ("Constant", [], ["c"], {attribute: value}), (reads, ["x", "c"], ["y"], {}),
        ]  # fmt: skip
        (layer,) = layers(save(tmp_path / "n.onnx", nodes))
        if reads == "Reshape":
            assert layer.top_shapes == ((2, 4, 81),)
        else:
            assert (layer.type, layer.param.power_param.scale) == ("Power", 0.5)
