"""The record of a visit, and the files that hold such records.

While a run goes on they grow in ``visits.jsonl`` (``journal.VisitLog``), in the order in which
visits were made and with what an extended run no longer wants; ``visits.jsonl.gz``, published
beside the tables, has them in the plan's order with sorted keys: the same records give the same
bytes.

History of the format (``schema_version``); a version that is not listed here is refused:

1. The first.
2. Energy of a call is power times ``power.call_ms``, the time of the same replays, and no longer
   times the median of the timing. ``state``: the board during timing; ``cache``: what the
   second-level cache holds of a call's data; ``parameter_bytes``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from neuralpower.core.configuration import Configuration
from neuralpower.core.documents import parse_json
from neuralpower.core.errors import InputError
from neuralpower.core.file_names import VISIT_RECORDS
from neuralpower.core.files import read_text, write_text
from neuralpower.core.layer_time import LayerTime
from neuralpower.records.codec import decode, encode

#: Records of a run that still goes on, read where nothing is published yet.
VISITS = "visits.jsonl"
SCHEMA_VERSION = 2
KINDS = ("layer", "anchor", "network")
#: Flag of a visit whose call ended before its power: a later call visits it again.
POWER_MISSED = "power_missed"


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds a call: median, its 95 % order-statistic interval, quartiles, scatter.

    ``lo_ms`` and ``hi_ms`` are ``None`` with fewer than 6 samples. ``t0_ns`` and ``t1_ns`` enclose
    the samples on the clock that was used.
    """

    median_ms: float
    lo_ms: float | None
    hi_ms: float | None
    q25_ms: float
    q75_ms: float
    mad_ms: float
    min_ms: float
    p95_ms: float
    samples: int
    calls: int
    calls_per_sample: int
    warm_up_calls: int
    t0_ns: int
    t1_ns: int
    #: Of the samples; in a record they are with the other flags of the visit.
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Power:
    """Power of a visit, ``meters.window.WindowStats`` first; ``None``: missing or not asked for.

    What follows ``average_w`` is of replays: the settled level (``corrected_w``), the half-width
    as it is stated, the sensor's period, the load before, spans that were left out, ranges of the
    board's state in the window, how long replays ran before it, their calls and milliseconds a
    call in it, and how often and for which share of the window the device rested.
    """

    source: str
    t0_ns: int | None = None
    t1_ns: int | None = None
    mean_w: float | None = None
    half_width_w: float | None = None
    slope_per_s: float | None = None
    publications: int | None = None
    n_eff: float | None = None
    energy_j: float | None = None
    energy_mean_w: float | None = None
    average_w: float | None = None
    corrected_w: float | None = None
    u_stated_w: float | None = None
    period_ms: float | None = None
    predecessor: str | None = None
    predecessor_w: float | None = None
    pauses_ns: tuple[tuple[int, int], ...] = ()
    sm_mhz_lo: int | None = None
    sm_mhz_hi: int | None = None
    memory_mhz_lo: int | None = None
    memory_mhz_hi: int | None = None
    temperature_c_lo: int | None = None
    temperature_c_hi: int | None = None
    clock_event_reasons: int | None = None
    power_held_ms: float | None = None
    thermal_held_ms: float | None = None
    settle_s: float | None = None
    calls: int | None = None
    call_ms: float | None = None
    dry: int | None = None
    idle_share: float | None = None
    idle_w: float | None = None

    def as_dict(self) -> dict[str, object]:
        """Plain values; those of replays only where replays were measured."""
        entries: dict[str, object] = encode(self)
        if self.settle_s is None:
            return {name: entries[name] for name in _OF_ANY_WINDOW}
        return entries


_OF_ANY_WINDOW = tuple(f.name for f in fields(Power))[:11]


@dataclass(frozen=True, slots=True)
class State:
    """Ranges of a board's clocks (MHz) and temperature (C) in a window, NVML's clock event reasons
    (their bits, all that were seen), and for how long (ms) limits have held it back.
    """

    sm_mhz_lo: int | None = None
    sm_mhz_hi: int | None = None
    memory_mhz_lo: int | None = None
    memory_mhz_hi: int | None = None
    temperature_c_lo: int | None = None
    temperature_c_hi: int | None = None
    clock_event_reasons: int | None = None
    power_held_ms: float | None = None
    thermal_held_ms: float | None = None


