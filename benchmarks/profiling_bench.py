"""What the profiler itself costs, and how many visits it makes.

    python benchmarks/profiling_bench.py [--executor onnxruntime] [--layers 40] [--prepare-ms 50]

First on the CPU: layers of a few families are profiled in a fresh folder; printed is the time of
the whole run (planning, records on the disk, tables, manifest) over that spent in visits. Then on
the fake GPU of the tests, whose clock passes only where a device would work or be waited for and
where a layer is prepared (`--prepare-ms`, an assumption until a GPU is measured): visits per
minute, and the share of that clock that is neither preparing nor measuring.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from neuralpower.core.configuration import Configuration
from neuralpower.frameworks.registry import make_executor
from neuralpower.meters.meter import NoMeter
from neuralpower.profiling.device_power import AdaptiveProtocol
from neuralpower.profiling.device_timing import ReplayProtocol
from neuralpower.profiling.run import Settings, run
from neuralpower.profiling.warm_up import WarmUpProtocol

TESTS = Path(__file__).resolve().parents[1] / "tests" / "profiling"


def main() -> None:
    """Print both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--executor", default="onnxruntime")
    parser.add_argument("--layers", type=int, default=40)
    parser.add_argument("--prepare-ms", type=float, default=50.0)
    arguments = parser.parse_args()
    on_the_cpu(arguments.executor, arguments.layers)
    for share in (0.0, 0.3, 1.0):
        on_the_fake(arguments.layers, arguments.prepare_ms / 1000, share)


def on_the_cpu(executor: str, number: int) -> None:
    """Wall time of a run over that of its visits."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        made = make_executor(executor, 1)
        begin = time.perf_counter()
        settings = Settings("bench", out)
        run(settings, {}, layers(number), made, NoMeter("bench"), lambda item: item)
        wall = time.perf_counter() - begin
        begin = time.perf_counter()
        run(settings, {}, layers(number), made, NoMeter("bench"), lambda item: item)
        again = time.perf_counter() - begin
        records = read(out)
    inside = sum(record["wall_s"] for record in records)
    window = sum((r["timing"]["t1_ns"] - r["timing"]["t0_ns"]) / 1e9 for r in records)
    print(
        f"{executor} on the CPU: {len(records)} visits in {wall:.1f} s; outside of visits "
        f"{1 - inside / wall:.1%} of the run, the probe of the peak included; of a visit "
        f"{window / inside:.0%} is sampling, the rest preparing and warming up; a call that finds "
        f"nothing left to do takes {again:.2f} s"
    )


def on_the_fake(number: int, prepare_s: float, share: float) -> None:
    """Visits a minute of the fake's clock, and what of it is not measuring."""
    sys.path.insert(0, str(TESTS))
    from fake_gpu import FakeGpu, FakeGpuExecutor, fake_bench

    gpu = FakeGpu()
    with tempfile.TemporaryDirectory() as folder, fake_bench(gpu) as made:
        out = Path(folder) / "out"
        settings = Settings(
            "bench",
            out,
            adaptive=AdaptiveProtocol(share=share),
            warm_up=WarmUpProtocol(cap_s=0),
            clock=made.clock,
            sleep=made.sleep,
        )
        executor: Any = FakeGpuExecutor(gpu, prepare_s=prepare_s)
        begin = time.perf_counter()
        run(settings, {}, layers(number), executor, made.meter, lambda item: item)
        host_s = time.perf_counter() - begin
        records = sorted(read(out), key=lambda record: record["timing"]["t0_ns"])
    powers = [record["power"] for record in records if record["power"]]
    warm_s = ReplayProtocol().warm_up_s
    first = records[0]["timing"]["t0_ns"] - (warm_s + prepare_s) * 1e9
    last = max([r["timing"]["t1_ns"] for r in records] + [p["t1_ns"] for p in powers])
    whole = (last - first) / 1e9
    timed = sum((r["timing"]["t1_ns"] - r["timing"]["t0_ns"]) / 1e9 + warm_s for r in records)
    powered = sum((p["t1_ns"] - p["t0_ns"]) / 1e9 + p["settle_s"] for p in powers)
    rest = whole - timed - powered - prepare_s * len(records)
    minute = 60 * len(records)
    print(
        f"fake GPU, power of {share:.0%} and anchors: {len(records)} visits, {len(powers)} with "
        f"power, in {whole:.0f} s of its clock: {minute / whole:.0f} visits per minute; preparing "
        f"and timing {minute / (timed + prepare_s * len(records)):.0f} a minute, power "
        f"{60 * len(powers) / powered:.0f} a minute; neither preparing nor measuring "
        f"{rest / whole:.1%}; the host worked {host_s:.1f} s, the fake itself included"
    )


def layers(number: int) -> dict[str, Configuration]:
    """Convolutions, products and activations of growing size."""
    made = []
    for i in range(number):
        n = 8 * (i // 3 + 1)
        made.append(
            (
                Configuration("conv", 1, n, 28, 28, n, 28, 28, 3, 3, 1, 1, 1, 1, bias=1),
                Configuration("fc", 4, 32 * n, 1, 1, 16 * n, 1, 1, bias=1),
                Configuration("relu", 2, n, 28, 28, n, 28, 28),
            )[i % 3]
        )
    return {configuration.key(): configuration for configuration in made}


def read(out: Path) -> list[dict[str, Any]]:
    """The records of a run."""
    return [json.loads(line) for line in (out / "visits.jsonl").read_text().splitlines()]


if __name__ == "__main__":
    main()
