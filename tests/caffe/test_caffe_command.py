"""``neuralpower layers``: files, folders, messages and what it must not import."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest
from caffe_texts import LENET

from neuralpower.cli import main
from neuralpower.core.configuration import LAYER_COLUMNS


@pytest.fixture
def lenet(tmp_path: Path) -> Path:
    path = tmp_path / "lenet.prototxt"
    path.write_text(LENET)
    return path


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_one_network_to_a_file(lenet: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "table.csv"
    assert main(["layers", str(lenet), "--batch", "1", "--out", str(out)]) == 0
    table = rows(out)
    assert list(table[0]) == list(LAYER_COLUMNS)
    assert [row["batch"] for row in table[1:3]] == ["1", "1"]
    assert table[1]["supported"] == "1"


def test_one_network_to_an_existing_folder(lenet: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert main(["layers", str(lenet), "--out", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "lenet.csv").is_file()


def test_standard_output_and_the_summary(lenet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["layers", str(lenet)]) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines()[0] == ",".join(LAYER_COLUMNS)
    assert captured.err.startswith("lenet: 9 layers, 9 with known shapes (100.0 %)")


def test_several_networks_of_which_some_are_faulty(
    lenet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.prototxt"
    bad.write_text("layer {\n  name: 3 }")
    other = tmp_path / "other.prototxt"
    other.write_text(LENET)
    odd = tmp_path / "a b.prototxt"
    odd.write_text(LENET)
    (tmp_path / "twin").mkdir()
    twin = tmp_path / "twin" / "lenet.prototxt"
    twin.write_text(LENET)
    inputs = [str(path) for path in (lenet, bad, odd, twin, other)]
    out = tmp_path / "tables"
    assert main(["layers", *inputs, "--out", str(out)]) == 2
    assert sorted(path.name for path in out.iterdir()) == ["lenet.csv", "other.csv"]
    errors = [line for line in capsys.readouterr().err.splitlines() if "neuralpower:" in line]
    assert len(errors) == 3
    assert f"{bad}:2:9: field 'name'" in errors[0]
    assert "cannot be a file name" in errors[1]
    assert "is taken by" in errors[2]


def test_faults_end_with_status_2_and_nothing_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.prototxt"
    bad.write_text('layer { name: "a" type: "ReLU" bottom: "x" top: "y" }')
    out = tmp_path / "out.csv"
    assert main(["layers", str(bad), "--strict", "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert error == f"neuralpower: {bad}:1: layer 'a' (ReLU): unknown bottom blob 'x'\n"
    assert not out.exists()


def test_options_reach_the_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "net.prototxt"
    path.write_text(
        """layer { name: "d" type: "Data" top: "a" data_param { batch_size: 2 }
                   transform_param { crop_size: 4 } include { phase: TRAIN stage: "s" } }
           layer { name: "r" type: "ReLU" bottom: "x" top: "b" include { min_level: 3 } }"""
    )
    options = "--phase TRAIN --stage s --level 3 --data-shape 3x6x6 --blob-shape x=2x=7x8"
    assert main(["layers", str(path), *options.split()[:-2], "--blob-shape", "x=7x8"]) == 0
    table = capsys.readouterr().out
    assert "2x3x4x4" in table
    assert "7x8" in table


@pytest.mark.parametrize(
    "words",
    ["--batch 0", "--batch x", "--data-shape 3x4", "--data-shape 3x4x-1", "--blob-shape 3x4",
     "--blob-shape a=3y4", "--phase test"],
)  # fmt: skip
def test_faulty_options(lenet: Path, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["layers", str(lenet), *words.split()]) == 2
    error = capsys.readouterr().err
    assert f"argument {words.split()[0]}: " in error
    assert error.count("\n") == 1


def test_heavy_modules_stay_unimported(lenet: Path) -> None:
    heavy = "numpy pandas scipy sklearn torch jinja2 matplotlib onnx rich statsmodels yaml"
    code = (
        "import sys; from neuralpower.cli import main; "
        f"status = main(['layers', {str(lenet)!r}]); "
        f"found = [name for name in {heavy.split()!r} if name in sys.modules]; "
        "sys.exit(status or (str(found) if found else 0))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
