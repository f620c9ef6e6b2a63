"""``profile`` on a board that is played: ended, killed, robbed of its sampler; and going on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from standin import UUIDS, StandIn

from neuralpower.core.configuration import CONFIGURATION_COLUMNS, Configuration
from neuralpower.core.files import csv_text
from neuralpower.records.folder import load_rows
from neuralpower.records.visits import read_visit_records

pytestmark = pytest.mark.slow


def words(board: StandIn, *more: str) -> list[str]:
    """The command on a table of eight layers."""
    table = board.folder / "layers.csv"
    made = [
        Configuration("conv", 16, 32, 56, 56, 8 * (i + 1), 56, 56, 3, 3, 1, 1, 1, 1, bias=1)
        for i in range(4)
    ]
    made += [
        Configuration("relu", 16, 16 * (i + 1), 56, 56, 16 * (i + 1), 56, 56) for i in range(4)
    ]
    table.write_text(csv_text(CONFIGURATION_COLUMNS, [c.as_row() for c in made]))
    out = str(board.folder / "out")
    about = ["--executor", "torch", "--device", "cuda", "--meter", "nvml", "--platform", "played"]
    about += ["--warm-up", "1s", "--twice", "0", "--thrice", "0", "--out", out]
    return [sys.executable, "-m", "neuralpower", "profile", str(table), *about, *more]


def finish(board: StandIn, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words(board, *more),
        env=board.environment(torch=True),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def begun(board: StandIn, ready: Any) -> subprocess.Popen[str]:
    """The command, once something is true of its folder."""
    process = subprocess.Popen(
        words(board), env=board.environment(torch=True), stderr=subprocess.PIPE, text=True
    )
    end = time.monotonic() + 120
    while not ready(board.folder / "out"):
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        assert time.monotonic() < end
        time.sleep(0.05)
    return process


def lines(out: Path) -> int:
    path = out / "visits.jsonl"
    return path.read_bytes().count(b"\n") if path.is_file() else 0


def test_power_and_time_are_the_boards(board: StandIn) -> None:
    pytest.importorskip("torch")
    board.set(gain=1.02)
    done = finish(board, "--gpu", UUIDS[0])
    assert done.returncode == 0, done.stderr
    rows = load_rows(board.folder / "out")
    assert len(rows) == 11
    for row in rows:
        values = row.values
        if values["family"] == "relu":
            # The roofline of ``fake_cuda``, for a board that reads 2 % high.
            size = values["batch"] * values["in_channels"] * values["in_height"] ** 2
            memory_s = 8 * size / 3.0e12
            seconds = memory_s + 2e-6
            assert values["runtime_ms"] == pytest.approx(1e3 * seconds, rel=2e-3)
            watts = 1.02 * (120 + 180 * memory_s / seconds)
            assert values["power_w"] == pytest.approx(watts, rel=4e-3)
        assert values["energy_mj"] == pytest.approx(
            values["power_w"] * values["power_runtime_ms"], rel=1e-4
        )
        assert float(values["energy_edge_mj"]) == pytest.approx(values["energy_mj"], rel=0.03)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_an_ended_run_goes_on(board: StandIn, how: signal.Signals) -> None:
    pytest.importorskip("torch")
    process = begun(board, lambda out: lines(out) >= 3)
    process.send_signal(how)
    process.communicate(timeout=60)
    out = board.folder / "out"
    before = {v.visit: v for v in read_visit_records(out) if "power_missed" not in v.flags}
    assert before
    if how == signal.SIGTERM:
        # What was measured is published, and says that it is not all.
        assert json.loads((out / "manifest.json").read_text())["complete"] is False
    done = finish(board)
    assert done.returncode == 0, done.stderr
    after = {v.visit: v for v in read_visit_records(out)}
    assert len(after) == 11
    assert all(after[name] == visit for name, visit in before.items())
    assert all(visit.power_w for visit in after.values())
    assert json.loads((out / "manifest.json").read_text())["complete"] is True


def test_a_killed_sampler_ends_the_run_with_a_line(board: StandIn) -> None:
    pytest.importorskip("torch")
    process = begun(board, lambda out: lines(out) >= 2)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    for child in children:
        command = Path(f"/proc/{child}/cmdline").read_bytes()
        if b"spawn_main" in command:
            os.kill(int(child), signal.SIGKILL)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "the power sampler died" in error
    assert "Traceback" not in error
    assert finish(board).returncode == 0


def test_a_gpu_that_is_lost_ends_the_run_with_a_line(board: StandIn) -> None:
    pytest.importorskip("torch")
    board.fault("fault", 0, 15)
    process = begun(board, lambda out: lines(out) >= 2)
    board.start()
    _, error = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "fallen off the bus" in error
    assert "Traceback" not in error
    board.faults.clear()
    board.write()
    assert finish(board).returncode == 0
