"""Which function writes which layer type, in each framework."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from neuralpower.frameworks.layer_fields import unsupported
from neuralpower.frameworks.layer_graph import LayerLike

#: A function that writes a layer.
F = TypeVar("F")


class Registry(dict[str, F]):
    """Functions by Caffe layer type; ``registry("ReLU", ...)`` registers the decorated one.

    ``framework``: how a person calls what the layers are written for.
    """

    def __init__(self, framework: str) -> None:
        super().__init__()
        self._framework = framework

    def __call__(self, *types: str) -> Callable[[F], F]:
        """Register a function for Caffe layer types."""

        def register(function: F) -> F:
            for name in types:
                self[name] = function
            return function

        return register

    def of(self, layer: LayerLike) -> F:
        """The function that writes a layer. ``InputError`` when its type has none here."""
        found = self.get(layer.type)
        if found is None:
            why = f"this layer type has no {self._framework} form: it cannot be run"
            raise unsupported(layer, why)
        return found
