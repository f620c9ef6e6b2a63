"""The JSON form of every table: the schemas are those of the code, and outputs fit them."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from neuralpower.cli import main
from neuralpower.core.json_tables import VERSIONS, document

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "schemas"
LENET = str(ROOT / "prototxts/lenet.prototxt")


def schema(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.schema.json").read_text())


def test_the_committed_schemas_are_those_of_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    made = importlib.import_module("write_schemas").schemas()
    assert (
        {p.name.split(".")[0] for p in FOLDER.glob("*.json")}
        == set(made)
        == {name for name in VERSIONS if name != "table"}
    )
    for name, value in made.items():
        assert schema(name) == value, f"{name}: run tools/write_schemas.py"
        jsonschema.Draft202012Validator.check_schema(value)


def test_units_and_types_of_energy_are_in_the_schema() -> None:
    row = schema("predictions")["properties"]["rows"]["items"]["properties"]
    assert row["energy_mj"] == {"type": ["number", "null"], "description": "millijoules"}
    assert row["power_w_hi"]["description"] == "watts, upper end of the 90 % interval"
    image = schema("comparison")["properties"]["rows"]["items"]["properties"]
    assert image["energy_mj_per_image"]["description"] == "millijoules per image"


#: With power, so that every column has values.
MODELS = ROOT / "published/a30-pytorch-tf32/models"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("layers", ["layers", LENET]),
        ("predictions", ["predict", LENET, "--batch", "1", "--batch", "4"]),
        ("explanation", ["explain", LENET]),
        ("comparison", ["compare", LENET, str(ROOT / "prototxts/alexnet.prototxt")]),
        ("configurations", ["predict", "--table", "TABLE"]),
    ],
)
def test_what_the_commands_write_fits_its_schema(
    name: str, words: list[str], tmp_path: Path
) -> None:
    table, out = tmp_path / "table.csv", tmp_path / "out.json"
    assert main(["layers", LENET, "--out", str(table)]) == 0
    lines = [line for line in table.read_text().splitlines() if ",conv," in line or "index" in line]
    table.write_text("\n".join(lines) + "\n")
    words = [str(table) if word == "TABLE" else word for word in words]
    given = [] if name == "layers" else ["--models", str(MODELS)]
    assert main([*words, *given, "--format", "json", "--out", str(out)]) == 0
    value = json.loads(out.read_text())
    jsonschema.validate(value, schema(name))
    assert value["schema"] == f"neuralpower.{name}"
    assert len(value["rows"]) > 1


def test_missing_is_null_and_never_zero() -> None:
    value = document("table", ["a", "b"], [{"a": float("nan")}, {"a": float("inf"), "b": 0}])
    assert [row["a"] for row in value["rows"]] == [None, None]
    assert [row["b"] for row in value["rows"]] == [None, 0]


def test_layers_fit_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    for path in sorted((ROOT / "prototxts").glob("*.prototxt")):
        assert main(["layers", str(path)]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert max(map(len, lines)) <= 100, path.name
        assert lines[0].split()[:3] == ["#", "layer", "type"]
    assert main(["layers", LENET, "--all-columns"]) == 0
    wide = capsys.readouterr().out.splitlines()
    assert "kernel_height" in wide[0]
    assert main(["layers", LENET, "--format", "md"]) == 0
    assert capsys.readouterr().out.splitlines()[1].startswith("| ---: | --- |")
