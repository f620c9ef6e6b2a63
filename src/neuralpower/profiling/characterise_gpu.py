"""``characterise`` on a GPU: the board's sensor, its software, the sampler's interference."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from neuralpower.columns import Configuration
from neuralpower.profiling.board import (
    Board,
    board_facts,
    field_facts,
    interference,
    software_facts,
)
from neuralpower.profiling.executor import Executor, anchor_of
from neuralpower.profiling.machine import machine_facts
from neuralpower.profiling.power.bench import Bench
from neuralpower.profiling.power.sampler import SampledMeter
from neuralpower.profiling.power.samples import SampleSource
from neuralpower.profiling.probe import probe
from neuralpower.profiling.replays import ReplayProtocol, measure_replays

SCHEMA_VERSION = 1
#: A load that moves memory and computes little, and one whose call takes about 20 us.
_LIGHT = Configuration("relu", 1, 64, 28, 28, 64, 28, 28)
_SHORT = Configuration("conv", 1, 64, 28, 28, 64, 28, 28, 3, 3, 1, 1, 1, 1, bias=1)


def characterise_gpu(
    platform: str,
    measuring: Callable[[], AbstractContextManager[Bench]],
    seed: int = 0,
    anchors: int = 20,
    seconds: float = 4.0,
    report: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Facts of a board; about 3.5 minutes at ``seconds`` 4, of the clock that ``Bench`` brings.

    Without a working meter the sensor's facts are ``None``, with the reason.
    """
    with measuring() as bench:
        executor, clock = bench.executor, bench.clock
        report("anchor")
        visits = [_anchor_ms(executor, seed, clock) for _ in range(anchors)]
        state = bench.meter.available()
        facts: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "platform": platform,
            "machine": machine_facts(),
            "executor": dict(executor.facts()),
            "anchor_visits_ms": visits,
            "power": {"measured": state.ok, "reason": state.reason},
            "idle_no_context": bench.idle_no_context,
            "board": None,
        }
        if state.ok and isinstance(bench.meter, SampleSource):
            heavy: Any = executor.layer(anchor_of(executor), seed)
            light: Any = executor.layer(_LIGHT, seed)
            board = Board(heavy, light, bench.meter, clock, bench.sleep)
            facts["board"] = board_facts(board, seconds, report)
            heavy.close()
            light.close()
        report("peak")
        facts |= probe(executor, seed)
        short = (executor, seed, clock)
    # The sampler of the bench has ended: now with and without one.
    report("interference")
    facts["interference"] = _interference(*short, state.ok)
    return facts


def nvml_facts(uuid: str = "") -> dict[str, Any]:
    """Fields and software of the first GPU, or of ``uuid``, asked of NVML in this process."""
    nvml = importlib.import_module("pynvml")
    try:
        nvml.nvmlInit()
        if uuid:
            handle = nvml.nvmlDeviceGetHandleByUUID(uuid)
        else:
            handle = nvml.nvmlDeviceGetHandleByIndex(0)
        return {"fields": field_facts(nvml, handle), "software": software_facts(nvml, handle)}
    except nvml.NVMLError as error:
        return {"reason": f"NVML: {error}"}


def _anchor_ms(executor: Executor, seed: int, clock: Callable[[], int]) -> float:
    workload: Any = executor.layer(anchor_of(executor), seed)
    try:
        return measure_replays(workload, ReplayProtocol(), clock).median_ms
    finally:
        workload.close()


def _interference(
    executor: Executor, seed: int, clock: Callable[[], int], sampled: bool
) -> dict[str, Any]:
    if not sampled or clock is not time.monotonic_ns:
        return {"reason": "no sampler of a process of its own"}
    import tempfile

    from neuralpower.profiling.power.bench import NVML_FACTORY

    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for poll_ms in (20, 5):
            meter = SampledMeter(NVML_FACTORY, Path(folder) / "raw.csv", poll_ms / 1000)
            made: list[Any] = []

            def make(kept: list[Any] = made) -> Any:
                kept.append(executor.layer(_SHORT, seed))
                return kept[0]

            found[f"poll_{poll_ms}_ms"] = interference(make, meter.start, meter.stop)
            made[0].close()
    return found
