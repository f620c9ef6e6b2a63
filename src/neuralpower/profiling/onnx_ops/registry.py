"""Which function writes which layer type."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from neuralpower.errors import InputError
from neuralpower.profiling.onnx_ops.graph import Graph, LayerLike, Shape

#: ``emit(graph, layer, bottoms, tops)``: writes nodes that read the values ``bottoms`` and make
#: the values ``tops``.
Emitter = Callable[[Graph, LayerLike, Sequence[str], Sequence[str]], None]

EMITTERS: dict[str, Emitter] = {}


def emits(*types: str) -> Callable[[Emitter], Emitter]:
    """Register a function for Caffe layer types."""

    def register(function: Emitter) -> Emitter:
        for name in types:
            EMITTERS[name] = function
        return function

    return register


def unsupported(layer: LayerLike, why: str) -> InputError:
    """The one line for a layer that cannot be written."""
    return InputError(f"layer {layer.name!r} ({layer.type}): {why}")


def bottom_shape(layer: LayerLike, index: int = 0) -> Shape:
    """The shape of a bottom; ``InputError`` when the layer table does not know it."""
    return _known(layer, layer.bottom_shapes, index, "input")


def top_shape(layer: LayerLike, index: int = 0) -> Shape:
    """The shape of a top; ``InputError`` when the layer table does not know it."""
    return _known(layer, layer.top_shapes, index, "output")


def _known(layer: LayerLike, shapes: Sequence[Shape | None], index: int, what: str) -> Shape:
    shape = shapes[index] if index < len(shapes) else None
    if shape is None:
        raise unsupported(layer, f"the shape of its {what} is not known")
    return shape


def canonical_axis(layer: LayerLike, axis: int, rank: int) -> int:
    """Caffe's CanonicalAxisIndex: a negative axis counts from the end."""
    if not -rank <= axis < rank:
        raise unsupported(layer, f"axis {axis} is out of range for {rank} dimensions")
    return axis % rank


def count(shape: Sequence[int]) -> int:
    """The number of elements."""
    return math.prod(shape)
