"""Which meter a run gets."""

from __future__ import annotations

from neuralpower.core.errors import InputError
from neuralpower.meters.ina3221 import Ina3221Meter
from neuralpower.meters.meter import NoMeter, PowerMeter
from neuralpower.meters.rapl import RaplMeter

METERS = ("auto", "none", "rapl", "ina3221")
#: Meters of a GPU (``bench``): none of them measures a processor.
GPU_METERS = ("nvml", "amd")


def meters() -> list[PowerMeter]:
    """Every meter of a processor that is known, working or not."""
    return [RaplMeter(), Ina3221Meter()]


def choose_meter(name: str) -> PowerMeter:
    """The meter of a name; ``auto`` takes what works and otherwise none, with the reason.

    Raises ``InputError`` when a meter was asked for by name and does not work.
    """
    if name in GPU_METERS:
        raise InputError(f"meter {name} measures a GPU: give --device cuda and an executor for it")
    if name not in METERS:
        raise InputError(f"meter {name!r} is not known: take one of {', '.join(METERS)}")
    if name == "none":
        return NoMeter("power was not asked for (meter none)")
    reasons = []
    for meter in meters():
        if name not in ("auto", meter.info.name):
            continue
        state = meter.available()
        if state.ok:
            return meter
        reasons.append(state.reason)
    reason = "; ".join(reasons)
    if name == "auto":
        return NoMeter(reason)
    raise InputError(f"meter {name}: {reason}; --meter none measures time only")
