"""Facts of boards and numbers of the command line that no board or clock has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from attacking import MODELS, ROOT, changed, refused

import neuralpower

A30 = ROOT / "published/a30-pytorch-fp32/models"


@pytest.mark.parametrize(("idle", "cap"), [(20, 20), (20, 1), (2**31, 200)])
def test_a_data_sheet_that_draws_more_when_idle_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], idle: int, cap: int
) -> None:
    sheet = tmp_path / "sheet.yaml"
    facts = {"peak_gflops": 9300, "bandwidth_gb_s": 900, "power_cap_w": cap, "idle_power_w": idle}
    sheet.write_text(json.dumps(facts))
    out = tmp_path / "models"
    said = refused(capsys, "transfer", "--models", A30, "--out", out, "--data-sheet", sheet)
    assert f"{sheet}: idle_power_w {idle:g} is not below the board's limit of {cap:g} W" in said
    assert not out.exists()


def test_so_is_such_a_manifest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, out = changed(tmp_path), tmp_path / "models"
    (folder / "manifest.json").write_text(json.dumps({"idle_power_w": 80, "power_cap_w": 70}))
    said = refused(capsys, "fit", folder, "--config", tmp_path / "quick.yaml", "--out", out)
    assert "manifest.json: idle_power_w 80 is not below the board's limit of 70 W" in said
    assert not out.exists()


@pytest.mark.parametrize("time", ["9" * 400 + "m", "9" * 30, "0.000s", "\u0663s", "1_0s", "1e9s"])
def test_times_that_no_clock_has_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], time: str
) -> None:
    words = ("--config", ROOT / "config/config.yaml", "--platform", "new", "--out", tmp_path / "o")
    said = refused(capsys, "adapt", *words, "--models", MODELS, "--budget", time)
    assert "is no time: write 540s, 10m or 1h" in said


@pytest.mark.parametrize("data", [None, 3, [1, 2], {"a": 1}])
def test_what_is_no_frame_is_named(data: Any) -> None:
    with pytest.raises(neuralpower.InputError, match=r"is needed, not (NoneType|int|list|dict)"):
        neuralpower.fit(data)
