"""Facts of a board's sensor, found on a fake whose sensor is known."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import fake_gpu
import pynvml
import pytest
from fake_gpu import IDLE_W, FakeGpu, FakeWorkload, fake_bench
from fake_nvml import FakeNvml

from neuralpower.cli import main
from neuralpower.core.errors import InputError
from neuralpower.profiling import bench
from neuralpower.profiling.board import (
    Board,
    BoardFacts,
    board_sections,
    counter_facts,
    interference,
    phase_sweep,
)
from neuralpower.profiling.device_power import AdaptiveProtocol
from neuralpower.profiling.nvml_facts import (
    board_software,
    field_facts,
    other_processes,
    software_facts,
)
from neuralpower.profiling.sensor_facts import read_calibration


class Short(FakeWorkload):
    """Replays of 1 ms, so that on/off loads end where they should."""

    def __init__(self, gpu: FakeGpu, watts: float) -> None:
        super().__init__(gpu, 0.25, watts)
        self.calls_per_replay = 4


def board(poll_ns: int = 20_000_000, **knobs: Any) -> Board:
    gpu = FakeGpu(**knobs)
    gpu.clock.poll_ns = poll_ns
    assert gpu.meter.available().ok
    gpu.begin()
    load, light = Short(gpu, 500), Short(gpu, 150)
    return Board(load, light, gpu.meter, gpu.clock, gpu.clock.advance)


def found(fake: Board, seconds: float) -> BoardFacts:
    """What all sections find, one after the other."""
    facts: BoardFacts = {}
    for section in board_sections(fake, seconds):
        facts |= section.find(facts)
    return facts


def test_the_sensor_is_found_as_it_is() -> None:
    facts = found(board(noise=0.001), 3.0)
    for step in facts["steps"]:
        assert step["period_ms"] == pytest.approx(100, abs=5)
        assert step["idle_w"] == pytest.approx(IDLE_W, rel=5e-3)
        assert step["heavy_w"] == pytest.approx(500, rel=2e-3)
        assert step["light_w"] == pytest.approx(150, rel=5e-3)
        assert step["noise_relative_sd"] == pytest.approx(0.001, rel=0.7)
        assert step["rise_ms"] is not None
        assert step["rise_ms"] < 230
        before = [w for ms, w in step["published"] if ms < 0]
        heavy = [w for ms, w in step["published"] if 300 < ms < step["light_from_ms"]]
        assert before == pytest.approx([IDLE_W] * len(before), rel=5e-3)
        assert len(before) >= 5
        assert heavy == pytest.approx([500] * len(heavy), rel=5e-3)
        assert len(heavy) >= 20
        # The fake's die does not warm.
        assert step["tau_s"] is None
    assert facts["warm_up"]["converged"]
    assert facts["counter_integrates_all_time"] is True


@pytest.mark.parametrize("tau_s", [0.5, 1.0, 2.0])
def test_the_time_constant_of_a_warming_die_is_found(tau_s: float) -> None:
    facts = board_sections(board(warming=0.06, warming_tau_s=tau_s, noise=0.0005), 4.0)[0].find({})
    for step in facts["steps"]:
        assert step["tau_s"] == pytest.approx(tau_s, rel=0.15)


@pytest.mark.parametrize(
    ("averaging_s", "period_s"), [(0.01, 0.02), (0.018, 0.101), (0.025, 0.1), (0.05, 0.1)]
)
def test_the_averaging_window_is_found_by_least_squares(
    averaging_s: float, period_s: float
) -> None:
    knobs = {"averaging_s": averaging_s, "period_s": period_s, "phase_s": 0.013, "noise": 0.001}
    fake = board(poll_ns=20_000_000 if period_s > 0.05 else 4_000_000, **knobs)
    facts: BoardFacts = {}
    for section in board_sections(fake, 4.0)[:2]:
        facts |= section.find(facts)
    assert facts["steps"][0]["period_ms"] == pytest.approx(1e3 * period_s, rel=3e-3)
    assert facts["quarter_duty"] is not None
    assert facts["quarter_duty"]["period_ms"] == pytest.approx(1e3 * period_s, rel=5e-4)
    assert facts["averaging_window_ms"] == pytest.approx(1e3 * averaging_s, rel=0.1)
    assert facts["quarter_duty"]["misfit"] == pytest.approx(0, abs=0.05)


def test_a_window_of_whole_periods_is_not_known() -> None:
    # Not 1 s: the fake takes 25 points, which would all fall on a few phases of the load.
    whole = phase_sweep(board(averaging_s=0.97), 100, (IDLE_W, 500), 16.0)
    assert whole["averaging_window_ms"] is None


class Windowed(FakeNvml):
    """A counter that adds up what the sensor's windows see, for the whole of their periods."""

    def _counter_mj(self) -> int:
        ticks = math.floor((self.clock.now_ns / 1e9 - self.phase_s) / self.period_s)
        total = sum(self._publish(tick, self.averaging_s) for tick in range(1, ticks + 1))
        return round(1000 * total * self.period_s)


