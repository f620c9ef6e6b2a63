"""Sums and products: of two values (Eltwise), by learnt factors (Scale, Bias), by one number."""

from __future__ import annotations

from typing import Any

from neuralpower.onnx_in.model import Node, Shape
from neuralpower.onnx_in.operators.windows import whole_image
from neuralpower.onnx_in.translator import Translator, operator


@operator("Add", "Sum", "Sub", "Mul", "Max", "Div")
def combine(t: Translator, node: Node) -> bool:
    """What the two sides are decides on the layer."""
    if node.op == "Mul" and _response_normalisation(t, node):
        return True
    moving = [value for value in node.inputs if not t.static(value)]
    shapes = [t.shape(value) for value in moving]
    if None in shapes or not shapes:
        return False
    if len(moving) == len(node.inputs):
        if len(set(shapes)) == 1 and len(moving) > 1:
            return _eltwise(t, node)
        return len(moving) == 2 and _spread(t, node)
    if len(node.inputs) != 2:
        return False
    fixed = next(value for value in node.inputs if t.static(value))
    return _by_constant(t, node, moving[0], fixed)


#: Operators between a square and the division in a local response normalisation written out.
_BETWEEN = frozenset(
    {"Add", "AveragePool", "Identity", "Mul", "Pad", "Pow", "Reshape", "Squeeze", "Unsqueeze"}
)


def _response_normalisation(t: Translator, node: Node) -> bool:
    """x / (k + alpha mean(x x)) ** beta as exporters write it out: one LRN layer."""
    x, other = node.inputs
    if t.source(x) != t.source(other) or t.static(x):
        return False
    chain: list[Node] = []
    reader = t.only_reader(node.outputs[0])
    while reader is not None and reader.op in _BETWEEN:
        chain.append(reader)
        reader = t.only_reader(reader.outputs[0])
    if reader is None or reader.op != "Div" or t.source(reader.inputs[0]) != t.source(x):
        return False
    pools = [step for step in chain if step.op == "AveragePool"]
    powers = [step for step in chain if step.op == "Pow"]
    if len(pools) != 1 or len(powers) != 1:
        return False
    kernel = [int(size) for size in pools[0].attributes.get("kernel_shape") or [1]]
    param = t.layer("LRN", node, [x], [reader.outputs[0]]).lrn_param
    param.local_size = max(kernel)
    if len(kernel) == 2 and kernel[0] == kernel[1]:
        param.norm_region = param.WITHIN_CHANNEL
    param.beta = t.number(powers[0].inputs[1]) or 0.75
    for step in (*chain, reader):
        t.take(step)
        fixed = [n for value in step.inputs if (n := t.number(value)) is not None]
        if step.op == "Mul" and fixed:
            param.alpha = fixed[0]
        elif step.op == "Add" and fixed:
            param.k = fixed[0]
    return True


def _eltwise(t: Translator, node: Node) -> bool:
    operations = {"Mul": 0, "Add": 1, "Sum": 1, "Sub": 1, "Max": 2}
    if node.op not in operations:
        return False
    param = t.layer("Eltwise", node, node.inputs).eltwise_param
    if node.op != "Add" and node.op != "Sum":
        param.operation = operations[node.op]
    if node.op == "Sub":
        param.coeff.extend([1.0, -1.0])
    return True


def _spread(t: Translator, node: Node) -> bool:
    """A computed factor or summand a channel (squeeze and excitation): Scale, Bias of two blobs."""
    kinds = {"Mul": "Scale", "Add": "Bias"}
    if node.op not in kinds or t.shape(node.outputs[0]) is None:
        return False
    out = t.shape(node.outputs[0])
    wide, narrow = node.inputs if t.shape(node.inputs[0]) == out else node.inputs[::-1]
    shape, small = t.shape(wide), t.shape(narrow)
    if shape != out or small is None or shape is None:
        return False
    axis, run = _run(shape, small)
    if run is None:
        return False
    if small != run:
        flat = f"{narrow}/{node.name}"
        t.values.shapes[flat] = run
        view = t.layer("Reshape", node, [narrow], [flat], name=f"{node.name}/view")
        view.reshape_param.shape.dim.extend(_dims(small, run))
        narrow = flat
    message = t.layer(kinds[node.op], node, [wide, narrow])
    param = message.scale_param if node.op == "Mul" else message.bias_param
    param.axis = axis
    return True


def _dims(before: Shape, after: Shape) -> list[int]:
    """A reshape's sizes; a first axis that stays is copied (0), so that the batch can change."""
    keeps = before[:1] == after[:1]
    return [0 if keeps and i == 0 else size for i, size in enumerate(after)]


