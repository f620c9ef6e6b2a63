"""A run that is killed, resumed, repeated, changed, crowded or starved ends as it should."""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from instant import InstantExecutor, InstantWorkload
from profile_worker import made_up_layers, work

from neuralpower.core.configuration import Configuration
from neuralpower.core.errors import InputError
from neuralpower.meters.meter import NoMeter
from neuralpower.profiling.host_timing import TimingProtocol
from neuralpower.profiling.run import Outcome, Settings, run
from neuralpower.records.faults import faults
from neuralpower.records.folder import load_platform, load_rows
from neuralpower.records.journal import VisitLog, locked
from neuralpower.records.sealing import checksum_faults

HERE = Path(__file__).parent
#: Facts of the machine's day, not of the visits.
PUBLISHED = ("relu.csv.gz", "fc.csv.gz", "conv.csv.gz", "README.md", "manifest.json")


def go(out: Path, layers: int = 10, **changes: Any) -> Outcome:
    executor = changes.pop("executor", None) or InstantExecutor()
    now = changes.pop("now", time.monotonic)
    settings = replace(Settings(platform="instant", out=out, seed=1), **changes)
    items = made_up_layers(layers)
    meter = NoMeter("made up")
    return run(settings, {}, items, executor, meter, lambda item: item, now=now)


def tables(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.csv.gz"))}


def test_killed_at_random_moments_it_ends_as_if_it_never_was(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    outcome = work(whole, 0)
    assert outcome.complete
    broken = tmp_path / "broken"
    dice = random.Random(11)
    kills = 0
    command = [sys.executable, str(HERE / "profile_worker.py"), str(broken), "0.02"]
    while kills < 20:
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        before = lines(broken)
        deadline = time.monotonic() + 30
        wait_for = before + dice.randrange(0, 4)
        while lines(broken) < wait_for and child.poll() is None and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(dice.random() * 0.03)
        if child.poll() is not None:
            break
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        kills += 1
        records = VisitLog(broken).read()
        ids = [record.visit for record in records]
        assert len(ids) == len(set(ids))
    assert kills >= 15
    final = subprocess.run([*command[:-1], "0"], check=False, capture_output=True, text=True)
    assert final.returncode == 0, final.stderr
    ids = [record.visit for record in VisitLog(broken).read()]
    assert max(Counter(ids).values()) == 1
    assert len(ids) == outcome.planned
    assert tables(broken) == tables(whole)


def lines(folder: Path) -> int:
    try:
        return (folder / "visits.jsonl").read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0


def test_a_second_call_measures_nothing_and_changes_nothing(tmp_path: Path) -> None:
    assert go(tmp_path / "a").complete
    before = {name: (tmp_path / "a" / name).read_bytes() for name in PUBLISHED}
    again = go(tmp_path / "a")
    assert (again.made, again.complete) == (0, True)
    assert before == {name: (tmp_path / "a" / name).read_bytes() for name in PUBLISHED}


def test_a_torn_last_line_costs_one_visit(tmp_path: Path) -> None:
    outcome = go(tmp_path / "a")
    before = tables(tmp_path / "a")
    log = tmp_path / "a" / "visits.jsonl"
    data = log.read_bytes()
    log.write_bytes(data[:-40])
    again = go(tmp_path / "a")
    assert (again.made, again.done) == (1, outcome.planned)
    assert tables(tmp_path / "a") == before


def test_a_damaged_record_is_an_error_with_its_line(tmp_path: Path) -> None:
    go(tmp_path / "a")
    log = tmp_path / "a" / "visits.jsonl"
    rows = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join([rows[0], b"nonsense\n", *rows[1:]]))
    with pytest.raises(InputError, match=r"visits\.jsonl:2: not a record of a visit"):
        go(tmp_path / "a")


def test_the_tables_are_a_sound_platform(tmp_path: Path) -> None:
    outcome = go(tmp_path / "instant")
    platform = load_platform(tmp_path / "instant")
    rows = load_rows(platform)
    assert len(rows) == outcome.planned
    assert faults(rows) == []
    assert checksum_faults(platform) == []
    assert platform.power_reason == "made up"
    for row in rows:
        assert row.values["power_w"] is None
        assert row.values["runtime_ms_lo"] <= row.values["runtime_ms"]
    (tmp_path / "instant" / "relu.csv.gz").write_bytes(b"")
    assert checksum_faults(platform) == [
        "relu.csv.gz: changed since the manifest was written (sha256 differs)"
    ]


def test_a_changed_protocol_is_noticed(tmp_path: Path) -> None:
    go(tmp_path / "a")
    slower = TimingProtocol(min_time_s=0.3)
    with pytest.raises(InputError, match=r"protocol\.timing\.min_time_s was 0\.15, is 0\.3"):
        go(tmp_path / "a", timing=slower)
    with pytest.raises(InputError, match=r"seed was 1, is 2"):
        go(tmp_path / "a", seed=2)


def test_changed_tables_are_noticed_and_can_extend_a_run(tmp_path: Path) -> None:
    first = go(tmp_path / "a", layers=10)
    with pytest.raises(InputError, match="the tables have changed"):
        go(tmp_path / "a", layers=12)
    more = go(tmp_path / "a", layers=12, extend=True)
    assert more.complete
    assert more.planned > first.planned
    assert more.made < more.planned - first.planned + 5
    assert go(tmp_path / "a", layers=12).made == 0


def test_a_persons_notes_go_into_the_readme_and_the_manifest(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "NOTES.md").write_text("The fan\nwas loud.\n")
    go(tmp_path / "a")
    assert "The fan was loud." in (tmp_path / "a" / "README.md").read_text()
    manifest = json.loads((tmp_path / "a" / "manifest.json").read_text())
    assert manifest["notes"] == "The fan was loud."
    assert "NOTES.md" in manifest["files"]


def test_two_runs_at_once_are_refused(tmp_path: Path) -> None:
    with (
        locked(tmp_path / "a"),
        pytest.raises(InputError, match=rf"another profile run \(process {os.getpid()}\)"),
    ):
        go(tmp_path / "a")
    assert go(tmp_path / "a").complete


def test_a_folder_of_another_origin_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "conv.csv").write_text("mine\n")
    with pytest.raises(InputError, match="measurements of another origin"):
        go(tmp_path)
    assert (tmp_path / "conv.csv").read_text() == "mine\n"


