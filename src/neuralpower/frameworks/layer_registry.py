"""Which function translates which operation, in each framework.

To add an operation to a framework: a function in one of its modules of forms, decorated with
``registry(TheOperation)``. Its attributes are all that is to be read: shapes, parameters
(``weights``) and fields, with Caffe's defaults filled in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from neuralpower.caffe.operation import Operation

#: What a form makes.
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])


class Registry(dict[type[Operation], Callable[..., R]], Generic[R]):
    """Forms by operation; ``registry(ReLU)`` registers the decorated function.

    ``framework``: how a person calls what the operations are written for.
    """

    def __init__(self, framework: str) -> None:
        super().__init__()
        self._framework = framework

    def __call__(self, *operations: type[Operation]) -> Callable[[F], F]:
        """Register a function for operations."""

        def register(function: F) -> F:
            for operation in operations:
                self[operation] = function
            return function

        return register

    def of(self, operation: Operation) -> Callable[..., R]:
        """The form of an operation. ``InputError`` when there is none here."""
        found = self.get(type(operation))
        if found is None:
            why = f"this layer type has no {self._framework} form: it cannot be run"
            raise operation.refuse(why)
        return found
