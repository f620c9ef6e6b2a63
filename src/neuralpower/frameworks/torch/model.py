"""A layer or a whole network in PyTorch: parameters on the device, steps in execution order."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy
import torch
from numpy.typing import NDArray
from torch import Tensor

from neuralpower.caffe.network import Network
from neuralpower.caffe.operation import Weight
from neuralpower.core.configuration import Configuration
from neuralpower.frameworks.inputs import InputSpec, random_input
from neuralpower.frameworks.program import Program, layer_program, network_program
from neuralpower.frameworks.torch.ops import losses, pointwise, recurrent, shaping, windows
from neuralpower.frameworks.torch.ops.registry import makes
from neuralpower.frameworks.weights import DRAWN, Array, RandomWeights

#: Their functions are registered when they are imported.
FORMS = (losses, pointwise, recurrent, shaping, windows)


class Place:
    """Where tensors live: device, type of numbers, memory format of four-dimensional ones."""

    def __init__(self, device: str, dtype: torch.dtype, channels_last: bool) -> None:
        self.device, self.dtype, self.channels_last = device, dtype, channels_last

    def tensor(self, values: NDArray[numpy.floating]) -> Tensor:
        """An array as a tensor."""
        return self.formatted(torch.from_numpy(values).to(self.device, self.dtype))

    def formatted(self, made: Tensor) -> Tensor:
        """A tensor in the memory format."""
        if self.channels_last and made.dim() == 4:
            made = made.contiguous(memory_format=torch.channels_last)
        return made

    def repeated(self, drawn: Array, shape: Sequence[int]) -> Tensor:
        """Drawn numbers, repeated to a tensor of ``shape`` where it lives.

        What goes to a GPU is then at most the numbers drawn, not a tensor of a gigabyte.
        """
        size = math.prod(shape)
        flat = torch.from_numpy(drawn.reshape(-1)[:DRAWN]).to(self.device, self.dtype)
        if size > flat.numel():
            flat = flat.repeat(-(-size // flat.numel()))
        return self.formatted(flat[:size].reshape(tuple(shape)))


class TorchModel:
    """A program's forward passes; a value is dropped after the last step that reads it.

    ``InputError`` when an operation has no PyTorch form.
    """

    def __init__(self, program: Program, place: Place, seed: int) -> None:
        self.program, self.place = program, place
        self.parameter_bytes = 0
        self._weights = RandomWeights(seed)
        self._made: dict[Weight, Tensor] = {}
        self._steps = [
            (makes.of(step.operation)(step.operation, self), step, dropped)
            for step, dropped in zip(program.steps, _dropped(program), strict=True)
        ]

    def weight(self, weight: Weight) -> Tensor:
        """As ``Store.weight``."""
        if weight not in self._made:
            made = self._parameter(weight)
            self.parameter_bytes += made.numel() * made.element_size()
            self._made[weight] = made
        return self._made[weight]

    def constant(self, values: NDArray[numpy.floating]) -> Tensor:
        """As ``Store.constant``."""
        return self.place.tensor(values)

    def whole(self, values: NDArray[numpy.integer]) -> Tensor:
        """As ``Store.whole``."""
        return torch.from_numpy(values).to(self.place.device)

    def _parameter(self, weight: Weight) -> Tensor:
        owner, index, shape, kind = weight.owner, weight.index, weight.shape, weight.kind
        if kind != "filter" or math.prod(shape) <= DRAWN:
            return self.place.tensor(self._weights.blob(owner, index, shape, kind))
        # As many rows as hold all numbers that are drawn; the variance is that of the whole.
        rows = -(-DRAWN // math.prod(shape[1:]))
        own = (min(rows, shape[0]), *shape[1:])
        return self.place.repeated(self._weights.blob(owner, index, own, kind), shape)

    @property
    def output_bytes(self) -> int:
        """Bytes of the outputs of one call."""
        return (
            sum(math.prod(shape) for shape in self.program.outputs.values()) * self._element_bytes()
        )

    @property
    def moved_bytes(self) -> int:
        """Bytes of the inputs and outputs of one call."""
        elements = sum(math.prod(spec.shape) for spec in self.program.inputs)
        return elements * self._element_bytes() + self.output_bytes

    @property
    def passed_bytes(self) -> int:
        """Bytes that a call goes through before it comes to the same ones again.

        Those of a layer are its inputs and outputs. A network passes all its blobs and parameters.
        """
        steps = self.program.steps
        if len(steps) < 2:
            return self.moved_bytes
        inputs = self.moved_bytes - self.output_bytes
        tops = sum(math.prod(top) for step in steps for top in step.operation.tops)
        return inputs + tops * self._element_bytes() + self.parameter_bytes

    def _element_bytes(self) -> int:
        return int(torch.empty((), dtype=self.place.dtype).element_size())

    def values(self, seed: int, number: int) -> dict[str, Tensor]:
        """The seeded inputs of buffer set ``number``, as every executor feeds them."""
        return {s.name: self._input(s, seed, number) for s in self.program.inputs}

    def sets(self, seed: int, buffers: int) -> list[dict[str, Tensor]]:
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

    def _input(self, spec: InputSpec, seed: int, number: int) -> Tensor:
        if spec.classes is not None:
            # Half precision would round labels to ones that do not exist.
            return torch.from_numpy(random_input(spec, seed, number)).to(self.place.device)
        if math.prod(spec.shape) <= DRAWN:
            return self.place.tensor(random_input(spec, seed, number))
        return self.place.repeated(
            random_input(replace(spec, shape=(DRAWN,)), seed, number), spec.shape
        )

    def __call__(
        self, inputs: Mapping[str, Tensor], watch: Callable[[], None] | None = None
    ) -> dict[str, Tensor]:
        """One forward pass: outputs by blob. ``watch`` is called after each layer."""
        values = dict(inputs)
        for forward, step, dropped in self._steps:
            results = forward([values[name] for name in step.bottoms])
            values.update(zip(step.tops, results, strict=True))
            for name in dropped:
                values.pop(name, None)
            if watch is not None:
                watch()
        return {name: values[name] for name in self.program.outputs}


def _dropped(program: Program) -> list[tuple[str, ...]]:
    """The values that no step reads any more, after each step."""
    needed = set(program.outputs)
    found = []
    for step in reversed(program.steps):
        found.append(tuple(sorted({*step.bottoms, *step.tops} - needed)))
        # A blob that this step writes anew was another value before it.
        needed = (needed - set(step.tops)) | set(step.bottoms)
    return found[::-1]


def layer_model(configuration: Configuration, place: Place, seed: int) -> TorchModel:
    """The model of one layer: inputs ``x0``, ``x1``, ..., output ``y``. Dropout is refused."""
    program = layer_program(configuration)
    program.check_work()
    return TorchModel(program, place, seed)


def network_model(network: Network, place: Place, seed: int) -> TorchModel:
    """The model of a whole network. ``InputError`` names the first layer that cannot be run."""
    return TorchModel(network_program(network), place, seed)
