"""The sampler's own process: samples arrive, and its death is loud."""

from __future__ import annotations

import gzip
import math
import os
import signal
import time
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from fake_gpu import FakeGpu, FakeGpuExecutor
from fake_nvml import FakeNvml
from instant import InstantExecutor

from neuralpower.core.errors import InputError
from neuralpower.meters.log import LOG_COLUMNS
from neuralpower.meters.meter import NoMeter
from neuralpower.meters.nvml import NvmlMeter
from neuralpower.meters.sampler import SampledMeter
from neuralpower.profiling import characterise_gpu
from neuralpower.profiling.bench import measuring
from neuralpower.profiling.characterise_gpu import sampler_interference


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
    # Every line has a cell for each column, with the board's state and without.
    header, *lines = (tmp_path / "raw.csv").read_text().splitlines()
    assert header == ",".join(LOG_COLUMNS)
    assert {line.count(",") for line in lines} == {header.count(",")}


def test_interference_is_that_of_the_chosen_sensor(tmp_path: Path) -> None:
    asked: list[tuple[str, float]] = []

    class Counted(SampledMeter):
        def again(self, log: str | Path, poll_s: float) -> SampledMeter:
            asked.append((Path(log).name, poll_s))
            made = super().again(tmp_path / f"{len(asked)}.csv", poll_s)
            assert made.info.name == self.info.name
            return made

    gpu = FakeGpu()

    def quick(make: Any, start: Any, stop: Any) -> dict[str, Any]:
        make()
        start()
        stop()
        return {"slower_by": 0.0}

    meter = Counted("test_sampler:make_meter", tmp_path / "raw.csv")
    executor: Any = FakeGpuExecutor(gpu)
    with mock.patch.object(characterise_gpu, "interference", quick):
        found = sampler_interference(executor, 1, meter)
    assert asked == [("raw.csv", 0.02), ("raw.csv", 0.005)]
    assert found == {"poll_20_ms": {"slower_by": 0.0}, "poll_5_ms": {"slower_by": 0.0}}
    assert executor.taken == 0
    # Both samplers have written a log of the same sensor's 200 W.
    for name in ("1.csv", "2.csv"):
        power = (tmp_path / name).read_text().splitlines()[1].split(",")[1]
        assert float(power) == pytest.approx(200, rel=5e-3)
    assert "no sampler" in str(sampler_interference(executor, 1, NoMeter("none"))["reason"])


def test_a_dead_sampler_is_reported(tmp_path: Path) -> None:
    meter = SampledMeter("test_sampler:make_meter", tmp_path / "raw.csv")
    meter.start()
    assert meter._process is not None
    assert meter._process.pid is not None
    os.kill(meter._process.pid, signal.SIGKILL)
    meter._process.join(5)
    with pytest.raises(InputError, match=r"the power sampler died \(exit code -9\)"):
        meter.window(0, 1)
    with pytest.raises(InputError, match="died"):
        meter.stop()


def test_a_bench_measures_idle_first_and_keeps_the_raw_samples(tmp_path: Path) -> None:
    logs = tmp_path / "power"
    logs.mkdir()
    # What a killed call left: its last line is torn.
    (logs / "001.csv").write_text("t_ns,power_w,average_w,energy_j\n1,2,3,4\n2,2,")
    made: Any = InstantExecutor()
    with measuring("nvml", "cuda", logs, lambda: made, "test_sampler:make_meter") as bench:
        assert bench.executor is made
        assert bench.idle_no_context is not None
        assert bench.idle_no_context["mean_w"] == pytest.approx(200, rel=5e-3)
        with (
            pytest.raises(InputError, match="another profile run"),
            measuring("nvml", "cuda", logs, lambda: made, "test_sampler:make_meter"),
        ):
            pass
    assert sorted(p.name for p in logs.glob("*.csv*")) == ["001.csv.gz", "002.csv.gz"]
    assert gzip.decompress((logs / "001.csv.gz").read_bytes()).count(b"\n") == 2
    assert gzip.decompress((logs / "002.csv.gz").read_bytes()).count(b"\n") > 50
