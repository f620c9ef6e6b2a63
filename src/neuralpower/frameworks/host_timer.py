"""Replays of frameworks that have no device events, timed on the host's clock."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any


class Mark:
    """A place in the queue of work: ``token`` becomes ready there; ``ns``: when that was seen."""

    def __init__(self, token: Any, ns: int | None = None) -> None:
        self.token = token
        self.ns = ns


class TokenTimer:
    """Marks behind work that ends in a token: something that becomes ready when the work is done.

    A mark's time is when the host saw its token ready: it looks whenever a mark is made or asked
    for, and waits for tokens one after the other, so that each is seen as it comes while the queue
    is full. The host's wake-up is in every time and cancels between neighbours, but for its
    scatter.
    """

    def __init__(
        self,
        ready: Callable[[Any], bool],
        block: Callable[[Any], None],
        clock: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        self.latest: Any = None
        self._ready, self._block, self._clock = ready, block, clock
        self._open: deque[Mark] = deque()

    def mark(self) -> Mark:
        """As ``ReplayTimer.mark``."""
        if self.latest is None:
            return Mark(None, self._clock())
        made = Mark(self.latest)
        self._open.append(made)
        self._look()
        return made

    def done(self, mark: Mark) -> bool:
        """As ``ReplayTimer.done``."""
        self._look()
        return mark.ns is not None

    def wait(self, mark: Mark) -> None:
        """As ``ReplayTimer.wait``; earlier marks are waited for, and seen, first."""
        while mark.ns is None:
            self._block(self._open[0].token)
            self._see()

    def elapsed_ms(self, first: Mark, last: Mark) -> float:
        """As ``ReplayTimer.elapsed_ms``."""
        self.wait(last)
        assert first.ns is not None
        assert last.ns is not None
        return (last.ns - first.ns) / 1e6

    def _look(self) -> None:
        while self._open and self._ready(self._open[0].token):
            self._see()

    def _see(self) -> None:
        first = self._open.popleft()
        first.ns, first.token = self._clock(), None


class BlockingTimer:
    """Marks of work that is done when its call returns.

    The device rests from the return of one replay to the start of the next, always. Of a mark
    that another replay has followed, ``done`` says whether that rest was more than ``rest_share``
    of the replay: it is asked in order to find a device that waited for the host.
    """

    def __init__(
        self, clock: Callable[[], int] = time.perf_counter_ns, rest_share: float = 0.005
    ) -> None:
        self._clock, self._rest_share = clock, rest_share
        self._begun = self._ended = 0
        self._rest_ns = 0

    def begin(self) -> None:
        """A replay begins."""
        self._begun = self._clock()
        self._rest_ns = self._begun - self._ended

    def end(self) -> None:
        """It has ended."""
        self._ended = self._clock()

    def mark(self) -> int:
        """As ``ReplayTimer.mark``: nothing is under way."""
        return self._clock()

    def done(self, mark: int) -> bool:
        """As ``ReplayTimer.done``, with the allowance of the class."""
        last = mark >= self._ended
        return last or self._rest_ns > self._rest_share * (self._ended - self._begun)

    def wait(self, mark: int) -> None:
        """As ``ReplayTimer.wait``: nothing is under way."""

    def elapsed_ms(self, first: int, last: int) -> float:
        """As ``ReplayTimer.elapsed_ms``."""
        return (last - first) / 1e6
