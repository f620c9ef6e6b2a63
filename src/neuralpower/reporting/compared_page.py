"""The page of two runs side by side: what moved beyond its interval, and how the errors changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

from neuralpower.core.targets import LABELS, TARGETS, UNITS
from neuralpower.networks.moved import BEYOND, COLUMNS, GONE, moved
from neuralpower.networks.text import number
from neuralpower.reporting.pages import Page
from neuralpower.reporting.results import Results
from neuralpower.reporting.tables import (
    Cell,
    Column,
    Table,
    figure,
    inline_download,
    per_cent,
    round_sort,
    slim,
    whole,
    word,
)

#: Rows on the page; the file has all.
_SHOWN = 300


def compared_context(results: Results, page: Path) -> dict[str, object]:
    """What the template ``compared.html`` shows of ``results`` and ``results.other``."""
    other = results.other or results
    platforms = sorted(set(results.platforms) | set(other.platforms))
    rows: list[dict[str, object]] = []
    for name in platforms:
        before, after = (
            [row for n in run.networks for row in run.platform(name).totals(n)]
            for run in (other, results)
        )
        rows += moved(name, before, after)
    rows.sort(key=lambda row: row["moved"] != BEYOND)
    beyond = [row for row in rows if row["moved"] == BEYOND]
    return {
        "title": "Two runs",
        "before": str(other.folder),
        "after": str(results.folder),
        "lead": (
            f"{len(beyond)} of {len(rows)} predicted figures moved beyond their intervals."
            if rows
            else "The two runs have no figure in common."
        ),
        "table": _table(rows) if rows else None,
        "scores": _scores(results, other, platforms),
    }


def _table(rows: list[dict[str, Any]]) -> Table:
    columns = [
        Column("Network", False), Column("Platform", False), Column("Batch"),
        Column("Quantity", False), Column("Before"), Column("90 % interval", look="quiet"),
        Column("After"), Column("90 % interval", look="quiet"), Column("Change %"),
        Column("Moved", False),
    ]  # fmt: skip
    cells = [
        [
            word(row["network"], "" if row["moved"] == GONE else
                 f"networks/{quote(row['network'])}.html"),
            word(row["platform"]),
            whole(row["batch"]),
            word(f"{LABELS[row['target']]}, {UNITS[row['target']]}"),
            figure(row["before"]),
            _ends(row, "before"),
            figure(row["after"]),
            _ends(row, "after"),
            Cell()
            if row["change_percent"] is None
            else Cell(f"{row['change_percent']:+.1f}", round(row["change_percent"], 3)),
            word(row["moved"]),
        ]
        for row in rows[:_SHOWN]
    ]  # fmt: skip
    caption = (
        "One pass of the whole batch. A figure moved when each of the two lies outside the 90 % "
        "interval of the other: what either interval allows is no change."
    )
    if len(rows) > _SHOWN:
        caption += f" The first {_SHOWN} of {len(rows)}; the file has all."
    return slim(
        Table("moved", "What moved", caption, columns, cells,
              download=inline_download("moved.csv", COLUMNS, rows), filterable=True)
    )  # fmt: skip


def _ends(row: dict[str, Any], when: str) -> Cell:
    lo, hi = row[f"{when}_lo"], row[f"{when}_hi"]
    return Cell() if lo is None else Cell(f"{number(lo, 2)} – {number(hi, 2)}", round_sort(hi))


def _scores(results: Results, other: Results, platforms: list[str]) -> Table | None:
    """Errors of layer models of both runs."""
    cells = []
    for name in platforms:
        layers = [run.platform(name).accuracy.get("layers", {}) for run in (other, results)]
        for family in sorted(layers[0].keys() & layers[1].keys()):
            for target in TARGETS:
                old, new = ((own[family].get(target) or {}).get("rmspe") for own in layers)
                if old is not None and new is not None and old != new:
                    cells.append(
                        [word(name), word(family), word(LABELS[target]), per_cent(old),
                         per_cent(new), Cell(f"{new - old:+.2f}", round(new - old, 4))]
                    )  # fmt: skip
    if not cells:
        return None
    columns = [Column("Platform", False), Column("Family", False), Column("Quantity", False),
               Column("RMSPE before, %"), Column("RMSPE after, %"), Column("Points")]  # fmt: skip
    caption = "Out-of-fold errors of layer models that are not the same in both runs."
    return Table("scores", "Errors of layer models", caption, columns, cells)


PAGE = Page(
    template="compared.html",
    path="compared.html",
    inputs=(),
    context=compared_context,
    each=lambda results: [] if results.other is None else [{}],
)
