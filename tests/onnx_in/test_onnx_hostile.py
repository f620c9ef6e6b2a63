"""ONNX models that would hang or read foreign files: refused in a line, or read without them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

onnx = pytest.importorskip("onnx")

from onnx import TensorProto, helper  # noqa: E402

from neuralpower.core.errors import InputError  # noqa: E402
from neuralpower.onnx_in.network import load_onnx  # noqa: E402

OPSETS = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]


def _value(name: str) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 8, 8])


def _model(path: Path, nodes: list[Any], functions: list[Any]) -> Path:
    graph = helper.make_graph(nodes, "g", [_value("a")], [_value("b")])
    onnx.save(helper.make_model(graph, functions=functions, opset_imports=OPSETS), path)
    return path


def _function(name: str, *calls: tuple[str, str]) -> Any:
    steps = ["x", *(f"t{i}" for i in range(1, len(calls))), "y"]
    nodes = [
        helper.make_node(op, [steps[i]], [steps[i + 1]], domain=domain)
        for i, (op, domain) in enumerate(calls)
    ]
    return helper.make_function("own", name, ["x"], ["y"], nodes, OPSETS)


@pytest.mark.parametrize("depth", [20, 60, 1000])
def test_functions_that_multiply_are_refused(tmp_path: Path, depth: int) -> None:
    functions = [_function("f0", ("Relu", ""), ("Relu", ""))]
    functions += [_function(f"f{i}", *[(f"f{i - 1}", "own")] * 2) for i in range(1, depth)]
    call = helper.make_node(f"f{depth - 1}", ["a"], ["b"], domain="own")
    path = _model(tmp_path / "x.onnx", [call], functions)
    with pytest.raises(InputError, match="more than 50000 operators"):
        load_onnx(path)


@pytest.mark.parametrize("others", [["f0"], ["f1", "f0"], ["f1", "f2", "f0"]])
def test_functions_that_call_themselves_are_refused(tmp_path: Path, others: list[str]) -> None:
    functions = [_function(f"f{i}", (other, "own")) for i, other in enumerate(others)]
    call = helper.make_node("f0", ["a"], ["b"], domain="own")
    with pytest.raises(InputError, match="calls itself"):
        load_onnx(_model(tmp_path / "x.onnx", [call], functions))


def test_functions_of_functions_are_written_out(tmp_path: Path) -> None:
    functions = [_function("f0", ("Relu", "")), _function("f1", ("f0", "own"), ("f0", "own"))]
    call = helper.make_node("f1", ["a"], ["b"], domain="own")
    network = load_onnx(_model(tmp_path / "x.onnx", [call], functions))
    assert [layer.type for layer in network.layers if layer.family] == ["ReLU", "ReLU"]


@pytest.mark.parametrize("inside", [False, True])
def test_no_other_file_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: bool
) -> None:
    """A shape in another file would decide what is computed: it counts as unknown."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret").write_bytes(b"\1" * 32)
    shape = TensorProto(name="s", data_type=TensorProto.INT64, dims=[4])
    shape.data_location = TensorProto.EXTERNAL
    shape.external_data.add(key="location", value="secret")
    nodes = [
        helper.make_node("Constant", [], ["s"], value=shape),
        helper.make_node(
            "Reshape", ["a" if not inside else "x", "s"], ["b" if not inside else "y"]
        ),
    ]
    functions = []
    if inside:
        functions = [helper.make_function("own", "f", ["x"], ["y"], nodes, OPSETS)]
        nodes = [helper.make_node("f", ["a"], ["b"], domain="own")]
    opened: list[str] = []
    with monkeypatch.context() as patched:
        real = open

        def watched(file: object, *words: object, **more: object) -> object:
            opened.append(str(file))
            return real(file, *words, **more)  # type: ignore[call-overload]

        patched.setattr("builtins.open", watched)
        network = load_onnx(_model(tmp_path / "x.onnx", nodes, functions))
    assert network.layers
    assert not any(name.endswith("secret") for name in opened)


def test_names_that_are_no_text_are_one_line(tmp_path: Path) -> None:
    path = _model(tmp_path / "x.onnx", [helper.make_node("Relu", ["a"], ["b"], name="QQQQ")], [])
    path.write_bytes(path.read_bytes().replace(b"QQQQ", b"\xff\xfe\xff\xfe"))
    with pytest.raises(InputError, match="no ONNX model"):
        load_onnx(path)


def test_a_copy_without_a_result_is_no_fault(tmp_path: Path) -> None:
    nodes = [helper.make_node("Identity", ["a"], []), helper.make_node("Relu", ["a"], ["b"])]
    assert load_onnx(_model(tmp_path / "x.onnx", nodes, [])).layers
