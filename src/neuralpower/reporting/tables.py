"""Tables of pages: what a cell shows, what it sorts by, and the file it can be saved as."""

from __future__ import annotations

import base64
import json
import os
import re
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import quote

from markupsafe import Markup, escape

from neuralpower.core.cells import Row
from neuralpower.core.files import csv_text
from neuralpower.networks.text import number, percent

#: Looks of whole columns: a rule per column instead of a class in each of thousands of cells.
LOOKS = {
    "": "",
    "quiet": "color:var(--quiet);",
    "note": "color:var(--quiet);min-width:12rem;max-width:22rem;",
    "whole": "white-space:nowrap;",
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column's heading; numbers align right and sort as numbers; ``look`` is one of ``LOOKS``.

    Columns of one ``group`` (a platform) stand side by side below its name, and the page's switch
    shows those of one group.
    """

    label: str
    numeric: bool = True
    help: str = ""
    look: str = ""
    group: str = ""

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
        """The number to sort by where the text's last number is another (see ``tables.js``)."""
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
    """A table of a page. ``id`` is unique on the page; ``foot`` rows are never sorted.

    With ``rows_named`` the rows can be led to: ``#<rows_named><n>``, counted from 0. The columns
    between the first and the last ``after`` may be replaced by the page's script.
    """

    id: str
    label: str
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    foot: Sequence[Sequence[Cell]] = ()
    download: Download | None = None
    sortable: bool = True
    filterable: bool = field(default=False)
    rows_named: str = ""
    after: int = 0

    @property
    def groups(self) -> list[tuple[str, int]]:
        """Groups of columns in their order: name (empty: none), and how many."""
        found: list[tuple[str, int]] = []
        for column in self.columns:
            if found and found[-1][0] == column.group:
                found[-1] = (column.group, found[-1][1] + 1)
            else:
                found.append((column.group, 1))
        return found if any(name for name, _ in found) else []

    @property
    def looks(self) -> list[tuple[str, str]]:
        """Selectors of columns that look alike, and their CSS; not of the last ``after``."""
        return _looks(self.columns[: len(self.columns) - self.after], "child", 1)

    @property
    def looks_after(self) -> list[tuple[str, str]]:
        """The same for the last ``after`` columns, whose places are counted from the end."""
        return _looks(self.columns[len(self.columns) - self.after :][::-1], "last-child", 1)


def _looks(columns: Sequence[Column], place: str, first: int) -> list[tuple[str, str]]:
    found: dict[str, list[str]] = {}
    for n, column in enumerate(columns, first):
        if column.style:
            found.setdefault(column.style, []).append(f":nth-{place}({n})")
    return [(",".join(places), look) for look, places in found.items()]


def slim(table: Table) -> Table:
    """A table without the columns that are empty in every row."""
    keep = [
        j
        for j in range(len(table.columns))
        if any(row[j].text for row in (*table.rows, *table.foot))
    ]
    return replace(
        table,
        columns=[table.columns[j] for j in keep],
        rows=[[row[j] for j in keep] for row in table.rows],
        foot=[[row[j] for j in keep] for row in table.foot],
    )


def row_html(row: Sequence[Cell], leads: Callable[[str], bool]) -> Markup:
    """The cells of a row as HTML, the first as its heading.

    ``leads``: whether a link leads to a page; one that does not is text. Closing tags of cells may
    be left out in HTML, and in long tables they are a fifth. No template: there are 100,000 cells.
    """
    parts = []
    # No scope: in a first column of headings alone each is the heading of its row (HTML, "forming
    # relationships between data cells and header cells"), and there are 9,000 of them.
    tag = "th"
    for cell in row:
        mark = f" class={escape(cell.mark)}" if cell.mark else ""
        key = cell.key
        sort = "" if key is None else f" data-v={key}"
        help = f' title="{escape(cell.help)}"' if cell.help else ""
        parts.append(f"<{tag}{mark}{sort}{help}>{_linked(cell, leads)}")
        tag = "td"
    return Markup("".join(parts))


def _linked(cell: Cell, leads: Callable[[str], bool]) -> str:
    text, href = escape(cell.text), cell.href
    if href.startswith("#") and href[1:].isalnum():
        return f"<a href={href}>{text}</a>"
    return f'<a href="{escape(href)}">{text}</a>' if href and leads(href) else str(text)


def word(text: object, href: str = "", mark: str = "", help: str = "") -> Cell:
    """A cell of text."""
    return Cell("" if text is None else str(text), None, href, mark, help)


def figure(value: float | None, digits: int = 3, mark: str = "", help: str = "") -> Cell:
    """A cell of a number with some significant digits; missing is empty."""
    if value is None:
        return Cell(mark=mark)
    return Cell(number(value, digits), round_sort(value), "", mark, help)


def bounded(cell: Cell, sign: str) -> Cell:
    """A cell whose number is the least (sign ≥) or the most (≤) that it can be; empty as it is."""
    return replace(cell, text=f"{sign} {cell.text}") if sign and cell.text else cell


def ends(row: Row, target: str) -> Cell:
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


@dataclass(frozen=True, slots=True)
class Heat:
    """Colours of shares: six steps, each of twice the share, up to the largest share there is.

    So the layers of a network with five layers and of one with five hundred can be distinguished.
    """

    largest: float = 0.0

    @classmethod
    def of(cls, shares: Iterable[float | None]) -> Heat:
        """The colours for some shares of 1."""
        return cls(max((share for share in shares if share is not None), default=0.0))

    @property
    def steps(self) -> list[float]:
        """Shares from which on the colour is one step stronger."""
        return [self.largest / 2**n for n in (5, 4, 3, 2, 1)] + [0.9 * self.largest]

    def level(self, share: float | None) -> int:
        """The step of a share, 0 to 6."""
        if not share or not self.largest:
            return 0
        return sum(share >= step for step in self.steps)

    def cell(self, share: float | None) -> Cell:
        """A share of 1 in per cent, on a background that is stronger the larger it is."""
        if share is None:
            return Cell()
        level = self.level(share)
        return Cell(percent(share), round_sort(share), "", f"h{level}" if level else "")

    @property
    def key(self) -> list[str]:
        """The least share of each step in per cent, the first of all, for a legend."""
        return ["0", *(number(100 * step, 2) for step in self.steps)] if self.largest else []


def inline_download(
    name: str, columns: Sequence[str], rows: Iterable[Mapping[str, object]]
) -> Download:
    """A small table as a ``data:`` address, so that a page that is moved keeps it.

    Numbers have six digits: what is predicted or measured is not known better.
    """
    short = [
        {k: float(f"{v:.6g}") if isinstance(v, float) else v for k, v in row.items()}
        for row in rows
    ]
    text = csv_text(columns, short)
    return Download("data:text/csv;charset=utf-8," + quote(text, safe=",:/+ ()*!'"), name)


def linked_download(path: Path, page: Path, label: str = "Download as CSV") -> Download:
    """A link from ``page`` to a result table, relative so that the results can be moved."""
    return Download(relative(path, page), path.name, label)


def relative(path: Path, page: Path) -> str:
    """The relative address of a file as seen from a page."""
    return quote(Path(os.path.relpath(path.resolve(), page.resolve().parent)).as_posix())


def packed(value: object) -> str:
    """A value for a page's script: JSON, zlib, base64 (the script inflates it)."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode()
