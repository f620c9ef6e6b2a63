"""What runs a layer or a network: the interface that every framework's executor fills.

An executor builds workloads; a workload makes one forward pass a call, on seeded random data that
is never zero. What was asked for (threads, precision, optimisation) is read back in ``facts``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from neuralpower.columns import Configuration
from neuralpower.errors import InputError


class Workload(Protocol):
    """A prepared layer or network. ``buffers`` sets of inputs and outputs are rotated."""

    @property
    def buffers(self) -> int:
        """How many sets of inputs and outputs the calls rotate over."""
        ...

    @property
    def footprint_bytes(self) -> int:
        """Bytes of one set of inputs and outputs and of the parameters."""
        ...

    def call(self) -> None:
        """One forward pass, finished when this returns."""
        ...

    def close(self) -> None:
        """Give the memory back."""
        ...


class Executor(Protocol):
    """A framework on a device."""

    @property
    def name(self) -> str:
        """Its name on the command line."""
        ...

    def clock_ns(self) -> int:
        """The clock that times its calls."""
        ...

    def facts(self) -> Mapping[str, Any]:
        """Versions and settings as the framework reports them, for the record."""
        ...

    def layer(self, configuration: Configuration, seed: int) -> Workload:
        """Prepare one layer. ``InputError`` when it cannot be run."""
        ...

    def network(self, network: Any, seed: int) -> Workload:
        """Prepare a whole ``caffe.network.Network``. ``InputError`` when it cannot be run."""
        ...

    def network_layers(self, network: Any, seed: int) -> list[dict[str, Any]]:
        """Times of a network's layers inside it: ``index name type runtime_ms n_calls``.

        Empty when the framework cannot tell.
        """
        ...


#: Names that ``make_executor`` knows.
EXECUTORS = ("onnxruntime",)


def make_executor(name: str, threads: int) -> Executor:
    """The executor of a name; its framework is imported only here."""
    if name == "onnxruntime":
        from neuralpower.profiling.ort_cpu import OnnxRuntimeExecutor

        return OnnxRuntimeExecutor(threads=threads)
    raise InputError(f"executor {name!r} is not known: take one of {', '.join(EXECUTORS)}")
