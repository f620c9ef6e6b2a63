"""The shapes of all values of a model, at the wanted sizes of its inputs.

The inference is that of the ``onnx`` package. What exporters fix on the way (a batch of 1 written
into a ``Reshape``) is freed first, so that another batch can be asked for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy

from neuralpower.core.errors import InputError
from neuralpower.onnx_in.folding import fold
from neuralpower.onnx_in.model import KEPT_ELEMENTS, Node, Shape, plain_nodes

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto

#: The elements of one value, as of the prototxt reader's lenient mode.
MAX_ELEMENTS = 2**53
#: Rounds in which branches are written out; each may hold others.
_BRANCHES = 20
#: Rounds of inference; each needs a shape that depends on the values of the one before.
_ROUNDS = 20


@dataclass(slots=True)
class Values:
    """What is known of the values of a graph.

    ``static``: values that do not depend on an input (weights, and what is computed from shapes);
    ``constants``: the numbers of the small ones; ``weights``: elements of the initializers of
    numbers with a point.
    """

    shapes: dict[str, Shape]
    static: set[str]
    constants: dict[str, object]
    weights: dict[str, int]
    inputs: dict[str, Shape]
    outputs: list[str]
    #: The axis of a Softmax that does not say: 1 before operator set 13, the last from there on.
    softmax_axis: int = -1
    notes: list[str] = field(default_factory=list)


def read_graph(
    model: ModelProto, *, batch: int | None, given: Mapping[str, Shape], path: str | Path
) -> tuple[list[Node], Values]:
    """The nodes and what is known of the values between them; ``model`` is changed.

    ``batch`` replaces the first size of every input, ``given`` the whole shape of one. Branches
    whose condition follows from the shapes are written out. Raises ``InputError`` naming an input
    whose size is not fixed and not given.
    """
    notes: list[str] = []
    before = _input_shapes(model)
    wanted = _wanted(before, batch, given, notes, path)
    if any(wanted[name] != shape for name, shape in before.items()):
        _free_batch(model, before, wanted, notes)
    nodes, shapes, constants = _settled(model, wanted)
    weights = {
        tensor.name: math.prod(tensor.dims)
        for tensor in model.graph.initializer
        if tensor.data_type in _FLOATS
    }
    outputs = [value.name for value in model.graph.output]
    axis = 1 if _operator_set(model) < 13 else -1
    static = _static(model, nodes)
    return nodes, Values(shapes, static, constants, weights, wanted, outputs, axis, notes)


def _settled(
    model: ModelProto, inputs: Mapping[str, Shape]
) -> tuple[list[Node], dict[str, Shape], dict[str, object]]:
    """Nodes, shapes and small constants once every branch that can be decided is written out."""
    for _ in range(_BRANCHES):
        nodes = plain_nodes(model)
        shapes, constants = _inferred(model, nodes, inputs)
        if not _write_out_branches(model, constants):
            break
    return nodes, shapes, constants


def _write_out_branches(model: ModelProto, constants: Mapping[str, Any]) -> bool:
    """Replace every ``If`` whose condition is known by its branch; whether there was one."""
    from onnx import helper

    nodes: list[NodeProto] = []
    found = False
    for proto in model.graph.node:
        condition = constants.get(proto.input[0]) if proto.op_type == "If" and proto.input else None
        branch = None
        if condition is not None and condition.size == 1:
            wanted = "then_branch" if bool(condition.reshape(-1)[0]) else "else_branch"
            branch = next((a.g for a in proto.attribute if a.name == wanted), None)
        if branch is None:
            nodes.append(proto)
            continue
        found = True
        model.graph.initializer.extend(branch.initializer)
        nodes += branch.node
        for inner, outer in zip(branch.output, proto.output, strict=False):
            copy = helper.make_node("Identity", [inner.name], [outer], f"{proto.name}/{outer}")
            nodes.append(copy)
    if found:
        copies = [type(proto).FromString(proto.SerializeToString()) for proto in nodes]
        del model.graph.node[:]
        model.graph.node.extend(copies)
    return found


def _operator_set(model: ModelProto) -> int:
    own = [entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    return max(own, default=0)


#: FLOAT, FLOAT16, DOUBLE, BFLOAT16 and the 8-bit integers of quantised weights.
_FLOATS = frozenset({1, 10, 11, 16, 2, 3})


def _input_shapes(model: ModelProto) -> dict[str, tuple[int | str | None, ...]]:
    own = {tensor.name for tensor in model.graph.initializer}
    return {
        value.name: tuple(
            dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0 else None
            for dim in value.type.tensor_type.shape.dim
        )
        for value in model.graph.input
        if value.name not in own
    }


def _wanted(
    before: Mapping[str, tuple[Any, ...]],
    batch: int | None,
    given: Mapping[str, Shape],
    notes: list[str],
    path: str | Path,
) -> dict[str, Shape]:
    wanted: dict[str, Shape] = {}
    for name, shape in before.items():
        if name in given:
            wanted[name] = tuple(given[name])
            continue
        sizes = list(shape)
        if sizes and (batch is not None or sizes[0] is None):
            if batch is None:
                notes.append(f"the first size of input '{name[:60]}' is open: 1 is taken (--batch)")
            sizes[0] = batch or 1
        if None in sizes:
            example = "x".join("N" if size is None else str(size) for size in sizes)
            raise InputError(
                f"input '{name[:60]}' is {example.replace('N', '?')}: give its size, as "
                f"--blob-shape {name[:60]}={example.replace('N', '224')}",
                path=path,
            )
        wanted[name] = tuple(sizes)
        if math.prod(sizes) > MAX_ELEMENTS:
            raise InputError(f"input '{name[:60]}' has more than 2^53 elements", path=path)
    return wanted


def _constants(model: ModelProto, nodes: list[Node]) -> dict[str, Any]:
    """Small constants by name: initializers and the results of ``Constant``."""
    from onnx import numpy_helper

    found: dict[str, object] = {}

    def keep(name: str, tensor: TensorProto) -> None:
        if math.prod(tensor.dims) <= KEPT_ELEMENTS:
            try:
                found[name] = numpy_helper.to_array(tensor)
            except (TypeError, ValueError, KeyError):
                return  # a shape that its data do not fill, or a type that there is not

    for tensor in model.graph.initializer:
        keep(tensor.name, tensor)
    for node in nodes:
        if node.op == "Constant" and node.outputs:
            for kind, value in node.attributes.items():
                if kind == "value":
                    keep(node.outputs[0], value)
                elif kind in ("value_int", "value_ints"):
                    found[node.outputs[0]] = numpy.array(value, numpy.int64)
                elif kind in ("value_float", "value_floats"):
                    found[node.outputs[0]] = numpy.array(value, numpy.float32)
        elif node.op in ("Identity", "Cast") and node.inputs and node.inputs[0] in found:
            found[node.outputs[0]] = found[node.inputs[0]]
    return found


#: Operators whose result depends on the shape of what they read only.
_OF_SHAPES = frozenset({"Shape", "Size"})


def _static(model: ModelProto, nodes: list[Node]) -> set[str]:
    static = {tensor.name for tensor in model.graph.initializer}
    static |= {tensor.values.name for tensor in model.graph.sparse_initializer}
    for node in nodes:
        known = all(name in static for name in node.inputs if name)
        random = node.op.startswith("Random") or node.op in ("If", "Loop", "Scan")
        if node.op in _OF_SHAPES or (known and not random):
            static.update(name for name in node.outputs if name)
    return static


def _free_batch(
    model: ModelProto,
    before: Mapping[str, tuple[Any, ...]],
    wanted: Mapping[str, Shape],
    notes: list[str],
) -> None:
    """Let targets of ``Reshape`` and ``Expand`` that repeat the file's batch follow the wanted one.

    A target follows where it is made of constants only, and where both it and what is reshaped
    begin with the batch of the file.
    """
    from onnx import numpy_helper

    own = {name: tuple(size or 1 for size in shape) for name, shape in before.items()}
    firsts = {shape[0] for shape in own.values() if shape}
    wants = {shape[0] for shape in wanted.values() if shape}
    if len(firsts) != 1 or len(wants) != 1 or firsts == wants:
        return
    old, new = firsts.pop(), wants.pop()
    nodes, shapes, _ = _settled(model, own)
    constants = _constants(model, nodes)
    fold(nodes, {}, constants)
    count = 0
    for proto in model.graph.node:
        if proto.op_type not in ("Reshape", "Expand") or len(proto.input) < 2:
            continue
        target, source = constants.get(proto.input[1]), shapes.get(proto.input[0])
        if target is None or target.ndim != 1 or not target.size or not source:
            continue
        if int(target[0]) != old or source[0] != old:
            continue
        freed = target.astype(numpy.int64).copy()
        freed[0] = new
        name = f"{proto.output[0]}/target"
        model.graph.initializer.append(numpy_helper.from_array(freed, name))
        proto.input[1] = name
        count += 1
    if count:
        notes.append(f"the batch of {old} that {count} reshaping operators fix is taken as {new}")


def _inferred(
    model: ModelProto, nodes: list[Node], inputs: Mapping[str, Shape]
) -> tuple[dict[str, Shape], dict[str, object]]:
    """Shapes and small constants: each may follow from the other, until nothing new does."""
    constants = _constants(model, nodes)
    own = set(constants)
    shapes: dict[str, Shape] = {}
    for _ in range(_ROUNDS):
        before = len(constants)
        computed = {name: value for name, value in constants.items() if name not in own}
        shapes = infer(model, nodes, inputs, computed)
        fold(nodes, shapes, constants)
        if len(constants) == before:
            break
    return shapes, constants


def infer(
    model: ModelProto,
    nodes: list[Node],
    inputs: Mapping[str, Shape],
    computed: Mapping[str, object] | None = None,
) -> dict[str, Shape]:
    """The shapes that follow from those of the inputs; values that cannot be known are absent.

    ``computed`` are values that have been worked out: they take the place of their nodes.
    """
    import onnx
    from onnx import helper

    light = onnx.ModelProto()
    light.CopyFrom(model)
    graph = light.graph
    del graph.value_info[:]
    large = {
        tensor.name: tensor
        for tensor in graph.initializer
        if math.prod(tensor.dims) > KEPT_ELEMENTS
    }
    kept = [tensor for tensor in graph.initializer if tensor.name not in large]
    types = {value.name: value.type.tensor_type.elem_type for value in graph.input}
    del graph.initializer[:]
    graph.initializer.extend(kept)
    del graph.input[:]
    for name, shape in inputs.items():
        graph.input.append(helper.make_tensor_value_info(name, types[name] or 1, list(shape)))
    for name, tensor in large.items():
        value = helper.make_tensor_value_info(name, tensor.data_type, list(tensor.dims))
        graph.input.append(value)
    for value in graph.output:
        value.type.tensor_type.ClearField("shape")
    _write_nodes(light, nodes)
    if computed:
        _write_constants(graph, computed)
    try:
        known = onnx.shape_inference.infer_shapes(light, data_prop=True)
    except Exception:
        # C++ raises whatever its checks raise; the rows then say that their shape is unknown.
        known = light
    shapes: dict[str, Shape] = {}
    for value in (*known.graph.input, *known.graph.value_info, *known.graph.output):
        tensor = value.type.tensor_type
        dims = tensor.shape.dim
        if tensor.HasField("shape") and all(d.HasField("dim_value") for d in dims):
            shapes[value.name] = tuple(d.dim_value for d in dims)
    for tensor in known.graph.initializer:
        shapes[tensor.name] = tuple(tensor.dims)
    return shapes


def _write_constants(graph: GraphProto, computed: Mapping[str, object]) -> None:
    from onnx import numpy_helper

    kept = [proto for proto in graph.node if not any(name in computed for name in proto.output)]
    read = {name for proto in kept for name in proto.input}
    copies = [type(proto).FromString(proto.SerializeToString()) for proto in kept]
    del graph.node[:]
    graph.node.extend(copies)
    for name in sorted(read & set(computed)):
        graph.initializer.append(numpy_helper.from_array(numpy.asarray(computed[name]), name))


def _write_nodes(light: ModelProto, nodes: list[Node]) -> None:
    """Fused operators as the inference knows them: apart."""
    from onnx import helper

    if not any(proto.domain == "com.microsoft" for proto in light.graph.node):
        return
    protos = {tuple(proto.output): proto for proto in light.graph.node}
    plain = []
    for node in nodes:
        proto = protos.get(tuple(node.outputs))
        if proto is not None and proto.op_type == node.op and not proto.domain.startswith("com"):
            plain.append(proto)
        elif "." not in node.op:
            given = {k: v for k, v in node.attributes.items() if v is not None}
            made = helper.make_node(node.op, node.inputs, node.outputs, node.name, **given)
            plain.append(made)
        elif proto is not None:
            plain.append(proto)
    del light.graph.node[:]
    light.graph.node.extend(plain)
