"""Small charts as SVG of the report's own: the figures of a network's page.

Starting matplotlib takes longer than all else on such a page, and there is a page a network.
Colours are the page's CSS variables; every mark tells what it is when pointed at.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from neuralpower.reporting.plots import Picture

#: Width of a letter and height of a line of the charts' text, in pixels.
LETTER, LINE = 6.6, 16.0


@dataclass(frozen=True, slots=True)
class Scale:
    """Where values stand between two places in pixels, logarithmic or linear."""

    ends: tuple[float, float]
    places: tuple[float, float]
    log: bool = True

    def __call__(self, value: float) -> float:
        """The place of a value; one beyond the ends stands at the end."""
        first, last = self.ends
        value = min(max(value, first), last)
        if self.log:
            first, last, value = math.log(first), math.log(last), math.log(value)
        share = (value - first) / (last - first)
        return round(self.places[0] + share * (self.places[1] - self.places[0]), 1)


def colour(index: int) -> str:
    """The CSS variable of a series."""
    return f"var(--s{index % 8})"


@dataclass
class Chart:
    """A drawing of ``width`` by ``height`` pixels, filled part by part."""

    width: float
    height: float
    parts: list[Markup] = field(default_factory=list)

    def add(self, markup: str, **values: Any) -> None:
        """Append an element; values are escaped."""
        self.parts.append(Markup(markup).format(**values))

    def text(self, x: float, y: float, text: str, anchor: str = "start", kind: str = "") -> None:
        """A line of text; ``kind`` is a class of the style sheet."""
        marks = Markup("")
        if anchor != "start":
            marks += Markup(' text-anchor="{}"').format(anchor)
        if kind:
            marks += Markup(' class="{}"').format(kind)
        self.add(
            '<text x="{x:g}" y="{y:g}"{marks}>{text}</text>',
            x=round(x, 1), y=round(y, 1), marks=marks, text=text,
        )  # fmt: skip

    def x_axis(self, scale: Scale, ticks: Mapping[float, str], y: tuple[float, float]) -> None:
        """Grid lines between two heights (the second the lower end) with labels under them."""
        for value, label in ticks.items():
            x = scale(value)
            self.add('<path class="grid" d="M{x:g} {y[0]:g}V{y[1]:g}"/>', x=x, y=y)
            self.text(x, y[1] + LINE, label, "middle")

    def y_axis(self, scale: Scale, ticks: Mapping[float, str], x: tuple[float, float]) -> None:
        """Grid lines from left to right with labels before them."""
        for value, label in ticks.items():
            y = scale(value)
            self.add('<path class="grid" d="M{x[0]:g} {y:g}H{x[1]:g}"/>', x=x, y=y)
            self.text(x[0] - 6, y + 4, label, "end")

    def turned(self, x: float, y: float, text: str) -> None:
        """The name of a vertical axis, centred at a height."""
        self.add(
            '<text transform="translate({x:g} {y:g}) rotate(-90)" text-anchor="middle">{text}'
            "</text>",
            x=x, y=round(y, 1), text=text,
        )  # fmt: skip

    def line(self, points: Iterable[tuple[float, float]], stroke: str, kind: str = "line") -> None:
        """A line through places in pixels."""
        self.add('<path class="{k}" d="{d}" stroke="{s}"/>', k=kind, d=_path(points), s=stroke)

    def band(self, points: Iterable[tuple[float, float]], fill: str) -> None:
        """A pale area whose border runs through places in pixels."""
        self.add('<path class="band" d="{d}Z" fill="{fill}"/>', d=_path(points), fill=fill)

    def dots(self, marks: Iterable[tuple[float, float, str]], fill: str) -> None:
        """Dots at places in pixels, each with what it tells."""
        dot = Markup('<circle cx="{:g}" cy="{:g}"><title>{}</title></circle>')
        circles = Markup("\n").join(dot.format(*mark) for mark in marks)
        self.add('<g fill="{fill}">{circles}</g>', fill=fill, circles=circles)

    def bar(self, x: float, y: float, size: tuple[float, float], fill: str, title: str) -> None:
        """A bar that tells ``title``; ``size`` is its width and height."""
        self.add(
            '<rect x="{x:g}" y="{y:g}" width="{w:g}" height="{h:g}" fill="{fill}"><title>{title}'
            "</title></rect>",
            x=round(x, 1), y=y, w=round(size[0], 1), h=size[1], fill=fill, title=title,
        )  # fmt: skip

    def legend(self, x: float, entries: Sequence[tuple[str, str]]) -> None:
        """Colours and their labels in lines from the top left; see ``legend_height``."""
        place, y = x, 11.0
        for label, fill in entries:
            wide = 26 + LETTER * len(label)
            if place > x and place + wide > self.width:
                place, y = x, y + LINE
            self.add(
                '<rect x="{x:g}" y="{y:g}" width="11" height="11" fill="{fill}"/>',
                x=round(place, 1), y=y - 9, fill=fill,
            )  # fmt: skip
            self.text(place + 16, y + 1, label)
            place += wide

    def legend_height(self, x: float, labels: Sequence[str]) -> float:
        """The height that ``legend`` takes, for a drawing below it."""
        place, height = x, LINE
        for label in labels:
            wide = 26 + LETTER * len(label)
            if place > x and place + wide > self.width:
                place, height = x, height + LINE
            place += wide
        return height

    def picture(self, id: str, label: str, caption: str) -> Picture:
        """The chart for a page: ``label`` is read out by screen readers, ``caption`` is shown."""
        head = Markup(
            '<svg class="chart" role="img" aria-label="{}" width="{:g}" height="{:g}" '
            'viewBox="0 0 {:g} {:g}">'
        ).format(label, self.width, self.height, self.width, self.height)
        return Picture(id, Markup("\n").join([head, *self.parts, Markup("</svg>")]), caption)


def _path(points: Iterable[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in points)
