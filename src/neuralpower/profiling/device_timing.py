"""Timing of a device that works on its own: replays of K calls, queued ahead, between events.

The device is behind a small seam (``ReplayTimer``), so that all of this runs on a fake one.
"""

from __future__ import annotations

import itertools
import math
import statistics
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

from neuralpower.frameworks.replay import Event, ReplayTimer, ReplayWorkload
from neuralpower.profiling.stopping import Clock, StopRule, take_samples
from neuralpower.records.visits import Timing

#: Share of the replays before which the device ran dry, above which the host sets the pace.
_HOST_BOUND = 0.05
#: Replays that show about how long a call takes.
_TRIAL_REPLAYS = 6


@dataclass(frozen=True, slots=True)
class ReplayProtocol:
    """Warm-up, then replays until both minima are reached and the interval is narrow enough.

    The warm-up goes on until first and last thirds of its replays agree within ``ramp``, at the
    latest until ``warm_up_cap_s``: clocks rise for some time after a rest. ``ahead`` and
    ``ahead_s``: how many replays are queued.
    """

    warm_up_s: float = 0.05
    min_replays: int = 20
    min_time_s: float = 0.1
    max_time_s: float = 0.6
    least_replays: int = 6
    precision: float = 0.005
    ahead: int = 4
    ahead_s: float = 0.02
    warm_up_cap_s: float = 0.5
    ramp: float = 0.005

    def as_dict(self) -> dict[str, float | int]:
        """The rules as plain values, for the record."""
        return asdict(self)

    @property
    def stop(self) -> StopRule:
        """When enough replays have been made."""
        return StopRule(
            self.min_replays,
            min(self.min_time_s, self.max_time_s),
            self.max_time_s,
            self.least_replays,
            self.precision,
            more=0.25,
        )


class Turn(NamedTuple):
    """A replay that was queued: the event behind it, and whether the device had run dry before."""

    mark: Event
    dry: bool


