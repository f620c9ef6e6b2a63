"""Inputs that once lied, hung or ended in a fault of the program: each is one clear line.

``cases/`` holds them as they were handed in (d01 to d14). Those of the workflow (a page whose place
is taken, hidden files, bad names, ``measurements/local``) are in ``tests/operate``.
"""

from __future__ import annotations

import csv
import gzip
import json
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from neuralpower.cli import main

ROOT = Path(__file__).resolve().parents[2]
CASES = Path(__file__).parent / "cases"
TABLES = CASES / "d10_tables_internal"
MODELS = ROOT / "published/raptorlake-pytorch/models"
LENET = ROOT / "prototxts/lenet.prototxt"
#: One candidate: what is looked at is which rows are fitted, not how well.
QUICK = "fit: {candidates: [[physical, relative, stepwise]], folds: 3}\n"


def refused(capsys: pytest.CaptureFixture[str], *words: str | Path) -> str:
    """Run a command that has to be refused; its one line."""
    begin = time.monotonic()
    status = main([str(word) for word in words])
    err = capsys.readouterr().err
    assert status == 2, (words, err)
    assert err.count("\n") == 1, err
    assert err.startswith("neuralpower: ")
    assert err[:-1].isprintable()
    assert len(err) < 700
    assert time.monotonic() - begin < 20
    return err


def copied(source: Path, place: Path) -> Path:
    """A case as a folder of measurements."""
    if source.is_dir():
        return Path(shutil.copytree(source, place / source.name))
    folder = place / "platform"
    folder.mkdir()
    shutil.copy(source, folder / f"conv{source.suffix}")
    return folder


# ------------------------------------------------------------------- d01: one absurd row


@pytest.mark.parametrize(
    ("case", "family", "row"),
    [
        ("d01_one_absurd_row", "relu", 5),
        ("d01_one_absurd_row_batch1e6", "relu", 5),
        ("d01_one_absurd_row_conv", "conv", 5),
    ],
)
def test_one_absurd_row_changes_no_prediction(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], case: str, family: str, row: int
) -> None:
    """Models with and without the row predict the same, to the last bit."""
    absurd = copied(CASES / case, tmp_path)
    sound = tmp_path / "sound"
    sound.mkdir()
    rows = (absurd / f"{family}.csv").read_text().splitlines(keepends=True)
    (sound / f"{family}.csv").write_text("".join([*rows[:row], *rows[row + 1 :]]))
    (tmp_path / "quick.yaml").write_text(QUICK)
    predicted = []
    for folder in (absurd, sound):
        models, out = tmp_path / f"m-{folder.name}", tmp_path / f"{folder.name}.csv"
        words = ("fit", folder, "--out", models, "--config", tmp_path / "quick.yaml")
        assert main([str(word) for word in words]) == 0
        query = ("predict", "--table", CASES / "d01_query.csv", "--models", models, "--out", out)
        assert main([str(word) for word in query]) == 0
        predicted.append(out.read_text())
    assert predicted[0] == predicted[1]
    quality = list(csv.DictReader((tmp_path / f"m-{case}/data_quality.csv").open()))
    assert {q["row"] for q in quality if q["action"] == "left out"} == {str(row)}
    (known,) = (r for r in csv.DictReader(predicted[0].splitlines()) if r["family"] == family)
    assert known["source"] == "model"
    assert main(["measurements", "check", str(absurd)]) == 1
    assert f"row {row}:" in capsys.readouterr().out


# --------------------------------------------------- tables and manifests that are none


#: A case, what ``fit`` says of it, and commands that end well: they do not read it, or rows without
#: use do them no harm.
FOLDERS = [
    (CASES / "d06_commas", "relu.csv.gz:1: a line of more than 1000000 characters", "calibrate"),
    (CASES / "d14_manifest_lie", "relu.csv: changed since the manifest was written", ""),
    (TABLES / "manifest_bigint", "manifest.json: not a manifest: the whole number 9999", ""),
    (TABLES / "manifest_hugeint", "manifest.json: not a manifest: the whole number 1000", ""),
    (TABLES / "manifest_surrogate", "manifest.json: not a manifest: a character that is half", ""),
    (TABLES / "pqcase_52.parquet", "conv.parquet: not a Parquet table", "calibrate"),
    (TABLES / "header_only", "no layer family has 5 usable configurations", "calibrate export"),
    (TABLES / "networks_only", "no layer family has 5 usable", "calibrate export merge evaluate"),
    (TABLES / "all_1e308", "the first: relu.csv, row 1, runtime_ms:", "calibrate export merge"),
    (TABLES / "all_denormal", "the first: relu.csv, row 1, runtime_ms:", "calibrate export merge"),
]


