"""matplotlib figures as SVG that goes inside a page: text stays text, colours follow the page.

Same data, same bytes: no dates, fixed salt, sorted drawing order. Colours of the drawing are
stand-ins that become CSS variables, so that one figure serves light and dark.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as MplFigure

INK, QUIET, GRID = "#010101", "#020202", "#030303"
#: Stand-ins of the series colours ``--s0`` to ``--s7`` of the style sheet.
SERIES = tuple(f"#0a0b{i:02x}" for i in range(8))
_VARIABLES = {
    INK: "var(--ink)",
    QUIET: "var(--quiet)",
    GRID: "var(--line)",
    "#ffffff": "var(--page)",
    **{colour: f"var(--s{i})" for i, colour in enumerate(SERIES)},
}
_SETTINGS: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "neuralpower",
    "font.size": 9,
    "font.family": "sans-serif",
    "text.color": INK,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "axes.titlesize": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.bottom": False,
    "ytick.left": False,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "text.parse_math": False,
}


@dataclass(frozen=True, slots=True)
class Picture:
    """An SVG for a page with its caption: what it shows and how it was computed."""

    id: str
    svg: Any
    caption: str


@contextmanager
def style() -> Iterator[None]:
    """The report's matplotlib settings; pages are drawn inside."""
    import matplotlib as mpl

    with mpl.rc_context(_SETTINGS):
        yield


def new_figure(
    rows: int = 1,
    columns: int = 1,
    width: float = 7.2,
    height: float = 3.2,
    *,
    left: float = 0.6,
    bottom: float = 0.5,
    top: float = 0.3,
    between: float = 0.5,
    below: float = 0.62,
) -> tuple[MplFigure, list[Axes]]:
    """A figure of panels (sizes and margins in inches) and its axes in reading order.

    Margins are given: matplotlib's automatic layouts cost more than all the drawing.
    """
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(width, height))
    FigureCanvasSVG(drawn)
    wide = (width - left - 0.2 - (columns - 1) * between) / columns
    high = (height - bottom - top - (rows - 1) * below) / rows
    drawn.subplots_adjust(
        left=left / width,
        right=1 - 0.2 / width,
        bottom=bottom / height,
        top=1 - top / height,
        wspace=between / wide,
        hspace=below / high,
    )
    grid = drawn.subplots(rows, columns, squeeze=False)
    return drawn, [axes for line in grid for axes in line]


def picture(drawn: MplFigure, id: str, label: str, caption: str) -> Picture:
    """Render a figure: ``label`` is read out by screen readers, ``caption`` is shown."""
    from markupsafe import Markup, escape

    buffer = io.StringIO()
    drawn.savefig(
        buffer, format="svg", transparent=True, bbox_inches="tight", metadata={"Date": None}
    )
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.S)
    text = _compact(text)
    text = re.sub(r'\b(d|x|y|transform)="[^"]*"', _shorter, text)
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, variable)
    text = _short_identities(_classes(text, id), id)
    attributes = f'<svg role="img" aria-label="{escape(label)}" '
    return Picture(id, Markup(text.replace("<svg ", attributes, 1)), caption)


def _compact(text: str) -> str:
    """The same drawing in fewer bytes: no fonts (the page has one), no groups without effect."""
    text = re.sub(r"<!--.*?-->", "", text, flags=re.S)
    text = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", text, flags=re.S)
    text = re.sub(r" font-family: [^;]*;", "", text)
    text = re.sub(r' transform="rotate\(-?0 [^"]*"', "", text)
    text = re.sub(r'<g id="[^"]*"', "<g", text)
    kept: list[bool] = []
    parts = []
    for part in re.split(r"(<g>|<g [^>]*>|</g>)", text):
        if part.startswith(("<g>", "<g ")):
            kept.append(part != "<g>")
        if part != "<g>" and not (part == "</g>" and not kept.pop()):
            parts.append(part)
    return re.sub(r"\n\s*", "\n", re.sub(r">\s+<", "><", "".join(parts)))


def _shorter(match: re.Match[str]) -> str:
    """Coordinates to a tenth of a point; a dot (a line of no length) in its short form."""
    text = re.sub(r"\d+\.\d{2,}", lambda number: f"{float(number[0]):.1f}", match[0])
    text = re.sub(r"\.0\b", "", text)
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r"M (\S+) (\S+) L \1 \2(?= |\")", r"M\1 \2h0", text)
    return re.sub(r" ?([MLCz]) ?", r"\1", text) if text.startswith("d=") else text


