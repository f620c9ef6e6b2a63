"""A window's figures by hand, and each flag just below and just above where it is raised."""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from scipy.stats import linregress
from scipy.stats import t as student

from neuralpower.meters.look import Look, Previous, power_facts
from neuralpower.meters.samples import IMPOSSIBLE, BoardState, Samples, state_facts
from neuralpower.meters.settle import phase_bins, settled_power, without_predecessor
from neuralpower.meters.window import (
    RawTable,
    WindowStats,
    effective_number,
    stated_half_width,
    window_stats,
)
from neuralpower.profiling.device_timing import change_of_thirds

S = 1_000_000_000
MS = 1_000_000


@pytest.mark.parametrize(
    ("series", "expected"),
    [
        ([1.0, 2.0], 2.0),
        ([3.0, 3.0, 3.0], 3.0),
        # Deviations ±1/2 in turn: r = -3/4 + 1/4 is negative, which counts as 0.
        ([1.0, 2.0, 1.0, 2.0], 4.0),
        # r = (1/4 - 1/4 + 1/4) / 1 + 1/4 = 1/2: 4 (1/2) / (3/2).
        ([1.0, 1.0, 2.0, 2.0], 4 / 3),
        # Deviations -2, -1, 1, 2: r = 3/10 + 1/4 = 0.55.
        ([1.0, 2.0, 4.0, 5.0], 4 * 0.45 / 1.55),
        # r is at most 0.95.
        ([float(i) for i in range(100)], 100 * 0.05 / 1.95),
        ([float(i) for i in range(3)], 3 * (2 / 3) / (4 / 3)),
        # One step: r = (18/4 - 1/4) / (20/4) + 1/20 = 0.9.
        ([0.0] * 10 + [1.0] * 10, 20 * 0.1 / 1.9),
    ],
)
def test_correlated_publications_are_worth_fewer(series: list[float], expected: float) -> None:
    assert effective_number(series) == pytest.approx(expected)


