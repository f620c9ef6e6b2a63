"""Predictions for people: short numbers, tables that fit a terminal of 100 columns, Markdown."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from neuralpower.core.cells import Row

#: Widest line of a table printed to a terminal.
WIDTH = 100
#: Letters of a name that a table keeps as long as other columns can go.
_NAME = 22
#: The name of the last row of a network's predictions.
TOTAL = "TOTAL"


def number(value: float | None, digits: int = 3) -> str:
    """A number with ``digits`` significant digits and no exponent in the common range.

    >>> [number(x) for x in (0.012345, 1.0, 98.76, 12345.6, None)]
    ['0.0123', '1.00', '98.8', '12346', '']
    """
    if value is None or math.isnan(value):
        return ""
    if value == 0:
        return "0"
    if math.isinf(value) or not 1e-5 <= abs(value) < 1e9:
        return f"{value:.{digits - 1}e}"
    rounded = float(f"{value:.{digits - 1}e}")
    places = max(digits - 1 - math.floor(math.log10(abs(rounded))), 0)
    return f"{value:.{places}f}"


def count(value: float | None) -> str:
    """A count with a metric prefix.

    >>> [count(x) for x in (950, 61_100_840, 15.47e9, None)]
    ['950', '61.1 M', '15.5 G', '']
    """
    if value is None:
        return ""
    for size, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{number(value / size)} {prefix}"
    return f"{value:g}"


def percent(share: float | None) -> str:
    """A share of 1 as per cent, one place.

    >>> percent(0.1234)
    '12.3'
    """
    return "" if share is None else f"{100 * share:.1f}"


def interval(row: Row, target: str) -> str:
    """The 90 % interval of a target of a prediction row, as ``lo-hi``."""
    lo, hi = row.get(f"{target}_lo"), row.get(f"{target}_hi")
    return "" if lo is None or hi is None else f"{number(lo)}-{number(hi)}"


#: A layer that extrapolates and costs less than this share of a pass is not worth a word.
WORTH_A_WORD = 0.01


def _remarks(row: Row) -> str:
    """What the figures of a row do not say, in short; the table's note says it in full."""
    if row["name"] == TOTAL:
        return ""
    if row["source"] == "none":
        note = row["note"] or ""
        return next((why for why in ("no computation", "shape unknown") if why in note), "no model")
    small = (row["runtime_share"] or 0.0) < WORTH_A_WORD and row["runtime_ms"] is not None
    return "" if small else beyond(row).replace("the measured ", "")


def beyond(row: Row) -> str:
    """Which size is outside of what was measured, and by how much; "" where none is.

    >>> beyond({"extrapolates": "out_channels", "extrapolates_by": 3.2})
    'beyond the measured out_channels (3.2 times the largest)'
    >>> beyond({"extrapolates": "batch", "extrapolates_by": 0.25})
    'beyond the measured batch (0.25 times the smallest)'
    """
    if not row["extrapolates"]:
        return ""
    by = row.get("extrapolates_by")
    far = "" if not by else f" ({number(by)} times the {'largest' if by > 1 else 'smallest'})"
    return f"beyond the measured {row['extrapolates']}{far}"


_Field = tuple[str, bool, Callable[[Row], str]]

#: Heading, right-aligned, and the text of a prediction row.
_PREDICTION_FIELDS: tuple[_Field, ...] = (
    ("layer", False, lambda row: str(row["name"])),
    ("type", False, lambda row: str(row["type"] or "")),
    ("MACs", True, lambda row: count(row["macs"]) if row["macs"] else ""),
    ("runtime ms", True, lambda row: number(row["runtime_ms"])),
    ("90 %", True, lambda row: interval(row, "runtime_ms")),
    ("share %", True, lambda row: percent(row["runtime_share"])),
    ("power W", True, lambda row: number(row["power_w"])),
    ("energy mJ", True, lambda row: number(row["energy_mj"])),
    ("90 %", True, lambda row: interval(row, "energy_mj")),
    ("remarks", False, _remarks),
)

#: The fields that go first where a line has no room: intervals of energy and runtime, MACs.
_SPARE = (8, 4, 2)


def cell(value: object) -> str:
    """A field of any table: floats short, None empty."""
    if value is None:
        return ""
    return number(value, 4) if isinstance(value, float) else str(value)


def rows_text(columns: Sequence[str], rows: Sequence[Row]) -> str:
    """Any table as aligned text in blocks of whole columns, so that no line passes 100."""
    cells = {name: [cell(row.get(name)) for row in rows] for name in columns}
    shown = [name for name in columns if any(cells[name])]
    blocks: list[list[str]] = []
    room = 0
    for name in shown:
        width = 2 + min(max([len(name), *map(len, cells[name])]), WIDTH - 2)
        if width > room:
            blocks.append([])
            room = WIDTH + 2
        blocks[-1].append(name)
        room -= width
    right = {name: all(_is_number(text) for text in cells[name]) for name in shown}
    return "\n".join(
        table_text(
            block,
            [right[name] for name in block],
            [[cells[name][i] for name in block] for i in range(len(rows))],
        )
        for block in blocks
    )


