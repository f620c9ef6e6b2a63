"""Which power meters there are, and which one a run gets.

To add one: an entry point of the group ``neuralpower.meters``, named as the meter, whose object is
called without arguments and gives a ``meter.PowerMeter``; in any installed package. What it says
in ``info.device`` decides which runs it is for. A GPU's meter is a ``sampler.PolledMeter``: it is
made once more in the sampler's process, with the UUID of the GPU that computes.
"""

from __future__ import annotations

from dataclasses import dataclass

from neuralpower.core.errors import InputError
from neuralpower.core.plugins import installed, load
from neuralpower.meters.meter import NoMeter, PowerMeter

GROUP = "neuralpower.meters"
#: Ours, as in pyproject.toml, in the order in which ``auto`` tries them.
BUILT_IN = {
    "nvml": "neuralpower.meters.nvml:NvmlMeter",
    "rapl": "neuralpower.meters.rapl:RaplMeter",
}
#: How to install ours that are separate packages.
HINTS = {
    name: f"install it from a checkout of NeuralPower, pip install ./plugins/{name}"
    for name in ("amd", "ina3221")
}
#: Words instead of a meter's name.
CHOICES = ("auto", "none")


@dataclass(frozen=True, slots=True)
class Installed:
    """A meter that is installed; ``factory`` is the ``module:object`` that makes it.

    One that cannot be loaded is a ``NoMeter`` with the reason.
    """

    name: str
    factory: str
    meter: PowerMeter


def meter_names() -> tuple[str, ...]:
    """The names of the installed meters, whether or not they work here."""
    return tuple(installed(GROUP, BUILT_IN))


def meters(device: str = "") -> list[Installed]:
    """Every installed meter of a device (``cpu``, ``gpu``; empty: of all), working or not."""
    points = installed(GROUP, BUILT_IN)
    found = []
    for name, point in points.items():
        try:
            meter: PowerMeter = load("meter", name, points, HINTS)()
        except InputError as error:
            meter = NoMeter(error.message)
        if isinstance(meter, NoMeter) or device in ("", meter.info.device):
            found.append(Installed(name, point.value, meter))
    return found


def meters_for(device: str, name: str) -> list[Installed]:
    """The meters of a device that a name means: one, or with ``auto`` all.

    Raises ``InputError`` for a name that is not installed, or is a meter of another device.
    """
    found = meters(device)
    if name == "auto":
        return found
    chosen = [entry for entry in found if entry.name == name]
    if chosen:
        return chosen
    points = installed(GROUP, BUILT_IN)
    if name not in points:
        load("meter", name, points, HINTS)
    own = ", ".join([*(entry.name for entry in found), *CHOICES])
    if device == "cpu":
        raise InputError(
            f"meter {name} measures a GPU: give --device cuda and an executor for it, or take "
            f"one of {own}"
        )
    raise InputError(f"meter {name} measures no GPU: take one of {own}")


def choose_meter(name: str) -> PowerMeter:
    """The processor's meter of a name; ``auto`` takes what works, else none, with the reason.

    Raises ``InputError`` when a meter was asked for by name and does not work.
    """
    if name == "none":
        return NoMeter("power was not asked for (meter none)")
    reasons = []
    for entry in meters_for("cpu", name):
        state = entry.meter.available()
        if state.ok:
            return entry.meter
        reasons.append(state.reason)
    reason = "; ".join(reasons)
    if name == "auto":
        return NoMeter(reason)
    raise InputError(f"meter {name}: {reason}; --meter none measures time only")
