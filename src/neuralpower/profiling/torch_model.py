"""A layer or a whole network in PyTorch: parameters on the device, steps in execution order."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from neuralpower.columns import Configuration
from neuralpower.profiling.layer_graph import (
    InputSpec,
    LayerLike,
    NetworkLike,
    Shape,
    random_input,
)
from neuralpower.profiling.model_steps import fill_layer, fill_network
from neuralpower.profiling.onnx_ops.weights import RandomWeights
from neuralpower.profiling.torch_layers import Forward, forward_of


class Place:
    """Where tensors live: device, type of numbers, memory format of four-dimensional ones."""

    def __init__(self, device: str, dtype: Any, channels_last: bool) -> None:
        self.device, self.dtype, self.channels_last = device, dtype, channels_last

    def tensor(self, values: Any) -> Any:
        """An array as a tensor."""
        made = torch.from_numpy(values).to(self.device, self.dtype)
        if self.channels_last and made.dim() == 4:
            made = made.contiguous(memory_format=torch.channels_last)
        return made


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
        self._steps: list[tuple[Forward, tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = []

    def weight(self, layer: LayerLike, index: int, shape: Sequence[int], kind: str) -> Any:
        """A parameter on the device; those shared by name in Caffe are one tensor."""
        named = layer.param.param[index].name if index < len(layer.param.param) else ""
        key = (layer.name, index)
        if named:
            key = self._first.setdefault(named, key)
        if key not in self._made:
            made = self.place.tensor(self._weights.blob(*key, shape, kind))
            self.parameter_bytes += made.numel() * made.element_size()
            self._made[key] = made
        return self._made[key]

    def add(self, layer: LayerLike) -> None:
        """Append a layer."""
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
    def moved_bytes(self) -> int:
        """Bytes of the inputs and outputs of one call."""
        elements = sum(math.prod(spec.shape) for spec in self.inputs)
        elements += sum(math.prod(shape) for shape in self.outputs.values())
        return elements * int(torch.empty((), dtype=self.place.dtype).element_size())

    def values(self, seed: int, number: int) -> dict[str, Any]:
        """The seeded inputs of buffer set ``number``."""
        return {s.name: self.place.tensor(random_input(s, seed, number)) for s in self.inputs}

    def __call__(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """One forward pass: outputs by blob."""
        values = dict(inputs)
        for forward, bottoms, tops, done in self._steps:
            results = forward([values[name] for name in bottoms])
            values.update(zip(tops, results, strict=True))
            for name in done:
                values.pop(name, None)
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
