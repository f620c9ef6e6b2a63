"""The whole GPU protocol on a fake GPU: its times and powers are known."""

from __future__ import annotations

import itertools
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pynvml
import pytest
from fake_gpu import (
    IDLE_W,
    FakeGpu,
    FakeGpuExecutor,
    FakeWorkload,
    fake_bench,
    known_ms,
    known_w,
    measure_adaptive,
)
from gpu_worker import work

from neuralpower.cli import main
from neuralpower.core.configuration import CONFIGURATION_COLUMNS, Configuration
from neuralpower.core.errors import RunError
from neuralpower.core.files import csv_text
from neuralpower.profiling import bench
from neuralpower.profiling.device_power import AdaptiveProtocol
from neuralpower.profiling.device_timing import (
    ReplayProtocol,
    calls_per_replay,
    measure_replays,
)
from neuralpower.profiling.subset import spread
from neuralpower.records.folder import load_network_rows, load_rows
from neuralpower.records.visits import read_visit_records

NET = """
name: "tiny"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 16 dim: 16 } } }
layer { name: "relu" type: "ReLU" bottom: "data" top: "relu" }
"""  # noqa: E501


def layers(n: int) -> list[Configuration]:
    made = [Configuration("relu", 1, i + 1, 8, 8, i + 1, 8, 8) for i in range(n)]
    return made + [Configuration("fc", 4, i + 1, 1, 1, 2 * i + 1, 1, 1, bias=1) for i in range(n)]


def table(folder: Path, n: int = 6) -> str:
    path = folder / "layers.csv"
    path.write_text(csv_text(CONFIGURATION_COLUMNS, [c.as_row() for c in layers(n)]))
    return str(path)


def profile(monkeypatch: pytest.MonkeyPatch, gpu: FakeGpu, *words: str, **options: Any) -> int:
    monkeypatch.setattr(bench, "measuring", lambda *_: fake_bench(gpu, **options))
    return main(["profile", *words, "--platform", "fake", "--device", "cuda"])


def test_the_command_finds_the_known_times_and_powers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = tmp_path / "tiny.prototxt"
    net.write_text(NET)
    out = tmp_path / "out"
    assert profile(monkeypatch, FakeGpu(), table(tmp_path), str(net), "--out", str(out)) == 0
    rows = load_rows(out)
    # 12 configurations, 3 of them twice or more, and anchors every 12 visits and at the end.
    assert len(rows) >= 12 + 3 + 3
    for row in rows:
        key = row.values["config_key"]
        assert row.values["runtime_ms"] == pytest.approx(known_ms(key), rel=1e-3)
        assert row.values["power_w"] == pytest.approx(known_w(key), rel=3e-3)
        assert not row.values["flags"]
    (network,) = {row.values["network"] for row in load_network_rows(out)}
    assert network == "tiny"
    run = json.loads((out / "run.json").read_text())
    assert {name: idle["mean_w"] for name, idle in run["idle"].items()} == {
        "no_context": pytest.approx(IDLE_W, rel=3e-3),
        "context": pytest.approx(IDLE_W, rel=3e-3),
        "after_load": pytest.approx(IDLE_W, rel=0.5),
    }
    assert run["anchor"]["in_channels"] == "64"
    # NVML itself is not here: the reason is where driver and limits would.
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["gpu_software"] == run["gpu_software"] != {}
    for line in (out / "visits.jsonl").read_text().splitlines():
        power = json.loads(line)["power"]
        assert power["publications"] >= 12
        assert power["energy_mean_w"] == pytest.approx(power["mean_w"], rel=0.02)
        assert power["sm_mhz_lo"] == power["sm_mhz_hi"] == 1980


def test_power_of_a_share_is_spread_over_the_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    words = (table(tmp_path, 10), "--out", str(out), "--power-share", "0.3", "--twice", "0")
    assert profile(monkeypatch, FakeGpu(), *words, "--thrice", "0") == 0
    own = [r for r in load_rows(out) if not r.values["repeat"] >= 100]
    assert len(own) == 20
    assert sum(row.values["power_w"] is not None for row in own) == 6
    chosen = spread({c.key(): c for c in layers(10)}, 0.3)
    sizes = {c.in_channels for c in layers(10) if c.key() in chosen and c.family == "relu"}
    assert {1, 10} <= sizes


