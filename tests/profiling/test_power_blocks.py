"""Power in blocks on the fake GPU: no gap, known predecessors, memory, delays, flags, warm-up."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import fake_gpu
import pynvml
import pytest
from fake_gpu import (
    FakeGpu,
    FakeGpuExecutor,
    FakeWorkload,
    HalfLoad,
    fake_bench,
    known_w,
    measure_adaptive,
)

from neuralpower.cli import main
from neuralpower.core.configuration import CONFIGURATION_COLUMNS, Configuration
from neuralpower.core.errors import RunError
from neuralpower.core.files import csv_text
from neuralpower.frameworks.base import BaseExecutor
from neuralpower.meters.look import Look, look_at
from neuralpower.meters.samples import BoardState, state_facts
from neuralpower.meters.window import RawTable
from neuralpower.profiling import bench
from neuralpower.profiling.device_power import (
    AdaptiveProtocol,
    PowerPhase,
    idle_power,
    rested_power,
)
from neuralpower.profiling.device_timing import (
    ReplayProtocol,
    ReplayQueue,
    choose_calls,
    measure_replays,
)
from neuralpower.profiling.run import Settings, run
from neuralpower.profiling.visiting import BlockProtocol
from neuralpower.profiling.warm_up import WarmUpProtocol, warm_up

S = 1_000_000_000


def layers(n: int) -> dict[str, Configuration]:
    made = [Configuration("relu", 1, i + 1, 8, 8, i + 1, 8, 8) for i in range(n)]
    return {c.key(): c for c in made}


def profiled(
    out: Path, gpu: FakeGpu, n: int = 12, executor: dict[str, Any] | None = None, **changes: Any
) -> tuple[list[dict[str, Any]], Any]:
    """Records of a run on the fake, in the order in which they were written, and its executor."""
    with fake_bench(gpu, **(executor or {})) as made:
        options: dict[str, Any] = {"warm_up": WarmUpProtocol(cap_s=0)} | changes
        settings = Settings("fake", out, 1, clock=made.clock, sleep=made.sleep, **options)
        run(settings, {}, layers(n), made.executor, made.meter, lambda item: item)
        lines = (out / "visits.jsonl").read_text().splitlines()
        # A visit whose kernels were named has two lines: the later one counts.
        records = {record["visit"]: record for record in map(json.loads, lines)}
        return list(records.values()), made.executor


def measured(*arguments: Any) -> tuple[Any, tuple[str, ...]]:
    """A window's power, whose figures are there."""
    choose_calls(arguments[0])
    return measure_adaptive(*arguments)


def test_layers_of_a_block_follow_without_a_gap_and_know_their_predecessor(tmp_path: Path) -> None:
    gpu = FakeGpu()
    records, _ = profiled(tmp_path / "out", gpu)
    powers = [record["power"] for record in records]
    assert powers[0]["predecessor"] == ""
    for before, after in itertools.pairwise(records):
        assert after["power"]["predecessor"] == before["key"]
        assert after["power"]["predecessor_w"] == pytest.approx(known_w(before["key"]), rel=3e-3)
    begin, end = powers[0]["t0_ns"], powers[-1]["t1_ns"]
    # The stream ran dry nowhere between the first window and the last.
    starts = [t for t in gpu._starts if begin < t < end]
    assert all(start in set(gpu._ends) for start in starts)
    for power in powers:
        assert power["idle_share"] == 0
        assert power["settle_s"] >= 0.5
    for record in records:
        ratio = record["power"]["call_ms"] / record["timing"]["median_ms"]
        assert ratio == pytest.approx(1, rel=3e-3)


def test_a_block_closes_early_when_memory_is_short(tmp_path: Path) -> None:
    whole, wide = profiled(tmp_path / "whole", FakeGpu())
    assert wide.most_taken == len(whole)
    assert wide.taken == 0
    # Room for four: above half of it a block closes.
    records, narrow = profiled(tmp_path / "narrow", FakeGpu(), executor={"memory": 4})
    assert narrow.most_taken == 3
    assert {r["visit"] for r in records} == {r["visit"] for r in whole}
    assert all(record["power"]["mean_w"] for record in records)
    # Where the share does not stop it, running out of memory does, and the visit is made again.
    full, limited = profiled(
        tmp_path / "full",
        FakeGpu(),
        executor={"memory": 5},
        blocks=BlockProtocol(memory_share=1.0),
    )
    assert limited.most_taken == 5
    assert not any("oom" in record["flags"] for record in full)
    assert len(full) == len(whole)


