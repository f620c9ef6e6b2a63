"""The table that lists networks: written, read again, and where a fault of it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from neuralpower.core.errors import InputError
from neuralpower.networks.overview import Listed, read_overview, write_overview
from neuralpower.networks.reading import Reading

LISTED = [
    Listed("a", "prototxts/a.prototxt", "0" * 64, Reading(phase="TRAIN", level=2), layers=9,
           layers_known=9, layers_supported=7, macs=1000, macs_supported_share=0.75),
    Listed("b", "prototxts/b.prototxt", "1" * 64, Reading(), refused="line 3: no such field"),
]  # fmt: skip


def test_a_table_comes_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "layers.csv"
    write_overview(path, LISTED)
    assert read_overview(path) == LISTED
    assert LISTED[1].reason == "prototxts/b.prototxt: line 3: no such field"


@pytest.mark.parametrize("row", [1, 2])
def test_a_fault_names_its_row(tmp_path: Path, row: int) -> None:
    path = tmp_path / "layers.csv"
    write_overview(path, LISTED)
    lines = path.read_text().splitlines()
    header = lines[0].split(",")
    cells = lines[row].split(",")
    cells[header.index("layers")] = "many"
    lines[row] = ",".join(cells)
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(InputError) as fault:
        read_overview(path)
    assert (fault.value.path, fault.value.row) == (path, row)
