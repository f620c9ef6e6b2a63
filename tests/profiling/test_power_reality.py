"""The meter's arithmetic on sensor logs of real boards beside a true external meter.

Traces: Yang, Adamek, Armour (SC'24), in ``shared/reference/power-traces`` beside the repository.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pytest

from neuralpower.core.errors import InputError
from neuralpower.core.files import csv_text, read_rows, write_text
from neuralpower.meters.replay import RAW_COLUMNS, read_raw
from neuralpower.meters.settle import (
    LEAST_BINS,
    phase_bins,
    settled_power,
    without_predecessor,
)
from neuralpower.meters.window import (
    RawTable,
    publications,
    stated_half_width,
    window_stats,
)

TRACES = Path(__file__).resolve().parents[2] / "../shared/reference/power-traces"
S = 1_000_000_000
PERIOD = S // 10
pytestmark = pytest.mark.skipif(
    not TRACES.is_dir(), reason="no folder shared/reference beside the repository"
)


@dataclass(frozen=True)
class Trace:
    """Sensor and meter, the first rise of both at 0; ``busy`` on the sensor's clock."""

    raw: RawTable
    meter: tuple[tuple[int, float], ...]
    busy: tuple[tuple[int, int], ...]
    idle_w: float

    def true_power(self, t0: int, t1: int) -> float:
        return statistics.fmean(power for t, power in self.meter if t0 <= t < t1)

    def published(self, t0: int, t1: int) -> list[tuple[int, float]]:
        pairs = zip(self.raw.t_ns, self.raw.power_w, strict=True)
        inside = [(t, p) for t, p in pairs if t0 <= t <= t1 and p is not None]
        return publications(self.raw, [t for t, _ in inside], [p for _, p in inside], None)

    def gain(self) -> float:
        """The board's: sensor over meter on the settled half of the load."""
        mean = window_stats(self.raw, 3 * S, int(5.5 * S), PERIOD).mean_w
        assert mean is not None
        return mean / self.true_power(3 * S, int(5.5 * S))


def idle_share(busy_ns: Sequence[tuple[int, int]], t0_ns: int, t1_ns: int) -> float:
    """The share of a window in which no kernel ran."""
    busy = sum(max(0, min(end, t1_ns) - max(start, t0_ns)) for start, end in busy_ns)
    return 1 - busy / (t1_ns - t0_ns)


@lru_cache(maxsize=8)
def trace(name: str) -> Trace:
    _, rows = read_rows(TRACES / name / "sensor.csv.gz")
    column = "power_instant_w" if rows[0]["power_instant_w"] else "power_average_w"
    t = [int(row["t_us"]) * 1000 for row in rows]
    power = [float(row[column]) for row in rows]
    rise = _rise(t, power)
    _, rows = read_rows(TRACES / name / "meter.csv.gz")
    meter_t = [round(float(row["t_ms"]) * 1e6) for row in rows]
    meter_p = [float(row["power_w"]) for row in rows]
    meter_rise = _rise(meter_t, meter_p)
    # Each mark is written twice.
    marks = [int(row["t_us"]) * 1000 for row in read_rows(TRACES / name / "kernels.csv")[1]][::2]
    busy = tuple((a - rise, b - rise) for a, b in zip(marks[::2], marks[1::2], strict=False))
    return Trace(
        RawTable([x - rise for x in t], list(power)),
        tuple((x - meter_rise, p) for x, p in zip(meter_t, meter_p, strict=True)),
        busy,
        statistics.median(power[:20]),
    )


def _rise(t: list[int], power: list[float]) -> int:
    low = statistics.median(power[:20])
    high = statistics.median(p for p in power if p > 1.5 * low)
    return next(x for x, p in zip(t, power, strict=True) if p > low + 0.1 * (high - low))


@pytest.mark.parametrize(
    ("name", "first", "gain"),
    [("step-a100", 0.2, 0.948), ("step-3090", 1.2, 0.951), ("step-4090", 0.4, 0.991)],
)
def test_windows_agree_with_the_meter_within_their_interval(
    name: str, first: float, gain: float
) -> None:
    """``first``: seconds after which this board's average holds the new load only."""
    board = trace(name)
    assert board.gain() == pytest.approx(gain, abs=0.002)
    tried = 0
    t0 = int(first * S)
    while t0 + 1.5 * S < 5.7 * S:
        t1 = int(t0 + 1.5 * S)
        stats = window_stats(board.raw, t0, t1, PERIOD)
        half = stated_half_width(stats)
        assert stats.mean_w is not None
        assert half is not None
        assert abs(stats.mean_w / board.gain() - board.true_power(t0, t1)) <= half / board.gain()
        tried += 1
        t0 += S // 4
    assert tried >= 10


def test_the_settle_correction_is_better_than_none_in_the_first_second() -> None:
    board = trace("step-a100")
    plateau = board.true_power(3 * S, 5 * S) * board.gain()
    first = board.published(S // 20, S)
    settled, _ = settled_power(first, 0)
    naive = statistics.fmean(power for _, power in first)
    assert settled is not None
    assert abs(settled - plateau) < 0.7 * abs(naive - plateau)


def test_taking_the_predecessor_out_is_better_than_none_on_a_slow_average() -> None:
    board = trace("step-3090")
    plateau = board.true_power(3 * S, 5 * S) * board.gain()
    first = board.published(0, S)
    naive = statistics.fmean(power for _, power in first)
    start = board.busy[0][0]
    corrected = without_predecessor(first, start, S, board.idle_w)
    mean = statistics.fmean(power for _, power in corrected)
    assert abs(mean - plateau) < 0.5 * abs(naive - plateau)


def test_a_half_duty_load_is_flagged_where_the_sensor_sees_windows_only() -> None:
    board = trace("square-a100")
    period = statistics.median(
        b[0] - a[0] for a, b in zip(board.busy, board.busy[1:], strict=False)
    )
    errors = []
    for quarter in range(4, 24):
        t0 = quarter * S // 4
        t1 = int(t0 + 1.2 * S)
        stats = window_stats(board.raw, t0, t1, PERIOD)
        assert stats.mean_w is not None
        errors.append(abs(stats.mean_w / 0.948 / board.true_power(t0, t1) - 1))
        published = [t for t, _ in board.published(t0, t1)]
        assert phase_bins(published, period) < LEAST_BINS
        assert idle_share(board.busy, t0, t1) == pytest.approx(0.5, abs=0.03)
    assert max(errors) > 0.3  # without the flag it would be trusted
    slow = trace("square-3090")
    assert idle_share(slow.busy, S, 5 * S) == pytest.approx(0.5, abs=0.03)
    steady = trace("step-a100")
    assert idle_share(steady.busy, S, 5 * S) == pytest.approx(0, abs=1e-9)


def test_a_log_that_is_read_again_gives_the_same_windows(tmp_path: Path) -> None:
    board = trace("step-a100")
    path = tmp_path / "raw.csv.gz"
    raw = board.raw
    rows = [{"t_ns": t, "power_w": w} for t, w in zip(raw.t_ns, raw.power_w, strict=True)]
    write_text(path, csv_text(RAW_COLUMNS, rows))
    again = window_stats(read_raw(path), 2 * S, 4 * S, PERIOD)
    assert again == window_stats(board.raw, 2 * S, 4 * S, PERIOD)
    with pytest.raises(InputError, match="no such file"):
        read_raw(tmp_path / "nothing.csv")
