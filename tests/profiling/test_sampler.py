"""The sampler's own process: samples arrive, and its death is loud."""

from __future__ import annotations

import math
import os
import signal
import time
from pathlib import Path

import pytest
from fake_nvml import FakeNvml

from neuralpower.errors import InputError
from neuralpower.profiling.power.nvml import NvmlMeter
from neuralpower.profiling.power.sampler import SampledMeter


class RealClock:
    """The system's clock where the fake expects its own."""

    @property
    def now_ns(self) -> int:
        return time.monotonic_ns()

    def __call__(self) -> int:
        return time.monotonic_ns()

    def advance(self, seconds: float) -> None:
        if seconds:
            time.sleep(seconds)


def make_meter() -> NvmlMeter:
    """Called in the sampler's process too."""
    clock = RealClock()
    fake = FakeNvml(clock, lambda t: 200.0 + 0 * math.floor(t), unsupported=frozenset({83}))  # type: ignore[arg-type]
    return NvmlMeter(nvml=fake, clock=clock)


def test_samples_arrive_and_a_window_is_read_from_the_log(tmp_path: Path) -> None:
    meter = SampledMeter("test_sampler:make_meter", tmp_path / "raw.csv")
    assert meter.available().ok
    meter.start()
    t0 = time.monotonic_ns()
    time.sleep(1.2)
    t1 = time.monotonic_ns()
    meter.stop()
    stats = meter.window(t0, t1)
    assert stats.mean_w == pytest.approx(200, rel=5e-3)
    assert stats.publications >= 5


def test_a_dead_sampler_is_told(tmp_path: Path) -> None:
    meter = SampledMeter("test_sampler:make_meter", tmp_path / "raw.csv")
    meter.start()
    assert meter._process is not None
    os.kill(meter._process.pid, signal.SIGKILL)
    meter._process.join(5)
    with pytest.raises(InputError, match=r"the power sampler died \(exit code -9\)"):
        meter.window(0, 1)
    with pytest.raises(InputError, match="died"):
        meter.stop()
