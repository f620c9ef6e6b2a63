"""The gate's verdicts on accuracy files, its command and its configuration."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from neuralpower import cli
from neuralpower.core.errors import InputError
from neuralpower.scoring import gate
from neuralpower.scoring.gate import Tolerances, compare, failed, figures_of

ROOT = Path(__file__).parents[2]


def family(
    rmspe: float, n: int = 100, coverage: float = 90.0, size: float = 10.0, visits: int = 250
) -> dict[str, Any]:
    return {
        "rmspe": rmspe,
        "mape": 0.7 * rmspe,
        "rmse": rmspe * size / 100,
        "n": n,
        "visits": visits,
        "interval_coverage": coverage,
    }


@pytest.fixture
def accuracy() -> Any:
    return {
        "platform": "p",
        "data_sha256": "0" * 64,
        "layers": {"conv": {"runtime_ms": family(10.0)}, "fc": {"runtime_ms": family(12.0)}},
        "networks": {
            "a": {"runtime_ms": [{"batch": 1, "error_percent": -4.0, "runs": 3}]},
            "b": {"runtime_ms": [{"batch": 1, "error_percent": 9.0, "runs": 3}]},
        },
        "network_summary": {
            "runtime_ms": {
                "mape": 6.5,
                "rmspe": 7.0,
                "n": 2,
                "networks": 2,
                "interval_coverage": 50.0,
            }
        },
        "network_decomposition": {
            "entries": [{"layers_from": "the same passes"} for _ in range(2)]
        },
    }


def verdicts(now: Any, before: Any) -> dict[str, str]:
    rows = compare(figures_of(now), figures_of(before), Tolerances())
    return {
        f"{row['name']} {row['figure']}": row["verdict"] for row in rows if row["verdict"] != "ok"
    }


def test_the_same_figures_pass(accuracy: Any) -> None:
    assert verdicts(accuracy, accuracy) == {}


def test_every_kind_of_regression_is_named(accuracy: Any) -> None:
    now = copy.deepcopy(accuracy)
    now["layers"]["conv"]["runtime_ms"] = family(13.0)
    del now["layers"]["fc"]
    del now["networks"]["a"]
    now["networks"]["b"]["runtime_ms"][0]["error_percent"] = -30.0
    now["network_summary"]["runtime_ms"]["mape"] = 15.0
    found = verdicts(now, accuracy)
    assert found["conv rmspe"] == "worse"
    assert {found[f"fc {name}"] for name in ("rmspe", "n", "visits", "magnitude")} == {"gone"}
    assert found["a (batch 1) error_percent"] == "gone"
    assert found["b (batch 1) error_percent"] == "worse"
    assert found["all networks mape"] == "worse"
    assert set(found.values()) == {"worse", "gone"}


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (family(10.0, n=97), {"conv n": "fewer"}),
        (family(10.0, n=99), {}),
        (family(10.0, visits=125), {"conv visits": "fewer"}),
        (family(10.0, visits=246), {}),
        (family(10.0, visits=500), {}),
        (family(10.0, coverage=75.0), {"conv interval_coverage": "coverage"}),
        (family(10.0, coverage=80.0), {}),
        (family(10.0, size=10_000.0), {"conv magnitude": "units"}),
        (family(10.0, size=0.01), {"conv magnitude": "units"}),
        (family(10.4), {}),
        (family(9.0), {"conv rmspe": "better", "conv mape": "better"}),
    ],
)
def test_the_bounds(accuracy: Any, entry: dict[str, Any], expected: dict[str, str]) -> None:
    now = copy.deepcopy(accuracy)
    now["layers"]["conv"]["runtime_ms"] = entry
    assert verdicts(now, accuracy) == expected


def test_lost_runs_networks_and_layers_of_passes_are_seen(accuracy: Any) -> None:
    now = copy.deepcopy(accuracy)
    now["networks"]["a"]["runtime_ms"][0]["runs"] = 1
    now["network_summary"]["runtime_ms"].update(networks=1, n=1)
    now["network_decomposition"]["entries"][0]["layers_from"] = "layers measured alone"
    assert verdicts(now, accuracy) == {
        "a (batch 1) runs": "fewer",
        "all networks networks": "fewer",
        "all networks n": "fewer",
        "passes with their layers n": "fewer",
    }
    now["network_decomposition"] = {"entries": []}
    assert verdicts(now, accuracy)["passes with their layers n"] == "gone"


def test_a_few_intervals_may_miss_more_than_many() -> None:
    bound = Tolerances().least_coverage
    assert bound("layers", 10) < bound("layers", 1000) < 85.0


@given(st.floats(0.1, 500), st.floats(0.1, 500))
def test_what_got_better_never_fails(before: float, now: float) -> None:
    key = ("layers", "conv", "runtime_ms", "rmspe")
    (row,) = compare({key: now}, {key: before}, Tolerances())
    if now <= before:
        assert row["verdict"] in ("ok", "better")
    if row["verdict"] == "worse":
        assert now > before + 0.5
        assert now > before * 1.05


def test_accepting_moves_to_what_is_better_and_does_not_slide(accuracy: Any) -> None:
    now = copy.deepcopy(accuracy)
    now["layers"]["conv"]["runtime_ms"] = family(8.0)
    now["layers"]["fc"]["runtime_ms"] = family(12.4)
    kept = gate.accepted(figures_of(now), figures_of(accuracy), Tolerances())
    assert kept["layers", "conv", "runtime_ms", "rmspe"] == 8.0
    assert kept["layers", "fc", "runtime_ms", "rmspe"] == 12.0


def test_accepting_again_and_again_does_not_let_measurements_trickle_away(
    accuracy: Any,
) -> None:
    baseline = figures_of(accuracy)
    key = ("layers", "conv", "runtime_ms", "visits")
    accuracy["layers"]["conv"]["runtime_ms"]["visits"] = 246
    kept = gate.accepted(figures_of(accuracy), baseline, Tolerances())
    assert kept[key] == 250
    accuracy["layers"]["conv"]["runtime_ms"]["visits"] = 300
    assert gate.accepted(figures_of(accuracy), kept, Tolerances())[key] == 300


def write(path: Path, value: dict[str, Any]) -> str:
    path.write_text(json.dumps(value))
    return str(path)


def test_the_command_from_no_baseline_to_accepted(
    tmp_path: Path, accuracy: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    now, baseline = write(tmp_path / "now.json", accuracy), str(tmp_path / "base/p.json")
    words = ["gate", now, "--baseline", baseline]
    assert cli.main(words) == 2
    printed = capsys.readouterr().err
    assert "no baseline" in printed
    assert "--accept" in printed
    assert cli.main([*words, "--accept"]) == 0
    assert cli.main(words) == 0
    first = Path(baseline).read_bytes()

    capsys.readouterr()
    accuracy["layers"]["conv"]["runtime_ms"] = family(20.0)
    accuracy["data_sha256"] = "1" * 64
    write(Path(now), accuracy)
    assert cli.main([*words, "--accept"]) == 1, "a regression is not accepted in passing"
    done = capsys.readouterr()
    assert "FAILED" in done.err
    assert "not those of the baseline" in done.err
    assert "layers,conv,runtime_ms,rmspe,10,20,10,worse" in done.out
    assert Path(baseline).read_bytes() == first
    assert cli.main([*words, "--accept-all"]) == 0
    assert cli.main(words) == 0

    accuracy["layers"]["conv"]["runtime_ms"] = family(9.0)
    write(Path(now), accuracy)
    capsys.readouterr()
    assert cli.main(words) == 0
    assert "--accept moves the baseline" in capsys.readouterr().err
    assert cli.main([*words, "--accept"]) == 0
    assert json.loads(Path(baseline).read_text())["figures"]["layers"]["conv"]["runtime_ms"][
        "rmspe"
    ] == pytest.approx(9.0)


def test_a_whole_accuracy_file_is_a_baseline(tmp_path: Path, accuracy: Any) -> None:
    now = write(tmp_path / "now.json", accuracy)
    assert cli.main(["gate", now, "--baseline", now]) == 0


def test_the_baseline_of_another_platform_is_refused(
    tmp_path: Path, accuracy: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    now = write(tmp_path / "now.json", accuracy | {"platform": "one"})
    other = write(tmp_path / "other.json", accuracy | {"platform": "other"})
    for accepting in ([], ["--accept"], ["--accept-all"]):
        assert cli.main(["gate", now, "--baseline", other, *accepting]) == 2
        assert "of platform one, but" in capsys.readouterr().err
    assert json.loads(Path(other).read_text())["platform"] == "other"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"layers": 3}',
        '{"figures": {"layers": {"conv": 3}}}',
        '{"layers": {"a": 1}}',
    ],
)
def test_a_damaged_baseline_is_one_line(
    tmp_path: Path, accuracy: Any, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    now = write(tmp_path / "now.json", accuracy)
    (tmp_path / "base.json").write_text(text)
    assert cli.main(["gate", now, "--baseline", str(tmp_path / "base.json")]) == 2
    printed = capsys.readouterr().err
    assert "base.json" in printed
    assert printed.count("\n") == 1


def test_tolerances_come_from_the_configuration(tmp_path: Path, accuracy: Any) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("gate: {points: 4}\n")
    assert gate.load_tolerances(path) == Tolerances(points=4)
    for faulty in ("gate: {point: 4}", "gate: {points: -1}", "gate: {points: yes}", "gate: [1]"):
        path.write_text(faulty)
        with pytest.raises(InputError, match="gate"):
            gate.load_tolerances(path)


def test_the_projects_configuration_schema_and_defaults_agree() -> None:
    schema = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())
    defaults = {
        name: entry["default"] for name, entry in schema["properties"]["gate"]["properties"].items()
    }
    assert Tolerances(**defaults) == Tolerances()
    assert gate.load_tolerances(ROOT / "config/config.yaml")


def test_an_improvement_alone_does_not_hide_a_regression(accuracy: Any) -> None:
    now = copy.deepcopy(accuracy)
    now["layers"]["conv"]["runtime_ms"] = family(1.0)
    now["layers"]["fc"]["runtime_ms"] = family(14.0)
    assert failed(compare(figures_of(now), figures_of(accuracy), Tolerances()))
