"""One regime for power, time and energy; what the board and the cache were doing meanwhile."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fake_gpu
import pytest
from fake_gpu import FakeGpu, FakeWorkload, measure_adaptive
from hypothesis import given
from hypothesis import strategies as st
from recorded_fake import record

from neuralpower.core.files import read_rows
from neuralpower.profiling.device_power import AdaptiveProtocol, PowerPhase
from neuralpower.profiling.device_timing import (
    ReplayProtocol,
    change_of_thirds,
    choose_calls,
    measure_replays,
)
from neuralpower.records.folder import load_network_rows, load_rows
from neuralpower.records.visits import VisitRecord, cache_mode, read_visit_records, record_of

S = 1_000_000_000


class Slowed(FakeWorkload):
    """Takes ``factor`` times as long from its power phase on, as a board does that gets warm."""

    factor = 1.0

    def replay(self) -> None:
        self._gpu.clock.advance(self._host_s)
        duration = self._ms * self.factor * self.calls_per_replay
        self._gpu.queue(round(duration * 1e6), self._w)


@pytest.fixture
def slowed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes calls of the power phase longer by a factor."""
    begin = PowerPhase._begin

    def make(factor: float) -> None:
        def longer(phase: PowerPhase, workload: Any, replay_ms: float) -> Any:
            workload.factor = factor
            return begin(phase, workload, replay_ms)

        monkeypatch.setattr(fake_gpu, "FakeWorkload", Slowed)
        monkeypatch.setattr(PowerPhase, "_begin", longer)

    return make


@pytest.mark.parametrize(("factor", "flagged"), [(1.03, True), (0.98, True), (1.006, False)])
def test_energy_is_power_times_the_time_of_the_same_replays(
    tmp_path: Path, slowed: Any, factor: float, flagged: bool
) -> None:
    slowed(factor)
    folder = record(tmp_path / "run", net=True, n=2)
    rows = [*load_rows(folder), *load_network_rows(folder)]
    assert len(rows) > 6
    for row in rows:
        values = row.values
        ms, energy_ms = values["runtime_ms"], values["power_runtime_ms"]
        assert energy_ms == pytest.approx(factor * ms, rel=2e-3)
        assert values["energy_mj"] == pytest.approx(values["power_w"] * energy_ms, rel=1e-5)
        if "energy_j" in values:
            assert values["energy_j"] == pytest.approx(values["energy_mj"] / 1000, rel=1e-5)
        assert ("time_changed" in values["flags"].split()) == flagged
        # The counter sees the same seconds.
        assert float(values["energy_edge_mj"]) == pytest.approx(values["energy_mj"], rel=0.02)


def test_records_of_the_first_version_keep_their_energy(tmp_path: Path) -> None:
    folder = record(tmp_path / "run", n=1)
    newest = json.loads((folder / "visits.jsonl").read_text().splitlines()[0])
    newest["power"]["call_ms"] *= 1.5
    first = record_of(json.dumps(newest | {"schema_version": 1}))
    second = record_of(json.dumps(newest))
    assert first.energy_mj == pytest.approx(first.power_w * first.runtime_ms)  # type: ignore[operator]
    assert second.energy_mj == pytest.approx(1.5 * first.energy_mj, rel=5e-3)  # type: ignore[operator]
    with pytest.raises(ValueError, match="schema_version 3 is not known"):
        record_of(json.dumps(newest | {"schema_version": 3}))


@pytest.mark.parametrize(("seconds", "power"), [(0.1, True), (0.35, False), (60.0, False)])
def test_impossible_readings_never_reach_a_mean(seconds: float, power: bool) -> None:
    gpu = FakeGpu(glitch=lambda t: 204_806.0 if 4.0 < t < 4.0 + seconds else None)
    assert gpu.meter.available().ok
    gpu.begin()
    gpu.clock.advance(3.0)
    workload = FakeWorkload(gpu, 0.5, 300)
    found, flags = measure_adaptive(workload, gpu.meter, AdaptiveProtocol(), 0.5, gpu.clock)
    assert "impossible_reading" in flags
    assert "nvml_error" not in flags
    if power:
        assert found.mean_w == pytest.approx(300, rel=3e-3)
    else:
        assert found.mean_w is None
        assert found.corrected_w is None


def test_calls_in_a_replay_come_from_replays_and_stay(tmp_path: Path) -> None:
    folder = record(tmp_path / "run", "--twice", "1", "--thrice", "1", n=4)
    calls: dict[str, set[int]] = {}
    for visit in read_visit_records(folder):
        assert visit.timing is not None
        calls.setdefault(visit.key, set()).add(visit.timing.calls_per_sample)
        replay_ms = visit.timing.calls_per_sample * visit.timing.median_ms
        assert 4.9 < replay_ms < 25 or visit.timing.calls_per_sample == 512
    assert all(len(own) == 1 for own in calls.values())


class HostBound(FakeWorkload):
    """Single calls take the host 20 times as long as the device."""

    def call(self) -> None:
        self._gpu.clock.advance(20 * self._ms / 1e3)


def test_a_slow_host_does_not_shorten_replays() -> None:
    gpu = FakeGpu()
    workload = HostBound(gpu, 0.02, 300)
    assert workload.calls_per_replay == 4
    choose_calls(workload)
    assert workload.calls_per_replay == 252  # 5 ms of 20 us, in rounds of four
    choose_calls(workload, 16)
    assert workload.calls_per_replay == 16


