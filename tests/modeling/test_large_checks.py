"""Checking a folder of measurements takes a bounded memory, whatever its tables hold."""

from __future__ import annotations

import random
import tracemalloc
from dataclasses import replace
from pathlib import Path

from neuralpower.records.checks import check
from neuralpower.records.folder import load_platform
from neuralpower.records.row_sample import RowSample
from neuralpower.records.rows import Row

HEADER = (
    "family,batch,in_channels,in_height,in_width,out_channels,out_height,out_width,runtime_ms,"
    "repeat,flags\n"
)


def _folder(place: Path, configurations: int, extra: str = "") -> Path:
    """Three repeats of so many ReLU layers of different sizes."""
    lines = [
        f"relu,{1 + i % 64},8,{1 + i // 64},4,8,{1 + i // 64},4,{1 + repeat / 100},{repeat},\n"
        for i in range(configurations)
        for repeat in (1, 2, 3)
    ]
    place.mkdir()
    (place / "relu.csv").write_text(HEADER + "".join(lines) + extra)
    return place


def test_a_large_table_is_looked_at_in_part_and_that_is_a_finding(tmp_path: Path) -> None:
    platform = load_platform(_folder(tmp_path / "board", 400))
    whole, part = check(platform), check(platform, most=600)
    assert [finding.text for finding in whole.findings] == []
    (finding,) = part.findings
    assert finding.severity == "warning"
    assert finding.text.startswith("1200 rows of layers: ")
    assert part.families[0]["rows"] == whole.families[0]["rows"] == 1200
    looked_at = part.families[0]["configurations"]
    assert 50 < looked_at <= 200
    # Configurations are whole: each of the sample has its three visits.
    assert part.repeatability.visits == 3 * looked_at


def test_every_row_is_still_looked_at_by_itself(tmp_path: Path) -> None:
    bad = "relu,1,8,7,7,8,7,7,-1,1,\nrelu,1,8,7,7,8,7,7,0.5,2,unheard_of\n"
    platform = load_platform(_folder(tmp_path / "board", 400, bad))
    errors = [f for f in check(platform, most=60).findings if f.severity == "error"]
    assert [(f.place, f.text) for f in errors] == [
        ("relu.csv, row 1201", "runtime_ms: runtime -1 is not positive"),
        ("relu.csv, row 1202", "flags: 'unheard_of' is not a flag of the protocol"),
    ]


def test_copies_in_the_sample_are_found(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "board", 400)
    header, *lines = (folder / "relu.csv").read_text().splitlines(keepends=True)
    (folder / "relu.csv").write_text("".join([header, *lines, *lines]))
    report = check(load_platform(folder), most=600)
    copies = [f for f in report.findings if f.text.startswith("repeats relu.csv, row ")]
    assert len(copies) == report.repeatability.visits / 2


def test_the_sample_does_not_depend_on_the_order_of_rows() -> None:
    rows = [Row("x", i, {"family": "relu", "batch": i % 300}) for i in range(900)]
    shuffled = random.Random(0).sample(rows, len(rows))
    kept = []
    for order in (rows, shuffled):
        sample = RowSample(200)
        for row in order:
            sample.add(row)
        assert sample.partial
        assert sample.seen == 900
        kept.append(sorted(row.number for row in sample.rows))
    assert kept[0] == kept[1]
    assert 0 < len(kept[0]) <= 200


def test_one_configuration_alone_is_bounded_too() -> None:
    sample = RowSample(10)
    row = Row("x", 1, {"family": "relu", "batch": 1})
    for number in range(1000):
        sample.add(replace(row, number=number))
    assert len(sample.rows) <= 10


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    peaks = []
    for name, count in (("some", 1000), ("many", 8000)):
        platform = load_platform(_folder(tmp_path / name, count))
        tracemalloc.start()
        check(platform, most=900)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # A piece of a table (20,000 rows as text) is held in both; all 24,000 rows would be 40 MB more.
    assert peaks[1] < peaks[0] + 25e6