@pytest.mark.parametrize(("memory_bytes", "most"), [(1000, 6), (0, 18)])
def test_what_workloads_hold_closes_a_block_where_no_more_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, memory_bytes: int, most: int
) -> None:
    class Silent(FakeGpuExecutor):
        memory_share = BaseExecutor.memory_share

    monkeypatch.setattr(Silent, "memory_bytes", memory_bytes)
    monkeypatch.setattr(FakeWorkload, "held_bytes", 100)
    monkeypatch.setattr(fake_gpu, "FakeGpuExecutor", Silent)
    records, executor = profiled(tmp_path / "out", FakeGpu())
    # Above half of the memory it closes: with six of 100 bytes. Unknown, it holds all visits.
    assert len(records) == 18
    assert executor.most_taken == most
    assert all(record["power"]["mean_w"] for record in records)


def test_a_block_holds_no_more_visits_than_asked_for(tmp_path: Path) -> None:
    _, executor = profiled(tmp_path / "out", FakeGpu(), blocks=BlockProtocol(visits=5))
    assert executor.most_taken == 5


def test_random_delays_uncover_a_call_as_long_as_the_period() -> None:
    errors = {}
    for delays in (False, True):
        gpu = FakeGpu(phase_s=0.04)
        gpu.meter.available()
        gpu.begin()
        gpu.clock.advance(3.0)
        # Seldom as a whole: the fake is not asked to converge on it.
        rules = AdaptiveProtocol(window_cap_s=8.0 if delays else 1.0, precision=1.0, drift=1.0)
        power, flags = measured(
            HalfLoad(gpu, 100.0, 300), gpu.meter, rules, 100.0, gpu.clock, gpu.clock.advance
        )
        errors[delays] = abs(power.mean_w / 200 - 1)
        assert bool(power.pauses_ns) == delays
        assert ("phase_coverage" in flags) != delays
    assert errors[False] > 0.3
    assert errors[True] < 0.2


def test_the_settle_correction_knows_the_predecessor() -> None:
    raw, corrected = [], []
    for seed in range(6):
        gpu = FakeGpu(warming=0.08, warming_tau_s=1.0, seed=seed, noise=0.0005)
        gpu.meter.available()
        gpu.begin()
        gpu.clock.advance(3.0)
        rules = AdaptiveProtocol(settle_cap_s=0.5, settle_slope=1.0, drift=1.0)
        phase = PowerPhase(gpu.meter, rules, gpu.clock, gpu.clock.advance)
        for watts in (600, 200):
            power: Any
            power, flags = phase.visit(FakeWorkload(gpu, 0.5, watts), 0.5, str(watts))
        phase.end()
        assert power.mean_w > 201
        assert "settle_corr_gt1pct" in flags
        raw.append(abs(power.mean_w / 200 - 1))
        corrected.append(abs(power.corrected_w / 200 - 1))
    assert sum(corrected) < 0.4 * sum(raw)


def test_a_slow_average_is_waited_for() -> None:
    gpu = FakeGpu(unsupported=frozenset({186, 185}))
    gpu.meter.available()
    gpu.begin()
    phase = PowerPhase(gpu.meter, AdaptiveProtocol(), gpu.clock, gpu.clock.advance)
    phase.visit(FakeWorkload(gpu, 0.5, 600), 0.5, "a")
    power: Any
    power, _ = phase.visit(FakeWorkload(gpu, 0.5, 200), 0.5, "b")
    phase.end()
    assert power.settle_s >= 1.0
    assert power.mean_w == pytest.approx(200, rel=5e-3)


def test_a_calibrated_period_and_average_set_window_and_settling() -> None:
    gpu = FakeGpu(period_s=0.05)
    gpu.meter.available()
    gpu.begin()
    rules = AdaptiveProtocol(period_s=0.05, averaging_s=0.7)
    power, _ = measured(
        FakeWorkload(gpu, 0.5, 300), gpu.meter, rules, 0.5, gpu.clock, gpu.clock.advance
    )
    assert power.period_ms == 50
    assert 0.75 <= power.settle_s <= 1.0
    assert (power.t1_ns - power.t0_ns) / S < 1.0


