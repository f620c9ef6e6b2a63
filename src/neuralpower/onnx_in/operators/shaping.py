"""Operators that join, cut or rearrange values."""

from __future__ import annotations

import math

from neuralpower.onnx_in.model import Node, fault
from neuralpower.onnx_in.translator import Translator, operator


@operator("Reshape", "Squeeze", "Unsqueeze")
def reshape(t: Translator, node: Node) -> bool:
    """Another view of the same elements. Raises ``InputError`` where the counts differ."""
    shape, out = t.shape(node.inputs[0]), t.shape(node.outputs[0])
    if shape is None or out is None:
        return False
    if math.prod(shape) != math.prod(out):
        before, after = "x".join(map(str, shape)), "x".join(map(str, out))
        raise fault(
            node,
            f"it makes {after} of {before}: the batch is fixed inside of the model; export it "
            "with an open batch axis, or leave --batch out",
        )
    if len(out) == 2 and len(shape) > 2 and out[0] == shape[0]:
        t.layer("Flatten", node)
        return True
    message = t.layer("Reshape", node)
    keeps = shape[:1] == out[:1]
    message.reshape_param.shape.dim.extend(
        0 if keeps and axis == 0 else size for axis, size in enumerate(out)
    )
    return True


@operator("Flatten")
def flatten(t: Translator, node: Node) -> bool:
    """Two axes; over the first axis Caffe's Flatten, else a Reshape."""
    axis = int(node.attributes.get("axis", 1))
    if axis == 1 and t.rank(node.inputs[0]) > 1:
        t.layer("Flatten", node)
        return True
    return reshape(t, node)


@operator("Concat")
def concat(t: Translator, node: Node) -> bool:
    """Values joined along one axis."""
    rank = t.rank(node.inputs[0])
    if not rank or any(t.static(value) for value in node.inputs):
        return False
    axis = int(node.attributes["axis"]) % rank
    message = t.layer("Concat", node, node.inputs)
    if axis != 1:
        message.concat_param.axis = axis
    return True


@operator("Split")
def split(t: Translator, node: Node) -> bool:
    """A value cut along one axis."""
    shape = t.shape(node.inputs[0])
    parts = [t.shape(value) for value in node.outputs]
    if shape is None or None in parts or not all(node.outputs):
        return False
    axis = int(node.attributes.get("axis", 0)) % len(shape)
    message = t.layer("Slice", node, node.inputs[:1], node.outputs)
    if axis != 1:
        message.slice_param.axis = axis
    place = 0
    for part in parts[:-1]:
        place += part[axis] if part else 0
        message.slice_param.slice_point.append(place)
    return True


@operator("Transpose")
def transpose(t: Translator, node: Node) -> bool:
    """Axes in another order."""
    rank = t.rank(node.inputs[0])
    if not rank:
        return False
    order = node.attributes.get("perm") or list(range(rank))[::-1]
    t.layer("Permute", node).permute_param.order.extend(int(axis) for axis in order)
    return True
