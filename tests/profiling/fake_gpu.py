"""A GPU that computes nothing on a fake clock: its replays take a known time at a known power.

The sensor is ``FakeNvml``, read by the real ``NvmlMeter`` every 20 ms of the fake clock.
"""

from __future__ import annotations

import math
import time
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy
from fake_nvml import FakeClock, FakeNvml

from neuralpower.core.configuration import Configuration
from neuralpower.core.errors import InputError
from neuralpower.frameworks.base import BaseExecutor, BaseWorkload
from neuralpower.frameworks.protocol import Workload
from neuralpower.frameworks.replay import ReplayWorkload
from neuralpower.meters.meter import NoMeter
from neuralpower.meters.nvml import NvmlMeter
from neuralpower.meters.samples import SampleSource
from neuralpower.profiling.bench import Bench
from neuralpower.profiling.device_power import (
    AdaptiveProtocol,
    PowerPhase,
    idle_power,
)
from neuralpower.records.visits import Power

IDLE_W = 75.0
_POLL_NS, _STATE_NS = 20_000_000, 200_000_000


class PolledClock(FakeClock):
    """Calls a meter whenever 20 ms have gone by."""

    def __init__(self) -> None:
        super().__init__()
        self.meter: NvmlMeter | None = None
        self.poll_ns = _POLL_NS

    def advance(self, seconds: float) -> None:
        end = self.now_ns + round(seconds * 1e9)
        while self.meter and (due := (self.now_ns // self.poll_ns + 1) * self.poll_ns) <= end:
            self.now_ns = due
            self.meter.read()
            if due % _STATE_NS == 0:
                self.meter.state()
        self.now_ns = end


class FakeGpu:
    """A stream: what is queued runs one after the other; P(t) is known for all past times."""

    def __init__(self, *, warming: float = 0.0, warming_tau_s: float = 1.0, **knobs: Any) -> None:
        self.clock = PolledClock()
        self.free_ns = 0
        #: Share of a load's power that follows its warmth, and the time constant of that.
        self.warming, self.warming_tau_s = warming, warming_tau_s
        self._warmth: list[float] = []
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._watts: list[float] = []
        self.nvml = FakeNvml(self.clock, self.watts, **knobs)
        self.meter = NvmlMeter(nvml=self.nvml, clock=self.clock)

    def begin(self) -> None:
        self.meter.start()
        self.clock.meter = self.meter

    def queue(self, duration_ns: int, watts: float) -> None:
        start = max(self.clock.now_ns, self.free_ns)
        self.free_ns = start + duration_ns
        if self._ends and self._ends[-1] == start and self._watts[-1] == watts:
            self._ends[-1] = self.free_ns
            return
        self._warmth.append(self._warm(start))
        self._starts.append(start)
        self._ends.append(self.free_ns)
        self._watts.append(watts)

    def watts(self, seconds: float) -> float:
        i = bisect_right(self._starts, seconds * 1e9) - 1
        watts = self._watts[i] if i >= 0 and seconds * 1e9 < self._ends[i] else IDLE_W
        if not self.warming:
            return watts
        return watts + self.warming * (self._warm(seconds * 1e9) - watts)

    def _warm(self, ns: float) -> float:
        """The warmth at a time, as the load that would keep it."""
        i = bisect_right(self._starts, ns) - 1
        if i < 0:
            return IDLE_W
        until = min(ns, self._ends[i])
        warmth = self._to(self._warmth[i], self._watts[i], until - self._starts[i])
        return self._to(warmth, IDLE_W, ns - until)

    def _to(self, warmth: float, watts: float, ns: float) -> float:
        return watts + (warmth - watts) * math.exp(-ns / 1e9 / self.warming_tau_s)

    # The seam of replays.

    def mark(self) -> int:
        return max(self.clock.now_ns, self.free_ns)

    def done(self, mark: int) -> bool:
        return mark <= self.clock.now_ns

    def wait(self, mark: int) -> None:
        self.clock.advance(max(0, mark - self.clock.now_ns) / 1e9)

    def elapsed_ms(self, first: int, last: int) -> float:
        return (last - first) / 1e6


def known_ms(key: str) -> float:
    """The time of a call of an item: 2 us to 4 ms."""
    return float(0.002 * 2000 ** (zlib.crc32(key.encode()) % 1000 / 1000))


def known_w(key: str) -> float:
    """The power of an item: 150 to 650 W."""
    return 150 + 0.5 * (zlib.crc32(key[::-1].encode()) % 1000)


class FakeWorkload(BaseWorkload):
    """Replays of a known time, with 0.1 % of jitter, and power."""

    buffers = 4
    footprint_bytes = 4096

    def __init__(
        self,
        gpu: FakeGpu,
        call_ms: float,
        watts: float,
        host_s: float = 5e-6,
        executor: FakeGpuExecutor | None = None,
    ) -> None:
        self._executor = executor
        self.timer = gpu
        self.calls_per_replay = self.buffers
        self._gpu, self._ms, self._w, self._host_s = gpu, call_ms, watts, host_s
        self._random = numpy.random.default_rng(round(call_ms * 1e6))

    def record(self, calls: int) -> None:
        self.calls_per_replay = calls

    def replay(self) -> None:
        self._gpu.clock.advance(self._host_s)
        jitter = 1 + 0.001 * float(self._random.standard_normal())
        self._gpu.queue(round(self._ms * self.calls_per_replay * jitter * 1e6), self._w)

    def call(self) -> None:
        self.replay()
        self._gpu.wait(self._gpu.free_ns)

    def kernels(self) -> list[str] | None:
        return [self._executor.kernel] if self._executor and self._executor.kernel else None

    def close(self) -> None:
        self._gpu.wait(self._gpu.mark())
        if self._executor is not None:
            self._executor.taken -= 1
            self._executor = None


class HalfLoad(FakeWorkload):
    """A long call of two halves: at full power and at a third of it."""

    def replay(self) -> None:
        self._gpu.clock.advance(self._host_s)
        for _ in range(self.calls_per_replay):
            half = round(self._ms * 5e5)
            self._gpu.queue(half, self._w)
            self._gpu.queue(half, self._w / 3)


class FakeGpuExecutor(BaseExecutor):
    """Prepares fake workloads; preparing takes ``prepare_s`` of the fake clock.

    ``memory``: workloads that have room on the device. ``kernels``: name of the only kernel.
    """

    name = "fake"
    replays = True

    def __init__(
        self,
        gpu: FakeGpu,
        refuse: frozenset[str] = frozenset(),
        memory: int = 1000,
        kernels: str = "",
        prepare_s: float = 0.05,
    ) -> None:
        self.gpu, self.refuse, self.prepare_s = gpu, refuse, prepare_s
        self.memory, self.taken, self.most_taken = memory, 0, 0
        self.kernel = kernels

    def memory_share(self, held: Sequence[Workload]) -> float:
        return self.taken / self.memory

    def clock_ns(self) -> int:
        return self.gpu.clock.now_ns

    def facts(self) -> Mapping[str, Any]:
        return {"executor": "fake", "software": "nothing (a fake GPU)", "threads_intra": 1}

    def layer(self, configuration: Configuration, seed: int) -> FakeWorkload:
        if configuration.family in self.refuse:
            raise InputError("out of memory on the GPU")
        return self._made(configuration.key())

    def network(self, network: Any, seed: int) -> FakeWorkload:
        return self._made(network.name)

    def _made(self, key: str) -> FakeWorkload:
        self.gpu.clock.advance(self.prepare_s)
        if self.taken >= self.memory:
            raise InputError("out of memory on the GPU")
        self.taken += 1
        self.most_taken = max(self.taken, self.most_taken)
        return FakeWorkload(self.gpu, known_ms(key), known_w(key), executor=self)


@contextmanager
def fake_bench(gpu: FakeGpu, **options: Any) -> Iterator[Bench]:
    """As ``bench.measuring`` gives, on the fake."""
    executor: Any = FakeGpuExecutor(gpu, **options)
    clock = gpu.clock
    state = gpu.meter.available()
    if not state.ok:
        yield Bench(executor, NoMeter(state.reason), None, clock, clock.advance)
        return
    gpu.begin()
    idle = idle_power(gpu.meter, clock=clock, sleep=clock.advance)
    yield Bench(executor, gpu.meter, idle, clock, clock.advance)


def measure_adaptive(
    workload: ReplayWorkload,
    source: SampleSource,
    protocol: AdaptiveProtocol,
    call_ms: float,
    clock: Callable[[], int] = time.monotonic_ns,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[Power, tuple[str, ...]]:
    """Power of one workload by itself, as ``PowerPhase.visit``."""
    phase = PowerPhase(source, protocol, clock, sleep)
    try:
        return phase.visit(workload, call_ms)
    finally:
        phase.end()