def test_a_budget_ends_a_call_and_the_next_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = (table(tmp_path), "--out", str(tmp_path / "out"))
    # The budget is of real time, of which the fake takes little: 1 s covers no expected visit.
    assert profile(monkeypatch, FakeGpu(), *words, "--budget", "1ms") == 0
    assert not (tmp_path / "out" / "visits.jsonl").exists()
    assert profile(monkeypatch, FakeGpu(), *words) == 0
    visits = (tmp_path / "out" / "visits.jsonl").read_text().splitlines()
    names = [json.loads(line)["visit"] for line in visits]
    assert len(names) == len(set(names)) >= 18


@pytest.mark.parametrize(
    ("knobs", "reason"),
    [
        ({"init_error": pynvml.NVML_ERROR_LIBRARY_NOT_FOUND}, "install the NVIDIA driver"),
        ({"init_error": pynvml.NVML_ERROR_NO_PERMISSION}, "ask for access"),
        ({"zero": True}, "the sensor is off"),
        ({"unsupported": frozenset({186, 185, 83, 0})}, "no power sensor"),
    ],
)
def test_without_power_times_are_measured_and_the_reason_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, knobs: dict[str, Any], reason: str
) -> None:
    out = tmp_path / "out"
    words = (table(tmp_path, 2), "--out", str(out))
    assert profile(monkeypatch, FakeGpu(**knobs), *words) == 0
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["power"]["measured"] is False
    assert reason in manifest["power"]["reason"]
    for row in load_rows(out):
        assert row.values.get("power_w") is None
        assert row.values["runtime_ms"] == pytest.approx(known_ms(row.values["config_key"]), 1e-3)


def test_a_gpu_lost_midway_ends_the_run_with_a_line_and_keeps_what_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = (table(tmp_path), "--out", str(out))
    assert profile(monkeypatch, FakeGpu(lost_at_s=60), *words) == 2
    error = capsys.readouterr().err
    assert "restart the machine" in error
    assert error.count("\n") == 1
    before = (out / "visits.jsonl").read_text().splitlines()
    assert len(before) >= 2
    # Each has its power, or says that it is still to come.
    for record in map(json.loads, before):
        assert (record["power"] is None) == ("power_missed" in record["flags"])
        assert record["power"] is None or record["power"]["mean_w"]
    assert profile(monkeypatch, FakeGpu(), *words) == 0
    assert (out / "visits.jsonl").read_text().splitlines()[: len(before)] == before


def visit(gpu: FakeGpu, call_ms: float, watts: float, **rules: Any) -> tuple[Any, Any]:
    """One power visit on a fake that has idled for 3 s."""
    assert gpu.meter.available().ok
    gpu.begin()
    gpu.clock.advance(3.0)
    workload = FakeWorkload(gpu, call_ms, watts, rules.pop("host_s", 5e-6))
    return measure_adaptive(workload, gpu.meter, AdaptiveProtocol(**rules), call_ms, gpu.clock)


def test_a_counter_that_starts_anew_is_left_out() -> None:
    power, flags = visit(FakeGpu(counter_reset_at_s=4.5), 0.5, 300)
    assert power.mean_w == pytest.approx(300, rel=3e-3)
    assert power.energy_mean_w is None
    assert "counter_reset" in flags


def test_a_missing_counter_is_null() -> None:
    power, flags = visit(FakeGpu(unsupported=frozenset({83})), 0.5, 300)
    assert power.mean_w == pytest.approx(300, rel=3e-3)
    assert (power.energy_j, power.energy_mean_w) == (None, None)
    assert "counter_missing" in flags


def test_readings_of_zero_in_a_window_are_no_power() -> None:
    gpu = FakeGpu()
    assert gpu.meter.available().ok
    gpu.nvml.zero = True
    power, flags = visit_of(gpu, 0.5, 300)
    assert power.mean_w is None
    assert {"zero_reading", "not_converged"} <= set(flags)


def visit_of(gpu: FakeGpu, call_ms: float, watts: float) -> tuple[Any, Any]:
    gpu.begin()
    gpu.clock.advance(3.0)
    workload = FakeWorkload(gpu, call_ms, watts)
    return measure_adaptive(workload, gpu.meter, AdaptiveProtocol(), call_ms, gpu.clock)