@pytest.mark.parametrize(("windowed", "gain", "honest"), [
    (False, 1.0, True), (False, 1.45, True), (True, 1.0, False)
])  # fmt: skip
def test_whether_the_counter_adds_up_all_of_the_time(
    monkeypatch: pytest.MonkeyPatch, windowed: bool, gain: float, honest: bool
) -> None:
    if windowed:
        monkeypatch.setattr(fake_gpu, "FakeNvml", Windowed)
        cached(monkeypatch)
    facts: BoardFacts = {}
    for section in (s for s in board_sections(board(counter_gain=gain), 2.0) if s.name in (
        "step response", "on/off loads"
    )):  # fmt: skip
        facts |= section.find(facts)
    assert facts["counter_integrates_all_time"] is honest
    # A counter of the module, not of the board alone, is no less honest for it.
    assert facts["counter"]["steady_ratio"] == pytest.approx(gain, rel=0.02)
    assert len(facts["duty_cycles"]) == 6


def cached(monkeypatch: pytest.MonkeyPatch) -> None:
    publish, known = FakeNvml._publish, {}

    def once(self: FakeNvml, tick: int, averaging_s: float) -> float:
        if (id(self), tick) not in known:
            known[id(self), tick] = publish(self, tick, averaging_s)
        return float(known[id(self), tick])

    monkeypatch.setattr(Windowed, "_publish", once)


def test_a_counter_is_not_judged_where_idle_power_varies() -> None:
    assert counter_facts(1.0, [1.0, 1.01], [75, 76])["integrates_all_time"] is True
    assert counter_facts(1.0, [1.0, 1.07], [75, 76])["integrates_all_time"] is False
    varied = counter_facts(1.0, [1.0, 1.07], [75, 82])
    assert varied["integrates_all_time"] is None
    assert "idle power varied" in varied["reason"]
    assert counter_facts(None, [], [75, 75])["reason"] == "no energy counter"


def test_a_missing_counter_is_not_called_honest() -> None:
    facts = found(board(unsupported=frozenset({83})), 2.0)
    assert facts["counter_integrates_all_time"] is None


def test_fields_that_a_board_lacks_are_reported() -> None:
    gpu = FakeGpu(unsupported=frozenset({185}))
    found = field_facts(gpu.nvml, 0, calls=3)
    characterised = {(row["field"], row["scope"]): row["supported"] for row in found}
    assert characterised["instant", 0]
    assert not characterised["average", 0]
    assert characterised["held by the power limit", 0]
    assert len(found) == 11
    assert all(("reading" in row) == row["supported"] for row in found)


def test_what_nvml_does_not_tell_is_null() -> None:
    # Without a driver every one of pynvml's own calls raises.
    facts = software_facts(pynvml, None)
    assert set(facts.values()) == {None}


def test_software_of_the_board_or_why_not() -> None:
    gpu = FakeGpu(init_error=pynvml.NVML_ERROR_NO_PERMISSION)
    assert "ask for access" in str(board_software("", gpu.nvml)["reason"])
    gpu = FakeGpu()
    gpu.nvml.nvmlDeviceGetEnforcedPowerLimit = lambda handle: 700_000  # type: ignore[method-assign]
    gpu.nvml.nvmlSystemGetDriverVersion = lambda: b"570.1"  # type: ignore[attr-defined]
    facts = board_software("", gpu.nvml)
    assert facts["power_limit_w"] == 700
    assert facts["driver"] == "570.1"
    assert facts["vbios"] is None


def test_processes_of_others_are_counted() -> None:
    gpu = FakeGpu()
    assert other_processes("", gpu.nvml) is None, "not known without a driver"
    gpu.nvml.nvmlDeviceGetComputeRunningProcesses = lambda handle: [1, 2]  # type: ignore[attr-defined]
    assert other_processes("GPU-1", gpu.nvml) == 2
    assert other_processes("GPU-7", gpu.nvml) is None


