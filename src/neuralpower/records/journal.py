"""The record of a run while it runs: one JSON line a visit, on the disk before the next begins."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from neuralpower.core.documents import read_json
from neuralpower.core.errors import InputError
from neuralpower.core.files import write_json
from neuralpower.records.codec import Facts, decode, encode
from neuralpower.records.manifest import PowerState
from neuralpower.records.visits import VISITS, VisitRecord, latest, record_of

RUN = "run.json"
LOCK = ".profile.lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What must stay the same for the visits of a run to belong together."""

    platform: str
    seed: int
    protocol: Facts
    protocol_sha256: str
    executor: Facts
    affinity: tuple[int, ...] | None
    cpu: str | None
    meter: str
    calibration: Facts | None = None

    def compared(self) -> dict[str, object]:
        """What later calls are compared with. Not among it: what decides which visits have power
        and what a board's sensor is calibrated to, how long the board was warmed up, which meter
        reads it, and, where a GPU computes, the host that drives it. ``calls`` has them.
        """
        entries: dict[str, Any] = encode(self)
        for name in ("protocol_sha256", "meter", "calibration"):
            del entries[name]
        protocol = entries["protocol"]
        protocol.pop("warm_up", None)
        power = protocol.pop("power", None)
        if isinstance(power, dict):
            protocol["power"] = {k: v for k, v in power.items() if k not in _OF_A_CALL}
        if self.executor.get("gpu"):
            del entries["cpu"], entries["affinity"]
        return entries


#: Rules of the power phase that calls of one run may change.
_OF_A_CALL = frozenset({"share", "tau_s", "averaging_s", "period_s"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """``run.json``: what a run is, beside its visits.

    ``planned``: visits of the plan, whose digest is ``plan_sha256``. ``anchor``: the reference
    layer. ``idle``: idle power of the board; ``gpu_software``: driver and modes; ``probe``: peak
    rates; ``warm_ups`` and ``calls``: of each call, the latter with what may differ between them.
    """

    identity: Identity
    plan_sha256: str
    planned: int
    anchor: Facts | None
    machine: Facts
    power: PowerState
    neuralpower: str
    probe: Facts = field(default_factory=dict)
    idle: Facts | None = None
    gpu_software: Facts | None = None
    warm_ups: tuple[Facts, ...] = ()
    calls: tuple[Facts, ...] = ()

    def as_dict(self) -> dict[str, object]:
        """Plain values for JSON; what a run does not have is left out."""
        entries: dict[str, Any] = encode(self)
        entries["power"] = self.power.as_dict()
        if self.identity.calibration is None:
            del entries["identity"]["calibration"]
        for name in ("idle", "gpu_software", "warm_ups", "calls"):
            if not entries[name]:
                del entries[name]
        return entries


def read_run(folder: Path) -> RunRecord | None:
    """The record of the run in a folder, ``None`` where there is none.

    Raises ``InputError`` for a file that is not one.
    """
    path = folder / RUN
    if not path.exists():
        return None
    try:
        return decode(RunRecord, read_json(path, "the record of a run"))
    except ValueError as error:
        raise InputError(
            f"not the record of a run ({error}): take another --out", path=path
        ) from None


def write_run(folder: Path, run: RunRecord) -> None:
    """Write ``run.json``."""
    write_json(folder / RUN, run.as_dict())


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

    def read(self) -> list[VisitRecord]:
        """The records, of each visit the last; a line that a kill tore is cut off the file.

        Raises ``InputError`` with the line for anything else that is not a record.
        """
        if not self.path.exists():
            return []
        data = self.path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            with open(self.path, "r+b") as stream:
                stream.truncate(whole)
        records: list[VisitRecord] = []
        for number, line in enumerate(data[:whole].splitlines(), 1):
            try:
                records.append(record_of(line.decode()))
            except ValueError as error:
                raise InputError(
                    f"not a record of a visit ({error}): remove the line, its visit is then made "
                    "again",
                    path=self.path,
                    line=number,
                ) from None
        return latest(records)

    def append(self, record: VisitRecord) -> None:
        """Write one record and wait until it is on the disk."""
        if self._handle is None:
            self._handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        line = json.dumps(record.as_dict(), allow_nan=False, separators=(",", ":")) + "\n"
        os.write(self._handle, line.encode())
        os.fsync(self._handle)

    def close(self) -> None:
        """Close the file."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def begin_run(folder: Path, run: RunRecord, extend: bool) -> None:
    """Write ``run.json``, or compare it with the one that is there.

    The ``identity`` of a run (protocol, seed, software, machine) must be the same for its visits
    to belong together; so must the plan, unless the run is to be extended. Raises ``InputError``
    naming what changed.
    """
    path = folder / RUN
    before = read_run(folder)
    if before is not None:
        changed = _differences(*_alike(before.identity.compared(), run.identity.compared()))
        if changed:
            raise InputError(
                f"this folder holds a run of another kind ({'; '.join(changed[:3])}): "
                "take another --out, or remove the folder to measure anew",
                path=path,
            )
        if before.plan_sha256 != run.plan_sha256 and not extend:
            raise InputError(
                "the tables have changed since this run began: --extend keeps the visits that "
                "are still wanted and makes the new ones, or take another --out",
                path=path,
            )
    elif any(folder.glob("*.csv*")) or (folder / VISITS).exists():
        raise InputError(
            "this folder holds measurements of another origin: take another --out", path=folder
        )
    write_run(folder, run)


def _alike(
    before: dict[str, Any], now: dict[str, Any]
) -> tuple[dict[str, object], dict[str, object]]:
    """Without the rules of power where one of the calls has measured none."""
    if not ("power" in before["protocol"] and "power" in now["protocol"]):
        before["protocol"].pop("power", None)
        now["protocol"].pop("power", None)
    return before, now


def _differences(before: object, now: object, place: str = "") -> list[str]:
    if isinstance(before, dict) and isinstance(now, dict):
        found = []
        for name in sorted({*before, *now}):
            inner = f"{place}.{name}" if place else name
            found += _differences(before.get(name), now.get(name), inner)
        return found
    return [] if before == now else [f"{place} was {before}, is {now}"]