class Ramping(FakeWorkload):
    """Becomes quicker for ``ramp_s`` seconds after it was made, by 20 %."""

    ramp_s = 0.2

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._made = self._gpu.clock.now_ns

    def replay(self) -> None:
        self._gpu.clock.advance(self._host_s)
        age = (max(self._gpu.clock.now_ns, self._gpu.free_ns) - self._made) / S
        duration = self._ms * (1 + 0.2 * max(0.0, 1 - age / self.ramp_s))
        self._gpu.queue(round(duration * self.calls_per_replay * 1e6), self._w)


def test_the_warm_up_waits_for_rising_clocks() -> None:
    gpu = FakeGpu()
    timing = measure_replays(Ramping(gpu, 0.5, 300), ReplayProtocol(), gpu.clock)
    assert timing.median_ms == pytest.approx(0.5, rel=2e-3)
    assert "ramp" not in timing.flags
    assert timing.t0_ns > 0.15 * S
    slow = Ramping(gpu, 0.5, 300)
    slow.ramp_s = 1.5
    timing = measure_replays(slow, ReplayProtocol(), gpu.clock)
    assert "ramp" in timing.flags
    # A steady one is not made to wait.
    begin = gpu.clock.now_ns
    timing = measure_replays(FakeWorkload(gpu, 0.5, 300), ReplayProtocol(), gpu.clock)
    assert timing.flags == ()
    assert timing.t0_ns - begin < 0.09 * S


def test_change_of_thirds_needs_six() -> None:
    assert change_of_thirds([1, 1, 1, 2, 2]) is None
    assert change_of_thirds([1, 1, 9, 9, 2, 2]) == 1.0
    assert change_of_thirds([2.0] * 7) == 0.0


def test_the_board_is_watched_while_it_is_timed(tmp_path: Path) -> None:
    folder = record(tmp_path / "run", n=2, sm_mhz=lambda t: 1410, reasons=lambda t: 0x4)
    states = [r.state for r in read_visit_records(folder) if r.state]
    assert len(states) == len(read_visit_records(folder))
    seen = [s for s in states if s.sm_mhz_lo is not None]
    assert seen
    for state in seen:
        assert (state.sm_mhz_lo, state.sm_mhz_hi, state.temperature_c_hi) == (1410, 1410, 55)
        assert state.clock_event_reasons == 0x4
    flagged = [r for r in read_visit_records(folder) if "power_capped" in r.flags]
    assert flagged


@pytest.mark.parametrize(
    ("moved", "parameters", "buffers", "mode"),
    [
        (10, 0, 4, "hot"),  # 40 of 50
        (10, 0, 5, "hot"),
        (10, 0, 6, "partly"),  # 60: some of it comes round while it is still there
        (10, 0, 10, "cold"),
        (10, 20, 15, "partly"),  # activations rotate, parameters stay: 30 between their uses
        (60, 40, 2, "cold"),  # 100 between two uses of the parameters
        (60, 39, 2, "partly"),
        (200, 0, 1, "cold"),
    ],
)
def test_what_the_cache_holds(moved: int, parameters: int, buffers: int, mode: str) -> None:
    assert cache_mode(moved, parameters, buffers, 50) == mode
    assert cache_mode(moved, parameters, buffers, None) is None


@given(st.integers(1, 10**9), st.integers(0, 10**9), st.integers(1, 64), st.integers(1, 10**8))
def test_more_buffers_never_warm_a_cache(
    moved: int, parameters: int, buffers: int, cache: int
) -> None:
    order = {"hot": 0, "partly": 1, "cold": 2}
    modes = [cache_mode(moved, parameters, n, cache) for n in (buffers, 2 * buffers)]
    assert order[modes[0] or ""] <= order[modes[1] or ""]


def test_cache_and_footprint_are_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fake_gpu.FakeGpuExecutor, "cache_bytes", 4096, raising=False)
    monkeypatch.setattr(FakeWorkload, "parameter_bytes", 1024, raising=False)
    folder = record(tmp_path / "run", n=1)
    header, rows = read_rows(folder / "fc.csv.gz")
    assert header[-2:] == ["cache_mode", "footprint_bytes"]
    # Four sets of 3072 bytes rotate past a cache of 4096; 1024 bytes of parameters do not.
    assert {(row["cache_mode"], row["footprint_bytes"]) for row in rows} == {("partly", "4096")}


def test_a_record_says_what_is_wrong_with_it() -> None:
    good = VisitRecord("v.1", "network", "k", 1, 0, network="n", batch=2).as_dict()
    assert record_of(json.dumps(good)).network == "n"
    for change, words in (
        ({"repeat": 1.5}, "repeat is 1.5"),
        ({"kind": "other"}, "kind is 'other'"),
        ({"network": None}, "network is missing"),
        ({"timing": {"median_ms": 1}}, "timing: lo_ms is missing"),
        ({"flags": "oom"}, "flags is 'oom'"),
        ({"valid": 1}, "valid is 1"),
    ):
        with pytest.raises(ValueError, match=words):
            record_of(json.dumps(good | change))
