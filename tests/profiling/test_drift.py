"""A board that drifts through a run: raw figures show it, the corrected ones beside them less."""

from __future__ import annotations

import itertools
import math
import statistics
from pathlib import Path
from typing import Any

import fake_gpu
import pytest
from fake_gpu import FakeGpu, FakeWorkload, known_ms, known_w
from recorded_fake import record

from neuralpower.cli import main
from neuralpower.profiling.stopping import summarise
from neuralpower.records.drift import Drift
from neuralpower.records.folder import Row, load_network_rows, load_rows
from neuralpower.records.visits import VisitRecord

COLUMNS = ("runtime_ms_drift_corrected", "power_w_drift_corrected")


class Drifting(FakeWorkload):
    """Slower by 0.1 % and thriftier by 0.2 % with every visit."""

    made = itertools.count()

    def __init__(self, gpu: FakeGpu, call_ms: float, watts: float, **options: Any) -> None:
        visits = next(self.made)
        call_ms, watts = call_ms * (1 + 0.001 * visits), watts * (1 - 0.002 * visits)
        super().__init__(gpu, call_ms, watts, **options)


@pytest.fixture(scope="module")
def drifting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fake_gpu, "FakeWorkload", Drifting)
        folder = tmp_path_factory.mktemp("drift") / "fake"
        return record(folder, "--power-share", "0.3", uuid="GPU-1", net=True, n=22)


def scatter(rows: list[Row], name: str, known: Any) -> float:
    """Spread of the logarithm of measured over known, whatever its level."""
    powered = [row for row in rows if row.values[name] is not None]
    assert len(powered) > 15
    return statistics.pstdev(
        math.log(row.values[name] / known(row.values["config_key"])) for row in powered
    )


def test_corrected_figures_stand_beside_the_raw_ones(drifting: Path) -> None:
    rows = load_rows(drifting)
    runtime, power = COLUMNS
    assert scatter(rows, "runtime_ms", known_ms) > 0.01
    assert scatter(rows, runtime, known_ms) < 0.3 * scatter(rows, "runtime_ms", known_ms)
    assert scatter(rows, "power_w", known_w) > 0.01
    assert scatter(rows, power, known_w) < 0.4 * scatter(rows, "power_w", known_w)
    for row in rows:
        assert row.values[runtime] is not None
        assert (row.values[power] is None) == (row.values["power_w"] is None)
    assert all(
        row.values[name] is not None for row in load_network_rows(drifting) for name in COLUMNS
    )
    assert main(["measurements", "check", str(drifting)]) == 0


def test_merging_keeps_them(drifting: Path, tmp_path: Path) -> None:
    words = ["--platform", "two", "--out", str(tmp_path / "two")]
    assert main(["measurements", "merge", str(drifting), *words]) == 0
    ours, theirs = load_rows(tmp_path / "two"), load_rows(drifting)
    assert len(ours) == len(theirs)
    for row, other in zip(ours, theirs, strict=True):
        assert [row.values[name] for name in COLUMNS] == [other.values[name] for name in COLUMNS]


def test_few_anchors_leave_them_empty(tmp_path: Path) -> None:
    rows = load_rows(record(tmp_path / "short", n=3))
    assert {row.values[name] for row in rows for name in COLUMNS} == {None}


def test_each_board_has_its_own_drift() -> None:
    def visit(order: int, board: str, ms: float, kind: str = "anchor") -> VisitRecord:
        timing = summarise([ms], 1, warm_up_calls=0, window_ns=(0, 1), flags=())
        return VisitRecord("v", kind, "k", 1, order, valid=True, timing=timing, board=board)

    records = [visit(i, "a", 2.0 + 0.01 * i) for i in range(10)]
    records += [visit(10 + i, "b", 3.0) for i in range(4)]
    drift = Drift(records)
    assert drift.runtime_ms(visit(0, "a", 7.0, "layer")) == pytest.approx(7 * 2.045 / 2, rel=1e-3)
    # Four anchors tell no drift; what another board does says nothing of this one.
    assert drift.runtime_ms(visit(12, "b", 7.0, "layer")) is None
    assert drift.power_w(visit(0, "a", 7.0, "layer")) is None
