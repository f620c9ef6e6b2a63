"""Which function makes the forward pass of which operation.

Such a function is called ``make(operation, store)``. Each pass is as few kernels as PyTorch has
for it, and makes no tensor from the host's memory: that cannot be captured in a CUDA graph.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy
from numpy.typing import NDArray
from torch import Tensor

from neuralpower.caffe.operation import Weight
from neuralpower.frameworks.layer_registry import Registry

#: Inputs of an operation to its outputs.
Forward = Callable[[Sequence[Tensor]], Sequence[Tensor]]


class Store(Protocol):
    """Where tensors live."""

    def weight(self, weight: Weight) -> Tensor:
        """A parameter as a tensor on the device."""
        ...

    def constant(self, values: NDArray[numpy.floating]) -> Tensor:
        """An array as a tensor on the device, with the model's type of numbers."""
        ...

    def whole(self, values: NDArray[numpy.integer]) -> Tensor:
        """An array of whole numbers as a tensor on the device."""
        ...


#: What makes the forward pass of an operation.
makes: Registry[Forward] = Registry("PyTorch")


def one(function: Callable[[Tensor], Tensor]) -> Forward:
    """The pass of an operation with one input and one output."""
    return lambda values: (function(values[0]),)
