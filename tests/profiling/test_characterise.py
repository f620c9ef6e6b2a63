"""Facts of a platform: what they are made of, and the command on this machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from neuralpower.cli import main
from neuralpower.profiling.characterise import anchor_facts, clock_facts


def test_the_clock_is_known_by_its_steps() -> None:
    ticks = iter([0, 0, 50, 50, 50, 100, 150, 1150] + [1150] * 100)
    facts = clock_facts(lambda: next(ticks), readings=8)
    assert facts["smallest_step_ns"] == 50
    assert facts["longest_gap_ns"] == 1000
    assert facts["median_reading_ns"] == 50


def test_drift_and_scatter_of_the_anchor() -> None:
    facts = anchor_facts([10.0, 10.0, 10.0, 12.0, 12.0, 12.0])
    assert facts["second_half_over_first"] == pytest.approx(1.2)
    assert facts["slowest_over_fastest"] == pytest.approx(1.2)
    assert facts["cv"] == pytest.approx(0.0996, abs=1e-4)


def test_the_command_writes_facts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("onnxruntime")
    out = tmp_path / "facts.json"
    words = ["characterise", "--platform", "here", "--out", str(out), "--anchors", "2"]
    assert main(words) == 0
    facts = json.loads(out.read_text())
    assert facts["platform"] == "here"
    assert facts["call_overhead_ms"] > 0
    assert facts["anchor"]["median_ms"] > facts["call_overhead_ms"]
    assert facts["peak_gflops"] > 0
    assert facts["interference"].keys() == {"alone_ms", "beside_a_busy_process_ms", "slower_by"}
    ratio = facts["interference"]["beside_a_busy_process_ms"] / facts["interference"]["alone_ms"]
    assert facts["interference"]["slower_by"] == pytest.approx(ratio - 1)
    for sensor in facts["sensors"]:
        assert sensor["available"] or sensor["reason"]
    assert "anchor" in capsys.readouterr().err
