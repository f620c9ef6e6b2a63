"""What is computed of constants is what ONNX's own reference computes, defaults included."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

onnx: Any = pytest.importorskip("onnx", reason="the extra onnx is not installed")
from onnx import TensorProto, helper  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402

from neuralpower.onnx_in.folding import fold  # noqa: E402
from neuralpower.onnx_in.model import Node  # noqa: E402

A = np.array([[1, 2, 3], [4, 5, 6]], np.int64)
V = np.array([7, 3, 2, 9], np.int64)
F = np.array([[0.5, -2.0, 3.0]], np.float32)


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


CASES: list[tuple[str, list[np.ndarray], dict[str, Any]]] = [
    ("Add", [A, ints(1, 1, 1)], {}), ("Sub", [A, ints(1, 1, 1)], {}), ("Mul", [A, A], {}),
    ("Div", [V, ints(2, 2, 2, 2)], {}), ("Div", [ints(-7, 7), ints(2, -2)], {}),
    ("Div", [F, F], {}),
    ("And", [A > 2, A > 4], {}), ("Or", [A > 2, A > 4], {}), ("Not", [A > 2], {}),
    ("Equal", [A, A[::-1]], {}), ("Greater", [A, A[::-1]], {}), ("Less", [A, A[::-1]], {}),
    ("Where", [A > 3, A, -A], {}), ("Identity", [A], {}),
    ("Cast", [F], {"to": TensorProto.INT64}), ("Cast", [A], {"to": TensorProto.FLOAT}),
    ("Cast", [A], {"to": TensorProto.DOUBLE}), ("Cast", [A], {"to": TensorProto.BOOL}),
    ("Cast", [A], {"to": TensorProto.INT32}),
    ("Concat", [A, A], {"axis": 0}), ("Concat", [A, A], {"axis": -1}),
    ("ConstantOfShape", [ints(2, 3)], {}),
    ("ConstantOfShape", [ints(3)],
     {"value": helper.make_tensor("v", TensorProto.INT64, [1], [5])}),
    ("Gather", [A, ints(1, 0)], {}), ("Gather", [A, ints(2)], {"axis": 1}),
    ("Gather", [A, np.array(-1, np.int64)], {"axis": -1}),
    ("Reshape", [A, ints(3, -1)], {}),
    ("Slice", [V, ints(1), ints(3)], {}), ("Slice", [A, ints(1), ints(9), ints(1)], {}),
    ("Slice", [V, ints(-1), ints(-9), ints(0), ints(-2)], {}),
    ("Squeeze", [F], {}), ("Squeeze", [F, ints(0)], {}), ("Unsqueeze", [V, ints(0, 2)], {}),
    ("Transpose", [A], {}), ("Transpose", [A[None]], {"perm": [2, 0, 1]}),
]  # fmt: skip


@pytest.mark.parametrize(("op", "given", "attributes"), CASES)
def test_constants_are_what_the_reference_computes(
    op: str, given: list[np.ndarray], attributes: dict[str, Any]
) -> None:
    names = [f"i{k}" for k in range(len(given))]
    inputs = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
        for n, v in zip(names, given, strict=True)
    ]
    made = helper.make_node(op, names, ["y"], **attributes)
    output = helper.make_tensor_value_info("y", TensorProto.UNDEFINED, None)
    graph = helper.make_graph([made], "g", inputs, [output])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    known: dict[str, Any] = dict(zip(names, given, strict=True))
    (expected,) = ReferenceEvaluator(model).run(None, dict(known))
    fold([Node(0, "n", op, names, ["y"], attributes)], {}, known)
    assert known["y"].dtype == expected.dtype
    assert known["y"].shape == expected.shape
    np.testing.assert_array_equal(known["y"], expected)


@pytest.mark.parametrize(("attributes", "shape"), [
    ({}, [2, 3, 4]), ({"start": 1}, [3, 4]), ({"end": -1}, [2, 3]), ({"start": -2, "end": 2}, [3]),
])  # fmt: skip
def test_shapes_are_cut_as_asked(attributes: dict[str, int], shape: list[int]) -> None:
    known: dict[str, Any] = {}
    fold([Node(0, "n", "Shape", ["x"], ["y"], attributes)], {"x": (2, 3, 4)}, known)
    assert known["y"].tolist() == shape


def test_what_cannot_be_computed_is_left_unknown() -> None:
    known: dict[str, Any] = {"a": ints(1, 2), "z": ints(0, 1)}
    for op, inputs in (("Div", ["a", "z"]), ("Add", ["a", "missing"]), ("Sin", ["a"]),
                       ("Gather", ["a", "a"])):  # fmt: skip
        fold([Node(0, "n", op, inputs, ["y"])], {}, known)
        assert "y" not in known, op
