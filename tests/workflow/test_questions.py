"""What the Snakefile asks: networks, platforms, measurement files, fingerprints."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from neuralpower.core.errors import InputError
from neuralpower.core.network_files import find_networks
from neuralpower.project import questions
from neuralpower.project.questions import find_platforms
from neuralpower.project.settings import settle


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prototxts").mkdir()
    (tmp_path / "measurements").mkdir()
    return tmp_path


def networks(wanted: str | list[str]) -> list[str]:
    return questions.networks(wanted, find_networks("prototxts"))


def platforms(wanted: str | list[str]) -> list[str]:
    return questions.platforms(wanted, find_platforms())


def test_networks_are_sorted_and_chosen(project: Path) -> None:
    for name in ("b", "a"):
        (project / f"prototxts/{name}.prototxt").touch()
    assert networks("all") == ["a", "b"]
    assert networks(["b"]) == ["b"]
    with pytest.raises(InputError, match=r"'c'.*prototxts/c\.prototxt"):
        networks(["c"])


def test_an_empty_folder_is_reported_and_an_unsafe_name_costs_no_other(project: Path) -> None:
    with pytest.raises(InputError, match=r"holds no \.prototxt"):
        networks("all")
    (project / "prototxts/a b.prototxt").touch()
    assert networks("all") == []
    (project / "prototxts/c.prototxt").touch()
    assert networks("all") == ["c"]


def test_platforms_are_the_folders_and_local_when_named(project: Path) -> None:
    with pytest.raises(InputError, match="holds no platform"):
        platforms("recorded")
    (project / "measurements/x").mkdir()
    (project / "measurements/.git").mkdir()
    assert platforms("recorded") == ["x"]
    assert platforms(["local"]) == ["local"]
    with pytest.raises(InputError, match="'y'"):
        platforms(["x", "y"])


def test_folders_that_cannot_be_platforms_are_reported(project: Path) -> None:
    for name in ("good", "local", "a b", "x" * 20, "ab" * 20, "x" * 19):
        (project / "measurements" / name).mkdir()
    for name in ("README.md", "table.csv"):
        (project / "measurements" / name).touch()
    found = find_platforms()
    assert found.names == ("good", "x" * 19)
    assert "kept for the machine at hand" in found.refused["local"]
    assert set(found.refused) == {"local", "a b", "x" * 20, "ab" * 20}
    assert found.ignored == ("measurements/table.csv: no folder of a platform: ignored",)
    assert platforms("recorded") == ["good", "x" * 19]


def test_measured_networks_are_those_with_a_file(project: Path) -> None:
    for name in ("a.prototxt", "b.onnx"):
        (project / "prototxts" / name).touch()
    files = find_networks("prototxts")
    (project / "measurements/x").mkdir()
    table = project / "measurements/x/networks.csv"
    table.write_text("network,batch\na,1\nz,1\n")
    assert questions.measured_networks("x", files, []) == ["prototxts/a.prototxt"]
    assert questions.measured_networks("local", files, ["b"]) == ["prototxts/b.onnx"]
    kept = project / "measurements/x/prototxts/a.prototxt"
    kept.parent.mkdir()
    kept.touch()
    assert questions.measured_networks("x", files, []) == []
    kept.unlink()
    table.write_text("batch\n1\n")
    assert questions.measured_networks("x", files, []) == []


def test_how_networks_are_read_is_that_of_the_named_ones(project: Path) -> None:
    (project / "prototxts/networks.yaml").write_text(
        "a: {title: A, data_shape: 3x8x8}\nb: {level: 1}\nc: {level: x}\n"
    )
    config = {"reading": {"a": {"phase": "TRAIN"}, "z": {"level": 2}}}
    files = [f"prototxts/{name}.prototxt" for name in "acd"]
    assert questions.reading_of(config, files) == (
        "{reading: {a: {phase: TRAIN, data_shape: 3x8x8}}}"
    )
    assert questions.reading_of(config, []) == "{reading: {}}"


def test_tables_of_networks_stand_for_the_one_of_all(project: Path) -> None:
    asked = ["results/layers/a.csv", "results/layers/b.csv", "results/predictions/p/a.csv",
             "results/accuracy/p.json"]  # fmt: skip
    assert questions.declared(asked) == [
        "results/layers.csv", "results/predictions/p.csv", "results/accuracy/p.json",
    ]  # fmt: skip


def test_older_is_also_what_is_missing(project: Path) -> None:
    for number, name in enumerate(("old", "new")):
        (project / name).touch()
        os.utime(project / name, (number, number))
    assert questions.is_older("old", ["new"])
    assert not questions.is_older("new", ["old"])
    assert questions.is_older("new", ["old", "gone"])
    assert questions.is_older("gone", [])


def test_measurement_files_are_the_tables_not_the_prose(project: Path) -> None:
    folder = project / "measurements/x"
    (folder / "prototxts").mkdir(parents=True)
    for name in ("conv.csv.gz", "README.md", "manifest.json", "prototxts/a.prototxt"):
        (folder / name).touch()
    assert questions.measurement_files("x") == [
        "measurements/x/conv.csv.gz",
        "measurements/x/manifest.json",
        "measurements/x/prototxts/a.prototxt",
    ]


SCHEMA = Path(__file__).resolve().parents[2] / "workflow/schemas/config.schema.yaml"


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"batch_size": [1]}, "'batch_size' is no key: batch_sizes is one"),
        ({"gate": {"pionts": 1}}, "'pionts' is no key in gate: points is one"),
        ({"xyz": 1}, "'xyz' is no key: it is none of batch_sizes"),
        ({"batch_sizes": ["many"]}, "batch_sizes.0: 'many' is not of type 'integer'"),
        ({"batch_sizes": 8}, "batch_sizes: 8 is not of type 'array'"),
    ],
)
def test_a_fault_of_the_configuration_is_one_line(config: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as caught:
        settle(config, SCHEMA)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_words_become_numbers_where_the_schema_wants_them() -> None:
    config: dict[str, Any] = {
        "batch_sizes": ["1", "8"],
        "networks": ["1", "lenet"],
        "profile": {"shards": "3", "platform": "5"},
        "gate": {"points": "0.25"},
    }
    settle(config, SCHEMA)
    assert config == {
        "batch_sizes": [1, 8],
        "networks": ["1", "lenet"],
        "profile": {"shards": 3, "platform": "5"},
        "gate": {"points": 0.25},
    }
