"""What a board can draw: from its data sheet, its record, or the measurements themselves."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from neuralpower.core.errors import InputError
from neuralpower.core.file_names import MANIFEST
from neuralpower.modeling.baselines import Device
from neuralpower.modeling.data import Dataset
from neuralpower.records.folder import Platform

#: Sensors are off by some per cent: a reading beyond a limit by more is another board's.
FAR = 1.1


def device_of(platform: Platform, data: Dataset) -> Device:
    """The facts that the manifest has of a device, its limits of power from the best source.

    ``InputError`` where its layers drew more than its cap or less than its idle power.
    """
    cap, idle, drawn = platform.number("power_cap_w"), platform.number("idle_power_w"), _drawn(data)
    for name, given, seen, beyond in (
        ("power_cap_w", cap, max(drawn, default=0.0), "more"),
        ("idle_power_w", idle, min(drawn, default=math.inf), "less"),
    ):
        if given is not None and (given * FAR < seen if beyond == "more" else given > seen * FAR):
            raise InputError(
                f"{name} is {given:g} W, but a layer drew {beyond}, {seen:g} W: correct one",
                path=platform.folder / MANIFEST,
            )
    return Device(
        platform.number("peak_gflops"),
        platform.number("bandwidth_gb_s"),
        platform.number("idle_power_w") or floor_w(platform, data),
        platform.number("power_cap_w") or limit_w(platform, data) or ceiling_w(data),
    )


def _drawn(data: Dataset) -> list[float]:
    """Least and largest power of all layers, none where there is none."""
    found = [rows.measured for (_, target), rows in data.layers.items() if target == "power_w"]
    return [float(min(p.min() for p in found)), float(max(p.max() for p in found))] if found else []


def limit_w(platform: Platform, data: Dataset) -> float | None:
    """The power limit that the board enforced while it was measured, or the little that it passed
    it by; ``None`` where the record has none."""
    software = platform.fact("gpu_software")
    limit = software.get("power_limit_w") if isinstance(software, Mapping) else None
    drawn = _drawn(data)
    if isinstance(limit, bool) or not isinstance(limit, int | float) or limit <= 0 or not drawn:
        return None
    return max(float(limit), drawn[1])


def floor_w(platform: Platform, data: Dataset) -> float | None:
    """Power of the board at rest with a context, as recorded, or that of the least layer."""
    idle = platform.fact("idle")
    context = idle.get("context") if isinstance(idle, Mapping) else None
    rest = context.get("mean_w") if isinstance(context, Mapping) else None
    drawn = _drawn(data)
    if isinstance(rest, bool) or not isinstance(rest, int | float) or rest <= 0 or not drawn:
        return None
    return min(float(rest), drawn[0])


def ceiling_w(data: Dataset) -> float | None:
    """The power that the board does not exceed, as the measurements show it, None if they do not.

    A board at its cap draws the same whatever it computes: a tenth of all layers within 1 % of the
    largest power.
    """
    powers = [layers.measured for (_, target), layers in data.layers.items() if target == "power_w"]
    if not powers:
        return None
    drawn = np.concatenate(powers)
    highest = float(drawn.max())
    at_cap = int((drawn >= 0.99 * highest).sum())
    return highest if at_cap >= max(10, 0.1 * len(drawn)) else None
