"""Merging: every visit of every run is kept; the order in which runs are given does not matter."""

from __future__ import annotations

import math
import statistics
from collections.abc import Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from neuralpower.core.configuration import CONFIGURATION_COLUMNS
from neuralpower.core.errors import InputError
from neuralpower.core.files import csv_text, safe_name, write_bytes, write_text
from neuralpower.records.merging.compatible import check_compatible
from neuralpower.records.merging.levels import Level, relative_levels
from neuralpower.records.merging.runs import (
    BOARD,
    LEVELLED,
    RUN,
    RUN_REPEAT,
    Cells,
    Run,
    name_in_platform,
    read_runs,
    sorted_rows,
)
from neuralpower.records.publish import describe
from neuralpower.records.repeatability import ANCHOR_REPEAT
from neuralpower.records.tables import (
    LAYER_TABLE_COLUMNS,
    NETWORK_LAYER_COLUMNS,
    NETWORK_TABLE_COLUMNS,
    POWER_COLUMNS,
)
from neuralpower.records.visits import write_visit_records

#: Relative uncertainty of a board's gain where no run tells another (Yang et al., SC'24).
_U_GAIN = 0.05
#: Facts that stand at the top of the manifest where all runs agree on them.
_SHARED = (
    "protocol", "protocol_sha256", "executor", "anchor", "meter", "machine", "seed",
    "neuralpower", "affinity", "gpu_software",
)  # fmt: skip
_LEAST = {
    "layers": (*CONFIGURATION_COLUMNS, "runtime_ms", "power_w", "repeat"),
    "networks": ("network", "batch", "runtime_ms", "power_w", "repeat"),
    "inside": ("network", "batch", "repeat", "index", "name", "runtime_ms"),
}
_ORDER = {
    "layers": LAYER_TABLE_COLUMNS,
    "networks": NETWORK_TABLE_COLUMNS,
    "inside": NETWORK_LAYER_COLUMNS,
}


