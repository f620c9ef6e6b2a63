"""A layer or a whole network as one pure function of its parameters and inputs, in JAX."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy
from numpy.typing import NDArray

from neuralpower.core.configuration import Configuration
from neuralpower.frameworks.jax import pointwise as jax_pointwise
from neuralpower.frameworks.jax.layers import Array, Forward, forward_of
from neuralpower.frameworks.layer_graph import (
    InputSpec,
    LayerLike,
    NetworkLike,
    Shape,
    random_input,
)
from neuralpower.frameworks.model_steps import fill_layer, fill_network
from neuralpower.frameworks.weights import RandomWeights

_REGISTERED = (jax_pointwise,)


class JaxModel:
    """Steps over named blobs; ``parameters`` in the order in which the steps number them.

    ``device``: one of JAX's. ``dtype``: type of all numbers but labels, which stay float32.
    """

    def __init__(self, device: Any, dtype: Any, seed: int) -> None:
        self.device, self.dtype = device, dtype
        self.filters_last = device.platform == "cpu"
        self.inputs: list[InputSpec] = []
        self.outputs: dict[str, Shape] = {}
        self.parameters: list[Any] = []
        self._weights = RandomWeights(seed)
        self._slots: dict[tuple[str, int], int] = {}
        self._first: dict[str, tuple[str, int]] = {}
        self._steps: list[tuple[Forward, tuple[str, ...], tuple[str, ...]]] = []

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
        elements = sum(math.prod(spec.shape) for spec in self.inputs)
        elements += sum(math.prod(shape) for shape in self.outputs.values())
        return elements * int(numpy.dtype(self.dtype).itemsize)

    def weight(
        self,
        layer: LayerLike,
        index: int,
        shape: Sequence[int],
        kind: str,
        like: Callable[[Array], NDArray[Any]] | None = None,
    ) -> int:
        """As ``jax_layers.Store.weight``; those shared by name in Caffe are one parameter."""
        key = self._key(layer, index)
        if key not in self._slots:
            values = self._weights.blob(*key, shape, kind)
            self._slots[key] = len(self.parameters)
            self.parameters.append(self._put(values if like is None else like(values)))
        return self._slots[key]

    def values(self, layer: LayerLike, index: int, shape: Sequence[int], kind: str) -> Array:
        """As ``jax_layers.Store.values``."""
        return self._weights.blob(*self._key(layer, index), shape, kind)

    def add(self, layer: LayerLike) -> None:
        """Append a layer."""
        step = forward_of(layer, self)
        self._steps.append((step, tuple(layer.bottoms), tuple(layer.tops)))

    def feed(self, seed: int, number: int) -> tuple[Any, ...]:
        """The seeded inputs of buffer set ``number``, on the device."""
        return tuple(
            self._put(random_input(spec, seed, number), spec.classes is not None)
            for spec in self.inputs
        )

    def spare(self) -> tuple[Any, ...]:
        """Buffers that outputs can be written into."""
        inputs = [
            jax.ShapeDtypeStruct(spec.shape, self._type(spec.classes is not None))
            for spec in self.inputs
        ]
        shapes = jax.eval_shape(self, self.parameters, inputs)
        return tuple(jnp.zeros(s.shape, s.dtype, device=self.device) for s in shapes)

    def __call__(self, parameters: Sequence[Any], inputs: Sequence[Any]) -> tuple[Any, ...]:
        """One forward pass: outputs in the order of ``outputs``."""
        blobs = {spec.name: value for spec, value in zip(self.inputs, inputs, strict=True)}
        for step, bottoms, tops in self._steps:
            results = step(parameters, [blobs[name] for name in bottoms])
            blobs.update(zip(tops, results, strict=True))
        return tuple(blobs[name] for name in self.outputs)

    def _key(self, layer: LayerLike, index: int) -> tuple[str, int]:
        named = layer.param.param[index].name if index < len(layer.param.param) else ""
        key = (layer.name, index)
        return self._first.setdefault(named, key) if named else key

    def _type(self, exact: bool) -> Any:
        return numpy.float32 if exact else self.dtype

    def _put(self, values: NDArray[Any], exact: bool = False) -> Any:
        typed = values.astype(self._type(exact), order="C", copy=False)
        return jax.device_put(typed, self.device)


def layer_model(configuration: Configuration, device: Any, dtype: Any, seed: int) -> JaxModel:
    """The model of one layer: inputs ``x0``, ``x1``, ..., output ``y``."""
    model = JaxModel(device, dtype, seed)
    fill_layer(model, configuration)
    return model


def network_model(network: NetworkLike, device: Any, dtype: Any, seed: int) -> JaxModel:
    """The model of a whole network. ``InputError`` names the first layer that cannot be run."""
    model = JaxModel(device, dtype, seed)
    fill_network(model, network)
    return model
