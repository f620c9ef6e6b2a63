"""``characterise`` on a GPU: the board's sensor, its software, the sampler's interference."""

from __future__ import annotations

import importlib
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from neuralpower.core.configuration import Configuration
from neuralpower.core.machine import machine_facts
from neuralpower.frameworks.protocol import Executor
from neuralpower.frameworks.replay import ReplayWorkload
from neuralpower.meters.meter import PowerMeter
from neuralpower.meters.nvml import NO_GPU, find_gpu, processes, why
from neuralpower.meters.sampler import SampledMeter
from neuralpower.meters.samples import SampleSource
from neuralpower.profiling.bench import Bench
from neuralpower.profiling.board import (
    Board,
    BoardFacts,
    CallableLoad,
    Section,
    board_sections,
    interference,
)
from neuralpower.profiling.device_timing import ReplayProtocol, choose_calls, measure_replays
from neuralpower.profiling.nvml_facts import field_facts, software_facts
from neuralpower.profiling.probe import probe

SCHEMA_VERSION = 1

#: Takes the facts so far.
Keep = Callable[[Mapping[str, object]], None]
#: A load that moves memory and computes little, and one whose call takes about 20 us.
_LIGHT = Configuration("relu", 1, 64, 28, 28, 64, 28, 28)
_SHORT = Configuration("conv", 1, 64, 28, 28, 64, 28, 28, 3, 3, 1, 1, 1, 1, bias=1)


class _Facts:
    """The facts so far: each section is written when it is there, and may fail or be left out."""

    def __init__(self, keep: Keep, deadline: float | None, report: Callable[[str], None]) -> None:
        self._failed: dict[str, str] = {}
        self._skipped: list[str] = []
        self.facts: dict[str, object] = {
            "schema_version": SCHEMA_VERSION,
            "failed": self._failed,
            "skipped": self._skipped,
        }
        self._keep, self._deadline, self._report = keep, deadline, report

    def add(self, **facts: object) -> None:
        """Take over facts and write them."""
        self.facts |= facts
        self._keep(self.facts)

    def section(self, name: str, seconds: float, find: Callable[[], Mapping[str, object]]) -> None:
        """What ``find`` gives, where there is time for it; its fault does not touch the rest."""
        if self._deadline is not None and time.monotonic() + seconds > self._deadline:
            self._skipped.append(name)
            return self.add()
        self._report(name)
        try:
            return self.add(**find())
        except Exception as error:
            # Frameworks' exceptions share no base; the other sections can still be found.
            self._failed[name] = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            return self.add()


def characterise_gpu(
    platform: str,
    measuring: Callable[[], AbstractContextManager[Bench]],
    seed: int = 0,
    anchors: int = 20,
    seconds: float = 4.0,
    report: Callable[[str], None] = lambda _: None,
    keep: Keep = lambda _: None,
    budget_s: float | None = None,
) -> dict[str, Any]:
    """Facts of a board; about 3.5 minutes at ``seconds`` 4, of the clock that ``Bench`` brings.

    ``keep`` gets the facts after each section, so that what was found outlives what fails. A
    section that does not fit into the budget is left out and named in ``skipped``; one that fails
    is in ``failed`` with its reason. Without a working meter the sensor's facts are ``None``.
    """
    deadline = None if budget_s is None else time.monotonic() + budget_s
    facts = _Facts(keep, deadline, report)
    facts.add(platform=platform, machine=machine_facts())
    facts.section("NVML", 1.0, lambda: {"nvml": nvml_facts()})
    with measuring() as bench:
        executor, clock = bench.executor, bench.clock
        state = bench.meter.available()
        facts.add(
            executor=dict(executor.facts()),
            power={"measured": state.ok, "reason": state.reason},
            idle_no_context=bench.idle_no_context,
            board=None,
        )
        facts.section(
            "anchor",
            0.5 * anchors,
            lambda: {
                "anchor_visits_ms": [_anchor_ms(executor, seed, clock) for _ in range(anchors)]
            },
        )
        if state.ok and isinstance(bench.meter, SampleSource):
            facts.add(meter=asdict(bench.meter.info))
            _board(facts, bench, bench.meter, seed, seconds)
        facts.section("peak", 2.0, lambda: probe(executor, seed))
    # The sampler of the bench has ended: now with and without one.
    facts.section(
        "interference",
        10.0,
        lambda: {"interference": sampler_interference(executor, seed, bench.meter)},
    )
    return facts.facts


def _board(facts: _Facts, bench: Bench, source: SampleSource, seed: int, seconds: float) -> None:
    loads: list[CallableLoad] = []
    found: BoardFacts = {}

    def make() -> dict[str, object]:
        loads.append(_load(bench.executor, bench.executor.anchor, seed))
        loads.append(_load(bench.executor, _LIGHT, seed))
        for load in loads:
            choose_calls(load)
        return {"board": found}

    facts.section("loads", 1.0, make)
    if len(loads) == 2:
        heavy, light = loads
        board = Board(heavy, light, source, bench.clock, bench.sleep)
        for section in board_sections(board, seconds):

            def look(section: Section = section) -> dict[str, object]:
                found.update(section.find(found))
                return {"board": found}

            facts.section(section.name, section.seconds, look)
    for load in loads:
        load.close()


def nvml_facts(uuid: str = "") -> dict[str, object]:
    """Fields and software of the first GPU, or of ``uuid``, asked of NVML in this process."""
    nvml = importlib.import_module("pynvml")
    try:
        nvml.nvmlInit()
        handle = find_gpu(nvml, uuid)
        if handle is None:
            return {"reason": NO_GPU}
        return {
            "fields": field_facts(nvml, handle),
            "software": software_facts(nvml, handle),
            "other_processes": processes(nvml, handle),
        }
    except nvml.NVMLError as error:
        return {"reason": why(error)}


def _anchor_ms(executor: Executor, seed: int, clock: Callable[[], int]) -> float:
    workload = _load(executor, executor.anchor, seed)
    try:
        choose_calls(workload)
        return measure_replays(workload, ReplayProtocol(), clock).median_ms
    finally:
        workload.close()


def _load(executor: Executor, configuration: Configuration, seed: int) -> CallableLoad:
    """A layer of an executor that replays."""
    workload = executor.layer(configuration, seed)
    assert isinstance(workload, ReplayWorkload)
    return workload


def sampler_interference(executor: Executor, seed: int, meter: PowerMeter) -> dict[str, object]:
    """What polling costs a short call: every 20 ms and every 5 ms, against no sampler.

    ``meter`` has ended; samplers of the same sensor are started. The reason where it has none.
    """
    if not isinstance(meter, SampledMeter):
        return {"reason": "no sampler in another process"}
    found: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as folder:
        for poll_ms in (20, 5):
            sampler = meter.again(Path(folder) / "raw.csv", poll_ms / 1000)
            made: list[CallableLoad] = []

            def make(kept: list[CallableLoad] = made) -> CallableLoad:
                kept.append(_load(executor, _SHORT, seed))
                choose_calls(kept[0])
                return kept[0]

            found[f"poll_{poll_ms}_ms"] = interference(make, sampler.start, sampler.stop)
            made[0].close()
    return found
