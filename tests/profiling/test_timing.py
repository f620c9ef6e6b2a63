"""The statistics of repeated timings and the stopping rule, on made-up clocks."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuralpower.core.statistics import (
    median_absolute_deviation,
    median_interval,
    median_ranks,
    quantile,
    student_t,
)
from neuralpower.profiling.host_timing import TimingProtocol, measure


class Work:
    """Calls that take the given times on their own clock."""

    def __init__(self, times: Iterator[int]) -> None:
        self.now = 0
        self.calls = 0
        self._times = times

    def call(self) -> None:
        self.calls += 1
        self.now += next(self._times)

    def clock(self) -> int:
        return self.now


def constant(value: int) -> Iterator[int]:
    while True:
        yield value


def noisy(seed: int, middle: float, sd: float) -> Iterator[int]:
    rng = numpy.random.default_rng(seed)
    while True:
        yield int(middle * math.exp(sd * rng.standard_normal()))


def test_known_ranks_of_the_median() -> None:
    # Binomial sums by hand: n = 6 the extremes (1 - 2/64 = 96.9 %), n = 10 the 2nd and 9th value
    # (1 - 22/1024 = 97.9 %), n = 20 the 6th and 15th (95.9 %).
    assert median_ranks(5) is None
    assert median_ranks(6) == (1, 6)
    assert median_ranks(10) == (2, 9)
    assert median_ranks(20) == (6, 15)


@given(st.integers(6, 400))
def test_ranks_are_the_narrowest_with_their_coverage(n: int) -> None:
    ranks = median_ranks(n)
    assert ranks is not None
    low, high = ranks
    assert low + high == n + 1

    def outside(rank: int) -> float:
        share: float = 2 * sum(math.comb(n, i) for i in range(rank)) / 2**n
        return share

    assert outside(low) <= 0.05 + 1e-12
    assert outside(low + 1) > 0.05


def test_large_samples_agree_with_the_exact_ranks() -> None:
    exact = next(
        rank
        for rank in range(4900, 5100)
        if 2 * _below(10_001, rank + 1) > 0.05  # the next rank covers too little
    )
    ranks = median_ranks(10_001)
    assert ranks is not None
    assert abs(ranks[0] - exact) <= 1


def _below(n: int, rank: int) -> float:
    term, total = 1, 0
    for i in range(rank):
        total += term
        term = term * (n - i) // (i + 1)
    share: float = total / 2**n
    return share


def test_interval_covers_the_true_median_of_skewed_times() -> None:
    rng = numpy.random.default_rng(7)
    hits = 0
    for _ in range(1000):
        low, high = median_interval(sorted(rng.lognormal(0, 1, 25))) or (0, 0)
        hits += low <= 1.0 <= high
    assert hits >= 935  # 95.7 % expected; 3.5 standard errors below is 935


@given(st.lists(st.floats(0.1, 1e6), min_size=1, max_size=60))
def test_quantiles_and_scatter_agree_with_numpy(values: list[float]) -> None:
    ordered = sorted(values)
    for share in (0.0, 0.25, 0.5, 0.95, 1.0):
        assert quantile(ordered, share) == pytest.approx(numpy.quantile(values, share))
    middle = numpy.median(values)
    expected = numpy.median(numpy.abs(numpy.array(values) - middle))
    assert median_absolute_deviation(ordered) == pytest.approx(expected, abs=1e-9)


def test_a_steady_layer_stops_at_the_minimum() -> None:
    work = Work(constant(10_000_000))
    timing = measure(work.call, TimingProtocol(), work.clock)
    assert timing.median_ms == timing.lo_ms == timing.hi_ms == 10.0
    assert timing.samples == 15  # 0.15 s of 10 ms
    assert timing.calls_per_sample == 1
    assert timing.flags == ()


def test_short_calls_are_timed_together() -> None:
    work = Work(constant(3_000))
    timing = measure(work.call, TimingProtocol(), work.clock)
    assert timing.calls_per_sample == 34  # at least 100 us a sample
    assert timing.median_ms == pytest.approx(0.003)
    assert timing.calls == timing.samples * 34
    assert work.calls == timing.calls + timing.warm_up_calls


def test_a_noisy_layer_is_timed_for_longer_and_flagged() -> None:
    work = Work(noisy(1, 10_000_000, 0.3))
    protocol = TimingProtocol()
    timing = measure(work.call, protocol, work.clock)
    assert timing.flags == ("not_converged",)
    spent = (timing.t1_ns - timing.t0_ns) / 1e9
    assert protocol.max_time_s <= spent < protocol.max_time_s + 0.05
    assert timing.lo_ms is not None
    assert timing.hi_ms is not None
    assert timing.q25_ms <= timing.median_ms <= timing.q75_ms
    assert timing.lo_ms <= timing.median_ms <= timing.hi_ms


def test_a_slow_layer_gets_the_least_number_of_samples() -> None:
    work = Work(constant(900_000_000))
    timing = measure(work.call, TimingProtocol(), work.clock)
    assert timing.samples == TimingProtocol().least_samples
    assert timing.lo_ms is not None


def test_warm_up_is_not_in_the_samples() -> None:
    def times() -> Iterator[int]:
        yield from (500_000_000, 400_000_000)
        yield from constant(1_000_000)

    work = Work(times())
    timing = measure(work.call, TimingProtocol(), work.clock)
    assert timing.median_ms == timing.p95_ms == 1.0


@given(st.integers(1, 400))
def test_students_t_agrees_with_scipy(freedom: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    assert student_t(freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=1e-3)