@pytest.mark.parametrize(("case", "words", "fine"), FOLDERS, ids=[f[0].name for f in FOLDERS])
@pytest.mark.parametrize("command", ["fit", "evaluate", "transfer", "export", "merge", "calibrate"])
def test_a_folder_that_cannot_be_used_is_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    case: Path,
    words: str,
    fine: str,
    command: str,
) -> None:
    if case.suffix == ".parquet":
        pytest.importorskip("pyarrow")
    folder, out = copied(case, tmp_path), tmp_path / "out"
    call: dict[str, tuple[str | Path, ...]] = {
        "fit": ("fit", folder),
        "evaluate": ("evaluate", folder, "--models", MODELS, "--networks", LENET),
        "transfer": ("transfer", folder, "--models", MODELS),
        "calibrate": ("calibrate", folder, "--models", MODELS),
        "export": ("measurements", "export", folder, "--format", "csv"),
        "merge": ("measurements", "merge", folder, "--platform", "p"),
    }
    if command in fine.split():
        assert main([str(word) for word in (*call[command], "--out", out)]) == 0
        assert out.exists() or command == "export"  # there may be no rows to write
        return
    said = refused(capsys, *call[command], "--out", out)
    assert words in said or command != "fit"
    assert folder.name in said
    assert not out.exists()


def test_records_of_wrong_types_are_told_with_their_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = copied(TABLES / "visits_wrong_types", tmp_path)
    for words in (
        ("measurements", "check", folder),
        ("measurements", "export", folder, "--format", "csv", "--out", tmp_path / "out"),
        ("measurements", "merge", folder, "--platform", "p", "--out", tmp_path / "out"),
        ("shards", "merge", folder, "--out", tmp_path / "out"),
    ):
        assert "visits.jsonl.gz:1: not a record of a visit" in refused(capsys, *words)
    assert not (tmp_path / "out").exists()


def test_an_empty_folder_fails_its_check(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = copied(TABLES / "header_only", tmp_path)
    assert main(["measurements", "check", str(folder)]) == 1
    assert "error: header_only: its tables have no rows" in capsys.readouterr().out


# -------------------------------------------------------------------- d04: deep documents


@pytest.mark.parametrize("kind", ["networks.yaml", "config", "recipe", "gate"])
def test_a_deep_document_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    deep = (CASES / "d04_deep_networks.yaml").read_text()
    if kind == "networks.yaml":
        shutil.copy(LENET, tmp_path)
        (tmp_path / "networks.yaml").write_text("alexnet: {phase: TEST}\n" + deep)
        said = refused(capsys, "layers", tmp_path / "lenet.prototxt")
    elif kind == "recipe":
        from neuralpower.core.errors import InputError
        from neuralpower.importing.recipe import load_recipe

        (tmp_path / "recipe.yaml").write_text(deep)
        with pytest.raises(InputError) as caught:
            load_recipe(tmp_path)
        said = str(caught.value)
    else:
        (tmp_path / "config.yaml").write_text(deep)
        accuracy = ROOT / "published/raptorlake-pytorch/accuracy.json"
        folder = CASES / "d01_one_absurd_row"
        words: tuple[str | Path, ...] = ("fit", folder, "--out", tmp_path / "out")
        if kind == "gate":
            words = ("gate", accuracy, "--baseline", accuracy)
        said = refused(capsys, *words, "--config", tmp_path / "config.yaml")
    assert "nested too deeply" in said


# -------------------------------------------------------------------- d07: changed models


def _models(place: Path) -> Path:
    """Models of which the index holds no checksums: each is looked at by itself."""
    folder = Path(shutil.copytree(MODELS, place / "models"))
    index = json.loads((folder / "models.json").read_text())
    del index["sha256"]
    (folder / "models.json").write_text(json.dumps(index))
    (folder / "composition.json").unlink()
    return folder


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("equations_empty", "there is no equation"),
        ("factor_negative", "a positive number is needed"),
        ("factor_zero", "a positive number is needed"),
        ("anchor_zero", "a positive number is needed"),
        ("anchor_swapped", "ends of a range are not in order"),
        ("interval_swapped", "ends of a range are not in order"),
        ("family_pool", "holds the model of pool runtime_ms"),
    ],
)
@pytest.mark.parametrize("summed", [False, True])
def test_a_changed_model_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], case: str, words: str, summed: bool
) -> None:
    folder = Path(shutil.copytree(MODELS, tmp_path / "m")) if summed else _models(tmp_path)
    path = Path(shutil.copy(CASES / f"d07_models/{case}/conv.runtime_ms.json", folder))
    if summed:
        words = ""
    else:
        # The cases are of schema version 1, which is refused as such; lifted to today's form, what
        # was changed is left to be found.
        assert "schema_version 1" in refused(capsys, "predict", LENET, "--models", folder)
        path.write_text(json.dumps(json.loads(path.read_text()) | {"schema_version": 3, "lean": 1}))
    said = refused(capsys, "predict", LENET, "--models", folder, "--out", tmp_path / "out.csv")
    assert "conv.runtime_ms.json: " in said
    assert words in said
    assert not (tmp_path / "out.csv").exists()