def _run(shape: Shape, small: Shape) -> tuple[int, Shape | None]:
    """Where a smaller blob lies along the axes of a larger: (first axis, its sizes there).

    A blob that needs repeating on two sides of another axis, or along none, is no such run.
    """
    full = (1,) * (len(shape) - len(small)) + small
    if len(full) != len(shape) or any(b not in (1, a) for a, b in zip(shape, full, strict=True)):
        return 0, None
    wide = [i for i, (a, b) in enumerate(zip(shape, full, strict=True)) if a == b and b != 1]
    if not wide:
        return 0, None
    first, last = wide[0], wide[-1]
    if full[0] == shape[0] and first > 0:
        first = 0  # a batch of 1 is a batch all the same
    run = full[first : last + 1]
    if run != shape[first : last + 1]:
        return 0, None
    return first, run


def _by_constant(t: Translator, node: Node, value: str, fixed: str) -> bool:
    number = t.number(fixed)
    if t.size(fixed) == 1:
        return _by_number(t, node, value, number)
    if node.op not in ("Mul", "Add"):
        return False
    shape, small = t.shape(value), t.shape(fixed)
    if shape is None or small is None or t.shape(node.outputs[0]) != shape:
        return False
    full = (1,) * (len(shape) - len(small)) + small
    wide = [i for i, b in enumerate(full) if b != 1]
    if not wide or len(full) != len(shape):
        return False
    axis, last = wide[0], wide[-1]
    if full[axis : last + 1] != shape[axis : last + 1] or axis == 0:
        return False
    top = node.outputs[0]
    weights, bias = [fixed], False
    if node.op == "Mul":
        after = t.only_reader(top)
        other = _same_run(t, after, small) if after is not None else None
        if after is not None and other is not None:
            t.take(after)
            top, bias = after.outputs[0], True
            weights.append(other)
    message = t.layer("Scale" if node.op == "Mul" else "Bias", node, [value], [top])
    t.share(weights)
    param: Any = message.scale_param if node.op == "Mul" else message.bias_param
    if axis != 1:
        param.axis = axis
    if last != axis:
        param.num_axes = last - axis + 1
    if bias:
        param.bias_term = True
    return True


def _same_run(t: Translator, node: Node, small: Shape) -> str | None:
    """The fixed summand of the next node where it lies along the same axes as the factor."""
    if node.op != "Add":
        return None
    for value in node.inputs:
        if t.static(value) and t.shape(value) == small:
            return value
    return None


def _by_number(t: Translator, node: Node, value: str, number: float | None) -> bool:
    if number is None and node.op in ("Mul", "Div"):
        t.unknown(node, "by a number that is not in the file", t.size(value))
        return True
    if number is None or node.op in ("Max",) or (node.op == "Div" and not number):
        return False
    if node.op in ("Sub", "Div") and node.inputs[0] != value:
        if node.op == "Div":
            return False
        param = t.layer("Power", node, [value]).power_param
        param.scale, param.shift = -1.0, number
        return True
    param = t.layer("Power", node, [value]).power_param
    if node.op in ("Add", "Sum"):
        param.shift = number
    elif node.op == "Sub":
        param.shift = -number
    else:
        param.scale = number if node.op == "Mul" else 1.0 / number
    return True


@operator("Pow", "Sqrt")
def power(t: Translator, node: Node) -> bool:
    """x to a fixed power."""
    exponent = 0.5 if node.op == "Sqrt" else t.number(node.inputs[1])
    if exponent is None or t.static(node.inputs[0]):
        return False
    t.layer("Power", node).power_param.power = exponent
    return True


@operator("Neg")
def negative(t: Translator, node: Node) -> bool:
    """-x."""
    t.layer("Power", node).power_param.scale = -1.0
    return True


@operator("ReduceMean", "ReduceSum", "ReduceMax")
def reduce(t: Translator, node: Node) -> bool:
    """Over both axes of an image a global pooling; over the last axes a Reduction."""
    shape, out = t.shape(node.inputs[0]), t.shape(node.outputs[0])
    if shape is None or out is None:
        return False
    given = node.attributes.get("axes")
    if given is None and node.has(1):
        found = t.constant(node.inputs[1])
        given = None if found is None else [int(axis) for axis in found.reshape(-1)]
    axes = sorted(axis % len(shape) for axis in given) if given else list(range(len(shape)))
    kept = bool(node.attributes.get("keepdims", 1))
    method = {"ReduceMean": "AVE", "ReduceMax": "MAX"}.get(node.op)
    if method and len(shape) == 4 and axes == [2, 3]:
        if kept:
            return whole_image(t, node, method, node.outputs[0])
        inner = f"{node.outputs[0]}/pooled"
        t.values.shapes[inner] = (*shape[:2], 1, 1)
        whole_image(t, node, method, inner)
        view = t.layer("Reshape", node, [inner], node.outputs[:1], name=f"{node.name}/view")
        view.reshape_param.shape.dim.extend([0, out[1]])
        return True
    if node.op != "ReduceMax" and not kept and axes == list(range(axes[0], len(shape))):
        param = t.layer("Reduction", node).reduction_param
        param.operation = param.MEAN if node.op == "ReduceMean" else param.SUM
        param.axis = axes[0]
        return True
    return False
