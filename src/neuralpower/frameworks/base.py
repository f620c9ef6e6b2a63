"""The members of executors and workloads that most have alike: a processor, calls that wait.

An executor that is built on these gives ``name``, ``facts``, ``layer`` and ``network``; a workload
gives ``call``.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from neuralpower.caffe.network import Network
from neuralpower.core.configuration import Configuration
from neuralpower.core.layer_time import LayerTime
from neuralpower.frameworks.protocol import CPU_ANCHOR, Workload


class BaseExecutor:
    """An executor on a processor, whose calls have ended when they return.

    ``memory_bytes``: memory of a separate device; 0 where there is none or it is not known.
    """

    anchor: Configuration = CPU_ANCHOR
    replays: bool = False
    cache_bytes: int = 0
    uuid: str = ""
    memory_bytes: int = 0

    def clock_ns(self) -> int:
        """As ``Executor.clock_ns``: the host's clock."""
        return time.perf_counter_ns()

    def network_layers(self, network: Network, seed: int) -> list[LayerTime]:
        """As ``Executor.network_layers``: not known."""
        return []

    def memory_share(self, held: Sequence[Workload]) -> float:
        """As ``Executor.memory_share``: what the workloads say that they hold."""
        taken = sum(workload.held_bytes for workload in held)
        return taken / self.memory_bytes if self.memory_bytes else 0.0

    def check(self) -> None:
        """As ``Executor.check``: nothing can break."""


class BaseWorkload:
    """A workload with one set of buffers, which holds nothing."""

    buffers: int = 1
    footprint_bytes: int = 0
    parameter_bytes: int = 0
    held_bytes: int = 0

    def kernels(self) -> list[str] | None:
        """As ``Workload.kernels``: not known."""
        return None

    def close(self) -> None:
        """As ``Workload.close``: nothing to give back."""
