"""The answer of a network's page: what an image costs, which layer costs most, what to change."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from neuralpower.core.targets import LABELS, TARGETS, UNITS
from neuralpower.networks.text import number, percent
from neuralpower.reporting.beyond import Beyond, column_words, step
from neuralpower.reporting.layer_section import body, headline
from neuralpower.reporting.results import PlatformResults, Row, is_total
from neuralpower.reporting.scores import by_batch
from neuralpower.reporting.tables import Column, Table, figure, per_cent, slim, word

#: Savings below this share of a pass are not listed.
WORTH_CHANGING = 0.5
#: Changes that are listed.
_MOST = 10
#: A change within what was measured.
TRUSTED = "yes"


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of an answer, per image, with its 90 % interval as text and as numbers.

    ``least``: layers that compute have no figure, so that the network takes at least this.
    """

    target: str
    value: float
    lo: float
    hi: float
    least: bool = False

    @property
    def text(self) -> str:
        """The number with its unit."""
        return f"{'≥ ' if self.least else ''}{number(self.value)} {UNITS[self.target]}"

    @property
    def what(self) -> str:
        """What the number is."""
        return LABELS[self.target] + ("" if self.target == "power_w" else " per image")

    @property
    def interval(self) -> str:
        """The interval's ends."""
        return f"{number(self.lo, 2)} – {number(self.hi, 2)}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What one platform says about a network."""

    platform: str
    device: str
    batch: float
    figures: Sequence[Figure]
    why_no_power: str
    costliest: str
    marks: Sequence[str]
    measured: str
    accuracy: str
    changes: Table | None
    best_change: str


def answer(
    platform: PlatformResults, predictions: Sequence[Row], network: str, beyond: Beyond
) -> Answer:
    """The answer of a platform with predictions of the network."""
    rows = headline(predictions)
    total = rows[-1]
    explained = platform.changes(network)
    listed = _changes(explained, [row for row in predictions if is_total(row)], beyond)
    return Answer(
        platform.name,
        platform.fact("device"),
        total["batch"],
        per_image(total),
        platform.why_no_power,
        costliest(rows, explained),
        marks(rows, beyond),
        _measured(platform, network, total),
        _accuracy(platform),
        _table(platform.name, listed) if listed else None,
        _best(listed),
    )


def per_image(total: Row) -> list[Figure]:
    """Runtime and energy of one image, and power, of a total row; what is unknown is left out."""
    found = []
    least = bool(partial(str(total.get("note") or "")))
    for target in TARGETS:
        values = [total[target + end] for end in ("", "_lo", "_hi")]
        if None not in values and total["batch"]:
            images = 1.0 if target == "power_w" else total["batch"]
            value, lo, hi = (value / images for value in values)
            found.append(Figure(target, value, lo, hi, least and target != "power_w"))
    return found


#: What bounds a layer, in the words of the page; the explanation is in the glossary.
BOUNDS = {"compute": "compute-bound", "memory": "memory-bound", "launch": "launch-bound"}
_WITHOUT_MACS = "bound by its comparisons and additions (it has no MACs), not by memory"


#: The start of a total's note (``networks.composition``): what share of a network has a figure.
_COVERS = re.compile(r"covers (\d+) of (\d+) computing layers(?:, ([\d.]+) % of MACs)?")


def costliest(rows: Sequence[Row], explained: Sequence[Row]) -> str:
    """The layer that costs most, its share, and what bounds it, in a sentence."""
    sentences = []
    for target, what in (("energy_share", "energy"), ("runtime_share", "runtime")):
        known = [row for row in body(rows) if row[target] is not None]
        if known:
            top = max(known, key=lambda row: row[target])
            sentences.append((top["name"], f"{percent(top[target])} % of the {what}"))
    if not sentences:
        return ""
    (name, text), *others = sentences
    for other, words in others:
        text += f" and {words}" if other == name else f"; {other} takes {words}"
    row = next((row for row in explained if row["name"] == name), None)
    bound = BOUNDS.get(row["bound"], "") if row else ""
    if row and row["bound"] == "compute" and row["macs"] == 0:
        bound = _WITHOUT_MACS
    return f"{name} takes {text}" + (f"; it is {bound}" if bound else "")


def marks(rows: Sequence[Row], beyond: Beyond) -> list[str]:
    """What to know before the totals are trusted: layers without a figure, extrapolation."""
    total, found = rows[-1], []
    note = str(total["note"] or "")
    if missing := partial(note):
        found.append(f"partial: {missing}")
    outside = [(row, out) for row in body(rows) if (out := beyond.step(row)) is not None]
    share = sum(row["runtime_share"] or 0 for row, _ in outside)
    if share >= 0.01:
        # What is farthest outside among the layers that count.
        row, out = max(
            outside, key=lambda pair: ((pair[0]["runtime_share"] or 0) >= 0.01, pair[1].factor)
        )
        count = f"{len(outside)} layer{'s' if len(outside) > 1 else ''}"
        found.append(
            f"{count} with {percent(share)} % of the runtime beyond what was measured; farthest: "
            f"{row['name']}, {out.words}"
        )
    return found


def partial(note: str) -> str:
    """What a total's note says about layers that compute and have no figure; empty: all have one.

    >>> partial("covers 7 of 8 computing layers, 99.9 % of MACs; no power model")
    '1 of 8 computing layers has no figure; the others do 99.9 % of the MACs'
    """
    match = _COVERS.match(note)
    if match is None or match[1] == match[2]:
        return ""
    missing = int(match[2]) - int(match[1])
    words = (
        f"{missing} of {match[2]} computing layers {'has' if missing == 1 else 'have'} no figure"
    )
    return words + (f"; the others do {match[3]} % of the MACs" if match[3] else "")


