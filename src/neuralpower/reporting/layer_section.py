"""A network's layers: one table with the predictions of every platform side by side.

The page's switch shows the columns of one platform, or of two that are compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from neuralpower.networks.text import count, number
from neuralpower.reporting.beyond import Beyond
from neuralpower.reporting.results import Row, is_total
from neuralpower.reporting.tables import (
    Cell,
    Column,
    Download,
    Heat,
    Table,
    packed,
    word,
)


def headline(rows: Sequence[Row]) -> list[Row]:
    """The rows of the first batch size of a prediction table, its total last."""
    for i, row in enumerate(rows):
        if is_total(row):
            return list(rows[: i + 1])
    return list(rows)


def body(rows: Sequence[Row]) -> list[Row]:
    """The rows of layers, without the totals."""
    return [row for row in rows if not is_total(row)]


#: A layer that extrapolates and costs less than this share of a pass is not worth a word.
WORTH_A_WORD = 0.01

_FIXED = (
    Column("Type", False),
    Column("Output", False, "shape of the first top, without the batch", "whole"),
    Column("Parameters"),
    Column("MACs"),
    Column("Remarks", False, look="note"),
)


def parts(headlines: Mapping[str, Sequence[Row]], beyond: Mapping[str, Beyond]) -> dict[str, Part]:
    """The figures of each platform.

    ``headlines``: platform -> prediction rows of one batch size; ``beyond``: what each platform has
    measured.
    """
    return {name: Part(name, rows, beyond[name]) for name, rows in headlines.items()}


def layer_table(
    layers: Sequence[Row],
    parts: Mapping[str, Part],
    boxes: Mapping[int, int],
    download: Download | None = None,
) -> Table:
    """Layers in execution order with the figures of the first platform, its total in the foot.

    ``boxes``: row -> the row whose box in the picture the layer is in. The page's script puts
    the figures of another platform, or of two, in their place (``all_figures``).
    """
    part = next(iter(parts.values()), None)
    places = [] if part is None else part.places
    group = "" if part is None else part.title
    columns = [Column("Layer", False)]
    columns += [replace(_COLUMNS[j], group=group) for j in places]
    lines: list[list[Cell]] = []
    for n, layer in enumerate(layers):
        name = word(layer["name"], f"#b{boxes[n]}" if n in boxes else "")
        own = [] if part is None else part.cells(layer)
        place = boxes.get(n, n)
        remarks = [f"in place on {layers[place]['name']}"] if place != n else []
        lines.append([name, *own, *_fixed(layer, remarks)])
    foot = []
    if part is not None:
        foot = [[word("TOTAL"), *(word(t or "") for t in part.total), *([Cell()] * len(_FIXED))]]
    caption = "Layers in execution order. "
    if parts:
        caption += (
            "Figures are of one pass of the whole batch; parameters, shapes and MACs at the file's "
            "own batch size. Empty: no model, or not measured on this platform. A layer's name "
            "leads to its box in the picture, and back."
        )
    return Table("layers", "Layers", caption, [*columns, *_FIXED], lines, foot, download=download,
                 filterable=True, rows_named="l", after=len(_FIXED))  # fmt: skip


def all_figures(layers: Sequence[Row], parts: Mapping[str, Part]) -> str:
    """The figures of the layers on every platform for the page's script: JSON, zlib, base64.

    Written out as table cells they would be two thirds of the whole report.
    """
    return packed(
        {
            name: {
                "title": part.title,
                "columns": [_KINDS[j] for j in part.places],
                "rows": [part.values(layer) for layer in layers],
                "total": part.total,
            }
            for name, part in parts.items()
        }
    )


_COLUMNS = (
    Column("Runtime ms"),
    Column("Runtime %"),
    Column("Energy mJ"),
    Column("Energy %"),
    Column("Power W"),
    Column("Runtime, 90 %", look="quiet"),
    Column("Energy, 90 %", look="quiet"),
    Column("Trust", False, look="note"),
)
#: The columns as the script knows them: what a column holds says how it looks.
_KINDS = (
    {"label": "Runtime ms", "kind": "number"},
    {"label": "Runtime %", "kind": "share", "share": "runtime"},
    {"label": "Energy mJ", "kind": "number"},
    {"label": "Energy %", "kind": "share", "share": "energy"},
    {"label": "Power W", "kind": "number"},
    {"label": "Runtime, 90 %", "kind": "ends"},
    {"label": "Energy, 90 %", "kind": "ends"},
    {"label": "Trust", "kind": "words"},
)


class Part:
    """One platform's figures, each written out once."""

    def __init__(self, platform: str, rows: Sequence[Row], beyond: Beyond) -> None:
        own = body(rows)
        self.rows = {row["index"]: row for row in own}
        self.last = rows[-1]
        self.title = f"{platform}, batch {self.last['batch']:g}"
        self._beyond = beyond
        self._heats = {
            1: Heat.of(row["runtime_share"] for row in own),
            3: Heat.of(row["energy_share"] for row in own),
        }
        self._figures = {row["index"]: _figures(row) for row in own}
        filled = [
            any(texts[j] not in (None, "") for texts in self._figures.values())
            for j in range(len(_COLUMNS) - 1)
        ]
        filled.append(any(trust(row, beyond) for row in own))
        #: The columns that hold anything.
        self.places = [j for j, holds in enumerate(filled) if holds]

    def values(self, layer: Row) -> list[str | float | None] | None:
        """The texts of a layer, shares as numbers; None for a layer without a row."""
        row = self.rows.get(layer["index"])
        if row is None:
            return None
        words = "; ".join(trust(row, self._beyond, str(layer["note"] or "")))
        values = (*self._figures[layer["index"]], words)
        return [values[j] for j in self.places]

    def cells(self, layer: Row) -> list[Cell]:
        """The cells of a layer."""
        row = self.rows.get(layer["index"])
        values = self.values(layer)
        if row is None or values is None:
            return [Cell()] * len(self.places)
        shares = {1: row["runtime_share"], 3: row["energy_share"]}
        return [
            self._heats[j].cell(shares[j]) if j in shares else word(value)
            for j, value in zip(self.places, values, strict=True)
        ]

    @property
    def total(self) -> list[str]:
        """The texts of the total."""
        values = (*_figures(self.last), "")
        whole = {j: "100" if values[j] else "" for j in (1, 3)} | {len(_COLUMNS) - 1: ""}
        return [str(whole.get(j, values[j]) or "") for j in self.places]