def test_interference_is_a_ratio_of_medians() -> None:
    gpu = FakeGpu()
    calls: list[str] = []
    facts = interference(
        lambda: FakeWorkload(gpu, 0.02, 200),
        lambda: calls.append("start"),
        lambda: calls.append("stop"),
        clock=gpu.clock,
    )
    assert abs(facts["slower_by"]) < 0.002
    assert calls == ["start", "stop"] * 3


@pytest.mark.parametrize("driver", [True, False])
def test_the_command_on_a_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, driver: bool
) -> None:
    code = None if driver else pynvml.NVML_ERROR_DRIVER_NOT_LOADED
    gpu = FakeGpu(init_error=code)
    monkeypatch.setattr(bench, "measuring", lambda *_: fake_bench(gpu))
    out = tmp_path / "facts.json"
    words = ["--platform", "fake", "--device", "cuda", "--out", str(out), "--anchors", "2"]
    assert main(["characterise", *words]) == 0
    facts = json.loads(out.read_text())
    assert len(facts["anchor_visits_ms"]) == 2
    if driver:
        assert facts["board"]["steps"][0]["period_ms"] == pytest.approx(100, abs=5)
        assert facts["idle_no_context"]["mean_w"] == pytest.approx(IDLE_W, rel=5e-3)
    else:
        assert facts["board"] is None
        assert "driver is not loaded" in facts["power"]["reason"]


def test_a_part_that_fails_or_does_not_fit_leaves_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gpu = FakeGpu(lost_at_s=25)
    monkeypatch.setattr(bench, "measuring", lambda *_: fake_bench(gpu))
    out = tmp_path / "facts.json"
    words = ["--platform", "fake", "--device", "cuda", "--out", str(out), "--anchors", "2"]
    assert main(["characterise", *words]) == 0
    facts = json.loads(out.read_text())
    assert len(facts["board"]["steps"]) == 2
    assert not {"warm_up", "duty_cycles"} & facts["board"].keys()
    assert "restart the machine" in facts["failed"]["warm-up"]
    assert facts["peak_gflops"] > 0
    assert "warm-up: failed: RunError" in capsys.readouterr().err
    assert main(["characterise", *words, "--budget", "1ms"]) == 0
    left = json.loads(out.read_text())
    assert left["skipped"][0] == "NVML"
    assert left["executor"]["executor"] == "fake"
    assert "no time in the budget for: NVML" in capsys.readouterr().err


def test_what_was_found_stays_when_the_framework_cannot_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: Any) -> Any:
        raise InputError("PyTorch sees no CUDA device")

    monkeypatch.setattr(bench, "measuring", fails)
    out = tmp_path / "facts.json"
    assert main(["characterise", "--platform", "f", "--device", "cuda", "--out", str(out)]) == 2
    assert "sees no CUDA device" in capsys.readouterr().err
    assert "nvml" in json.loads(out.read_text())


def test_a_calibration_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "characterise.json"
    steps = [{"tau_s": 0.8, "period_ms": 99.0}, {"tau_s": None, "period_ms": 101.0}]
    board_facts = {"steps": steps, "averaging_window_ms": 25.0}
    characterised = {"platform": "x", "machine": {}, "executor": {"gpu": {"name": "H"}}}
    characterised["board"] = board_facts
    path.write_text(json.dumps(characterised))
    found = read_calibration(path)
    assert found is not None
    rules = found.applied(AdaptiveProtocol())
    assert (rules.tau_s, rules.period_s, rules.averaging_s) == (0.8, 0.1, 0.025)
    assert found.gpu == "H"
    path.write_text(
        json.dumps(characterised | {"board": board_facts | {"averaging_window_ms": 1e9}})
    )
    odd = read_calibration(path)
    assert odd is not None
    assert odd.averaging_s is None
    empty: tuple[Any, ...] = (None, {}, {"steps": []})
    for nothing in empty:
        path.write_text(json.dumps(characterised | {"board": nothing}))
        assert read_calibration(path) is None
    for text, message in (
        ("{", "not JSON"),
        ("[]", "object is needed"),
        ('{"board": null}', "not what neuralpower characterise writes"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=message):
            read_calibration(path)
