"""The picture of a network: a box a layer, top to bottom, coloured by its share of the cost.

Layers that work in place (ReLU, BatchNorm, Scale, Dropout on their own bottom) stand in the box
of the layer whose blob they change. Drawn as SVG by hand: a box is a group with a class, so that
the page's script and style can recolour it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from neuralpower.networks.text import percent
from neuralpower.reporting.tables import heat

_WIDTH, _HEIGHT, _ACROSS, _DOWN = 170, 20, 12, 14
#: Characters of a layer's name that fit a box beside its share.
_LETTERS = 21


@dataclass(slots=True)
class Box:
    """Layers drawn together: row numbers of the layer table, and the place in the picture."""

    members: list[int]
    parents: list[int] = field(default_factory=list)
    depth: int = 0
    column: float = 0.0


@dataclass(frozen=True, slots=True)
class Colouring:
    """One way to colour the boxes: a label, and each layer's share of 1 (None: no figure)."""

    label: str
    shares: Sequence[float | None]


def boxes(layers: Sequence[Mapping[str, Any]]) -> list[Box]:
    """Layers (rows of a layer table) as boxes with their parents, in execution order."""
    found: list[Box] = []
    maker: dict[str, int] = {}
    for i, layer in enumerate(layers):
        bottoms = str(layer["bottoms"] or "").split()
        tops = str(layer["tops"] or "").split()
        if len(bottoms) == 1 and bottoms == tops and bottoms[0] in maker:
            found[maker[bottoms[0]]].members.append(i)
            continue
        parents = sorted({maker[blob] for blob in bottoms if blob in maker})
        depth = 1 + max((found[p].depth for p in parents), default=-1)
        found.append(Box([i], parents, depth))
        for blob in tops:
            maker[blob] = len(found) - 1
    _place(found)
    return found


def _place(found: Sequence[Box]) -> None:
    """Columns: as near under the parents as the row's other boxes allow, the row centred."""
    rows: dict[int, list[Box]] = {}
    for box in found:
        rows.setdefault(box.depth, []).append(box)
    for depth in sorted(rows):
        wanted = []
        for order, box in enumerate(rows[depth]):
            above = [found[p].column for p in box.parents]
            wanted.append((sum(above) / len(above) if above else 0.0, order, box))
        wanted.sort(key=lambda item: item[:2])
        place = -1e9
        for want, _, box in wanted:
            place = max(place + 1, want)
            box.column = place
        shift = sum(want - box.column for want, _, box in wanted) / len(wanted)
        for _, _, box in wanted:
            box.column += shift
    left = min((box.column for box in found), default=0.0)
    for box in found:
        box.column -= left


def draw(layers: Sequence[Mapping[str, Any]], colourings: Sequence[Colouring], id: str) -> Any:
    """The picture as SVG markup, coloured by the first of ``colourings``."""
    from markupsafe import Markup, escape

    found = boxes(layers)
    width = _left(max((box.column for box in found), default=0.0)) + _WIDTH + _ACROSS
    height = _top(max((box.depth for box in found), default=0)) + _HEIGHT + _DOWN
    parts = [
        Markup(
            '<svg class="picture" id="{}" role="img" width="{}" height="{}" viewBox="0 0 {} {}" '
            'aria-label="Layers of the network in execution order, coloured by their share; '
            'the layer table holds the same figures">'
        ).format(id, round(width), round(height), round(width), round(height))
    ]
    edges = "".join(_edge(found[p], box) for box in found for p in box.parents)
    if edges:
        parts.append(Markup('<path d="{}"/>').format(edges))
    for box in found:
        shares = [_sum(colouring.shares, box.members) for colouring in colourings]
        levels = " ".join("-" if share is None else str(heat(share)) for share in shares)
        first = shares[0] if shares else None
        kind = "none" if first is None else f"h{heat(first)}"
        names = " + ".join(str(layers[i]["name"]) for i in box.members)
        parted = " / ".join("–" if share is None else percent(share) for share in shares)
        short = _short(names, _LETTERS)
        lines = [*([names] if short != names else []), *([f"{parted} %"] if shares else [])]
        x, y = round(_left(box.column)), round(_top(box.depth))
        parts.append(
            Markup(
                '<g class="box {}" data-h="{}" transform="translate({} {})"><title>{}</title>'
                "<rect/><text x=6 y=14>{}</text></g>"
            ).format(kind, levels, x, y, "\n".join(lines), short)
        )
    return Markup("\n").join([*parts, Markup("</svg>")]) if found else escape("")


def _sum(shares: Sequence[float | None], members: Sequence[int]) -> float | None:
    known = [share for i in members if (share := shares[i]) is not None]
    return sum(known) if known else None


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _left(column: float) -> float:
    return _ACROSS / 2 + column * (_WIDTH + _ACROSS)


def _top(depth: int) -> float:
    return _DOWN / 2 + depth * (_HEIGHT + _DOWN)


def _edge(parent: Box, child: Box) -> str:
    """A line from a box to one below; past other rows it swings out to the right."""
    x0, y0 = _left(parent.column) + _WIDTH / 2, _top(parent.depth) + _HEIGHT
    x1, y1 = _left(child.column) + _WIDTH / 2, _top(child.depth)
    if child.depth - parent.depth == 1:
        end = f"V{y1:.0f}" if f"{x0:.0f}" == f"{x1:.0f}" else f"L{x1:.0f} {y1:.0f}"
        return f"M{x0:.0f} {y0:.0f}{end}"
    out = max(x0, x1) + _WIDTH / 2 + _ACROSS / 2
    return (
        f"M{x0:.0f} {y0:.0f}C{out:.0f} {y0 + _DOWN:.0f} {out:.0f} {y0 + _DOWN:.0f} "
        f"{out:.0f} {y0 + 2 * _DOWN:.0f}V{y1 - 2 * _DOWN:.0f}"
        f"C{out:.0f} {y1 - _DOWN:.0f} {out:.0f} {y1 - _DOWN:.0f} {x1:.0f} {y1:.0f}"
    )
