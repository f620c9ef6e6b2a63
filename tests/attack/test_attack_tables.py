"""Tables, manifests and figures that once lied, hung or ended in a fault: each is one clear line.

``cases/`` holds them as they were handed in (d01 to d14). Those of the workflow (a page whose place
is taken, hidden files, bad names, ``measurements/local``) are in ``tests/operate``.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from attacking import CASES, LENET, MODELS, QUICK, TABLES, changed, copied, refused

from neuralpower.cli import main


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


@pytest.mark.parametrize("method", ["bogus", "a\nb", "MAX"])
def test_an_unknown_method_of_any_family_is_refused_where_it_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], method: str
) -> None:
    folder, out = changed(tmp_path, pool_method=method), tmp_path / "out"
    said = refused(capsys, "fit", folder, "--out", out, "--config", tmp_path / "quick.yaml")
    assert "relu.csv, row 1: column pool_method:" in said
    assert not out.exists()
    refused(capsys, "measurements", "check", folder)


@pytest.mark.parametrize("runtime", ["1", "2"])
def test_runtimes_that_are_all_equal_give_that_runtime(tmp_path: Path, runtime: str) -> None:
    """The logarithm of 1 is 0: the model of a constant keeps a term all the same."""
    folder, out = changed(tmp_path, runtime_ms=runtime), tmp_path / "out"
    table, found = folder / "relu.csv", tmp_path / "p.csv"
    words: tuple[str | Path, ...]
    for words in (
        ("fit", folder, "--out", out, "--config", tmp_path / "quick.yaml"),
        ("predict", "--models", out, "--table", table, "--out", found),
    ):
        assert main([str(word) for word in words]) == 0
    rows = csv.DictReader(found.open())
    assert {round(float(row["runtime_ms"]), 3) for row in rows} == {float(runtime)}


def test_milliwatts_make_no_model_of_power(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = changed(tmp_path, power_w="50000"), tmp_path / "out"
    words = ("fit", folder, "--out", out, "--config", tmp_path / "quick.yaml")
    assert main([str(word) for word in words]) == 0
    assert not list(out.glob("*.power_w.json"))
    said = capsys.readouterr().err
    assert "row 1, power_w: power 50000 W: milliwatts taken for watts?" in said


def test_a_table_with_other_marks_names_the_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = changed(tmp_path) / "relu.csv"
    table.write_text(table.read_text().replace(",", ";"))
    assert "parted by commas" in refused(capsys, "fit", table.parent, "--out", tmp_path / "out")


def test_a_bad_name_in_a_manifest_names_the_manifest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = changed(tmp_path)
    (folder / "manifest.json").write_text('{"files": {"../../x": {"sha256": "x", "rows": 1}}}')
    assert "manifest.json:" in refused(capsys, "fit", folder, "--out", tmp_path / "out")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("lenet,1,-5", "runtime -5 is not positive"),
        ("lenet,1,nan", "runtime nan is not finite"),
        ("lenet,-3,5", "-3 is less than 1"),
        ("lenet,0,5", "0 is less than 1"),
    ],
)
def test_a_bad_whole_pass_is_left_out_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], row: str, reason: str
) -> None:
    folder = changed(tmp_path)
    (folder / "networks.csv").write_text(f"network,batch,runtime_ms\n{row}\n")
    words = ("calibrate", folder, "--models", MODELS, "--networks", LENET, "--out", tmp_path / "c")
    assert main([str(word) for word in words]) == 0
    assert f"networks.csv, row 1: {reason}: left out" in capsys.readouterr().err


@pytest.mark.parametrize("key", ["mape", "rmspe", "n", "interval_coverage"])
@pytest.mark.parametrize("baseline", [False, True])
def test_a_figure_below_zero_passes_no_gate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], key: str, baseline: bool
) -> None:
    sound, bad = MODELS.parent / "accuracy.json", tmp_path / "bad.json"
    figures = json.loads(sound.read_text())
    figures["layers"]["conv"]["runtime_ms"][key] = -1
    bad.write_text(json.dumps(figures))
    files = (sound, "--baseline", bad) if baseline else (bad, "--baseline", sound)
    assert "bad.json: damaged: -1 found where" in refused(capsys, "gate", *files)


@pytest.mark.parametrize("key", ["coverage_percent", "network_coverage_percent"])
def test_a_share_beyond_all_is_no_tolerance(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], key: str
) -> None:
    sound, config = MODELS.parent / "accuracy.json", tmp_path / "c.yaml"
    config.write_text(f"gate: {{{key}: 200}}")
    words = ("gate", sound, "--baseline", sound, "--config", config)
    assert f"c.yaml: gate.{key}: at most 100" in refused(capsys, *words)
