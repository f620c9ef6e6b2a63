"""Which meter a run gets."""

from __future__ import annotations

from neuralpower.errors import InputError
from neuralpower.profiling.power.meter import NoMeter, PowerMeter
from neuralpower.profiling.power.rapl import RaplMeter

METERS = ("auto", "none", "rapl")


def choose_meter(name: str) -> PowerMeter:
    """The meter of a name; ``auto`` takes what works and otherwise none, with the reason.

    Raises ``InputError`` when a meter was asked for by name and does not work.
    """
    if name not in METERS:
        raise InputError(f"meter {name!r} is not known: take one of {', '.join(METERS)}")
    if name == "none":
        return NoMeter("power was not asked for (meter none)")
    meter = RaplMeter()
    state = meter.available()
    if state.ok:
        return meter
    if name == "auto":
        return NoMeter(state.reason)
    raise InputError(f"meter {name}: {state.reason}; --meter none measures time only")
