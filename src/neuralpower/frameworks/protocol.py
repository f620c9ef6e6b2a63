"""What runs a layer or a network: the interface that every framework's executor fills.

An executor builds workloads; a workload makes one forward pass a call, on seeded random data that
is never zero. What was asked for (threads, precision, optimisation) is read back in ``facts``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from neuralpower.core.configuration import Configuration


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


#: The anchor on a CPU: a 3x3 convolution like that of the measurement protocol, of about 1 GMAC.
CPU_ANCHOR = Configuration("conv", 8, 64, 56, 56, 64, 56, 56, 3, 3, 1, 1, 1, 1, bias=1)

#: The anchor on a GPU: the reference layer of the measurement protocol.
GPU_ANCHOR = Configuration("conv", 64, 256, 28, 28, 256, 28, 28, 3, 3, 1, 1, 1, 1, bias=1)


@dataclass(frozen=True, slots=True)
class ExecutorOptions:
    """Where and how numbers are computed; executors refuse what they have no choice of.

    ``precision``: ``fp32`` (TF32 off), ``tf32``, ``fp16``, ``bf16``; ``memory_format``: ``nchw``
    or ``channels_last``; ``autotune``: let cuDNN time its algorithms first.
    """

    device: str = "cpu"
    precision: str = "fp32"
    memory_format: str = "nchw"
    autotune: bool = True


def anchor_of(executor: Executor) -> Configuration:
    """The reference layer of runs with this executor: its own, or the CPU's."""
    found: Configuration = getattr(executor, "anchor", CPU_ANCHOR)
    return found
