"""``predict --totals`` writes what it was asked for, or says why not."""

from __future__ import annotations

from pathlib import Path

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
