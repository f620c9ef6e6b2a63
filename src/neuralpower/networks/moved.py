"""Two runs side by side: costs before and after, and what moved beyond its interval."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from neuralpower.core.cells import Row
from neuralpower.core.targets import TARGETS

COLUMNS = (
    "platform",
    "network",
    "batch",
    "target",
    *(f"{when}{end}" for when in ("before", "after") for end in ("", "_lo", "_hi")),
    "change_percent",
    "moved",
)
#: What can be said of a figure: it lies beyond the other run's interval and the other beyond its
#: own, it does not, or one of the runs has none.
BEYOND, WITHIN, NEW, GONE = "beyond its interval", "within its interval", "new", "gone"


def moved(platform: str, before: Iterable[Row], after: Iterable[Row]) -> list[dict[str, object]]:
    """A row (``COLUMNS``) for every network, batch size and target of two runs' total rows.

    A figure moved when each of the two lies outside the 90 % interval of the other: a change that
    either interval allows is none. What moved most comes first.
    """
    old, new = (_figures(rows) for rows in (before, after))
    found = []
    for key in sorted(old.keys() | new.keys()):
        network, batch, target = key
        row: dict[str, Any] = dict.fromkeys(COLUMNS) | {
            "platform": platform, "network": network, "batch": batch, "target": target,
        }  # fmt: skip
        for when, figures in (("before", old), ("after", new)):
            for end, value in zip(("", "_lo", "_hi"), figures.get(key, ()), strict=False):
                row[when + end] = value
        row["moved"] = NEW if key not in old else GONE if key not in new else _verdict(row)
        if key in old and key in new:
            row["change_percent"] = 100 * (row["after"] / row["before"] - 1)
        found.append(row)
    order = (BEYOND, NEW, GONE, WITHIN)
    return sorted(found, key=lambda r: (order.index(r["moved"]), -abs(r["change_percent"] or 0.0)))


def _figures(
    rows: Iterable[Row],
) -> dict[tuple[str, float, str], tuple[float, float, float]]:
    found = {}
    for row in rows:
        for target in TARGETS:
            values = tuple(row[target + end] for end in ("", "_lo", "_hi"))
            if None not in values and values[0] > 0 and row["batch"] is not None:
                found[(str(row["network"]), float(row["batch"]), target)] = values
    return found


def _verdict(row: Row) -> str:
    inside = (
        row["before_lo"] <= row["after"] <= row["before_hi"]
        or row["after_lo"] <= row["before"] <= row["after_hi"]
    )
    return WITHIN if inside else BEYOND