def test_a_spent_budget_ends_cleanly_and_the_next_call_goes_on(tmp_path: Path) -> None:
    whole = go(tmp_path / "whole")
    seconds = itertools.count()
    first = go(tmp_path / "a", budget_s=12.5, now=lambda: float(next(seconds)))
    assert first.done == 12
    manifest = json.loads((tmp_path / "a" / "manifest.json").read_text())
    assert manifest["complete"] is False
    assert manifest["visits"]["made"] == first.done == len(load_rows(tmp_path / "a"))
    assert "not complete" in (tmp_path / "a" / "README.md").read_text()
    rest = go(tmp_path / "a")
    assert rest.complete
    assert first.made + rest.made == whole.planned
    assert tables(tmp_path / "a") == tables(tmp_path / "whole")


def test_layers_that_cannot_run_are_reported_and_left_out(tmp_path: Path) -> None:
    executor = InstantExecutor(refuse=frozenset({"fc"}))
    outcome = go(tmp_path / "a", executor=executor)
    assert outcome.complete
    assert outcome.failed > 0
    manifest = json.loads((tmp_path / "a" / "manifest.json").read_text())
    assert manifest["visits"]["failed"] == len(manifest["failures"]) == outcome.failed
    assert not (tmp_path / "a" / "fc.csv.gz").exists()
    assert {row.values["family"] for row in load_rows(tmp_path / "a")} == {"relu", "conv"}


class DeviceLost(InstantExecutor):
    """Runs the two layers of the probe, then nothing more."""

    prepared = 0

    def layer(self, configuration: Configuration, seed: int) -> InstantWorkload:
        self.prepared += 1
        if self.prepared > 2:
            raise RuntimeError("the device is gone")
        return super().layer(configuration, seed)


def test_a_run_in_which_nothing_works_stops_early(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"first 5 visits all failed, .*the device is gone"):
        go(tmp_path / "a", executor=DeviceLost())
    assert len(VisitLog(tmp_path / "a").read()) == 5


class Interrupted(InstantExecutor):
    """Someone presses Ctrl-C while the ninth layer is prepared."""

    prepared = 0

    def layer(self, configuration: Configuration, seed: int) -> InstantWorkload:
        self.prepared += 1
        if self.prepared == 9:
            raise KeyboardInterrupt
        return super().layer(configuration, seed)


def test_an_interrupted_run_publishes_what_it_has_and_goes_on(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        go(tmp_path / "a", executor=Interrupted())
    # Two of the eight layers were the probe's.
    assert len(load_rows(tmp_path / "a")) == 6
    assert json.loads((tmp_path / "a" / "manifest.json").read_text())["complete"] is False
    assert go(tmp_path / "a").complete
    assert go(tmp_path / "whole").complete
    assert tables(tmp_path / "a") == tables(tmp_path / "whole")
