from __future__ import annotations

from pathlib import Path

import pytest
from network_doubles import LinearModel, PlainModels

from neuralpower.core.errors import InputError
from neuralpower.networks.configurations import ADDED_COLUMNS, predict_table

SIZES = "family,batch,in_channels,in_height,in_width,out_channels,out_height,out_width"
WINDOW = "kernel_height,kernel_width,stride_height,stride_width,pad_height,pad_width,groups"
HEADER = f"{SIZES},{WINDOW},pool_method"
MODELS = PlainModels({("conv", "runtime_ms"): LinearModel(0.5)})


def table(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "configurations.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_rows_gain_predictions_and_keep_their_own_columns(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        f"tag,{HEADER},runtime_ms",
        "a,conv,1,3,8,8,10,8,8,1,1,1,1,0,0,1,,4.5",
        "b,pool,1,3,8,8,3,8,8,1,1,1,1,0,0,1,max,",
    )
    header, rows = predict_table(path, MODELS)
    assert header == ["tag", *HEADER.split(","), "given_runtime_ms", *ADDED_COLUMNS]
    assert rows[0]["runtime_ms"] == 5.0
    assert rows[0]["given_runtime_ms"] == "4.5"
    assert rows[0]["power_w"] is None
    assert (rows[1]["tag"], rows[1]["source"], rows[1]["runtime_ms"]) == ("b", "none", None)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "conv,1,3,8,8,ten,8,8,1,1,1,1,0,0,1,",
            "row 2: column out_channels: 'ten' is not a whole number",
        ),
        ("conv,1,3,8,8,,8,8,1,1,1,1,0,0,1,", "row 2: column out_channels is empty"),
        ("conv,0,3,8,8,10,8,8,1,1,1,1,0,0,1,", "row 2: column batch: '0' is less than 1"),
        ("conv,1,3,8,8,1.5,8,8,1,1,1,1,0,0,1,", "row 2: column out_channels: '1.5'"),
        ("conv,1,3,8,8,10,8,8,,1,1,1,0,0,1,", "row 2: column kernel_height is empty or missing"),
        (",1,3,8,8,10,8,8,1,1,1,1,0,0,1,", "row 2: column family is empty"),
        (
            "conv,1,3,32,32,10,77,77,3,3,1,1,0,0,1,",
            "row 2: column out_height: conv: an input of 32 gives an output of 30, not 77",
        ),
        ("conv,1,3,8,8,10,8,8,3,3,1,1,1,1,2,", "row 2: column groups: conv: 2 groups do not"),
        ("pool,1,3,8,8,10,8,8,1,1,1,1,0,0,1,max", "row 2: column out_channels: pool: 3 channels"),
        ("conv,9000000000000000,3,8,8,10,8,8,1,1,1,1,0,0,1,", "row 2: column batch: .* of data"),
    ],
)
def test_a_bad_field_is_reported_with_its_row_and_column(
    tmp_path: Path, line: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        predict_table(table(tmp_path, HEADER, "conv,1,3,8,8,10,8,8,1,1,1,1,0,0,1,", line), MODELS)


def test_a_missing_column_is_reported(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="column 'in_channels' is missing"):
        predict_table(table(tmp_path, "family,batch", "conv,1"), MODELS)
