"""After a kill the same command goes on; a run that goes on keeps its lock."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from operate_project import ROOT, digests, snakemake

from neuralpower.project.locks import LOCKS, remove_stale_locks

pytestmark = pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc")


def start(project: Path) -> subprocess.Popen[bytes]:
    run = subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--cores", "1", "all", "--forcerun", "layers"],
        cwd=project, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not list((project / LOCKS).glob("*")):
        assert run.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return run


def test_a_killed_run_leaves_nothing_to_do_by_hand(made: Path, project: Path) -> None:
    run = start(project)
    os.kill(run.pid, signal.SIGSTOP)
    assert remove_stale_locks(project) == 0, "it still runs"
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    assert list((project / LOCKS).glob("*"))
    assert remove_stale_locks(project) > 0
    snakemake(project, "all")
    assert digests(project) == digests(made)


def test_a_table_that_a_kill_left_missing_is_made_again(made: Path, project: Path) -> None:
    """Snakemake removes a job's results before it starts; the pages of before are still there."""
    for name in ("layers.csv", "accuracy/tiny.json"):
        (project / "results" / name).unlink()
    snakemake(project, "all")
    assert digests(project) == digests(made)


def test_a_run_elsewhere_is_no_run_here(tmp_path: Path) -> None:
    folder, other = tmp_path / "here", tmp_path / "there"
    for place in (folder, other):
        (place / LOCKS).mkdir(parents=True)
        (place / LOCKS / "0.input.lock").touch()
    processes = tmp_path / "proc"
    for name in ("self", "7"):
        (processes / name).mkdir(parents=True)
    (processes / "7/cmdline").write_bytes(b"python\0/x/bin/snakemake\0all")
    (processes / "7/cwd").symlink_to(other)
    assert remove_stale_locks(other, processes) == 0
    assert remove_stale_locks(folder, processes) == 1
    assert remove_stale_locks(folder, tmp_path / "no proc") == 0


def test_measuring_installs_only_what_it_needs() -> None:
    plan = subprocess.run(
        ["make", "-n", "measure", "VENV=/nowhere/venv"], cwd=ROOT, capture_output=True, text=True
    ).stdout
    assert "onnxruntime" in plan
    assert "-r envs/requirements-dev.lock" not in plan
    assert plan.index("neuralpower.project.locks") < plan.index("snakemake --cores 1 all")
