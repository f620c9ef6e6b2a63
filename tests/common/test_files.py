"""Whole-or-nothing files, plain tables, safe names and the shared configuration."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuralpower.cli import main
from neuralpower.core import files
from neuralpower.core.cells import read_configuration
from neuralpower.core.configuration import CONFIGURATION_COLUMNS
from neuralpower.core.errors import InputError

POOL = {
    "family": "pool",
    "batch": "2",
    "in_channels": "3",
    "in_height": "8",
    "in_width": "8",
    "out_channels": "3",
    "out_height": "4",
    "out_width": "4",
    "kernel_height": "2",
    "kernel_width": "2",
    "stride_height": "2",
    "stride_width": "2",
    "pad_height": "0",
    "pad_width": "0",
    "pool_method": "max",
}


def test_a_failed_write_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "table.csv"
    files.write_text(target, "old")

    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full_disk)
    with pytest.raises(OSError, match="No space"):
        files.write_text(target, "new")
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


@pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="files without a name: Linux")
def test_a_process_killed_while_it_writes_leaves_nothing(tmp_path: Path) -> None:
    killed = (
        "import os, sys; from neuralpower.core import files;"
        "os.fsync = lambda handle: os.kill(os.getpid(), 9);"
        "files.write_text(sys.argv[1], 'new')"
    )
    target = tmp_path / "table.csv"
    files.write_text(target, "old")
    target.chmod(0o640)
    assert subprocess.run([sys.executable, "-c", killed, str(target)]).returncode == -9
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


@pytest.mark.parametrize("named", [True, False])
def test_a_file_has_the_rights_that_the_user_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    if named:  # a file system without files that have no name
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    before = os.umask(0o027)
    try:
        files.write_text(tmp_path / "table.csv", "new")
    finally:
        os.umask(before)
    assert (tmp_path / "table.csv").stat().st_mode & 0o777 == 0o640
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


def test_gzip_has_no_time_in_it(tmp_path: Path) -> None:
    files.write_text(tmp_path / "a.csv.gz", "x\n1\n")
    os.utime(tmp_path / "a.csv.gz", (1, 1))
    files.write_text(tmp_path / "b.csv.gz", "x\n1\n")
    assert (tmp_path / "a.csv.gz").read_bytes() == (tmp_path / "b.csv.gz").read_bytes()
    assert files.read_rows(tmp_path / "a.csv.gz") == (["x"], [{"x": "1"}])


def test_windows_line_ends_and_byte_order_mark_are_read(tmp_path: Path) -> None:
    path = tmp_path / "windows.csv"
    path.write_bytes("\ufeffa,b\r\n1,2\r\n".encode())
    assert files.read_rows(path) == (["a", "b"], [{"a": "1", "b": "2"}])


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", "empty"),
        ("a,b\n1\n", "row 1"),
        ("a,a\n1,2\n", ":1"),
        ("b\n1\n", "'a' is missing"),
    ],
)
def test_faulty_tables_are_reported_with_their_place(tmp_path: Path, text: str, place: str) -> None:
    path = tmp_path / "faulty.csv"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        files.read_rows(path, required=["a"])
    assert str(path) in str(caught.value)
    assert place in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"\xff\xfea", b"\x1f\x8bnot gzip"])
def test_unreadable_bytes_are_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / ("t.csv.gz" if content.startswith(b"\x1f") else "t.csv")
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"t\.csv"):
        files.read_text(path)


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".hidden", "a" * 200, "x\n", "a..b", "<b>"])
def test_unsafe_names_are_refused(name: str) -> None:
    with pytest.raises(InputError):
        files.safe_name(name)


@given(st.lists(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0")))))
def test_csv_text_keeps_every_field(cells: list[list[str]]) -> None:
    columns = ["a", "b"]
    rows = [dict(zip(columns, [*fields, "", ""], strict=False)) for fields in cells]
    text = files.csv_text(columns, rows)
    stored = map(files._as_meant, list(csv.reader(io.StringIO(text)))[1:])
    assert list(stored) == [[r["a"], r["b"]] for r in rows]


def test_missing_is_empty_and_floats_are_exact() -> None:
    text = files.csv_text(["a", "b", "c", "d"], [{"a": None, "b": 0.1 + 0.2, "c": float("nan")}])
    assert text == "a,b,c,d\n,0.30000000000000004,,\n"


def test_aligned_text_leaves_out_empty_columns() -> None:
    text = files.aligned_text(["name", "x", "n"], [{"name": "a", "n": 1}, {"name": "bc", "n": 20}])
    assert text == "name   n\na      1\nbc    20\n"


def test_configuration_from_a_row_takes_the_defaults_of_absent_columns() -> None:
    configuration = read_configuration(POOL)
    assert (configuration.kernel_height, configuration.dilation_width) == (2, 1)
    assert read_configuration(configuration.as_row()) == configuration
    assert list(configuration.as_row()) == list(CONFIGURATION_COLUMNS)


@pytest.mark.parametrize(
    "change", [{"batch": "x"}, {"batch": ""}, {"family": ""}, {"groups": "1.5"}]
)
def test_configuration_names_the_column_that_is_wrong(change: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=next(iter(change))):
        read_configuration({**POOL, **change})


def test_the_key_is_the_same_on_every_machine() -> None:
    # A literal: keys name visits in recorded files, so a change of the rule orphans them.
    assert read_configuration(POOL).key() == "200d98cd32043776"


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("," * 2_000, "2001 columns, more than 2000: not a table of this program"),
        ("," * 1_000_001, "a line of more than 1000000 characters: not a table of this program"),
        ("a," * 900 + "b,b", "column 'a' is given twice"),
    ],
)
@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz"])
def test_a_table_without_bounds_is_refused(
    tmp_path: Path, name: str, header: str, message: str
) -> None:
    path = tmp_path / name
    files.write_text(path, header + "\n")
    with pytest.raises(InputError) as caught:
        files.read_rows(path)
    assert str(caught.value) == f"{path}:1: {message}"


def test_a_long_row_names_its_line_and_a_quoted_newline_splits_nothing(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    files.write_text(path, 'a,b\n"1\n\u20282",3\n')
    assert files.read_rows(path)[1] == [{"a": "1\n\u20282", "b": "3"}]
    files.write_text(path, "a,b\n1,2\n" + "," * 1_000_001 + "\n")
    with pytest.raises(InputError, match=r"t\.csv:3: a line of more than 1000000 characters"):
        files.read_rows(path)


def test_a_table_without_columns_is_no_text() -> None:
    assert files.aligned_text([], []) == ""


@given(st.lists(st.text("'=+-@ ab1,\"\n", max_size=6).map(str.strip), min_size=1, max_size=4))
def test_no_cell_begins_as_a_formula_and_all_come_back(cells: list[str]) -> None:
    """Spreadsheets run what begins with = + - @; numbers stay numbers."""
    columns = [f"c{i}" for i in range(len(cells))]
    text = files.csv_text(columns, [dict(zip(columns, cells, strict=True))])
    for cell in list(csv.reader(io.StringIO(text)))[1]:
        assert not cell.startswith(("=", "+", "-", "@")) or files._is_number(cell)
    with tempfile.TemporaryDirectory() as folder:
        files.write_text(path := Path(folder) / "t.csv", text)
        (row,) = files.read_rows(path)[1]
    assert list(row.values()) == cells


def test_formulas_in_names_reach_no_spreadsheet(tmp_path: Path) -> None:
    net = tmp_path / "net.prototxt"
    net.write_text(
        'layer { name: "=HYPERLINK(1)" type: "Input" top: "@x" input_param { shape { dim: 1 } } }\n'
        'layer { name: "-1+1" type: "ReLU" bottom: "@x" top: "-2" }\n'
    )
    out = tmp_path / "out.csv"
    assert main(["layers", str(net), "--out", str(out)]) == 0
    rows = list(csv.DictReader(out.open()))
    assert [row["name"] for row in rows] == ["'=HYPERLINK(1)", "'-1+1"]
    assert rows[1]["bottoms"] == "'@x"
    assert rows[1]["tops"] == "-2"  # a number is no formula
    assert [row["name"] for row in files.read_rows(out)[1]] == ["=HYPERLINK(1)", "-1+1"]
