"""Runtime and power of a run's visits without the drift that its anchors show.

An extra beside the raw figures, never in their place. A run whose calls got several boards has a
curve a board.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from neuralpower.records.anchor_curve import AnchorCurve, Point, anchor_curve
from neuralpower.records.visits import VisitRecord


class Drift:
    """The curves through the anchors of ``records``; the place of a visit is its order."""

    def __init__(self, records: Sequence[VisitRecord]) -> None:
        anchors = [r for r in records if r.kind == "anchor" and r.valid]
        if anchors:
            # Of two anchors the first: they drift by themselves, and it has the most visits.
            anchors = [r for r in anchors if r.key == anchors[0].key]
        self._runtime = _curves(anchors, lambda record: record.runtime_ms)
        self._power = _curves(anchors, lambda record: record.power_w)

    def runtime_ms(self, record: VisitRecord) -> float | None:
        """Runtime without drift; ``None`` for fewer than five anchors."""
        return _corrected(self._runtime, record, record.runtime_ms)

    def power_w(self, record: VisitRecord) -> float | None:
        """Power without drift; ``None`` for fewer than five anchors, or where there is none."""
        return _corrected(self._power, record, record.power_w)


def _curves(
    anchors: Sequence[VisitRecord], level: Callable[[VisitRecord], float | None]
) -> dict[str | None, AnchorCurve | None]:
    points: dict[str | None, list[Point]] = {}
    for record in anchors:
        value = level(record)
        if value is not None:
            points.setdefault(record.board, []).append((float(record.order), value))
    return {board: anchor_curve(own) for board, own in points.items()}


def _corrected(
    curves: Mapping[str | None, AnchorCurve | None], record: VisitRecord, value: float | None
) -> float | None:
    curve = curves.get(record.board)
    return None if curve is None or value is None else curve.corrected(record.order, value)
