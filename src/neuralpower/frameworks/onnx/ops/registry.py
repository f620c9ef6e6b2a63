"""Which function writes which operation.

Such a function is called ``emit(graph, operation, bottoms, tops)``: it writes nodes that read the
values ``bottoms`` and make the values ``tops``.
"""

from __future__ import annotations

from neuralpower.frameworks.layer_registry import Registry

#: What writes an operation.
emits: Registry[None] = Registry("ONNX")
