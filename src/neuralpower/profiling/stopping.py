"""When enough samples of a time have been taken: the one rule, whatever takes them.

A *sampler* takes samples of one or more calls each: on the host's clock (``host_timing``) or
between events of a device (``device_timing``). This module warms it up, asks it for samples until
the interval of their median is narrow enough, and makes the record.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from neuralpower.core.statistics import median_absolute_deviation, median_interval, quantile
from neuralpower.records.visits import Timing

Clock = Callable[[], int]


@dataclass(frozen=True, slots=True)
class StopRule:
    """Sampling stops at ``min_samples`` and ``min_time_s`` once the 95 % interval of the median is
    narrower than ``precision`` to either side, at the latest after ``max_time_s`` (but never
    before ``least_samples``) or ``max_samples``. Looking costs time: after a look that was not
    enough the next comes ``more`` (a share) later.
    """

    min_samples: int
    min_time_s: float
    max_time_s: float
    least_samples: int
    precision: float
    max_samples: int = 1_000_000
    more: float = 0.1

    def out_of_time(self, samples: int, spent_s: float) -> bool:
        """Whether no more samples are taken, precise or not."""
        late = samples >= self.least_samples and spent_s >= self.max_time_s
        return late or samples >= self.max_samples

    def next_look(self, samples: int) -> int:
        """The number of samples at which to look again."""
        return samples + max(1, round(self.more * samples))

    def precise(self, samples: Sequence[float]) -> bool:
        """Whether the interval of the median is narrow enough."""
        ordered = sorted(samples)
        interval = median_interval(ordered)
        if interval is None:
            return False
        middle = quantile(ordered, 0.5)
        return max(interval[1] - middle, middle - interval[0]) <= self.precision * middle


class Sampler(Protocol):
    """Takes samples of ``calls_per_sample`` calls each."""

    @property
    def calls_per_sample(self) -> int:
        """Calls in one sample."""
        ...

    def warm_up(self) -> int:
        """Calls that are no samples; returns how many."""
        ...

    def take(self) -> None:
        """One more sample; it need not have ended when this returns."""
        ...

    def samples(self) -> list[float]:
        """Milliseconds of each sample so far, once the last has ended."""
        ...

    def flags(self, samples: Sequence[float]) -> list[str]:
        """What was noticed."""
        ...


def take_samples(sampler: Sampler, rule: StopRule, clock: Clock) -> Timing:
    """Warm up, sample by the rule, and make the record. The garbage collector rests meanwhile."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        warm = sampler.warm_up()
        taken, look = 0, rule.min_samples
        t0 = clock()
        while True:
            sampler.take()
            taken += 1
            spent_s = (clock() - t0) / 1e9
            if rule.out_of_time(taken, spent_s):
                break
            if taken >= look and spent_s >= rule.min_time_s:
                if rule.precise(sampler.samples()):
                    break
                look = rule.next_look(taken)
        samples = sampler.samples()
        t1 = clock()
    finally:
        if enabled:
            gc.enable()
    flags = [] if rule.precise(samples) else ["not_converged"]
    return summarise(
        samples,
        sampler.calls_per_sample,
        warm_up_calls=warm,
        window_ns=(t0, t1),
        flags=(*flags, *sampler.flags(samples)),
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
