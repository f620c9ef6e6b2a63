"""From the record of visits to the tables of a platform: the same visits give the same bytes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from neuralpower.core.configuration import CONFIGURATION_COLUMNS
from neuralpower.core.files import csv_text, safe_name, write_text
from neuralpower.records.drift import Drift

_TIMING_COLUMNS = (
    "runtime_ms_lo",
    "runtime_ms_hi",
    "runtime_ms_q25",
    "runtime_ms_q75",
    "runtime_ms_mad",
    "runtime_ms_min",
    "runtime_ms_p95",
    "n_calls",
    "n_samples",
    "calls_per_sample",
    "buffers",
    "runtime_ms_drift_corrected",
)
#: Columns of a table that holds power.
POWER_COLUMNS = (
    "power_source",
    "power_w_u_within",
    "power_w_corrected",
    "power_w_drift_corrected",
    "power_slope_percent_s",
    "n_publications",
    "n_eff",
    "energy_mj",
    "energy_edge_mj",
    "idle_w",
    "predecessor_w",
)
_PLACE_COLUMNS = ("order", "block", "predecessor", "config_key", "flags", "valid")

#: Columns of a layer table in the full form; the power columns stand only where power was measured.
LAYER_TABLE_COLUMNS = (
    *CONFIGURATION_COLUMNS,
    "runtime_ms",
    "power_w",
    "repeat",
    *_TIMING_COLUMNS,
    *_PLACE_COLUMNS,
)
NETWORK_TABLE_COLUMNS = (
    "network",
    "batch",
    "runtime_ms",
    "power_w",
    "energy_j",
    "runs",
    "repeat",
    *_TIMING_COLUMNS,
    *_PLACE_COLUMNS,
)
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
    folder: Path, records: Iterable[Mapping[str, Any]], earlier: Iterable[str] = ()
) -> list[str]:
    """Write ``<family>.csv.gz``, ``networks.csv`` and ``network_layers.csv.gz``; return the names.

    Tables of an ``earlier`` call that have no rows any more are removed. Visits without a runtime
    are not in the tables: the manifest lists them.
    """
    layers: dict[str, list[dict[str, Any]]] = {}
    networks: list[dict[str, Any]] = []
    inside: list[dict[str, Any]] = []
    ordered = sorted(records, key=lambda record: record["order"])
    drift = Drift(ordered)
    for record in ordered:
        if record.get("timing") is None:
            continue
        if record["kind"] == "network":
            networks.append(_network_row(record, drift))
            inside += _inside_rows(record)
        else:
            row = {**record["configuration"], **_measured(record, drift)}
            layers.setdefault(row["family"], []).append(row)
    made: dict[str, tuple[Sequence[str], list[dict[str, Any]]]] = {
        f"{safe_name(family, 'family')}.csv.gz": (LAYER_TABLE_COLUMNS, rows)
        for family, rows in layers.items()
    }
    if networks:
        made["networks.csv"] = (NETWORK_TABLE_COLUMNS, networks)
    if inside:
        made["network_layers.csv.gz"] = (NETWORK_LAYER_COLUMNS, inside)
    for name, (columns, rows) in made.items():
        powered = any(row.get("power_w") is not None for row in rows)
        own = [c for c in POWER_COLUMNS if c not in columns] if powered else []
        if any(row.get("board") for row in rows):
            own.append("board")
        write_text(folder / name, csv_text((*columns, *own), rows))
    for name in earlier:
        if name not in made and name.endswith((".csv", ".csv.gz")):
            (folder / safe_name(name, "file")).unlink(missing_ok=True)
    return sorted(made)


def _network_row(record: Mapping[str, Any], drift: Drift) -> dict[str, Any]:
    row = {"network": record["network"], "batch": record["batch"], "runs": 1}
    row |= _measured(record, drift)
    if row["power_w"] is not None:
        row["energy_j"] = _short(row["power_w"] * row["runtime_ms"] / 1000)
    return row


def _inside_rows(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "network": record["network"],
            "batch": record["batch"],
            "repeat": record["repeat"],
            **layer,
        }
        for layer in record.get("layers") or ()
    ]


def _measured(record: Mapping[str, Any], drift: Drift) -> dict[str, Any]:
    timing: Mapping[str, Any] = record["timing"]
    power: Mapping[str, Any] = record.get("power") or {}
    runtime, watts = timing["median_ms"], power.get("mean_w")
    slope = power.get("slope_per_s")
    edge = power.get("energy_mean_w")
    return {
        "runtime_ms": _short(runtime),
        "power_w": _short(watts),
        "repeat": record["repeat"],
        "runtime_ms_lo": _short(timing["lo_ms"]),
        "runtime_ms_hi": _short(timing["hi_ms"]),
        "runtime_ms_q25": _short(timing["q25_ms"]),
        "runtime_ms_q75": _short(timing["q75_ms"]),
        "runtime_ms_mad": _short(timing["mad_ms"]),
        "runtime_ms_min": _short(timing["min_ms"]),
        "runtime_ms_p95": _short(timing["p95_ms"]),
        "n_calls": timing["calls"],
        "n_samples": timing["samples"],
        "calls_per_sample": timing["calls_per_sample"],
        "buffers": record["buffers"],
        "runtime_ms_drift_corrected": _short(drift.runtime_ms(record)),
        "order": record["order"],
        "block": record["block"],
        "predecessor": record["predecessor"],
        "config_key": record["key"],
        "flags": " ".join(record["flags"]),
        "valid": int(record["valid"]),
        "power_source": power.get("source"),
        "power_w_u_within": _short(power.get("half_width_w")),
        "power_w_corrected": _short(power.get("corrected_w")),
        "power_w_drift_corrected": _short(drift.power_w(record)),
        "power_slope_percent_s": None if slope is None else _short(slope * 100),
        "n_publications": power.get("publications"),
        "n_eff": _short(power.get("n_eff")),
        "energy_mj": None if watts is None else _short(watts * runtime),
        "energy_edge_mj": None if edge is None else _short(edge * runtime),
        "idle_w": _short(power.get("idle_w")),
        "predecessor_w": _short(power.get("predecessor_w")),
        "board": record.get("board"),
    }


def _short(value: float | None) -> float | None:
    """Six significant digits: far below any noise, and tables of half the size."""
    return None if value is None else float(f"{value:.6g}")
