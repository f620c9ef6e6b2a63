"""Which function makes the forward pass of which operation.

Such a function is called ``make(operation, store)``. Parameters are arguments of the pass, never
constants of it: XLA would compute what depends on constants alone while it compiles.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy
from numpy.typing import NDArray

from neuralpower.caffe.operation import Weight
from neuralpower.frameworks.layer_registry import Registry

Array = NDArray[numpy.float32]
#: Parameters of the model and inputs of an operation to its outputs.
Forward = Callable[[Sequence[Any], Sequence[Any]], Sequence[Any]]


class Store(Protocol):
    """Where parameters are kept; a forward pass finds them by their number."""

    #: XLA's kernels on a CPU want filters with the channels last, cuDNN's do not.
    filters_last: bool

    def weight(self, weight: Weight, like: Any = None) -> int:
        """The number of a parameter; ``like`` changes its values beforehand."""
        ...

    def values(self, weight: Weight) -> Array:
        """A parameter's values."""
        ...


#: What makes the forward pass of an operation.
makes: Registry[Forward] = Registry("JAX")


def one(function: Callable[[Any], Any]) -> Forward:
    """The pass of an operation with one input, one output and no parameters."""
    return lambda parameters, values: (function(values[0]),)


def channels(vector: Any, rank: int) -> Any:
    """A vector along axis 1 of a value of so many axes."""
    return vector.reshape(1, -1, *(1 for _ in range(rank - 2)))
