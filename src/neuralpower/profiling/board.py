"""What a GPU board's power sensor is: step response, period, averaging, noise, counter, sampler.

The measurement protocol's section 6, on a replayed workload; facts for ``JSON``.
"""

from __future__ import annotations

import importlib
import itertools
import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from neuralpower.frameworks.replay import ReplayWorkload
from neuralpower.meters.nvml import NO_GPU, NO_MODULE, find_gpu, publication_period_ns, why
from neuralpower.meters.samples import SampleSource
from neuralpower.meters.window import (
    edge_energy,
    publications,
    window_stats,
)
from neuralpower.profiling.device_power import idle_power
from neuralpower.profiling.device_timing import ReplayProtocol, ReplayQueue
from neuralpower.profiling.device_timing import measure_replays as time_replays
from neuralpower.profiling.warm_up import WarmUpProtocol, warm_up

#: On/off loads: their periods over the sensor's.
PERIOD_RATIOS = (0.5, 2 / 3, 0.8, 1.2, 1.25, 4 / 3)
#: NVML's fields that are asked for: milliwatts, millijoules, nanoseconds.
FIELDS = {
    186: "instant",
    185: "average",
    83: "energy",
    74: "held by the power limit",
    75: "held by the temperature",
}


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


@dataclass(frozen=True)
class Section:
    """A part of the facts: about how long it takes, and what gives it from those before."""

    name: str
    seconds: float
    find: Callable[[Mapping[str, Any]], dict[str, Any]]


def board_sections(board: Board, seconds: float = 4.0) -> list[Section]:
    """Step response (twice), on/off loads, warm-up; the most telling first."""
    step_s, duty_s = 1.5 + 1.5 * seconds, 2 + seconds + max(seconds / 4, 1.0)

    def steps(_: Mapping[str, Any]) -> dict[str, Any]:
        return {"steps": [step_response(board, seconds) for _ in range(2)]}

    def quarter(found: Mapping[str, Any]) -> dict[str, Any]:
        period = _period_ms(found)
        narrow = None if period is None else aliasing(board, period, seconds / 2)
        window = None if narrow is None else narrow["averaging_window_ms"]
        return {"quarter_duty": narrow, "averaging_window_ms": window}

    def halves(found: Mapping[str, Any]) -> dict[str, Any]:
        period = _period_ms(found)
        duty = []
        if period is not None:
            duty = [duty_cycle(board, ratio * period, seconds) for ratio in PERIOD_RATIOS]
        ratios = [d["counter_over_expected"] for d in duty if d["counter_over_expected"]]
        honest = all(abs(ratio - 1) < 0.05 for ratio in ratios) if ratios else None
        return {"duty_cycles": duty, "counter_integrates_all_time": honest}

    def warm(_: Mapping[str, Any]) -> dict[str, Any]:
        rules = WarmUpProtocol(cap_s=15 * seconds, part_s=2.5 * seconds)
        return {"warm_up": warm_up(board.load, board.source, rules, board.clock)}

    return [
        Section("step response", 2 * step_s, steps),
        Section("quarter duty", 8 * (seconds / 2 + 0.2), quarter),
        Section("on/off loads", len(PERIOD_RATIOS) * duty_s, halves),
        Section("warm-up", 15 * seconds, warm),
    ]


def board_facts(board: Board, seconds: float = 4.0) -> dict[str, Any]:
    """All sections, one after the other; about 3 minutes at ``seconds`` 4."""
    facts: dict[str, Any] = {}
    for section in board_sections(board, seconds):
        facts |= section.find(facts)
    return facts


def _period_ms(found: Mapping[str, Any]) -> float | None:
    periods = [step["period_ms"] for step in found.get("steps", ()) if step["period_ms"]]
    return statistics.median(periods) if periods else None


