"""The interface of a power meter, and the meter of machines that have none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from neuralpower.meters.window import WindowStats


@dataclass(frozen=True, slots=True)
class MeterInfo:
    """What a meter measures and how; ``None`` where it is not known.

    ``kind``: ``sampled`` (publishes power), ``counter`` (accumulates energy) or ``none``.
    ``period_ms``: time between publications; ``averaging_ms``: time that one averages over.
    ``gain_uncertainty``: relative, fixed for a board; repeats never shrink it. ``device``: ``cpu``
    or ``gpu``, whose power it is.
    """

    name: str
    domain: str
    kind: str
    period_ms: float | None = None
    averaging_ms: float | None = None
    gain_uncertainty: float | None = None
    provenance: str = ""
    device: str = "cpu"


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether a meter works here; if not, why and what to do, in one line."""

    ok: bool
    reason: str = ""


class PowerMeter(Protocol):
    """A power meter. Times are ``time.monotonic_ns()``; missing power is ``None``, never 0."""

    @property
    def info(self) -> MeterInfo:
        """What it is."""
        ...

    def available(self) -> Availability:
        """Whether it works; never raises."""
        ...

    def start(self) -> None:
        """Begin to record."""
        ...

    def stop(self) -> None:
        """End recording; what was recorded stays readable."""
        ...

    def read(self) -> float | None:
        """Take a reading now: watts of a sampled meter, joules so far of a counter."""
        ...

    def window(self, t0_ns: int, t1_ns: int) -> WindowStats:
        """Power between two times, from what was recorded."""
        ...


class NoMeter:
    """No sensor: power is missing, with the reason; timing still runs."""

    def __init__(self, reason: str) -> None:
        self._reason = reason
        self.info = MeterInfo("none", "", "none", provenance=reason)

    def available(self) -> Availability:
        """Never available; the reason says why."""
        return Availability(False, self._reason)

    def start(self) -> None:
        """Nothing to begin."""

    def stop(self) -> None:
        """Nothing to end."""

    def read(self) -> float | None:
        """Always missing."""
        return None

    def window(self, t0_ns: int, t1_ns: int) -> WindowStats:
        """Always missing."""
        return WindowStats(t0_ns=t0_ns, t1_ns=t1_ns, flags=("no_sensor",))
