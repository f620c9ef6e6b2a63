"""How long a visit takes, roughly, for the budget and the time left; a run corrects it."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from neuralpower.core import cost
from neuralpower.core.configuration import Configuration
from neuralpower.profiling.design import Item, NetworkItem
from neuralpower.profiling.device_power import AdaptiveProtocol
from neuralpower.profiling.device_timing import ReplayProtocol
from neuralpower.profiling.host_timing import TimingProtocol

#: Loads the network of an item at its batch size.
NetworkLoader = Callable[[NetworkItem], Any]

#: Multiply-accumulates and bytes per second of one processor core, and bytes built per second.
_MACS_S = 2.5e10
_BYTES_S = 5e9
_BUILD_BYTES_S = 1e8
_CALL_S = 2e-5


def visit_seconds(item: Item, timing: TimingProtocol, load: NetworkLoader) -> float:
    """Seconds of a visit of ``item`` on one core of a processor of 2021."""
    if isinstance(item, NetworkItem):
        macs, moved, parameters = _network_work(item, load)
    else:
        macs, moved, parameters = _layer_work(item)
    call = macs / _MACS_S + moved / _BYTES_S + _CALL_S
    warm = max(timing.warm_up_calls * call, timing.warm_up_s)
    sampled = max(timing.min_time_s, min(timing.max_time_s, 2 * timing.min_time_s))
    sampled = max(sampled, timing.least_samples * call)
    return 0.02 + parameters / _BUILD_BYTES_S + warm + sampled


def replay_seconds(timing: ReplayProtocol, network: bool) -> float:
    """Seconds of a visit on a GPU without its power: preparing, capturing, timing."""
    prepare = 3.0 if network else 0.1
    return prepare + timing.warm_up_s + timing.min_time_s


def power_seconds(power: AdaptiveProtocol) -> float:
    """Seconds of the power phase of a visit: settling, and a window as most need it."""
    period = power.period_s or 0.1
    return power.settle_s + (power.window_publications + 3) * period


def _layer_work(c: Configuration) -> tuple[float, float, float]:
    weights = cost.ELEMENT_BYTES * cost.weight_elements(c)
    work = cost.macs(c)
    if not work:
        # Other layers do a few operations for each place of the window, a vector at a time.
        work = 4 * cost.output_elements(c) * c.kernel_height * c.kernel_width
    return float(work), float(cost.total_bytes(c) - weights), float(weights)


@lru_cache(maxsize=256)
def _network_work(item: NetworkItem, load: NetworkLoader) -> tuple[float, float, float]:
    layers = load(item).layers
    macs = sum(layer.macs or 0 for layer in layers)
    shapes = [shape for layer in layers for shape in layer.top_shapes if shape]
    moved = 8.0 * sum(math.prod(shape) for shape in shapes)
    return float(macs), moved, 4.0 * sum(layer.params or 0 for layer in layers)
