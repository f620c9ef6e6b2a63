"""A profile run on the fake GPU, to be killed: ``python gpu_worker.py OUT PAUSE_S``."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from fake_gpu import FakeGpu, FakeGpuExecutor, FakeWorkload, fake_bench

from neuralpower.core.configuration import Configuration
from neuralpower.profiling.run import Outcome, Settings, run
from neuralpower.profiling.visiting import BlockProtocol
from neuralpower.profiling.warm_up import WarmUpProtocol


class SlowExecutor(FakeGpuExecutor):
    """Preparing takes real time too, so that a kill falls into the middle."""

    pause_s = 0.0

    def layer(self, configuration: Configuration, seed: int) -> FakeWorkload:
        time.sleep(self.pause_s)
        return super().layer(configuration, seed)


def work(out: Path, pause_s: float) -> Outcome:
    made = [Configuration("relu", 1, i + 1, 8, 8, i + 1, 8, 8) for i in range(20)]
    gpu = FakeGpu()
    executor: Any = SlowExecutor(gpu)
    executor.pause_s = pause_s
    with fake_bench(gpu) as bench:
        settings = Settings(
            "fake",
            out,
            1,
            clock=bench.clock,
            sleep=bench.sleep,
            # Small blocks, so that a kill falls into each part of many.
            blocks=BlockProtocol(visits=4),
            warm_up=WarmUpProtocol(cap_s=2.0, part_s=1.0),
        )
        layers = {c.key(): c for c in made}
        return run(settings, {}, layers, executor, bench.meter, lambda item: item)


if __name__ == "__main__":
    work(Path(sys.argv[1]), float(sys.argv[2]))
