"""A profile run on the instant executor, to be killed: ``python profile_worker.py OUT PAUSE_S``."""

from __future__ import annotations

import sys
from pathlib import Path

from instant import InstantExecutor

from neuralpower.core.configuration import Configuration
from neuralpower.meters.meter import NoMeter
from neuralpower.profiling.run import Outcome, Settings, run


def made_up_layers(n: int) -> dict[str, Configuration]:
    made = [Configuration("relu", 1, i + 1, 8, 8, i + 1, 8, 8) for i in range(n)]
    made += [Configuration("fc", 4, i + 1, 1, 1, 2 * i + 1, 1, 1, bias=1) for i in range(n)]
    return {configuration.key(): configuration for configuration in made}


def work(out: Path, pause_s: float, layers: int = 30) -> Outcome:
    settings = Settings(platform="instant", out=out, seed=1)
    executor, meter = InstantExecutor(pause_s), NoMeter("made up")
    return run(settings, {}, made_up_layers(layers), executor, meter, lambda item: item)


if __name__ == "__main__":
    work(Path(sys.argv[1]), float(sys.argv[2]))
