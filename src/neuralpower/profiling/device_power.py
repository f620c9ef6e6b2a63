"""The power phase on a GPU: replays back to back, settled, until the mean is known well enough.

The layers of a block follow one another on one queue without a gap, so that each settles from the
power of the one before and never from an idle board (measurement protocol, section 4B).
"""

from __future__ import annotations

import itertools
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import TypedDict

from neuralpower.frameworks.replay import ReplayTimer, ReplayWorkload
from neuralpower.meters.look import (
    Look,
    Previous,
    Span,
    covered,
    look_at,
    power_facts,
)
from neuralpower.meters.samples import SampleSource
from neuralpower.meters.window import relative_slope
from neuralpower.profiling.device_timing import ReplayQueue, queue_depth
from neuralpower.records.visits import Power

#: Publications over which the slope of settling is taken.
_SETTLE_LOOK_NS = 700_000_000
#: A window in which the device rested for more than this share of the time is flagged.
_IDLE_SHARE = 0.005
#: A call's time in the power window and in the timing may differ by so much.
_TIME_CHANGED = 0.01
#: A board rests where the mean of its readings is known to this share.
_RESTED = 0.02
#: Time to settle after a pause that a random delay made.
_RESUME_S = 0.1


@dataclass(frozen=True, slots=True)
class AdaptiveProtocol:
    """When a load has settled and when its mean is known (measurement protocol, section 4B).

    Relative figures are of the mean power; slopes a second while settling, over the whole window
    after it. ``tau_s``: time constant of the settle correction, ``averaging_s`` and ``period_s``:
    the sensor's, calibrated by ``characterise`` (``None``: as the samples show). ``share``: part
    of the configurations whose power is measured.
    """

    settle_s: float = 0.5
    settle_publications: int = 5
    settle_slope: float = 0.003
    settle_cap_s: float = 2.0
    window_publications: int = 12
    window_cap_s: float = 4.0
    precision: float = 0.005
    drift: float = 0.005
    tau_s: float = 1.0
    least_calls: int = 10
    look_s: float = 0.1
    ahead: int = 3
    ahead_s: float = 0.04
    share: float = 1.0
    averaging_s: float | None = None
    period_s: float | None = None

    def as_dict(self) -> dict[str, float | int | None]:
        """The rules as plain values, for the record."""
        return asdict(self)


