"""What the tests of attacks share: where the cases are, and the one line that must come."""

from __future__ import annotations

import csv
import gzip
import shutil
import time
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


def changed(place: Path, **cells: str) -> Path:
    """The recorded ReLU rows of caffe-cpu, their cells of some columns changed."""
    folder = place / "platform"
    folder.mkdir()
    text = gzip.decompress((ROOT / "measurements/caffe-cpu/relu.csv.gz").read_bytes()).decode()
    rows = list(csv.DictReader(text.splitlines()))
    with (folder / "relu.csv").open("w", newline="") as stream:
        table = csv.DictWriter(stream, list(rows[0] | cells))
        table.writeheader()
        table.writerows(row | cells for row in rows)
    (place / "quick.yaml").write_text(QUICK)
    return folder
