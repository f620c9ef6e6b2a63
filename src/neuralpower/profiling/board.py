"""What a GPU board's power sensor is: step response, period, averaging, noise, counter, sampler.

The measurement protocol's section 6, on a replayed workload; facts for ``JSON``.
"""

from __future__ import annotations

import itertools
import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypedDict

from neuralpower.frameworks.replay import ReplayWorkload
from neuralpower.meters.nvml import (
    publication_period_ns,
)
from neuralpower.meters.samples import SampleSource
from neuralpower.meters.window import (
    edge_energy,
    publications,
    window_stats,
)
from neuralpower.profiling.device_power import idle_power
from neuralpower.profiling.device_timing import ReplayProtocol, ReplayQueue
from neuralpower.profiling.device_timing import measure_replays as time_replays
from neuralpower.profiling.sensor_fit import (
    Span,
    fitted_period_ns,
    fitted_time_constant_s,
    fitted_window,
)
from neuralpower.profiling.warm_up import WarmUp, WarmUpProtocol, warm_up

#: Half loads: their periods over the sensor's, and their phases. At the sensor's own period a
#: counter that adds up windows sees only one part of the load.
HALF_LOADS = ((1.0, 0.0), (1.0, 0.25), (1.0, 0.5), (1.0, 0.75), (0.8, 0.0), (1.25, 0.0))
#: The load of the phase sweep is a little slower than the sensor, so that phases go round.
_VERNIER = 1 + 1 / 37
#: A counter may be off by so much before it is called so; idle power may vary by so much before
#: nothing is said.
_COUNTER_OFF, _IDLE_VARIES = 0.05, 0.05
#: Time after which nothing of the load before is in a reading, where the window is not known yet.
_AFTER_S = 0.3


class CallableLoad(ReplayWorkload, Protocol):
    """Replays, and single calls."""

    def call(self) -> None:
        """One call, finished when this returns."""
        ...


@dataclass(frozen=True)
class Board:
    """A load, its meter, and their clock."""

    load: CallableLoad
    light: ReplayWorkload
    source: SampleSource
    clock: Callable[[], int] = time.monotonic_ns
    sleep: Callable[[float], None] = time.sleep

    def run(self, workload: ReplayWorkload, seconds: float) -> tuple[int, int]:
        """Replays without a gap; when they began and ended."""
        queue = ReplayQueue(workload)
        t0 = self.clock()
        while (self.clock() - t0) / 1e9 < seconds:
            queue.submit()
        queue.drain()
        return t0, self.clock()

    def pulse(self, seconds: float) -> tuple[int, int]:
        """Single calls of the load, each waited for: ends on time, where replays run on."""
        t0 = self.clock()
        while (self.clock() - t0) / 1e9 < seconds:
            self.load.call()
        return t0, self.clock()

    def published(self, t0: int, t1: int) -> list[tuple[int, float]]:
        """The sensor's publications between two times. ``RunError`` when the GPU is lost."""
        self.source.check()
        raw = self.source.samples(t0, t1).raw
        pairs = [(t, p) for t, p in zip(raw.t_ns, raw.power_w, strict=False) if p]
        times, values = [t for t, _ in pairs], [p for _, p in pairs]
        return publications(raw, times, values, publication_period_ns(raw))


class StepResponse(TypedDict):
    """Idle, heavy load, light load: levels (W), the sensor's times, and its readings.

    ``published``: [ms after the step, W] of each publication from a second before it on;
    ``light_from_ms``: when the light load took over.
    """

    idle_w: float | None
    heavy_w: float | None
    light_w: float | None
    period_ms: float | None
    first_publication_ms: float | None
    rise_ms: float | None
    tau_s: float | None
    counter_ratio: float | None
    noise_relative_sd: float | None
    light_from_ms: float
    published: list[tuple[float, float]]


class PhaseSweep(TypedDict):
    """A load at nearly the sensor's period; the window is ``None`` where none explains it."""

    period_ms: float
    publications: int
    averaging_window_ms: float | None
    misfit: float | None


class HalfLoad(TypedDict):
    """A load that is on half of the time: what it took, by clock, sensor and counter."""

    period_ms: float
    phase: float
    expected_w: float
    publications_w: float | None
    counter_w: float | None
    counter_over_expected: float | None


class Counter(TypedDict, total=False):
    """Whether the energy counter adds up all of the time; ``reason`` where that is not known."""

    steady_ratio: float | None
    half_ratios: list[float]
    idle_w: list[float]
    integrates_all_time: bool | None
    off_by: float
    reason: str


class Interference(TypedDict):
    """A short graph alone and beside the sampler (ms a replay), and the relative difference."""

    alone_ms: float
    beside_the_sampler_ms: float
    slower_by: float


class BoardFacts(TypedDict, total=False):
    """What the sections find, one after the other."""

    steps: list[StepResponse]
    quarter_duty: PhaseSweep | None
    averaging_window_ms: float | None
    duty_cycles: list[HalfLoad]
    counter: Counter
    counter_integrates_all_time: bool | None
    warm_up: WarmUp


