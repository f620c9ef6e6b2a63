"""The report's figures: SVG of the report's own, drawn from numbers that stand in a table.

One system for all figures: the same tables give the same bytes, colours are the page's CSS
variables (one figure serves light and dark), text stays text, marks say what they are when pointed
at, and nothing has to be started before the first line is drawn (docs/report.md).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from markupsafe import Markup

from neuralpower.reporting.ticks import log_ticks, plain, round_ticks

#: Width of a letter and height of a line of the charts' text, in pixels.
LETTER, LINE = 6.6, 16.0
#: Names of the colours of the style sheet, other than the series' own.
INK, QUIET, GRID = "var(--ink)", "var(--quiet)", "var(--line)"

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure for a page with its caption: what it shows and from which table."""

    id: str
    svg: object
    caption: str
    #: Wider than a telephone: it scrolls there in a region that is named so.
    wide: str = ""


@dataclass(frozen=True, slots=True)
class Scale:
    """Where values stand between two places in pixels, logarithmic or linear."""

    ends: tuple[float, float]
    places: tuple[float, float]
    log: bool = True

    def __call__(self, value: float) -> float:
        """The place of a value; one beyond the ends is put at the end."""
        first, last = self.ends
        value = min(max(value, min(self.ends)), max(self.ends))
        if self.log:
            first, last, value = math.log(first), math.log(last), math.log(value)
        share = (value - first) / (last - first)
        return round(self.places[0] + share * (self.places[1] - self.places[0]), 1)

    def ticks(self, most: int) -> dict[float, str]:
        """A few round numbers on the scale with their labels."""
        found = log_ticks(self.ends, most) if self.log else round_ticks(self.ends, most)
        return {value: plain(value) for value in found}


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis to draw: its ends, its kind, its name, and its ticks where they are given."""

    ends: tuple[float, float]
    label: str = ""
    log: bool = True
    most: int = 5
    ticks: Mapping[float, str] | None = None

    def scale(self, places: tuple[float, float]) -> Scale:
        """The scale between two places."""
        return Scale(self.ends, places, self.log)


def colour(index: int) -> str:
    """The CSS variable of a series."""
    return f"var(--s{index % 8})"


@dataclass
class Chart:
    """A drawing of ``width`` by ``height`` pixels, filled part by part."""

    width: float
    height: float
    parts: list[Markup] = field(default_factory=list)

    def add(self, markup: str, **values: object) -> None:
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

    def turned(self, x: float, y: float, text: str) -> None:
        """The name of a vertical axis, centred at a height."""
        self.add(
            '<text transform="translate({x:g} {y:g}) rotate(-90)" text-anchor="middle">{text}'
            "</text>",
            x=x, y=round(y, 1), text=text,
        )  # fmt: skip

    def plane(
        self, x: Axis, y: Axis, box: tuple[float, float, float, float], title: str = ""
    ) -> Plane:
        """Axes with their grid and names around a box (left, top, right, bottom)."""
        left, top, right, bottom = box
        plane = Plane(self, x.scale((left, right)), y.scale((bottom, top)))
        # One path for the grid and one group for the labels of an axis: pages stay small.
        ticks = plane.x.ticks(x.most) if x.ticks is None else x.ticks
        places = {plane.x(value): label for value, label in ticks.items()}
        grid = [f"M{at:g} {top:g}V{bottom:g}" for at in places]
        self._labels("middle", [(at, bottom + LINE, text) for at, text in places.items()])
        ticks = plane.y.ticks(y.most) if y.ticks is None else y.ticks
        places = {plane.y(value): label for value, label in ticks.items()}
        grid += [f"M{left:g} {at:g}H{right:g}" for at in places]
        self._labels("end", [(left - 6, at + 4, text) for at, text in places.items()])
        self.add('<path class="grid" d="{d}"/>', d="".join(grid))
        if x.label:
            self.text((left + right) / 2, bottom + 2 * LINE + 4, x.label, "middle")
        if y.label:
            self.turned(12, (top + bottom) / 2, y.label)
        if title:
            self.text(left, top - 8, title, kind="title")
        return plane

    def _labels(self, anchor: str, labels: Iterable[tuple[float, float, str]]) -> None:
        """Lines of text that are anchored alike, as one group."""
        line = Markup('<text x="{:g}" y="{:g}">{}</text>')
        texts = [line.format(round(x, 1), round(y, 1), text) for x, y, text in labels]
        self.add('<g text-anchor="{a}">{texts}</g>', a=anchor, texts=Markup("\n").join(texts))

    def bar(self, x: float, y: float, size: Point, fill: str, title: str) -> None:
        """A bar that says ``title``; ``size`` is its width and height."""
        self.add(
            '<rect x="{x:g}" y="{y:g}" width="{w:g}" height="{h:g}" fill="{fill}"><title>{title}'
            "</title></rect>",
            x=round(x, 1), y=y, w=round(size[0], 1), h=size[1], fill=fill, title=title,
        )  # fmt: skip

    def legend(self, x: float, entries: Sequence[tuple[str, str]]) -> None:
        """Colours and their labels in lines from the top left; see ``legend_height``."""
        for (place, y), (label, fill) in zip(self._legend(x, entries), entries, strict=True):
            self.add(
                '<rect x="{x:g}" y="{y:g}" width="11" height="11" fill="{fill}"/>',
                x=round(place, 1), y=y - 9, fill=fill,
            )  # fmt: skip
            self.text(place + 16, y + 1, label)

    def legend_height(self, x: float, labels: Sequence[str]) -> float:
        """The height that ``legend`` takes, for a drawing below it."""
        places = self._legend(x, [(label, "") for label in labels])
        return max((y for _, y in places), default=11.0) + 5

    def _legend(self, x: float, entries: Sequence[tuple[str, str]]) -> list[Point]:
        place, y = x, 11.0
        found = []
        for label, _ in entries:
            wide = 26 + LETTER * len(label)
            if place > x and place + wide > self.width:
                place, y = x, y + LINE
            found.append((place, y))
            place += wide
        return found

    def svg(self, label: str) -> Markup:
        """The drawing; ``label`` is read out by screen readers."""
        head = Markup(
            '<svg class="chart" role="img" aria-label="{}" width="{:g}" height="{:g}" '
            'viewBox="0 0 {:g} {:g}">'
        ).format(label, self.width, self.height, self.width, self.height)
        return Markup("\n").join([head, *self.parts, Markup("</svg>")])

    def picture(self, id: str, label: str, caption: str) -> Picture:
        """The chart for a page: ``caption`` is shown below it."""
        return Picture(id, self.svg(label), caption, label)


def panels(id: str, label: str, caption: str, charts: Mapping[str, Chart]) -> Picture:
    """Small charts by name that stand side by side as far as the page is wide."""
    drawn = [chart.svg(f"{label}: {name}") for name, chart in charts.items()]
    inside = Markup("\n").join(drawn)
    return Picture(id, Markup('<div class="panels">\n{}\n</div>').format(inside), caption)


#: A small chart of a family, five in a row of 1,225 pixels, and the box of its plane.
PANEL = (229.0, 206.0)
PANEL_BOX = (50.0, 26.0, 216.0, 164.0)


@dataclass(frozen=True, slots=True)
class Plane:
    """Two scales in a chart; everything is drawn in the values' own units."""

    chart: Chart
    x: Scale
    y: Scale

    def _place(self, points: Iterable[Point]) -> list[Point]:
        return [(self.x(x), self.y(y)) for x, y in points]

    def line(self, points: Iterable[Point], stroke: str, kind: str = "line") -> None:
        """A line through points."""
        places = self._place(points)
        if places:
            self.chart.add('<path class="{k}" d="{d}" stroke="{s}"/>',
                           k=kind, d=_path(places), s=stroke)  # fmt: skip

    def steps(self, points: Sequence[Point], stroke: str, kind: str = "line thin") -> None:
        """A line that holds each value until the next."""
        places = self._place(points)
        if not places:
            return
        text = _path(places[:1]) + "".join(f"H{x:g}V{y:g}" for x, y in places[1:])
        self.chart.add('<path class="{k}" d="{d}" stroke="{s}"/>', k=kind, d=text, s=stroke)

    def band(self, points: Iterable[Point], fill: str) -> None:
        """A pale area whose border runs through points."""
        self.chart.add('<path class="band" d="{d}Z" fill="{fill}"/>',
                       d=_path(self._place(points)), fill=fill)  # fmt: skip

    def span(self, from_x: float, to_x: float, fill: str) -> None:
        """A pale area over the whole height."""
        low, high = self.y.ends
        self.band([(from_x, low), (to_x, low), (to_x, high), (from_x, high)], fill)

    def level(self, y: float) -> None:
        """A thin line from left to right."""
        self.line([(self.x.ends[0], y), (self.x.ends[1], y)], QUIET, "line thin")

    def upright(self, x: float) -> None:
        """A dashed thin line from the lower to the upper end."""
        self.line([(x, self.y.ends[0]), (x, self.y.ends[1])], QUIET, "line thin roof")

    def cloud(self, points: Iterable[Point], stroke: str) -> None:
        """Many dots as one path, to the pixel: a line of no length each."""
        places = sorted({(round(x), round(y)) for x, y in self._place(points)})
        text = "".join(
            f"m{x - last_x:g} {y - last_y:g}h0"
            for (last_x, last_y), (x, y) in pairwise([(0, 0), *places])
        ).replace(" -", "-")
        self.chart.add('<path class="cloud" d="{d}" stroke="{s}"/>', d=text, s=stroke)

    def dots(self, marks: Iterable[tuple[float, float, str]], fill: str) -> None:
        """Dots, each with what it says when pointed at."""
        dot = Markup('<circle cx="{:g}" cy="{:g}"><title>{}</title></circle>')
        circles = [dot.format(self.x(x), self.y(y), text) for x, y, text in marks]
        self.chart.add('<g fill="{fill}">{circles}</g>', fill=fill,
                       circles=Markup("\n").join(circles))  # fmt: skip

    def ring(self, x: float, y: float, text: str, stroke: str = INK, kind: str = "ring") -> None:
        """A ring around a point, or a small one as a hollow dot (``kind`` far)."""
        self.chart.add(
            '<circle class="{k}" cx="{x:g}" cy="{y:g}" stroke="{s}"><title>{t}</title></circle>',
            k=kind, x=self.x(x), y=self.y(y), s=stroke, t=text,
        )  # fmt: skip


def _path(places: Sequence[Point]) -> str:
    """A path through places, which have one decimal: the first, then steps, which are shorter.

    >>> _path([(10, 20), (12.5, 18), (13.5, 19)])
    'M10 20l2.5-2 1 1'
    """
    steps = " ".join(
        f"{round(x - last_x, 1):g} {round(y - last_y, 1):g}"
        for (last_x, last_y), (x, y) in pairwise(places)
    )
    x, y = places[0]
    return f"M{x:g} {y:g}" + (f"l{steps}".replace(" -", "-") if steps else "")
