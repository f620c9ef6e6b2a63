"""What a block has measured is kept: by a fault, the end of the budget, missing memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fake_gpu import FakeGpu, FakeGpuExecutor, FakeWorkload, fake_bench, known_ms
from recorded_fake import record as record_run

from neuralpower.cli import main
from neuralpower.core.configuration import Configuration
from neuralpower.core.errors import InputError, RunError
from neuralpower.profiling.design import DesignProtocol
from neuralpower.profiling.run import Outcome, Settings, run
from neuralpower.profiling.warm_up import WarmUpProtocol
from neuralpower.records.folder import load_platform, load_rows
from neuralpower.records.sealing import checksum_faults
from neuralpower.records.visits import VisitRecord, read_visit_records


def layers(n: int) -> dict[str, Configuration]:
    made = [Configuration("relu", 1, i + 1, 8, 8, i + 1, 8, 8) for i in range(n)]
    return {c.key(): c for c in made}


def visited(out: Path, gpu: FakeGpu, n: int = 8, executor: Any = None, **changes: Any) -> Outcome:
    with fake_bench(gpu) as made:
        design = DesignProtocol(twice_share=0, thrice_share=0)
        options: dict[str, Any] = {"warm_up": WarmUpProtocol(cap_s=0), "design": design} | changes
        settings = Settings("fake", out, 1, clock=made.clock, sleep=made.sleep, **options)
        return run(
            settings,
            {},
            layers(n),
            executor or made.executor,
            made.meter,
            lambda item: item,
            now=lambda: gpu.clock.now_ns / 1e9,
        )


def missed(records: list[VisitRecord]) -> list[str]:
    return [r.visit for r in records if "power_missed" in r.flags]


def first_power_s(records: list[VisitRecord]) -> float:
    return min(r.power.t0_ns for r in records if r.power and r.power.t0_ns) / 1e9


def test_a_fault_leaves_the_times_of_its_block_and_a_later_call_its_power(tmp_path: Path) -> None:
    visited(tmp_path / "whole", FakeGpu())
    whole = read_visit_records(tmp_path / "whole")
    lost_at = first_power_s(whole) + 8
    out = tmp_path / "out"
    with pytest.raises(RunError, match="fallen off the bus"):
        visited(out, FakeGpu(lost_at_s=lost_at))
    records = read_visit_records(out)
    assert len(records) == len(whole)
    assert 0 < len(missed(records)) < len(records)
    for record in records:
        assert record.runtime_ms == pytest.approx(known_ms(record.key), rel=2e-3)
        assert (record.power_w is None) == (record.visit in missed(records))
    assert json.loads((out / "manifest.json").read_text())["complete"] is False
    outcome = visited(out, FakeGpu())
    assert outcome.complete
    assert outcome.made == len(missed(records))
    again = read_visit_records(out)
    assert missed(again) == []
    assert len(again) == len(whole)
    assert all(record.power_w for record in again)
    kept = {r.visit: r for r in records if r.visit not in missed(records)}
    assert all(kept[r.visit] == r for r in again if r.visit in kept)
    assert json.loads((out / "manifest.json").read_text())["complete"] is True


def test_the_end_of_the_budget_keeps_the_times(tmp_path: Path) -> None:
    visited(tmp_path / "whole", FakeGpu())
    seconds = first_power_s(read_visit_records(tmp_path / "whole"))

    class Sluggish(FakeGpuExecutor):
        """Timing has been quick; power then takes longer than anyone could expect."""

        def layer(self, configuration: Configuration, seed: int) -> FakeWorkload:
            made = super().layer(configuration, seed)
            replay = made.replay

            def slow() -> None:
                if self.gpu.clock.now_ns / 1e9 > seconds + 1:
                    self.gpu.clock.advance(0.4)
                replay()

            made.replay = slow  # type: ignore[method-assign]
            return made

    gpu = FakeGpu()
    outcome = visited(tmp_path / "out", gpu, executor=Sluggish(gpu), budget_s=seconds + 12)
    records = read_visit_records(tmp_path / "out")
    assert missed(records)
    assert not outcome.complete
    assert all(row.values["runtime_ms"] for row in load_rows(tmp_path / "out"))


def test_kernels_are_named_when_nothing_is_measured(tmp_path: Path) -> None:
    asked: list[float] = []

    class Named(FakeGpuExecutor):
        def layer(self, configuration: Configuration, seed: int) -> FakeWorkload:
            made = super().layer(configuration, seed)

            def names() -> list[str]:
                asked.append(self.gpu.clock.now_ns / 1e9)
                return [f"kernel_{configuration.in_channels}"]

            made.kernels = names  # type: ignore[method-assign]
            return made

    gpu = FakeGpu()
    visited(tmp_path / "out", gpu, executor=Named(gpu), adaptive=_share(0.5))
    records = read_visit_records(tmp_path / "out")
    assert all(r.kernels for r in records)
    assert sum(r.power is None for r in records) >= 3
    last = max(r.power.t1_ns for r in records if r.power and r.power.t1_ns) / 1e9
    assert min(asked) >= last, "one block: after its last power window"
    assert len(asked) == len({r.key for r in records}), "once for each item"
    # What is published is each visit once.
    assert len((tmp_path / "out" / "visits.jsonl").read_text().splitlines()) > len(records)


def _share(share: float) -> Any:
    from neuralpower.profiling.device_power import AdaptiveProtocol

    return AdaptiveProtocol(share=share)


def test_after_a_layer_without_room_garbage_is_collected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import gc

    collected: list[int] = []

    def collect(*_: Any) -> int:
        collected.append(1)
        return 0

    monkeypatch.setattr(gc, "collect", collect)

    class Full(FakeGpuExecutor):
        def layer(self, configuration: Configuration, seed: int) -> FakeWorkload:
            if configuration.family == "relu" and configuration.in_channels == 3:
                raise InputError("out of memory on the GPU")
            return super().layer(configuration, seed)

    gpu = FakeGpu()
    visited(tmp_path / "out", gpu, executor=Full(gpu))
    flags = [r.flags for r in read_visit_records(tmp_path / "out") if r.timing is None]
    assert flags == [("oom",)]
    assert collected


class Board(FakeGpuExecutor):
    """Says that it is a GPU."""

    def facts(self) -> Any:
        return {**super().facts(), "gpu": {"name": "Fake", "multiprocessors": 1}}


def test_a_run_goes_on_with_another_meter_share_warm_up_and_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    gpu = FakeGpu(init_error=18)
    visited(out, gpu, executor=Board(gpu), budget_s=2.0, warm_up=WarmUpProtocol(cap_s=0))
    first = read_visit_records(out)
    assert first
    assert all(r.power is None for r in first)
    run_record = json.loads((out / "run.json").read_text())
    assert run_record["identity"]["meter"] == "none"
    assert run_record["power"]["measured"] is False
    run_record["identity"]["cpu"] = "the processor of another host"
    (out / "run.json").write_text(json.dumps(run_record))
    gpu = FakeGpu()
    warm = WarmUpProtocol(cap_s=3.0, part_s=1.0)
    outcome = visited(out, gpu, executor=Board(gpu), warm_up=warm, adaptive=_share(0.4))
    assert outcome.complete
    records = read_visit_records(out)
    assert records[: len(first)] == first, "what was made is kept as it was"
    assert any(r.power_w for r in records)
    manifest = json.loads((out / "manifest.json").read_text())
    assert [call["meter"] for call in manifest["calls"]] == ["none", "nvml"]
    assert [call["power_share"] for call in manifest["calls"]] == [None, 0.4]
    assert manifest["power"]["measured"]
    # A third call without a meter does not make the measured power unmeasured.
    gpu = FakeGpu(init_error=18)
    visited(out, gpu, executor=Board(gpu))
    assert json.loads((out / "manifest.json").read_text())["power"]["measured"]


def test_a_processors_run_does_not_go_on_on_another(tmp_path: Path) -> None:
    visited(tmp_path, FakeGpu(), n=2)
    run_record = json.loads((tmp_path / "run.json").read_text())
    run_record["identity"]["cpu"] = "another"
    (tmp_path / "run.json").write_text(json.dumps(run_record))
    with pytest.raises(InputError, match="cpu was another"):
        visited(tmp_path, FakeGpu(), n=2)


@pytest.mark.parametrize("change", [{"seed": 2}, {"precision": "tf32"}, {"settle_s": 3.0}])
def test_what_changes_figures_is_still_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    visited(tmp_path, FakeGpu(), n=2)
    run_record = json.loads((tmp_path / "run.json").read_text())
    name, value = next(iter(change.items()))
    places = {
        "seed": run_record["identity"],
        "precision": run_record["identity"]["executor"],
        "settle_s": run_record["identity"]["protocol"]["power"],
    }
    places[name][name] = value
    (tmp_path / "run.json").write_text(json.dumps(run_record))
    with pytest.raises(InputError, match=f"{name} was {value}"):
        visited(tmp_path, FakeGpu(), n=2)


def test_a_call_after_a_sealed_one_publishes_beside_its_logs(tmp_path: Path) -> None:
    """The manifest lists raw logs in folders: they are no tables of an earlier call to remove."""
    out = record_run(tmp_path / "out", n=3)
    board = out / "characterise-power/001.csv.gz"
    board.parent.mkdir()
    board.write_bytes((out / "power/001.csv.gz").read_bytes())
    (out / "characterise.json").write_text("{}")
    assert main(["measurements", "seal", str(out)]) == 0
    (out / "old.csv.gz").write_bytes(b"")
    manifest = json.loads((out / "manifest.json").read_text())
    assert {"power/001.csv.gz", "characterise-power/001.csv.gz"} <= manifest["files"].keys()
    manifest["files"]["old.csv.gz"] = {"rows": 0}
    (out / "manifest.json").write_text(json.dumps(manifest))
    record_run(out, n=3)
    assert board.exists()
    assert (out / "power/001.csv.gz").exists()
    assert not (out / "old.csv.gz").exists()
    # The fake's log is written after the call, once more.
    assert all("power/001" in fault for fault in checksum_faults(load_platform(out)))
