"""Tables that are read in pieces: the same rows as read at once, within a bounded memory."""

from __future__ import annotations

import random
import re
import tracemalloc
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from modeling_tables import QUICK, dataset

from neuralpower.core.configuration import CONFIGURATION_COLUMNS
from neuralpower.core.errors import InputError
from neuralpower.modeling import data as data_module
from neuralpower.modeling import visits as visits_module
from neuralpower.modeling.data import Dataset, load_dataset
from neuralpower.modeling.fitting import DEALS
from neuralpower.modeling.platforms import fit_platform
from neuralpower.modeling.visits import Collected, collect
from neuralpower.records.blocks import iter_blocks
from neuralpower.records.folder import load_rows

HEADER = ",".join((*CONFIGURATION_COLUMNS, "runtime_ms", "power_w", "repeat", "valid", "network"))
CONV = "conv,8,64,56,{h},64,56,56,3,3,1,1,1,1,1,1,1,,1,1,{t},{p},1,{v},{n}"
RELU = "relu,{b},{c},{h},9,{c},{h},9,,,,,,,,,,,,,{t},{p},{r},,"


def table(folder: Path, lines: Sequence[str], name: str = "any.csv") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("\n".join([HEADER, *lines]) + "\n")
    return folder


def relu_lines(configurations: int, visits: int = 3, seed: int = 0) -> list[str]:
    """Visits of distinct configurations, a line through the elements and 5 % of scatter."""
    draw = random.Random(seed)
    lines = []
    for i in range(configurations):
        b, c, h = 1 + i % 7, 1 + i % 1013, 1 + i // 7
        for repeat in range(visits):
            time = (0.01 + 1e-5 * b * c * h) * draw.lognormvariate(0, 0.05)
            lines.append(RELU.format(b=b, c=c, h=h, t=f"{time:.6g}", p="", r=repeat + 1))
    return lines


def left_out(data: Dataset) -> list[tuple[object, ...]]:
    return [(f.file, f.row, f.column, f.reason, f.action, str(f.value)) for f in data.left_out]


def odd_lines() -> list[str]:
    draw = random.Random(1)
    lines = []
    for i in range(300):
        values = {
            "t": draw.choice(
                ["1.5", " 2.5 ", "nan", "", "0", "-1", "inf", f"{draw.random():.17g}"]
            ),
            "p": draw.choice(["", " ", "10.5", "nan", "0", "1e3"]),
            "h": draw.choice(["7", " 7", "7.0", "0", str(i)]),
        }
        if i % 3:
            values |= {"v": draw.choice(["", "1", "0", "False"]), "n": draw.choice(["", "alexnet"])}
            lines.append(CONV.format(**values))
        else:
            lines.append(RELU.format(b=1 + i % 2, c=i, r=1, **values))
    return lines


@pytest.mark.parametrize("rows", [1, 7, 20_000])
def test_pieces_are_the_same_rows(tmp_path: Path, rows: int) -> None:
    folder = table(tmp_path / "p", odd_lines())
    whole = dataset(load_rows(folder))
    pieces = data_module._dataset(collect(iter_blocks(folder, rows)))
    assert left_out(pieces) == left_out(whole)
    assert len(whole.left_out) > 100
    assert pieces.rows_read == whole.rows_read
    assert list(pieces.layers) == list(whole.layers)
    for key, layers in whole.layers.items():
        assert pieces.layers[key].checksum() == layers.checksum()
        assert pieces.layers[key].groups == layers.groups
        assert (pieces.layers[key].visits == layers.visits).all()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (CONV.format(h=7, t="fast", p="", v="", n=""), "runtime_ms: 'fast' is not a number"),
        (CONV.format(h=7, t="4_6", p="", v="", n=""), "runtime_ms: '4_6' is not a number"),
        (CONV.format(h=7.5, t=1, p="", v="", n=""), "in_width: '7.5' is not a whole number"),
        (CONV.format(h="", t=1, p="", v="", n=""), "in_width is empty"),
        (CONV.format(h=7, t=1, p="", v="", n="").replace("56,3,3", "56,,3"), "kernel_height is"),
        (CONV.format(h=7, t=1, p="", v="", n="").replace("conv", "konv"), "family: 'konv'"),
        (CONV.format(h=7, t=1, p="", v="", n="").replace("conv", "pool"), "pool_method: ''"),
        ("conv,1", "2 fields where the header has 25"),
    ],
)
def test_a_fault_far_down_is_reported_with_its_row(tmp_path: Path, line: str, message: str) -> None:
    folder = table(tmp_path / "p", [*relu_lines(50), line, *relu_lines(5)])
    with pytest.raises(InputError) as whole:
        load_rows(folder)
    with pytest.raises(InputError) as pieces:
        collect(iter_blocks(folder, 40))
    assert str(pieces.value) == str(whole.value)
    assert re.search(rf"any\.csv, row 151: (column )?{message}", str(pieces.value))


