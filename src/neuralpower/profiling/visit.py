"""One visit: prepare, time, measure power, give back; and its record."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime

from neuralpower.core.configuration import Configuration
from neuralpower.core.errors import InputError, RunError
from neuralpower.core.machine import load_average
from neuralpower.frameworks.protocol import Executor, Workload
from neuralpower.frameworks.replay import ReplayWorkload
from neuralpower.meters.meter import PowerMeter
from neuralpower.meters.samples import SampleSource, state_facts
from neuralpower.profiling.design import NetworkItem, Visit
from neuralpower.profiling.device_power import AdaptiveProtocol, PowerPhase
from neuralpower.profiling.device_timing import ReplayProtocol, choose_calls, measure_replays
from neuralpower.profiling.estimate import NetworkLoader
from neuralpower.profiling.host_power import PowerProtocol, measure_power
from neuralpower.profiling.host_timing import TimingProtocol, measure
from neuralpower.records.visits import (
    POWER_MISSED,
    Power,
    State,
    Timing,
    VisitRecord,
    cache_mode,
)


@dataclass(frozen=True)
class Replayed:
    """How devices that work on their own are measured.

    ``keys``: items whose power is measured (``None``: all); anchors and networks always are.
    ``idle_w``: power of the board with a context and nothing to do. ``clock`` is the meter's and
    ``sleep`` waits on it. ``kernels``: record the names of the kernels that run.
    """

    timing: ReplayProtocol = field(default_factory=ReplayProtocol)
    power: AdaptiveProtocol = field(default_factory=AdaptiveProtocol)
    keys: frozenset[str] | None = None
    idle_w: float | None = None
    clock: Callable[[], int] = time.monotonic_ns
    sleep: Callable[[float], None] = time.sleep
    kernels: bool = True

    def wants_power(self, visit: Visit) -> bool:
        """Whether a visit has a power phase."""
        if visit.is_anchor or isinstance(visit.item, NetworkItem) or self.keys is None:
            return True
        return visit.item.key() in self.keys


class Visitor:
    """Makes visits with one executor and one meter, by one protocol."""

    def __init__(
        self,
        executor: Executor,
        meter: PowerMeter,
        timing: TimingProtocol,
        power: PowerProtocol,
        seed: int,
        load: NetworkLoader,
        layers_of_networks: bool = False,
        replayed: Replayed | None = None,
    ) -> None:
        self.executor = executor
        self.meter = meter
        self.timing = timing
        self.power = power
        self.seed = seed
        self.load = load
        self.replayed = replayed or Replayed()
        self.powered = meter.available().ok
        self._cache_bytes = executor.cache_bytes
        self._inside = layers_of_networks
        #: Kernels of each item at its first visit, and as this process found them.
        self._first_kernels: dict[str, Sequence[str]] = {}
        self._own_kernels: dict[str, Sequence[str] | None] = {}
        self._collect = False
        #: Calls in a replay of each item.
        self._calls: dict[str, int] = {}
        #: Why the device can do no more, once a visit has broken it; that visit counts as failed.
        self.broken: RunError | None = None

    def remember(self, record: VisitRecord) -> None:
        """Take over what an earlier record says of an item's kernels and calls in a replay."""
        if record.timing is not None and self.executor.replays:
            self._calls.setdefault(record.key, record.timing.calls_per_sample)
        if record.kernels:
            self._first_kernels.setdefault(record.key, record.kernels)

    def visit(self, visit: Visit, predecessor: str, board: str | None) -> VisitRecord:
        """The record of one visit, timed and powered on the host's clock.

        A layer that cannot be run gets ``error`` and no timing. Raises ``RunError`` when the run
        cannot go on.
        """
        record, workload = self.timed(visit, predecessor, board)
        if workload is None:
            return record
        begin = time.monotonic()
        try:
            if self.powered:
                stats = measure_power(workload.call, self.meter, self.power)
                measured = {k: v for k, v in asdict(stats).items() if k != "flags"}
                power = Power(self.meter.info.name, **measured)
                record = replace(record, power=power, flags=record.flags + stats.flags)
        except Exception as error:
            record = self._failed(record, error)
        finally:
            workload.close()
        return _longer(record, begin)

    def timed(
        self, visit: Visit, predecessor: str, board: str | None
    ) -> tuple[VisitRecord, Workload | None]:
        """The record of a visit with its times, and the workload, to be closed by the caller.

        No workload where it could not be run: the record then holds ``error``.
        """
        if self._collect:
            # Cycles keep what a layer without room had taken.
            gc.collect()
            self._collect = False
        begin = time.monotonic()
        record = self._empty(visit, predecessor, board)
        workload: Workload | None = None
        try:
            workload = self._prepare(visit)
            record = self._with_times(record, workload)
            if self._inside and isinstance(visit.item, NetworkItem) and visit.repeat == 1:
                rows = self.executor.network_layers(self.load(visit.item), self.seed)
                record = replace(record, layers=tuple(rows))
        except Exception as error:
            _close(workload)
            workload = None
            record = self._failed(record, error)
        except BaseException:
            _close(workload)
            raise
        return _longer(record, begin), workload

    def with_power(
        self, record: VisitRecord, workload: ReplayWorkload, phase: PowerPhase
    ) -> VisitRecord:
        """The record of a timed visit with its power, which is measured now."""
        begin = time.monotonic()
        try:
            power, flags = phase.visit(workload, record.runtime_ms or 0.0, record.key)
            power = replace(power, idle_w=self.replayed.idle_w)
            record = replace(record, power=power, flags=record.flags + flags)
        except Exception as error:
            fault = self._failed(record, error)
            # Its times were measured all the same.
            record = replace(record, error=fault.error, flags=(*record.flags, POWER_MISSED))
        return _longer(record, begin)

    def _empty(self, visit: Visit, predecessor: str, board: str | None) -> VisitRecord:
        item = visit.item
        record = VisitRecord(
            visit=visit.visit_id,
            kind=_kind(visit),
            key=item.key(),
            repeat=visit.repeat,
            order=visit.order,
            block=visit.block,
            predecessor=predecessor,
            seed=self.seed,
            time_utc=datetime.now(UTC).isoformat(timespec="seconds"),
            load_average=load_average(),
            board=board,
        )
        if isinstance(item, Configuration):
            return replace(record, configuration=item)
        return replace(record, network=item.network, batch=item.batch, prototxt=item.digest)

    def _prepare(self, visit: Visit) -> Workload:
        if isinstance(visit.item, Configuration):
            return self.executor.layer(visit.item, self.seed)
        return self.executor.network(self.load(visit.item), self.seed)

    def _with_times(self, record: VisitRecord, workload: Workload) -> VisitRecord:
        replayed = isinstance(workload, ReplayWorkload)
        if isinstance(workload, ReplayWorkload):
            # The same in all visits of an item: figures of a call depend on it a little.
            choose_calls(workload, self._calls.get(record.key))
            self._calls[record.key] = workload.calls_per_replay
            timing = measure_replays(workload, self.replayed.timing, self.replayed.clock)
        else:
            timing = measure(workload.call, self.timing, self.executor.clock_ns)
        state, flags = self._state(timing) if replayed else (None, ())
        parameters = workload.parameter_bytes
        moved = workload.footprint_bytes - parameters
        return replace(
            record,
            timing=replace(timing, flags=()),
            buffers=workload.buffers,
            footprint_bytes=workload.footprint_bytes,
            parameter_bytes=parameters,
            cache=cache_mode(moved, parameters, workload.buffers, self._cache_bytes),
            state=state,
            flags=tuple(dict.fromkeys(timing.flags + flags)),
            valid=math.isfinite(timing.median_ms) and timing.median_ms > 0,
        )

    def _state(self, timing: Timing) -> tuple[State | None, tuple[str, ...]]:
        """The board while it was timed; the meter's samples have the same clock."""
        if not (self.powered and isinstance(self.meter, SampleSource)):
            return None, ()
        states = self.meter.samples(timing.t0_ns, timing.t1_ns).states
        facts, flags = state_facts(states)
        return State(**facts), flags

    def wants_kernels(self, record: VisitRecord) -> bool:
        """Whether the names of an item's kernels are still to be asked for."""
        known = record.key in self._own_kernels
        return self.replayed.kernels and record.timing is not None and not known

    def with_kernels(self, record: VisitRecord, workload: Workload) -> VisitRecord:
        """The record with the names of the kernels. Not while anything is measured: the profiling
        library is attached. cuDNN keeps its choice as long as the process lives.
        """
        if not self.replayed.kernels or record.timing is None:
            return record
        key = record.key
        if key not in self._own_kernels:
            self._own_kernels[key] = workload.kernels()
        found = self._own_kernels[key]
        if not found:
            return record
        changed = list(self._first_kernels.setdefault(key, found)) != list(found)
        flags = record.flags + (("autotune_changed",) if changed else ())
        return replace(record, kernels=tuple(found), flags=flags)

    def _failed(self, record: VisitRecord, error: Exception) -> VisitRecord:
        """What a fault leaves of a record; raised again where the run cannot go on."""
        if isinstance(error, RunError):
            raise error
        failed = replace(record, timing=None, power=None, valid=False, flags=("not_run",))
        if isinstance(error, MemoryError):
            self._collect = True
            return replace(failed, error="out of memory", flags=("oom",))
        if isinstance(error, InputError):
            oom = error.message.startswith("out of memory")
            self._collect = oom
            return replace(failed, error=str(error), flags=("oom",) if oom else ("not_run",))
        # A framework's own fault with this layer (its exceptions share no base): noted in the
        # record, and the run goes on with the next.
        try:
            self.executor.check()
        except RunError as fault:
            self.broken = fault
        text = " ".join(str(error).split())[:300]
        return replace(failed, error=f"{type(error).__name__}: {text}")


def _longer(record: VisitRecord, begin: float) -> VisitRecord:
    """The record with the seconds since ``begin`` (of ``time.monotonic``) added."""
    return replace(record, wall_s=round(record.wall_s + time.monotonic() - begin, 4))


def _close(workload: Workload | None) -> None:
    if workload is not None:
        workload.close()


def _kind(visit: Visit) -> str:
    if visit.is_anchor:
        return "anchor"
    return "layer" if isinstance(visit.item, Configuration) else "network"
