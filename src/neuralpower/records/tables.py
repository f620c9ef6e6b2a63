"""From the record of visits to the tables of a platform: the same visits give the same bytes.

A column is named once: its name, and what it is of a visit. The lists below are the order of the
files; ``numbers`` says which columns ``rows`` reads back as numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from neuralpower.core.configuration import CONFIGURATION_COLUMNS
from neuralpower.core.file_names import NETWORK_LAYER_TABLE, NETWORK_TABLE
from neuralpower.core.files import csv_text, safe_name, write_text
from neuralpower.records.drift import Drift
from neuralpower.records.visits import Power, Timing, VisitRecord

Cell = float | int | str | None
Row = Mapping[str, Cell]


@dataclass(frozen=True, slots=True)
class Made:
    """A visit that was made, with its times, its power and the run's drift."""

    record: VisitRecord
    timing: Timing
    power: Power
    drift: Drift


Columns = Mapping[str, Callable[[Made], Cell]]

_FIGURES: Columns = {
    "runtime_ms": lambda m: m.timing.median_ms,
    "power_w": lambda m: m.power.mean_w,
}
_REPEAT: Columns = {"repeat": lambda m: m.record.repeat}
_TIMING: Columns = {
    "runtime_ms_lo": lambda m: m.timing.lo_ms,
    "runtime_ms_hi": lambda m: m.timing.hi_ms,
    "runtime_ms_q25": lambda m: m.timing.q25_ms,
    "runtime_ms_q75": lambda m: m.timing.q75_ms,
    "runtime_ms_mad": lambda m: m.timing.mad_ms,
    "runtime_ms_min": lambda m: m.timing.min_ms,
    "runtime_ms_p95": lambda m: m.timing.p95_ms,
    "n_calls": lambda m: m.timing.calls,
    "n_samples": lambda m: m.timing.samples,
    "calls_per_sample": lambda m: m.timing.calls_per_sample,
    "buffers": lambda m: m.record.buffers,
    "runtime_ms_drift_corrected": lambda m: m.drift.runtime_ms(m.record),
}
_PLACE: Columns = {
    "order": lambda m: m.record.order,
    "block": lambda m: m.record.block,
    "predecessor": lambda m: m.record.predecessor,
    "config_key": lambda m: m.record.key,
    "flags": lambda m: " ".join(m.record.flags),
    "valid": lambda m: int(m.record.valid),
}
#: Columns of a table that holds power.
_POWER: Columns = {
    "power_source": lambda m: m.power.source or None,
    "power_w_u_within": lambda m: m.power.half_width_w,
    "power_w_corrected": lambda m: m.power.corrected_w,
    "power_w_drift_corrected": lambda m: m.drift.power_w(m.record),
    "power_slope_percent_s": lambda m: _percent(m.power.slope_per_s),
    "n_publications": lambda m: m.power.publications,
    "n_eff": lambda m: m.power.n_eff,
    "power_runtime_ms": lambda m: m.power.call_ms,
    "energy_mj": lambda m: m.record.energy_mj,
    "energy_edge_mj": lambda m: m.record.energy_edge_mj,
    "idle_w": lambda m: m.power.idle_w,
    "predecessor_w": lambda m: m.power.predecessor_w,
}
#: Columns that are there where a row fills them.
_SOMETIMES: Columns = {
    "cache_mode": lambda m: m.record.cache,
    "footprint_bytes": lambda m: m.record.footprint_bytes if m.record.cache else None,
    "board": lambda m: m.record.board,
}
_NETWORK: Columns = {
    "network": lambda m: m.record.network,
    "batch": lambda m: m.record.batch,
    **_FIGURES,
    "energy_j": lambda m: _joules(_short(m.power.mean_w), _short(m.record.power_runtime_ms)),
    "runs": lambda _: 1,
    **_REPEAT,
}
_MEASURED: Columns = {**_FIGURES, **_REPEAT, **_TIMING, **_PLACE}

POWER_COLUMNS = tuple(_POWER)
#: Columns of a layer table in the full form; the power columns are for where it was measured.
LAYER_TABLE_COLUMNS = (*CONFIGURATION_COLUMNS, *_MEASURED)
NETWORK_TABLE_COLUMNS = (*_NETWORK, *_TIMING, *_PLACE)
NETWORK_LAYER_COLUMNS = (
    "network",
    "batch",
    "repeat",
    "index",
    "name",
    "type",
    "runtime_ms",
    "n_calls",
)


def write_tables(
    folder: Path, records: Iterable[VisitRecord], earlier: Iterable[str] = ()
) -> list[str]:
    """Write ``<family>.csv.gz``, ``networks.csv`` and ``network_layers.csv.gz``; return the names.

    Tables of an ``earlier`` call that have no rows any more are removed. Visits without a runtime
    are not in the tables: the manifest lists them.
    """
    layers: dict[str, list[Row]] = {}
    networks: list[Row] = []
    inside: list[Row] = []
    ordered = sorted(records, key=lambda record: record.order)
    drift = Drift(ordered)
    for record in ordered:
        if record.timing is None:
            continue
        made = Made(record, record.timing, record.power or Power(""), drift)
        if record.configuration is None:
            networks.append(_cells(made, {**_NETWORK, **_TIMING, **_PLACE, **_POWER, **_SOMETIMES}))
            inside += _inside_rows(record)
        else:
            cells = _cells(made, {**_MEASURED, **_POWER, **_SOMETIMES})
            row = {**asdict(record.configuration), **cells}
            layers.setdefault(record.configuration.family, []).append(row)
    written: dict[str, tuple[Sequence[str], list[Row]]] = {
        f"{safe_name(family, 'family')}.csv.gz": (LAYER_TABLE_COLUMNS, rows)
        for family, rows in layers.items()
    }
    if networks:
        written[NETWORK_TABLE] = (NETWORK_TABLE_COLUMNS, networks)
    if inside:
        written[NETWORK_LAYER_TABLE] = (NETWORK_LAYER_COLUMNS, inside)
    for name, (columns, rows) in written.items():
        own = list(POWER_COLUMNS) if any(row.get("power_w") is not None for row in rows) else []
        own += [name for name in _SOMETIMES if any(row.get(name) for row in rows)]
        write_text(folder / name, csv_text((*columns, *own), rows))
    for name in earlier:
        # Logs of sensors are tables too, in other folders: they stay.
        if name not in written and "/" not in name and name.endswith((".csv", ".csv.gz")):
            (folder / safe_name(name, "file")).unlink(missing_ok=True)
    return sorted(written)


def _cells(made: Made, columns: Columns) -> dict[str, Cell]:
    return {name: _short(of(made)) for name, of in columns.items()}


def _inside_rows(record: VisitRecord) -> list[Row]:
    own = {"network": record.network, "batch": record.batch, "repeat": record.repeat}
    return [{**own, **asdict(layer)} for layer in record.layers or ()]


def _percent(share: float | None) -> float | None:
    return None if share is None else share * 100


def _joules(watts: Cell, ms: Cell) -> float | None:
    """Of the figures as the table shows them: W x ms = mJ."""
    return watts * ms / 1000 if isinstance(watts, float) and isinstance(ms, float) else None


def _short(value: Cell) -> Cell:
    """Six significant digits: far below any noise, and tables of half the size."""
    return float(f"{value:.6g}") if isinstance(value, float) else value
