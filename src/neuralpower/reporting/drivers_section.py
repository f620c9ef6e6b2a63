"""What drives a model's cost: the picture of a typical layer whose sizes change one at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from neuralpower.core.families import FAMILY
from neuralpower.core.targets import LABELS, UNITS
from neuralpower.networks.text import number
from neuralpower.reporting.charts import INK, Axis, Chart, Picture, colour
from neuralpower.reporting.tables import Column, Table, figure, whole, word
from neuralpower.reporting.ticks import padded

if TYPE_CHECKING:
    from neuralpower.scoring.drivers import Drivers

#: A size has the same colour in every picture.
_COLOURS = (
    *("batch", "channels", "input channels", "output channels", "height and width", "kernel"),
    *("stride", "inputs"),
)
_FACTORS = (1 / 8, 1 / 4, 1 / 2, 1.0, 2.0, 4.0, 8.0)


@dataclass(frozen=True, slots=True)
class DriversSection:
    """A sentence about the typical layer, the picture, and its figures as a table."""

    sentence: str
    figure: Picture
    table: Table


def drivers_section(
    target: str, model: Mapping[str, object], medians: Mapping[str, float]
) -> DriversSection | None:
    """The section of one model; None where its file or the measured sizes do not allow it."""
    # Here, as the workflow asks the pages for their inputs and needs no numpy for that.
    from neuralpower.scoring.drivers import stored_drivers

    found = stored_drivers(model, medians)
    if found is None or not found.curves:
        return None
    return DriversSection(_sentence(target, found), _picture(target, found), _table(target, found))


def _sentence(target: str, found: Drivers) -> str:
    c = found.layer
    shape = FAMILY[c.family].shape
    sides = "" if shape == "fc" else f" of {c.in_height} x {c.in_width}"
    inputs = f"{c.inputs} inputs of " if c.inputs > 1 else ""
    parts = [f"batch {c.batch}", f"{inputs}{c.in_channels} channels{sides}"]
    if shape in ("conv", "deconv", "fc"):
        parts.append(f"{c.out_channels} outputs")
    if shape in ("conv", "deconv", "pool"):
        parts.append(f"kernel {c.kernel_height}, stride {c.stride_height}")
    verb = {"runtime_ms": "takes", "power_w": "draws", "energy_mj": "costs"}[target]
    top = found.curves[0]
    return (
        f"A layer of the typical measured size ({', '.join(parts)}) {verb} "
        f"{number(found.cost)} {UNITS[target]}. What moves it most: {top.words}; each doubling "
        f"multiplies the {LABELS[target]} by {number(top.per_doubling, 2)}."
    )


def _picture(target: str, found: Drivers) -> Picture:
    name = LABELS[target]
    factors = [cost for curve in found.curves for _, cost in curve.points]
    multiples = [size / curve.typical for curve in found.curves for size, _ in curve.points]
    chart = Chart(440, 0)
    entries = [(curve.words, _colour(curve.words)) for curve in found.curves]
    top = chart.legend_height(56, [label for label, _ in entries]) + 8
    chart.height = top + 240 + 48
    ends = padded(multiples)
    up = padded([*factors, 0.9, 1.1])
    ticks = {f: "1" if f == 1 else f"×{f:g}" if f > 1 else f"÷{1 / f:g}" for f in _FACTORS}
    plane = chart.plane(
        Axis(ends, "size over the typical layer's",
             ticks={f: text for f, text in ticks.items() if ends[0] <= f <= ends[1]}),
        Axis(up, f"{name} over the typical layer's", most=6),
        (56, top, chart.width - 14, top + 240),
    )  # fmt: skip
    chart.legend(56, entries)
    plane.level(1.0)
    # In proportion: the part of the diagonal that lies in the plane.
    low, high = max(ends[0], up[0]), min(ends[1], up[1])
    plane.line([(low, low), (high, high)], INK, "line thin roof")
    for curve in reversed(found.curves):
        points = [(size / curve.typical, cost) for size, cost in curve.points]
        plane.line(points, _colour(curve.words))
    plane.dots([(1.0, 1.0, "the typical layer")], INK)
    return chart.picture(
        f"drivers-{name}",
        f"{name.capitalize()} of a typical layer as one of its sizes changes",
        "One size changes at a time, as far as it was measured (at most eight times either way): "
        "the steeper the line, the more that size drives the "
        f"{name}. Dashed: in proportion to the size.",
    )


def _colour(words: str) -> str:
    return colour(_COLOURS.index(words))


def _table(target: str, found: Drivers) -> Table:
    name = LABELS[target]
    columns = [Column("Size", False), Column("Typical"), Column("Measured from"), Column("to"),
               Column(f"Each doubling: {name} times")]  # fmt: skip
    rows = [
        [word(curve.words), whole(curve.typical), whole(curve.measured[0]),
         whole(curve.measured[1]), figure(curve.per_doubling)]
        for curve in found.curves
    ]  # fmt: skip
    caption = (
        f"What moves the {name} most comes first. The factor holds near the typical layer, from "
        "half to twice its size; the output follows the changed size."
    )
    return Table(f"drivers-table-{name}", f"What drives the {name}", caption, columns, rows)
