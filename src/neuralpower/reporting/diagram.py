"""The picture of a network: a box per layer, top to bottom, coloured by its share of the cost.

Layers that work in place (ReLU, BatchNorm, Scale, Dropout on their own bottom) stand in the box
of the layer whose blob they change. Drawn as SVG by hand: a box is a link to the layer's row, and
the page's script recolours it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from neuralpower.networks.text import percent
from neuralpower.reporting.tables import Heat

_HEIGHT, _ACROSS, _DOWN, _LETTER = 36, 14, 16, 6.3
#: Narrowest and widest box; wider names are shortened, the box says them in full.
_NARROW, _WIDE = 150, 300


@dataclass(slots=True)
class Box:
    """Layers drawn together: row numbers of the layer table, and the place in the picture."""

    members: list[int]
    parents: list[int] = field(default_factory=list)
    depth: int = 0
    column: float = 0.0


@dataclass(frozen=True, slots=True)
class Colouring:
    """One way to colour the boxes: platform, metric, each layer's share of 1 (None: no figure)."""

    platform: str
    metric: str
    shares: Sequence[float | None]


def boxes(layers: Sequence[Mapping[str, object]]) -> list[Box]:
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


@dataclass(frozen=True, slots=True)
class Picture:
    """The drawing, its colouring, and the least share of each colour in per cent."""

    svg: Markup
    width: float
    height: float
    colouring: Colouring | None
    key: Sequence[str]
    metrics: Sequence[str]


def draw(
    layers: Sequence[Mapping[str, object]],
    colouring: Colouring | None,
    id: str,
    metrics: Sequence[str] = (),
) -> Picture | None:
    """The picture, coloured; the page's script colours it by another of ``metrics``.

    None without layers. Box ``b<row>`` leads to ``#l<row>``, the row of its first layer.
    """
    found = boxes(layers)
    if not found:
        return None
    longest = max(len(str(layers[box.members[0]]["name"])) for box in found)
    wide = round(min(max(_NARROW, 14 + _LETTER * longest), _WIDE))
    room = _Room(wide)
    sums = [None if colouring is None else _sum(colouring.shares, box.members) for box in found]
    heat = Heat.of(sums)
    width = room.left(max(box.column for box in found)) + wide + _ACROSS / 2
    height = room.top(max(box.depth for box in found)) + _HEIGHT + _DOWN / 2
    parts = [
        Markup(
            '<svg class="picture" id="{}" role="group" width="{w:g}" height="{h:g}" '
            'viewBox="0 0 {w:g} {h:g}" style="--w:{}px" aria-label="Layers of the network in '
            'execution order, coloured by their share; each leads to its row in the layer table">'
        ).format(id, wide, w=round(width), h=round(height))
    ]
    edges = "".join(room.edge(found[p], box) for box in found for p in box.parents)
    if edges:
        parts.append(Markup('<path d="{}"/>').format(edges))
    for box, share in zip(found, sums, strict=True):
        kind = "none" if share is None else f"h{heat.level(share)}"
        parts.append(_box([layers[i] for i in box.members], box, kind, share, room))
    svg = Markup("\n").join([*parts, Markup("</svg>")])
    return Picture(svg, width, height, colouring, heat.key, metrics)


def _box(
    members: Sequence[Mapping[str, object]],
    box: Box,
    kind: str,
    share: float | None,
    room: _Room,
) -> Markup:
    first, *others = members
    name = room.short(str(first["name"]))
    lines = [f"{layer['name']} ({layer['type']}), in place" for layer in others]
    if lines or name != first["name"]:
        lines.insert(0, f"{first['name']} ({first['type']})")
    title = Markup("<title>{}</title>").format("\n".join(lines)) if lines else ""
    kinds = dict.fromkeys(str(layer["type"]) for layer in members)
    return Markup(
        '<a class="box {}" id=b{row} href=#l{row} transform="translate({} {})">{}'
        "<rect/><text>{}</text><text class=s>{}</text><text class=p>{}</text></a>"
    ).format(
        kind,
        round(room.left(box.column)),
        round(room.top(box.depth)),
        title,
        name,
        room.short(" + ".join(kinds), 46),
        "" if share is None else f"{percent(share)} %",
        row=box.members[0],
    )


def _sum(shares: Sequence[float | None], members: Sequence[int]) -> float | None:
    known = [share for i in members if (share := shares[i]) is not None]
    return sum(known) if known else None


@dataclass(frozen=True, slots=True)
class _Room:
    """Where boxes of a width stand, in pixels."""

    wide: int

    def short(self, text: str, less: float = 0.0) -> str:
        """A text that fits a box, but for ``less`` pixels."""
        most = int((self.wide - 10 - less) / _LETTER)
        return text if len(text) <= most else text[: most - 1] + "…"

    def left(self, column: float) -> float:
        """The left edge of a column."""
        return _ACROSS / 2 + column * (self.wide + _ACROSS)

    def top(self, depth: int) -> float:
        """The upper edge of a row."""
        return _DOWN / 2 + depth * (_HEIGHT + _DOWN)

    def edge(self, parent: Box, child: Box) -> str:
        """A line from a box to one below; past other rows it swings out to the right."""
        x0, y0 = self.left(parent.column) + self.wide / 2, self.top(parent.depth) + _HEIGHT
        x1, y1 = self.left(child.column) + self.wide / 2, self.top(child.depth)
        if child.depth - parent.depth == 1:
            end = f"V{y1:.0f}" if f"{x0:.0f}" == f"{x1:.0f}" else f"L{x1:.0f} {y1:.0f}"
            return f"M{x0:.0f} {y0:.0f}{end}"
        out = max(x0, x1) + self.wide / 2 + _ACROSS / 2
        return (
            f"M{x0:.0f} {y0:.0f}C{out:.0f} {y0 + _DOWN:.0f} {out:.0f} {y0 + _DOWN:.0f} "
            f"{out:.0f} {y0 + 2 * _DOWN:.0f}V{y1 - 2 * _DOWN:.0f}"
            f"C{out:.0f} {y1 - _DOWN:.0f} {out:.0f} {y1 - _DOWN:.0f} {x1:.0f} {y1:.0f}"
        )
