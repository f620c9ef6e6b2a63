"""The runs of recorded folders: one per folder as measured, several of one that was merged."""

from __future__ import annotations

import hashlib
import json
import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from neuralpower.core.errors import InputError
from neuralpower.core.file_names import MANIFEST, VISIT_RECORDS
from neuralpower.core.files import read_rows, safe_name
from neuralpower.records.codec import Facts
from neuralpower.records.folder import (
    Platform,
    iter_rows,
    load_network_layer_rows,
    load_network_rows,
    load_platform,
)
from neuralpower.records.manifest import Manifest
from neuralpower.records.networks import FOLDER as NETWORKS
from neuralpower.records.publish import NOTES
from neuralpower.records.sealing import accompanying, checksum_faults
from neuralpower.records.visits import VisitRecord, read_visit_records, run_identity

Cells = dict[str, str]

#: Columns that merging adds; ``RUN_REPEAT`` is the repeat as the run itself counted it.
RUN, BOARD, RUN_REPEAT = "run", "board", "run_repeat"
#: Columns that levelling of the boards' gain changes; as read they are in ``<name>_raw``.
LEVELLED = ("power_w", "power_w_corrected", "power_w_drift_corrected", "energy_mj", "energy_j")


@dataclass(frozen=True)
class Run:
    """One run: its rows as text with their own repeats, its facts, records and files.

    ``run``: its identity. ``layers``, ``networks``, ``inside``: rows of the three kinds of tables.
    ``files``: logs and facts of the board that go along, by the name they have in the run.
    """

    run: str
    facts: Manifest
    layers: Sequence[Cells]
    networks: Sequence[Cells]
    inside: Sequence[Cells]
    records: Sequence[VisitRecord] = ()
    files: Mapping[str, Path] = field(default_factory=dict)

    def content(self) -> str:
        """A digest of facts and rows, in any order of the rows: other content, another one."""
        rows = [sorted_rows(part) for part in (self.layers, self.networks, self.inside)]
        return hashlib.sha256(
            json.dumps([self.facts.as_dict(), rows], sort_keys=True).encode()
        ).hexdigest()


def read_runs(folder: Path) -> list[Run]:
    """The runs of a folder.

    Raises ``InputError`` for tables that cannot be read, files that are not what the manifest
    says, or rows of a run that the manifest of a merged folder does not know.
    """
    platform = load_platform(folder)
    faults = checksum_faults(platform)
    if faults:
        raise InputError(f"{faults[0]}: restore it before merging", path=folder / MANIFEST)
    # Read strictly once, so that a fault of a table is named with its row.
    deque(iter_rows(platform), maxlen=0)
    load_network_rows(platform)
    load_network_layer_rows(platform)
    tables = _Tables(
        _cells(platform.layer_files),
        _cells(platform.network_files),
        _cells(platform.network_layer_files),
        read_visit_records(folder),
    )
    if platform.manifest.runs is None:
        return [_single(platform, tables)]
    return [_part(platform, tables, facts) for facts in platform.manifest.runs]


@dataclass(frozen=True)
class _Tables:
    layers: list[Cells]
    networks: list[Cells]
    inside: list[Cells]
    records: list[VisitRecord]

    def of(self, run: str) -> _Tables:
        """The part of a run, as the run itself had it."""
        records = [replace(record, run=None) for record in self.records if record.run == run]
        own = (
            [_as_it_was(row) for row in rows if row.get(RUN) == run]
            for rows in (self.layers, self.networks, self.inside)
        )
        layers, networks, inside = own
        return _Tables(layers, networks, inside, records)


def _cells(paths: Sequence[Path]) -> list[Cells]:
    """Rows of tables as text, in the order of files and rows; empty cells are left out."""
    rows = []
    for path in paths:
        if path.name.endswith(".parquet"):
            raise InputError("tables are merged as CSV: save it as .csv.gz", path=path)
        rows += [{k: v for k, v in row.items() if v} for row in read_rows(path)[1]]
    return rows


def _as_it_was(row: Cells) -> Cells:
    """A row of a merged table without what merging added."""
    own = {k: v for k, v in row.items() if k not in (RUN, RUN_REPEAT)}
    if RUN_REPEAT in row:
        own["repeat"] = row[RUN_REPEAT]
    for name in LEVELLED:
        raw = own.pop(f"{name}_raw", None)
        if raw is not None:
            own[name] = raw
    return own


def _single(platform: Platform, tables: _Tables) -> Run:
    folder = platform.folder
    # Without what is of the folder, not of its run.
    facts = replace(
        platform.manifest,
        run=None,
        platform=None,
        files=None,
        schema_version=None,
        repeatability=None,
    )
    run = platform.manifest.run or run_identity(tables.records) or _digest(tables)
    boards = facts.boards or ()
    for row in (*tables.layers, *tables.networks):
        # A board that the manifest alone names is that of all rows.
        if len(boards) == 1:
            row.setdefault(BOARD, boards[0])
        row.setdefault("repeat", "1")
    for row in tables.inside:
        row.setdefault("repeat", "1")
    # The networks are those of the platform, whatever run measured them.
    names = [
        name
        for name in accompanying(folder)
        if name not in (VISIT_RECORDS, NOTES) and not name.startswith(f"{NETWORKS}/")
    ]
    files = {name: folder / name for name in names}
    safe_name(run, "run", folder)
    return Run(run, facts, tables.layers, tables.networks, tables.inside, tables.records, files)


def _part(platform: Platform, tables: _Tables, facts: Facts) -> Run:
    manifest = Manifest.of({k: v for k, v in facts.items() if k != "rows"})
    if manifest.run is None:
        raise InputError("runs: an object with its run is needed", path=platform.folder / MANIFEST)
    run = safe_name(manifest.run, "run", platform.folder / MANIFEST)
    own = tables.of(run)
    files = {
        _name_in_run(name, run): platform.folder / name
        for name in accompanying(platform.folder)
        if f"{run}." in name and not name.startswith(f"{NETWORKS}/")
    }
    kept = replace(manifest, run=None)
    return Run(run, kept, own.layers, own.networks, own.inside, own.records, files)


def name_in_platform(name: str, run: str) -> str:
    """The name of a run's file in a merged folder: ``power/001.csv.gz`` as ``power/RUN.001...``."""
    if "/" in name:
        folder, _, own = name.partition("/")
        return f"{folder}/{run}.{own}"
    stem, _, end = name.partition(".")
    return f"{stem}.{run}.{end}"


def _name_in_run(name: str, run: str) -> str:
    return name.replace(f"{run}.", "", 1)


def sorted_rows(rows: Sequence[Cells]) -> list[Cells]:
    """Rows as a run made them; where they do not say, in an order that does not depend on files."""
    return sorted(rows, key=lambda r: (float(r.get("order") or math.inf), _text(r)))


def _text(row: Cells) -> str:
    return json.dumps(row, sort_keys=True)


def _digest(tables: _Tables) -> str:
    """An identity from the figures, for a folder without records."""
    rows = sorted(map(_text, (*tables.layers, *tables.networks)))
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()[:12]
