"""Timing on the host's clock: a sample is a few calls back to back between two readings of it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from neuralpower.profiling.stopping import Clock, StopRule, take_samples
from neuralpower.records.visits import Timing


@dataclass(frozen=True, slots=True)
class TimingProtocol:
    """The rules of one visit; of the samples as ``StopRule``.

    A sample is the time of K back-to-back calls over K, with K such that a sample takes at least
    ``sample_s`` (the clock's own cost then stays below a per mille).
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

    @property
    def stop(self) -> StopRule:
        """When enough samples have been taken."""
        return StopRule(
            self.min_samples,
            self.min_time_s,
            self.max_time_s,
            self.least_samples,
            self.precision,
            self.max_samples,
        )


def measure(
    call: Callable[[], None], protocol: TimingProtocol, clock: Clock = time.perf_counter_ns
) -> Timing:
    """Time ``call`` by the protocol."""
    return take_samples(_HostSampler(call, protocol, clock), protocol.stop, clock)


class _HostSampler:
    """As ``stopping.Sampler``; K comes from the quickest call of the warm-up."""

    def __init__(self, call: Callable[[], None], protocol: TimingProtocol, clock: Clock) -> None:
        self._call, self._rules, self._clock = call, protocol, clock
        self._samples: list[float] = []
        self._turns = range(1)

    @property
    def calls_per_sample(self) -> int:
        return len(self._turns)

    def warm_up(self) -> int:
        rules, clock = self._rules, self._clock
        begin = clock()
        calls, quickest = 0, math.inf
        while calls < rules.warm_up_calls or (
            clock() - begin < rules.warm_up_s * 1e9 and calls < rules.max_samples
        ):
            before = clock()
            self._call()
            quickest = min(quickest, clock() - before)
            calls += 1
        wanted = math.ceil(rules.sample_s * 1e9 / max(quickest, 1))
        self._turns = range(max(1, min(wanted, rules.max_calls_per_sample)))
        return calls

    def take(self) -> None:
        call, clock = self._call, self._clock
        before = clock()
        for _ in self._turns:
            call()
        self._samples.append((clock() - before) / 1e6)

    def samples(self) -> list[float]:
        return self._samples

    def flags(self, samples: Sequence[float]) -> list[str]:
        return []