def peak(folder: Path) -> tuple[int, Collected]:
    tracemalloc.start()
    try:
        found = collect(iter_blocks(folder, 500), most_configurations=200, most_visits=800)
        return tracemalloc.get_traced_memory()[1], found
    finally:
        tracemalloc.stop()


def test_ten_times_the_rows_take_no_more_memory(tmp_path: Path) -> None:
    small, few = peak(table(tmp_path / "small", relu_lines(1_000)))
    large, many = peak(table(tmp_path / "large", relu_lines(10_000)))
    assert (few.rows_read["relu"], many.rows_read["relu"]) == (3_000, 30_000)
    assert large < 1.1 * small
    assert len(few.visits["relu"]) == len(many.visits["relu"]) == 600


def configurations(found: Collected) -> set[tuple[int, ...]]:
    columns = found.visits["relu"].columns
    names = ("batch", "in_channels", "in_height")
    return set(zip(*(columns[name].tolist() for name in names), strict=True))


def test_the_sample_depends_on_what_was_measured_not_on_its_order(tmp_path: Path) -> None:
    lines = relu_lines(3_000)
    sample = partial(collect, most_configurations=300, most_visits=1_000)
    whole = sample(iter_blocks(table(tmp_path / "a", lines), 700))
    random.Random(0).shuffle(lines)
    table(tmp_path / "b", lines[:1000], "relu.1.csv")
    shards = sample(iter_blocks(table(tmp_path / "b", lines[1000:], "relu.2.csv"), 450))
    assert configurations(whole) == configurations(shards)
    assert len(configurations(whole)) == 300
    # With all of their visits.
    assert len(whole.visits["relu"]) == len(shards.visits["relu"]) == 900
    # The estimate of how many there are: 300 checksums tell it to 6 % (one standard error).
    about = int(whole.sampled["relu"].split()[1].replace(",", ""))
    assert abs(about / 3_000 - 1) < 0.2
    # Sizes are as in the whole table: nothing but chance chooses.
    heights = np.array(sorted(h for _, _, h in configurations(whole)))
    assert abs(np.median(heights) / (3_000 / 7 / 2) - 1) < 0.2


def test_endless_visits_of_few_configurations_are_thinned_evenly(tmp_path: Path) -> None:
    lines = relu_lines(4, visits=1_000)
    random.Random(0).shuffle(lines)
    found = collect(iter_blocks(table(tmp_path / "p", lines), 300), most_visits=400)
    visits = found.visits["relu"]
    order, starts = visits.configurations()
    assert np.diff(starts, append=len(order)).tolist() == [100] * 4
    assert "at most 100 visits of a configuration" in found.sampled["relu"]
    whole = load_dataset(tmp_path / "p").layers["relu", "runtime_ms"]
    thinned = data_module._dataset(found).layers["relu", "runtime_ms"]
    np.testing.assert_allclose(thinned.measured, whole.measured, rtol=0.03)


def test_a_sampled_family_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = table(tmp_path / "p", relu_lines(400))
    monkeypatch.setattr(data_module, "collect", partial(collect, most_configurations=100))
    heard: list[str] = []
    fit_platform(folder, tmp_path / "m", QUICK, tell=heard.append)
    [line] = heard
    assert line.endswith("configurations: the models are of 100 of them, drawn by checksum")
    assert "relu: about 4" in line
    assert "the models are of 100 of them" in (tmp_path / "m/data_quality.csv").read_text()
    assert (tmp_path / "m/out_of_fold.csv").read_text().count("\nrelu,") == 100 * DEALS


def test_of_very_many_faulty_values_the_first_are_listed_and_all_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [RELU.format(b=1, c=i + 1, h=1, t="0", p="", r=1) for i in range(50)]
    lines.append(RELU.format(b=1, c=60, h=1, t="-3", p="", r=1))
    folder = table(tmp_path / "p", [*lines, *relu_lines(5)])
    monkeypatch.setattr(visits_module, "MOST_FAULTS", 10)
    found = load_dataset(folder).left_out
    assert [fault.row for fault in found] == [*range(1, 11), 11, 51]
    assert found[10].reason == "runtime 0 is not positive (and 39 rows after it)"
    # A negative runtime refuses the table, wherever it is.
    with pytest.raises(InputError, match="row 51"):
        fit_platform(folder, tmp_path / "m", QUICK, leave_out_negative=False)
