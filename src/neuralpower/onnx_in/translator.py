"""From the operators of a graph to Caffe's layers, one after the other.

Each operator that Caffe has a layer for becomes that layer's message; what follows (shapes,
parameters, multiply-accumulates, families) is then worked out exactly as for a prototxt. Any other
operator becomes a row that names it, with the shapes of the model and without a family.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from neuralpower.caffe import caffe_pb2 as pb
from neuralpower.core.configuration import Configuration
from neuralpower.onnx_in.model import Node, Shape, blob_name, fault
from neuralpower.onnx_in.shapes import Values

#: Operators that give another view of the same elements, or only move them: no products.
MOVES = frozenset(
    {
        "Cast",
        "CenterCropPad",
        "Compress",
        "DepthToSpace",
        "Expand",
        "Gather",
        "GatherElements",
        "GatherND",
        "Pad",
        "ScatterElements",
        "ScatterND",
        "Slice",
        "SpaceToDepth",
        "Tile",
        "Transpose",
        "Where",
    }
)


@dataclass(slots=True)
class Entry:
    """One row to be: the layer's message and where it comes from.

    ``tops``: names of the values in the model that the tops are, to compare shapes with.
    ``by_hand`` entries have a type that Caffe does not know; their figures are given here.
    """

    message: Any
    node: Node
    values: tuple[str, ...]
    note: str = ""
    by_hand: bool = False
    configuration: Configuration | None = None
    macs: int | None = None
    params: int = 0


@dataclass(slots=True, eq=False)
class Translator:
    """The entries so far, and what operators ask of the graph."""

    nodes: Sequence[Node]
    values: Values
    entries: list[Entry] = field(default_factory=list)
    done: set[int] = field(default_factory=set)
    _alias: dict[str, str] = field(default_factory=dict)
    _readers: dict[str, list[Node]] = field(default_factory=dict)
    _names: set[str] = field(default_factory=set)
    _uses: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        for node in self.nodes:
            if all(name in self.values.static for name in node.outputs):
                if node.op == "Identity" and node.inputs and node.outputs:
                    self.alias(node)  # a weight that several operators share
                continue  # what only asks for a shape, or prepares a weight
            for name in dict.fromkeys(node.inputs):
                if name:
                    self._readers.setdefault(name, []).append(node)
                    self._uses[self.source(name)] += 1

    # ------------------------------------------------------------------------- the graph

    def shape(self, value: str) -> Shape | None:
        """The shape of a value, None where it cannot be known."""
        return self.values.shapes.get(self.source(value))

    def rank(self, value: str) -> int:
        """The number of axes; 0 where the shape is unknown."""
        return len(self.shape(value) or ())

    def static(self, value: str) -> bool:
        """Whether a value does not depend on an input of the model."""
        return self.source(value) in self.values.static

    def constant(self, value: str) -> Any:
        """The numbers of a small constant, or None."""
        return self.values.constants.get(self.source(value))

    def number(self, value: str) -> float | None:
        """The one number of a constant, or None."""
        found = self.constant(value)
        return float(found.reshape(-1)[0]) if found is not None and found.size == 1 else None

    def source(self, value: str) -> str:
        """A value without the copies (``Identity``) in between."""
        while value in self._alias:
            value = self._alias[value]
        return value

    def alias(self, node: Node) -> None:
        """Take the first output of a node for its first input."""
        self._alias[node.outputs[0]] = node.inputs[0]

    def only_reader(self, value: str) -> Node | None:
        """The one node that reads a value, None where there are others or it leaves the model."""
        readers = self._readers.get(value, [])
        if len(readers) != 1 or value in self.values.outputs or readers[0].index in self.done:
            return None
        return readers[0]

    def shared(self, value: str) -> bool:
        """Whether several nodes read a weight."""
        return self._uses[self.source(value)] > 1

    def size(self, value: str) -> int:
        """Elements of a weight."""
        shape = self.shape(value)
        return 0 if shape is None else math.prod(shape)

    # ------------------------------------------------------------------------ the layers

    def take(self, node: Node) -> None:
        """Mark a node as part of a layer that is already listed."""
        self.done.add(node.index)

    def name(self, wanted: str) -> str:
        """A layer name that is not taken."""
        name, number = wanted, 1
        while name in self._names:
            number += 1
            name = f"{wanted}#{number}"
        self._names.add(name)
        return name

    def blob(self, value: str) -> str:
        """The blob's name of a value."""
        return blob_name(self.source(value))

    def layer(
        self,
        kind: str,
        node: Node,
        bottoms: Sequence[str] | None = None,
        tops: Sequence[str] | None = None,
        *,
        name: str = "",
        note: str = "",
    ) -> Any:
        """Append a layer of a Caffe type and return its message to be filled in.

        ``bottoms`` and ``tops`` are values of the model; without them the first of the node.
        """
        inputs = node.inputs[:1] if bottoms is None else bottoms
        outputs = node.outputs[:1] if tops is None else tops
        message = pb.LayerParameter(name=self.name(name or node.name), type=kind)
        message.bottom.extend(self.blob(value) for value in inputs)
        message.top.extend(self.blob(value) for value in outputs)
        self.entries.append(Entry(message, node, tuple(outputs), note))
        return message

    @property
    def last(self) -> Entry:
        """The entry that was appended last."""
        return self.entries[-1]

    def share(self, weights: Sequence[str]) -> None:
        """Name the parameters of the last layer that other nodes read too: they count once."""
        if any(self.shared(value) for value in weights):
            for value in weights:
                spec = self.last.message.param.add()
                if self.shared(value):
                    spec.name = blob_name(self.source(value))

    def unknown(self, node: Node, note: str = "", macs: int | None = None) -> None:
        """Append a row without a family for an operator that Caffe has no layer for."""
        inputs = [value for value in node.inputs if value and not self.static(value)]
        outputs = [value for value in node.outputs if value]
        self.layer(by_hand_type(node), node, inputs, outputs, note=note)
        self.last.by_hand = True
        self.last.params = self.own_weights(node)
        self.last.macs = 0 if node.op in MOVES else macs

    def own_weights(self, node: Node) -> int:
        """Elements of the weights that a node reads; those of a shape or bound do not count."""
        names = dict.fromkeys(self.source(value) for value in node.inputs if value)
        return sum(self.values.weights.get(name, 0) for name in names)