def step_response(board: Board, seconds: float) -> dict[str, Any]:
    """Idle, heavy, light: levels, period, rise to 90 %, time constant, noise, and the series.

    ``published``: [ms after the step, W] of each publication from a second before it on;
    ``light_from_ms``: when the light load took over.
    """
    idle = idle_power(board.source, 1.5, board.clock, board.sleep)
    t0, t1 = board.run(board.load, seconds)
    _, t2 = board.run(board.light, seconds / 2)
    raw = board.source.samples(t0, t1).raw
    period = publication_period_ns(raw)
    heavy = board.published(t0, t1)
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
        "tau_s": _tau_s(heavy, t0, level),
        "noise_relative_sd": noise,
        "light_from_ms": round((t1 - t0) / 1e6, 1),
        "published": [
            [round((t - t0) / 1e6, 1), round(p, 2)]
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


def _tau_s(published: Sequence[tuple[int, float]], t0: int, level: float | None) -> float | None:
    """Time constant of what is left of the step after its first half second; ``None``: nothing."""
    if level is None:
        return None
    left = [(t, 1 - p / level) for t, p in published if 0.5e9 <= t - t0 <= 2e9]
    early = [d for t, d in left if t - t0 <= 1.0e9]
    late = [d for t, d in left if t - t0 > 1.2e9]
    if len(early) < 3 or len(late) < 3:
        return None
    first, last = statistics.fmean(early), statistics.fmean(late)
    if first < 0.003 or last <= 0 or first <= last:
        return None
    return 0.85 / math.log(first / last)


def duty_cycle(board: Board, period_ms: float, seconds: float) -> dict[str, Any]:
    """Half on, half off: mean of the publications, and the counter over what the load took."""
    t0, t1, busy_s = _on_off(board, period_ms, 0.5, 0.0, seconds)
    raw = board.source.samples(t0, t1).raw
    stats = window_stats(raw, t0, t1)
    _, counter_w, _ = edge_energy(raw, t0, t1)
    idle = idle_power(board.source, 1.0, board.clock, board.sleep)["mean_w"]
    on = _level(board, seconds / 4)
    expected = None
    if idle is not None and on is not None:
        share = busy_s / ((t1 - t0) / 1e9)
        expected = on * share + idle * (1 - share)
    return {
        "period_ms": period_ms,
        "expected_w": expected,
        "publications_w": stats.mean_w,
        "counter_w": counter_w,
        "counter_over_expected": counter_w / expected if counter_w and expected else None,
    }


def aliasing(board: Board, period_ms: float, seconds: float, phases: int = 8) -> dict[str, Any]:
    """A quarter on, at the sensor's own period and eight phases: how much of it a reading sees.

    A window of W sees a quarter of the period T fully in (T/4 - W)/T of the phases and not at all
    in (3T/4 - W)/T; phases in between see a part, over 2 W of them: W from their share, to T/16.
    """
    means = []
    for phase in range(phases):
        t0, t1, _ = _on_off(board, period_ms, 0.25, phase / phases, seconds)
        # Its first half may still hold what was before, where the sensor averages over long.
        half = (t0 + t1) // 2
        means.append(window_stats(board.source.samples(half, t1).raw, half, t1).mean_w)
    known = [m for m in means if m is not None]
    window = None
    if len(known) == phases and max(known) > 1.5 * min(known):
        low, high = min(known), max(known)
        between = sum(low + 0.08 * (high - low) < m < high - 0.08 * (high - low) for m in known)
        window = between / phases * period_ms / 2
    return {"period_ms": period_ms, "means_w": means, "averaging_window_ms": window}


def interference(
    make: Callable[[], ReplayWorkload],
    start: Callable[[], None],
    stop: Callable[[], None],
    rounds: int = 3,
    clock: Callable[[], int] = time.monotonic_ns,
) -> dict[str, Any]:
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


def field_facts(nvml: Any, handle: Any, calls: int = 1000) -> list[dict[str, Any]]:
    """Every field and scope: whether the board has it, its reading, and what a call costs."""
    found: list[dict[str, Any]] = []
    asked = [*itertools.product((186, 185, 83), (0, 1, 2)), (74, 0), (75, 0)]
    for number, scope in asked:
        row: dict[str, Any] = {"field": FIELDS[number], "scope": scope, "supported": False}
        try:
            (answer,) = nvml.nvmlDeviceGetFieldValues(handle, [(number, scope)])
            row["supported"] = answer.nvmlReturn == nvml.NVML_SUCCESS
            if row["supported"]:
                small = number in (186, 185)
                row["reading"] = int(answer.value.uiVal if small else answer.value.ullVal)
                ask = partial(nvml.nvmlDeviceGetFieldValues, handle, [(number, scope)])
                row["call_us"] = _cost_us(ask, calls)
        except nvml.NVMLError as error:
            row["reason"] = str(error)
        found.append(row)
    return found


def _cost_us(ask: Callable[[], object], calls: int, most_s: float = 1.0) -> float:
    """Median cost of a call, of as many as are made within ``most_s``."""
    costs: list[int] = []
    begin = time.perf_counter_ns()
    while len(costs) < calls and time.perf_counter_ns() - begin < most_s * 1e9:
        before = time.perf_counter_ns()
        ask()
        costs.append(time.perf_counter_ns() - before)
    return statistics.median(costs) / 1000


def board_software(uuid: str = "", nvml: Any = None) -> dict[str, Any]:
    """``software_facts`` of the first GPU, or of ``uuid``; the reason where NVML does not work."""
    try:
        nvml = nvml or importlib.import_module("pynvml")
    except ImportError:
        return {"reason": NO_MODULE}
    try:
        nvml.nvmlInit()
        handle = find_gpu(nvml, uuid)
        return software_facts(nvml, handle) if handle is not None else {"reason": NO_GPU}
    except nvml.NVMLError as error:
        return {"reason": why(error)}


def software_facts(nvml: Any, handle: Any) -> dict[str, Any]:
    """Driver, VBIOS, modes and limits; ``None`` where the board does not tell."""
    asked: dict[str, Callable[[], Any]] = {
        "driver": lambda: nvml.nvmlSystemGetDriverVersion(),
        "vbios": lambda: nvml.nvmlDeviceGetVbiosVersion(handle),
        "mig_mode": lambda: list(nvml.nvmlDeviceGetMigMode(handle)),
        "ecc_mode": lambda: list(nvml.nvmlDeviceGetEccMode(handle)),
        "power_limit_w": lambda: nvml.nvmlDeviceGetEnforcedPowerLimit(handle) / 1000,
        "sm_mhz_max": lambda: nvml.nvmlDeviceGetMaxClockInfo(handle, nvml.NVML_CLOCK_SM),
        "memory_mhz_max": lambda: nvml.nvmlDeviceGetMaxClockInfo(handle, nvml.NVML_CLOCK_MEM),
    }
    found: dict[str, Any] = {}
    for name, ask in asked.items():
        try:
            value = ask()
            found[name] = value.decode() if isinstance(value, bytes) else value
        except nvml.NVMLError:
            found[name] = None
    return found


def _level(board: Board, seconds: float) -> float | None:
    """Power of the load once its first half has gone by."""
    t0, t1 = board.pulse(max(seconds, 1.0))
    late = [p for t, p in board.published(t0, t1) if t > (t0 + t1) / 2]
    return statistics.fmean(late) if late else None


def _on_off(
    board: Board, period_ms: float, duty: float, phase: float, seconds: float
) -> tuple[int, int, float]:
    """The load on and off; start, end, and seconds that it was on."""
    period = period_ms * 1e6
    begin = math.ceil(board.clock() / period) * period + phase * period
    board.sleep(max(0.0, (begin - board.clock()) / 1e9))
    t0, busy = board.clock(), 0.0
    for number in range(max(4, round(seconds * 1e3 / period_ms))):
        on, off = board.pulse(duty * period_ms / 1000)
        busy += (off - on) / 1e9
        board.sleep(max(0.0, (begin + (number + 1) * period - board.clock()) / 1e9))
    board.source.check()
    return t0, board.clock(), busy
