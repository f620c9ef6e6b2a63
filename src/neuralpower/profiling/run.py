"""A whole run: plan, resume, visit until done or out of time, write the platform's files."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from neuralpower import __version__
from neuralpower.core.configuration import Configuration
from neuralpower.core.errors import InputError, RunError
from neuralpower.core.machine import machine_facts
from neuralpower.frameworks.protocol import Executor
from neuralpower.frameworks.replay import ReplayWorkload
from neuralpower.meters.meter import PowerMeter
from neuralpower.meters.samples import SampleSource
from neuralpower.profiling.design import DesignProtocol, Item, Visit, plan, plan_digest
from neuralpower.profiling.device_power import AdaptiveProtocol, idle_power
from neuralpower.profiling.device_timing import ReplayProtocol, choose_calls, measure_replays
from neuralpower.profiling.estimate import NetworkLoader
from neuralpower.profiling.host_power import PowerProtocol
from neuralpower.profiling.host_timing import TimingProtocol
from neuralpower.profiling.nvml_facts import board_software
from neuralpower.profiling.probe import probe
from neuralpower.profiling.sensor_facts import Calibration
from neuralpower.profiling.subset import spread
from neuralpower.profiling.visit import Replayed, Visitor
from neuralpower.profiling.visiting import BlockProtocol, Report, Visiting
from neuralpower.profiling.warm_up import WarmUpProtocol, warm_up
from neuralpower.records.codec import Facts
from neuralpower.records.journal import (
    Identity,
    RunRecord,
    VisitLog,
    begin_run,
    locked,
    read_run,
    write_run,
)
from neuralpower.records.manifest import PowerState
from neuralpower.records.networks import record_networks
from neuralpower.records.publish import publish
from neuralpower.records.visits import POWER_MISSED, VisitRecord

#: Share of a budget that warming up may take.
_WARM_UP_SHARE = 0.1


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
    #: Files of the networks, and how each is read where that is said: they are kept in ``out``.
    networks: Mapping[Path, Facts] = field(default_factory=dict)
    layers_of_networks: bool = False
    replays: ReplayProtocol = field(default_factory=ReplayProtocol)
    adaptive: AdaptiveProtocol = field(default_factory=AdaptiveProtocol)
    blocks: BlockProtocol = field(default_factory=BlockProtocol)
    warm_up: WarmUpProtocol = field(default_factory=WarmUpProtocol)
    #: What ``characterise`` found of the board; ``adaptive`` has it applied.
    calibration: Calibration | None = None
    #: Record the names of the kernels that run.
    kernels: bool = True
    #: Power of the board before the framework was loaded, as ``device_power.idle_power`` gives it.
    idle_no_context: Mapping[str, object] | None = None
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
    visits = plan(counts, items, settings.design, settings.seed, executor.anchor)
    if not visits:
        raise InputError("nothing to measure: the tables have no rows")
    folder = settings.out
    with locked(folder):
        facts, replayed = _run_record(settings, executor, meter, visits), None
        # What the run's first call measured of the machine is kept.
        kept = read_run(folder) or facts
        if executor.replays:
            facts = replace(
                facts,
                idle=kept.idle or _idle(settings, executor, meter),
                gpu_software=kept.gpu_software or board_software(executor.uuid),
                warm_ups=kept.warm_ups,
            )
            replayed = _replayed(settings, items, facts.idle)
        facts = replace(
            facts,
            power=facts.power if facts.power.measured else kept.power,
            calls=kept.calls,
        )
        # After the idle states: the probe loads the device.
        facts = replace(facts, probe=kept.probe or probe(executor, settings.seed))
        begin_run(folder, facts, settings.extend)
        record_networks(folder, settings.networks)
        log = VisitLog(folder)
        fault: BaseException | None = None
        try:
            records = _wanted(log.read(), {visit.visit_id: visit for visit in visits})
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
            work = Visiting(visits, records, visitor, log, (deadline, now), report)
            if work.left:
                facts = replace(facts, calls=(*facts.calls, _call(facts)))
                write_run(folder, facts)
            try:
                if replayed is None:
                    work.one_by_one()
                else:
                    if work.left:
                        facts = _warmed_up(settings, executor, meter, facts)
                        write_run(folder, facts)
                    work.in_blocks(settings.blocks)
            except (RunError, KeyboardInterrupt) as error:
                # What was measured is published before the call ends.
                fault = error
        finally:
            log.close()
        done = sorted(records.values(), key=lambda record: record.order)
        whole = sum(POWER_MISSED not in record.flags for record in done)
        publish(folder, facts, done, len(visits))
    if fault is not None:
        raise fault
    failed = sum(record.timing is None for record in done)
    return Outcome(len(visits), whole, work.made, failed)


def _wanted(records: Sequence[VisitRecord], wanted: Mapping[str, Visit]) -> dict[str, VisitRecord]:
    """Records of visits in the plan, by visit, at the plan's places."""
    kept: dict[str, VisitRecord] = {}
    for record in records:
        visit = wanted.get(record.visit)
        if visit is not None and visit.item.key() == record.key:
            kept[visit.visit_id] = replace(record, order=visit.order, block=visit.block)
    return kept