def _set(*path: str | int, to: object) -> Callable[[dict[str, object]], None]:
    def change(model: dict[str, object]) -> None:
        inner: object = model
        for key in path[:-1]:
            inner = inner[key]  # type: ignore[index]
        inner[path[-1]] = to  # type: ignore[index]

    return change


@pytest.mark.parametrize(
    "change",
    [
        _set("equations", 0, "weight", to=-1.0),
        _set("equations", 0, "weight", to=50.0),
        _set("equations", 0, "terms", to=[]),
        _set("equations", 0, "link", to="exp"),
        _set("interval", "scales", 0, to=-1.0),
        _set("interval", "scales", 0, to=0.0),
        _set("interval", "knots", 1, to=-1e9),
        _set("ranges", "batch", to=[32, 1]),
        _set("ranges", "batch", to=[-5, 1]),
        _set("pool_methods", to=["biggest"]),
        _set("relative_sd", to=-0.1),
        _set("mean_ratio", to=0.0),
        _set("error_correlation", to=3.0),
        _set("lean", to=-1.0),
        _set("limits", to=[5.0, 1.0]),
        _set("launch_ms", to=-1.0),
        _set("n_terms", to=1),
        _set("unit", to="s"),
        _set("family", to="convolution"),
        _set("target", to="power_w"),
        _set("target", to="speed"),
        _set("schema_version", to=99),
        _set("anchor", "equation", "factor", to=0.0),
    ],
)
def test_sisters_of_changed_models_are_refused(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: Callable[[dict[str, object]], None],
) -> None:
    folder = _models(tmp_path)
    path = folder / "conv.runtime_ms.json"
    model = json.loads(path.read_text())
    change(model)
    path.write_text(json.dumps(model))
    assert "conv.runtime_ms.json: " in refused(capsys, "predict", LENET, "--models", folder)


@pytest.mark.parametrize("key", ["factors", "scales", "launch", "warnings", "networks", "sha256"])
def test_a_changed_composition_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], key: str
) -> None:
    source = ROOT / "published/a30-pytorch-fp32/models"
    folder = Path(shutil.copytree(source, tmp_path / "m"))
    path = folder / "composition.json"
    value = json.loads(path.read_text())
    value[key] = {"runtime_ms": 0.5} if isinstance(value[key], dict) else ["x"]
    path.write_text(json.dumps(value))
    assert "composition.json: cannot be used" in refused(
        capsys, "predict", LENET, "--models", folder
    )


# ------------------------------------------------------------ bounded memory, in a process


def _limited() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("networks.yaml", "x: {phase: TEST}\ny: " + "[" * 100_000, "nested too deeply"),
        ("networks.yaml.gz", "", ""),
        ("bomb.prototxt.gz", " " * 300_000_000, "larger than"),
        ("deep.prototxt", "layer { " * 50_000, "deep.prototxt"),
    ],
)
def test_a_stranger_takes_no_more_than_a_gigabyte(
    tmp_path: Path, name: str, text: str, words: str
) -> None:
    shutil.copy(LENET, tmp_path)
    if name.endswith(".gz"):
        (tmp_path / name).write_bytes(gzip.compress(text.encode(), 1))
    else:
        (tmp_path / name).write_text(text)
    read = name if "prototxt" in name else "lenet.prototxt"
    done = subprocess.run(
        [sys.executable, "-m", "neuralpower", "layers", read],
        cwd=tmp_path, capture_output=True, text=True, preexec_fn=_limited, timeout=60,
    )  # fmt: skip
    if not words:
        assert done.returncode == 0
        return
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    assert words in done.stderr


def test_a_table_that_unpacks_to_more_than_memory_is_one_line(tmp_path: Path) -> None:
    """Eight million short rows, some kilobytes as they are sent."""
    folder = tmp_path / "p"
    folder.mkdir()
    piece = gzip.compress(b"lenet,1,1\n" * 1_000_000, 1)
    with (folder / "networks.csv.gz").open("wb") as stream:
        stream.write(gzip.compress(b"network,batch,runtime_ms\n"))
        for _ in range(8):
            stream.write(piece)
    done = subprocess.run(
        [sys.executable, "-m", "neuralpower", "measurements", "check", "p"],
        cwd=tmp_path, capture_output=True, text=True, preexec_fn=_limited, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2, done.stdout
    assert done.stderr == (
        "neuralpower: p/networks.csv.gz: more than 500000 rows of whole networks\n"
    )
