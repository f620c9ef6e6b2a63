"""How a workload is timed: warm-up, calls in samples, and when to stop."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from neuralpower.core.statistics import median_absolute_deviation, median_interval, quantile
from neuralpower.records.visits import Timing

Clock = Callable[[], int]


@dataclass(frozen=True, slots=True)
class TimingProtocol:
    """The rules of one visit.

    A *sample* is the time of K back-to-back calls over K, with K such that a sample takes at
    least ``sample_s`` (the clock's own cost then stays below a per mille). Sampling stops at
    ``min_samples`` and ``min_time_s`` once the 95 % interval of the median is narrower than
    ``precision`` to either side, at the latest after ``max_time_s`` (but never before
    ``least_samples``) or ``max_samples``.
    """

    warm_up_calls: int = 2
    warm_up_s: float = 0.03
    sample_s: float = 0.0001
    min_samples: int = 12
    min_time_s: float = 0.15
    max_time_s: float = 0.6
    least_samples: int = 6
    max_samples: int = 2000
    max_calls_per_sample: int = 512
    precision: float = 0.01

    def as_dict(self) -> dict[str, float | int]:
        """The rules as plain values, for the record."""
        return asdict(self)


def measure(
    call: Callable[[], None], protocol: TimingProtocol, clock: Clock = time.perf_counter_ns
) -> Timing:
    """Time ``call`` by the protocol. The garbage collector rests meanwhile."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        warm, first_ns = _warm_up(call, protocol, clock)
        each = _calls_per_sample(first_ns, protocol)
        t0 = clock()
        samples = _sample(call, each, protocol, clock)
        t1 = clock()
    finally:
        if enabled:
            gc.enable()
    return summarise(
        [sample / 1e6 for sample in samples],
        each,
        warm_up_calls=warm,
        window_ns=(t0, t1),
        flags=() if _precise(samples, protocol) else ("not_converged",),
    )


def summarise(
    samples_ms: Sequence[float],
    calls_per_sample: int,
    *,
    warm_up_calls: int,
    window_ns: tuple[int, int],
    flags: tuple[str, ...],
) -> Timing:
    """The record of samples that each hold ``calls_per_sample`` calls, in ms per call."""
    ordered = sorted(sample / calls_per_sample for sample in samples_ms)
    interval = median_interval(ordered)
    return Timing(
        median_ms=quantile(ordered, 0.5),
        lo_ms=None if interval is None else interval[0],
        hi_ms=None if interval is None else interval[1],
        q25_ms=quantile(ordered, 0.25),
        q75_ms=quantile(ordered, 0.75),
        mad_ms=median_absolute_deviation(ordered),
        min_ms=ordered[0],
        p95_ms=quantile(ordered, 0.95),
        samples=len(ordered),
        calls=len(ordered) * calls_per_sample,
        calls_per_sample=calls_per_sample,
        warm_up_calls=warm_up_calls,
        t0_ns=window_ns[0],
        t1_ns=window_ns[1],
        flags=flags,
    )


def _warm_up(call: Callable[[], None], protocol: TimingProtocol, clock: Clock) -> tuple[int, int]:
    """Calls made before the samples, and the time in ns of the quickest of them."""
    begin = clock()
    calls, quickest = 0, math.inf
    while calls < protocol.warm_up_calls or (
        clock() - begin < protocol.warm_up_s * 1e9 and calls < protocol.max_samples
    ):
        before = clock()
        call()
        quickest = min(quickest, clock() - before)
        calls += 1
    return calls, int(quickest)


def _calls_per_sample(call_ns: int, protocol: TimingProtocol) -> int:
    wanted = math.ceil(protocol.sample_s * 1e9 / max(call_ns, 1))
    return max(1, min(wanted, protocol.max_calls_per_sample))


def _sample(
    call: Callable[[], None], each: int, protocol: TimingProtocol, clock: Clock
) -> list[int]:
    samples: list[int] = []
    begin = clock()
    check = protocol.min_samples
    turns = range(each)
    while len(samples) < protocol.max_samples:
        before = clock()
        for _ in turns:
            call()
        after = clock()
        samples.append(after - before)
        spent = (after - begin) / 1e9
        if len(samples) >= protocol.least_samples and spent >= protocol.max_time_s:
            break
        if len(samples) >= check and spent >= protocol.min_time_s:
            if _precise(samples, protocol):
                break
            # Sorting costs time between the samples: look again only after a tenth more.
            check = len(samples) + max(1, len(samples) // 10)
    return samples


def _precise(samples: list[int], protocol: TimingProtocol) -> bool:
    ordered = sorted(samples)
    interval = median_interval(ordered)
    if interval is None:
        return False
    middle = quantile(ordered, 0.5)
    return max(interval[1] - middle, middle - interval[0]) <= protocol.precision * middle
