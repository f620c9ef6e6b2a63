"""What the Snakefile asks: networks, platforms, measurement files, fingerprints."""

from __future__ import annotations

from pathlib import Path

import pytest

from neuralpower.core.errors import InputError
from neuralpower.project import questions as workflow


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
