"""A package of somebody else's: an executor and a meter, one class each.

It needs nothing of NeuralPower but ``frameworks`` and ``meters``; its entry points are in
pyproject.toml.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy

from neuralpower.caffe.layers.dense import InnerProduct
from neuralpower.caffe.layers.neurons import ReLU
from neuralpower.core.configuration import Configuration
from neuralpower.frameworks.base import BaseExecutor, BaseWorkload
from neuralpower.frameworks.inputs import random_input
from neuralpower.frameworks.layer_registry import Registry
from neuralpower.frameworks.program import Program, layer_program, network_program
from neuralpower.frameworks.protocol import ExecutorOptions
from neuralpower.frameworks.weights import RandomWeights
from neuralpower.meters.meter import MeterInfo
from neuralpower.meters.polling import PollingMeter

#: What computes an operation: ``form(operation, value, parameters)``.
forms: Registry[Any] = Registry("numpy")


@forms(ReLU)
def relu(op: ReLU, x: Any, parameters: list[Any]) -> Any:
    """max(0, x), or with a slope below zero."""
    return numpy.where(x > 0, x, op.slope * x)


@forms(InnerProduct)
def inner_product(op: InnerProduct, x: Any, parameters: list[Any]) -> Any:
    """A matrix product and a bias."""
    matrix, *bias = parameters
    product = x.reshape(op.rows, op.inputs) @ (matrix if op.transposed else matrix.T)
    return (product + bias[0] if bias else product).reshape(op.top)


class NumpyExecutor(BaseExecutor):
    """Two layer types, in numpy."""

    name = "numpy"
    #: It has no convolution, so that of the protocol cannot be its reference.
    anchor = Configuration("fc", 16, 256, 1, 1, 256, 1, 1, bias=1)

    def __init__(self, threads: int, options: ExecutorOptions) -> None:
        self.threads = threads

    def facts(self) -> Mapping[str, Any]:
        """As ``Executor.facts``."""
        software = f"numpy {numpy.__version__}"
        return {"executor": self.name, "software": software, "threads_intra": self.threads}

    def layer(self, configuration: Configuration, seed: int) -> NumpyWorkload:
        """As ``Executor.layer``."""
        return NumpyWorkload(layer_program(configuration), seed)

    def network(self, network: Any, seed: int) -> NumpyWorkload:
        """As ``Executor.network``."""
        return NumpyWorkload(network_program(network), seed)


class NumpyWorkload(BaseWorkload):
    """A chain of layers with one input and one output each."""

    def __init__(self, program: Program, seed: int) -> None:
        weights = RandomWeights(seed)
        self.x = random_input(program.inputs[0], seed)
        self.y = self.x
        self.steps = []
        for step in program.steps:
            own = step.operation.weights
            parameters = [weights.blob(w.owner, w.index, w.shape, w.kind) for w in own]
            self.steps.append((forms.of(step.operation), step.operation, parameters))

    def call(self) -> None:
        """One forward pass."""
        value = self.x
        for form, operation, parameters in self.steps:
            value = form(operation, value, parameters)
        self.y = value


class ExampleMeter(PollingMeter):
    """A sensor that always shows 42 watts."""

    def __init__(self) -> None:
        super().__init__(MeterInfo("example", "a lamp", "sampled", provenance="made up"))

    def watts(self) -> float:
        """Power now."""
        return 42.0
