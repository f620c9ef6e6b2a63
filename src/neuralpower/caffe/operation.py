"""What a layer computes, ready to be translated: typed operations, one class per kind of layer.

A layer is resolved once (``resolve.resolve``): Caffe's defaults are filled in, axes are counted
from the front, sizes and parameter blobs are known. Frameworks translate these classes and never
read a layer's message.

To add an operation: a frozen dataclass beside the shape function of the layer type (in
``caffe.layers``; a plain class where it has no fields), and a function with the
decorator ``operation`` that fills it in from the layer's message. Then a form in each framework
(``frameworks.layer_registry``) and a row in tests/frameworks/forms.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from neuralpower.caffe.caffe_pb2 import LayerParameter
from neuralpower.caffe.registry import LAYER_TYPES
from neuralpower.caffe.shapes import Shape
from neuralpower.core.errors import InputError


@dataclass(frozen=True, slots=True)
class Weight:
    """A learnt parameter: number ``index`` (as Caffe numbers its blobs) of the layer ``owner``.

    ``kind`` says what it is: ``filter``, ``bias``, ``gain``, ``mean``, ``variance``, ``slope`` or
    ``factor`` (see ``frameworks.weights``). ``shared``: the name by which Caffe shares it.
    """

    owner: str
    index: int
    shape: Shape
    kind: str
    shared: str = ""


@dataclass(frozen=True, slots=True)
class LayerFacts:
    """What all operations have: the layer's name and type, its shapes and its parameters."""

    name: str
    type: str
    bottoms: tuple[Shape, ...]
    tops: tuple[Shape, ...]
    weights: tuple[Weight, ...] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """The base of all operations."""

    layer: LayerFacts

    @property
    def bottoms(self) -> tuple[Shape, ...]:
        """The shapes of the inputs."""
        return self.layer.bottoms

    @property
    def bottom(self) -> Shape:
        """The shape of the first input."""
        return self.layer.bottoms[0]

    @property
    def tops(self) -> tuple[Shape, ...]:
        """The shapes of the outputs."""
        return self.layer.tops

    @property
    def top(self) -> Shape:
        """The shape of the first output."""
        return self.layer.tops[0]

    @property
    def weights(self) -> tuple[Weight, ...]:
        """The learnt parameters, in Caffe's order."""
        return self.layer.weights

    @property
    def whole_numbers(self) -> Mapping[int, int]:
        """Inputs that hold whole numbers (labels, indices): position to how many different ones."""
        return {}

    def refuse(self, why: str) -> InputError:
        """The one line for a layer that cannot be run."""
        return unsupported(self.layer.name, self.layer.type, why)


class Source(Operation):
    """Data that come from outside of the network: nothing is computed."""


class Identity(Operation):
    """Every output is the first input: nothing is computed."""


class Silence(Operation):
    """Takes inputs that nobody uses; it has no output."""


def unsupported(name: str, kind: str, why: str) -> InputError:
    """The one line for a layer of this name and type that cannot be run."""
    return InputError(f"layer {name!r} ({kind}): {why}")


def elements(shape: Shape) -> int:
    """The number of elements of a blob."""
    return math.prod(shape)


#: Facts of a layer and its message to its operation.
Resolver = Callable[[LayerFacts, LayerParameter], Operation]


def operation(*names: str, kinds: str = "") -> Callable[[Resolver], Resolver]:
    """Register what makes the operation of layer types.

    ``kinds``: the kinds of the parameters, in Caffe's order; without it matrices and kernels are
    filters and vectors are biases.
    """

    def register(resolver: Resolver) -> Resolver:
        for name in names:
            if LAYER_TYPES[name].operation is not None:
                raise ValueError(f"layer type {name} has two operations")
            LAYER_TYPES[name].operation = resolver
            LAYER_TYPES[name].kinds = tuple(kinds.split())
        return resolver

    return register
