"""Tables of pages: what a cell shows, what it sorts by, and the file it can be saved as."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from neuralpower.core.files import csv_text
from neuralpower.networks.text import number, percent

#: Looks of whole columns: a rule a column instead of a class in each of thousands of cells.
LOOKS = {
    "": "",
    "quiet": "color:var(--quiet);",
    "note": "color:var(--quiet);min-width:12rem;max-width:22rem;",
    "whole": "white-space:nowrap;",
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column's heading; numbers align right and sort as numbers; ``look`` is one of ``LOOKS``."""

    label: str
    numeric: bool = True
    help: str = ""
    look: str = ""

    @property
    def style(self) -> str:
        """CSS of the column's cells."""
        return LOOKS[self.look] + ("text-align:right;white-space:nowrap" if self.numeric else "")


@dataclass(frozen=True, slots=True)
class Cell:
    """A field: its text, the number it sorts by, a link, CSS classes, and a longer text."""

    text: str = ""
    sort: float | None = None
    href: str = ""
    mark: str = ""
    help: str = ""

    @property
    def key(self) -> float | None:
        """The number to sort by where the text's last number is another (see ``script.js``)."""
        if self.sort is None or _shown_number(self.text) is not None:
            return None
        return self.sort


_LAST_NUMBER = re.compile(r"(-?[\d.]+(?:e[-+]?\d+)?)(?: ([kMGT]))?$")
_PREFIXES = {None: 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}


def _shown_number(text: str) -> float | None:
    """The number at the end of a text, as the page's script reads it."""
    match = _LAST_NUMBER.search(text)
    return float(match[1]) * _PREFIXES[match[2]] if match else None


@dataclass(frozen=True, slots=True)
class Download:
    """A table as a file: beside the page, or inside it as a ``data:`` address."""

    href: str
    name: str
    label: str = "Download as CSV"


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a page. ``id`` is unique on the page; ``foot`` rows are never sorted."""

    id: str
    label: str
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    foot: Sequence[Sequence[Cell]] = ()
    download: Download | None = None
    sortable: bool = True
    filterable: bool = field(default=False)

    @property
    def looks(self) -> list[tuple[str, str]]:
        """Selectors of columns that look alike, and their CSS."""
        found: dict[str, list[str]] = {}
        for n, column in enumerate(self.columns, 1):
            if column.style:
                found.setdefault(column.style, []).append(f":nth-child({n})")
        return [(",".join(places), look) for look, places in found.items()]


def slim(table: Table) -> Table:
    """A table without the columns that are empty in every row."""
    keep = [
        j
        for j in range(len(table.columns))
        if any(row[j].text for row in (*table.rows, *table.foot))
    ]
    return Table(
        table.id,
        table.label,
        table.caption,
        [table.columns[j] for j in keep],
        [[row[j] for j in keep] for row in table.rows],
        [[row[j] for j in keep] for row in table.foot],
        table.download,
        table.sortable,
        table.filterable,
    )


def word(text: object, href: str = "", mark: str = "", help: str = "") -> Cell:
    """A cell of text."""
    return Cell("" if text is None else str(text), None, href, mark, help)


def figure(value: float | None, digits: int = 3, mark: str = "", help: str = "") -> Cell:
    """A cell of a number with some significant digits; missing is empty."""
    if value is None:
        return Cell(mark=mark)
    return Cell(number(value, digits), round_sort(value), "", mark, help)


def ends(row: Mapping[str, Any], target: str) -> Cell:
    """The interval of a target; sorts by its upper end."""
    lo, hi = row.get(f"{target}_lo"), row.get(f"{target}_hi")
    if lo is None or hi is None:
        return Cell()
    return Cell(f"{number(lo)} – {number(hi)}", round_sort(hi))


def whole(value: float | None) -> Cell:
    """A cell of a whole number (a count, a batch size)."""
    return Cell() if value is None else Cell(f"{value:g}" if value < 1e6 else f"{value:.0f}", value)


def round_sort(value: float) -> float:
    """A number short enough for a page and fine enough to sort by."""
    return float(f"{value:.5g}")


def per_cent(value: float | None, mark: str = "", digits: int = 3) -> Cell:
    """A cell of a number that is in per cent already."""
    return figure(value, digits, mark)


def share(value: float | None) -> Cell:
    """A share of 1 in per cent, on a background that is stronger the larger it is."""
    if value is None:
        return Cell()
    step = heat(value)
    return Cell(percent(value), round_sort(value), "", f"h{step}" if step else "")


#: Shares from which on the colour is one step stronger.
HEAT_STEPS = (0.01, 0.02, 0.05, 0.10, 0.20, 0.35)


def heat(value: float) -> int:
    """The colour step, 0 to 6, of a share."""
    return sum(value >= step for step in HEAT_STEPS)


def heat_key() -> list[tuple[str, str]]:
    """Class and text of each colour step, for a legend."""
    texts = [f"from {100 * step:g} %" for step in HEAT_STEPS]
    return [("h0", f"under {100 * HEAT_STEPS[0]:g} %")] + [
        (f"h{i}", text) for i, text in enumerate(texts, 1)
    ]


def inline_download(
    name: str, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]
) -> Download:
    """A small table as a ``data:`` address, so that a page that is moved keeps it."""
    text = csv_text(columns, rows)
    return Download("data:text/csv;charset=utf-8," + quote(text, safe=",:/+ ()*!'"), name)


def linked_download(path: Path, page: Path, label: str = "Download as CSV") -> Download:
    """A link from ``page`` to a result table, relative so that the results can be moved."""
    return Download(relative(path, page), path.name, label)


def relative(path: Path, page: Path) -> str:
    """The relative address of a file as seen from a page."""
    return quote(Path(os.path.relpath(path.resolve(), page.resolve().parent)).as_posix())
