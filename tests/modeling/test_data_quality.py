"""Tables as they come: every row left out is listed, nothing is left out in silence."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from modeling_tables import (
    QUICK,
    Record,
    data_of,
    dataset,
    fc_records,
    layers_of,
    measured,
    write_platform,
)

from neuralpower.core.errors import InputError
from neuralpower.modeling.crossvalidation import Candidate
from neuralpower.modeling.data import DISAGREE
from neuralpower.modeling.features import FeatureTable
from neuralpower.modeling.fitting import FitOptions, choose
from neuralpower.modeling.platforms import fit_platform
from neuralpower.records.folder import Row


def law(table: FeatureTable) -> np.ndarray:
    return 0.01 + 2e-7 * table["macs"] + 1e-6 * table["weight_elements"]


def records(rows: int = 60) -> list[Record]:
    return measured(fc_records(rows), law, noise=0.05, power=lambda t: 40.0 + 0.0 * t["batch"])


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (float("nan"), "not finite"),
        (float("inf"), "not finite"),
        (0.0, "not positive"),
        (-1.0, "not positive"),
        (None, "missing"),
    ],
)
def test_bad_runtimes_are_listed_and_left_out(
    tmp_path: Path, value: float | None, reason: str
) -> None:
    rows = records()
    rows[4]["runtime_ms"] = "nan" if value is not None and value != value else value
    data = data_of(write_platform(tmp_path / "p", {"fc.csv": rows}))
    assert len(data.layers["fc", "runtime_ms"]) == 59
    [fault] = data.left_out
    assert (fault.file, fault.row, fault.column) == ("fc.csv", 5, "runtime_ms")
    assert reason in fault.reason


def test_bad_power_costs_the_power_only(tmp_path: Path) -> None:
    rows = records()
    rows[0]["power_w"] = 0.0
    rows[1]["power_w"] = None
    data = data_of(write_platform(tmp_path / "p", {"fc.csv": rows}))
    assert len(data.layers["fc", "runtime_ms"]) == 60
    assert len(data.layers["fc", "power_w"]) == 58
    assert len(data.layers["fc", "energy_mj"]) == 58
    assert [f.action for f in data.left_out] == ["power left out"]


def test_text_in_a_number_column_is_an_error_with_its_row(tmp_path: Path) -> None:
    rows = records()
    rows[2]["runtime_ms"] = "fast"
    with pytest.raises(InputError, match=r"fc\.csv, row 3: .*'fast'"):
        data_of(write_platform(tmp_path / "p", {"fc.csv": rows}))


def test_repeats_merge_by_their_median_and_keep_their_spread(tmp_path: Path) -> None:
    rows = records()
    for repeat, factor in ((2, 1.1), (3, 2.0)):
        rows.append({**rows[0], "runtime_ms": rows[0]["runtime_ms"] * factor, "repeat": repeat})
    layers = layers_of(write_platform(tmp_path / "p", {"fc.csv": rows}), "fc")
    assert len(layers) == 60
    merged = int(np.argmax(layers.visits))
    assert layers.visits[merged] == 3
    assert layers.measured[merged] == pytest.approx(1.1 * rows[0]["runtime_ms"])
    assert layers.spread[merged] == pytest.approx(np.sqrt(2.0) - 1.0)


def test_disagreeing_repeats(tmp_path: Path) -> None:
    rows = records()
    first, second = rows[0], rows[1]
    rows.append({**first, "runtime_ms": first["runtime_ms"] * DISAGREE * 1.5})
    rows.append({**second, "runtime_ms": second["runtime_ms"] * DISAGREE * 1.5})
    rows.append({**second, "runtime_ms": second["runtime_ms"] * 1.05})
    data = data_of(write_platform(tmp_path / "p", {"fc.csv": rows}))
    # Two visits and no majority: both go. Of three, only the odd one.
    assert sorted(f.row for f in data.left_out) == [1, 61, 62]
    assert all("disagree" in f.reason for f in data.left_out)
    assert len(data.layers["fc", "runtime_ms"]) == 59


def test_a_shard_in_microseconds_is_left_out(tmp_path: Path) -> None:
    rows = records(120)
    other = [{**r, "runtime_ms": r["runtime_ms"] * 1000.0} for r in rows[:30]]
    folder = write_platform(tmp_path / "p", {"fc.1.csv": other, "fc.2.csv": rows[30:]})
    data = data_of(folder)
    slips = [f for f in data.left_out if "slip of units" in f.reason]
    assert {f.file for f in slips} == {"fc.1.csv"}
    assert len(slips) == 30
    assert len(data.layers["fc", "runtime_ms"]) == 90


def test_one_row_in_microseconds_is_left_out(tmp_path: Path) -> None:
    rows = records(120)
    rows[50]["runtime_ms"] *= 1000.0
    data = data_of(write_platform(tmp_path / "p", {"fc.csv": rows}))
    assert [(f.row, f.column) for f in data.left_out] == [(51, "runtime_ms")]


def test_honest_extremes_stay(tmp_path: Path) -> None:
    rows = records(120)
    for row in rows[:12]:
        row["runtime_ms"] *= 4.0  # an odd algorithm, no slip
    assert not data_of(write_platform(tmp_path / "p", {"fc.csv": rows})).left_out


@pytest.mark.parametrize("rows", [1, 3])
def test_too_few_rows_get_no_model_and_say_so(tmp_path: Path, rows: int) -> None:
    small = measured(fc_records(rows, seed=5), law)
    relu = [{**r, "family": "relu", "out_channels": r["in_channels"]} for r in records(20)]
    folder = write_platform(tmp_path / "p", {"fc.csv": small, "relu.csv": relu})
    fit_platform(folder, tmp_path / "m", QUICK)
    text = (tmp_path / "m" / "data_quality.csv").read_text()
    assert f"too few for a model: {rows} configurations" in text
    assert not (tmp_path / "m" / "fc.runtime_ms.json").exists()
    assert (tmp_path / "m" / "relu.runtime_ms.json").exists()


def test_nothing_usable_is_an_error_and_writes_nothing(tmp_path: Path) -> None:
    folder = write_platform(tmp_path / "p", {"fc.csv": measured(fc_records(3), law)})
    with pytest.raises(InputError, match="no layer family has 5"):
        fit_platform(folder, tmp_path / "m", QUICK)
    assert not (tmp_path / "m").exists()


def test_one_distinct_target_is_a_constant_model(tmp_path: Path) -> None:
    rows = [{**r, "runtime_ms": 2.5, "power_w": None} for r in records(40)]
    folder = write_platform(tmp_path / "p", {"fc.csv": rows})
    fit_platform(folder, tmp_path / "m", QUICK)
    from neuralpower.modeling.models import load_models

    model = load_models(tmp_path / "m").get("fc", "runtime_ms")
    assert model is not None
    guess = model.predict(layers_of(folder, "fc").columns)
    np.testing.assert_allclose(guess.value, 2.5, rtol=1e-6)
    assert (guess.lo <= guess.value).all()
    assert model.n_terms == 1


@pytest.mark.parametrize(
    "rows",
    [
        8_000,
        pytest.param(
            100_000,
            marks=[
                pytest.mark.slow,
                pytest.mark.skipif(
                    not os.environ.get("NEURALPOWER_SLOW"), reason="opt-in: NEURALPOWER_SLOW=1"
                ),
            ],
        ),
    ],
)
def test_large_tables_follow_the_same_rules(rows: int) -> None:
    """Every kind of bad row in one table: each is listed with its reason, the rest is modelled."""
    # Separate batches keep the bad rows' configurations apart from all others.
    configurations = fc_records(rows)
    for i, record in enumerate(configurations[:60]):
        record["batch"] = 1000 + i
    records = measured(configurations, law, noise=0.05)
    bad = {0: float("nan"), 1: float("inf"), 2: 0.0, 3: -1.0, 4: None}
    for i, value in bad.items():
        records[i]["runtime_ms"] = value
    in_us = ({**r, "runtime_ms": r["runtime_ms"] * 1000.0} for r in records[5:45])
    slip = [Row("slip.csv", i, r) for i, r in enumerate(in_us, 1)]
    odd = {**records[55], "runtime_ms": records[55]["runtime_ms"] * DISAGREE * 2.0}
    kept = [*records[:5], *records[45:], odd]
    table = [Row("fc.csv", i, r) for i, r in enumerate(kept, 1)]
    data = dataset([*table, *slip])

    reasons = Counter(
        next(
            k
            for k in ("not finite", "not positive", "missing", "slip", "disagree")
            if k in f.reason
        )
        for f in data.left_out
    )
    assert reasons == {
        "not finite": 2, "not positive": 2, "missing": 1, "slip": 40, "disagree": 2,
    }  # fmt: skip
    layers = data.layers["fc", "runtime_ms"]
    assert int(layers.visits.sum()) == len(table) - 5 - 2
    assert len(layers) > 0.98 * rows - 50
    choice = choose(layers, FitOptions((Candidate("physical", "relative", "non-negative"),), 5))
    error = 100.0 * np.sqrt(np.mean((choice.selection.predicted / layers.measured - 1.0) ** 2))
    assert 4.5 < error < 6.0  # the noise is 5 %
