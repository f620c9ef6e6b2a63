"""What a platform's power rows say of themselves: share, intervals, anchors, counter, idle."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from neuralpower.core.statistics import quantile
from neuralpower.meters.window import BOARD_STEPS as BOARD_STEPS
from neuralpower.records.folder import Row
from neuralpower.records.manifest import Manifest
from neuralpower.records.repeatability import (
    Series,
    anchors_by_layer,
    by_run,
    is_anchor,
    scatter,
)


@dataclass(frozen=True, slots=True)
class PowerFigures:
    """Figures of the rows that hold power; relative ones are shares of 1.

    ``u_within_*``: half-widths of the windows' 95 % intervals over their means. ``anchor_cv`` and
    ``anchor_drift`` as of runtimes (``Repeatability``), of the anchors' power. ``repeat_spread``:
    median over configurations with several power visits of (highest - lowest) / lowest.
    ``counter_ratio``: median of the energy counter's power over the sensor's.
    """

    rows: int
    powered: int
    lowest_w: float
    highest_w: float
    u_within_median: float | None
    u_within_p90: float | None
    anchors: int
    anchor_cv: float | None
    anchor_drift: float | None
    repeat_spread: float | None
    counter_ratio: float | None
    boards: tuple[str, ...]

    @property
    def share(self) -> float:
        """The share of the rows that hold power."""
        return self.powered / self.rows


def power_figures(rows: Sequence[Row]) -> PowerFigures | None:
    """The figures of layer rows; ``None`` where none holds power."""
    powered = [row for row in rows if positive(row.values.get("power_w")) is not None]
    if not powered:
        return None
    watts = [float(row.values["power_w"]) for row in powered]
    within = sorted(
        half / watt
        for row, watt in zip(powered, watts, strict=True)
        if (half := positive(row.values.get("power_w_u_within"))) is not None
    )
    counters = [
        edge / (watt * ms)
        for row, watt in zip(powered, watts, strict=True)
        if (edge := positive(row.values.get("energy_edge_mj"))) is not None
        and (ms := positive(row.values.get("power_runtime_ms") or row.values.get("runtime_ms")))
        is not None
    ]
    visits: dict[str, list[float]] = {}
    for row, watt in zip(powered, watts, strict=True):
        if (key := str(row.values.get("config_key") or "")) and not is_anchor(row):
            visits.setdefault(key, []).append(watt)
    first, *_ = (*anchors_by_layer(powered), [])
    series = [Series.of(values) for values in by_run(first, "power_w").values()]
    cv, drift = scatter(series)
    spreads = [max(own) / min(own) - 1 for own in visits.values() if len(own) > 1]
    return PowerFigures(
        rows=len(rows),
        powered=len(powered),
        lowest_w=min(watts),
        highest_w=max(watts),
        u_within_median=quantile(within, 0.5) if within else None,
        u_within_p90=quantile(within, 0.9) if within else None,
        anchors=sum(one.n for one in series),
        anchor_cv=cv,
        anchor_drift=drift,
        repeat_spread=statistics.median(spreads) if spreads else None,
        counter_ratio=statistics.median(counters) if counters else None,
        boards=tuple(sorted({str(row.values.get("board") or "") for row in rows} - {""})),
    )


def positive(value: object) -> float | None:
    """A finite positive number, of a cell that may still be text; ``None`` for anything else."""
    if not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if 0 < number < math.inf else None


def idle_states(manifest: Manifest) -> list[tuple[str, float]]:
    """The idle states of the board with their watts, those that were measured, run by run."""
    if manifest.runs is not None:
        return [
            (f"{words} ({run.get('run')})", watts)
            for run in manifest.runs
            for words, watts in _idle_states(run.get("idle"))
        ]
    return _idle_states(manifest.idle)


_IDLE = {
    "no_context": "before the framework was loaded",
    "context": "with a context",
    "after_load": "just after a load",
}


def _idle_states(idle: object) -> list[tuple[str, float]]:
    found = []
    for key, words in _IDLE.items():
        state = idle.get(key) if isinstance(idle, Mapping) else None
        watts = positive(state.get("mean_w")) if isinstance(state, Mapping) else None
        if watts is not None:
            found.append((words, watts))
    return found