def test_a_lost_gpu_ends_a_visit() -> None:
    with pytest.raises(RunError, match="restart the machine"):
        visit(FakeGpu(lost_at_s=4), 0.5, 300)


def test_state_of_the_board_becomes_flags() -> None:
    gpu = FakeGpu(reasons=lambda t: 0x24, sm_mhz=lambda t: 1980 if t < 4.5 else 1700)
    power, flags = visit(gpu, 0.5, 300)
    assert {"power_capped", "thermal_slowdown", "clock_changed"} <= set(flags)
    assert power.clock_event_reasons == 0x24


def test_a_host_that_cannot_keep_up_is_reported() -> None:
    _, flags = visit(FakeGpu(), 0.5, 300, host_s=0.05)
    assert "gpu_idle_in_window" in flags


def test_a_call_as_long_as_the_period_is_reported_as_uncovered() -> None:
    _, flags = visit(FakeGpu(), 100.0, 300)
    assert "phase_coverage" in flags


def test_power_lies_within_its_stated_interval() -> None:
    hits = widths = 0.0
    visits = 80
    for seed in range(visits):
        watts = 150 + 6 * seed
        gpu = FakeGpu(seed=seed, phase_s=0.0007 * seed, noise=0.002)
        power, _ = visit(gpu, 0.01 * 1.09**seed, watts)
        hits += abs(power.mean_w - watts) <= power.u_stated_w
        widths += power.u_stated_w / watts
    assert hits / visits >= 0.94
    assert widths / visits < 0.01


@pytest.mark.parametrize("call_ms", [0.002, 0.3, 5.0, 40.0])
def test_timing_by_replays(call_ms: float) -> None:
    gpu = FakeGpu()
    protocol = ReplayProtocol()
    timing = measure_replays(FakeWorkload(gpu, call_ms, 300), protocol, gpu.clock)
    assert timing.median_ms == pytest.approx(call_ms, rel=1e-3)
    assert timing.lo_ms is not None
    assert timing.hi_ms is not None
    assert timing.lo_ms <= timing.median_ms <= timing.hi_ms
    assert timing.samples * timing.calls_per_sample * call_ms >= 99
    assert timing.samples >= min(20, 6)
    assert timing.warm_up_calls * call_ms >= 45
    assert not timing.flags


def test_calls_of_a_replay_are_whole_rounds_of_the_buffers() -> None:
    for call_ms, buffers in itertools.product((1e-4, 0.003, 0.7, 9.0, 50.0), (1, 3, 7, 64)):
        calls = calls_per_replay(call_ms, buffers)
        assert calls % buffers == 0
        assert calls <= 512 + buffers
    assert calls_per_replay(0.1, 1) == 50
    assert calls_per_replay(50.0, 1) == 1


@pytest.mark.parametrize(
    ("knobs", "flag", "power"),
    [
        ({"counter_reset_at_s": None}, "counter_reset", True),
        ({"unsupported": frozenset({83})}, "counter_missing", True),
        ({"unsupported": frozenset({186, 185, 83})}, "counter_missing", True),
        ({"zero_from_s": 60.0}, "zero_reading", False),
        ({"stale_from_s": 60.0}, "duplicate_stream", False),
    ],
)
def test_what_a_sensor_lacks_or_loses_is_flagged_and_never_a_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, knobs: dict[str, Any], flag: str, power: bool
) -> None:
    out = tmp_path / "out"
    if None in knobs.values():
        # In the middle of a power window, wherever that is.
        assert profile(monkeypatch, FakeGpu(), table(tmp_path), "--out", str(tmp_path / "a")) == 0
        (measured, *_) = [r.power for r in read_visit_records(tmp_path / "a")[3:] if r.power]
        assert measured.t0_ns
        knobs = {"counter_reset_at_s": measured.t0_ns / 1e9 + 0.6}
    assert profile(monkeypatch, FakeGpu(**knobs), table(tmp_path), "--out", str(out)) == 0
    rows = load_rows(out)
    flagged = [row for row in rows if flag in str(row.values["flags"]).split()]
    assert flagged
    for row in rows:
        key = row.values["config_key"]
        assert row.values["runtime_ms"] == pytest.approx(known_ms(key), rel=1e-3)
        if power or row not in flagged:
            assert row.values["power_w"] == pytest.approx(known_w(key), rel=6e-3)
        elif flag == "duplicate_stream":
            assert row.values["power_w"] is None
        assert row.values["power_w"] != 0
        if flag in ("counter_missing", "counter_reset") and row in flagged:
            assert row.values["energy_edge_mj"] in ("", None)
    assert main(["measurements", "check", str(out)]) == 0


