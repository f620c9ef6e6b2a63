"""What a platform's clock, sensors and steadiness are, before a sweep: facts for ``JSON``."""

from __future__ import annotations

import itertools
import multiprocessing
import statistics
import time
from collections.abc import Callable, Sequence
from multiprocessing.synchronize import Event
from typing import Any

from neuralpower.core.configuration import Configuration
from neuralpower.core.machine import load_average, machine_facts
from neuralpower.core.statistics import quantile
from neuralpower.frameworks.protocol import Executor
from neuralpower.meters.registry import meters
from neuralpower.profiling.host_timing import TimingProtocol, measure
from neuralpower.profiling.probe import probe

SCHEMA_VERSION = 1
#: The smallest layer: its time is what a call costs by itself.
_SMALLEST = Configuration("relu", 1, 1, 1, 1, 1, 1, 1)
_ANCHOR = TimingProtocol(min_time_s=0.2, max_time_s=0.4)


def characterise(
    executor: Executor,
    platform: str,
    seed: int = 0,
    anchors: int = 20,
    report: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Facts of the platform; takes about 30 s with 20 anchors."""
    report("clock")
    clock = clock_facts(executor.clock_ns)
    report("sensors")
    sensors = sensor_facts()
    report("smallest layer")
    smallest = _median_ms(executor, _SMALLEST, seed, TimingProtocol())
    report("anchor")
    visits = [_median_ms(executor, executor.anchor, seed, _ANCHOR) for _ in range(anchors)]
    report("interference")
    interference = interference_facts(executor, seed, rounds=max(1, min(3, anchors // 4)))
    report("peak")
    return {
        "schema_version": SCHEMA_VERSION,
        "platform": platform,
        "machine": machine_facts(),
        "executor": dict(executor.facts()),
        "clock": clock,
        "sensors": sensors,
        "call_overhead_ms": smallest,
        "anchor": {"configuration": executor.anchor.as_row(), **anchor_facts(visits)},
        "interference": interference,
        "load_average": load_average(),
        **probe(executor, seed),
    }


def clock_facts(clock: Callable[[], int], readings: int = 20_000) -> dict[str, object]:
    """Resolution (the smallest step seen) and cost of a reading of the clock, in ns."""
    stamps = [clock() for _ in range(readings)]
    steps = sorted(b - a for a, b in itertools.pairwise(stamps))
    positive = [step for step in steps if step > 0]
    return {
        "readings": readings,
        "smallest_step_ns": positive[0] if positive else None,
        "median_reading_ns": quantile(steps, 0.5),
        "p99_reading_ns": quantile(steps, 0.99),
        "longest_gap_ns": steps[-1],
    }


def sensor_facts() -> list[dict[str, object]]:
    """Each power meter that is installed: whether it works here, and if not, why."""
    found: list[dict[str, object]] = []
    # Those of a GPU too, though no executor here measures with them.
    for entry in meters():
        meter, state = entry.meter, entry.meter.available()
        found.append(
            {
                "meter": entry.name,
                "domain": meter.info.domain or None,
                "kind": meter.info.kind,
                "available": state.ok,
                "reason": state.reason or None,
            }
        )
    return found


def anchor_facts(visits_ms: Sequence[float]) -> dict[str, object]:
    """Median, scatter and drift of visits of one layer, in their order."""
    mean = statistics.fmean(visits_ms)
    half = len(visits_ms) // 2
    first, last = visits_ms[:half] or visits_ms, visits_ms[half:]
    return {
        "visits_ms": [float(f"{value:.6g}") for value in visits_ms],
        "median_ms": statistics.median(visits_ms),
        "cv": statistics.stdev(visits_ms) / mean if len(visits_ms) > 1 else None,
        "slowest_over_fastest": max(visits_ms) / min(visits_ms),
        "second_half_over_first": statistics.median(last) / statistics.median(first),
    }


def interference_facts(executor: Executor, seed: int, rounds: int = 3) -> dict[str, object]:
    """How much slower the anchor runs while another process is busy (median of some rounds)."""
    alone: list[float] = []
    beside: list[float] = []
    context = multiprocessing.get_context("spawn")
    for _ in range(rounds):
        alone.append(_median_ms(executor, executor.anchor, seed, _ANCHOR))
        ready, stop = context.Event(), context.Event()
        other = context.Process(target=_spin, args=(ready, stop), daemon=True)
        other.start()
        try:
            if not ready.wait(30):
                return {"reason": "the busy process did not start"}
            beside.append(_median_ms(executor, executor.anchor, seed, _ANCHOR))
        finally:
            stop.set()
            other.join(10)
    return {
        "alone_ms": statistics.median(alone),
        "beside_a_busy_process_ms": statistics.median(beside),
        "slower_by": statistics.median(beside) / statistics.median(alone) - 1,
    }


def _spin(ready: Event, stop: Event) -> None:
    """Keep a processor busy with arithmetic and memory until asked to stop (at most a minute)."""
    block = bytearray(8 << 20)
    end = time.monotonic() + 60
    ready.set()
    while not stop.is_set() and time.monotonic() < end:
        bytes(block)
        sum(range(10_000))


def _median_ms(
    executor: Executor, configuration: Configuration, seed: int, protocol: TimingProtocol
) -> float:
    workload = executor.layer(configuration, seed)
    try:
        return measure(workload.call, protocol, executor.clock_ns).median_ms
    finally:
        workload.close()