def test_the_half_width_is_student_s_with_the_effective_number() -> None:
    # The first poll repeats what was published before the window.
    raw = RawTable([i * S // 10 for i in range(5)], [9.0, 1.0, 2.0, 4.0, 5.0])
    stats = window_stats(raw, 0, S // 2)
    assert (stats.publications, stats.mean_w) == (4, 3.0)
    assert stats.n_eff == pytest.approx(4 * 0.45 / 1.55)
    # Variance (4 + 1 + 1 + 4) / 3; 3.182 is Student's t at 97.5 % with 3 degrees of freedom.
    assert stats.half_width_w == pytest.approx(3.182 * math.sqrt(10 / 3 / 1.161290))
    # Times 0, 0.1, 0.2, 0.3 s: covariance 0.7 over 0.05 is 14 W a second, of 3 W.
    assert stats.slope_per_s == pytest.approx(14 / 3)
    stated = stated_half_width(WindowStats(0, S, mean_w=400.0, half_width_w=1.5))
    assert stated == pytest.approx(2.5)  # 0.5 % of 400 W beside 1.5 W


def flags_of(raw: RawTable, t1_ns: int, **options: Any) -> set[str]:
    return set(window_stats(raw, 0, t1_ns, **options).flags) - {"counter_missing"}


def test_publications_are_few_below_twelve() -> None:
    def flags(n: int) -> set[str]:
        series = [100.0 + i % 2 for i in range(n + 1)]
        return flags_of(RawTable([i * S // 10 for i in range(n + 1)], series), n * S // 10)

    assert flags(11) == {"few_publications"}
    assert flags(12) == set()


@pytest.mark.parametrize(("period_ns", "most_ns"), [(None, 500 * MS), (20 * MS, 100 * MS)])
def test_a_pause_is_a_gap_beyond_five_periods(period_ns: int | None, most_ns: int) -> None:
    def flags(pause_ns: int) -> set[str]:
        times = [i * 10 * MS for i in range(20)]
        times += [times[-1] + pause_ns + i * 10 * MS for i in range(20)]
        watts: list[float | None] = [100.0 + i % 2 for i in range(40)]
        return flags_of(RawTable(times, watts), times[-1], period_ns=period_ns)

    assert flags(most_ns) == set()
    assert flags(most_ns + 1) == {"gap_in_samples"}


def test_energy_is_held_over_the_window_and_a_counter_that_runs_back_gives_none() -> None:
    times = [0, S, 2 * S, 3 * S, 4 * S]
    stats = window_stats(RawTable(times, energy_j=[0.0, 10.0, 30.0, 50.0, 70.0]), 0, 4 * S)
    # Between the ticks at 1 s and 4 s: 60 J in 3 s; for the 4 s of the window 80 J.
    assert (stats.energy_mean_w, stats.energy_j) == (20.0, 80.0)
    assert (stats.mean_w, stats.flags) == (20.0, ())
    # Four ticks 1 s apart over 3 s: a tick is seen up to one of them late.
    assert stats.half_width_w == pytest.approx(20 / 3)
    back = window_stats(RawTable(times, energy_j=[0.0, 10.0, 30.0, 5.0, 7.0]), 0, 4 * S)
    assert (back.energy_j, back.mean_w, back.flags) == (None, None, ("counter_reset",))


def power_flags(errors: Sequence[tuple[int, int]] = (), **stats: Any) -> tuple[Any, set[str]]:
    figures = WindowStats(0, 2 * S, **{"mean_w": 100.0, "energy_mean_w": 100.0} | stats)
    samples = Samples(RawTable([0], [100.5], [], [1.0]), (), tuple(errors))
    look = Look(figures, [(i * S // 10, 100.5) for i in range(20)], samples, 100 * MS)
    source: Any = SimpleNamespace(info=SimpleNamespace(name="sensor"))
    facts, flags = power_facts(look, source, 0, (0.005, 1.0, None), Previous())
    return facts["mean_w"], set(flags) - {"settle_corr_gt1pct"}


@pytest.mark.parametrize(
    ("stats", "expected"),
    [
        ({"energy_mean_w": 104.9}, set()),
        ({"energy_mean_w": 95.1}, set()),
        ({"energy_mean_w": 105.1}, {"counter_mismatch"}),
        ({"energy_mean_w": 94.9}, {"counter_mismatch"}),
        # Over the two seconds of the window: half a per cent is 0.0025 a second.
        ({"slope_per_s": 0.00249}, set()),
        ({"slope_per_s": 0.0025}, {"drifting"}),
        ({"slope_per_s": -0.0025}, {"drifting"}),
    ],
)
def test_counter_and_drift(stats: dict[str, Any], expected: set[str]) -> None:
    assert power_flags(**stats) == (100.0, expected)


def test_one_impossible_reading_is_left_out_and_two_cost_the_power() -> None:
    assert power_flags([(0, IMPOSSIBLE)]) == (100.0, {"impossible_reading"})
    # Two polls within a period saw one publication.
    assert power_flags([(0, IMPOSSIBLE), (89 * MS, IMPOSSIBLE)])[0] == 100.0
    assert power_flags([(0, IMPOSSIBLE), (90 * MS, IMPOSSIBLE)]) == (None, {"impossible_reading"})
    assert power_flags([(0, 7)]) == (100.0, {"nvml_error"})


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ({"sm_mhz": 1000}, {"sm_mhz": 1010}, ()),
        ({"sm_mhz": 1000}, {"sm_mhz": 1011}, ("clock_changed",)),
        ({"power_held_ns": 0}, {"power_held_ns": S // 100}, ()),
        ({"power_held_ns": 0}, {"power_held_ns": S // 100 + 1}, ("power_capped",)),
        ({"thermal_held_ns": 0}, {"thermal_held_ns": S // 100 + 1}, ("thermal_slowdown",)),
        # A counter that was set back says nothing.
        ({"power_held_ns": S}, {"power_held_ns": 0}, ()),
        *(({"reasons": 0}, {"reasons": bit}, ("power_capped",)) for bit in (0x04, 0x80)),
        *(({"reasons": 0}, {"reasons": bit}, ("thermal_slowdown",)) for bit in (0x20, 0x40)),
        ({"reasons": 0}, {"reasons": 0x01 | 0x02 | 0x08 | 0x10}, ()),
    ],
)
def test_what_the_board_says(first: Any, last: Any, expected: tuple[str, ...]) -> None:
    assert state_facts([BoardState(0, **first), BoardState(S, **last)])[1] == expected


def test_the_ramp_is_of_the_outer_thirds() -> None:
    assert change_of_thirds([1.0] * 5) is None
    assert change_of_thirds([1.0, 1.0, 9.0, 9.0, 1.01, 1.01]) == pytest.approx(0.01)
    assert change_of_thirds([2.0, 2.0, 2.0, 9.0, 9.0, 9.0, 1.0, 1.0, 5.0]) == pytest.approx(-0.5)


def test_settled_power_is_the_intercept_of_a_line_over_the_decay() -> None:
    times = [0.1 * i for i in range(1, 9)]
    decay = [math.exp(-t) for t in times]
    values = [100 - 20 * d + 0.3 * (-1) ** i for i, d in enumerate(decay)]
    fit = linregress(decay, values)
    settled, half = settled_power([(int(t * S), v) for t, v in zip(times, values, strict=True)], 0)
    assert settled == pytest.approx(fit.intercept)
    # Eight publications less two parameters: six degrees of freedom.
    assert half == pytest.approx(student.ppf(0.975, 6) * fit.intercept_stderr, rel=1e-3)


def test_a_settled_series_keeps_its_mean() -> None:
    series = [(i * S // 10, 100.0 + (-1) ** i) for i in range(1, 9)]
    settled, half = settled_power(series, 0)
    assert settled == 100.0
    # Eight squares of 1 over seven.
    assert half == pytest.approx(student.ppf(0.975, 7) * math.sqrt(8 / 7 / 8), rel=1e-3)
    assert settled_power(series[:2], 0) == (None, None)
    # From the wrong side of the power before, a rise is no settling.
    rising = [(i * S // 10, 100 - 20 * math.exp(-i / 10)) for i in range(1, 9)]
    mean = sum(value for _, value in rising) / 8
    assert settled_power(rising, 0, previous_w=50.0)[0] == pytest.approx(100.0)
    assert settled_power(rising, 0, previous_w=150.0)[0] == pytest.approx(mean)


def test_the_load_before_is_taken_out_of_a_slow_average() -> None:
    # A quarter of a second into an average over one: a quarter is the new load's.
    series = [(S // 4 - 1, 1.0), (S // 4, 70.0), (S // 2, 80.0), (S, 100.0), (2 * S, 99.0)]
    assert without_predecessor(series, 0, S, 60.0) == [
        (S // 4, 100.0),
        (S // 2, 100.0),
        (S, 100.0),
        (2 * S, 99.0),
    ]


def test_phases_fall_into_eighths_of_a_period() -> None:
    assert phase_bins([0, 124, 125, 999, 1000], 1000.0) == 3
    assert phase_bins([i * 125 for i in range(8)], 1000.0) == 8