def by_hand_type(node: Node) -> str:
    """The type of a row that no Caffe layer expresses; Caffe has a Slice and a Split too."""
    return f"onnx.{node.op}" if "." not in node.op else node.op


#: What a handler raises for a node that lacks an input or attribute, or has sizes beyond reason.
_NOT_THE_OPERATOR = (
    *(ArithmeticError, AttributeError, IndexError, KeyError, TypeError, ValueError),
)
Handler = Callable[[Translator, Node], bool]
#: Operators and what translates them; False sends a node to the rows without a family.
HANDLERS: dict[str, Handler] = {}


def operator(*names: str) -> Callable[[Handler], Handler]:
    """Register a function for operators of ONNX's own domain."""

    def register(function: Handler) -> Handler:
        for name in names:
            HANDLERS[name] = function
        return function

    return register


def translate(nodes: Sequence[Node], values: Values) -> Translator:
    """Entries for the inputs and every node; shape computations and constants are not rows."""
    translator = Translator(nodes, values)
    for name, shape in values.inputs.items():
        place = Node(-1, blob_name(name), "Input", [], [name])
        message = translator.layer("Input", place, [], [name])
        message.input_param.shape.add().dim.extend(shape)
    for node in nodes:
        if node.index in translator.done or not any(node.outputs):
            continue
        if all(name in values.static for name in node.outputs if name):
            continue
        try:
            handler = HANDLERS.get(node.op)
            if handler is None or not handler(translator, node):
                translator.unknown(node)
        except _NOT_THE_OPERATOR as error:
            text = "its inputs or attributes are not those of this operator"
            raise fault(node, f"{text} ({type(error).__name__})") from None
    return translator
