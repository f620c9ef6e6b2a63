"""Reading a folder of measurements: what loads, what is an error, what is only a faulty value."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from neuralpower.core.cells import SIZE_COLUMNS
from neuralpower.core.configuration import CONFIGURATION_COLUMNS
from neuralpower.core.errors import InputError
from neuralpower.core.families import FAMILY
from neuralpower.records.blocks import iter_blocks
from neuralpower.records.checks import check
from neuralpower.records.faults import faults
from neuralpower.records.folder import (
    discover,
    load_network_rows,
    load_platform,
    load_rows,
)

REFERENCE = Path(__file__).resolve().parents[2] / "../shared/reference/measurements"
HEADER = ",".join((*CONFIGURATION_COLUMNS, "runtime_ms", "power_w", "repeat"))
CONV = "conv,8,64,56,56,64,56,56,3,3,1,1,1,1,1,1,1,,1,1,46.4774,,1"
FC = "fc,8,640,1,1,100,1,1,,,,,,,,,,,1,,0.5,12.5,1"
REFERENCE_ROWS = {
    "caffe-cpu": (2635, 78, 0),
    "cunningham-raptorlake": (3000, 0, 7),
    "getzner-xeon5120": (9198, 89, 0),
    "justus-1080ti": (24766, 0, 0),
    "neurstruc-edge": (999, 0, 0),
    "neusight-a100": (11247, 0, 0),
    "neusight-p100": (11375, 0, 0),
}


def folder_with(tmp_path: Path, *lines: str, header: str = HEADER, name: str = "any.csv") -> Path:
    folder = tmp_path / "board"
    folder.mkdir(exist_ok=True, parents=True)
    (folder / name).write_text("\n".join((header, *lines)) + "\n")
    return folder


def test_short_form_alone_is_a_platform(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, CONV, FC)
    (platform,) = discover(tmp_path)
    assert (platform.name, platform.device, platform.number("peak_gflops")) == ("board", "", None)
    conv, fc = load_rows(folder)
    assert conv.values["kernel_height"] == 3
    assert conv.values["power_w"] is None
    assert fc.values["kernel_height"] == 1
    assert fc.values["inputs"] == 1
    assert [row.values["power_w"] is None for row in (conv, fc)] == [True, False]


def test_shards_and_extra_columns_pass(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, CONV + ",x", header=HEADER + ",remark", name="conv.1.csv")
    (folder / "conv.2.csv.gz").write_bytes(gzip.compress((HEADER + "\n" + CONV + "\n").encode()))
    rows = load_rows(folder)
    assert [(row.file, row.number) for row in rows] == [("conv.1.csv", 1), ("conv.2.csv.gz", 1)]
    assert [row.values.get("remark", "") for row in rows] == ["x", ""]


def test_the_same_shard_twice_is_refused(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, CONV, name="conv.csv")
    (folder / "conv.csv.gz").write_bytes(gzip.compress((HEADER + "\n" + CONV + "\n").encode()))
    with pytest.raises(InputError, match=r"conv\.csv: is beside conv\.csv\.gz"):
        load_platform(folder)


def without(tmp_path: Path, name: str, row: str = CONV) -> Path:
    """A table of one row that lacks a column."""
    names = HEADER.split(",")
    at = names.index(name)
    header = ",".join(names[:at] + names[at + 1 :])
    cells = row.split(",")
    return folder_with(tmp_path, ",".join(cells[:at] + cells[at + 1 :]), header=header)


@pytest.mark.parametrize("name", [*SIZE_COLUMNS, "runtime_ms"])
def test_missing_column_names_file_and_column(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=rf"any\.csv:1: column '{name}' is missing"):
        load_rows(without(tmp_path, name))


@pytest.mark.parametrize("name", FAMILY["conv"].cells)
def test_a_column_that_the_family_needs_is_reported_by_row(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=rf"any\.csv, row 1: column {name} is empty or missing"):
        load_rows(without(tmp_path, name))


@pytest.mark.parametrize(
    "name", ["dilation_height", "pool_method", "bias", "inputs", "power_w", "repeat"]
)
def test_a_column_that_no_row_needs_may_be_absent(tmp_path: Path, name: str) -> None:
    (row,) = load_rows(without(tmp_path, name))
    (same,) = load_rows(folder_with(tmp_path / "whole", CONV.replace(",1,1,46", ",0,1,46")
                                    if name == "bias" else CONV))  # fmt: skip
    assert {**row.values, name: None} == {**same.values, name: None}
    (block,) = [block for part in iter_blocks(tmp_path / "board") for block in part]
    assert block.runtime_ms.tolist() == [46.4774]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (CONV.replace("46.4774", "fast"), r"row 2: column runtime_ms: 'fast' is not a number"),
        (CONV.replace("46.4774", "4_6"), r"row 2: column runtime_ms: '4_6' is not a number"),
        (CONV.replace("conv,8", "conv,eight"), r"row 2: column batch: 'eight' is not a whole"),
        (CONV.replace("conv,8", "conv,8.5"), r"row 2: column batch: '8.5' is not a whole"),
        (CONV.replace("conv,8", "conv,"), r"row 2: column batch is empty"),
        (CONV.replace("56,3,3", "56,,3"), r"row 2: column kernel_height is empty"),
        (CONV.replace("conv,8", "konv,8"), r"row 2: column family: 'konv' is not"),
        (CONV.replace("conv,8", "pool,8"), r"row 2: column pool_method: '' is none of"),
        (CONV + ",", r"row 2: 24 fields where the header has 23"),
    ],
)
def test_faults_of_the_table_name_the_row(tmp_path: Path, line: str, message: str) -> None:
    folder = folder_with(tmp_path, CONV, line)
    with pytest.raises(InputError, match=message):
        load_rows(folder)


@pytest.mark.parametrize(
    ("line", "column", "action"),
    [
        (CONV.replace("46.4774", "-1"), "runtime_ms", "left out"),
        (CONV.replace("46.4774", "0"), "runtime_ms", "left out"),
        (CONV.replace("46.4774", ""), "runtime_ms", "left out"),
        (CONV.replace("46.4774", "inf"), "runtime_ms", "left out"),
        (CONV.replace("conv,8", "conv,0"), "batch", "left out"),
        (FC.replace("12.5", "0"), "power_w", "power left out"),
    ],
)
def test_faults_of_a_value_are_reported_not_raised(
    tmp_path: Path, line: str, column: str, action: str
) -> None:
    (fault,) = faults(load_rows(folder_with(tmp_path, CONV, line)))
    assert (fault.file, fault.row, fault.column, fault.action) == ("any.csv", 2, column, action)


def test_manifest_is_optional_but_must_be_an_object(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, CONV)
    manifest = {"device": "a box", "power": {"measured": False, "reason": "no sensor"}}
    (folder / "manifest.json").write_text(json.dumps(manifest | {"peak_gflops": 40}))
    platform = load_platform(folder)
    assert (platform.device, platform.power_reason) == ("a box", "no sensor")
    assert platform.number("peak_gflops") == 40.0
    (folder / "manifest.json").write_text("[]")
    with pytest.raises(InputError, match="a JSON object is needed"):
        load_platform(folder)
    (folder / "manifest.json").write_text('{"device": }')
    with pytest.raises(InputError, match=r"manifest\.json:1:12: not JSON"):
        load_platform(folder)


def test_tables_of_headers_alone_are_a_finding(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, name="conv.csv")
    (finding,) = check(load_platform(folder)).findings
    assert (finding.severity, finding.place) == ("error", "board")
    assert finding.text == "its tables have no rows, only headers: measure, or fill them in"
    folder_with(tmp_path, FC, name="fc.csv")
    (finding,) = check(load_platform(folder)).findings
    assert (finding.severity, finding.place) == ("warning", "conv.csv")


def test_empty_or_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no measurement tables"):
        load_platform(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        discover(tmp_path / "nowhere")


def test_network_names_are_checked(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, CONV)
    (folder / "networks.csv").write_text(
        "network,batch,runtime_ms,power_w,runs\nalexnet,4,10.5,,3\n../up,4,10.5,,3\n"
    )
    with pytest.raises(InputError, match=r"networks\.csv, row 2: network '\.\./up'"):
        load_network_rows(folder)


@pytest.mark.parametrize("name", sorted(REFERENCE_ROWS))
def test_reference_sets_load(name: str) -> None:
    if not REFERENCE.is_dir():
        pytest.skip("no folder shared/reference beside the repository")
    rows = load_rows(REFERENCE / name)
    networks = load_network_rows(REFERENCE / name)
    assert (len(rows), len(networks), len(faults(rows))) == REFERENCE_ROWS[name]