def _figures(row: Row) -> tuple[str | float | None, ...]:
    """All columns of a row but the last."""
    return (
        number(row["runtime_ms"]),
        _short(row["runtime_share"]),
        number(row["energy_mj"]),
        _short(row["energy_share"]),
        number(row["power_w"]),
        _ends(row, "runtime_ms"),
        _ends(row, "energy_mj"),
    )


def _short(share: float | None) -> float | None:
    return None if share is None else round(share, 5)


def trust(row: Row, beyond: Beyond, known: str = "") -> list[str]:
    """What to know before a layer's figure is trusted; empty where it is within what was measured.

    Extrapolation is worth a word from a hundredth of a pass on; ``known`` is said elsewhere.
    """
    found = []
    step = beyond.step(row) if (row["runtime_share"] or 0) >= WORTH_A_WORD else None
    if step is not None:
        found.append(step.words)
    note = str(row["note"] or "").removesuffix(known).removesuffix("; ")
    return [*found, note.removesuffix(" on this platform")] if note else found


def _ends(row: Row, target: str) -> str:
    lo, hi = row[f"{target}_lo"], row[f"{target}_hi"]
    return "" if lo is None or hi is None else f"{number(lo, 2)} – {number(hi, 2)}"


def _fixed(layer: Row, remarks: Sequence[str]) -> list[Cell]:
    params, macs = layer["params"], layer["macs"]
    tops = str(layer["top_shapes"] or "").split()
    shape = "×".join(tops[0].split("x")[1:]) if tops else ""
    notes = [*remarks, *([str(layer["note"])] if layer["note"] else [])]
    return [
        word(layer["type"]),
        word(shape),
        Cell(count(params), params) if params else Cell(),
        Cell(count(macs), macs) if macs else Cell(),
        word("; ".join(notes)),
    ]
