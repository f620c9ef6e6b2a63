"""One layer or a whole network as an ONNX model, with Caffe's semantics and seeded parameters.

``build_layer`` takes a ``columns.Configuration``, ``build_network`` what
``neuralpower.caffe.network.load_network`` returns. Both end in the same emitters
(``onnx_ops``), so that a layer of a sweep and the same layer inside a network are the same nodes.
Needs the extra ``onnx``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
from neuralpower.frameworks.onnx.ops import pointwise, shaping, windows
from neuralpower.frameworks.onnx.ops.graph import Built, Graph
from neuralpower.frameworks.onnx.ops.registry import emits
from neuralpower.frameworks.weights import RandomWeights, WeightSource

__all__ = ["Built", "InputSpec", "build_layer", "build_network", "configuration_layer"]

_REGISTERED = (pointwise, shaping, windows)


def build_layer(configuration: Configuration, seed: int = 0) -> Built:
    """The model of one layer: inputs ``x0``, ``x1``, ..., output ``y``.

    Raises ``InputError`` when the family is unknown or the output size does not follow from the
    others.
    """
    layer = configuration_layer(configuration)
    graph = Graph(configuration.family, RandomWeights(seed))
    for name, shape in zip(layer.bottoms, layer.bottom_shapes, strict=True):
        graph.add_input(InputSpec(name, shape))
    _emit(graph, layer, layer.bottoms, layer.tops)
    return graph.build({"y": ("y", layer.top_shapes[0])}, {"y": "y"})


def build_network(
    network: NetworkLike,
    seed: int = 0,
    weights: WeightSource | None = None,
    every_blob: bool = False,
) -> Built:
    """The model of a whole network; its outputs are the network's (or every blob, for tests).

    Tops of data layers are inputs. In-place layers get values of their own: the last value of a
    blob carries the blob's name, ``Built.blobs`` tells. Raises ``InputError`` naming the first
    layer that cannot be written.
    """
    graph = Graph(network.name, weights or RandomWeights(seed))
    classes = label_classes(network.layers)
    last = {top: i for i, layer in enumerate(network.layers) for top in layer.tops}
    current: dict[str, str] = {}
    shapes: dict[str, Shape] = {}
    for index, layer in enumerate(network.layers):
        graph.enter(layer.name)
        for top, shape in zip(layer.tops, layer.top_shapes, strict=True):
            if shape is None:
                raise unsupported(layer, "the shape of its output is not known")
            shapes[top] = shape
        if layer.type in DATA_TYPES:
            for top in layer.tops:
                spec = InputSpec(top, shapes[top], classes.get(top), layer_text(layer))
                current[top] = graph.add_input(spec)
            continue
        bottoms = [_value_of(layer, bottom, current) for bottom in layer.bottoms]
        tops = [
            graph.fresh(top if last[top] == index else f"{top}/{layer.name}") for top in layer.tops
        ]
        graph.describe(layer_text(layer))
        _emit(graph, layer, bottoms, tops)
        current.update(zip(layer.tops, tops, strict=True))
    wanted = shapes if every_blob else network.outputs
    inputs = {spec.name for spec in graph.inputs.values()}
    outputs = {
        blob: (current[blob], shapes[blob]) for blob in wanted if current[blob] not in inputs
    }
    if not outputs:
        raise InputError(f"network {network.name!r} computes nothing: it has no output")
    return graph.build(outputs, current)


def layer_text(layer: LayerLike) -> str:
    """A layer as one line of a prototxt: a model says of its operators which layers they are."""
    from google.protobuf import text_format

    message = type(layer.param)()
    message.CopyFrom(layer.param)
    for field in ("include", "exclude", "blobs"):
        message.ClearField(field)
    return f"layer {{ {text_format.MessageToString(message, as_one_line=True)} }}"


def _emit(graph: Graph, layer: LayerLike, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    emitter = emits.of(layer)
    graph.enter(layer.name)
    emitter(graph, layer, bottoms, tops)


def _value_of(layer: LayerLike, bottom: str, current: Mapping[str, str]) -> str:
    if bottom not in current:
        raise unsupported(layer, f"its bottom {bottom!r} is made by no earlier layer")
    return current[bottom]
