"""Samples with the state of the board beside them, and what that state says of a window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from neuralpower.meters.meter import PowerMeter
from neuralpower.meters.window import RawTable

#: NVML's clocks-event reasons: power cap (software, hardware brake), thermal slowdown (software,
#: hardware).
_POWER_CAPPED, _THERMAL = 0x04 | 0x80, 0x20 | 0x40
#: NVML's error for a GPU that has fallen off the bus.
GPU_IS_LOST = 15
#: Our own code, beside the libraries', of a reading that no board can give: it is missing.
IMPOSSIBLE = 20_000
_RESET_REQUIRED = 16
#: Clocks that differ by more than this within a window have changed.
_CLOCK_STEP = 0.01
#: Share of a window that a limit held the board back, from which it is said.
_HELD_BACK = 0.01


@dataclass(frozen=True, slots=True)
class BoardState:
    """State at a time; ``None`` where the board does not say. ``reasons``: NVML's bits.

    ``power_held_ns`` and ``thermal_held_ns``: how long the power limit and the temperature have
    held the board back, since the driver was loaded.
    """

    t_ns: int
    sm_mhz: int | None = None
    memory_mhz: int | None = None
    temperature_c: int | None = None
    reasons: int | None = None
    power_held_ns: int | None = None
    thermal_held_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Samples:
    """Raw samples, states (polled more rarely) and errors (time and NVML's code) of a window."""

    raw: RawTable
    states: Sequence[BoardState] = ()
    errors: Sequence[tuple[int, int]] = field(default=())


@runtime_checkable
class SampleSource(PowerMeter, Protocol):
    """A meter that is polled while the device works on its own."""

    def check(self) -> None:
        """Raise ``RunError`` when no more samples can come."""
        ...

    def samples(self, t0_ns: int, t1_ns: int) -> Samples:
        """What was recorded between two times."""
        ...


def lost_reason(errors: Sequence[tuple[int, int]]) -> str:
    """The line for a GPU that is lost, or nothing."""
    codes = {code for _, code in errors}
    if GPU_IS_LOST in codes:
        return (
            "the GPU has fallen off the bus: restart the machine and run again, what was "
            "measured is kept"
        )
    if _RESET_REQUIRED in codes:
        return (
            "the GPU needs a reset: reset it or restart the machine, and run again, what was "
            "measured is kept"
        )
    return ""


def state_facts(states: Sequence[BoardState]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Range of clocks and temperature in a window and the reasons seen, and their flags."""
    facts: dict[str, Any] = {}
    for name in ("sm_mhz", "memory_mhz", "temperature_c"):
        values = [v for s in states if (v := getattr(s, name)) is not None]
        facts[f"{name}_lo"] = min(values, default=None)
        facts[f"{name}_hi"] = max(values, default=None)
    reasons = [s.reasons for s in states if s.reasons is not None]
    bits = 0
    for value in reasons:
        bits |= value
    facts["clock_event_reasons"] = bits if reasons else None
    held = {name: _held_back(states, f"{name}_held_ns") for name in ("power", "thermal")}
    facts |= {f"{name}_held_ms": None if s is None else s[0] for name, s in held.items()}
    flags = []
    if bits & _THERMAL or (held["thermal"] or (0, 0))[1] > _HELD_BACK:
        flags.append("thermal_slowdown")
    if bits & _POWER_CAPPED or (held["power"] or (0, 0))[1] > _HELD_BACK:
        flags.append("power_capped")
    low, high = facts["sm_mhz_lo"], facts["sm_mhz_hi"]
    if low is not None and high > low * (1 + _CLOCK_STEP):
        flags.append("clock_changed")
    return facts, tuple(flags)


def _held_back(states: Sequence[BoardState], name: str) -> tuple[float, float] | None:
    """Milliseconds between the first and the last state that a limit held, and their share."""
    known = [(s.t_ns, value) for s in states if (value := getattr(s, name)) is not None]
    if len(known) < 2 or known[-1][1] < known[0][1]:
        return None
    held = known[-1][1] - known[0][1]
    return held / 1e6, held / (known[-1][0] - known[0][0])