def _measured(platform: PlatformResults, network: str, total: Row) -> str:
    scores = by_batch(platform.accuracy.get("networks", {}).get(network, {}))
    own = scores.get(total["batch"], {})
    parts = [
        f"{number(score['measured'])} {UNITS[target]}, predicted {score['error_percent']:+.1f} %"
        for target, score in own.items()
    ]
    return "; ".join(parts)


#: Of a platform without measured passes; docs/networks_prediction.md has how often they hold.
_LAYERS_ONLY = (
    "no whole network was measured: how layers add up is taken to be as unsure as on other "
    "platforms (13.5 % of runtime and energy, 12 % of power)"
)


#: Of a platform of which only the data sheet is known (``modeling.data_sheet``).
_DATA_SHEET = (
    "nothing was measured on this device: the figures come from its data sheet and other devices' "
    "models, and how far they are off is not known"
)


def _accuracy(platform: PlatformResults) -> str:
    """How far predictions of whole networks were off."""
    summary = platform.accuracy.get("network_summary", {})
    parts = [
        f"{LABELS[target]} {number(summary[target]['mape'], 2)} %"
        for target in TARGETS
        if target in summary
    ]
    if platform.unmeasured:
        return _DATA_SHEET
    if not parts:
        return _LAYERS_ONLY if platform.accuracy.get("layers") else ""
    n = max(summary[target]["n"] for target in TARGETS if target in summary)
    return f"{n} measured passes of networks were predicted to within {', '.join(parts)} on average"


def _changes(
    explained: Sequence[Row], totals: Sequence[Row], beyond: Beyond
) -> list[dict[str, Any]]:
    """Changes that save something, the largest saving first; savings are of one image."""
    found = _layer_changes(explained) + _batch_changes(totals, beyond)
    found = [row for row in found if row["percent"] >= WORTH_CHANGING]
    return sorted(found, key=lambda row: (-row["percent"], row["what"]))[:_MOST]


def _layer_changes(explained: Sequence[Row]) -> list[dict[str, Any]]:
    from neuralpower.networks.explaining import CHANGES

    return [
        {
            "what": f"{row['name']}: {change.words}",
            "href": row["name"],
            "percent": row[f"{change.key}_saves_percent"],
            "ms": _over(row[f"{change.key}_saves_ms"], row["batch"]),
            "mj": _over(row[f"{change.key}_saves_mj"], row["batch"]),
            "trust": _note(row[f"{change.key}_note"]) or TRUSTED,
        }
        for row in explained
        for change in CHANGES
        if row[f"{change.key}_saves_percent"] is not None
    ]


def _note(note: str | None) -> str:
    """The note of a saving, with columns in words."""
    start = "beyond the measured "
    if note and note.startswith(start):
        return start + column_words(note.removeprefix(start))
    return note or ""


def _batch_changes(totals: Sequence[Row], beyond: Beyond) -> list[dict[str, Any]]:
    """What another batch size saves of an image's cost, against the first."""
    found = []
    for row in totals[1:]:
        first = {f.target: f.value for f in per_image(totals[0])}
        own = {f.target: f.value for f in per_image(row)}
        cost = "energy_mj" if "energy_mj" in first and "energy_mj" in own else "runtime_ms"
        if cost not in first or cost not in own:
            continue
        columns = str(row["extrapolates"] or "")
        found.append(
            {
                "what": f"batch {row['batch']:g} instead of {totals[0]['batch']:g}",
                "percent": 100 * (1 - own[cost] / first[cost]),
                "ms": first["runtime_ms"] - own["runtime_ms"],
                "mj": _less(first.get("energy_mj"), own.get("energy_mj")),
                "trust": _outside(row["batch"], columns, beyond) or TRUSTED,
            }
        )
    return found


def _outside(batch: float, columns: str, beyond: Beyond) -> str:
    """What a pass at a batch size is beyond; the batch by how much, as convolutions have it."""
    if not columns:
        return ""
    low, high = beyond.ranges("conv").get("batch", (batch, batch))
    if "batch" in columns.split() and not low <= batch <= high:
        return step("batch", batch, low, high).words
    return f"beyond the measured {column_words(columns)}"


def _over(value: float | None, batch: float) -> float | None:
    return None if value is None else value / batch


def _less(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a - b


def _best(listed: Sequence[Mapping[str, Any]]) -> str:
    """The change that saves most, in a sentence; one that may be trusted where there is one."""
    trusted = [row for row in listed if row["trust"] == TRUSTED]
    for row in [*trusted, *listed][:1]:
        saved = [f"{number(row[unit])} {name}" for unit, name in (("ms", "ms"), ("mj", "mJ"))
                 if row[unit] is not None]  # fmt: skip
        doubt = "" if row in trusted else f", {row['trust']}"
        return f"{row['what']} saves {' and '.join(saved)} ({number(row['percent'], 2)} %){doubt}"
    return ""


def _table(platform: str, listed: Sequence[Mapping[str, Any]]) -> Table:
    columns = [Column("Change", False), Column("Saves ms per image"), Column("Saves mJ per image"),
               Column("Saves %"), Column("May it be trusted?", False, look="quiet")]  # fmt: skip
    rows = [
        [word(row["what"]), figure(row["ms"]), figure(row["mj"]),
         per_cent(row["percent"], digits=2), word(row["trust"])]
        for row in listed
    ]  # fmt: skip
    caption = f"Savings of one image on {platform}, the largest first."
    return slim(Table(f"changes-{platform}", f"What to change, on {platform}", caption, columns,
                      rows, sortable=False))  # fmt: skip
