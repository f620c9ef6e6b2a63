"""Timing of a device that works on its own: replays of K calls, queued ahead, between events.

The device is behind a small seam (``ReplayTimer``), so that all of this runs on a fake one.
"""

from __future__ import annotations

import itertools
import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from neuralpower.core.statistics import median_interval, quantile
from neuralpower.frameworks.replay import ReplayTimer, ReplayWorkload
from neuralpower.profiling.host_timing import summarise
from neuralpower.records.visits import Timing

#: Share of the replays before which the device ran dry, above which the host sets the pace.
_HOST_BOUND = 0.05


@dataclass(frozen=True, slots=True)
class ReplayProtocol:
    """Warm-up, then replays until both minima are reached and the interval is narrow enough."""

    warm_up_s: float = 0.05
    min_replays: int = 20
    min_time_s: float = 0.1
    max_time_s: float = 0.6
    least_replays: int = 6
    precision: float = 0.005
    ahead: int = 4
    ahead_s: float = 0.02

    def as_dict(self) -> dict[str, float | int]:
        """The rules as plain values, for the record."""
        return asdict(self)


class Turn(NamedTuple):
    """A replay that was queued: the event behind it, and whether the device had run dry before."""

    mark: Any
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
        self._open: deque[tuple[ReplayTimer, Any]] = deque()
        self._border: Any = None
        self._started: int | None = None
        self.turns: list[Turn] = []

    @property
    def dry(self) -> int:
        """How often the device had nothing to do when the next replay came."""
        return sum(turn.dry for turn in self.turns)

    def forget(self) -> None:
        """Leave out of ``turns`` what was queued so far."""
        self.turns = []

    def submit(self) -> Any:
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


def measure_replays(
    workload: ReplayWorkload,
    protocol: ReplayProtocol,
    clock: Callable[[], int] = time.monotonic_ns,
) -> Timing:
    """Milliseconds a call from events between replays. Times of the window are ``clock``'s."""
    timer = workload.timer
    queue = ReplayQueue(workload, protocol.ahead)
    begin = clock()
    first = timer.mark()
    last = queue.submit()
    timer.wait(last)
    replay_ms = timer.elapsed_ms(first, last)
    queue = ReplayQueue(workload, queue_depth(replay_ms, protocol.ahead, protocol.ahead_s))
    warm = 1
    while clock() - begin < protocol.warm_up_s * 1e9:
        queue.submit()
        warm += 1
    marks = [timer.mark()]
    queue.forget()
    t0 = clock()
    samples: list[float] = []
    looks = 0
    check = protocol.min_replays
    while True:
        marks.append(queue.submit())
        spent = (clock() - t0) / 1e9
        if len(marks) <= check and spent < protocol.max_time_s:
            continue
        if spent < min(protocol.min_time_s, protocol.max_time_s):
            continue
        if len(marks) - 1 < protocol.least_replays:
            continue
        timer.wait(marks[-1])
        samples = _gaps(timer, marks)
        if spent >= protocol.max_time_s or _precise(samples, protocol):
            break
        looks += 1
        # The device ran dry while all was looked at: its next gap is no sample.
        check = len(marks) + max(5, len(marks) // 4)
        queue.submit()
        marks = [*marks, None, timer.mark()]
    t1 = clock()
    flags = [] if _precise(samples, protocol) else ["not_converged"]
    # One of them may be the pause in which the samples were looked at.
    if queue.dry - looks > _HOST_BOUND * len(samples):
        flags.append("host_bound")
    return summarise(
        samples,
        workload.calls_per_replay,
        warm_up_calls=warm * workload.calls_per_replay,
        window_ns=(t0, t1),
        flags=tuple(flags),
    )


def _gaps(timer: ReplayTimer, marks: list[Any]) -> list[float]:
    """Time of each replay; ``None`` among the marks parts two runs."""
    return [
        timer.elapsed_ms(a, b)
        for a, b in itertools.pairwise(marks)
        if a is not None and b is not None
    ]


def _precise(samples: list[float], protocol: ReplayProtocol) -> bool:
    ordered = sorted(samples)
    interval = median_interval(ordered)
    if interval is None:
        return False
    middle = quantile(ordered, 0.5)
    return max(interval[1] - middle, middle - interval[0]) <= protocol.precision * middle
