"""A result as a Workflow Run RO-Crate: what others' readers find in it."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from neuralpower.cli import main
from neuralpower.core.files import sha256_file

rocrate: Any = pytest.importorskip("rocrate.rocrate", reason="the extra crate is not installed")


def test_a_prediction_with_everything_behind_it(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1764028800")
    out = project / "out" / "run.zip"
    target = "results/predictions/tiny/mini.csv"
    assert main(["provenance", str(project / target), "--crate", str(out)]) == 0
    assert "nodes of the chain" in capsys.readouterr().err
    folder = project / "out" / "unpacked"
    with zipfile.ZipFile(out) as archive:
        names = set(archive.namelist())
        archive.extractall(folder)
    assert {target, "Snakefile", "prototxts/mini.prototxt", "measurements/tiny/relu.csv"} <= names
    crate = rocrate.ROCrate(folder)
    assert crate.mainEntity["@id"] == "Snakefile"
    assert "ComputationalWorkflow" in crate.mainEntity["@type"]
    assert str(crate.datePublished).startswith("2025-11-25")
    profiles = {entity["@id"] for entity in crate.root_dataset["conformsTo"]}
    assert "https://w3id.org/ro/wfrun/workflow/0.5" in profiles
    actions = {action["@id"]: action for action in crate.get_by_type("CreateAction")}
    run = actions["#run"]
    assert run["instrument"]["@id"] == "Snakefile"
    assert [entity["@id"] for entity in run["result"]] == [target]
    assert "prototxts/mini.prototxt" in {entity["@id"] for entity in run["object"]}
    made = actions[f"#made-{target}"]
    assert made["instrument"]["name"] == "neuralpower predict"
    assert {e["@id"] for e in made["object"]} == {"prototxts/mini.prototxt", "results/models/tiny/"}
    for entity in crate.get_entities():
        digest = entity.get("sha256")
        if digest:
            assert sha256_file(folder / entity["@id"]) == digest
    metadata = json.loads((folder / "ro-crate-metadata.json").read_text())
    assert "/tmp" not in json.dumps(metadata)


def test_faults_of_a_crate_are_one_line(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = str(project / "results/predictions/tiny/mini.csv")
    assert main(["provenance", target, "--crate", str(tmp_path / "run.tar")]) == 2
    assert "name it *.zip" in capsys.readouterr().err
    (project / "Snakefile").rename(project / "elsewhere")
    assert main(["provenance", target, "--crate", str(tmp_path / "run.zip")]) == 2
    assert "no Snakefile" in capsys.readouterr().err
    assert not list(tmp_path.glob("*.zip"))
