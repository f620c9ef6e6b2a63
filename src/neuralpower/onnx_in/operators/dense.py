"""Matrix products and normalisations with learnt factors."""

from __future__ import annotations

import math

from neuralpower.onnx_in.model import Node
from neuralpower.onnx_in.translator import Translator, operator


@operator("Gemm")
def gemm(t: Translator, node: Node) -> bool:
    """An inner product with a fixed matrix; with a computed one a row that counts its products."""
    a, b = t.shape(node.inputs[0]), t.shape(node.inputs[1])
    if a is None or b is None or len(a) != 2 or len(b) != 2:
        return False
    outputs = b[0] if node.attributes.get("transB") else b[1]
    if node.attributes.get("transA") or not t.static(node.inputs[1]):
        t.unknown(node, "both factors are computed", math.prod(a) * outputs)
        return True
    bias = [node.inputs[2]] if node.has(2) else []
    message = t.layer("InnerProduct", node)
    t.share([node.inputs[1], *bias])
    param = message.inner_product_param
    param.num_output, param.bias_term = outputs, bool(bias)
    return True


@operator("MatMul")
def matrix_product(t: Translator, node: Node) -> bool:
    """A fixed matrix on the right is an inner product over the last axis; else products count."""
    left, right = t.shape(node.inputs[0]), t.shape(node.inputs[1])
    out = t.shape(node.outputs[0])
    if not left or not right or out is None:
        return False
    if not t.static(node.inputs[1]) or t.static(node.inputs[0]) or len(right) != 2:
        note = "both factors are computed"
        t.unknown(node, note, math.prod(out) * left[-1])
        return True
    bias, top = _added(t, node, right[1])
    message = t.layer("InnerProduct", node, node.inputs[:1], [top])
    t.share([node.inputs[1], *bias])
    param = message.inner_product_param
    param.num_output, param.bias_term = right[1], bool(bias)
    if len(left) != 2:
        param.axis = len(left) - 1
    return True


def _added(t: Translator, node: Node, outputs: int) -> tuple[list[str], str]:
    """A fixed vector that the next node adds, and the value after it."""
    after = t.only_reader(node.outputs[0])
    if after is not None and after.op == "Add":
        for value in after.inputs:
            shape = t.shape(value)
            wide = shape is not None and shape[-1:] == (outputs,) and math.prod(shape) == outputs
            if t.static(value) and wide:
                t.take(after)
                return [value], after.outputs[0]
    return [], node.outputs[0]


@operator("BatchNormalization")
def batch_normalisation(t: Translator, node: Node) -> bool:
    """Caffe's pair: BatchNorm with the stored statistics, Scale with the learnt factor and bias.

    Where the factors are all 1 and a product by fixed numbers follows, that product is the Scale.
    """
    if t.rank(node.inputs[0]) < 2 or node.attributes.get("training_mode"):
        return False
    if _only_normalises(t, node):
        t.layer("BatchNorm", node)
        return True
    inner = f"{node.outputs[0]}/normalised"
    shape = t.shape(node.inputs[0])
    if shape is not None:
        t.values.shapes[inner] = shape
    param = t.layer("BatchNorm", node, node.inputs[:1], [inner]).batch_norm_param
    param.eps = float(node.attributes.get("epsilon", 1e-5))
    scale = t.layer("Scale", node, [inner], node.outputs[:1], name=f"{node.name}/scale")
    scale.scale_param.bias_term = True
    return True


def _only_normalises(t: Translator, node: Node) -> bool:
    factor, shift = (t.constant(value) for value in node.inputs[1:3])
    after = t.only_reader(node.outputs[0])
    return (
        factor is not None
        and shift is not None
        and bool((factor == 1).all() and (shift == 0).all())
        and after is not None
        and after.op == "Mul"
        and any(t.static(value) for value in after.inputs)
    )


@operator("Softmax")
def softmax(t: Translator, node: Node) -> bool:
    """exp(x) over its sum along one axis."""
    rank = t.rank(node.inputs[0])
    if not rank:
        return False
    axis = int(node.attributes.get("axis", t.values.softmax_axis)) % rank
    message = t.layer("Softmax", node)
    if axis != 1:
        message.softmax_param.axis = axis
    return True
