"""Meter and executor of a run, in the order that the idle states need: the meter comes first."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from neuralpower.core.errors import InputError
from neuralpower.frameworks.protocol import Executor
from neuralpower.meters.log import compress_logs, next_log
from neuralpower.meters.meter import NoMeter, PowerMeter
from neuralpower.meters.registry import choose_meter, meters_for
from neuralpower.meters.sampler import SampledMeter
from neuralpower.profiling.device_power import rested_power
from neuralpower.profiling.nvml_facts import other_processes
from neuralpower.records.journal import locked


@dataclass(frozen=True)
class Bench:
    """What a run measures with; ``idle_no_context`` before the framework touched the GPU."""

    executor: Executor
    meter: PowerMeter
    idle_no_context: Mapping[str, object] | None = None
    clock: Callable[[], int] = time.monotonic_ns
    sleep: Callable[[float], None] = time.sleep


@contextmanager
def measuring(
    meter: str,
    device: str,
    logs: Path,
    make: Callable[[], Executor],
    factory: str = "",
    gpu: str = "",
) -> Iterator[Bench]:
    """The bench of a call; raw samples are compressed under ``logs`` however the call ends.

    ``factory`` replaces that of the meter; ``gpu``: UUID of the GPU, if it was named. Raises
    ``InputError`` when a meter was asked for by name and does not work.
    """
    if device != "cuda":
        yield Bench(make(), choose_meter(meter))
        return
    if meter == "none":
        yield Bench(make(), NoMeter("power was not asked for (meter none)"))
        return
    sampled, factory, reason = _working(meter, factory, logs, gpu)
    if sampled is None:
        if meter != "auto":
            raise InputError(f"meter {meter}: {reason}; --meter none measures time only")
        yield Bench(make(), NoMeter(reason))
        return
    # Another run into the same folder would take the logs away from under this one.
    with locked(logs):
        compress_logs(logs)
        sampled.start()
        try:
            idle: Mapping[str, object] | None = rested_power(sampled) | {
                "other_processes": other_processes(sampled.uuid)
            }
            executor = make()
            uuid = executor.uuid
            if uuid and uuid != sampled.uuid:
                # Not the first GPU that the meter shows: measure the one that computes.
                sampled.stop()
                sampled = SampledMeter(factory, next_log(logs), arguments=(uuid,))
                state = sampled.available()
                if not state.ok and meter == "auto":
                    yield Bench(executor, NoMeter(state.reason))
                    return
                if not state.ok:
                    name = sampled.info.name
                    raise InputError(
                        f"meter {name}: {state.reason}; --meter none measures time only"
                    )
                sampled.start()
                idle = None
            yield Bench(executor, sampled, idle)
            sampled.stop()
        finally:
            sampled.end()
            compress_logs(logs)


def _working(
    meter: str, stand_in: str, logs: Path, gpu: str
) -> tuple[SampledMeter | None, str, str]:
    """The first meter that works and its factory, or why none does."""
    arguments = (gpu,) if gpu else ()
    if stand_in:
        sampled = SampledMeter(stand_in, next_log(logs), arguments=arguments)
        state = sampled.available()
        return (sampled, stand_in, "") if state.ok else (None, "", state.reason)
    reasons = []
    for entry in meters_for("gpu", meter):
        if isinstance(entry.meter, NoMeter):
            reasons.append(entry.meter.available().reason)
            continue
        sampled = SampledMeter(entry.factory, next_log(logs), arguments=arguments)
        state = sampled.available()
        if state.ok:
            return sampled, entry.factory, ""
        reasons.append(state.reason)
    return None, "", "; ".join(reasons)
