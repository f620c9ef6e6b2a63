"""All that a run on the fake GPU leaves for people to read, and a merge of two, as stored text."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import golden
import pytest
from recorded_fake import record

from neuralpower.cli import main
from neuralpower.core.files import read_rows

GOLDEN = Path(__file__).parent / "golden"
#: What is not the same tomorrow or on another machine.
_CHANGING = [
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:]+(\+00:00|Z)"), "TIME"),
    (re.compile(r"\d{4}-\d\d-\d\d"), "DATE"),
    (re.compile(r"NeuralPower \S+ on .* online\."), "NeuralPower VERSION on MACHINE."),
    (re.compile(r"^  on .*$", re.MULTILINE), "  on MACHINE"),
    (re.compile(r"\b(?=\d*[a-f])[0-9a-f]{12,64}\b(?!-)"), "DIGEST"),
]
_MACHINE = ("affinity", "calls", "device", "description", "executor", "files", "load_average",
            "machine", "neuralpower", "wall_s")  # fmt: skip


def same(text: str, runs: Path) -> str:
    """Text without what changes; runs by the name of their folder, floats with six digits."""
    for name in ("one", "two"):
        run = json.loads((runs / name / "manifest.json").read_text())["run"]
        text = text.replace(run, f"RUN-{name}")
    text = re.sub(r"\d+\.\d{6,}(e-\d+)?", lambda number: f"{float(number[0]):.6g}", text)
    for pattern, instead in _CHANGING:
        text = pattern.sub(instead, text)
    return text.replace(str(runs), "RUNS")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    record(folder / "one", "--seed", "1", uuid="GPU-1", net=True)
    record(folder / "two", "--seed", "2", uuid="GPU-2", net=True, noise=0.002, gain=1.04)
    words = ["merge", str(folder / "one"), str(folder / "two"), "--out", str(folder / "both")]
    words += ["--platform", "both"]
    assert main(["measurements", *words]) == 0
    return folder


def in_order(text: str, name: str) -> str:
    """The lines, sorted where they follow the names of runs, which are checksums."""
    return "".join(sorted(text.splitlines(keepends=True))) if name == "both" else text


def tables(folder: Path) -> str:
    """Every table of a folder, a line per row with the fields that are not empty."""
    lines = []
    for path in sorted(folder.glob("*.csv*")):
        header, rows = read_rows(path)
        lines.append(f"{path.name}: {' '.join(header)}")
        for row in rows:
            cells = [f"{name}={row[name]}" for name in header if row[name]]
            lines.append(f"{path.name}: {' '.join(cells)}")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("name", ["one", "two"])
def test_the_tables(runs: Path, name: str) -> None:
    golden.check(GOLDEN / f"tables.{name}.txt", same(tables(runs / name), runs))


@pytest.mark.parametrize("name", ["one", "two", "both"])
def test_the_page_in_the_folder(runs: Path, name: str) -> None:
    text = (runs / name / "README.md").read_text(encoding="utf-8")
    golden.check(GOLDEN / f"readme.{name}.txt", in_order(same(text, runs), name))


@pytest.mark.parametrize("name", ["one", "both"])
def test_what_the_manifest_says(runs: Path, name: str) -> None:
    manifest = json.loads((runs / name / "manifest.json").read_text())
    for word in _MACHINE:
        manifest.pop(word, None)
        for run in manifest.get("runs", []):
            run.pop(word, None)
    text = json.dumps(manifest, indent=1, sort_keys=True)
    golden.check(GOLDEN / f"manifest.{name}.txt", in_order(same(text, runs), name))


def test_the_record_of_a_visit(runs: Path) -> None:
    with gzip.open(runs / "one" / "visits.jsonl.gz", "rt") as stream:
        visits = [json.loads(line) for line in stream]
    kept = [{k: v for k, v in visit.items() if k not in _MACHINE} for visit in visits]
    text = "".join(f"{json.dumps(visit, sort_keys=True)}\n" for visit in kept)
    golden.check(GOLDEN / "visits.txt", same(text, runs))


@pytest.mark.parametrize("name", ["one", "two"])
def test_what_a_check_prints(runs: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["measurements", "check", str(runs / name)])
    printed = capsys.readouterr()
    text = same(printed.out + printed.err, runs)
    golden.check(GOLDEN / f"check.{name}.txt", text)