def _warmed_up(
    settings: Settings, executor: Executor, meter: PowerMeter, facts: RunRecord
) -> RunRecord:
    """Warm the board on the anchor; what came of it joins those of earlier calls."""
    rules = settings.warm_up
    if settings.budget_s is not None:
        rules = replace(rules, cap_s=min(rules.cap_s, _WARM_UP_SHARE * settings.budget_s))
    if rules.cap_s <= 0:
        return facts
    source = meter if meter.available().ok and isinstance(meter, SampleSource) else None
    load = _anchor(executor, settings.seed)
    try:
        choose_calls(load)
        found = warm_up(load, source, rules, settings.clock)
    finally:
        load.close()
    return replace(facts, warm_ups=(*facts.warm_ups, found))


def _anchor(executor: Executor, seed: int) -> ReplayWorkload:
    """The reference layer of an executor that replays."""
    workload = executor.layer(executor.anchor, seed)
    assert isinstance(workload, ReplayWorkload)
    return workload


def _replayed(settings: Settings, items: Mapping[str, Item], idle: Facts | None) -> Replayed:
    context = (idle or {}).get("context") or {}
    keys = None
    if settings.adaptive.share < 1:
        layers = {k: item for k, item in items.items() if isinstance(item, Configuration)}
        keys = frozenset(spread(layers, settings.adaptive.share))
    return Replayed(
        settings.replays,
        settings.adaptive,
        keys,
        context.get("mean_w"),
        settings.clock,
        settings.sleep,
        settings.kernels,
    )


def _idle(
    settings: Settings, executor: Executor, meter: PowerMeter
) -> dict[str, Mapping[str, object]] | None:
    """Three idle states of the board: no context, with a context, just after a load."""
    if not (meter.available().ok and isinstance(meter, SampleSource)):
        return None
    context = idle_power(meter, clock=settings.clock, sleep=settings.sleep)
    workload = _anchor(executor, settings.seed)
    choose_calls(workload)
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


def _call(facts: RunRecord) -> Facts:
    """What later calls may change."""
    identity = facts.identity
    power = identity.protocol["power"] or {}
    return {
        "time_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "meter": identity.meter,
        "power_share": power.get("share"),
        "warm_up_cap_s": (identity.protocol.get("warm_up") or {}).get("cap_s"),
        "calibration_sha256": (identity.calibration or {}).get("sha256"),
        "cpu": identity.cpu,
        "neuralpower": facts.neuralpower,
    }


def _run_record(
    settings: Settings, executor: Executor, meter: PowerMeter, visits: Sequence[Visit]
) -> RunRecord:
    machine = machine_facts()
    state = meter.available()
    protocol: dict[str, object] = {
        "timing": settings.timing.as_dict(),
        "design": settings.design.as_dict(),
        "power": settings.power.as_dict() if state.ok else None,
    }
    if executor.replays:
        protocol |= {
            "timing": settings.replays.as_dict(),
            "power": settings.adaptive.as_dict() if state.ok else None,
            "blocks": settings.blocks.as_dict(),
            "warm_up": settings.warm_up.as_dict(),
        }
    text = json.dumps(protocol, sort_keys=True)
    identity = Identity(
        platform=settings.platform,
        seed=settings.seed,
        protocol=protocol,
        protocol_sha256=hashlib.sha256(text.encode()).hexdigest(),
        executor=dict(executor.facts()),
        affinity=None if settings.affinity is None else tuple(settings.affinity),
        cpu=machine["cpu"],
        meter=meter.info.name,
        calibration=None if settings.calibration is None else asdict(settings.calibration),
    )
    anchor = next(v.item for v in visits if v.is_anchor)
    return RunRecord(
        identity=identity,
        plan_sha256=plan_digest(visits),
        planned=len(visits),
        anchor=anchor.as_row() if isinstance(anchor, Configuration) else None,
        machine=machine,
        power=PowerState(state.ok, state.reason),
        neuralpower=__version__,
    )