class PowerPhase:
    """Power of one workload after the other, without a gap between them."""

    def __init__(
        self,
        source: SampleSource,
        protocol: AdaptiveProtocol,
        clock: Callable[[], int] = time.monotonic_ns,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._source, self._rules = source, protocol
        self._clock, self._sleep = clock, sleep
        self._queue: ReplayQueue | None = None
        self._previous = Previous()
        averaging_ms = source.info.averaging_ms
        self._averaging_s = protocol.averaging_s or (averaging_ms / 1e3 if averaging_ms else None)
        self._period_ns = round(protocol.period_s * 1e9) if protocol.period_s else None

    def visit(
        self, workload: ReplayWorkload, call_ms: float, key: str = ""
    ) -> tuple[Power, tuple[str, ...]]:
        """Power of a workload and the flags. It runs on until the next.

        Raises ``RunError`` when the sampler has died or the GPU is lost. Missing power is ``None``.
        """
        rules, clock = self._rules, self._clock
        replay_ms = call_ms * workload.calls_per_replay
        queue, start = self._begin(workload, replay_ms)
        self._settle(queue, start)
        queue.forget()
        t0, window = clock(), _Window([start], random.Random(key))
        while True:
            self._run_for(queue, rules.look_s)
            t1 = clock()
            look = look_at(self._source, t0, t1, self._period_ns, window.pauses)
            calls = len(queue.turns) * workload.calls_per_replay
            whole = covered(look, call_ms, window.starts)
            converged = whole and self._converged(look, calls)
            if converged or (t1 - t0) / 1e9 >= rules.window_cap_s:
                break
            if not whole and len(look.published) >= rules.window_publications:
                self._delay(queue, window, call_ms)
        self._source.check()
        previous, self._previous = self._previous, Previous(key, look.stats.mean_w, look.values)
        facts, flags = power_facts(
            look, self._source, start, (rules.drift, rules.tau_s, self._averaging_s), previous
        )
        found = list(flags)
        if not converged:
            found.append("not_converged")
        if calls < rules.least_calls:
            found.append("few_calls")
        if not whole:
            found.append("phase_coverage")
        seen_ms, idle_share = _device_time(queue, workload.timer, replay_ms)
        if idle_share > _IDLE_SHARE:
            found.append("gpu_idle_in_window")
        if seen_ms is not None and abs(seen_ms / replay_ms - 1) > _TIME_CHANGED:
            found.append("time_changed")
        power = Power(
            **facts,
            settle_s=(t0 - start) / 1e9,
            calls=calls,
            call_ms=None if seen_ms is None else seen_ms / workload.calls_per_replay,
            dry=queue.dry,
            idle_share=idle_share,
        )
        return power, tuple(found)

    def end(self) -> None:
        """Wait for what is queued; the board may rest from here on."""
        if self._queue is not None:
            self._queue.drain()
            self._queue = None
        self._previous = Previous()

    def _begin(self, workload: ReplayWorkload, replay_ms: float) -> tuple[ReplayQueue, int]:
        ahead = queue_depth(replay_ms, self._rules.ahead, self._rules.ahead_s)
        if self._queue is None:
            self._queue = ReplayQueue(workload, ahead, self._clock)
        return self._queue, self._queue.switch(workload, ahead)

    def _settle(self, queue: ReplayQueue, start: int) -> None:
        """Run until the load's power is steady, at most ``settle_cap_s``.

        Never less than the sensor averages over, so that nothing of the load before is left.
        """
        rules = self._rules
        least = max(rules.settle_s, (self._averaging_s or 0.0) + (rules.period_s or 0.0))
        while True:
            self._run_for(queue, rules.look_s)
            now = self._clock()
            spent = (now - start) / 1e9
            if spent >= max(rules.settle_cap_s, least):
                return
            if spent < least:
                continue
            count = len(self._look(start, now).published)
            slope = relative_slope(self._look(max(start, now - _SETTLE_LOOK_NS), now).published)
            known = count >= rules.settle_publications and slope is not None
            if known and abs(slope or 0.0) < rules.settle_slope:
                return

    def _look(self, t0: int, t1: int) -> Look:
        return look_at(self._source, t0, t1, self._period_ns)

    def _run_for(self, queue: ReplayQueue, seconds: float) -> None:
        end = self._clock() + int(seconds * 1e9)
        queue.submit()
        while self._clock() < end:
            queue.submit()

    def _delay(self, queue: ReplayQueue, window: _Window, call_ms: float) -> None:
        """Shift the phase of the calls against the sensor's by a random part of a call.

        What is published until the sensor holds the load alone again is left out.
        """
        queue.drain()
        began = self._clock()
        self._sleep(window.dice.uniform(0.1, 0.9) * call_ms / 1e3)
        window.starts.append(self._clock())
        self._run_for(queue, (self._averaging_s or 0.0) + self._period_s() + _RESUME_S)
        window.pauses.append((began, self._clock()))

    def _period_s(self) -> float:
        return self._rules.period_s or 0.1

    def _converged(self, look: Look, calls: int) -> bool:
        rules, stats = self._rules, look.stats
        if stats.publications < rules.window_publications or calls < rules.least_calls:
            return False
        if stats.mean_w is None or stats.half_width_w is None or stats.slope_per_s is None:
            return False
        seconds = (stats.t1_ns - stats.t0_ns) / 1e9
        return (
            stats.half_width_w < rules.precision * stats.mean_w
            and abs(stats.slope_per_s) * seconds < rules.drift
        )


@dataclass
class _Window:
    """What random delays have made of a window: starts of the replays, spans left out of it."""

    starts: list[int]
    dice: random.Random
    pauses: list[Span] = field(default_factory=list)


def _device_time(
    queue: ReplayQueue, timer: ReplayTimer, replay_ms: float
) -> tuple[float | None, float]:
    """Milliseconds of a replay by the device's events in the window, and the share it rested."""
    turns = queue.turns
    while turns and not timer.done(turns[-1].mark):
        turns = turns[:-1]
    if len(turns) < 2:
        return None, 0.0
    pairs = list(itertools.pairwise(turns))
    gaps = [timer.elapsed_ms(before.mark, turn.mark) for before, turn in pairs]
    rests = [gap - replay_ms for gap, (_, turn) in zip(gaps, pairs, strict=True) if turn.dry]
    # The median: a random delay is no part of a call.
    return statistics.median(gaps), sum(max(0.0, rest) for rest in rests) / sum(gaps)


class IdlePower(TypedDict):
    """Power of a board at rest: mean and half-width, how many readings, doubts."""

    mean_w: float | None
    half_width_w: float | None
    publications: int
    flags: list[str]


def idle_power(
    source: SampleSource,
    seconds: float = 1.5,
    clock: Callable[[], int] = time.monotonic_ns,
    sleep: Callable[[float], None] = time.sleep,
) -> IdlePower:
    """Power while nothing is asked of the device."""
    t0 = clock()
    sleep(seconds)
    stats = look_at(source, t0, clock()).stats
    return {
        "mean_w": stats.mean_w,
        "half_width_w": stats.half_width_w,
        "publications": stats.publications,
        "flags": list(stats.flags),
    }


def rested_power(
    source: SampleSource,
    tries: int = 4,
    clock: Callable[[], int] = time.monotonic_ns,
    sleep: Callable[[float], None] = time.sleep,
) -> IdlePower:
    """``idle_power`` of a board that may come from a load: again until readings stay the same.

    Clocks take seconds to come down. The last of ``tries`` is given as it is.
    """
    found = idle_power(source, clock=clock, sleep=sleep)
    for _ in range(tries - 1):
        mean, half = found["mean_w"], found["half_width_w"]
        if mean is None or half is None or half < _RESTED * mean:
            break
        found = idle_power(source, clock=clock, sleep=sleep)
    return found
