"""Merging: every visit of every run is kept; the order in which runs are given does not matter."""

from __future__ import annotations

import math
import shutil
import statistics
import tempfile
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from neuralpower.core.configuration import CONFIGURATION_COLUMNS
from neuralpower.core.errors import InputError
from neuralpower.core.file_names import NETWORK_LAYER_TABLE, NETWORK_TABLE
from neuralpower.core.files import csv_text, safe_name, write_bytes, write_text
from neuralpower.records.manifest import Manifest, PowerState, VisitCounts, read_manifest
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
from neuralpower.records.networks import merge_networks
from neuralpower.records.publish import describe
from neuralpower.records.repeatability import ANCHOR_REPEAT
from neuralpower.records.tables import (
    LAYER_TABLE_COLUMNS,
    NETWORK_LAYER_COLUMNS,
    NETWORK_TABLE_COLUMNS,
    POWER_COLUMNS,
)
from neuralpower.records.visits import write_visit_records

#: Relative uncertainty of a board's gain where no run says another (Yang et al., SC'24).
_U_GAIN = 0.05
#: Facts that are at the top of the manifest where all runs agree on them.
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
    renew: bool = False,
) -> Manifest:
    """Write the runs of ``folders`` as one platform into ``out`` and return its manifest.

    A run that is given twice counts once; a folder that was merged gives its runs. The same runs
    give the same bytes in any order and in any number of steps. Rows carry ``run``, ``board`` and
    ``run_repeat``; ``repeat`` counts over all runs (anchors from 100). With ``level_gain`` power
    and energy are divided by the factor of their board; as read they are in ``power_w_raw`` and
    so on. With ``renew`` an ``out`` that holds a merged platform is replaced. Raises
    ``InputError`` for two states of one run, for runs that differ in what is not ``allowed``
    (``compatible.KINDS``), or an ``out`` that holds other files.
    """
    if out.exists() and any(out.iterdir()):
        known = read_manifest(out) if renew else None
        # Merged by this version, or by 0.1 (``shards``).
        if known is None or (known.runs is None and "shards" not in known.other):
            raise InputError("not empty: give a new folder", path=out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as beside:
        made = Path(beside) / out.name
        manifest = _merged(folders, platform, made, level_gain, allowed)
        if out.exists():
            shutil.rmtree(out)
        made.rename(out)
    return manifest


def _merged(
    folders: Sequence[Path], platform: str, out: Path, level_gain: bool, allowed: frozenset[str]
) -> Manifest:
    runs = _distinct([run for folder in folders for run in read_runs(folder)])
    differences = check_compatible(runs, allowed)
    gain = _levels(_power_values(runs), sorted({b for run in runs for b in _boards(run)}))
    factors = _factors(gain) if level_gain else {}
    if not any(run.layers or run.networks for run in runs):
        raise InputError("no measurements in it: its tables have no rows", path=folders[0])
    names = _write_tables(out, runs, factors)
    records = [replace(record, run=run.run) for run in runs for record in run.records]
    if records:
        write_visit_records(out, records)
    for run in runs:
        for name, path in run.files.items():
            write_bytes(out / name_in_platform(name, run.run), path.read_bytes())
    merge_networks(folders, out)
    speeds = _levels(_runtime_values(runs), [r.run for r in runs])
    manifest = replace(
        _manifest(platform, runs),
        gain={board: level.as_dict() for board, level in gain.items()},
        gain_levelled=tuple(sorted(factors)),
        runtime_levels={run: level.as_dict() for run, level in speeds.items()},
        allowed_differences=differences,
    )
    describe(out, manifest, names)
    return manifest


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
        made[NETWORK_TABLE] = ("networks", networks)
    if inside:
        made[NETWORK_LAYER_TABLE] = ("inside", inside)
    for name, (kind, rows) in made.items():
        for row in rows:
            _level(row, factors)
        write_text(out / name, csv_text(_columns(kind, rows), rows))
    return sorted(made)


def _configuration(row: Cells) -> tuple[object, ...]:
    anchor = float(row["repeat"]) >= ANCHOR_REPEAT
    return ("anchor",) if anchor else tuple(row.get(name) for name in CONFIGURATION_COLUMNS)


def _pass(row: Cells) -> tuple[object, ...]:
    return row["network"], row["batch"]


def _repeats(runs: Sequence[Run]) -> dict[tuple[object, ...], int]:
    """The new repeat of each network, batch, run and old repeat: tables of both kinds agree."""
    olds: dict[tuple[object, ...], set[tuple[str, float]]] = {}
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
    repeats: Mapping[tuple[object, ...], int] | None = None,
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
    """Columns that are needed, those that some row fills in their usual order, others by name."""
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


def _manifest(platform: str, runs: Sequence[Run]) -> Manifest:
    """The manifest of the merged platform without levels and files."""
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
    visits = [facts.visits for facts in own if facts.visits is not None]
    return Manifest(
        platform=platform,
        device=_words([facts.device for facts in own]),
        software=_words([facts.software for facts in own]),
        description=(
            f"{len(runs)} run{'s' * (len(runs) != 1)}{on} merged: {len(configurations)} layer "
            f"configurations, {rows} visits."
        ),
        measured_on=tuple(sorted({day for facts in own for day in facts.measured_on})),
        power=_power(runs),
        **{name: _agreed([getattr(facts, name) for facts in own]) for name in _SHARED},
        peak_gflops=_median([facts.peak_gflops for facts in own]),
        bandwidth_gb_s=_median([facts.bandwidth_gb_s for facts in own]),
        peak_source=_peak_source(own),
        boards=tuple(boards),
        complete=all(facts.complete for facts in own),
        runs=tuple(
            run.facts.as_dict() | {RUN: run.run, "rows": len(run.layers) + len(run.networks)}
            for run in runs
        ),
        notes=" ".join(sorted({facts.notes for facts in own if facts.notes})),
        visits=VisitCounts(*(sum(getattr(v, f.name) for v in visits) for f in fields(VisitCounts)))
        if len(visits) == len(own)
        else None,
    )


def _agreed(values: Sequence[object]) -> Any:
    """What all runs say alike; ``None`` where they differ."""
    return values[0] if all(other == values[0] for other in values) else None


def _words(values: Sequence[str | None]) -> str:
    return "; ".join(sorted({value for value in values if value}))


def _power(runs: Sequence[Run]) -> PowerState:
    states = [run.facts.power for run in runs if run.facts.power is not None]
    if any(_positive(row, "power_w") for run in runs for row in (*run.layers, *run.networks)):
        return PowerState(True, "", max((p.u_gain for p in states if p.u_gain), default=_U_GAIN))
    return PowerState(False, _words([power.reason for power in states]))


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def _peak_source(own: Sequence[Manifest]) -> str | None:
    if not any(facts.peak_gflops or facts.bandwidth_gb_s for facts in own):
        return None
    return _words([facts.peak_source for facts in own]) + "; the median of the runs"
