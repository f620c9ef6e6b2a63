"""Measured whole passes and the layers inside them, repeats merged by their median."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from neuralpower.core.errors import InputError
from neuralpower.core.targets import TARGETS
from neuralpower.records.faults import Fault, faults
from neuralpower.records.folder import (
    Platform,
    Row,
    load_network_layer_rows,
    load_network_rows,
)

Key = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Pass:
    """Whole passes of one network at one batch size, repeats merged by their median.

    ``values`` and ``half_ranges`` (half of largest less smallest) by target; a target that was
    not measured is absent. Where the table has a column ``input`` (``3x224x224``, one image), the
    passes are distinguished by it: ``network`` is then the architecture and the size of its input
    (``resnet18_224``), and ``image`` are the sizes. A network that is held out is held out with
    its ``architecture``, at all sizes.
    """

    network: str
    batch: int
    runs: int
    values: Mapping[str, float]
    half_ranges: Mapping[str, float]
    architecture: str = ""
    image: tuple[int, ...] = ()


def pass_name(network: str, image: Sequence[int]) -> str:
    """The name of a network at an input size: ``resnet18_224``, ``lenet_28x32``; without: itself.

    Channels are not part of it: they belong to the architecture.
    """
    if not image:
        return network
    _, *sides = image
    return f"{network}_{sides[0] if len(set(sides)) == 1 else 'x'.join(map(str, sides))}"


def _image(row: Row) -> tuple[int, ...]:
    text = str(row.values.get("input") or "").strip()
    if not text:
        return ()
    parts = text.split("x")
    if len(parts) != 3 or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise InputError(
            f"column input: {text!r} is not channels x height x width, as 3x224x224",
            path=row.file,
            row=row.number,
        )
    return tuple(map(int, parts))


def load_passes(platform: Platform) -> list[Pass]:
    """Measured passes, one per network and batch size in order of name and batch."""
    return merged_passes(load_network_rows(platform))


def pass_faults(platform: Platform) -> list[Fault]:
    """Values of the table of whole passes that are left out; a cell that is empty is none."""
    return [
        fault
        for fault in faults(load_network_rows(platform))
        if not fault.reason.endswith("is missing")
    ]


def merged_passes(rows: Sequence[Row]) -> list[Pass]:
    """Rows of a network measurement table merged by network, input size and batch size.

    Values that are no measurement (``records.faults``) are left out; energy is the product where
    only runtime and power were measured.
    """
    bad = {(fault.file, fault.row, fault.column) for fault in faults(rows)}
    found: dict[tuple[str, tuple[int, ...], int], dict[str, list[float]]] = {}
    for row in rows:
        values: dict[str, Any] = {
            name: None if (row.file, row.number, name) in bad else value
            for name, value in row.values.items()
        }
        if values["batch"] is None or (row.file, row.number, "valid") in bad:
            continue
        targets = found.setdefault((values["network"], _image(row), values["batch"]), {})
        joules = values.get("energy_j")
        energy = values.get("energy_mj") if joules is None else 1000 * joules
        if energy is None and None not in (values.get("runtime_ms"), values.get("power_w")):
            energy = values["runtime_ms"] * values["power_w"]
        given = (values.get("runtime_ms"), values.get("power_w"), energy)
        for target, value in zip(TARGETS, given, strict=True):
            if value is not None and math.isfinite(value) and value > 0:
                targets.setdefault(target, []).append(float(value))
    return [
        Pass(
            pass_name(network, image),
            batch,
            max(len(values) for values in targets.values()),
            {target: float(median(values)) for target, values in targets.items()},
            {
                target: (max(values) - min(values)) / 2
                for target, values in targets.items()
                if len(values) > 1
            },
            network,
            image,
        )
        for (network, image, batch), targets in sorted(found.items())
        if targets
    ]


def measured_inside(platform: Platform) -> dict[Key, dict[str, float]]:
    """Runtime of the layers inside the platform's passes, ms: (network, batch) -> layer -> time."""
    found: dict[Key, dict[str, list[float]]] = {}
    for row in load_network_layer_rows(platform):
        values = row.values
        time = values["runtime_ms"]
        if time is not None and math.isfinite(time) and time >= 0:
            name = pass_name(values["network"], _image(row))
            layers = found.setdefault((name, values["batch"]), {})
            layers.setdefault(values["name"], []).append(time)
    return {
        key: {name: float(median(times)) for name, times in layers.items()}
        for key, layers in found.items()
    }
