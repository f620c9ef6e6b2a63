"""Runs and boards put together: nothing lost, nothing counted twice, in any order the same."""

from __future__ import annotations

import itertools
import json
import math
import random
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from recorded_fake import record

from neuralpower.cli import main
from neuralpower.core.errors import InputError
from neuralpower.core.files import read_rows, write_text
from neuralpower.core.network_files import network_name
from neuralpower.modeling.data import load_dataset
from neuralpower.records.folder import load_network_rows, load_platform, load_rows
from neuralpower.records.networks import merge_networks
from neuralpower.records.sealing import checksum_faults
from neuralpower.records.visits import read_visit_records

REPOSITORY = Path(__file__).resolve().parents[2]
HEADER = (
    "family,batch,in_channels,in_height,in_width,out_channels,out_height,out_width,kernel_height,"
    "kernel_width,stride_height,stride_width,pad_height,pad_width,dilation_height,dilation_width,"
    "groups,pool_method,bias,inputs,runtime_ms,power_w,repeat\n"
)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of a board that reads 3 % high, and one of another that reads 2 % low."""
    folder = tmp_path_factory.mktemp("runs")
    record(folder / "a", "--seed", "1", uuid="GPU-1", net=True, gain=1.03)
    record(folder / "b", "--seed", "2", uuid="GPU-2", net=True, gain=0.98, n=6)
    record(folder / "c", "--seed", "3", uuid="GPU-1", gain=1.03, n=3)
    assert main(["measurements", "seal", *(str(folder / name) for name in "abc")]) == 0
    return folder


def merge(out: Path, *folders: Path, words: tuple[str, ...] = ()) -> int:
    given = [str(folder) for folder in folders]
    return main(["measurements", "merge", *given, "--platform", "two", "--out", str(out), *words])


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_networks_go_along_and_are_the_same(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in "ab":
        shutil.copytree(runs / name, tmp_path / name)
    assert merge(tmp_path / "out", tmp_path / "a", tmp_path / "b") == 0
    (kept,) = (tmp_path / "a/prototxts").iterdir()
    assert (tmp_path / "out/prototxts" / kept.name).read_bytes() == kept.read_bytes()
    assert f"prototxts/{kept.name}" in (load_platform(tmp_path / "out").manifest.files or {})
    kept.write_text(kept.read_text() + "# other")
    assert merge(tmp_path / "no", tmp_path / "a", tmp_path / "b") == 2
    assert f"prototxts/{kept.name}: changed since" in capsys.readouterr().err
    with pytest.raises(InputError, match=f"not the network {network_name(kept)} that "):
        merge_networks([tmp_path / "a", tmp_path / "b"], tmp_path / "no")


def test_every_visit_is_kept_with_its_run_and_board(runs: Path, tmp_path: Path) -> None:
    out = tmp_path / "two"
    assert merge(out, runs / "a", runs / "b", runs / "c") == 0
    rows = load_rows(out)
    own = {name: load_rows(runs / name) for name in "abc"}
    assert len(rows) == sum(len(one) for one in own.values())
    measured = [(row.values["config_key"], row.values["runtime_ms"]) for row in rows]
    wanted = [(r.values["config_key"], r.values["runtime_ms"]) for one in own.values() for r in one]
    assert sorted(measured) == sorted(wanted)
    assert len({row.values["run"] for row in rows}) == 3
    assert len({row.values["board"] for row in rows}) == 2
    assert b"GPU-" not in b"".join(contents(out).values())
    assert len(read_visit_records(out)) == sum(len(read_visit_records(runs / n)) for n in "abc")
    assert checksum_faults(load_platform(out)) == []
    assert main(["measurements", "check", str(out)]) == 0


def test_repeats_count_on_and_anchors_stay_anchors(runs: Path, tmp_path: Path) -> None:
    out = tmp_path / "two"
    assert merge(out, runs / "a", runs / "b", runs / "c") == 0
    groups: dict[str, list[float]] = {}
    anchors = []
    for row in load_rows(out):
        anchor = float(row.values["run_repeat"]) >= 100
        assert anchor == (row.values["repeat"] >= 100)
        if anchor:
            anchors.append(row.values["repeat"])
        else:
            groups.setdefault(row.values["config_key"], []).append(row.values["repeat"])
    assert sorted(anchors) == list(range(100, 100 + len(anchors)))
    assert any(len(own) >= 3 for own in groups.values())
    assert all(sorted(own) == list(range(1, len(own) + 1)) for own in groups.values())
    assert sorted(row.values["repeat"] for row in load_network_rows(out)) == [1, 2, 3, 4, 5, 6]


def test_the_boards_gain_is_found_and_can_be_levelled(runs: Path, tmp_path: Path) -> None:
    plain, level = tmp_path / "plain", tmp_path / "level"
    assert merge(plain, runs / "a", runs / "b", runs / "c") == 0
    assert merge(level, runs / "a", runs / "b", runs / "c", words=("--level-gain",)) == 0
    manifest = json.loads((plain / "manifest.json").read_text())
    ratio = math.sqrt(1.03 / 0.98)
    factors = sorted(one["factor"] for one in manifest["gain"].values())
    assert factors == pytest.approx([1 / ratio, ratio], rel=1e-3)
    for one in manifest["gain"].values():
        assert one["lo"] < one["factor"] < one["hi"]
        assert one["hi"] / one["lo"] < 1.002
    assert manifest["power"] == {"measured": True, "reason": "", "u_gain": 0.05}
    for run in manifest["runtime_levels"].values():
        assert run["factor"] == pytest.approx(1, abs=1e-3)
    for row, other in zip(load_rows(plain), load_rows(level), strict=True):
        factor = manifest["gain"][row.values["board"]]["factor"]
        assert float(other.values["power_w_raw"]) == row.values["power_w"]
        assert other.values["power_w"] == pytest.approx(row.values["power_w"] / factor, rel=1e-5)
        assert other.values["power_w_corrected"] == pytest.approx(
            row.values["power_w_corrected"] / factor, rel=1e-5
        )
        energy = other.values["power_w"] * other.values["power_runtime_ms"]
        assert other.values["energy_mj"] == pytest.approx(energy, rel=1e-5)
    assert main(["measurements", "check", str(level)]) == 0


def test_order_and_steps_do_not_change_a_byte(runs: Path, tmp_path: Path) -> None:
    names = [runs / name for name in "abc"]
    assert merge(tmp_path / "first", *names) == 0
    first = contents(tmp_path / "first")
    for i, order in enumerate(itertools.permutations(names)):
        assert merge(tmp_path / f"order{i}", *order) == 0
        assert contents(tmp_path / f"order{i}") == first
    assert merge(tmp_path / "ab", *names[:2], words=("--level-gain",)) == 0
    assert merge(tmp_path / "steps", names[2], tmp_path / "ab", names[0]) == 0
    assert contents(tmp_path / "steps") == first
    assert merge(tmp_path / "again", tmp_path / "first") == 0
    assert contents(tmp_path / "again") == first


def test_a_run_given_twice_counts_once(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "a", tmp_path / "copy")
    assert merge(tmp_path / "one", runs / "a") == 0
    assert merge(tmp_path / "two", runs / "a", tmp_path / "copy") == 0
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_two_states_of_a_run_are_refused(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(runs / "a", tmp_path / "copy")
    manifest = json.loads((tmp_path / "copy" / "manifest.json").read_text())
    (tmp_path / "copy" / "manifest.json").write_text(json.dumps(manifest | {"complete": False}))
    capsys.readouterr()
    assert merge(tmp_path / "two", runs / "a", tmp_path / "copy") == 2
    error = capsys.readouterr().err
    assert "in two states" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "two").exists()


@pytest.mark.parametrize(
    ("kind", "place", "two_values"),
    [
        ("software", ("software",), ("nothing 1.0", "nothing 2.0")),
        ("anchor", ("anchor", "batch"), ("64", "32")),
        ("device", ("machine", "cpu"), ("one", "another")),
        ("precision", ("executor", "precision"), ("fp32", "tf32")),
        ("protocol", ("protocol", "timing", "min_replays"), (20, 5)),
        ("protocol", ("executor", "threads_intra"), (1, 4)),
    ],
)
def test_runs_of_another_kind_are_refused_unless_allowed(
    runs: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    kind: str,
    place: tuple[str, ...],
    two_values: tuple[Any, Any],
) -> None:
    for name, value in zip("ac", two_values, strict=True):
        shutil.copytree(runs / name, tmp_path / name)
        manifest = json.loads((runs / name / "manifest.json").read_text())
        inner = manifest
        for key in place[:-1]:
            inner = inner[key]
        inner[place[-1]] = value
        (tmp_path / name / "manifest.json").write_text(json.dumps(manifest))
    capsys.readouterr()
    assert merge(tmp_path / "two", tmp_path / "a", tmp_path / "c") == 2
    error = capsys.readouterr().err
    assert f"differ in {kind}" in error
    assert (
        f"{two_values[0]} and {two_values[1]}" in error
        or f"{two_values[1]} and {two_values[0]}" in error
    )
    assert f"--allow-different {kind}" in error
    assert error.count("\n") == 1
    words = ("--allow-different", kind)
    assert merge(tmp_path / "two", tmp_path / "a", tmp_path / "c", words=words) == 0
    manifest = json.loads((tmp_path / "two" / "manifest.json").read_text())
    assert list(manifest["allowed_differences"]) == [kind]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"torch": "2.4.0"}, {"onnxruntime": "1.20.1"}),
        ({"torch": "2.4.0"}, {"jax": "0.4.30"}),
        ({"torch": "2.4.0"}, {"torch": "2.5.0"}),
        ({"provider": "CUDAExecutionProvider"}, {"provider": "CPUExecutionProvider"}),
        # Of a plugin no version is known by name: what it calls its software decides.
        ({"software": "numpy 1.26.4"}, {"software": "numpy 2.1.0"}),
    ],
)
def test_shards_of_another_framework_are_refused(
    runs: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    one: dict[str, str],
    other: dict[str, str],
) -> None:
    for name, executor in (("a", one), ("c", other)):
        shutil.copytree(runs / name, tmp_path / name)
        path = tmp_path / name / "manifest.json"
        manifest = json.loads(path.read_text())
        software = executor.get("software", manifest["software"])
        changed = {"executor": manifest["executor"] | executor, "software": software}
        path.write_text(json.dumps(manifest | changed))
    capsys.readouterr()
    assert merge(tmp_path / "two", tmp_path / "a", tmp_path / "c") == 2
    assert "differ in software" in capsys.readouterr().err
    assert not (tmp_path / "two").exists()


def test_what_is_visited_may_differ(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "c", tmp_path / "c")
    manifest = json.loads((runs / "c" / "manifest.json").read_text())
    manifest["protocol"]["design"]["twice_share"] = 0.9
    manifest["protocol"]["power"] |= {"share": 0.2, "tau_s": 0.7}
    (tmp_path / "c" / "manifest.json").write_text(json.dumps(manifest))
    assert merge(tmp_path / "two", runs / "a", tmp_path / "c") == 0


def test_levelling_needs_configurations_in_common(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert merge(tmp_path / "x", runs / "a", runs / "c", words=("--level-gain",)) == 2
    assert "needs power of two boards" in capsys.readouterr().err


def test_notes_of_the_runs_are_reported_once(tmp_path: Path) -> None:
    for name, notes in (("a", "Warm room."), ("b", "Cold room."), ("c", "Warm room.")):
        row = f"fc,8,64{ord(name)},1,1,100,1,1,,,,,,,,,,,1,,0.5,,1"
        write_text(tmp_path / name / "fc.csv", f"{HEADER}{row}\n")
        write_text(tmp_path / name / "manifest.json", json.dumps({"notes": notes}))
    assert merge(tmp_path / "x", *(tmp_path / name for name in "abc")) == 0
    manifest = json.loads((tmp_path / "x" / "manifest.json").read_text())
    assert manifest["notes"] == "Cold room. Warm room."
    assert "Cold room. Warm room." in (tmp_path / "x" / "README.md").read_text()


def test_tables_alone_can_be_merged(tmp_path: Path) -> None:
    for name, times in (("a", (0.5, 0.6)), ("b", (0.55,))):
        rows = [f"fc,8,640,1,1,100,1,1,,,,,,,,,,,1,,{t},12.5,1" for t in times]
        write_text(tmp_path / name / "fc.csv", HEADER + "\n".join(rows) + "\n")
    assert merge(tmp_path / "x", tmp_path / "a", tmp_path / "b") == 0
    assert merge(tmp_path / "y", tmp_path / "b", tmp_path / "a") == 0
    assert contents(tmp_path / "x") == contents(tmp_path / "y")
    assert sorted(r.values["repeat"] for r in load_rows(tmp_path / "x")) == [1, 2, 3]
    header, _ = read_rows(tmp_path / "x" / "fc.csv.gz")
    assert "board" not in header


def test_the_order_of_rows_and_the_cut_into_files_make_no_other_run(tmp_path: Path) -> None:
    fc = [f"fc,{n},640,1,1,100,1,1,,,,,,,,,,,1,,0.5,,1" for n in (8, 16, 4)]
    relu = "relu,1,8,4,4,8,4,4,,,,,,,,,,,0,,0.1,,1"
    write_text(tmp_path / "a" / "x.csv", HEADER + "\n".join([*fc, relu]) + "\n")
    write_text(tmp_path / "b" / "relu.csv", HEADER + relu + "\n")
    write_text(tmp_path / "b" / "zfc.csv", HEADER + "\n".join(fc[::-1]) + "\n")
    assert merge(tmp_path / "x", tmp_path / "a") == 0
    assert merge(tmp_path / "y", tmp_path / "b", tmp_path / "a") == 0
    assert merge(tmp_path / "z", tmp_path / "a", tmp_path / "x") == 0
    assert contents(tmp_path / "x") == contents(tmp_path / "y") == contents(tmp_path / "z")
    assert len(load_rows(tmp_path / "x")) == 4


ROWS = st.lists(st.tuples(st.integers(1, 3), st.integers(1, 9)), min_size=1, max_size=4)


@settings(max_examples=25, deadline=None)
@given(st.lists(ROWS, min_size=2, max_size=4), st.randoms(use_true_random=False))
@example([[(1, 1), (1, 2)], [(1, 2), (1, 1)]], random.Random(0))
def test_any_order_and_grouping_gives_the_same_bytes(
    tables: list[list[tuple[int, int]]], dice: random.Random
) -> None:
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        folders = []
        for i, rows in enumerate(tables):
            cells = [f"fc,{n},64,1,1,10,1,1,,,,,,,,,,,1,,{t / 8},,1" for n, t in rows]
            write_text(base / f"t{i}" / "fc.csv", HEADER + "\n".join(cells) + "\n")
            folders.append(base / f"t{i}")
        assert merge(base / "whole", *folders) == 0
        dice.shuffle(folders)
        cut = dice.randrange(1, len(folders))
        assert merge(base / "part", *folders[:cut]) == 0
        assert merge(base / "steps", *folders[cut:], base / "part") == 0
        assert contents(base / "steps") == contents(base / "whole")
        merged = load_rows(base / "whole")
        keys = [(row.values["batch"], row.values["repeat"]) for row in merged]
        assert len(keys) == len(set(keys))


def test_a_processors_platform_can_be_merged_as_models_read_it(tmp_path: Path) -> None:
    out = tmp_path / "two"
    ours = REPOSITORY / "measurements" / "caffe-cpu"
    # A second day: the same rows with times 4 % longer.
    later = tmp_path / "later"
    shutil.copytree(ours, later)
    (later / "manifest.json").write_text(
        json.dumps(
            {
                k: v
                for k, v in json.loads((ours / "manifest.json").read_text()).items()
                if k != "files"
            }
        )
    )
    for path in sorted(later.glob("*.csv*")):
        if path.name.split(".")[0] not in ("relu",):
            path.unlink()
            continue
        header, rows = read_rows(path)
        for row in rows:
            row["runtime_ms"] = f"{float(row['runtime_ms']) * 1.04:.6g}"
        write_text(
            path, "\n".join([",".join(header), *(",".join(r.values()) for r in rows)]) + "\n"
        )
    assert merge(out, ours, later) == 0
    manifest = json.loads((out / "manifest.json").read_text())
    levels = sorted(one["factor"] for one in manifest["runtime_levels"].values())
    assert levels[1] / levels[0] == pytest.approx(1.04, rel=2e-3)
    # What fitting reads: each configuration once, with the visits of both days.
    once, both = (load_dataset(folder).layers["relu", "runtime_ms"] for folder in (ours, out))
    assert both.keys() == once.keys()
    assert both.groups == once.groups
    assert both.visits.tolist() == [2 * n for n in once.visits.tolist()]
    assert both.measured == pytest.approx(once.measured * math.sqrt(1.04), rel=0.03)