def test_what_a_lost_gpu_leaves_is_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    words = (table(tmp_path), "--out", str(out))
    assert profile(monkeypatch, FakeGpu(lost_at_s=60), *words) == 2
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["complete"] is False
    assert 0 < len(load_rows(out)) == manifest["visits"]["made"]


def test_a_broken_device_names_its_layer_and_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    state = {"broken": False}

    def layer(self: Any, configuration: Configuration, seed: int) -> FakeWorkload:
        if configuration.family == "fc" and configuration.in_channels == 3:
            state["broken"] = True
            raise RuntimeError("CUDA error: an illegal memory access was encountered")
        return FakeGpuExecutor._made(self, configuration.key())

    def check(self: Any) -> None:
        if state["broken"]:
            raise RunError("the GPU can do no more: run again, what was measured is kept")

    monkeypatch.setattr(FakeGpuExecutor, "layer", layer)
    monkeypatch.setattr(FakeGpuExecutor, "check", check, raising=False)
    out = tmp_path / "out"
    assert profile(monkeypatch, FakeGpu(), table(tmp_path), "--out", str(out)) == 2
    assert capsys.readouterr().err == (
        "neuralpower: the GPU can do no more: run again, what was measured is kept\n"
    )
    records = [json.loads(line) for line in (out / "visits.jsonl").read_text().splitlines()]
    assert [r["configuration"]["in_channels"] for r in records if r["error"]] == [3]
    # The same call goes on behind it, and does not break the device again.
    state["broken"] = False
    assert profile(monkeypatch, FakeGpu(), table(tmp_path), "--out", str(out)) in (0, 2)
    again = [json.loads(line) for line in (out / "visits.jsonl").read_text().splitlines()]
    assert len({r["visit"] for r in again}) > len(records)


def test_a_killed_run_goes_on_to_the_same_result(tmp_path: Path) -> None:
    """``NEURALPOWER_KILLS=20`` kills more often."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    work(whole, 0.0)
    worker = Path(__file__).with_name("gpu_worker.py")
    dice = random.Random(5)
    kills = 0
    for _ in range(int(os.environ.get("NEURALPOWER_KILLS", "6"))):
        process = subprocess.Popen([sys.executable, str(worker), str(killed), "0.02"])
        # Somewhere in the next block: while it is prepared and timed, or while power is measured.
        wanted, end = lines(killed) + dice.randrange(0, 4), time.monotonic() + 30
        while not (killed / "run.json").exists() or lines(killed) < wanted:
            if process.poll() is not None or time.monotonic() > end:
                break
            time.sleep(0.002)
        time.sleep(dice.uniform(0.0, 0.25))
        kills += process.poll() is None
        process.kill()
        process.wait()
        records = [json.loads(line) for line in whole_lines(killed)]
        assert len({record["visit"] for record in records}) == len(records)
    assert kills >= 3
    work(killed, 0.0)
    visits = [json.loads(line) for line in (killed / "visits.jsonl").read_text().splitlines()]
    assert len({record["visit"] for record in visits}) == len(visits)
    ours, theirs = load_rows(killed), load_rows(whole)
    assert len(ours) == len(theirs) > 24
    for row, other in zip(ours, theirs, strict=True):
        for name in ("config_key", "repeat", "order", "block", "predecessor", "flags"):
            assert row.values[name] == other.values[name]
        # The fake's noise depends on when a visit is made.
        for name in ("runtime_ms", "power_w"):
            assert row.values[name] == pytest.approx(other.values[name], rel=2e-3)


def whole_lines(folder: Path) -> list[bytes]:
    try:
        data = (folder / "visits.jsonl").read_bytes()
    except FileNotFoundError:
        return []
    return data[: data.rfind(b"\n") + 1].splitlines()


def lines(folder: Path) -> int:
    return len(whole_lines(folder))
