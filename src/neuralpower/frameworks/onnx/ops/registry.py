"""Which function writes which layer type."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from neuralpower.frameworks.layer_graph import LayerLike
from neuralpower.frameworks.layer_registry import Registry

if TYPE_CHECKING:
    from neuralpower.frameworks.onnx.ops.graph import Graph

#: ``emit(graph, layer, bottoms, tops)``: writes nodes that read the values ``bottoms`` and make
#: the values ``tops``.
Emitter = Callable[["Graph", LayerLike, Sequence[str], Sequence[str]], None]

#: What writes a layer type.
emits: Registry[Emitter] = Registry("ONNX")
