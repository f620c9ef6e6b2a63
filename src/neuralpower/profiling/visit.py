"""One visit: prepare, time, measure power, give back; and its record."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from neuralpower.columns import Configuration
from neuralpower.errors import InputError
from neuralpower.profiling.design import NetworkItem, Visit
from neuralpower.profiling.executor import Executor, Workload
from neuralpower.profiling.machine import load_average
from neuralpower.profiling.power.meter import PowerMeter
from neuralpower.profiling.power.phase import PowerProtocol, measure_power
from neuralpower.profiling.timing import TimingProtocol, measure

SCHEMA_VERSION = 1

#: Loads the network of an item at its batch size.
NetworkLoader = Callable[[NetworkItem], Any]


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
    ) -> None:
        self.executor = executor
        self.meter = meter
        self.timing = timing
        self.power = power
        self.seed = seed
        self._load = load
        self._inside = layers_of_networks
        self._powered = meter.available().ok

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
            record |= self._measure(item)
            if self._inside and isinstance(item, NetworkItem) and visit.repeat == 1:
                record["layers"] = self.executor.network_layers(self._load(item), self.seed)
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

    def _measure(self, item: Configuration | NetworkItem) -> dict[str, Any]:
        if isinstance(item, Configuration):
            workload: Workload = self.executor.layer(item, self.seed)
        else:
            workload = self.executor.network(self._load(item), self.seed)
        try:
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
            if self._powered:
                stats = measure_power(workload.call, self.meter, self.power)
                facts["power"] = {
                    "source": self.meter.info.name,
                    **{k: v for k, v in asdict(stats).items() if k != "flags"},
                }
                facts["flags"] += stats.flags
            return facts
        finally:
            workload.close()


def _kind(visit: Visit) -> str:
    if visit.is_anchor:
        return "anchor"
    return "layer" if isinstance(visit.item, Configuration) else "network"