@pytest.mark.parametrize("stale_from_s", [2.0, 4.2])
def test_a_sensor_that_does_not_move_gives_no_power(stale_from_s: float) -> None:
    gpu = FakeGpu(stale_from_s=stale_from_s)
    gpu.meter.available()
    gpu.begin()
    gpu.clock.advance(3.0)
    power, flags = measured(
        FakeWorkload(gpu, 0.5, 300), gpu.meter, AdaptiveProtocol(), 0.5, gpu.clock
    )
    assert "duplicate_stream" in flags
    assert power.mean_w is None
    assert power.corrected_w is None


def look(values: list[float]) -> Look:
    table = RawTable([i * S // 10 for i in range(len(values))], values)

    class Source:
        def samples(self, t0: int, t1: int) -> Any:
            from neuralpower.meters.samples import Samples

            return Samples(table)

    return look_at(Source(), 0, len(values) * S, S // 10)  # type: ignore[arg-type]


def test_two_layers_with_one_stream_are_distinguished_from_whole_watts() -> None:
    series = [300.125, 300.25, 300.5, 300.375, 301.125]
    assert look(series).repeats(look(series).values)
    assert not look(series).repeats(look([300.0625, *series[1:], 299.75]).values)
    # Sensors of whole watts repeat themselves rightly.
    assert not look([300.0, 301.0, 300.0, 301.0]).repeats(look([300.0, 301.0, 300.0, 301.0]).values)
    assert look([300.125] * 30).repeats(())
    assert not look([300.0] * 30).repeats(())


def test_time_that_a_limit_held_the_board_is_reported() -> None:
    def states(power_ns: int, thermal_ns: int | None) -> Any:
        first = BoardState(0, 1980, 3000, 60, 0, 10**9, None if thermal_ns is None else 5)
        last = BoardState(S, 1980, 3000, 61, 0, 10**9 + power_ns, thermal_ns)
        return state_facts([first, last])

    facts, flags = states(200_000_000, None)
    assert facts["power_held_ms"] == 200
    assert facts["thermal_held_ms"] is None
    assert flags == ("power_capped",)
    assert states(0, 5)[1] == ()
    assert states(0, 900_000_000)[1] == ("thermal_slowdown",)


def test_held_time_comes_from_the_sensor() -> None:
    gpu = FakeGpu(power_held_s=lambda t: 0.5 * t)
    gpu.meter.available()
    gpu.begin()
    power, flags = measured(
        FakeWorkload(gpu, 0.5, 300), gpu.meter, AdaptiveProtocol(), 0.5, gpu.clock
    )
    assert power.power_held_ms > 400
    assert power.thermal_held_ms == 0
    assert "power_capped" in flags


@pytest.mark.parametrize("code", [pynvml.NVML_ERROR_GPU_IS_LOST, pynvml.NVML_ERROR_RESET_REQUIRED])
def test_a_loss_that_only_a_field_reports_ends_the_visit(code: int) -> None:
    gpu = FakeGpu()
    gpu.meter.available()
    gpu.begin()
    gpu.nvml.field_error = code
    with pytest.raises(RunError, match="what was measured is kept"):
        measure_adaptive(FakeWorkload(gpu, 0.5, 300), gpu.meter, AdaptiveProtocol(), 0.5, gpu.clock)


def test_a_host_that_sets_the_pace_is_reported_by_the_timing() -> None:
    gpu = FakeGpu()
    slow = measure_replays(FakeWorkload(gpu, 0.5, 300, 0.03), ReplayProtocol(), gpu.clock)
    assert "host_bound" in slow.flags
    quick = measure_replays(FakeWorkload(gpu, 0.5, 300), ReplayProtocol(), gpu.clock)
    assert quick.flags == ()


def test_other_kernels_at_a_later_visit_are_reported(tmp_path: Path) -> None:
    out = tmp_path / "out"
    records, _ = profiled(out, FakeGpu(), executor={"kernels": "winograd"})
    assert all(record["kernels"] == ["winograd"] for record in records)
    keep = [record for record in records if not record["visit"].endswith(".2")]
    (out / "visits.jsonl").write_text("".join(json.dumps(record) + "\n" for record in keep))
    again, _ = profiled(out, FakeGpu(), executor={"kernels": "implicit_gemm"})
    made = again[len(keep) :]
    assert made
    assert all("autotune_changed" in record["flags"] for record in made)
    assert not any("autotune_changed" in record["flags"] for record in again[: len(keep)])


def test_warming_up_ends_when_the_board_is_steady() -> None:
    def degrees(seconds: float) -> int:
        return min(70, 40 + int(seconds))

    gpu = FakeGpu(temperature_c=degrees)
    gpu.meter.available()
    gpu.begin()
    found = warm_up(FakeWorkload(gpu, 0.5, 500), gpu.meter, WarmUpProtocol(), gpu.clock)
    assert found["converged"]
    assert 40 <= found["seconds"] <= 50
    assert found["power_w"] == pytest.approx(500, rel=3e-3)
    cold = FakeGpu(temperature_c=lambda seconds: int(seconds))
    cold.meter.available()
    cold.begin()
    short = WarmUpProtocol(cap_s=25.0)
    never = warm_up(FakeWorkload(cold, 0.5, 500), cold.meter, short, cold.clock)
    assert never["converged"] is False
    assert never["seconds"] == pytest.approx(25, abs=0.5)
    blind = warm_up(FakeWorkload(cold, 0.5, 500), None, WarmUpProtocol(), cold.clock)
    assert (blind["converged"], blind["power_w"]) == (None, None)
    assert blind["seconds"] == pytest.approx(20, abs=0.5)


def test_each_call_warms_up_once_within_its_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "t.csv"
    table.write_text(csv_text(CONFIGURATION_COLUMNS, [c.as_row() for c in layers(3).values()]))
    out = tmp_path / "out"

    def go(*words: str) -> list[Any]:
        monkeypatch.setattr(bench, "measuring", lambda *_: fake_bench(FakeGpu()))
        base = ["profile", str(table), "--platform", "fake", "--device", "cuda", "--out", str(out)]
        assert main([*base, *words]) == 0
        return list(json.loads((out / "run.json").read_text())["warm_ups"])

    (first,) = go("--budget", "100s")
    assert first["seconds"] == pytest.approx(10, abs=0.5)
    assert not first["converged"]
    # Nothing is left to do: nothing warms up.
    assert len(go("--budget", "100s")) == 1


def test_a_calibration_sets_the_rules_of_a_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = tmp_path / "characterise.json"
    board = {"steps": [{"tau_s": 1.5, "period_ms": 100.0}], "averaging_window_ms": 25.0}
    facts.write_text(json.dumps({"platform": "fake", "machine": {}, "board": board}))
    table = tmp_path / "t.csv"
    table.write_text(csv_text(CONFIGURATION_COLUMNS, [c.as_row() for c in layers(2).values()]))
    base = ["profile", str(table), "--platform", "fake", "--device", "cuda", "--warm-up", "0"]
    words = [*base, "--out", str(tmp_path / "out")]
    monkeypatch.setattr(bench, "measuring", lambda *_: fake_bench(FakeGpu()))
    assert main([*words, "--characterise", str(facts)]) == 0
    identity = json.loads((tmp_path / "out" / "run.json").read_text())["identity"]
    assert identity["protocol"]["power"]["tau_s"] == 1.5
    assert identity["protocol"]["power"]["averaging_s"] == 0.025
    assert len(identity["calibration"]["sha256"]) == 64
    # A later call may do without; one that found no sensor is a warning.
    assert main(words) == 0
    facts.write_text(json.dumps({"platform": "fake", "machine": {}, "board": None}))
    capsys.readouterr()
    assert main([*words, "--characterise", str(facts)]) == 0
    assert "holds no facts of a power sensor" in capsys.readouterr().err


def test_workloads_follow_one_another_on_one_queue() -> None:
    gpu = FakeGpu()
    first, second = FakeWorkload(gpu, 1.0, 300), FakeWorkload(gpu, 1.0, 400)
    queue = ReplayQueue(first, 3, gpu.clock)
    for _ in range(5):
        queue.submit()
    end_of_first = gpu.free_ns
    started = queue.switch(second, 3)
    assert started == end_of_first
    queue.submit()
    assert queue.dry == 0
    assert gpu.watts((started - 1) / 1e9) == 300
    assert gpu.watts((started + 1) / 1e9) == 400


def test_idle_power_is_that_of_a_board_that_has_come_to_rest() -> None:
    """The H200's first look came seconds after a load: 107 W with a half-width of 51 W."""
    found = []
    for look in (idle_power, rested_power):
        gpu = FakeGpu()
        gpu.begin()
        gpu.queue(1_000_000_000, 400.0)
        found.append(look(gpu.meter, clock=gpu.clock, sleep=gpu.clock.advance))
    early, rested = found
    assert early["mean_w"] is not None
    assert early["mean_w"] > 1.5 * fake_gpu.IDLE_W
    assert rested["mean_w"] == pytest.approx(fake_gpu.IDLE_W, rel=0.02)
