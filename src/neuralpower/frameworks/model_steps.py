"""How layers become a model of steps: one walk for every framework that runs layer by layer."""

from __future__ import annotations

from typing import Protocol

from neuralpower.core.configuration import Configuration
from neuralpower.core.errors import InputError
from neuralpower.frameworks.layer_fields import unsupported
from neuralpower.frameworks.layer_graph import (
    DATA_TYPES,
    InputSpec,
    LayerLike,
    NetworkLike,
    Shape,
    configuration_layer,
    label_classes,
)


class StepModel(Protocol):
    """What is filled: inputs and outputs of the graph, and a step a layer."""

    inputs: list[InputSpec]
    outputs: dict[str, Shape]

    def add(self, layer: LayerLike) -> None:
        """Append a layer. ``InputError`` when its type cannot be run."""
        ...


def fill_layer(model: StepModel, configuration: Configuration) -> None:
    """One layer: inputs ``x0``, ``x1``, ..., output ``y``. Dropout is refused: it costs nothing."""
    layer = configuration_layer(configuration)
    if layer.type == "Dropout":
        raise InputError("dropout does nothing at inference: no kernel runs, there is no time")
    for name, shape in zip(layer.bottoms, layer.bottom_shapes, strict=True):
        model.inputs.append(InputSpec(name, shape))
    model.outputs["y"] = layer.top_shapes[0]
    model.add(layer)


def fill_network(model: StepModel, network: NetworkLike) -> None:
    """A whole network. ``InputError`` names the first layer that cannot be run."""
    classes = label_classes(network.layers)
    made: dict[str, Shape] = {}
    for layer in network.layers:
        for top, shape in zip(layer.tops, layer.top_shapes, strict=True):
            if shape is None:
                raise unsupported(layer, "the shape of its output is not known")
            made[top] = shape
            if layer.type in DATA_TYPES:
                model.inputs.append(InputSpec(top, shape, classes.get(top)))
        if layer.type not in DATA_TYPES:
            for bottom in layer.bottoms:
                if bottom not in made:
                    raise unsupported(layer, f"its bottom {bottom!r} is made by no earlier layer")
            model.add(layer)
    fed = {spec.name for spec in model.inputs}
    model.outputs.update({blob: made[blob] for blob in network.outputs if blob not in fed})
    if not model.outputs:
        raise InputError(f"network {network.name!r} computes nothing: it has no output")
