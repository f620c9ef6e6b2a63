"""The record of a run while it runs: one JSON line a visit, on the disk before the next begins."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from neuralpower.core.errors import InputError
from neuralpower.core.files import read_text, write_json

VISITS = "visits.jsonl"
RUN = "run.json"
LOCK = ".profile.lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder for one run; the system lets go of it however the process ends.

    Raises ``InputError`` when another run holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / LOCK, "a+", encoding="utf-8") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            stream.seek(0)
            other = stream.read(40).strip()
            raise InputError(
                f"another profile run ({other or 'unknown process'}) writes here: wait for it, "
                "or take another --out",
                path=folder,
            ) from None
        stream.truncate(0)
        stream.write(f"process {os.getpid()}")
        stream.flush()
        yield


class VisitLog:
    """``visits.jsonl``: append-only, one fsync a record."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / VISITS
        self._handle: int | None = None

    def read(self) -> list[dict[str, Any]]:
        """The records; a last line that a kill tore is cut off the file.

        Raises ``InputError`` with the line for anything else that is not a record.
        """
        if not self.path.exists():
            return []
        data = self.path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            with open(self.path, "r+b") as stream:
                stream.truncate(whole)
        records: list[dict[str, Any]] = []
        for number, line in enumerate(data[:whole].splitlines(), 1):
            try:
                record = json.loads(line)
            except ValueError:
                record = None
            if not isinstance(record, dict) or not isinstance(record.get("visit"), str):
                raise InputError(
                    "not a record of a visit: remove the line, its visit is then made again",
                    path=self.path,
                    line=number,
                )
            records.append(record)
        return records

    def append(self, record: Mapping[str, Any]) -> None:
        """Write one record and wait until it is on the disk."""
        if self._handle is None:
            self._handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        line = json.dumps(record, allow_nan=False, separators=(",", ":")) + "\n"
        os.write(self._handle, line.encode())
        os.fsync(self._handle)

    def close(self) -> None:
        """Close the file."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def begin_run(folder: Path, run: Mapping[str, Any], extend: bool) -> None:
    """Write ``run.json``, or compare it with the one that is there.

    The ``identity`` of a run (protocol, seed, software, machine) must be the same for its visits
    to belong together; so must the plan, unless the run is to be extended. Raises ``InputError``
    naming what changed.
    """
    path = folder / RUN
    if path.exists():
        try:
            before = json.loads(read_text(path))
        except ValueError:
            before = None
        if not isinstance(before, dict) or not isinstance(before.get("identity"), dict):
            raise InputError("not the record of a run: take another --out", path=path)
        changed = _differences(before["identity"], run["identity"])
        if changed:
            raise InputError(
                f"this folder holds a run of another kind ({'; '.join(changed[:3])}): "
                "take another --out, or remove the folder to measure anew",
                path=path,
            )
        if before.get("plan_sha256") != run["plan_sha256"] and not extend:
            raise InputError(
                "the tables have changed since this run began: --extend keeps the visits that "
                "are still wanted and makes the new ones, or take another --out",
                path=path,
            )
    elif any(folder.glob("*.csv*")) or (folder / VISITS).exists():
        raise InputError(
            "this folder holds measurements of another origin: take another --out", path=folder
        )
    write_json(path, run)


def _differences(before: Any, now: Any, place: str = "") -> list[str]:
    if isinstance(before, dict) and isinstance(now, dict):
        found = []
        for name in sorted({*before, *now}):
            inner = f"{place}.{name}" if place else name
            found += _differences(before.get(name), now.get(name), inner)
        return found
    return [] if before == now else [f"{place} was {before}, is {now}"]
