"""What runs a layer or a network: the interface that every framework's executor fills.

An executor builds workloads; a workload makes one forward pass per call, on seeded random data
that is never zero. What was asked for (threads, precision, optimisation) is read back in
``facts``. ``BaseExecutor`` and ``BaseWorkload`` (``base``) have the members that few need to write.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from neuralpower.caffe.network import Network
from neuralpower.core.configuration import Configuration
from neuralpower.core.layer_time import LayerTime


class Workload(Protocol):
    """A prepared layer or network. ``buffers`` sets of inputs and outputs are rotated.

    One whose calls are recorded and replayed without the host is a ``replay.ReplayWorkload``.
    """

    @property
    def buffers(self) -> int:
        """How many sets of inputs and outputs the calls rotate over."""
        ...

    @property
    def footprint_bytes(self) -> int:
        """Bytes of one set of inputs and outputs and of the parameters."""
        ...

    @property
    def parameter_bytes(self) -> int:
        """Bytes of the parameters, which every call uses; 0 where that is not known."""
        ...

    @property
    def held_bytes(self) -> int:
        """Bytes of the device's memory that it holds; 0 where that is not known."""
        ...

    def call(self) -> None:
        """One forward pass, finished when this returns."""
        ...

    def kernels(self) -> list[str] | None:
        """Names of the kernels of a call, in order; ``None`` where they are not known."""
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

    @property
    def anchor(self) -> Configuration:
        """The reference layer of its runs."""
        ...

    @property
    def replays(self) -> bool:
        """Whether the device works on its own: workloads are then ``ReplayWorkload``."""
        ...

    @property
    def cache_bytes(self) -> int:
        """Bytes of the cache that the rotated buffers exceed; 0 where it is not known."""
        ...

    @property
    def uuid(self) -> str:
        """The board that computes, as its meter names it; empty where there is none."""
        ...

    def clock_ns(self) -> int:
        """The clock that times its calls."""
        ...

    def facts(self) -> Mapping[str, object]:
        """Versions and settings as the framework reports them, for the record."""
        ...

    def layer(self, configuration: Configuration, seed: int) -> Workload:
        """Prepare one layer. ``InputError`` when it cannot be run."""
        ...

    def network(self, network: Network, seed: int) -> Workload:
        """Prepare a whole network. ``InputError`` when it cannot be run."""
        ...

    def network_layers(self, network: Network, seed: int) -> list[LayerTime]:
        """Times of a network's layers inside it.

        Empty where they are not known.
        """
        ...

    def memory_share(self, held: Sequence[Workload]) -> float:
        """The share (0-1) of the device's memory that is taken while these workloads are held.

        0 where it is not known.
        """
        ...

    def check(self) -> None:
        """Raise ``RunError`` when the device can do no more; asked after a fault."""
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
