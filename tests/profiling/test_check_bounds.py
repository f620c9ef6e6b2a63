"""What ``measurements check`` looks at, with a row just inside and one just outside each bound."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from neuralpower.records.checks import check
from neuralpower.records.folder import load_platform

COLUMNS = (
    "family,batch,in_channels,in_height,in_width,out_channels,out_height,out_width,"
    "kernel_height,kernel_width,stride_height,stride_width,pad_height,pad_width,"
    "dilation_height,dilation_width,groups,pool_method,bias,runtime_ms,power_w,repeat"
)


def fc(macs: int, ms: float, watts: float | str = "", repeat: int = 1) -> str:
    return f"fc,1,{macs // 1000},1,1,1000,1,1,1,1,1,1,0,0,1,1,1,,0,{ms!r},{watts},{repeat}"


def findings(folder: Path, **tables: Sequence[str]) -> list[str]:
    folder.mkdir()
    for name, rows in tables.items():
        (folder / f"{name}.csv").write_text("\n".join((COLUMNS, *rows)) + "\n")
    found = check(load_platform(folder)).findings
    # The spread of repeats has its own bound, tested elsewhere.
    left_out = ("checksum", "such measurements are noisy")
    return [f.text for f in found if not any(words in f.text for words in left_out)]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([fc(10**6, 1.0), fc(10**6, 10.0, repeat=2)], ""),
        ([fc(10**6, 1.0), fc(10**6, 10.01, repeat=2)], "10 times the runtime of"),
        ([fc(10**6, 1.0, 5000.0)], ""),
        ([fc(10**6, 1.0, 5000.1)], "milliwatts taken for watts?"),
        # 10^9 MACs are 2 GFLOP: 2 x 10^6 GFLOP/s take a microsecond.
        ([fc(10**9, 1.001e-3)], ""),
        ([fc(10**9, 0.999e-3)], "seconds taken for milliseconds?"),
        ([fc(10**6, 1.0, 50.0), fc(10**6, 1.0, 50.0)], "exactly"),
        ([fc(10**6, 1.0, 50.0), fc(10**6, 1.0, 50.0, repeat=2)], ""),
    ],
)
def test_rows(tmp_path: Path, rows: list[str], said: str) -> None:
    found = findings(tmp_path / "p", fc=rows)
    assert len(found) == bool(said)
    assert all(said in text for text in found)


@pytest.mark.parametrize(
    ("ms", "said"), [(99.0, False), (101.0, True), (1 / 99, False), (1 / 101, True)]
)
def test_a_file_a_hundred_times_off_the_others(tmp_path: Path, ms: float, said: bool) -> None:
    # The usual rate is the middle one of three files.
    found = findings(
        tmp_path / "p",
        fc_1=[fc(10**6, 1.0)],
        fc_2=[fc(10**6, 1.0, repeat=2)],
        fc_3=[fc(10**6, ms, repeat=3)],
    )
    assert any("times the rate of the other files: a unit?" in text for text in found) is said


def test_a_row_without_sound_power_counts_and_one_without_a_runtime_does_not(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "p"
    folder.mkdir()
    rows = [fc(10**6, 1.0, -5.0), fc(2 * 10**6, -1.0, 50.0), fc(3 * 10**6, 3.0, 60.0)]
    (folder / "fc.csv").write_text("\n".join((COLUMNS, *rows)) + "\n")
    report = check(load_platform(folder))
    [family] = report.families
    assert (family["rows"], family["configurations"]) == (3, 2)
    assert (family["fastest_ms"], family["median_ms"], family["slowest_ms"]) == (1.0, 2.0, 3.0)
    assert (family["with_power"], family["lowest_w"], family["highest_w"]) == (1, 60.0, 60.0)
