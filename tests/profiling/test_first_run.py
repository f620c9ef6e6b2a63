"""The design of a first half hour on a board: its size, its time, its repeats."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml
from recorded_fake import record

from neuralpower.core.cells import read_configuration
from neuralpower.core.files import read_rows
from neuralpower.profiling.design import DesignProtocol, Item, NetworkItem, plan
from neuralpower.profiling.device_power import AdaptiveProtocol
from neuralpower.profiling.device_timing import ReplayProtocol
from neuralpower.profiling.estimate import power_seconds, replay_seconds
from neuralpower.sweep.design import build_design
from neuralpower.sweep.sweep_config import load_sweep

ROOT = Path(__file__).resolve().parents[2]
GPU = ROOT / "config/gpu.yaml"


def test_the_design_fits_into_a_half_hour() -> None:
    sweep = load_sweep(str(GPU), "first_run")
    drawn = [row.configuration for d in sweep.families for row in build_design(sweep, d, [])]
    items = {item.key(): item for item in drawn}
    assert 700 <= len(items) <= 780
    whole = yaml.safe_load(GPU.read_text())["sweep"]["families"]
    assert {item.family for item in items.values()} == set(whole)
    design = DesignProtocol(block_size=12, second_anchor_every=4, repeats_within=0.5)
    visits = plan({}, items, design, 0)
    timed = len(visits) * replay_seconds(ReplayProtocol(), False)
    anchors = sum(visit.is_anchor for visit in visits)
    powered = 0.35 * (len(visits) - anchors) + anchors
    # 32 passes of networks come on top.
    seconds = timed + powered * power_seconds(AdaptiveProtocol()) + 32 * 4
    assert 1000 <= seconds <= 1500
    # A run that is cut after 70 % has most repeats.
    seen = [visit.item.key() for visit in visits[: round(0.7 * len(visits))]]
    several = {visit.item.key() for visit in visits if visit.repeat == 2}
    assert sum(seen.count(key) > 1 for key in several) > 0.9 * len(several)


def test_networks_come_early_in_a_run_that_may_be_cut() -> None:
    sweep = load_sweep(str(GPU), "first_run")
    drawn = [row.configuration for d in sweep.families for row in build_design(sweep, d, [])]
    networks = [NetworkItem(f"n{i}", 1, Path(f"n{i}.prototxt"), "0" * 64) for i in range(24)]
    items: dict[str, Item] = {item.key(): item for item in drawn}
    items |= {item.key(): item for item in networks}
    once = DesignProtocol(block_size=20, network_repeats=1, repeats_within=0.3)
    visits = plan({}, items, once, 0)
    places = [i for i, visit in enumerate(visits) if isinstance(visit.item, NetworkItem)]
    assert len(places) == 24
    assert max(places) < 0.4 * len(visits)
    late = plan({}, items, DesignProtocol(network_repeats=1), 0)
    assert max(i for i, v in enumerate(late) if isinstance(v.item, NetworkItem)) > 0.6 * len(late)


@pytest.mark.parametrize("name", ["pack.sh", "run.sh"])
def test_the_scripts_are_sound(name: str) -> None:
    subprocess.run(["bash", "-n", ROOT / "tools/first_run" / name], check=True)


def test_the_summary_of_a_run_is_read_from_its_record(tmp_path: Path) -> None:
    folder = record(tmp_path / "run", n=3)
    done = subprocess.run(
        ["python3", ROOT / "tools/first_run/summary.py", folder],
        capture_output=True,
        text=True,
        check=True,
    )
    first, flags, anchor, moved = done.stdout.splitlines()
    assert first.endswith("with power, 0 failed")
    assert flags == "flags: {}"
    assert anchor.startswith("anchor: time scatters by ")
    assert "median +0.0" in moved or "median -0.0" in moved
    _, rows = read_rows(folder / "fc.csv.gz")
    assert read_configuration(rows[0]).family == "fc"
