"""A layer or a whole network as one pure function of its parameters and inputs, in JAX."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy
from numpy.typing import NDArray

from neuralpower.caffe.network import Network
from neuralpower.caffe.operation import Weight
from neuralpower.core.configuration import Configuration
from neuralpower.frameworks.inputs import random_input
from neuralpower.frameworks.program import Program, layer_program, network_program
from neuralpower.frameworks.weights import RandomWeights
from neuralpower_jax.ops import losses, pointwise, recurrent, shaping, windows
from neuralpower_jax.ops.registry import Array, makes

#: Their functions are registered when they are imported.
FORMS = (losses, pointwise, recurrent, shaping, windows)


class JaxModel:
    """A program as a function; ``parameters`` in the order in which the steps number them.

    ``device``: one of JAX's. ``dtype``: type of all numbers but labels, which stay float32.
    ``InputError`` when an operation has no JAX form.
    """

    def __init__(self, program: Program, device: Any, dtype: Any, seed: int) -> None:
        self.program, self.device, self.dtype = program, device, dtype
        self.filters_last = device.platform == "cpu"
        self.parameters: list[Any] = []
        self._weights = RandomWeights(seed)
        self._slots: dict[Weight, int] = {}
        self._steps = [
            (makes.of(step.operation)(step.operation, self), step) for step in program.steps
        ]

    @property
    def steps(self) -> int:
        """How many layers it has."""
        return len(self._steps)

    @property
    def parameter_bytes(self) -> int:
        """Bytes of all parameters."""
        return sum(int(array.nbytes) for array in self.parameters)

    @property
    def moved_bytes(self) -> int:
        """Bytes of the inputs and outputs of one call."""
        elements = sum(math.prod(spec.shape) for spec in self.program.inputs)
        elements += sum(math.prod(shape) for shape in self.program.outputs.values())
        return elements * int(numpy.dtype(self.dtype).itemsize)

    def weight(self, weight: Weight, like: Callable[[Array], NDArray[Any]] | None = None) -> int:
        """As ``Store.weight``."""
        if weight not in self._slots:
            values = self.values(weight)
            self._slots[weight] = len(self.parameters)
            self.parameters.append(self._put(values if like is None else like(values)))
        return self._slots[weight]

    def values(self, weight: Weight) -> Array:
        """As ``Store.values``."""
        return self._weights.blob(weight.owner, weight.index, weight.shape, weight.kind)

    def feed(self, seed: int, number: int) -> tuple[Any, ...]:
        """The seeded inputs of buffer set ``number``, on the device."""
        return tuple(
            self._put(random_input(spec, seed, number), spec.classes is not None)
            for spec in self.program.inputs
        )

    def spare(self) -> tuple[Any, ...]:
        """Buffers that outputs can be written into."""
        inputs = [
            jax.ShapeDtypeStruct(spec.shape, self._type(spec.classes is not None))
            for spec in self.program.inputs
        ]
        shapes = jax.eval_shape(self, self.parameters, inputs)
        return tuple(jnp.zeros(s.shape, s.dtype, device=self.device) for s in shapes)

    def __call__(self, parameters: Sequence[Any], inputs: Sequence[Any]) -> tuple[Any, ...]:
        """One forward pass: outputs in the order of ``outputs``."""
        names = (spec.name for spec in self.program.inputs)
        blobs = dict(zip(names, inputs, strict=True))
        for forward, step in self._steps:
            results = forward(parameters, [blobs[name] for name in step.bottoms])
            blobs.update(zip(step.tops, results, strict=True))
        return tuple(blobs[name] for name in self.program.outputs)

    def _type(self, exact: bool) -> Any:
        return numpy.float32 if exact else self.dtype

    def _put(self, values: NDArray[Any], exact: bool = False) -> Any:
        typed = values.astype(self._type(exact), order="C", copy=False)
        return jax.device_put(typed, self.device)


def layer_model(configuration: Configuration, device: Any, dtype: Any, seed: int) -> JaxModel:
    """The model of one layer: inputs ``x0``, ``x1``, ..., output ``y``. Dropout is refused."""
    program = layer_program(configuration)
    program.check_work()
    return JaxModel(program, device, dtype, seed)


def network_model(network: Network, device: Any, dtype: Any, seed: int) -> JaxModel:
    """The model of a whole network. ``InputError`` names the first layer that cannot be run."""
    return JaxModel(network_program(network), device, dtype, seed)
