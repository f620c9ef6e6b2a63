"""The AMD meter on a fake amdsmi whose power is known, and every way in which it may be missing."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from neuralpower_amd import ERROR_BASE, AmdMeter

from neuralpower.core.errors import InputError
from neuralpower.meters.meter import NoMeter
from neuralpower.meters.sampler import SampledMeter
from neuralpower.meters.samples import SampleSource
from neuralpower.profiling.bench import measuring
from neuralpower.profiling.device_power import idle_power

S = 1_000_000_000
RESOLUTION_UJ = 15.259


class AmdSmiError(Exception):
    def __init__(self, code: int) -> None:
        super().__init__(f"error {code}")
        self.err_code = code


class FakeAmdSmi:
    """A board of constant power, published every 0.1 s; the accumulator ticks every 10 ms."""

    AmdSmiClkType = SimpleNamespace(GFX=0, MEM=4)
    AmdSmiTemperatureType = SimpleNamespace(HOTSPOT=1)
    AmdSmiTemperatureMetric = SimpleNamespace(CURRENT=0)

    def __init__(self, watts: float = 420.0, gpus: int = 1, start_counts: int = 1000) -> None:
        self.now_ns = 0
        self.watts, self.gpus, self.start_counts = watts, gpus, start_counts
        self.fields = ["current_socket_power"]
        self.init_code = self.power_code = self.energy_code = 0
        self.reset_at_ns: int | None = None
        self.energy_key = "energy_accumulator"

    def clock(self) -> int:
        return self.now_ns

    def amdsmi_init(self) -> None:
        if self.init_code:
            raise AmdSmiError(self.init_code)

    def amdsmi_get_processor_handles(self) -> list[int]:
        return list(range(self.gpus))

    def amdsmi_get_gpu_device_uuid(self, handle: int) -> str:
        return f"aaff-{handle}"

    def amdsmi_get_gpu_enumeration_info(self, handle: int) -> dict[str, Any]:
        return {"hip_uuid": f"GPU-hip{handle}"}

    def amdsmi_get_gpu_device_bdf(self, handle: int) -> str:
        return f"0000:0{handle}:00.0"

    def amdsmi_get_power_info(self, handle: int) -> dict[str, Any]:
        if self.power_code:
            raise AmdSmiError(self.power_code)
        tick = self.now_ns // (S // 10)
        table: dict[str, Any] = dict.fromkeys(
            ("current_socket_power", "average_socket_power", "gfx_voltage"), "N/A"
        )
        noise = (tick * 7919) % 3 - 1 if self.watts else 0
        return table | {name: int(self.watts + noise) for name in self.fields}

    def amdsmi_get_energy_count(self, handle: int) -> dict[str, Any]:
        if self.energy_code:
            raise AmdSmiError(self.energy_code)
        since = self.now_ns
        if self.reset_at_ns is not None and since >= self.reset_at_ns:
            since -= self.reset_at_ns
            start = 0
        else:
            start = self.start_counts
        joules = self.watts * (since // 10_000_000) / 100
        counts = (start + int(joules * 1e6 / RESOLUTION_UJ)) % (1 << 64)
        return {self.energy_key: counts, "counter_resolution": RESOLUTION_UJ, "timestamp": 1}

    def amdsmi_get_clock_info(self, handle: int, kind: int) -> dict[str, Any]:
        return {"clk": 2100} if kind == 0 else {"cur_clk": 1300}

    def amdsmi_get_temp_metric(self, handle: int, kind: int, metric: int) -> int:
        return 61


def record(fake: FakeAmdSmi, seconds: float = 4.0) -> AmdMeter:
    meter = AmdMeter(amdsmi=fake, clock=fake.clock)
    assert meter.available().ok
    meter.start()
    while fake.now_ns < seconds * S:
        meter.read()
        if fake.now_ns % (S // 5) == 0:
            meter.state()
        fake.now_ns += 20_000_000
    meter.stop()
    return meter


def test_power_and_energy_are_found() -> None:
    meter = record(FakeAmdSmi())
    assert isinstance(meter, SampleSource)
    stats = meter.window(1 * S, 3 * S)
    assert stats.mean_w == pytest.approx(420, abs=0.5)
    assert stats.energy_mean_w == pytest.approx(420, rel=2e-3)
    assert stats.energy_j == pytest.approx(840, rel=2e-3)
    assert 11 <= stats.publications <= 21
    assert stats.flags == ()
    assert "current socket power" in meter.info.provenance
    states = meter.samples(1 * S, 3 * S).states
    assert {(s.sm_mhz, s.memory_mhz, s.temperature_c, s.reasons) for s in states} == {
        (2100, 1300, 61, None)
    }


def test_older_boards_tell_an_average_and_older_versions_other_names() -> None:
    fake = FakeAmdSmi()
    fake.fields, fake.energy_key = ["average_socket_power"], "power"
    meter = record(fake)
    assert meter.window(1 * S, 3 * S).energy_j == pytest.approx(840, rel=2e-3)
    assert "average socket power" in meter.info.provenance


def test_a_counter_that_wraps_is_added_up() -> None:
    fake = FakeAmdSmi(start_counts=(1 << 64) - 30_000_000)
    meter = record(fake)
    stats = meter.window(0, 4 * S)
    assert stats.energy_mean_w == pytest.approx(420, rel=2e-3)
    energies = [e for e in meter.raw().energy_j if e is not None]
    assert energies == sorted(energies)


def test_a_counter_that_is_reset_is_reported() -> None:
    fake = FakeAmdSmi(start_counts=10**12)
    fake.reset_at_ns = 2 * S
    stats = record(fake).window(1 * S, 3 * S)
    assert stats.energy_j is None
    assert stats.mean_w == pytest.approx(420, abs=0.5)
    assert "counter_reset" in stats.flags


def test_a_missing_counter_leaves_the_power() -> None:
    fake = FakeAmdSmi()
    fake.energy_code = 2
    stats = record(fake).window(1 * S, 3 * S)
    assert stats.mean_w == pytest.approx(420, abs=0.5)
    assert stats.energy_j is None
    assert "counter_missing" in stats.flags


def test_a_sensor_that_fails_gives_none_and_a_code_of_its_own() -> None:
    fake = FakeAmdSmi()
    meter = record(fake, 1.0)
    assert meter.last_error() is None
    fake.power_code = 15
    assert meter.read() is None
    assert meter.last()[1:] == (None, None, None)
    # NVML's 15 is a GPU that is lost.
    assert meter.last_error() == ERROR_BASE + 15
    meter.check()
    assert meter.samples(0, 2**62).errors


@pytest.mark.parametrize("missing", ["N/A", 0xFFFF, 0xFFFFFFFF, None])
def test_values_that_stand_for_nothing_are_nothing(missing: Any) -> None:
    fake = FakeAmdSmi()
    fake.fields = []
    real = fake.amdsmi_get_power_info

    def with_it(handle: int) -> dict[str, Any]:
        return real(handle) | {"current_socket_power": missing}

    fake.amdsmi_get_power_info = with_it  # type: ignore[method-assign]
    state = AmdMeter(amdsmi=fake).available()
    assert not state.ok
    assert "gives amdsmi no power" in state.reason


@pytest.mark.parametrize(
    ("knobs", "reason"),
    [
        ({"init_code": 34}, "amdgpu driver is not loaded"),
        ({"init_code": 10}, "join the groups video and render"),
        ({"power_code": 10}, "join the groups video and render"),
        ({"power_code": 2}, "no power sensor that amdsmi can read"),
        ({"power_code": 99}, "amdsmi: error 99"),
        ({"gpus": 0}, "amdsmi shows no GPU"),
        ({"watts": 0.0}, "0 W: the sensor is off"),
    ],
)
def test_why_there_is_no_power(knobs: dict[str, Any], reason: str) -> None:
    fake = FakeAmdSmi()
    for name, value in knobs.items():
        setattr(fake, name, value)
    state = AmdMeter(amdsmi=fake).available()
    assert not state.ok
    assert reason in state.reason


def test_without_the_module_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "amdsmi", None)
    state = AmdMeter().available()
    assert not state.ok
    assert "install ROCm's amdsmi" in state.reason


@pytest.mark.parametrize("name", ["aaff-1", "GPU-hip1", "0000:01:00.0"])
def test_gpus_are_matched_by_their_names(name: str) -> None:
    fake = FakeAmdSmi(gpus=2)
    meter = AmdMeter(name, fake)
    assert meter.available().ok
    assert meter._handle == 1
    assert meter.uuid == name
    assert "no GPU nobody" in AmdMeter("nobody", fake).available().reason
    assert AmdMeter("nobody", FakeAmdSmi()).available().ok


def test_the_sampler_polls_it_from_a_process_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "modules" / "amdsmi.py"
    module.parent.mkdir()
    module.write_text(
        "import time\n"
        "def amdsmi_init(): pass\n"
        "def amdsmi_get_processor_handles(): return [7]\n"
        "def amdsmi_get_gpu_device_uuid(handle): return 'only'\n"
        "def amdsmi_get_power_info(handle):\n"
        "    return {'current_socket_power': 200 + int(time.monotonic() * 50) % 3}\n"
        "def amdsmi_get_energy_count(handle):\n"
        "    counts = int(time.monotonic() * 200e6)\n"
        "    return {'energy_accumulator': counts, 'counter_resolution': 1.0}\n"
    )
    # A spawned process takes over the search path.
    monkeypatch.syspath_prepend(str(module.parent))
    monkeypatch.delitem(sys.modules, "amdsmi", raising=False)
    source = SampledMeter("neuralpower_amd:AmdMeter", tmp_path / "raw.csv")
    assert source.available().ok
    assert source.uuid == "only"
    source.start()
    found = idle_power(source, seconds=1.0)
    source.stop()
    monkeypatch.delitem(sys.modules, "amdsmi", raising=False)
    assert found["mean_w"] == pytest.approx(201, abs=1)
    assert found["publications"] > 10


def test_a_run_takes_the_meter_that_it_asks_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = ModuleType("amdsmi")
    absent.amdsmi_init = FakeAmdSmi().amdsmi_init  # type: ignore[attr-defined]
    absent.amdsmi_get_processor_handles = list  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "amdsmi", absent)
    made: Any = SimpleNamespace(uuid="")
    with (
        pytest.raises(InputError, match="meter amd: amdsmi shows no GPU; --meter none"),
        measuring("amd", "cuda", tmp_path, lambda: made),
    ):
        pass
    with measuring("auto", "cuda", tmp_path, lambda: made) as bench:
        assert isinstance(bench.meter, NoMeter)
        assert "amdsmi shows no GPU" in bench.meter.available().reason
        assert "NVML" in bench.meter.available().reason
    with (
        pytest.raises(InputError, match="meter amd measures a GPU: give --device cuda"),
        measuring("amd", "cpu", tmp_path, lambda: made),
    ):
        pass
