"""Runtime and power of a run's visits without the drift that its anchors show.

An extra beside the raw figures, never in their place. A run whose calls got several boards has a
curve a board.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from neuralpower.records.anchor_curve import AnchorCurve, Point, anchor_curve

Record = Mapping[str, Any]


class Drift:
    """The curves through the anchors of ``records``; the place of a visit is its order."""

    def __init__(self, records: Sequence[Record]) -> None:
        anchors = [r for r in records if r["kind"] == "anchor" and r.get("valid")]
        self._runtime = _curves(anchors, _runtime)
        self._power = _curves(anchors, _power)

    def runtime_ms(self, record: Record) -> float | None:
        """Runtime without drift; ``None`` for fewer than five anchors."""
        return _corrected(self._runtime, record, _runtime(record))

    def power_w(self, record: Record) -> float | None:
        """Power without drift; ``None`` for fewer than five anchors, or where there is none."""
        return _corrected(self._power, record, _power(record))


def _runtime(record: Record) -> float | None:
    return (record.get("timing") or {}).get("median_ms")


def _power(record: Record) -> float | None:
    return (record.get("power") or {}).get("mean_w")


def _curves(
    anchors: Sequence[Record], level: Callable[[Record], float | None]
) -> dict[Any, AnchorCurve | None]:
    points: dict[Any, list[Point]] = {}
    for record in anchors:
        value = level(record)
        if value is not None:
            points.setdefault(record.get("board"), []).append((float(record["order"]), value))
    return {board: anchor_curve(own) for board, own in points.items()}


def _corrected(
    curves: Mapping[Any, AnchorCurve | None], record: Record, value: float | None
) -> float | None:
    curve = curves.get(record.get("board"))
    return None if curve is None or value is None else curve.corrected(record["order"], value)
