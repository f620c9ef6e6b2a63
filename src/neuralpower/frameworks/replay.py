"""What a device replays: calls recorded once, queued behind one another, between events."""

from __future__ import annotations

import math
from typing import Any, Protocol, runtime_checkable

from neuralpower.frameworks.protocol import Workload


class ReplayTimer(Protocol):
    """Events on a device's stream."""

    def mark(self) -> Any:
        """Put an event behind all that is queued so far."""
        ...

    def done(self, mark: Any) -> bool:
        """Whether the device has come past the event."""
        ...

    def wait(self, mark: Any) -> None:
        """Return when the device has come past the event."""
        ...

    def elapsed_ms(self, first: Any, last: Any) -> float:
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

    def replay(self) -> None:
        """Queue one replay; does not wait for it."""
        ...


def calls_per_replay(call_ms: float, buffers: int, replay_ms: float = 5.0, most: int = 512) -> int:
    """K = clamp(ceil(5 ms / t), 1, 512), rounded up to a multiple of the buffer sets.

    The protocol's 10 ms would make 20 replays last twice the 0.1 s that it asks for.
    """
    wanted = max(1, min(math.ceil(replay_ms / max(call_ms, 1e-6)), most))
    return buffers * math.ceil(wanted / buffers)
