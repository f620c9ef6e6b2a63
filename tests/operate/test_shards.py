"""Sweeps dealt to shards, and shards merged: the visits of one run, whatever the order."""

from __future__ import annotations

import json
import shutil
import zlib
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from operate_project import ROOT, neuralpower

from neuralpower.core.cells import read_configuration
from neuralpower.core.configuration import CONFIGURATION_COLUMNS, Configuration
from neuralpower.core.errors import InputError
from neuralpower.core.files import csv_text, read_rows
from neuralpower.profiling.design import DesignProtocol
from neuralpower.project import shards
from neuralpower.records.checks import check
from neuralpower.records.folder import Row, load_platform, load_rows


def configurations(n: int) -> list[Configuration]:
    return [Configuration("relu", 1, i + 1, 8, 8, i + 1, 8, 8) for i in range(n)]


def table(path: Path, rows: list[Configuration]) -> Path:
    path.write_text(csv_text(CONFIGURATION_COLUMNS, [row.as_row() for row in rows]))
    return path


def visits(path: Path) -> Counter[str]:
    return Counter(read_configuration(row).key() for row in read_rows(path)[1])


@settings(max_examples=20, deadline=None)
@given(n=st.integers(1, 40), count=st.integers(1, 8), seed=st.integers(0, 5))
def test_every_visit_of_a_whole_run_is_in_one_shard(
    tmp_path_factory: pytest.TempPathFactory, n: int, count: int, seed: int
) -> None:
    folder = tmp_path_factory.mktemp("split")
    source = table(folder / "relu.csv", configurations(n))
    if count > n:
        with pytest.raises(InputError, match="cannot be dealt"):
            shards.split([source], count, folder / "out", seed=seed)
        return
    shards.split([source], count, folder / "out", seed=seed)
    parts = [visits(folder / f"out/{k}.csv") for k in range(count)]
    assert all(parts)
    whole = sum(parts, Counter[str]())
    assert set(whole) == {c.key() for c in configurations(n)}
    assert sum(len(part) for part in parts) == n, "a configuration is in two shards"
    shards.split([source], 1, folder / "one", seed=seed)
    assert visits(folder / "one/0.csv") == whole


def test_shards_take_equally_long(tmp_path: Path) -> None:
    wide = [Configuration("fc", 64, 100 * (i + 1), 1, 1, 4000, 1, 1, bias=1) for i in range(60)]
    seconds = shards.split([table(tmp_path / "fc.csv", wide)], 4, tmp_path / "out")
    assert max(seconds) < 1.1 * min(seconds)


def test_networks_are_dealt_whole() -> None:
    names = ["a", "b", "c", "d", "e"]
    dealt = [name for k in range(3) for name in shards.share(names, k, 3)]
    assert sorted(dealt) == names


@pytest.fixture
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three shards and the whole sweep, measured with made-up times that the layer decides."""
    monkeypatch.syspath_prepend(str(ROOT / "tests/profiling"))
    from instant import InstantExecutor

    from neuralpower.meters.meter import NoMeter
    from neuralpower.profiling.run import Settings, run

    source = table(tmp_path / "relu.csv", configurations(24))
    shards.split([source], 3, tmp_path / "tables")
    shards.split([source], 1, tmp_path / "whole")
    design = DesignProtocol(twice_share=0, thrice_share=0)
    for path, out in (
        *((tmp_path / f"tables/{k}.csv", tmp_path / f"shards/{k}") for k in range(3)),
        (tmp_path / "whole/0.csv", tmp_path / "one"),
    ):
        rows = [read_configuration(row) for row in read_rows(path)[1]]
        counts = Counter(row.key() for row in rows)
        settings = Settings("local", out, seed=1, design=design)
        items = {row.key(): row for row in rows}
        executor = InstantExecutor()
        # Clocks of machines do not agree: it distinguishes their runs.
        executor.pass_time(zlib.crc32(out.name.encode()))
        run(settings, counts, items, executor, NoMeter("made up"), lambda item: item)
    return tmp_path


def figures(folder: Path) -> list[tuple[object, ...]]:
    """What was measured of every layer but the anchor, in no order."""

    def one(row: Row) -> tuple[object, ...]:
        values = row.values
        return (values["config_key"], values["repeat"], values["runtime_ms"])

    rows = [row for row in load_rows(folder) if row.values["repeat"] < 100]
    return sorted(map(one, rows), key=str)


def test_merged_shards_are_the_whole_run(measured: Path) -> None:
    shards.merge([measured / f"shards/{k}" for k in range(3)], measured / "local")
    assert figures(measured / "local") == figures(measured / "one")
    assert check(load_platform(measured / "local")).errors == 0
    manifest = json.loads((measured / "local/manifest.json").read_text())
    assert manifest["complete"]
    assert manifest["platform"] == "local"
    assert len(manifest["runs"]) == 3
    rows = load_rows(measured / "local")
    assert len({(row.values["run"], row.values["order"]) for row in rows}) == len(rows)


def test_the_order_of_merging_does_not_matter(measured: Path) -> None:
    for name, order in (("a", (0, 1, 2)), ("b", (2, 0, 1))):
        out = measured / name / "local"
        shards.merge([measured / f"shards/{k}" for k in order], out)
    for path in (measured / "a/local").iterdir():
        if path.is_file() and not path.name.startswith("."):
            assert path.read_bytes() == (measured / "b/local" / path.name).read_bytes()


def test_merging_again_after_a_shard_was_added(measured: Path) -> None:
    shards.merge([measured / "shards/0"], measured / "local")
    shards.merge([measured / f"shards/{k}" for k in range(3)], measured / "local")
    assert figures(measured / "local") == figures(measured / "one")
    with pytest.raises(InputError, match="not empty"):
        shards.merge([measured / "shards/0"], measured / "shards/1")
    assert load_rows(measured / "shards/1")


@pytest.mark.parametrize(
    ("place", "value", "kind"),
    [
        (("machine", "cpu"), "another", "device"),
        (("software",), "another framework 1.0", "software"),
        (("executor", "threads_intra"), 2, "protocol"),
    ],
)
def test_shards_that_do_not_belong_together_are_refused(
    measured: Path, place: tuple[str, ...], value: object, kind: str
) -> None:
    path = measured / "shards/1/manifest.json"
    manifest = json.loads(path.read_text())
    inner = manifest
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    path.write_text(json.dumps(manifest))
    folders = [measured / f"shards/{k}" for k in range(3)]
    with pytest.raises(InputError, match=f"differ in {kind}"):
        shards.merge(folders, measured / "local")
    assert not (measured / "local").exists()


def test_a_shard_given_twice_counts_once(measured: Path) -> None:
    shutil.copytree(measured / "shards/0", measured / "more/0")
    folders = [measured / f"shards/{k}" for k in range(3)]
    assert shards.merge([*folders, measured / "more/0"], measured / "local") == shards.merge(
        folders, measured / "local"
    )


def test_the_command_says_how_long_a_shard_takes(tmp_path: Path) -> None:
    table(tmp_path / "relu.csv", configurations(8))
    done = neuralpower("shards", "split", "relu.csv", "--shards", "2", "--out", "out", cwd=tmp_path)
    assert "2 shards of about" in done.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["0.csv", "1.csv"]
    done = neuralpower("shards", "merge", "out", "--out", "local", cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert "out/0.csv:1: column 'runtime_ms' is missing" in done.stderr
