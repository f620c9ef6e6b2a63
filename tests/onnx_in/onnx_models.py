"""Small ONNX models written for tests, and the layers that they are read as."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuralpower.caffe.layer import Layer
from neuralpower.onnx_in.loading import load_network

onnx: Any = pytest.importorskip("onnx", reason="the extra onnx is not installed")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

Node = tuple[str, Sequence[str], Sequence[str], dict[str, Any]]


def save(
    path: Path,
    nodes: Sequence[Node],
    shape: Sequence[int | str] = (2, 4, 9, 9),
    weights: dict[str, Any] | None = None,
    opset: int = 17,
    domains: Sequence[str] = (),
    produced: str = "y",
) -> Path:
    made = [
        helper.make_node(kind.split(":")[-1], ins, outs, f"node{i}",
                         domain=kind.split(":")[0] if ":" in kind else "", **options)
        for i, (kind, ins, outs, options) in enumerate(nodes)
    ]  # fmt: skip
    graph = helper.make_graph(
        made,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, list(shape))],
        [helper.make_tensor_value_info(produced, TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(v), n) for n, v in (weights or {}).items()],
    )
    sets = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, 1) for d in domains)]
    model = helper.make_model(graph, opset_imports=sets, ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def layers(path: Path, **options: Any) -> list[Layer]:
    return load_network(path, **options).layers[1:]


def ones(*shape: int) -> Any:
    return np.full(shape, 0.5, np.float32)