def _is_number(text: str) -> bool:
    return not text or text.replace(".", "", 1).replace("-", "", 1).isdecimal()


def prediction_text(rows: Sequence[Row]) -> str:
    """Prediction rows as aligned tables, one per network and batch size, at most 100 columns."""
    return "\n".join(_one_network(part) for part in by_network(rows))


def _one_network(rows: Sequence[Row]) -> str:
    last = rows[-1]
    title = f"{last['network']}{_at_batch(last)}"
    return f"{title}\n{table_text(*prediction_cells(rows), _SPARE)}{last['note']}\n"


def _at_batch(row: Row) -> str:
    return "" if row["batch"] is None else f", batch {row['batch']}"


def prediction_markdown(rows: Sequence[Row]) -> str:
    """Prediction rows as Markdown tables, one per network and batch size."""
    parts = []
    for part in by_network(rows):
        last = part[-1]
        title = f"**{markdown(str(last['network']))}**{_at_batch(last)}"
        note = markdown(str(last["note"]))
        parts.append(f"{title}\n\n{markdown_table(*prediction_cells(part))}\n{note}\n")
    return "\n".join(parts)


def by_network(rows: Sequence[Row]) -> list[list[Mapping[str, object]]]:
    """Prediction rows cut after every ``TOTAL``."""
    parts: list[list[Mapping[str, object]]] = [[]]
    for row in rows:
        parts[-1].append(row)
        if row["name"] == TOTAL and row["index"] in (None, ""):
            parts.append([])
    return [part for part in parts if part]


def prediction_cells(
    rows: Sequence[Row],
) -> tuple[list[str], list[bool], list[list[str]]]:
    """Headings, which of them are numbers, and cells of prediction rows."""
    headings = [heading for heading, _, _ in _PREDICTION_FIELDS]
    right = [is_right for _, is_right, _ in _PREDICTION_FIELDS]
    return headings, right, [[text(row) for _, _, text in _PREDICTION_FIELDS] for row in rows]


def table_text(
    headings: Sequence[str],
    right: Sequence[bool],
    cells: Sequence[Sequence[str]],
    spare: Sequence[int] = (),
) -> str:
    """Aligned text of at most ``WIDTH`` columns.

    Empty columns go, then words are shortened, the last column first; numbers are never cut.
    Rather than shorten words below ``_NAME`` letters, the columns ``spare`` go one by one.
    """
    shown = [j for j in range(len(headings)) if any(row[j] for row in cells)]
    widths = [max([len(headings[j]), *(len(_plain(row[j])) for row in cells)]) for j in shown]
    excess = sum(widths) + 2 * (len(widths) - 1) - WIDTH
    short = _NAME if spare else 12
    least = [
        width if right[j] else min(width, short) for j, width in zip(shown, widths, strict=True)
    ]
    if sum(least) + 2 * (len(least) - 1) > WIDTH and spare:
        kept = [["" if j == spare[0] else text for j, text in enumerate(row)] for row in cells]
        return table_text(headings, right, kept, spare[1:])
    for k in sorted((k for k, j in enumerate(shown) if not right[j]), reverse=True):
        cut = min(max(excess, 0), max(widths[k] - 12, 0))
        widths[k] -= cut
        excess -= cut

    def line(fields: Sequence[str]) -> str:
        parts = []
        for j, width in zip(shown, widths, strict=True):
            text = _plain(fields[j])
            if len(text) > width:
                # Names of a network's layers differ at their ends.
                text = text[: width - 1 - width // 2] + "…" + text[len(text) - width // 2 :]
            parts.append(text.rjust(width) if right[j] else text.ljust(width))
        return "  ".join(parts).rstrip()

    return "".join(line(row) + "\n" for row in [headings, *cells])


def _plain(text: str) -> str:
    """Names come from files: control characters must not reach a terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)


def markdown_table(
    headings: Sequence[str], right: Sequence[bool], cells: Sequence[Sequence[str]]
) -> str:
    """A Markdown table; empty columns go."""
    shown = [j for j in range(len(headings)) if any(row[j] for row in cells)]
    rule = ["---:" if right[j] else "---" for j in shown]
    lines = [[headings[j] for j in shown], rule]
    lines += [[markdown(row[j]) for j in shown] for row in cells]
    return "".join(f"| {' | '.join(fields)} |\n" for fields in lines)


def markdown(text: str) -> str:
    """Text that Markdown shows as it is."""
    return "".join(f"\\{c}" if c in "\\|*_`<>[]#" else c for c in _plain(text))


_LAYER_HEADINGS = ("#", "layer", "type", "family", "output", "parameters", "MACs", "note")
_LAYER_FIELDS = ("index", "name", "type", "family", "top_shapes", "params", "macs", "note")


def layer_cells(
    rows: Sequence[Row],
) -> tuple[list[str], list[bool], list[list[str]]]:
    """Headings, which of them are numbers, and cells of a layer table: what people look for."""
    right = [name in ("index", "params", "macs") for name in _LAYER_FIELDS]
    cells = [[cell(row[name]) for name in _LAYER_FIELDS] for row in rows]
    return list(_LAYER_HEADINGS), right, cells
