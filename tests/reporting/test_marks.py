"""Honest marks: a model that a line of code beats is said to be so, wherever it is shown."""

from __future__ import annotations

from pathlib import Path

from results_doubles import as_json, write_results
from test_pages import Tags

from neuralpower.cli import main
from neuralpower.core.files import write_json
from neuralpower.reporting.scores import best_simple, worse_models, worse_than_simple

SCORE = {"rmspe": 20.0, "baselines": {"constant": 300.0, "elements": 15.0, "paper": 1.0}}


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
