"""The gate turns red for each sabotage of a small platform that is fitted and scored for real."""

from __future__ import annotations

import csv
import gzip
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from neuralpower.core.configuration import CONFIGURATION_COLUMNS
from neuralpower.core.errors import InputError
from neuralpower.core.files import write_json
from neuralpower.modeling import libraries
from neuralpower.modeling.crossvalidation import Candidate
from neuralpower.modeling.fitting import FitOptions
from neuralpower.modeling.platforms import fit_platform
from neuralpower.modeling.terms import INTERCEPT
from neuralpower.scoring.gate import Tolerances, compare, figures_of
from neuralpower.scoring.layers import evaluate

RECORDED = Path(__file__).parents[2] / "measurements/caffe-cpu"
OPTIONS = FitOptions(
    candidates=(
        Candidate("physical", "relative", "non-negative"),
        Candidate("logs", "log", "stepwise"),
    ),
    folds=4,
)
Rows = list[dict[str, str]]


def score(folder: Path) -> Any:
    models = folder.parent / f"{folder.name}-models"
    shutil.rmtree(models, ignore_errors=True)
    fit_platform(folder, models, OPTIONS)
    return evaluate(folder, models)


def rows_of(path: Path) -> Rows:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def write_rows(path: Path, rows: Rows) -> None:
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def change(path: Path, edit: Callable[[Rows], None]) -> None:
    rows = rows_of(path)
    edit(rows)
    write_rows(path, rows)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Softmax and ReLU as recorded, each in three shards."""
    folder = tmp_path_factory.mktemp("sabotage") / "small"
    folder.mkdir()
    for family in ("relu", "softmax"):
        text = gzip.decompress((RECORDED / f"{family}.csv.gz").read_bytes()).decode()
        rows = list(csv.DictReader(text.splitlines()))
        for shard in range(3):
            write_rows(folder / f"{family}.{shard + 1}.csv", rows[shard::3])
    return folder


@pytest.fixture(scope="module")
def baseline(sound: Path) -> Any:
    return score(sound)


@pytest.fixture
def spoilt(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "small"))


def red(now: Any, baseline: Any) -> set[tuple[str, str]]:
    rows = compare(figures_of(now), figures_of(baseline), Tolerances())
    return {
        (row["name"], row["verdict"])
        for row in rows
        if row["verdict"] not in ("ok", "better", "new")
    }


def test_unspoilt_data_pass(baseline: Any, spoilt: Path) -> None:
    assert red(score(spoilt), baseline) == set()


def test_a_worse_term_library(baseline: Any, spoilt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("physical", "logs"):
        monkeypatch.setitem(libraries.LIBRARIES, name, lambda *_: [INTERCEPT])
    assert {("relu", "worse"), ("softmax", "worse")} <= red(score(spoilt), baseline)


def test_a_shard_whose_runtimes_were_shuffled(baseline: Any, spoilt: Path) -> None:
    def shuffle(rows: Rows) -> None:
        times = [row["runtime_ms"] for row in rows]
        random.Random(0).shuffle(times)
        for row, time in zip(rows, times, strict=True):
            row["runtime_ms"] = time

    change(spoilt / "relu.2.csv", shuffle)
    found = red(score(spoilt), baseline)
    assert {name for name, _ in found} == {"relu"}
    assert {verdict for _, verdict in found} & {"worse", "fewer"}


def test_configurations_that_are_lost(baseline: Any, spoilt: Path) -> None:
    def some(rows: Rows) -> None:
        rows[:] = [row for row in rows if int(row["in_channels"]) % 5]

    for shard in (1, 2, 3):
        change(spoilt / f"softmax.{shard}.csv", some)
    assert ("softmax", "fewer") in red(score(spoilt), baseline)


def test_a_family_that_vanished(baseline: Any, spoilt: Path) -> None:
    for path in spoilt.glob("softmax.*"):
        path.unlink()
    assert red(score(spoilt), baseline) == {("softmax", "gone")}


def in_microseconds(rows: Rows) -> None:
    for row in rows:
        row["runtime_ms"] = repr(1000 * float(row["runtime_ms"]))


def test_units_swapped_in_one_shard(baseline: Any, spoilt: Path) -> None:
    change(spoilt / "relu.1.csv", in_microseconds)
    assert {name for name, _ in red(score(spoilt), baseline)} == {"relu"}


def test_units_swapped_throughout(baseline: Any, spoilt: Path) -> None:
    for path in spoilt.glob("relu.*"):
        change(path, in_microseconds)
    assert red(score(spoilt), baseline) == {("relu", "units")}


def test_height_and_width_for_the_batch(baseline: Any, spoilt: Path) -> None:
    def swap(rows: Rows) -> None:
        for row in rows[::2]:
            row["batch"], row["in_channels"] = row["in_height"], row["batch"]

    for shard in (1, 2, 3):
        change(spoilt / f"softmax.{shard}.csv", swap)
    assert "softmax" in {name for name, _ in red(score(spoilt), baseline)}


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_repeats_that_were_lost_while_every_configuration_is_there(
    baseline: Any, spoilt: Path, share: float
) -> None:
    kept: set[tuple[str, ...]] = set()
    draw = random.Random(0)

    def lose(rows: Rows) -> None:
        def key(row: dict[str, str]) -> tuple[str, ...]:
            return tuple(row[name] for name in CONFIGURATION_COLUMNS)

        for row in list(rows):
            if key(row) in kept and draw.random() >= share:
                rows.remove(row)
            kept.add(key(row))

    for shard in (1, 2, 3):
        change(spoilt / f"softmax.{shard}.csv", lose)
    now = score(spoilt)
    entry, before = (a["layers"]["softmax"]["runtime_ms"] for a in (now, baseline))
    assert entry["n"] == before["n"]
    assert entry["visits"] < before["visits"]
    rows = compare(figures_of(now), figures_of(baseline), Tolerances())
    verdicts = {(row["name"], row["figure"]): row["verdict"] for row in rows}
    assert verdicts["softmax", "visits"] == "fewer"
    assert verdicts["softmax", "n"] == verdicts["relu", "visits"] == "ok"


def test_a_truncated_shard_gives_no_accuracy_at_all(spoilt: Path, tmp_path: Path) -> None:
    data = gzip.compress((spoilt / "relu.3.csv").read_bytes())
    (spoilt / "relu.3.csv").unlink()
    (spoilt / "relu.3.csv.gz").write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match=r"relu\.3\.csv\.gz"):
        fit_platform(spoilt, tmp_path / "models", OPTIONS)
    assert not (tmp_path / "models/models.json").exists()


def test_a_baseline_survives_its_file(baseline: Any, tmp_path: Path) -> None:
    from neuralpower.scoring.gate import load_figures, write_baseline

    figures = figures_of(baseline)
    write_baseline(tmp_path / "b.json", baseline, figures)
    assert load_figures(tmp_path / "b.json")[0] == figures
    write_json(tmp_path / "a.json", baseline)
    assert load_figures(tmp_path / "a.json")[0] == figures
