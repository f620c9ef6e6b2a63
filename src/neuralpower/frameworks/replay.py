"""What a device replays: calls recorded once, queued behind one another, between events."""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias, runtime_checkable

from neuralpower.frameworks.protocol import Workload

#: An event of a timer; only the timer that made it looks inside.
Event: TypeAlias = Any


class ReplayTimer(Protocol):
    """Events on a device's stream."""

    def mark(self) -> Event:
        """Put an event behind all that is queued so far."""
        ...

    def done(self, mark: Event) -> bool:
        """Whether the device has come past the event."""
        ...

    def wait(self, mark: Event) -> None:
        """Return when the device has come past the event."""
        ...

    def elapsed_ms(self, first: Event, last: Event) -> float:
        """Milliseconds of the device's own clock between two events."""
        ...


@runtime_checkable
class ReplayWorkload(Workload, Protocol):
    """A workload whose calls are recorded once and replayed without the host."""

    @property
    def timer(self) -> ReplayTimer:
        """The device's events."""
        ...

    @property
    def calls_per_replay(self) -> int:
        """K: calls in one replay."""
        ...

    def record(self, calls: int) -> None:
        """Record anew with so many calls in a replay, or as many as the framework can.

        A new one has one call per set of buffers. ``calls`` is a multiple of ``buffers``.
        """
        ...

    def replay(self) -> None:
        """Queue one replay; does not wait for it."""
        ...