@dataclass(frozen=True)
class Section:
    """A part of the facts: about how long it takes, and what gives it from those before."""

    name: str
    seconds: float
    find: Callable[[BoardFacts], BoardFacts]


def board_sections(board: Board, seconds: float = 4.0) -> list[Section]:
    """Step response (twice), phase sweep, half loads, warm-up; what says most comes first."""
    step_s = 1.5 + 1.5 * seconds

    def steps(_: BoardFacts) -> BoardFacts:
        return {"steps": [step_response(board, seconds) for _ in range(2)]}

    def quarter(found: BoardFacts) -> BoardFacts:
        period, levels = _period_ms(found), _levels_w(found)
        if period is None or levels is None:
            return {"quarter_duty": None, "averaging_window_ms": None}
        sweep = phase_sweep(board, period, levels, 4 * seconds)
        return {"quarter_duty": sweep, "averaging_window_ms": sweep["averaging_window_ms"]}

    def halves(found: BoardFacts) -> BoardFacts:
        period, load_w = _period_ms(found), _load_level_w(board, seconds / 2)
        before = idle_power(board.source, 1.5, board.clock, board.sleep)["mean_w"]
        loads: list[HalfLoad] = []
        if period is not None and load_w is not None and before is not None:
            loads = [
                half_load(board, ratio * period, phase, (before, load_w), seconds)
                for ratio, phase in HALF_LOADS
            ]
        after = idle_power(board.source, 1.5, board.clock, board.sleep)["mean_w"]
        steady = [step["counter_ratio"] for step in found.get("steps", ()) if step["counter_ratio"]]
        counter = counter_facts(
            statistics.median(steady) if steady else None,
            [load["counter_over_expected"] for load in loads],
            [before, after],
        )
        return {
            "duty_cycles": loads,
            "counter": counter,
            "counter_integrates_all_time": counter["integrates_all_time"],
        }

    def warm(_: BoardFacts) -> BoardFacts:
        rules = WarmUpProtocol(cap_s=15 * seconds, part_s=2.5 * seconds)
        return {"warm_up": warm_up(board.load, board.source, rules, board.clock)}

    return [
        Section("step response", 2 * step_s, steps),
        Section("phase sweep", 4 * seconds, quarter),
        Section("on/off loads", 3 + seconds / 2 + len(HALF_LOADS) * (seconds + 0.2), halves),
        Section("warm-up", 15 * seconds, warm),
    ]


def _levels_w(found: BoardFacts) -> tuple[float, float] | None:
    """Idle power and that of the load, of the last step."""
    for step in reversed(list(found.get("steps", ()))):
        if step["idle_w"] and step["heavy_w"]:
            return step["idle_w"], step["heavy_w"]
    return None


def _period_ms(found: BoardFacts) -> float | None:
    periods = [step["period_ms"] for step in found.get("steps", ()) if step["period_ms"]]
    return statistics.median(periods) if periods else None


def step_response(board: Board, seconds: float) -> StepResponse:
    """Idle, heavy, light: levels, period, rise to 90 %, time constant, noise, and the series."""
    idle = idle_power(board.source, 1.5, board.clock, board.sleep)
    t0, t1 = board.run(board.load, seconds)
    _, t2 = board.run(board.light, seconds / 2)
    raw = board.source.samples(t0, t1).raw
    heavy = board.published(t0, t1)
    rough = publication_period_ns(raw)
    period = None if rough is None else fitted_period_ns(heavy, rough) or rough
    half = (t0 + t1) // 2
    steady_w = window_stats(raw, half, t1).mean_w
    counter_w = edge_energy(raw, half, t1)[1]
    late = [p for t, p in heavy if t > t0 + 0.5 * (t1 - t0)]
    level = statistics.fmean(late) if late else None
    light = [p for t, p in board.published(t1, t2) if t > t1 + 0.5 * (t2 - t1)]
    noise = None
    if level and len(late) >= 4:
        # Between neighbours: the slow warming of the die is no noise.
        gaps = [b - a for a, b in itertools.pairwise(late)]
        noise = statistics.pstdev(gaps) / math.sqrt(2) / level
    return {
        "idle_w": idle["mean_w"],
        "heavy_w": level,
        "light_w": statistics.fmean(light) if light else None,
        "period_ms": None if period is None else period / 1e6,
        "first_publication_ms": (heavy[0][0] - t0) / 1e6 if heavy else None,
        "rise_ms": _rise_ms(heavy, t0, idle["mean_w"], level),
        "tau_s": fitted_time_constant_s(heavy, t0, _AFTER_S),
        "counter_ratio": counter_w / steady_w if counter_w and steady_w else None,
        "noise_relative_sd": noise,
        "light_from_ms": round((t1 - t0) / 1e6, 1),
        "published": [
            (round((t - t0) / 1e6, 1), round(p, 2))
            for t, p in board.published(t0 - 1_000_000_000, t2)
        ],
    }


def _rise_ms(
    published: Sequence[tuple[int, float]], t0: int, low: float | None, high: float | None
) -> float | None:
    """Time from the step to 90 % of it."""
    if low is None or high is None or high <= low:
        return None
    for t, power in published:
        if power >= low + 0.9 * (high - low):
            return (t - t0) / 1e6
    return None


