"""Reading an ONNX file: what is kept of it are nodes, shapes and small constants, never weights.

Nothing of the file is run. Functions that the file defines are written out in place, operators that
ONNX Runtime fuses are taken apart again, and copies (``Identity``) are followed to their source.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuralpower.core.errors import InputError
from neuralpower.core.extras import not_installed
from neuralpower.core.files import refuse_special

if TYPE_CHECKING:
    from onnx import AttributeProto, ModelProto, NodeProto, TensorProto

#: A protobuf message cannot be larger.
MAX_BYTES = 2**31 - 1
#: Constants up to this many elements are kept: shapes, axes, bounds and single numbers.
KEPT_ELEMENTS = 4096
#: Several times the largest networks; of so many a table takes about 15 s.
MAX_NODES = 50_000

Shape = tuple[int, ...]


@dataclass(slots=True)
class Node:
    """One operator: its place in the file is ``index``; attributes are plain Python values."""

    index: int
    name: str
    op: str
    inputs: list[str]
    outputs: list[str]
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def has(self, position: int) -> bool:
        """Whether an optional input is given."""
        return position < len(self.inputs) and bool(self.inputs[position])


def onnx_package() -> Any:
    """The ``onnx`` package; one line that names the remedy where it is absent."""
    try:
        import onnx
    except ImportError:
        raise not_installed("onnx, which reads ONNX models,", "onnx") from None
    return onnx


def read_model(path: str | Path) -> ModelProto:
    """The file as an ``onnx.ModelProto`` with large constants reduced to their shapes.

    Raises ``InputError`` for a file that is not there, no ONNX model, or too large.
    """
    onnx = onnx_package()
    from google.protobuf.message import DecodeError

    source = Path(path)
    try:
        refuse_special(source)
        if source.stat().st_size > MAX_BYTES:
            raise InputError("larger than 2 GiB: no ONNX file can be", path=path)
        data = source.read_bytes()
    except FileNotFoundError:
        raise InputError("no such file: check the path", path=path) from None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", path=path) from None
    if not data:
        raise InputError("empty: an ONNX model is needed", path=path)
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except (DecodeError, RecursionError):
        raise InputError(
            "no ONNX model, or one that is cut short: export it again", path=path
        ) from None
    del data
    if not all(isinstance(text, str) for text in _texts(model)):
        raise InputError("no ONNX model: a name in it is not UTF-8 text", path=path)
    if not model.graph.node or not model.opset_import:
        raise InputError("no ONNX model: it has no operators", path=path)
    if _written_out(model, path) > MAX_NODES:
        raise InputError(f"more than {MAX_NODES} operators", path=path)
    if model.functions:
        model = _inlined(model, path)
    for tensor in model.graph.initializer:
        _reduce(tensor)
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                _reduce(attribute.t)
    return model


_DATA_FIELDS = (
    "raw_data",
    "float_data",
    "double_data",
    "int32_data",
    "int64_data",
    "uint64_data",
    "string_data",
)


def _reduce(tensor: TensorProto) -> None:
    """Drop the values of a large tensor, or of one in another file; the shape stays.

    No other file is read: its name would be a stranger's.
    """
    size = 1
    for dim in tensor.dims:
        size *= dim
    if size > KEPT_ELEMENTS or tensor.external_data or tensor.data_location:
        for name in _DATA_FIELDS:
            tensor.ClearField(name)
        tensor.ClearField("external_data")
        tensor.ClearField("data_location")


def _texts(model: ModelProto) -> Iterator[object]:
    """The names and notes that are read: protobuf gives bytes for those that are no text."""
    graph = model.graph
    yield from (model.producer_name, graph.name, graph.doc_string)
    for value in (*graph.input, *graph.output, *graph.value_info, *graph.initializer):
        yield from (value.name, value.doc_string)
    bodies = [graph.node, *(function.node for function in model.functions)]
    yield from (function.name for function in model.functions)
    for node in (node for nodes in bodies for node in nodes):
        yield from (node.name, node.op_type, node.domain, node.doc_string)
        yield from (*node.input, *node.output)
        yield from (attribute.name for attribute in node.attribute)


def _written_out(model: ModelProto, path: str | Path) -> int:
    """How many operators the graph has with its functions written out.

    Thirty functions of which each calls the one before twice are a thousand million operators in a
    file of 2 kB. ``InputError`` for functions that call themselves.
    """
    bodies = {
        (function.domain, function.name): _counted(function.node) for function in model.functions
    }
    sizes: dict[tuple[str, str], int] = {}
    begun: set[tuple[str, str]] = set()
    waiting = list(bodies)
    while waiting:
        name = waiting[-1]
        missing = [other for other in bodies[name] if other in bodies and other not in sizes]
        if not missing:
            sizes[name] = _size(bodies[name], sizes)
            waiting.pop()
        elif name in begun:
            raise InputError(f"function {name[1][:60]!r} calls itself", path=path)
        else:
            begun.add(name)
            waiting += missing
    return _size(_counted(model.graph.node), sizes)


def _counted(nodes: Iterable[NodeProto]) -> Counter[tuple[str, str]]:
    """How often each operator or function is called, in inner graphs too."""
    found: Counter[tuple[str, str]] = Counter()
    waiting = [iter(nodes)]
    while waiting:
        for node in waiting.pop():
            found[node.domain, node.op_type] += 1
            for attribute in node.attribute:
                waiting += [iter(graph.node) for graph in (attribute.g, *attribute.graphs)]
    return found


def _size(calls: Counter[tuple[str, str]], sizes: Mapping[tuple[str, str], int]) -> int:
    """Operators of a body; an empty function counts as one."""
    return sum(times * max(sizes.get(name, 1), 1) for name, times in calls.items())


def _inlined(model: ModelProto, path: str | Path) -> ModelProto:
    import onnx.inliner

    try:
        return onnx.inliner.inline_local_functions(model)
    except Exception as error:
        # The inliner is C++ and raises whatever its checks raise.
        raise InputError(f"its functions cannot be written out: {error}", path=path) from None


def plain_nodes(model: ModelProto) -> list[Node]:
    """The nodes of the main graph, fused operators taken apart, in the order of the file.

    Names are made unique; a node without a name gets that of its operator and place.
    """
    taken: set[str] = set()
    found: list[Node] = []
    for proto in model.graph.node:
        attributes = {a.name: _attribute(a) for a in proto.attribute}
        name = blob_name(proto.name) or f"{proto.op_type}_{len(found)}"
        while name in taken:
            name = f"{name}_{len(found)}"
        taken.add(name)
        op = proto.op_type if proto.domain in ("", "ai.onnx") else f"{proto.domain}.{proto.op_type}"
        node = Node(
            len(found), name, op, list(proto.input), list(proto.output), attributes
        )  # fmt: skip
        found += _taken_apart(node)
    for index, node in enumerate(found):
        node.index = index
    return found


def blob_name(name: str) -> str:
    """A name as the layer table can hold it: blobs are listed with spaces between."""
    return "_".join(name.split())


def _attribute(attribute: AttributeProto) -> object:
    from onnx import AttributeProto, helper

    if attribute.type in (AttributeProto.GRAPH, AttributeProto.GRAPHS):
        return None  # the body of an If or Loop is not read
    try:
        value = helper.get_attribute_value(attribute)
    except ValueError:
        # Of no type, or a reference, which has a value inside a function only.
        raise InputError(f"attribute '{attribute.name[:60]}' has no value") from None
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if attribute.type == AttributeProto.STRINGS:
        return [part.decode("utf-8", "replace") for part in value]
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value


def _taken_apart(node: Node) -> list[Node]:
    """ONNX Runtime's ``FusedConv`` and ``FusedGemm`` as the operators that they stand for."""
    plain = {"com.microsoft.FusedConv": "Conv", "com.microsoft.FusedGemm": "Gemm"}.get(node.op)
    if plain is None:
        return [node]
    own = {k: v for k, v in node.attributes.items() if not k.startswith("activation")}
    steps = [Node(0, node.name, plain, node.inputs[:3], list(node.outputs), own)]
    if node.has(3):
        summed = f"{node.outputs[0]}/sum"
        steps.append(Node(0, f"{node.name}/sum", "Add", [summed, node.inputs[3]], node.outputs))
        steps[0].outputs = [summed]
    activation = str(node.attributes.get("activation") or "")
    if activation:
        inner = f"{node.outputs[0]}/{activation}"
        steps[-1].outputs = [inner]
        name = f"{node.name}/{activation}"
        slope = node.attributes.get("activation_alpha", 0.01)
        given = {"alpha": slope} if activation == "LeakyRelu" else {}
        steps.append(Node(0, name, activation, [inner], list(node.outputs), given))
    return steps


def fault(node: Node, reason: str, path: str | Path | None = None) -> InputError:
    """The one line for a node that cannot be read."""
    return InputError(f"node '{node.name[:60]}' ({node.op[:60]}): {reason}", path=path)
