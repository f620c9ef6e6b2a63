"""An ONNX graph under construction: nodes, constants, parameters and the blobs' current names."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from neuralpower.caffe.operation import Weight
from neuralpower.caffe.shapes import Shape
from neuralpower.core.errors import InputError
from neuralpower.frameworks.inputs import InputSpec
from neuralpower.frameworks.weights import WeightSource

#: Operator set and file version: the newest that ONNX Runtime 1.20, the oldest we allow, runs.
OPSET = 17
IR_VERSION = 8
#: A protobuf message ends at 2 GiB; some room for the nodes.
MAX_BYTES = 2**31 - 2**24
#: Arrays up to this size stay in the message; shapes and axes must.
_INLINE_BYTES = 2**16
#: ONNX's numbers of types.
FLOAT, INT64 = 1, 7


@dataclass(frozen=True)
class Built:
    """A model ready to run. ``blobs``: each Caffe blob's last value's name in the graph.

    ``arrays`` are the constants and parameters; they become part of the message only when asked
    for, since copying the half gigabyte of a VGG takes longer than measuring it.
    """

    name: str
    nodes: tuple[NodeProto, ...]
    arrays: dict[str, NDArray[numpy.generic]]
    inputs: tuple[InputSpec, ...]
    outputs: dict[str, Shape]
    blobs: dict[str, str]
    #: Layers after the last node that have no operator (``Silence``), as of ``Graph.describe``.
    doc: str = ""

    @property
    def parameter_bytes(self) -> int:
        """Bytes of all constants and parameters."""
        return sum(array.nbytes for array in self.arrays.values())

    def model(self) -> ModelProto:
        """The whole model. Raises ``InputError`` when it does not fit in one ONNX file."""
        if self.parameter_bytes > MAX_BYTES:
            size = self.parameter_bytes / 2**30
            raise InputError(f"{self.name}: {size:.1f} GiB do not fit in one ONNX file")
        return self._model([numpy_helper.from_array(a, n) for n, a in self.arrays.items()])

    def outlined(self) -> tuple[bytes, dict[str, NDArray[numpy.generic]]]:
        """The model with its large arrays left out, and those arrays by name.

        For ``SessionOptions.add_external_initializers``; the file that the message names does
        not exist.
        """
        large = {n: a for n, a in self.arrays.items() if a.nbytes > _INLINE_BYTES}
        tensors = [
            _outside(n, a) if n in large else numpy_helper.from_array(a, n)
            for n, a in self.arrays.items()
        ]
        data: bytes = self._model(tensors).SerializeToString()
        return data, large

    def _model(self, tensors: list[TensorProto]) -> ModelProto:
        graph = helper.make_graph(
            list(self.nodes),
            self.name or "network",
            [_value(spec.name, spec.shape, spec.text) for spec in self.inputs],
            [_value(name, shape) for name, shape in self.outputs.items()],
            tensors,
            doc_string=self.doc or None,
        )
        return helper.make_model(
            graph,
            producer_name="neuralpower",
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
        )


class Graph:
    """Collects nodes; every method that makes a value returns its name."""

    def __init__(self, name: str, weights: WeightSource) -> None:
        self.name = name
        self.weights = weights
        self.inputs: dict[str, InputSpec] = {}
        self._nodes: list[NodeProto] = []
        self._arrays: dict[str, NDArray[numpy.generic]] = {}
        self._made: dict[str, str] = {}
        self._numbers = itertools.count()
        self._taken: set[str] = set()
        self._scope = ""
        self._docs: dict[int, str] = {}

    def enter(self, layer: str) -> None:
        """Names made from here on belong to ``layer``."""
        self._scope = layer

    def describe(self, text: str) -> None:
        """Let the next node say which layer it is the first of, in the words of a prototxt."""
        if text:
            self._docs[len(self._nodes)] = self._docs.get(len(self._nodes), "") + text + "\n"

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

    def op(self, kind: str, inputs: Sequence[str], output: str = "", **attributes: object) -> str:
        """Append a node with one output and return the output's name."""
        (name,) = self.ops(
            kind, inputs, [output or self.fresh(f"{self._scope}/{kind}")], attributes
        )
        return name

    def ops(
        self,
        kind: str,
        inputs: Sequence[str],
        outputs: Sequence[str],
        attributes: Mapping[str, object],
    ) -> list[str]:
        """Append a node with several outputs, whose names are given."""
        node = helper.make_node(
            kind,
            list(inputs),
            list(outputs),
            name=f"{self._scope}:{len(self._nodes)}",
            **attributes,
        )
        node.doc_string = self._docs.get(len(self._nodes), "")
        self._nodes.append(node)
        return list(outputs)

    def parameter(self, weight: Weight) -> NDArray[numpy.float32]:
        """The values of a parameter, before they become part of the graph."""
        return self.weights.blob(weight.owner, weight.index, weight.shape, weight.kind)

    def weight(self, weight: Weight, as_shape: Shape = ()) -> str:
        """A parameter as a value, with the shape that a node needs; shared ones are one value.

        A .caffemodel stores a shared parameter at each layer that uses it: the first is taken.
        """
        key = f"{weight.owner}.{weight.index}{list(as_shape or weight.shape)}"
        if key not in self._made:
            values = self.parameter(weight)
            self._made[key] = self.constant(values.reshape(as_shape or weight.shape), key)
        return self._made[key]

    def constant(self, values: NDArray[numpy.generic], hint: str = "constant") -> str:
        """Fixed values as an initializer of the graph."""
        name = self.fresh(hint if hint != "constant" else f"{self._scope}/constant")
        # Not ascontiguousarray: it makes a vector of a scalar.
        self._arrays[name] = numpy.asarray(values, order="C")
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

    def total(self, value: str, axes: Iterable[int], output: str = "") -> str:
        """The sum of a value over some axes, which are then gone."""
        wanted = list(axes)
        # Without axes ONNX would sum over all of them.
        if not wanted:
            return self.op("Identity", [value], output)
        return self.op("ReduceSum", [value, self.integers(wanted)], output, keepdims=0)

    def build(self, outputs: dict[str, tuple[str, Shape]], blobs: dict[str, str]) -> Built:
        """The finished model; ``outputs``: blob to the value's name and shape."""
        shapes = dict(outputs.values())
        inputs = tuple(self.inputs.values())
        doc = self._docs.get(len(self._nodes), "")
        return Built(self.name, tuple(self._nodes), self._arrays, inputs, shapes, blobs, doc)


def _outside(name: str, values: NDArray[numpy.generic]) -> TensorProto:
    tensor = TensorProto(name=name, dims=values.shape, data_type=TensorProto.FLOAT)
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="in memory")
    return tensor


def _value(name: str, shape: Shape, doc: str = "") -> ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape), doc)
