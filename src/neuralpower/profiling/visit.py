"""One visit: prepare, time, measure power, give back; and its record."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from neuralpower.columns import Configuration
from neuralpower.errors import InputError
from neuralpower.profiling.design import NetworkItem, Visit
from neuralpower.profiling.estimate import NetworkLoader, replay_seconds, visit_seconds
from neuralpower.profiling.executor import Executor, RunError, Workload
from neuralpower.profiling.machine import load_average
from neuralpower.profiling.power.adaptive import AdaptiveProtocol, measure_adaptive
from neuralpower.profiling.power.meter import PowerMeter
from neuralpower.profiling.power.phase import PowerProtocol, measure_power
from neuralpower.profiling.power.samples import SampleSource
from neuralpower.profiling.replays import ReplayProtocol, ReplayWorkload, measure_replays
from neuralpower.profiling.timing import TimingProtocol, measure

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Replayed:
    """How devices that work on their own are measured.

    ``keys``: items whose power is measured (``None``: all); anchors and networks always are.
    ``idle_w``: power of the board with a context and nothing to do. ``clock`` is the meter's.
    """

    timing: ReplayProtocol = field(default_factory=ReplayProtocol)
    power: AdaptiveProtocol = field(default_factory=AdaptiveProtocol)
    keys: frozenset[str] | None = None
    idle_w: float | None = None
    clock: Callable[[], int] = time.monotonic_ns

    def wants_power(self, visit: Visit) -> bool:
        """Whether a visit has a power phase."""
        if visit.is_anchor or isinstance(visit.item, NetworkItem) or self.keys is None:
            return True
        return visit.item.key() in self.keys


class Visitor:
    """Makes visits with one executor and one meter, by one protocol."""

    def __init__(
        self,
        executor: Executor,
        meter: PowerMeter,
        timing: TimingProtocol,
        power: PowerProtocol,
        seed: int,
        load: NetworkLoader,
        layers_of_networks: bool = False,
        replayed: Replayed | None = None,
    ) -> None:
        self.executor = executor
        self.meter = meter
        self.timing = timing
        self.power = power
        self.seed = seed
        self._load = load
        self._inside = layers_of_networks
        self._powered = meter.available().ok
        self._replayed = replayed or Replayed()

    def visit(self, visit: Visit, predecessor: str, context: Mapping[str, Any]) -> dict[str, Any]:
        """The record of one visit; a layer that cannot be run gets ``error`` and no timing."""
        begin = time.monotonic()
        item = visit.item
        record: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            **context,
            "visit": visit.visit_id,
            "kind": _kind(visit),
            "key": item.key(),
            "repeat": visit.repeat,
            "order": visit.order,
            "block": visit.block,
            "predecessor": predecessor,
            "seed": self.seed,
            "time_utc": datetime.now(UTC).isoformat(timespec="seconds"),
            "load_average": load_average(),
            "timing": None,
            "power": None,
            "buffers": None,
            "flags": [],
            "valid": False,
            "error": None,
        }
        if isinstance(item, Configuration):
            record["configuration"] = asdict(item)
        else:
            record |= {"network": item.network, "batch": item.batch, "prototxt": item.digest}
        try:
            record |= self._measure(visit)
            if self._inside and isinstance(item, NetworkItem) and visit.repeat == 1:
                record["layers"] = self.executor.network_layers(self._load(item), self.seed)
        except RunError:
            raise
        except MemoryError:
            record |= {"error": "out of memory", "flags": ["oom"]}
        except InputError as error:
            oom = error.message.startswith("out of memory")
            record |= {"error": str(error), "flags": ["oom"] if oom else ["not_run"]}
        except Exception as error:
            # A framework's own fault with this layer (its exceptions share no base): told in the
            # record, and the run goes on with the next.
            text = " ".join(str(error).split())[:300]
            record |= {"error": f"{type(error).__name__}: {text}", "flags": ["not_run"]}
        record["wall_s"] = round(time.monotonic() - begin, 4)
        return record

    def expected_seconds(self, visit: Visit, load: NetworkLoader) -> float:
        """A rough cost of a visit, for the budget."""
        if getattr(self.executor, "replays", False):
            replayed = self._replayed
            return replay_seconds(
                replayed.timing.warm_up_s + replayed.timing.min_time_s,
                replayed.power.settle_s + 1.5 * 1.2,
                isinstance(visit.item, NetworkItem),
                self._powered and replayed.wants_power(visit),
            )
        return visit_seconds(visit.item, self.timing, load)

    def _measure(self, visit: Visit) -> dict[str, Any]:
        item = visit.item
        if isinstance(item, Configuration):
            workload: Workload = self.executor.layer(item, self.seed)
        else:
            workload = self.executor.network(self._load(item), self.seed)
        try:
            if isinstance(workload, ReplayWorkload):
                timing = measure_replays(workload, self._replayed.timing, self._replayed.clock)
            else:
                timing = measure(workload.call, self.timing, self.executor.clock_ns)
            facts: dict[str, Any] = {
                "timing": {
                    name: value for name, value in asdict(timing).items() if name != "flags"
                },
                "buffers": workload.buffers,
                "footprint_bytes": workload.footprint_bytes,
                "flags": list(timing.flags),
                "valid": math.isfinite(timing.median_ms) and timing.median_ms > 0,
            }
            if self._powered and isinstance(workload, ReplayWorkload):
                if self._replayed.wants_power(visit):
                    self._replayed_power(workload, timing.median_ms, facts)
            elif self._powered:
                stats = measure_power(workload.call, self.meter, self.power)
                facts["power"] = {
                    "source": self.meter.info.name,
                    **{k: v for k, v in asdict(stats).items() if k != "flags"},
                }
                facts["flags"] += stats.flags
            return facts
        finally:
            workload.close()

    def _replayed_power(
        self, workload: ReplayWorkload, call_ms: float, facts: dict[str, Any]
    ) -> None:
        assert isinstance(self.meter, SampleSource)
        power, flags = measure_adaptive(
            workload, self.meter, self._replayed.power, call_ms, self._replayed.clock
        )
        facts["power"] = power | {"idle_w": self._replayed.idle_w}
        facts["flags"] += flags


def _kind(visit: Visit) -> str:
    if visit.is_anchor:
        return "anchor"
    return "layer" if isinstance(visit.item, Configuration) else "network"
