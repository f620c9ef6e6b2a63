"""Measured beside predicted whole passes: columns that several pages show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from neuralpower.core.targets import TARGETS
from neuralpower.networks.text import number
from neuralpower.reporting.tables import Cell, Column, figure, round_sort

SCORE_COLUMNS = tuple(
    Column(label, look="quiet" if "interval" in label else "")
    for what in ("runtime, ms", "power, W", "energy, mJ")
    for label in (f"Measured {what}", f"Predicted {what}", "90 % interval", "Error %")
)


def by_batch(
    targets: Mapping[str, Sequence[Mapping[str, Any]]],
) -> dict[float, dict[str, Mapping[str, Any]]]:
    """A network's scores of accuracy.json: batch size -> target -> score, small batches first."""
    found: dict[float, dict[str, Mapping[str, Any]]] = {}
    for target in TARGETS:
        for score in targets.get(target, []):
            found.setdefault(score["batch"], {})[target] = score
    return dict(sorted(found.items()))


def score_cells(score: Mapping[str, Any] | None) -> list[Cell]:
    """The cells of ``SCORE_COLUMNS`` for one target."""
    if score is None:
        return [Cell()] * 4
    return [
        figure(score["measured"]),
        figure(score["predicted"]),
        Cell(f"{number(score['lo'])} – {number(score['hi'])}", round_sort(score["hi"])),
        figure(score["error_percent"]),
    ]