def merge(
    folders: Sequence[Path],
    platform: str,
    out: Path,
    *,
    level_gain: bool = False,
    allowed: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """Write the runs of ``folders`` as one platform into ``out`` and return its manifest's facts.

    A run that is given twice counts once; a folder that was merged gives its runs. The same runs
    give the same bytes in any order and in any number of steps. Rows carry ``run``, ``board`` and
    ``run_repeat``; ``repeat`` counts over all runs (anchors from 100). With ``level_gain`` power
    and energy are divided by the factor of their board; as read they are in ``power_w_raw`` and
    so on. Raises ``InputError`` for two states of one run, for runs that differ in what is not
    ``allowed`` (``compatible.KINDS``), or an ``out`` that holds files.
    """
    if out.exists() and any(out.iterdir()):
        raise InputError("not empty: give a new folder", path=out)
    runs = _distinct([run for folder in folders for run in read_runs(folder)])
    differences = check_compatible(runs, allowed)
    gain = _levels(_power_values(runs), sorted({b for run in runs for b in _boards(run)}))
    factors = _factors(gain) if level_gain else {}
    names = _write_tables(out, runs, factors)
    records = [{**record, RUN: run.run} for run in runs for record in run.records]
    if records:
        write_visit_records(out, records)
    for run in runs:
        for name, path in run.files.items():
            write_bytes(out / name_in_platform(name, run.run), path.read_bytes())
    facts = _facts(platform, runs)
    facts["gain"] = {board: level.as_dict() for board, level in gain.items()}
    facts["gain_levelled"] = sorted(factors)
    facts["runtime_levels"] = {
        run: level.as_dict()
        for run, level in _levels(_runtime_values(runs), [r.run for r in runs]).items()
    }
    facts["allowed_differences"] = differences
    describe(out, facts, names)
    return facts


def _distinct(runs: Iterable[Run]) -> list[Run]:
    """Each run once, sorted by its identity; of equal ones that with more beside its rows."""
    found: dict[str, Run] = {}
    for run in runs:
        other = found.setdefault(run.run, run)
        if other.content() != run.content():
            raise InputError(f"run {run.run} is given in two states: give only the later one")
        if (len(run.records), len(run.files)) > (len(other.records), len(other.files)):
            found[run.run] = run
    return [found[name] for name in sorted(found)]


def _write_tables(out: Path, runs: Sequence[Run], factors: Mapping[str, float]) -> list[str]:
    layers = _numbered(
        ((run.run, row) for run in runs for row in sorted_rows(run.layers)), _configuration
    )
    families: dict[str, list[Cells]] = {}
    for row in layers:
        families.setdefault(row["family"], []).append(row)
    made = {
        f"{safe_name(family, 'family')}.csv.gz": ("layers", rows)
        for family, rows in sorted(families.items())
    }
    networks = _numbered(
        ((run.run, row) for run in runs for row in sorted_rows(run.networks)), _pass, _repeats(runs)
    )
    inside = _numbered(
        ((run.run, row) for run in runs for row in run.inside), _pass, _repeats(runs)
    )
    if networks:
        made["networks.csv"] = ("networks", networks)
    if inside:
        made["network_layers.csv.gz"] = ("inside", inside)
    for name, (kind, rows) in made.items():
        for row in rows:
            _level(row, factors)
        write_text(out / name, csv_text(_columns(kind, rows), rows))
    return sorted(made)


def _configuration(row: Cells) -> tuple[Any, ...]:
    anchor = float(row["repeat"]) >= ANCHOR_REPEAT
    return ("anchor",) if anchor else tuple(row.get(name) for name in CONFIGURATION_COLUMNS)


def _pass(row: Cells) -> tuple[Any, ...]:
    return row["network"], row["batch"]


def _repeats(runs: Sequence[Run]) -> dict[tuple[Any, ...], int]:
    """The new repeat of each network, batch, run and old repeat: tables of both kinds agree."""
    olds: dict[tuple[Any, ...], set[tuple[str, float]]] = {}
    for run in runs:
        for row in (*run.networks, *run.inside):
            olds.setdefault(_pass(row), set()).add((run.run, float(row["repeat"])))
    return {
        (*key, *old): number
        for key, own in olds.items()
        for number, old in enumerate(sorted(own), 1)
    }


def _numbered(
    rows: Iterable[tuple[str, Cells]],
    identity: Any,
    repeats: Mapping[tuple[Any, ...], int] | None = None,
) -> list[Cells]:
    """Rows with their run and with repeats counted over all runs, as ``repeats`` says if given.

    Else: from 1 for each configuration, and from 100 for anchors, in the order of runs and of the
    runs' own repeats.
    """
    rows = list(rows)
    numbers: dict[int, int] = {}
    if repeats is None:
        groups: dict[Hashable, list[tuple[str, float, int]]] = {}
        for i, (run, row) in enumerate(rows):
            groups.setdefault(identity(row), []).append((run, float(row["repeat"]), i))
        for key, members in groups.items():
            first = ANCHOR_REPEAT if key == ("anchor",) else 1
            numbers |= {i: first + n for n, (_, _, i) in enumerate(sorted(members))}
    else:
        for i, (run, row) in enumerate(rows):
            numbers[i] = repeats[(*identity(row), run, float(row["repeat"]))]
    return [
        {**row, RUN: run, RUN_REPEAT: row["repeat"], "repeat": str(numbers[i])}
        for i, (run, row) in enumerate(rows)
    ]


def _level(row: Cells, factors: Mapping[str, float]) -> None:
    """Divide power and energy by their board's factor, keeping what was read."""
    factor = factors.get(row.get(BOARD, ""))
    for name in LEVELLED:
        if factor is not None and name in row:
            row[f"{name}_raw"] = row[name]
            row[name] = repr(float(f"{float(row[name]) / factor:.6g}"))


def _columns(kind: str, rows: Sequence[Cells]) -> list[str]:
    """Columns that must stand, those that some row fills in their usual order, others by name."""
    filled = {name for row in rows for name in row}
    usual = dict.fromkeys((*_ORDER[kind], *POWER_COLUMNS))
    known = [name for name in usual if name in filled or name in _LEAST[kind]]
    others = sorted(filled - set(known) - {RUN, BOARD, RUN_REPEAT})
    return [*known, *others, *(n for n in (RUN, BOARD, RUN_REPEAT) if n in filled or n != BOARD)]


def _boards(run: Run) -> set[str]:
    return {row[BOARD] for row in (*run.layers, *run.networks) if BOARD in row}


def _visits(runs: Sequence[Run]) -> Iterable[tuple[str, Hashable, Cells]]:
    for run in runs:
        for row in run.layers:
            yield run.run, tuple(row.get(name) for name in CONFIGURATION_COLUMNS), row
        for row in run.networks:
            yield run.run, _pass(row), row


def _power_values(runs: Sequence[Run]) -> dict[Hashable, dict[str, list[float]]]:
    """Power by configuration and board, as it was read."""
    values: dict[Hashable, dict[str, list[float]]] = {}
    for _, key, row in _visits(runs):
        watts = _positive(row, "power_w")
        if watts is not None and BOARD in row:
            values.setdefault(key, {}).setdefault(row[BOARD], []).append(watts)
    return values


def _runtime_values(runs: Sequence[Run]) -> dict[Hashable, dict[str, list[float]]]:
    values: dict[Hashable, dict[str, list[float]]] = {}
    for run, key, row in _visits(runs):
        runtime = _positive(row, "runtime_ms")
        if runtime is not None:
            values.setdefault(key, {}).setdefault(run, []).append(runtime)
    return values


def _positive(row: Cells, name: str) -> float | None:
    value = float(row.get(name) or math.nan)
    return value if 0 < value < math.inf and row.get("valid", "1") != "0" else None


def _levels(
    values: Mapping[Hashable, Mapping[str, Sequence[float]]], units: Sequence[str]
) -> dict[str, Level]:
    return relative_levels(values, units) if len(units) > 1 else {}


def _factors(gain: Mapping[str, Level]) -> dict[str, float]:
    if len(gain) < 2:
        raise InputError("--level-gain needs power of two boards or more: leave it out")
    missing = [board for board, level in gain.items() if level.factor is None]
    if missing:
        raise InputError(
            f"board {missing[0]} shares no configuration with power with the others: its gain is "
            "not known; measure some in common, or leave --level-gain out"
        )
    return {board: level.factor for board, level in gain.items() if level.factor is not None}


def _facts(platform: str, runs: Sequence[Run]) -> dict[str, Any]:
    """The manifest of the merged platform beside levels and files."""
    own = [run.facts for run in runs]
    boards = sorted({board for run in runs for board in _boards(run)})
    configurations = {
        tuple(row.get(name) for name in CONFIGURATION_COLUMNS)
        for run in runs
        for row in run.layers
        if float(row["repeat"]) < ANCHOR_REPEAT
    }
    rows = sum(len(run.layers) + len(run.networks) for run in runs)
    on = f" on {len(boards)} board{'s' * (len(boards) != 1)}" if boards else ""
    facts: dict[str, Any] = {
        "platform": platform,
        "device": _words(own, "device"),
        "software": _words(own, "software"),
        "description": (
            f"{len(runs)} run{'s' * (len(runs) != 1)}{on} merged: {len(configurations)} layer "
            f"configurations, {rows} visits."
        ),
        "measured_on": sorted({day for facts in own for day in _days(facts)}),
        "power": _power(runs),
        **{name: own[0][name] for name in _SHARED if _agreed(own, name)},
        **_peaks(own),
        "boards": boards,
        "complete": all(facts.get("complete", True) for facts in own),
        "runs": [
            {**run.facts, RUN: run.run, "rows": len(run.layers) + len(run.networks)} for run in runs
        ],
    }
    if notes := " ".join(sorted({str(one["notes"]) for one in own if one.get("notes")})):
        facts["notes"] = notes
    visits = [facts["visits"] for facts in own if isinstance(facts.get("visits"), Mapping)]
    if len(visits) == len(own):
        names = ("planned", "made", "failed")
        facts["visits"] = {name: sum(v[name] for v in visits) for name in names}
    return facts


def _agreed(facts: Sequence[Mapping[str, Any]], name: str) -> bool:
    return name in facts[0] and all(other.get(name) == facts[0][name] for other in facts)


def _words(facts: Sequence[Mapping[str, Any]], name: str) -> str:
    return "; ".join(sorted({str(one[name]) for one in facts if one.get(name)}))


def _days(facts: Mapping[str, Any]) -> list[str]:
    days = facts.get("measured_on") or []
    return [days] if isinstance(days, str) else [str(day) for day in days]


def _power(runs: Sequence[Run]) -> dict[str, Any]:
    told = [run.facts["power"] for run in runs if isinstance(run.facts.get("power"), Mapping)]
    if any(_positive(row, "power_w") for run in runs for row in (*run.layers, *run.networks)):
        gains = [float(power["u_gain"]) for power in told if power.get("u_gain")]
        return {"measured": True, "reason": "", "u_gain": max(gains, default=_U_GAIN)}
    reasons = {str(power["reason"]) for power in told if power.get("reason")}
    return {"measured": False, "reason": "; ".join(sorted(reasons))}


def _peaks(facts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Peak rates: the median of the runs that tell them."""
    found: dict[str, Any] = {}
    for name in ("peak_gflops", "bandwidth_gb_s"):
        values = [one[name] for one in facts if isinstance(one.get(name), int | float)]
        if values:
            found[name] = statistics.median(values)
    if found:
        found["peak_source"] = _words(facts, "peak_source") + "; the median of the runs"
    return found
