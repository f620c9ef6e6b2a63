"""What each result of the workflow was made from: the edges that provenance reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from neuralpower.core.errors import InputError
from neuralpower.core.files import write_json, write_text
from neuralpower.project.provenance import trace
from neuralpower.project.tracing import Node

CONFIGURATION = {"sweep": {"near_networks": ["b", "a"]}, "profile": {"networks": ["b"]}}
TABLE = (
    "family,batch,in_channels,in_height,in_width,out_channels,out_height,out_width,kernel_height,"
    "kernel_width,stride_height,stride_width,pad_height,pad_width,dilation_height,dilation_width,"
    "groups,pool_method,bias,runtime_ms\nfc,8,640,1,1,100,1,1,,,,,,,,,,,1,0.5\n"
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    write_text(tmp_path / "Snakefile", "")
    for name in ("a", "b"):
        write_text(tmp_path / f"prototxts/{name}.prototxt", f"name: '{name}'\n")
        write_text(tmp_path / f"results/near/{name}.csv", name)
        write_text(tmp_path / f"results/layers/{name}.csv", name)
        write_text(tmp_path / f"results/predictions/local/{name}.csv", name)
    write_text(tmp_path / "results/layers.csv", "network\n")
    write_text(tmp_path / "results/predictions/local.csv", "network\n")
    write_text(tmp_path / "results/changes/local.csv", "network\n")
    write_text(tmp_path / "results/sweeps/fc.csv", "family\n")
    write_text(tmp_path / "results/measurements/local/fc.csv", TABLE)
    write_json(tmp_path / "results/models/local/models.json", {"data_sha256": "of another fit"})
    write_json(tmp_path / "results/accuracy/local.json", {"networks": {"a": {}}})
    pages = {"index.html": {"inputs": ["results/accuracy/local.json"]}}
    write_json(tmp_path / "results/report/pages.json", {"pages": pages})
    write_text(tmp_path / "results/report/index.html", "<p>")
    return tmp_path


def node(project: Path, path: str) -> Node:
    return trace(project, [path], CONFIGURATION)[path]


@pytest.mark.parametrize(("path", "made_by", "inputs"), [
    ("results/layers/a.csv", "layers", ["prototxts/a.prototxt"]),
    ("results/near/b.csv", "layers", ["prototxts/b.prototxt"]),
    ("results/layers.csv", "layers", ["prototxts/a.prototxt", "prototxts/b.prototxt"]),
    ("results/sweeps/fc.csv", "sweep", ["results/near/a.csv", "results/near/b.csv"]),
    ("results/measurements/local/", "profile",
     ["results/sweeps/fc.csv", "prototxts/b.prototxt"]),
    ("results/models/local/", "fit", ["results/measurements/local/"]),
    ("results/predictions/local/a.csv", "predict",
     ["prototxts/a.prototxt", "results/models/local/"]),
    ("results/predictions/local.csv", "predict", ["results/layers.csv", "results/models/local/"]),
    ("results/changes/local.csv", "explain", ["results/models/local/"]),
    ("results/accuracy/local.json", "evaluate",
     ["results/models/local/", "results/measurements/local/", "prototxts/a.prototxt"]),
    ("results/report/index.html", "report", ["results/accuracy/local.json"]),
    ("results/report/pages.json", "report", ["results/report/index.html"]),
])  # fmt: skip
def test_what_a_result_was_made_from(
    project: Path, path: str, made_by: str, inputs: list[str]
) -> None:
    found = node(project, path)
    assert found.made_by == made_by
    assert list(found.inputs) == inputs


def test_without_a_configuration_nothing_is_swept_near_networks(project: Path) -> None:
    nodes = trace(project, ["results/sweeps/fc.csv"], {"sweep": {}, "profile": {}})
    assert nodes["results/sweeps/fc.csv"].inputs == ()


def test_models_of_other_measurements_are_a_fault(project: Path) -> None:
    found = node(project, "results/models/local/")
    assert found.faults == ("models.json names other measurements: fit again",)
    assert found.facts == ()


def test_what_the_workflow_does_not_make_is_refused(project: Path) -> None:
    write_text(project / "results/other/x.csv", "")
    with pytest.raises(InputError, match="is no result that the workflow makes"):
        node(project, "results/other/x.csv")
