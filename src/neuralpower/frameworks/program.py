"""A layer or a whole network as the steps that every framework translates.

Layers are resolved to operations here, once; parameters that Caffe shares by name belong to the
first layer that uses them; what comes from outside is an input.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from neuralpower.caffe.layer import Layer
from neuralpower.caffe.layers.arrangement import Reshape
from neuralpower.caffe.network import Network
from neuralpower.caffe.operation import Identity, Operation, Silence, Source, Weight
from neuralpower.caffe.resolve import layer_text, resolve
from neuralpower.caffe.shapes import Shape
from neuralpower.caffe.single import configured_layer
from neuralpower.core.configuration import Configuration
from neuralpower.core.errors import InputError
from neuralpower.frameworks.inputs import InputSpec


@dataclass(frozen=True, slots=True)
class Step:
    """An operation on named blobs.

    ``index``: the layer's place in the network; ``text``: its line of a prototxt.
    """

    index: int
    operation: Operation
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    text: str = ""


@dataclass(frozen=True, slots=True)
class Program:
    """Steps in execution order; ``outputs``: blobs that no step reads, and their shapes."""

    name: str
    inputs: tuple[InputSpec, ...]
    steps: tuple[Step, ...]
    outputs: Mapping[str, Shape]

    @property
    def shapes(self) -> dict[str, Shape]:
        """The shape of every blob when all steps are made."""
        found = {spec.name: spec.shape for spec in self.inputs}
        for step in self.steps:
            found.update(zip(step.tops, step.operation.tops, strict=True))
        return found

    def check_work(self) -> None:
        """Raise ``InputError`` for a dropout by itself: it costs nothing."""
        if all(isinstance(step.operation, Identity | Silence) for step in self.steps):
            raise InputError("dropout does nothing at inference: no kernel runs, there is no time")


def layer_program(configuration: Configuration) -> Program:
    """One layer: inputs ``x0``, ``x1``, ..., output ``y``.

    Raises ``InputError`` when the output size does not follow from the others.
    """
    layer = configured_layer(configuration)
    operation = resolve(layer)
    inputs = zip(layer.bottoms, operation.bottoms, strict=True)
    return Program(
        configuration.family,
        tuple(InputSpec(name, shape) for name, shape in inputs),
        (Step(0, operation, layer.bottoms, layer.tops),),
        {"y": operation.top},
    )


def network_program(network: Network) -> Program:
    """A whole network. ``InputError`` names the first layer that cannot be run."""
    shapes: dict[str, Shape] = {}
    fed: dict[str, InputSpec] = {}
    owners: dict[str, Weight] = {}
    steps: list[Step] = []
    for index, layer in enumerate(network.layers):
        operation, text = _with_owners(resolve(layer), owners), layer_text(layer)
        made = dict(zip(layer.tops, operation.tops, strict=True))
        if isinstance(operation, Source):
            fed |= {top: InputSpec(top, shape, text=text) for top, shape in made.items()}
        else:
            outside = _from_outside(layer, operation, shapes)
            fed |= {name: InputSpec(name, shape) for name, shape in outside.items()}
            made |= outside
            steps.append(Step(index, operation, layer.bottoms, layer.tops, text))
        shapes |= made
    outputs = {blob: shapes[blob] for blob in network.outputs if blob not in fed}
    if not outputs:
        raise InputError(f"network {network.name!r} computes nothing: it has no output")
    classes = _classes(steps)
    inputs = tuple(replace(spec, classes=classes.get(name)) for name, spec in fed.items())
    return Program(network.name, inputs, tuple(steps), outputs)


def _with_owners(operation: Operation, owners: dict[str, Weight]) -> Operation:
    """The operation with shared parameters those of the first layer that has them."""
    if not any(weight.shared for weight in operation.weights):
        return operation
    weights = []
    for weight in operation.weights:
        first = owners.setdefault(weight.shared, weight) if weight.shared else weight
        weights.append(replace(weight, owner=first.owner, index=first.index))
    return replace(operation, layer=replace(operation.layer, weights=tuple(weights)))


def _from_outside(
    layer: Layer, operation: Operation, made: Mapping[str, Shape]
) -> dict[str, Shape]:
    """Bottoms that no layer makes, and their shapes, which were given."""
    found = dict(zip(layer.bottoms, operation.bottoms, strict=True))
    return {name: shape for name, shape in found.items() if name not in made}


def _classes(steps: Sequence[Step]) -> dict[str, int]:
    """Blobs that hold whole numbers, and how many different ones."""
    found: dict[str, int] = {}
    for step in reversed(steps):
        own = step.operation.whole_numbers
        found |= {step.bottoms[position]: number for position, number in own.items()}
        if isinstance(step.operation, Identity | Reshape):
            wanted = [found[top] for top in step.tops if top in found]
            found |= {bottom: max(wanted) for bottom in step.bottoms if wanted}
    return found
