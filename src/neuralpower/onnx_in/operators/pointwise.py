"""Operators that work element by element on one value."""

from __future__ import annotations

from neuralpower.onnx_in.model import Node
from neuralpower.onnx_in.translator import Translator, operator

_PLAIN = {
    "Sigmoid": "Sigmoid",
    "Tanh": "TanH",
    "Abs": "AbsVal",
    "Softplus": "BNLL",
    "Relu": "ReLU",
    "Exp": "Exp",
    "Log": "Log",
}


@operator(*_PLAIN)
def plain(t: Translator, node: Node) -> bool:
    """One layer without options."""
    t.layer(_PLAIN[node.op], node)
    return True


@operator("LeakyRelu")
def leaky(t: Translator, node: Node) -> bool:
    """ReLU with a slope below zero."""
    t.layer("ReLU", node).relu_param.negative_slope = float(node.attributes.get("alpha", 0.01))
    return True


@operator("Elu")
def elu(t: Translator, node: Node) -> bool:
    """x, or alpha (exp(x) - 1) below zero."""
    t.layer("ELU", node).elu_param.alpha = float(node.attributes.get("alpha", 1.0))
    return True


@operator("PRelu")
def prelu(t: Translator, node: Node) -> bool:
    """A learnt slope below zero, one per channel or one for all."""
    if t.rank(node.inputs[0]) < 2 or not t.static(node.inputs[1]):
        return False
    message = t.layer("PReLU", node)
    t.share(node.inputs[1:2])
    if t.size(node.inputs[1]) == 1:
        message.prelu_param.channel_shared = True
    return True


@operator("Clip")
def clip(t: Translator, node: Node) -> bool:
    """Bounds of 0 and 6 are ReLU6, a lower bound of 0 alone is ReLU."""
    low = t.number(node.inputs[1]) if node.has(1) else node.attributes.get("min")
    high = t.number(node.inputs[2]) if node.has(2) else node.attributes.get("max")
    if low == 0 and high == 6:
        t.layer("ReLU6", node)
    elif low == 0 and (high is None or high > 1e30) and not node.has(2):
        t.layer("ReLU", node)
    else:
        param = t.layer("Clip", node).clip_param
        param.min = -3.4e38 if low is None else float(low)
        param.max = 3.4e38 if high is None else float(high)
    return True


@operator("Dropout")
def dropout(t: Translator, node: Node) -> bool:
    """Nothing at inference."""
    t.layer("Dropout", node)
    return True


@operator("Identity")
def identity(t: Translator, node: Node) -> bool:
    """A copy is no layer: its readers read the source, unless it is what the model returns."""
    if node.outputs[0] in t.values.outputs:
        t.layer("Split", node)
    else:
        t.alias(node)
    return True