@dataclass(frozen=True, slots=True)
class VisitRecord:
    """One visit: what was visited, where in the run, what came of it.

    ``kind``: one of ``KINDS``; a network has ``network``, ``batch`` and the SHA-256 of its
    ``prototxt``, anything else a ``configuration``. ``timing`` is ``None`` where the visit failed,
    with ``error``. ``cache``: ``hot``, ``partly`` or ``cold`` (``cache_mode``). ``board``: digest
    of the board's UUID. ``run``: of a merged platform.
    """

    visit: str
    kind: str
    key: str
    repeat: int
    order: int
    block: int = 0
    predecessor: str = ""
    seed: int | None = None
    time_utc: str = ""
    load_average: float | None = None
    timing: Timing | None = None
    power: Power | None = None
    buffers: int | None = None
    flags: tuple[str, ...] = ()
    valid: bool = False
    error: str | None = None
    wall_s: float = 0.0
    schema_version: int = SCHEMA_VERSION
    footprint_bytes: int | None = None
    parameter_bytes: int | None = None
    cache: str | None = None
    state: State | None = None
    configuration: Configuration | None = None
    network: str | None = None
    batch: int | None = None
    prototxt: str | None = None
    board: str | None = None
    kernels: tuple[str, ...] | None = None
    layers: tuple[LayerTime, ...] | None = None
    run: str | None = None

    @property
    def runtime_ms(self) -> float | None:
        """Milliseconds a call; ``None`` where the visit failed."""
        return None if self.timing is None else self.timing.median_ms

    @property
    def power_w(self) -> float | None:
        """Mean power; ``None`` where there is none."""
        return None if self.power is None else self.power.mean_w

    @property
    def power_runtime_ms(self) -> float | None:
        """Milliseconds of a call while its power was measured; the timing's where not known."""
        if self.power is None or self.power.call_ms is None or self.schema_version < 2:
            return self.runtime_ms
        return self.power.call_ms

    @property
    def energy_mj(self) -> float | None:
        """Energy of a call, of one regime: W x ms of the same replays."""
        return _product(self.power_w, self.power_runtime_ms)

    @property
    def energy_edge_mj(self) -> float | None:
        """Energy of a call by the sensor's energy counter."""
        return _product(self.power.energy_mean_w if self.power else None, self.power_runtime_ms)

    def as_dict(self) -> dict[str, object]:
        """Plain values for JSON; what does not apply to this kind of visit is left out."""
        entries: dict[str, object] = encode(self)
        entries["power"] = None if self.power is None else self.power.as_dict()
        if self.timing is not None:
            times: dict[str, object] = encode(self.timing)
            entries["timing"] = {name: times[name] for name in times if name != "flags"}
        return {k: v for k, v in entries.items() if v is not None or k in _NULL_IF_MISSING}


#: Written as null: what every visit could have.
_NULL_IF_MISSING = frozenset(("seed", "load_average", "timing", "power", "buffers", "error"))


def _product(watts: float | None, ms: float | None) -> float | None:
    return None if watts is None or ms is None else watts * ms


def cache_mode(
    moved_bytes: int, parameter_bytes: int, buffers: int, cache_bytes: int | None
) -> str | None:
    """What a cache of ``cache_bytes`` holds of a call's data when the call comes: by reuse.

    Inputs and outputs come round again after ``buffers`` calls, parameters with every call. What
    lies between is at least twice the cache: not in it. ``cold``: nothing is; ``hot``: all fits;
    else ``partly`` (parameters mostly: they do not rotate). ``None``: the cache is not known.
    """
    if not cache_bytes:
        return None
    all_bytes = buffers * moved_bytes + parameter_bytes
    if all_bytes <= cache_bytes:
        return "hot"
    parameters_cold = not parameter_bytes or moved_bytes + parameter_bytes >= 2 * cache_bytes
    return "cold" if all_bytes >= 2 * cache_bytes and parameters_cold else "partly"


def record_of(text: str) -> VisitRecord:
    """The record of a line of JSON; ``ValueError`` with the reason where it is none."""
    try:
        values = parse_json(text)
    except InputError as error:
        raise ValueError(error.message) from None
    if isinstance(values, Mapping) and values.get("schema_version", 1) not in range(
        1, SCHEMA_VERSION + 1
    ):
        raise ValueError(f"schema_version {values['schema_version']!r} is not known")
    record = decode(VisitRecord, values)
    if record.kind not in KINDS:
        raise ValueError(f"kind is {record.kind!r}")
    if record.kind == "network" and (record.network is None or record.batch is None):
        raise ValueError("network is missing")
    if record.kind != "network" and record.configuration is None:
        raise ValueError("configuration is missing")
    return record


def write_visit_records(folder: Path, records: Iterable[VisitRecord]) -> None:
    """Write ``visits.jsonl.gz``, sorted by run and order."""
    ordered = sorted(records, key=lambda r: (r.run or "", r.order))
    lines = [
        json.dumps(r.as_dict(), sort_keys=True, separators=(",", ":"), allow_nan=False)
        for r in ordered
    ]
    write_text(folder / VISIT_RECORDS, "".join(f"{line}\n" for line in lines))


def read_visit_records(folder: Path) -> list[VisitRecord]:
    """The records of a folder, empty where it has none; ``InputError`` with the line of a fault."""
    return list(iter_visit_records(folder))


def iter_visit_records(folder: Path) -> Iterator[VisitRecord]:
    """The records one by one: read, each takes several times the memory of its line."""
    path = folder / VISIT_RECORDS
    if not path.exists():
        path = folder / VISITS
        if not path.exists():
            return
    text = read_text(path)
    if path.name == VISITS:
        # A line that a kill tore.
        text = text[: text.rfind("\n") + 1]
        yield from latest(_records(text, path))
        return
    yield from _records(text, path)


def latest(records: Iterable[VisitRecord]) -> list[VisitRecord]:
    """Records of a growing file: of several of one visit the last."""
    return list({record.visit: record for record in records}.values())


def _records(text: str, path: Path) -> Iterator[VisitRecord]:
    # Only line ends part records: the text of one may hold other separators.
    for number, line in enumerate(text.removesuffix("\n").split("\n") if text else (), 1):
        try:
            yield record_of(line)
        except ValueError as error:
            raise InputError(
                f"not a record of a visit ({error}): restore the file", path=path, line=number
            ) from None


def run_identity(records: Sequence[VisitRecord]) -> str | None:
    """A short identity of a run: of what its first visit measured, when, and how long it took.

    It stays the same while the run grows, and is the same wherever the folder lies.
    """
    if not records:
        return None
    first = min(records, key=lambda record: record.order)
    if first.run:
        return first.run
    # Its place in the plan and what publishing adds are not part of it.
    names = ("visit", "key", "seed", "board", "time_utc", "wall_s", "timing", "power")
    entries = first.as_dict()
    known = {name: entries.get(name) for name in names}
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:12]
