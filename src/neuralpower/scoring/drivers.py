"""What drives a model's cost: one size at a time changed on a typical layer of its family.

A partial-dependence picture at one point: the typical layer has the median of every measured size,
and each driver moves alone, within what was measured; sizes that follow from it (the output's
height and width, the padding that keeps a map's size) follow.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace

from neuralpower.core.configuration import Configuration
from neuralpower.core.families import FAMILY
from neuralpower.core.geometry import complete
from neuralpower.modeling.models import Model
from neuralpower.networks.estimates import configuration_columns

#: A driver is followed up to this factor either way of the typical size, in steps of sqrt(2).
_FARTHEST = 8.0
_STEPS = 6


@dataclass(frozen=True, slots=True)
class Curve:
    """How the cost of a typical layer follows one of its sizes.

    ``points``: pairs of a size and the cost there over the typical layer's. ``measured``: the
    least and the largest size that was measured. ``per_doubling``: what each doubling of the size
    multiplies the cost with, from half to twice the typical size as far as that was measured.
    """

    words: str
    typical: int
    measured: tuple[int, int]
    points: tuple[tuple[int, float], ...]
    per_doubling: float


@dataclass(frozen=True, slots=True)
class Drivers:
    """The typical layer of a family, its cost in the target's unit, and the curves of its sizes."""

    layer: Configuration
    cost: float
    curves: tuple[Curve, ...]


@dataclass(frozen=True, slots=True)
class _Driver:
    words: str
    column: str
    set: Callable[[Configuration, int], Configuration]


def _batch(c: Configuration, size: int) -> Configuration:
    return replace(c, batch=size)


def _in_channels(c: Configuration, size: int) -> Configuration:
    return replace(c, in_channels=size)


def _out_channels(c: Configuration, size: int) -> Configuration:
    return replace(c, out_channels=size)


def _channels(c: Configuration, size: int) -> Configuration:
    out = size * c.inputs if FAMILY[c.family].shape == "joined" else size
    return replace(c, in_channels=size, out_channels=out)


def _side(c: Configuration, size: int) -> Configuration:
    return replace(c, in_height=size, in_width=size)


def _kernel(c: Configuration, size: int) -> Configuration:
    pad = (size - 1) // 2 if c.pad_height else 0
    return replace(c, kernel_height=size, kernel_width=size, pad_height=pad, pad_width=pad)


def _stride(c: Configuration, size: int) -> Configuration:
    return replace(c, stride_height=size, stride_width=size)


def _inputs(c: Configuration, size: int) -> Configuration:
    return _channels(replace(c, inputs=size), c.in_channels)


_WINDOW = (
    _Driver("kernel", "kernel_height", _kernel),
    _Driver("stride", "stride_height", _stride),
)
_MAP = (
    _Driver("batch", "batch", _batch),
    _Driver("channels", "in_channels", _channels),
    _Driver("height and width", "in_height", _side),
)
_TWO_SIDED = (
    _Driver("batch", "batch", _batch),
    _Driver("input channels", "in_channels", _in_channels),
    _Driver("output channels", "out_channels", _out_channels),
)
#: What may drive the cost of a family, by how its output follows from its input.
_DRIVERS: Mapping[str, tuple[_Driver, ...]] = {
    "conv": (*_TWO_SIDED, _MAP[2], *_WINDOW),
    "deconv": (*_TWO_SIDED, _MAP[2], *_WINDOW),
    "fc": _TWO_SIDED,
    "pool": (*_MAP, *_WINDOW),
    "joined": (*_MAP, _Driver("inputs", "inputs", _inputs)),
    "same": (*_MAP, _Driver("inputs", "inputs", _inputs)),
}


def stored_drivers(stored: Mapping[str, object], medians: Mapping[str, float]) -> Drivers | None:
    """``drivers`` of a model's file; None also where the file does not hold a whole model."""
    try:
        model = Model.from_json(stored)
    except (ValueError, KeyError, TypeError):
        return None
    return drivers(model, medians)


def drivers(model: Model, medians: Mapping[str, float]) -> Drivers | None:
    """The drivers of a model's cost, strongest first; None where no typical layer can exist.

    ``medians``: the measured median of the configuration columns that vary.
    """
    layer = _typical(model, medians)
    if layer is None:
        return None
    cost = _costs(model, [layer])[0]
    found = []
    for driver in _DRIVERS[FAMILY[model.family].shape]:
        curve = _curve(model, driver, layer, cost)
        if curve is not None:
            found.append(curve)
    found.sort(key=lambda curve: -abs(math.log(curve.per_doubling)))
    return Drivers(layer, cost, tuple(found))


def _typical(model: Model, medians: Mapping[str, float]) -> Configuration | None:
    shape = FAMILY[model.family].shape
    sizes = dict.fromkeys(("batch", "in_channels", "in_height", "in_width", "out_channels"), 1)
    sizes |= {"out_height": 1, "out_width": 1}
    for name in (each.name for each in fields(Configuration)):
        known = medians.get(name, model.ranges.get(name, (None,))[0])
        if known is not None:
            sizes[name] = round(known)
    # Square and in one group: the picture is of a layer that people have in mind.
    sizes |= dict.fromkeys(("groups", "dilation_height", "dilation_width"), 1)
    if shape == "fc":
        sizes |= dict.fromkeys(("in_height", "in_width"), 1)
    method = "max" if "max" in model.methods else next(iter(model.methods), "")
    layer = _side(
        Configuration(family=model.family, pool_method=method, **sizes), sizes["in_height"]
    )
    if shape in ("conv", "deconv", "pool"):
        layer = _stride(_kernel(layer, layer.kernel_height), layer.stride_height)
    if shape in ("pool", "same", "joined"):
        layer = _channels(layer, layer.in_channels)
    return complete(layer)


def _curve(model: Model, driver: _Driver, layer: Configuration, cost: float) -> Curve | None:
    typical = getattr(layer, driver.column)
    low, high = (round(end) for end in model.ranges.get(driver.column, (typical, typical)))
    if not low <= typical <= high or low == high:
        return None
    steps = [typical * 2 ** (k / 2) for k in range(-_STEPS, _STEPS + 1)]
    near = {max(low, math.ceil(typical / 2)), min(high, 2 * typical)}
    wanted = {typical, *near, *(round(s) for s in steps if low <= s <= high)}
    least, most = max(low, typical / _FARTHEST), min(high, typical * _FARTHEST)
    wanted |= {math.ceil(least), math.floor(most)}
    layers = {size: complete(driver.set(layer, size)) for size in sorted(wanted) if size > 0}
    possible = {size: one for size, one in layers.items() if one is not None}
    costs = dict(zip(possible, _costs(model, list(possible.values())), strict=True))
    ends = sorted(near & costs.keys())
    if len(costs) < 2 or len(ends) < 2:
        return None
    doublings = math.log2(ends[1] / ends[0])
    return Curve(
        words=driver.words,
        typical=typical,
        measured=(low, high),
        points=tuple((size, value / cost) for size, value in costs.items()),
        per_doubling=(costs[ends[1]] / costs[ends[0]]) ** (1 / doublings),
    )


def _costs(model: Model, layers: list[Configuration]) -> list[float]:
    return [float(value) for value in model.predict(configuration_columns(layers)).value]
