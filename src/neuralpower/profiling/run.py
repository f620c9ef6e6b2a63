"""A whole run: plan, resume, visit until done or out of time, write the platform's files."""

from __future__ import annotations

import hashlib
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from neuralpower import __version__
from neuralpower.columns import Configuration
from neuralpower.errors import InputError
from neuralpower.profiling.design import (
    DesignProtocol,
    Item,
    NetworkItem,
    Visit,
    plan,
    plan_digest,
)
from neuralpower.profiling.estimate import NetworkLoader
from neuralpower.profiling.executor import Executor, anchor_of
from neuralpower.profiling.machine import board_context, machine_facts
from neuralpower.profiling.power.adaptive import AdaptiveProtocol, idle_power
from neuralpower.profiling.power.meter import PowerMeter
from neuralpower.profiling.power.phase import PowerProtocol
from neuralpower.profiling.power.samples import SampleSource
from neuralpower.profiling.probe import probe
from neuralpower.profiling.publish import publish
from neuralpower.profiling.records import RUN, VisitLog, begin_run, locked
from neuralpower.profiling.replays import ReplayProtocol, measure_replays
from neuralpower.profiling.subset import spread
from neuralpower.profiling.timing import TimingProtocol
from neuralpower.profiling.visit import Replayed, Visitor

#: A run whose first visits all fail has a fault of its own, not of its layers.
_HOPELESS = 5

Report = Callable[[str, int, int, float | None], None]


@dataclass(frozen=True)
class Settings:
    """What a run is asked for. ``budget_s``: stop cleanly after so many seconds."""

    platform: str
    out: Path
    seed: int = 0
    timing: TimingProtocol = field(default_factory=TimingProtocol)
    design: DesignProtocol = field(default_factory=DesignProtocol)
    power: PowerProtocol = field(default_factory=PowerProtocol)
    budget_s: float | None = None
    extend: bool = False
    affinity: Sequence[int] | None = None
    layers_of_networks: bool = False
    replays: ReplayProtocol = field(default_factory=ReplayProtocol)
    adaptive: AdaptiveProtocol = field(default_factory=AdaptiveProtocol)
    #: Power of the board before the framework was loaded, as ``adaptive.idle_power`` tells it.
    idle_no_context: Mapping[str, Any] | None = None
    #: The clock of the sampler, and how to wait on it; fakes bring their own.
    clock: Callable[[], int] = time.monotonic_ns
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended: visits of the plan, made so far, made by this call, failed so far."""

    planned: int
    done: int
    made: int
    failed: int

    @property
    def complete(self) -> bool:
        """True when no visit is left."""
        return self.done == self.planned


def run(
    settings: Settings,
    counts: Mapping[str, int],
    items: Mapping[str, Item],
    executor: Executor,
    meter: PowerMeter,
    load: NetworkLoader,
    report: Report = lambda *_: None,
    now: Callable[[], float] = time.monotonic,
) -> Outcome:
    """Make the visits that are not yet recorded and write the platform's files.

    ``items`` and ``counts`` as of ``design.plan``; ``now`` is the clock of the budget. Raises
    ``InputError`` when the folder holds another run or is in use, or when nothing can be run at
    all.
    """
    begin = now()
    visits = plan(counts, items, settings.design, settings.seed, anchor_of(executor))
    if not visits:
        raise InputError("nothing to measure: the tables have no rows")
    folder = settings.out
    with locked(folder):
        facts = _run_facts(settings, executor, meter, visits)
        kept = _kept(folder)
        replayed = None
        if getattr(executor, "replays", False):
            facts |= {"idle": kept.get("idle") or _idle(settings, executor, meter)}
            replayed = _replayed(settings, items, facts)
        # After the idle states: the probe loads the device.
        facts |= {"probe": kept.get("probe") or probe(executor, settings.seed)}
        begin_run(folder, facts, settings.extend)
        log = VisitLog(folder)
        try:
            wanted = {visit.visit_id: visit for visit in visits}
            records = _wanted(log.read(), wanted)
            visitor = Visitor(
                executor,
                meter,
                settings.timing,
                settings.power,
                settings.seed,
                load,
                settings.layers_of_networks,
                replayed,
            )
            deadline = None if settings.budget_s is None else begin + settings.budget_s
            made = _visit_all(visits, records, visitor, log, (deadline, now), report, load)
        finally:
            log.close()
        done = sorted(records.values(), key=lambda record: record["order"])
        run_record = json.loads((folder / RUN).read_text(encoding="utf-8"))
        publish(folder, run_record, done, len(visits))
    failed = sum(record["timing"] is None for record in done)
    return Outcome(len(visits), len(done), made, failed)


def _wanted(
    records: Sequence[dict[str, Any]], wanted: Mapping[str, Visit]
) -> dict[str, dict[str, Any]]:
    """Records of visits in the plan, by visit, at the plan's places."""
    kept: dict[str, dict[str, Any]] = {}
    for record in records:
        visit = wanted.get(record["visit"])
        if visit is not None and visit.item.key() == record["key"]:
            kept[visit.visit_id] = record | {"order": visit.order, "block": visit.block}
    return kept


