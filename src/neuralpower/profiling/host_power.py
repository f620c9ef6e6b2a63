"""The power phase of a visit on a processor: calls back to back, readings at the window's ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

from neuralpower.meters.meter import PowerMeter
from neuralpower.meters.window import WindowStats


@dataclass(frozen=True, slots=True)
class PowerProtocol:
    """Seconds of calls before the window, and of the window; readings inside the window."""

    settle_s: float = 0.5
    window_s: float = 1.5
    readings: int = 15

    def as_dict(self) -> dict[str, float | int]:
        """The rules as plain values, for the record."""
        return asdict(self)


def measure_power(
    call: Callable[[], None],
    meter: PowerMeter,
    protocol: PowerProtocol,
    clock: Callable[[], int] = time.monotonic_ns,
) -> WindowStats:
    """Power while ``call`` runs without a gap; a call longer than the window is not cut short."""
    meter.start()
    try:
        _run_for(call, protocol.settle_s, clock)
        t0 = clock()
        meter.read()
        for _ in range(protocol.readings):
            _run_for(call, protocol.window_s / protocol.readings, clock)
            meter.read()
        t1 = clock()
    finally:
        meter.stop()
    return meter.window(t0, t1)


def _run_for(call: Callable[[], None], seconds: float, clock: Callable[[], int]) -> None:
    end = clock() + int(seconds * 1e9)
    call()
    while clock() < end:
        call()
