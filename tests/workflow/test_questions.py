"""What the Snakefile asks: networks, platforms, measurement files, fingerprints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from neuralpower.core.errors import InputError
from neuralpower.project import questions as workflow
from neuralpower.project.settings import settle


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prototxts").mkdir()
    (tmp_path / "measurements").mkdir()
    return tmp_path


def test_networks_are_sorted_and_chosen(project: Path) -> None:
    for name in ("b", "a"):
        (project / f"prototxts/{name}.prototxt").touch()
    assert workflow.networks("all") == ["a", "b"]
    assert workflow.networks(["b"]) == ["b"]
    with pytest.raises(InputError, match=r"'c'.*prototxts/c\.prototxt"):
        workflow.networks(["c"])


def test_an_empty_folder_and_unsafe_names_are_told(project: Path) -> None:
    with pytest.raises(InputError, match=r"holds no \.prototxt"):
        workflow.networks("all")
    (project / "prototxts/a b.prototxt").touch()
    with pytest.raises(InputError, match="'a b'"):
        workflow.networks("all")


def test_platforms_are_the_folders_and_local_when_named(project: Path) -> None:
    with pytest.raises(InputError, match="holds no platform"):
        workflow.platforms("recorded")
    (project / "measurements/x").mkdir()
    (project / "measurements/.git").mkdir()
    assert workflow.platforms("recorded") == ["x"]
    assert workflow.platforms(["local"]) == ["local"]
    with pytest.raises(InputError, match="'y'"):
        workflow.platforms(["x", "y"])


def test_measured_networks_are_those_with_a_prototxt(project: Path) -> None:
    (project / "measurements/x").mkdir()
    table = project / "measurements/x/networks.csv"
    table.write_text("network,batch\na,1\nz,1\n")
    assert workflow.measured_networks("x", ["b", "a"], []) == ["prototxts/a.prototxt"]
    assert workflow.measured_networks("local", ["b", "a"], ["b"]) == ["prototxts/b.prototxt"]
    table.write_text("batch\n1\n")
    assert workflow.measured_networks("x", ["a"], []) == []


def test_measurement_files_are_the_tables_not_the_prose(project: Path) -> None:
    folder = project / "measurements/x"
    (folder / "prototxts").mkdir(parents=True)
    for name in ("conv.csv.gz", "README.md", "manifest.json", "prototxts/a.prototxt"):
        (folder / name).touch()
    assert workflow.measurement_files("x") == [
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
        "profile": {"shards": "3", "options": "5"},
        "gate": {"points": "0.25"},
    }
    settle(config, SCHEMA)
    assert config == {
        "batch_sizes": [1, 8],
        "networks": ["1", "lenet"],
        "profile": {"shards": 3, "options": "5"},
        "gate": {"points": 0.25},
    }
