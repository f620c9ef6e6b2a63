"""A layer or a whole network in PyTorch: parameters on the device, steps in execution order."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from neuralpower.core.configuration import Configuration
from neuralpower.frameworks.layer_graph import (
    InputSpec,
    LayerLike,
    NetworkLike,
    Shape,
    random_input,
)
from neuralpower.frameworks.model_steps import fill_layer, fill_network
from neuralpower.frameworks.torch.layers import Forward, forward_of
from neuralpower.frameworks.weights import DRAWN, RandomWeights


class Place:
    """Where tensors live: device, type of numbers, memory format of four-dimensional ones."""

    def __init__(self, device: str, dtype: Any, channels_last: bool) -> None:
        self.device, self.dtype, self.channels_last = device, dtype, channels_last

    def tensor(self, values: Any) -> Any:
        """An array as a tensor."""
        return self.formatted(torch.from_numpy(values).to(self.device, self.dtype))

    def formatted(self, made: Any) -> Any:
        """A tensor in the memory format."""
        if self.channels_last and made.dim() == 4:
            made = made.contiguous(memory_format=torch.channels_last)
        return made

    def repeated(self, drawn: Any, shape: Sequence[int]) -> Any:
        """Drawn numbers, repeated to a tensor of ``shape`` where it lives.

        What goes to a GPU is then at most the numbers drawn, not a tensor of a gigabyte.
        """
        size = math.prod(shape)
        flat = torch.from_numpy(drawn.reshape(-1)[:DRAWN]).to(self.device, self.dtype)
        if size > flat.numel():
            flat = flat.repeat(-(-size // flat.numel()))
        return self.formatted(flat[:size].reshape(tuple(shape)))


class TorchModel:
    """Steps over named blobs; a value is dropped after the last step that reads it."""

    def __init__(self, place: Place, seed: int) -> None:
        self.place = place
        self.inputs: list[InputSpec] = []
        self.outputs: dict[str, Shape] = {}
        self.parameter_bytes = 0
        self._weights = RandomWeights(seed)
        self._made: dict[tuple[str, int], Any] = {}
        self._first: dict[str, tuple[str, int]] = {}
        self.layers: list[LayerLike] = []
        self._tops_bytes = 0
        self._steps: list[tuple[Forward, tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = []

    def weight(self, layer: LayerLike, index: int, shape: Sequence[int], kind: str) -> Any:
        """A parameter on the device; those shared by name in Caffe are one tensor."""
        named = layer.param.param[index].name if index < len(layer.param.param) else ""
        key = (layer.name, index)
        if named:
            key = self._first.setdefault(named, key)
        if key not in self._made:
            made = self._parameter(key, shape, kind)
            self.parameter_bytes += made.numel() * made.element_size()
            self._made[key] = made
        return self._made[key]

    def _parameter(self, key: tuple[str, int], shape: Sequence[int], kind: str) -> Any:
        if kind != "filter" or math.prod(shape) <= DRAWN:
            return self.place.tensor(self._weights.blob(*key, shape, kind))
        # As many rows as hold all numbers that are drawn; the variance is that of the whole.
        rows = -(-DRAWN // math.prod(shape[1:]))
        drawn = self._weights.blob(*key, (min(rows, shape[0]), *shape[1:]), kind)
        return self.place.repeated(drawn, shape)

    def add(self, layer: LayerLike) -> None:
        """Append a layer."""
        self.layers.append(layer)
        elements = sum(math.prod(shape) for shape in layer.top_shapes if shape)
        self._tops_bytes += elements * self._element_bytes()
        forward = forward_of(layer, self.weight)
        self._steps.append((forward, tuple(layer.bottoms), tuple(layer.tops), ()))

    def finish(self) -> None:
        """Work out after which step each value is no longer read."""
        needed = set(self.outputs)
        for i in range(len(self._steps) - 1, -1, -1):
            forward, bottoms, tops, _ = self._steps[i]
            done = {*bottoms, *tops} - needed
            # A blob that this step writes anew was another value before it.
            needed = (needed - set(tops)) | set(bottoms)
            self._steps[i] = (forward, bottoms, tops, tuple(sorted(done)))

    @property
    def output_bytes(self) -> int:
        """Bytes of the outputs of one call."""
        return sum(math.prod(shape) for shape in self.outputs.values()) * self._element_bytes()

    @property
    def moved_bytes(self) -> int:
        """Bytes of the inputs and outputs of one call."""
        elements = sum(math.prod(spec.shape) for spec in self.inputs)
        return elements * self._element_bytes() + self.output_bytes

    @property
    def passed_bytes(self) -> int:
        """Bytes that a call goes through before it comes to the same ones again.

        Those of a layer are its inputs and outputs. A network passes all its blobs and parameters.
        """
        if len(self.layers) < 2:
            return self.moved_bytes
        inputs = self.moved_bytes - self.output_bytes
        return inputs + self._tops_bytes + self.parameter_bytes

    def _element_bytes(self) -> int:
        return int(torch.empty((), dtype=self.place.dtype).element_size())

    def values(self, seed: int, number: int) -> dict[str, Any]:
        """The seeded inputs of buffer set ``number``, as every executor feeds them."""
        return {s.name: self._input(s, seed, number) for s in self.inputs}

    def sets(self, seed: int, buffers: int) -> list[dict[str, Any]]:
        """Inputs of all buffer sets, quickly: the numbers of the first, rotated for the others."""
        first = self.values(seed, 0)
        step = 104_729  # a prime: no two sets begin alike
        return [first] + [
            {
                name: self.place.formatted(
                    value.contiguous().view(-1).roll(number * step).view(value.shape)
                )
                for name, value in first.items()
            }
            for number in range(1, buffers)
        ]

    def _input(self, spec: InputSpec, seed: int, number: int) -> Any:
        if spec.classes is not None or math.prod(spec.shape) <= DRAWN:
            return self.place.tensor(random_input(spec, seed, number))
        return self.place.repeated(
            random_input(replace(spec, shape=(DRAWN,)), seed, number), spec.shape
        )

    def __call__(
        self, inputs: Mapping[str, Any], watch: Callable[[], None] | None = None
    ) -> dict[str, Any]:
        """One forward pass: outputs by blob. ``watch`` is called after each layer."""
        values = dict(inputs)
        for forward, bottoms, tops, done in self._steps:
            results = forward([values[name] for name in bottoms])
            values.update(zip(tops, results, strict=True))
            for name in done:
                values.pop(name, None)
            if watch is not None:
                watch()
        return {name: values[name] for name in self.outputs}


def layer_model(configuration: Configuration, place: Place, seed: int) -> TorchModel:
    """The model of one layer: inputs ``x0``, ``x1``, ..., output ``y``."""
    model = TorchModel(place, seed)
    fill_layer(model, configuration)
    model.finish()
    return model


def network_model(network: NetworkLike, place: Place, seed: int) -> TorchModel:
    """The model of a whole network. ``InputError`` names the first layer that cannot be run."""
    model = TorchModel(place, seed)
    fill_network(model, network)
    model.finish()
    return model