class ReplayQueue:
    """Keeps some replays queued ahead of the device, so that it never waits for the host.

    Workloads can follow one another without a gap: the next one's replays are queued behind the
    last one's. ``turns``: what was queued since ``forget``.
    """

    def __init__(
        self,
        workload: ReplayWorkload,
        ahead: int = 4,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._workload = workload
        self._ahead = ahead
        self._clock = clock
        #: Events and the timer that each belongs to.
        self._open: deque[tuple[ReplayTimer, Event]] = deque()
        self._border: object = None
        self._started: int | None = None
        self.turns: list[Turn] = []

    @property
    def dry(self) -> int:
        """How often the device had nothing to do when the next replay came."""
        return sum(turn.dry for turn in self.turns)

    def forget(self) -> None:
        """Leave out of ``turns`` what was queued so far."""
        self.turns = []

    def submit(self) -> Event:
        """Queue a replay and wait until no more than ``ahead`` are unfinished; return its mark."""
        timer = self._workload.timer
        if not self._open and self._started is None:
            self._started = self._clock()
        self._workload.replay()
        # Asked after the launch: what it took of the host's time counts too.
        dry = bool(self._open) and self._open[-1][0].done(self._open[-1][1])
        mark = timer.mark()
        self._open.append((timer, mark))
        self.turns.append(Turn(mark, dry))
        while len(self._open) > self._ahead:
            self._wait_for_first()
        return mark

    def switch(self, workload: ReplayWorkload, ahead: int) -> int:
        """Go on with another workload; returns when the device has begun with it, and that time."""
        self._border = self._open[-1][1] if self._open else None
        self._workload, self._started = workload, None
        # Room for both: the new replays are queued before any old one is waited for.
        self._ahead = len(self._open) + ahead
        for _ in range(ahead):
            self.submit()
        while (started := self._begun()) is None:
            self._wait_for_first()
        self._ahead = ahead
        self.forget()
        return started

    def drain(self) -> None:
        """Wait for all that is queued."""
        while self._open:
            self._wait_for_first()

    def _begun(self) -> int | None:
        return self._started

    def _wait_for_first(self) -> None:
        timer, mark = self._open.popleft()
        timer.wait(mark)
        if mark is self._border:
            self._started, self._border = self._clock(), None


def queue_depth(replay_ms: float, least: int, ahead_s: float) -> int:
    """Replays ahead: at least ``least``, and as many as last ``ahead_s`` (at most 64)."""
    return max(least, min(64, math.ceil(ahead_s * 1e3 / max(replay_ms, 1e-3))))


def calls_per_replay(call_ms: float, buffers: int, replay_ms: float = 5.0, most: int = 512) -> int:
    """K = clamp(ceil(5 ms / t), 1, 512), rounded up to a multiple of the buffer sets.

    The protocol's 10 ms would make 20 replays last twice the 0.1 s that it asks for.
    """
    wanted = max(1, min(math.ceil(replay_ms / max(call_ms, 1e-6)), most))
    return buffers * math.ceil(wanted / buffers)


def choose_calls(workload: ReplayWorkload, calls: int | None = None) -> None:
    """Record so many calls in a replay; without ``calls``, as a few replays show how long one
    takes: single calls would show how long the host takes to queue them.
    """
    if calls is None:
        timer, queue = workload.timer, ReplayQueue(workload, _TRIAL_REPLAYS)
        marks = [queue.submit() for _ in range(_TRIAL_REPLAYS)]
        queue.drain()
        gaps = [timer.elapsed_ms(a, b) for a, b in itertools.pairwise(marks)]
        call_ms = statistics.median(gaps[1:]) / workload.calls_per_replay
        calls = calls_per_replay(call_ms, workload.buffers)
    workload.record(calls)


def measure_replays(
    workload: ReplayWorkload,
    protocol: ReplayProtocol,
    clock: Clock = time.monotonic_ns,
) -> Timing:
    """Milliseconds a call from events between replays. Times of the window are ``clock``'s."""
    return take_samples(_ReplaySampler(workload, protocol, clock), protocol.stop, clock)


class _ReplaySampler:
    """As ``stopping.Sampler``: a sample is a replay, between the events behind two of them."""

    def __init__(self, workload: ReplayWorkload, protocol: ReplayProtocol, clock: Clock) -> None:
        self._workload, self._rules, self._clock = workload, protocol, clock
        self._queue = ReplayQueue(workload, protocol.ahead, clock)
        #: ``None`` parts two runs of replays.
        self._marks: list[object] = []
        self._looked = False
        self._looks = 0

    @property
    def calls_per_sample(self) -> int:
        return self._workload.calls_per_replay

    def warm_up(self) -> int:
        """Replays for ``warm_up_s``, and on until they keep their time, or until the cap."""
        rules, timer, clock = self._rules, self._workload.timer, self._clock
        begin = clock()
        first = timer.mark()
        last = self._queue.submit()
        timer.wait(last)
        replay_ms = timer.elapsed_ms(first, last)
        depth = queue_depth(replay_ms, rules.ahead, rules.ahead_s)
        self._queue = ReplayQueue(self._workload, depth, clock)
        marks = [timer.mark()]
        while (spent_s := (clock() - begin) / 1e9) < rules.warm_up_cap_s:
            if spent_s >= rules.warm_up_s and self._steady(marks):
                break
            marks.append(self._queue.submit())
        self._marks = [timer.mark()]
        self._queue.forget()
        return len(marks) * self._workload.calls_per_replay

    def take(self) -> None:
        if self._looked:
            # The device ran dry while all was looked at: its next gap is no sample.
            self._queue.submit()
            self._marks += [None, self._workload.timer.mark()]
            self._looked = False
            self._looks += 1
        self._marks.append(self._queue.submit())

    def samples(self) -> list[float]:
        timer = self._workload.timer
        timer.wait(self._marks[-1])
        self._looked = True
        return [
            timer.elapsed_ms(a, b)
            for a, b in itertools.pairwise(self._marks)
            if a is not None and b is not None
        ]

    def flags(self, samples: Sequence[float]) -> list[str]:
        found = []
        # One of them may be the pause in which the samples were looked at.
        if self._queue.dry - self._looks > _HOST_BOUND * len(samples):
            found.append("host_bound")
        change = change_of_thirds(samples)
        if change is not None and abs(change) > self._rules.ramp:
            found.append("ramp")
        return found

    def _steady(self, marks: Sequence[Event]) -> bool:
        """Whether the later half of the replays that have ended kept its time."""
        timer = self._workload.timer
        ended = [mark for mark in marks[len(marks) // 2 :] if timer.done(mark)]
        times = [timer.elapsed_ms(a, b) for a, b in itertools.pairwise(ended)]
        change = change_of_thirds(times)
        return change is not None and abs(change) <= self._rules.ramp


def change_of_thirds(samples: Sequence[float]) -> float | None:
    """Median of the last third over that of the first, less 1; ``None`` for fewer than 6."""
    third = len(samples) // 3
    if third < 2:
        return None
    return statistics.median(samples[-third:]) / statistics.median(samples[:third]) - 1
