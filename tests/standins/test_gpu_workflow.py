"""The whole workflow on a GPU that is played: sweep, characterise, profile, fit, pages."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from standin import HERE, UUIDS, StandIn

sys.path.insert(0, str(HERE.parent / "operate"))
from operate_project import make_project

from neuralpower.records.folder import load_platform, load_rows
from neuralpower.records.sealing import checksum_faults

GPU = """
platforms: [played]
profile:
  platform: played
  framework: torch
  device: cuda
  gpus: GPUS
  meter: nvml
  power_share: 0.5
  warm_up: 2s
  characterise_budget: 75s
  repeats: {twice: 0.2, thrice: 0, networks: 1, within: 0.6}
  networks: [mini]
  batch_sizes: [1, 4]
"""


def workflow(
    project: Path, board: StandIn, *words: str, torch: bool = True
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *words]
    return subprocess.run(
        command,
        cwd=project,
        env=board.environment(torch=torch),
        capture_output=True,
        text=True,
        timeout=540,
        check=False,
    )


def project_for(folder: Path, gpus: list[str]) -> Path:
    project: Path = make_project(folder)
    (project / "config/gpu.yaml").write_text(GPU.replace("GPUS", json.dumps(gpus)))
    return project


@pytest.mark.slow
def test_two_gpus_are_measured_side_by_side_and_kept(boards: StandIn, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    project = project_for(tmp_path / "project", list(UUIDS))
    words = ("all", "--configfile", "config/gpu.yaml", "--resources", "gpu=2")
    done = workflow(project, boards, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    # Progress is on the terminal, with the time left.
    assert "min left" in done.stderr
    folder = project / "results/measurements/played"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["platform"] == "played"
    assert manifest["complete"]
    assert manifest["power"]["measured"]
    assert len(manifest["runs"]) == len(manifest["boards"]) == 2
    assert all(run["calibration"]["period_s"] for run in manifest["runs"])
    assert all(run["executor"]["precision"] == "fp32" for run in manifest["runs"])
    rows = load_rows(folder)
    assert any(row.values["power_w"] for row in rows)
    assert (project / "results/report/platforms/played.html").is_file()
    kept = workflow(project, boards, "keep", "--configfile", "config/gpu.yaml")
    assert kept.returncode == 0, kept.stdout + kept.stderr
    platform = load_platform(project / "measurements/played")
    assert checksum_faults(platform) == []
    # A kept platform is a recorded one: nothing is measured again.
    plan = workflow(project, boards, "all", "--dry-run", "--configfile", "config/gpu.yaml")
    assert "rule profile:" not in plan.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "torch", "words"),
    [
        ({"init": 9}, True, "the NVIDIA driver is not loaded"),
        ({}, False, "PyTorch sees no CUDA device: check the driver"),
    ],
)
def test_what_is_missing_is_one_line_before_anything_is_measured(
    board: StandIn, tmp_path: Path, settings: dict[str, float], torch: bool, words: str
) -> None:
    pytest.importorskip("torch")
    board.set(**settings)
    project = project_for(tmp_path / "project", [])
    done = workflow(project, board, "all", "--configfile", "config/gpu.yaml", torch=torch)
    assert done.returncode != 0
    text = done.stdout + done.stderr
    assert words in text
    assert "Traceback" not in text
    assert not list(project.glob("results/shards/*/visits.jsonl"))
