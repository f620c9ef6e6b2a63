"""``visits.jsonl.gz``: the whole record of a platform's visits, as published beside its tables.

While a run goes on its record is ``visits.jsonl`` (``records.VisitLog``), in the order in which
visits were made and with what an extended run no longer wants; this is the same in the plan's
order, with sorted keys: the same records give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from neuralpower.core.errors import InputError
from neuralpower.core.files import read_text, write_text

VISIT_RECORDS = "visits.jsonl.gz"
#: Records of a run that still goes on, read where nothing is published yet.
_GROWING = "visits.jsonl"
SCHEMA_VERSION = 1


def write_visit_records(folder: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Write the records, sorted by run and order."""
    ordered = sorted(records, key=lambda r: (r.get("run") or "", r["order"]))
    lines = [json.dumps(r, sort_keys=True, separators=(",", ":"), allow_nan=False) for r in ordered]
    write_text(folder / VISIT_RECORDS, "".join(f"{line}\n" for line in lines))


def read_visit_records(folder: Path) -> list[dict[str, Any]]:
    """The records of a folder, empty where it has none; ``InputError`` with the line of a fault."""
    return list(iter_visit_records(folder))


def iter_visit_records(folder: Path) -> Iterator[dict[str, Any]]:
    """The records one by one: read, each takes several times the memory of its line."""
    path = folder / VISIT_RECORDS
    if not path.exists():
        path = folder / _GROWING
        if not path.exists():
            return
    text = read_text(path)
    if path.name == _GROWING:
        # A line that a kill tore.
        text = text[: text.rfind("\n") + 1]
    for number, line in enumerate(text.splitlines(), 1):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            record = None
        if not isinstance(record, dict) or not record.keys() >= _NEEDED:
            raise InputError("not a record of a visit: restore the file", path=path, line=number)
        yield record


_NEEDED = {"visit", "kind", "key", "repeat", "order", "timing", "flags", "valid"}


def run_identity(records: Sequence[Mapping[str, Any]]) -> str | None:
    """A short identity of a run: of what its first visit measured, when, and how long it took.

    It stays the same while the run grows, and is the same wherever the folder lies.
    """
    if not records:
        return None
    first = min(records, key=lambda record: record["order"])
    if first.get("run"):
        return str(first["run"])
    # Its place in the plan and what publishing adds are not part of it.
    names = ("visit", "key", "seed", "board", "time_utc", "wall_s", "timing", "power")
    known = {name: first.get(name) for name in names}
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:12]
