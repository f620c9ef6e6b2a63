"""SIGKILL of Snakemake and its jobs in every stage: the same call completes to the same bytes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from operate_project import digests, neuralpower, snakemake

#: Stages: the log that shows that a job runs, and an output that is lost before.
STAGES = {
    "layers": ("layers.log", "layers.csv"),
    "checksums": ("checksums/tiny.log", "checksums/tiny.sha256"),
    "fit": ("fit/tiny.log", "models/tiny/models.json"),
    "calibrate": ("calibrate/tiny.log", "models/tiny/composition.json"),
    "evaluate": ("evaluate/tiny.log", "accuracy/tiny.json"),
    "predict": ("predict/tiny.log", "predictions/tiny.csv"),
    "report": ("report.log", "report/networks/mini.html"),
    "provenance": ("provenance.log", "provenance.json"),
}
MEASURING = {
    "sweep": "sweep.log",
    "split": "profile/split.log",
    "profile": "profile/0.log",
    "merge": "profile/merge.log",
}
LOCAL = ("--config", 'platforms=["tiny", "local"]')


def visits(project: Path) -> list[bytes]:
    """What a measurement has recorded so far, whole lines."""
    record = project / "results/shards/0/visits.jsonl"
    return record.read_bytes().split(b"\n")[:-1] if record.exists() else []


def killed(
    project: Path, log: str, delay: float, words: Sequence[str] = (), lines: int = 0
) -> None:
    """Start the workflow and kill it with all of its jobs ``delay`` seconds into a stage.

    With ``lines``, when so many visits are recorded.
    """
    shown = project / "results/logs" / log
    shown.unlink(missing_ok=True)
    run = subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--cores", "1", "all", *words],
        cwd=project,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while not shown.exists() or len(visits(project)) < lines:
        assert time.monotonic() < deadline
        assert run.poll() is None, f"the workflow ended before {log}"
        time.sleep(0.005)
    time.sleep(delay)
    assert run.poll() is None
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    snakemake(project, "--unlock")


def visible(results: dict[str, str]) -> dict[str, str]:
    """Without temporary files and parts of a fit, which begin with a dot or lie below one."""
    return {
        name: digest
        for name, digest in results.items()
        if not any(part.startswith(".") for part in Path(name).parts)
    }


@pytest.mark.parametrize(
    "stages",
    [
        pytest.param(["predict"], id="one"),
        pytest.param(list(STAGES), id="all", marks=pytest.mark.slow),
    ],
)
def test_a_kill_in_a_stage_changes_nothing_in_the_end(
    made: Path, project: Path, stages: list[str]
) -> None:
    whole = visible(digests(made))
    draw = random.Random(0)
    for stage in stages:
        log, output = STAGES[stage]
        # It is gone where the last kill came when this stage had already begun.
        (project / "results" / output).unlink(missing_ok=True)
        # Snakemake makes no file again that nothing asks for: this asks.
        killed(project, log, draw.uniform(0.0, 0.3), ["--forcerun", f"results/{output}"])
        left = visible(digests(project))
        assert left.items() <= whole.items(), f"half-written after a kill in {stage}"
    snakemake(project, "all", *(f"results/{STAGES[stage][1]}" for stage in stages))
    assert visible(digests(project)) == whole


@pytest.mark.slow
def test_a_kill_while_measuring_keeps_finished_visits(project: Path) -> None:
    whole = digests(project)
    for stage, log in MEASURING.items():
        if stage == "profile":
            killed(project, log, 0.0, LOCAL, lines=3)
            kept = visits(project)
        else:
            killed(project, log, 0.1, LOCAL)
    snakemake(project, "all", *LOCAL)
    assert visits(project)[: len(kept)] == kept
    # Merged again over its own result, as after a kill just when the merge was done.
    merged = "results/measurements/local/manifest.json"
    snakemake(project, merged, *LOCAL, "--forcerun", merged)
    neuralpower("measurements", "check", "results/measurements/local", cwd=project)
    after = digests(project)
    recorded = ("layers/", "models/tiny/", "predictions/tiny/", "accuracy/tiny")
    for name, digest in whole.items():
        if name.startswith(recorded):
            assert after[name] == digest