def _classes(text: str, id: str) -> str:
    """Styles that a drawing repeats, as rules of a style sheet: a class is a tenth as long."""
    styles = re.findall(r' style="([^"]*)"', text)
    repeated = [style for style in dict.fromkeys(styles) if styles.count(style) > 2]
    rules = ""
    for n, style in enumerate(repeated):
        text = text.replace(f' style="{style}"', f' class="{id}-{n}"')
        rules += f".{id}-{n}{{{style}}}"
    head = text.index(">", text.index("<svg")) + 1
    return f"{text[:head]}<style>{rules}</style>{text[head:]}" if rules else text


def _short_identities(text: str, id: str) -> str:
    """Identities that are unique on the page, not only in the figure, and short."""
    found = dict.fromkeys(re.findall(r'\bid="([a-zA-Z][0-9a-f]{10})"', text))
    for n, identity in enumerate(found):
        text = re.sub(rf'(id="|#){identity}\b', rf"\1{id}-i{n}", text)
    return text


def dots(axes: Axes, x: Any, y: Any, colour: str, size: float = 2.6, label: str = "") -> None:
    """Scatter points as one path (a line of no length each): a tenth of the usual SVG.

    The axes' limits are left alone: set them.
    """
    import numpy as np
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    points = np.repeat(np.column_stack([x, y]), 2, axis=0)
    codes = np.tile([Path.MOVETO, Path.LINETO], len(points) // 2)
    patch = PathPatch(
        Path(points, codes),
        facecolor=colour,  # a filled path is not clipped, which would drop the dots
        edgecolor=colour,
        linewidth=size,
        capstyle="round",
        alpha=0.55,
        label=label,
    )
    axes.add_artist(patch)
    patch.set_clip_path(axes.patch)


def log_axis(axes: Axes, which: str, ends: tuple[float, float], most: int = 5) -> None:
    """A logarithmic axis (``x`` or ``y``) with given ends and a few plain labels."""
    fixed_axis(axes, which, {tick: plain(tick) for tick in log_ticks(ends, most)}, ends)


def log_ticks(ends: tuple[float, float], most: int = 5) -> list[float]:
    """A few round numbers between the ends of a logarithmic axis."""
    if ends[1] / ends[0] < 8:
        ticks = round_ticks(ends, most)
    else:
        powers = range(math.floor(math.log10(ends[0])), math.ceil(math.log10(ends[1])) + 1)
        steps = (1.0,) if ends[1] / ends[0] > 200 else (1.0, 3.0) if most < 5 else (1.0, 2.0, 5.0)
        ticks = [round(step * 10.0**power, 12) for power in powers for step in steps]
        ticks = [tick for tick in ticks if ends[0] <= tick <= ends[1]]
    every = -(-len(ticks) // most) if ticks else 1
    return ticks[::every]


def linear_axis(axes: Axes, which: str, ends: tuple[float, float], most: int = 5) -> None:
    """A linear axis with given ends and a few round labels."""
    ticks = round_ticks(ends, most)
    fixed_axis(axes, which, {tick: plain(tick) for tick in ticks}, ends, "linear")


def round_ticks(ends: tuple[float, float], most: int) -> list[float]:
    """About ``most`` round numbers between the ends, at equal distances."""
    rough = (ends[1] - ends[0]) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(s * power for s in (1, 2, 5, 10) if s * power >= rough * 0.999)
    first, last = math.ceil(ends[0] / step - 1e-9), math.floor(ends[1] / step + 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def fixed_axis(
    axes: Axes,
    which: str,
    ticks: Mapping[float, str],
    ends: tuple[float, float],
    scale: str = "log",
) -> None:
    """An axis with given ends and labels: nothing is left for matplotlib to search."""
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

    axes.set(**{f"{which}scale": scale})
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(FixedLocator(list(ticks)))
    axis.set_major_formatter(FixedFormatter(list(ticks.values())))
    axis.set_minor_locator(NullLocator())
    axes.set(**{f"{which}lim": ends})


def title(axes: Axes, text: str) -> None:
    """A panel's title at a fixed place."""
    axes.set_title(text, y=1.03)


def plain(value: float) -> str:
    """A tick label: 0.001, 1, 1000, 10⁶."""
    if value and not 1e-4 < abs(value) < 1e5:
        mantissa, power = f"{value:.0e}".split("e")
        digits = str(int(power)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
        return f"10{digits}" if mantissa == "1" else f"{mantissa}·10{digits}"
    return f"{value:g}"


def thinned(n: int, most: int) -> Sequence[int]:
    """At most ``most`` of ``n`` row numbers, evenly spread: figures stay small."""
    if n <= most:
        return range(n)
    return [i * n // most for i in range(most)]
