from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuralpower.core.errors import InputError
from neuralpower.networks.choosing import compare, probability_less
from neuralpower.networks.published import read_published


def total(network: str, batch: int, ms: float, mj: float | None = None) -> dict[str, Any]:
    row: dict[str, Any] = {"network": network, "index": None, "name": "TOTAL", "batch": batch}
    for target, value in (("runtime_ms", ms), ("energy_mj", mj)):
        row |= {
            f"{target}{end}": None if value is None else value * factor
            for end, factor in (("", 1.0), ("_lo", 0.9), ("_hi", 1.1))
        }
    return row | {"power_w": None, "extrapolates": None, "note": "covers all"}


ERRORS = {
    "small": {"dataset": "D", "top5_error": 20.0},
    "large": {"dataset": "D", "top5_error": 10.0},
    "waste": {"dataset": "D", "top5_error": 20.0},
    "other": {"dataset": "E", "top1_error": 50.0},
}
ROWS = [
    total("small", 1, 10, 100),
    total("small", 4, 20, 200),
    total("large", 1, 50, 500),
    total("waste", 1, 60, 600),
    total("other", 1, 70, 700),
    total("unknown", 1, 1, 10),
]


def best(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {row["network"]: row for row in rows if row["best_batch"]}


def test_the_best_batch_is_where_an_image_costs_least() -> None:
    found = best(compare(ROWS, ERRORS))
    assert found["small"]["batch"] == 4
    assert found["small"]["energy_mj_per_image"] == 50
    assert found["small"]["cost"] == "energy_mj"


def test_networks_are_ranked_by_cost_per_image() -> None:
    found = best(compare(ROWS, ERRORS))
    order = sorted(found, key=lambda name: found[name]["rank"])
    assert order == ["unknown", "small", "large", "waste", "other"]
    assert found["unknown"]["next_network"] == "small"
    assert found["other"]["probability_before_next"] is None
    assert found["small"]["probability_before_next"] > 0.999
    assert 0.9 < found["large"]["probability_before_next"] < 0.999


def test_the_pareto_front_is_within_a_data_set_and_needs_an_error() -> None:
    found = best(compare(ROWS, ERRORS))
    assert {name: row["pareto"] for name, row in found.items()} == {
        "small": 1, "large": 1, "waste": 0, "other": None, "unknown": None,
    }  # fmt: skip


def test_top_1_and_top_5_errors_are_never_compared() -> None:
    both = {"a": {"top1_error": 40.0, "top5_error": 18.0}, "b": {"top1_error": 30.0},
            "c": {"top1_error": 25.0, "top5_error": 8.0}}  # fmt: skip
    rows = [total(name, 1, 1.0) for name in both]
    kinds = {row["error_kind"] for row in compare(rows, both)}
    assert kinds == {"top1_error"}, "the kind that most have"
    by_top5 = {row["network"]: row for row in compare(rows, both, error="top5_error")}
    assert [by_top5[n]["error_percent"] for n in "abc"] == [18.0, None, 8.0]
    assert {row["error_kind"] for row in compare(ROWS, ERRORS)} == {"top5_error", None}


def test_one_batch_size_is_compared_at_a_time() -> None:
    rows = compare(ROWS, ERRORS, batch=4)
    assert [(row["network"], row["batch"], row["rank"]) for row in rows] == [("small", 4, 1)]
    found = best(compare(ROWS, ERRORS, batch=1))
    assert found["small"]["energy_mj_per_image"] == 100


def test_the_energy_precision_ratio_is_that_of_the_paper() -> None:
    found = best(compare(ROWS, ERRORS))
    for alpha in (1, 2, 3, 4):
        assert found["large"][f"epr_{alpha}_j"] == pytest.approx(0.1**alpha * 0.5)
        assert found["large"][f"runtime_ratio_{alpha}_ms"] is None
    assert found["unknown"]["epr_1_j"] is None
    timed = compare([total("large", 2, 50)], ERRORS)[0]
    assert timed["runtime_ratio_2_ms"] == pytest.approx(0.1**2 * 25)
    assert timed["epr_2_j"] is None, "a ratio with the runtime is no energy"


def test_the_paper_s_ranking_follows_from_its_own_figures() -> None:
    """Errors and energies per image of design note and paper: AlexNet for 1-3, VGG-16 for 4."""
    figures = {"vgg16": (7.30, 1178.9), "alexnet": (17.0, 59.3), "nin": (20.2, 89.6),
               "overfeat": (14.2, 266.5)}  # fmt: skip
    errors = {name: {"dataset": "D", "top5_error": e} for name, (e, _) in figures.items()}
    rows = compare([total(name, 1, 1.0, mj) for name, (_, mj) in figures.items()], errors)
    winners = [min(rows, key=lambda r: r[f"epr_{a}_j"])["network"] for a in (1, 2, 3, 4)]
    assert winners == ["alexnet", "alexnet", "alexnet", "vgg16"]


def test_without_energy_the_runtime_decides() -> None:
    rows = compare([total("a", 1, 5.0), total("b", 2, 4.0)])
    assert [row["network"] for row in rows] == ["b", "a"]
    assert rows[0]["cost"] == "runtime_ms"


def test_the_probability_is_that_of_log_normal_costs() -> None:
    a = {"c_per_image": 10.0, "c_per_image_lo": 8.0, "c_per_image_hi": 12.5}
    b = {"c_per_image": 11.0, "c_per_image_lo": 8.8, "c_per_image_hi": 13.75}
    sd = np.log(12.5 / 8.0) / (2 * 1.6448536)
    rng = np.random.default_rng(1)
    draws = rng.normal(size=(2, 200_000)) * sd
    truth = np.mean(10 * np.exp(draws[0]) < 11 * np.exp(draws[1]))
    assert probability_less(a, b, "c") == pytest.approx(truth, abs=0.005)
    assert probability_less(a, a, "c") == 0.5


def test_published_facts_are_read_and_checked(tmp_path: Path) -> None:
    path = tmp_path / "networks.yaml"
    path.write_text("alexnet:\n  top5_error: 19.8\n  paper: P\nmine: {}\n")
    assert read_published(path)["alexnet"]["top5_error"] == 19.8
    for text, message in (
        ("a: {top5_error: 120}\n", "must be from 0 to 100"),
        ("a: {top5_error: low}\n", "must be from 0 to 100"),
        ("a: [1, 2\n", "networks.yaml:2"),
        ("- a\n", "a list of networks"),
        ("!!python/object/apply:os.system ['true']\n", "not YAML"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=message):
            read_published(path)
