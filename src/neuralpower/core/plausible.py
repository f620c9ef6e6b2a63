"""Configurations that cannot be: sizes that contradict each other, work beyond any device.

One such row in a thousand bends a family's models, and nothing in its runtime shows it. The rules
hold for every framework: an output may be rounded down or up, and padding may be one longer on
one side. They serve whole numbers and arrays alike; sizes are at or above their least values.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any, TypeAlias

from neuralpower.core import cost

#: A number, or an array of n of them: the rules are written once for both.
Numbers: TypeAlias = Any
Sizes: TypeAlias = cost.Sizes[Numbers]
Broken: TypeAlias = Callable[[Sizes, Numbers], Numbers]
Text: TypeAlias = Callable[[Sizes, Numbers], str]

#: 10^13 bytes of input, output and weights: more than any one device holds.
MOST_BYTES = 10**13
#: 10^16 multiply-accumulates a second: several times the fastest accelerators of 2025 (a B200 has
#: 4.5 x 10^15 of 8 bits by its data sheet).
MOST_MACS_PER_MS = 10**13
#: 10^13 elements read a second: beyond what their caches deliver.
MOST_ELEMENTS_PER_MS = 10**10
#: A nanosecond and eleven days: what is outside is no measurement of a layer.
LEAST_MS, MOST_MS = 1e-6, 1e9
#: Four times the hottest boards of 2025 (a B200 draws 1.2 kW): what is above is in milliwatts.
MOST_WATTS = 5e3
#: What a data sheet or a manifest may say of a device, least and most, with the unit: from a
#: thousandth of a microcontroller's to ten times the fastest board of 2025 (a B200 moves 8,000
#: GB/s). What is beyond is a slip of the unit, and would make every prediction nonsense.
DEVICE_FACTS: dict[str, tuple[float, float, str]] = {
    "peak_gflops": (1e-3, 2e-6 * MOST_MACS_PER_MS, "10^9 operations/s"),
    "bandwidth_gb_s": (1e-3, 1e5, "GB/s"),
    "power_cap_w": (1e-3, MOST_WATTS, "W"),
    "idle_power_w": (1e-3, MOST_WATTS, "W"),
}


def impossible_facts(facts: Mapping[str, float | None]) -> Iterator[str]:
    """Why no device has facts like these (of ``DEVICE_FACTS``, those that are known).

    >>> list(impossible_facts({"power_cap_w": 250000.0, "idle_power_w": 20.0}))
    ['power_cap_w 250000: devices have 0.001 to 5000 W; is the unit right?']
    """
    idle_w, cap_w = facts.get("idle_power_w"), facts.get("power_cap_w")
    if idle_w is not None and cap_w is not None and idle_w >= cap_w:
        yield f"idle_power_w {idle_w:g} is not below the board's limit of {cap_w:g} W: correct one"
    for name, (least, most, unit) in DEVICE_FACTS.items():
        value = facts.get(name)
        if value is not None and not least <= value <= most:
            yield f"{name} {value:g}: devices have {least:g} to {most:g} {unit}; is the unit right?"


_WINDOWED = ("conv", "deconv", "pool")
_MATRIX = ("conv", "deconv", "fc")
#: Their outputs are inputs put together, or flattened ones.
_FREE = ("fc", "concat")


@dataclass(frozen=True)
class Rule:
    """What a configuration ``c`` taking ``ms`` must not be; both are numbers, or arrays of n.

    ``broken(c, ms)``: bool or (n,) of bool; ``text(c, ms)``: the reason, for numbers.
    """

    column: str
    broken: Broken
    text: Text


def broken_rules(c: cost.Sizes[int], ms: float) -> Iterator[tuple[str, str]]:
    """The column and the reason of every rule that a configuration breaks."""
    for rule in RULES:
        if rule.broken(c, ms):
            yield rule.column, rule.text(c, ms)


def implausible(c: Sizes, ms: Numbers) -> Numbers:
    """(n,) of bool: rows of one family that break a rule, from columns of float64."""
    return reduce(or_, (rule.broken(c, ms) for rule in RULES))


def contradictions(c: cost.Sizes[int]) -> Iterator[tuple[str, str]]:
    """The column and the reason of every rule that sizes alone break, whatever the time."""
    for rule in RULES:
        if rule.column != "runtime_ms" and rule.broken(c, math.inf):
            yield rule.column, rule.text(c, math.inf)


def contradictory(c: Sizes) -> Numbers:
    """(n,) of bool: rows of one family whose sizes alone break a rule."""
    rules = [rule for rule in RULES if rule.column != "runtime_ms"]
    return reduce(or_, (rule.broken(c, math.inf) for rule in rules))


def _of(c: Sizes, name: str, axis: str) -> Numbers:
    return getattr(c, f"{name}_{axis}")


def _possible(c: Sizes, axis: str) -> tuple[Numbers, Numbers]:
    """The smallest and the largest output along one direction."""
    size = _of(c, "in", axis)
    if c.family not in _WINDOWED:
        return size, size
    kernel, stride, pad, dilation = (
        _of(c, name, axis) for name in ("kernel", "stride", "pad", "dilation")
    )
    extent = dilation * (kernel - 1) + 1
    if c.family == "deconv":
        out = stride * (size - 1) + extent - 2 * pad
        return out - 1, out + stride + dilation
    out = (size + 2 * pad - extent) // stride + 1
    return out - 1, out + 1


def _off(axis: str) -> Broken:
    def broken(c: Sizes, ms: Numbers) -> Numbers:
        out = _of(c, "out", axis)
        if c.family in _FREE:
            return out < 0
        low, high = _possible(c, axis)
        return (out < low) | (out > high)

    return broken


def _off_text(axis: str) -> Text:
    def text(c: Sizes, ms: Numbers) -> str:
        (low, high), out = _possible(c, axis), _of(c, "out", axis)
        usual = low if low == high else low + 1
        size = _of(c, "in", axis)
        return f"{c.family}: an input of {size} gives an output of {usual}, not {out}"

    return text


def _ungrouped(c: Sizes, ms: Numbers) -> Numbers:
    if c.family not in ("conv", "deconv"):
        return c.groups < 0
    return (c.in_channels % c.groups > 0) | (c.out_channels % c.groups > 0)


def _channels_differ(c: Sizes, ms: Numbers) -> Numbers:
    if c.family in ("conv", "deconv", "fc"):
        return c.out_channels < 0
    if c.family == "concat":
        return c.out_channels < c.inputs
    return c.in_channels != c.out_channels


def _work(c: Sizes) -> tuple[Numbers, int, str]:
    if c.family in _MATRIX:
        return cost.macs(c), MOST_MACS_PER_MS, "multiply-accumulates"
    return cost.input_elements(c), MOST_ELEMENTS_PER_MS, "elements read"


def _too_fast(c: Sizes, ms: Numbers) -> Numbers:
    if c.family == "dropout":  # does nothing
        return ms < 0
    work, most, _ = _work(c)
    return work / most > ms


def _too_fast_text(c: Sizes, ms: Numbers) -> str:
    work, _, what = _work(c)
    return f"{1000.0 * work / ms:.2g} {what} a second: no device does"


RULES: tuple[Rule, ...] = (
    Rule("out_height", _off("height"), _off_text("height")),
    Rule("out_width", _off("width"), _off_text("width")),
    Rule(
        "groups",
        _ungrouped,
        lambda c, ms: f"{c.family}: {c.groups} groups do not divide the channels",
    ),
    Rule(
        "out_channels",
        _channels_differ,
        lambda c, ms: (
            f"{c.family}: {c.in_channels} channels ({c.inputs} inputs) do not give {c.out_channels}"
        ),
    ),
    Rule("bias", lambda c, ms: c.bias > 1, lambda c, ms: f"a bias of {c.bias}: 0 or 1 is needed"),
    Rule(
        "batch",
        lambda c, ms: cost.total_bytes(c) > MOST_BYTES,
        lambda c, ms: f"{cost.total_bytes(c):.2g} bytes of data: no device holds them",
    ),
    Rule("runtime_ms", _too_fast, _too_fast_text),
    Rule(
        "runtime_ms",
        lambda c, ms: (ms < LEAST_MS) | (ms > MOST_MS),
        lambda c, ms: f"runtime {ms:g} ms: no measurement of a layer",
    ),
)