def _visit_all(
    visits: Sequence[Visit],
    records: dict[str, dict[str, Any]],
    visitor: Visitor,
    log: VisitLog,
    limit: tuple[float | None, Callable[[], float]],
    report: Report,
    load: NetworkLoader,
) -> int:
    deadline, now = limit
    expected = {v.visit_id: visitor.expected_seconds(v, load) for v in visits}
    left = sum(expected[v.visit_id] for v in visits if v.visit_id not in records)
    ratios = [1.0]
    made = failed = 0
    context = board_context(visitor.executor)
    predecessor = ""
    for visit in visits:
        if visit.visit_id in records:
            predecessor = records[visit.visit_id]["key"]
            continue
        factor = statistics.median(ratios[-30:])
        cost = expected[visit.visit_id]
        if deadline is not None and now() + cost * factor > deadline:
            break
        report(_title(visit), len(records), len(visits), left * factor)
        record = visitor.visit(visit, predecessor, context)
        log.append(record)
        records[visit.visit_id] = record
        predecessor = record["key"]
        made += 1
        left -= cost
        ratios.append(record["wall_s"] / cost)
        failed += record["timing"] is None
        if failed == made == _HOPELESS:
            raise InputError(
                f"the first {_HOPELESS} visits all failed, the last with: {record['error']}"
            )
    report("", len(records), len(visits), None)
    return made


def _title(visit: Visit) -> str:
    item = visit.item
    if isinstance(item, NetworkItem):
        return f"{item.network} x {item.batch}"
    return "anchor" if visit.is_anchor else item.family


def _kept(folder: Path) -> dict[str, Any]:
    """What the run's first call measured of the machine: later calls keep it."""
    try:
        found = json.loads((folder / RUN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _replayed(settings: Settings, items: Mapping[str, Item], facts: Mapping[str, Any]) -> Replayed:
    context = (facts["idle"] or {}).get("context") or {}
    keys = None
    if settings.adaptive.share < 1:
        layers = {k: item for k, item in items.items() if isinstance(item, Configuration)}
        keys = frozenset(spread(layers, settings.adaptive.share))
    return Replayed(
        settings.replays, settings.adaptive, keys, context.get("mean_w"), settings.clock
    )


def _idle(settings: Settings, executor: Executor, meter: PowerMeter) -> dict[str, Any] | None:
    """Three idle states of the board: no context, with a context, just after a load."""
    if not (meter.available().ok and isinstance(meter, SampleSource)):
        return None
    context = idle_power(meter, clock=settings.clock, sleep=settings.sleep)
    workload: Any = executor.layer(anchor_of(executor), settings.seed)
    measure_replays(workload, ReplayProtocol(min_time_s=0.5), settings.clock)
    workload.close()
    after = idle_power(meter, clock=settings.clock, sleep=settings.sleep)
    before = settings.idle_no_context
    missing = {"mean_w": None, "reason": "the framework was loaded before the meter"}
    return {
        "no_context": dict(before) if before else missing,
        "context": context,
        "after_load": after,
    }


def _run_facts(
    settings: Settings, executor: Executor, meter: PowerMeter, visits: Sequence[Visit]
) -> dict[str, Any]:
    machine = machine_facts()
    state = meter.available()
    protocol = {
        "timing": settings.timing.as_dict(),
        "design": settings.design.as_dict(),
        "power": settings.power.as_dict() if state.ok else None,
    }
    if getattr(executor, "replays", False):
        protocol |= {
            "timing": settings.replays.as_dict(),
            "power": settings.adaptive.as_dict() if state.ok else None,
        }
    text = json.dumps(protocol, sort_keys=True)
    identity = {
        "platform": settings.platform,
        "seed": settings.seed,
        "protocol": protocol,
        "protocol_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "executor": dict(executor.facts()),
        "affinity": None if settings.affinity is None else list(settings.affinity),
        "cpu": machine["cpu"],
        "meter": meter.info.name,
    }
    anchor = next(v.item for v in visits if v.is_anchor)
    return {
        "identity": identity,
        "plan_sha256": plan_digest(visits),
        "planned": len(visits),
        "anchor": anchor.as_row() if isinstance(anchor, Configuration) else None,
        "machine": machine,
        "power": {"measured": state.ok, "reason": state.reason},
        "neuralpower": __version__,
    }
