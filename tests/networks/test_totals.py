"""``predict --totals`` writes what it was asked for, or says why not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from neuralpower.cli import main

ROOT = Path(__file__).resolve().parents[2]


def test_totals_without_an_overview_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net, models = ROOT / "prototxts/lenet.prototxt", ROOT / "published/a100-pytorch/models"
    words = ["predict", net, "--models", models, "--totals", tmp_path / "t.csv"]
    assert main([str(word) for word in words]) == 2
    said = capsys.readouterr().err
    assert said.startswith("neuralpower: --totals goes with --overview")
    assert said.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_saving_holds_whatever_else_the_total_s_note_says() -> None:
    from neuralpower.networks.explaining import _covered

    rows: list[dict[str, Any]] = [
        {"runtime_ms": 1.0, "energy_mj": None, "note": None},
        {"runtime_ms": None, "energy_mj": None, "note": None},
        {"runtime_ms": 1.0, "energy_mj": None, "note": "covers 1 of 2; 5 % waited for"},
    ]
    again = [*rows[:-1], rows[-1] | {"note": "covers 1 of 2; 7 % waited for"}]
    assert _covered(rows) == _covered(again) == [(False, True), (True, True)]
    assert _covered([rows[1], rows[1], rows[2]]) != _covered(rows)