@dataclass(frozen=True)
class Pulses:
    """A load on and off: when the first began and the last ended, and each span that it was on."""

    t0: int
    t1: int
    spans: tuple[Span, ...]

    @property
    def on_share(self) -> float:
        """Share of the time that the load was on."""
        return sum(off - on for on, off in self.spans) / (self.t1 - self.t0)


def phase_sweep(
    board: Board, period_ms: float, levels_w: tuple[float, float], seconds: float
) -> PhaseSweep:
    """A quarter on, at nearly the sensor's period: each reading sees another phase of the load.

    ``levels_w``: idle and load. ``averaging_window_ms`` by least squares over all readings
    (``sensor_fit``); ``None`` where no window explains them.
    """
    pulses = _on_off(board, _VERNIER * period_ms, 0.25, 0.0, seconds)
    published = board.published(pulses.t0, pulses.t1)
    period_ns = fitted_period_ns(published, period_ms * 1e6) or period_ms * 1e6
    window = fitted_window(published, pulses.spans, levels_w, period_ns)
    return {
        "period_ms": period_ns / 1e6,
        "publications": len(published),
        "averaging_window_ms": None if window is None else window.window_ns / 1e6,
        "misfit": None if window is None else window.misfit,
    }


def half_load(
    board: Board, period_ms: float, phase: float, levels_w: tuple[float, float], seconds: float
) -> HalfLoad:
    """Half on, half off: mean of the publications, and the counter over what the load took."""
    pulses = _on_off(board, period_ms, 0.5, phase, seconds)
    raw = board.source.samples(pulses.t0, pulses.t1).raw
    _, counter_w, _ = edge_energy(raw, pulses.t0, pulses.t1)
    idle, on = levels_w
    expected = on * pulses.on_share + idle * (1 - pulses.on_share)
    return {
        "period_ms": period_ms,
        "phase": phase,
        "expected_w": expected,
        "publications_w": window_stats(raw, pulses.t0, pulses.t1).mean_w,
        "counter_w": counter_w,
        "counter_over_expected": counter_w / expected if counter_w else None,
    }


def counter_facts(
    steady: float | None, halves: Sequence[float | None], idle_w: Sequence[float | None]
) -> Counter:
    """Whether the energy counter adds up all of the time, or only what the sensor's windows see.

    ``steady``: the counter over the sensor's power under a steady load: what both have alike (the
    gain) is in it. ``halves``: the counter over what half loads took, at several phases: one that
    adds up windows gives too much at some and too little at others. ``idle_w``: idle power before
    and after: where it varies, what a half load took is not known.
    """
    ratios = [ratio for ratio in halves if ratio is not None]
    known = [watts for watts in idle_w if watts is not None]
    facts: Counter = {"steady_ratio": steady, "half_ratios": ratios, "idle_w": known}
    if steady is None or not ratios:
        reason = "no energy counter"
    elif len(known) < 2 or max(known) / min(known) - 1 > _IDLE_VARIES:
        reason = "idle power varied: what a half load takes is not known"
    else:
        off = max(abs(ratio / steady - 1) for ratio in ratios)
        return {**facts, "integrates_all_time": off <= _COUNTER_OFF, "off_by": off}
    return {**facts, "integrates_all_time": None, "reason": reason}


def interference(
    make: Callable[[], ReplayWorkload],
    start: Callable[[], None],
    stop: Callable[[], None],
    rounds: int = 3,
    clock: Callable[[], int] = time.monotonic_ns,
) -> Interference:
    """How much slower a short graph runs while the sampler polls (median of some rounds)."""
    protocol = ReplayProtocol(min_time_s=0.5, max_time_s=1.0)
    workload = make()
    alone, beside = [], []
    for _ in range(rounds):
        alone.append(time_replays(workload, protocol, clock).median_ms)
        start()
        try:
            beside.append(time_replays(workload, protocol, clock).median_ms)
        finally:
            stop()
    off, on = statistics.median(alone), statistics.median(beside)
    return {"alone_ms": off, "beside_the_sampler_ms": on, "slower_by": on / off - 1}


def _load_level_w(board: Board, seconds: float) -> float | None:
    """Power of the load, called as pulses call it, once its first half has gone by."""
    t0, t1 = board.pulse(max(seconds, 1.0))
    late = [p for t, p in board.published(t0, t1) if t > (t0 + t1) / 2]
    return statistics.fmean(late) if late else None


def _on_off(board: Board, period_ms: float, duty: float, phase: float, seconds: float) -> Pulses:
    """The load on and off for about so many seconds."""
    period = period_ms * 1e6
    begin = math.ceil(board.clock() / period) * period + phase * period
    board.sleep(max(0.0, (begin - board.clock()) / 1e9))
    t0, spans = board.clock(), []
    for number in range(max(4, round(seconds * 1e3 / period_ms))):
        spans.append(board.pulse(duty * period_ms / 1000))
        board.sleep(max(0.0, (begin + (number + 1) * period - board.clock()) / 1e9))
    board.source.check()
    return Pulses(t0, board.clock(), tuple(spans))
