"""Small whole numbers that a graph computes from shapes: targets of ``Reshape``, conditions.

Exporters write ``x.view(x.size(0), -1)`` as Shape, Gather, Concat and Reshape. Only these few
operators are worked out, on arrays of at most some thousand elements; nothing else is computed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy

from neuralpower.onnx_in.model import KEPT_ELEMENTS, Node, Shape

Arrays = list[Any]


def fold(nodes: list[Node], shapes: Mapping[str, Shape], known: dict[str, Any]) -> None:
    """Add to ``known`` (small constants by name) what follows from it and from the shapes."""
    for node in nodes:
        if not node.outputs or node.outputs[0] in known:
            continue
        if node.op == "Shape" and node.inputs:
            source = node.inputs[0]
            shape = known[source].shape if source in known else shapes.get(source)
            if shape is not None:
                known[node.outputs[0]] = _shape(node, shape)
            continue
        rule = _RULES.get(node.op)
        given = [known.get(name) if name else None for name in node.inputs]
        if (
            rule is None
            or not given
            or any(value is None for name, value in zip(node.inputs, given, strict=True) if name)
        ):
            continue
        try:
            with numpy.errstate(all="ignore"):
                found = rule(node, given)
        except (ValueError, IndexError, TypeError, KeyError, OverflowError):
            continue  # not what the operator takes: the model's own fault shows elsewhere
        if found is not None and found.size <= KEPT_ELEMENTS:
            known[node.outputs[0]] = found


def _shape(node: Node, shape: Shape) -> object:
    start, end = node.attributes.get("start", 0), node.attributes.get("end")
    return numpy.array(shape[start:end], numpy.int64)


def _axes(node: Node, given: Arrays) -> list[int] | None:
    axes = node.attributes.get("axes")
    if axes is None and len(given) > 1 and given[1] is not None:
        axes = given[1].reshape(-1).tolist()
    return None if axes is None else [int(axis) for axis in axes]


def _squeeze(node: Node, given: Arrays) -> object:
    axes = _axes(node, given)
    return numpy.squeeze(given[0], None if axes is None else tuple(axes))


def _unsqueeze(node: Node, given: Arrays) -> object:
    axes = _axes(node, given)
    return None if axes is None else numpy.expand_dims(given[0], tuple(axes))


def _cast(node: Node, given: Arrays) -> object:
    kinds = {1: numpy.float32, 6: numpy.int32, 7: numpy.int64, 9: numpy.bool_, 11: numpy.float64}
    kind = kinds.get(node.attributes["to"])
    return None if kind is None else given[0].astype(kind)


def _slice(node: Node, given: Arrays) -> object:
    source, starts, ends = given[0], given[1].reshape(-1), given[2].reshape(-1)
    axes = given[3].reshape(-1) if len(given) > 3 and given[3] is not None else range(len(starts))
    steps = given[4].reshape(-1) if len(given) > 4 and given[4] is not None else [1] * len(starts)
    cut: list[object] = [slice(None)] * source.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        cut[int(axis)] = slice(int(start), int(end), int(step))
    return source[tuple(cut)]


def _filled(node: Node, given: Arrays) -> object:
    shape = [int(size) for size in given[0].reshape(-1)]
    if math.prod(shape) > KEPT_ELEMENTS:
        return None
    value = node.attributes.get("value")
    if value is None:
        return numpy.zeros(shape, numpy.float32)
    from onnx import numpy_helper

    one = numpy_helper.to_array(value)
    return numpy.full(shape, one.reshape(-1)[0], one.dtype)


def _divide(node: Node, given: Arrays) -> object:
    if given[0].dtype.kind in "iu":
        if not given[1].all():
            return None
        # Whole numbers are cut towards zero, as in C; Python rounds down.
        sign = numpy.sign(given[0]) * numpy.sign(given[1])
        return sign * (numpy.abs(given[0]) // numpy.abs(given[1]))
    return given[0] / given[1]


def _of(function: Callable[..., object]) -> Callable[[Node, Arrays], object]:
    return lambda node, given: numpy.asarray(function(*given))


_RULES: dict[str, Callable[[Node, Arrays], Any]] = {
    "Add": _of(numpy.add),
    "And": _of(numpy.logical_and),
    "Cast": _cast,
    "Concat": lambda node, given: numpy.concatenate(given, int(node.attributes["axis"])),
    "ConstantOfShape": _filled,
    "Div": _divide,
    "Equal": _of(numpy.equal),
    "Gather": lambda node, given: numpy.take(
        given[0], given[1], axis=int(node.attributes.get("axis", 0))
    ),
    "Greater": _of(numpy.greater),
    "Identity": lambda node, given: given[0],
    "Less": _of(numpy.less),
    "Mul": _of(numpy.multiply),
    "Not": _of(numpy.logical_not),
    "Or": _of(numpy.logical_or),
    "Reshape": lambda node, given: given[0].reshape([int(size) for size in given[1]]),
    "Slice": _slice,
    "Squeeze": _squeeze,
    "Sub": _of(numpy.subtract),
    "Transpose": lambda node, given: numpy.transpose(given[0], node.attributes.get("perm")),
    "Unsqueeze": _unsqueeze,
    "Where": _of(numpy.where),
}
