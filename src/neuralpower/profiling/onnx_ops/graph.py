"""An ONNX graph under construction: nodes, constants, parameters and the blobs' current names."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from neuralpower.errors import InputError
from neuralpower.profiling.onnx_ops.weights import WeightSource

#: Operator set and file version: the newest that ONNX Runtime 1.20, the oldest we allow, runs.
OPSET = 17
IR_VERSION = 8
#: A protobuf message ends at 2 GiB; some room for the nodes.
MAX_BYTES = 2**31 - 2**24

Shape = tuple[int, ...]


class LayerLike(Protocol):
    """What an emitter reads of ``neuralpower.caffe.network.Layer``."""

    @property
    def name(self) -> str:
        """The layer's name."""
        ...

    @property
    def type(self) -> str:
        """Caffe's type of the layer."""
        ...

    @property
    def bottoms(self) -> tuple[str, ...]:
        """Names of its input blobs."""
        ...

    @property
    def tops(self) -> tuple[str, ...]:
        """Names of its output blobs."""
        ...

    @property
    def bottom_shapes(self) -> Sequence[Shape | None]:
        """Shapes of its inputs; ``None`` where not known."""
        ...

    @property
    def top_shapes(self) -> Sequence[Shape | None]:
        """Shapes of its outputs; ``None`` where not known."""
        ...

    @property
    def param(self) -> Any:
        """Its ``LayerParameter``."""
        ...


@dataclass(frozen=True, slots=True)
class InputSpec:
    """A graph input: float32 normal numbers, or whole numbers below ``classes`` (as float32)."""

    name: str
    shape: Shape
    classes: int | None = None


@dataclass(frozen=True, slots=True)
class Built:
    """A model ready to run. ``blobs``: each Caffe blob's last value's name in the graph."""

    model: Any
    inputs: tuple[InputSpec, ...]
    outputs: dict[str, Shape]
    blobs: dict[str, str]

    def to_bytes(self) -> bytes:
        """The model as a protobuf message."""
        data: bytes = self.model.SerializeToString()
        return data


class Graph:
    """Collects nodes; every method that makes a value returns its name."""

    def __init__(self, name: str, weights: WeightSource) -> None:
        self.name = name
        self.weights = weights
        self.inputs: dict[str, InputSpec] = {}
        self._nodes: list[Any] = []
        self._initializers: dict[str, Any] = {}
        self._made: dict[str, str] = {}
        self._first: dict[str, tuple[str, int]] = {}
        self._numbers = itertools.count()
        self._taken: set[str] = set()
        self._scope = ""

    def enter(self, layer: str) -> None:
        """Names made from here on belong to ``layer``."""
        self._scope = layer

    def fresh(self, hint: str) -> str:
        """A name that no value has yet."""
        name = hint
        while name in self._taken:
            name = f"{hint}#{next(self._numbers)}"
        self._taken.add(name)
        return name

    def add_input(self, spec: InputSpec) -> str:
        """Declare a graph input."""
        self._taken.add(spec.name)
        self.inputs[spec.name] = spec
        return spec.name

    def op(self, kind: str, inputs: Sequence[str], output: str = "", **attributes: Any) -> str:
        """Append a node with one output and return the output's name."""
        (name,) = self.ops(
            kind, inputs, [output or self.fresh(f"{self._scope}/{kind}")], attributes
        )
        return name

    def ops(
        self, kind: str, inputs: Sequence[str], outputs: Sequence[str], attributes: dict[str, Any]
    ) -> list[str]:
        """Append a node with several outputs, whose names are given."""
        node = helper.make_node(
            kind,
            list(inputs),
            list(outputs),
            name=f"{self._scope}:{len(self._nodes)}",
            **attributes,
        )
        self._nodes.append(node)
        return list(outputs)

    def parameter(self, owner: str, index: int, shape: Sequence[int], kind: str) -> Any:
        """The values of a layer's parameter, before they become part of the graph."""
        return self.weights.blob(owner, index, shape, kind)

    def weight(
        self, layer: LayerLike, index: int, shape: Sequence[int], kind: str, as_shape: Shape = ()
    ) -> str:
        """A layer's parameter as a value; parameters shared by name in Caffe are one value.

        ``shape`` is Caffe's shape of the blob, ``as_shape`` the one that the node needs.
        """
        named = layer.param.param[index].name if index < len(layer.param.param) else ""
        owner, number = layer.name, index
        if named:
            # A .caffemodel stores a shared parameter at each layer that uses it: take the first.
            owner, number = self._first.setdefault(named, (owner, number))
        key = f"{owner}.{number}{list(as_shape or shape)}"
        if key not in self._made:
            values = self.parameter(owner, number, shape, kind)
            self._made[key] = self.constant(values.reshape(tuple(as_shape or shape)), key)
        return self._made[key]

    def constant(self, values: NDArray[Any], hint: str = "constant") -> str:
        """Fixed values as an initializer of the graph."""
        name = self.fresh(hint if hint != "constant" else f"{self._scope}/constant")
        self._initializers[name] = numpy_helper.from_array(numpy.ascontiguousarray(values), name)
        return name

    def scalar(self, value: float) -> str:
        """A float32 scalar."""
        return self.constant(numpy.array(value, numpy.float32))

    def integers(self, values: Iterable[int]) -> str:
        """A vector of int64 (shapes, axes, starts)."""
        return self.constant(numpy.array(list(values), numpy.int64))

    def reshape(self, value: str, shape: Sequence[int], output: str = "") -> str:
        """``value`` as ``shape``."""
        # allowzero: a dimension of 0 means 0, never "copy".
        return self.op("Reshape", [value, self.integers(shape)], output, allowzero=1)

    def build(self, outputs: dict[str, tuple[str, Shape]], blobs: dict[str, str]) -> Built:
        """The finished model; ``outputs``: blob to the value's name and shape.

        Raises ``InputError`` when the parameters do not fit in one ONNX file.
        """
        size = sum(len(tensor.raw_data) for tensor in self._initializers.values())
        if size > MAX_BYTES:
            raise InputError(
                f"{self.name}: {size / 2**30:.1f} GiB of parameters do not fit in one ONNX file"
            )
        graph = helper.make_graph(
            self._nodes,
            self.name or "network",
            [_value(spec.name, spec.shape) for spec in self.inputs.values()],
            [_value(name, shape) for name, shape in outputs.values()],
            list(self._initializers.values()),
        )
        model = helper.make_model(
            graph,
            producer_name="neuralpower",
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
        )
        shapes = dict(outputs.values())
        return Built(model, tuple(self.inputs.values()), shapes, blobs)


def _value(name: str, shape: Shape) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))
