"""One layer or a whole network as an ONNX model, with Caffe's semantics and seeded parameters.

Both are programs of the same operations (``frameworks.program``), so that a layer of a sweep and
the same layer inside a network are the same nodes. Needs the extra ``onnx``.
"""

from __future__ import annotations

from neuralpower.caffe.network import Network
from neuralpower.core.configuration import Configuration
from neuralpower.frameworks.inputs import InputSpec
from neuralpower.frameworks.onnx.ops import losses, pointwise, recurrent, shaping, windows
from neuralpower.frameworks.onnx.ops.graph import Built, Graph
from neuralpower.frameworks.onnx.ops.registry import emits
from neuralpower.frameworks.program import Program, layer_program, network_program
from neuralpower.frameworks.weights import RandomWeights, WeightSource

__all__ = ["Built", "InputSpec", "build_layer", "build_network"]

#: Their functions are registered when they are imported.
FORMS = (losses, pointwise, recurrent, shaping, windows)


def build_layer(configuration: Configuration, seed: int = 0) -> Built:
    """The model of one layer: inputs ``x0``, ``x1``, ..., output ``y``.

    Raises ``InputError`` when the family is unknown or the output size does not follow from the
    others.
    """
    return _build(layer_program(configuration), RandomWeights(seed))


def build_network(
    network: Network,
    seed: int = 0,
    weights: WeightSource | None = None,
    every_blob: bool = False,
) -> Built:
    """The model of a whole network; its outputs are the network's (or every blob, for tests).

    Tops of data layers are inputs. In-place layers make new values: the last value of a blob
    has the blob's name (see ``Built.blobs``). Raises ``InputError`` naming the first
    layer that cannot be written.
    """
    return _build(network_program(network), weights or RandomWeights(seed), every_blob)


def _build(program: Program, weights: WeightSource, every_blob: bool = False) -> Built:
    graph = Graph(program.name, weights)
    last = {top: place for place, step in enumerate(program.steps) for top in step.tops}
    current = {spec.name: graph.add_input(spec) for spec in program.inputs}
    inputs = set(current)
    for place, step in enumerate(program.steps):
        name = step.operation.layer.name
        graph.enter(name)
        graph.describe(step.text)
        bottoms = [current[bottom] for bottom in step.bottoms]
        tops = [
            graph.fresh(top if last[top] == place and top not in inputs else f"{top}/{name}")
            for top in step.tops
        ]
        emits.of(step.operation)(graph, step.operation, bottoms, tops)
        current.update(zip(step.tops, tops, strict=True))
    wanted = program.shapes if every_blob else program.outputs
    outputs = {
        blob: (current[blob], shape)
        for blob, shape in wanted.items()
        if current[blob] not in inputs
    }
    return graph.build(outputs, current)
