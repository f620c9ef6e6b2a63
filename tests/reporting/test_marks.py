"""Honest marks: a model that a simple rule beats is said to be so, wherever it is shown."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from page_text import Tags
from results_doubles import as_json, write_results

from neuralpower.cli import main
from neuralpower.core.files import write_json
from neuralpower.records.quality import Quality
from neuralpower.records.repeatability import repeatability
from neuralpower.reporting.scores import best_simple, worse_models, worse_than_simple
from neuralpower.scoring.accuracy import LayerScore

SCORE: LayerScore = {
    "rmspe": 20.0,
    "baselines": {"constant": 300.0, "elements": 15.0, "paper": 1.0},
}


def test_a_model_is_measured_by_the_best_predictor_of_one_line() -> None:
    assert best_simple(SCORE) == ("elements", 15.0), "the published recipe is not one line"
    assert worse_than_simple(SCORE) == "worse than a rate of elements, 15.0 %"
    assert worse_than_simple(SCORE | {"rmspe": 14.9}) == ""
    assert worse_than_simple({"rmspe": 5.0}) == ""
    assert worse_models({"fc": {"runtime_ms": SCORE}, "conv": {}}) == ["fc runtime"]


def test_it_is_marked_on_the_accuracy_and_the_model_s_page(tmp_path: Path) -> None:
    folder = write_results(tmp_path / "results")
    path = folder / "accuracy" / "board.json"
    accuracy = as_json(path)
    accuracy["layers"]["fc"] = {"runtime_ms": accuracy["layers"]["fc"]["runtime_ms"] | SCORE}
    write_json(path, accuracy)
    assert main(["report", str(folder), "--out", str(tmp_path / "report")]) == 0
    pages = {
        name: Tags((tmp_path / "report" / name).read_text()).text
        for name in ("accuracy.html", "models/board.fc.html", "models/board.conv.html")
    }
    assert pages["accuracy.html"].count("worse than it") == 1
    assert "worse than a rate of elements, 15.0 % out of fold" in pages["models/board.fc.html"]
    assert "worse than" not in pages["models/board.conv.html"]


def test_noisy_measurements_are_a_warning() -> None:
    repeats = repeatability([])
    good = Quality.of(replace(repeats, anchor_drift=0.05, spread_p90=0.2), {}, 100)
    assert [beyond for _, _, beyond in good.facts] == [False, False, False]
    bad = Quality.of(
        replace(repeats, anchor_drift=-0.06, spread_p90=0.21), {"not_converged": 11}, 100
    )
    assert bad.facts == [
        ("visits not converged", "11 %", True),
        ("drift of the anchor", "-6 %", True),
        ("spread of repeats, 90th percentile", "21 %", True),
    ]
    assert Quality.of(repeats, {"not_converged": 5}, 5).facts == []


def test_a_sum_without_some_layers_is_shown_as_the_least_that_it_is(tmp_path: Path) -> None:
    folder = write_results(tmp_path / "results")
    assert main(["report", str(folder), "--out", str(tmp_path / "report")]) == 0
    text = Tags((tmp_path / "report" / "index.html").read_text()).text
    assert "≥ 0.970" in text
    assert "≥ 22.3" in text
    assert "Models that a simple rule beats" not in text
    card = Tags((tmp_path / "report" / "networks" / "small.html").read_text()).text
    answer = card.split("What one image costs")[1].split("Costliest")[0]
    assert "≥ 0.970 ms" in answer
    assert "22.9 W" in answer
    assert "≥ 22.9 W" not in answer, "a mean"
    assert "≥ 22.3 mJ" in answer
