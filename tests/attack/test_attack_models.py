"""Models and compositions that somebody changed are refused, by value and by checksum."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from attacking import CASES, LENET, MODELS, ROOT, refused

from neuralpower.core.files import sha256_file


def _models(place: Path) -> Path:
    """Models of which the index holds no checksums: each is looked at by itself."""
    folder = Path(shutil.copytree(MODELS, place / "models"))
    index = json.loads((folder / "models.json").read_text())
    del index["sha256"]
    (folder / "models.json").write_text(json.dumps(index))
    (folder / "composition.json").unlink()
    return folder


def _set(*path: str | int, to: object) -> Callable[[dict[str, object]], None]:
    def change(model: dict[str, object]) -> None:
        inner: object = model
        for key in path[:-1]:
            inner = inner[key]  # type: ignore[index]
        inner[path[-1]] = to  # type: ignore[index]

    return change


def _resealed(place: Path, name: str, change: Callable[[dict[str, object]], None]) -> Path:
    """Models of which one was changed by a person who set the checksum in the index right."""
    folder = Path(shutil.copytree(MODELS, place / "models"))
    model = json.loads((folder / name).read_text())
    change(model)
    (folder / name).write_text(json.dumps(model))
    index = json.loads((folder / "models.json").read_text())
    index["sha256"][name] = sha256_file(folder / name)
    (folder / "models.json").write_text(json.dumps(index))
    (folder / "composition.json").unlink()
    return folder


def _swapped(*path: str, ends: tuple[str, str]) -> Callable[[dict[str, object]], None]:
    def change(model: dict[str, object]) -> None:
        inner: dict[str, object] = model
        for key in path:
            inner = inner[key]  # type: ignore[assignment]
        low, high = ends
        inner[low], inner[high] = inner[high], inner[low]

    return change


#: What was changed in the handed cases, done again in today's models.
HANDED = {
    "equations_empty": (_set("equations", to=[]), "there is no equation"),
    "factor_negative": (_set("equations", 0, "factor", to=-1.0), "a positive number is needed"),
    "factor_zero": (_set("equations", 0, "factor", to=0.0), "a positive number is needed"),
    "anchor_zero": (_set("anchor", "lowest", to=0.0), "a positive number is needed"),
    "anchor_swapped": (
        _swapped("anchor", ends=("lowest", "highest")),
        "ends of a range are not in order",
    ),
    "interval_swapped": (
        _swapped("interval", ends=("lower", "upper")),
        "ends of a range are not in order",
    ),
    "family_pool": (_set("family", to="pool"), "holds the model of pool runtime_ms"),
}


@pytest.mark.parametrize("case", HANDED)
def test_a_changed_model_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    change, words = HANDED[case]
    folder = _resealed(tmp_path, "conv.runtime_ms.json", change)
    said = refused(capsys, "predict", LENET, "--models", folder, "--out", tmp_path / "out.csv")
    assert "conv.runtime_ms.json: " in said
    assert words in said
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize("case", HANDED)
def test_a_handed_model_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    """As they were handed they are of schema version 1; with a checksum that is wrong anyway."""
    folder = _models(tmp_path)
    path = Path(shutil.copy(CASES / f"d07_models/{case}/conv.runtime_ms.json", folder))
    assert "schema_version 1" in refused(capsys, "predict", LENET, "--models", folder)
    sealed = Path(shutil.copytree(MODELS, tmp_path / "sealed"))
    shutil.copy(path, sealed)
    assert "conv.runtime_ms.json: " in refused(capsys, "predict", LENET, "--models", sealed)


def test_a_model_that_was_not_resealed_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(MODELS, tmp_path / "m"))
    path = folder / "conv.runtime_ms.json"
    path.write_text(path.read_text().replace('"lean": 1.', '"lean": 1.0'))
    assert "its SHA-256 differs" in refused(capsys, "predict", LENET, "--models", folder)


@pytest.mark.parametrize(
    "change",
    [
        _set("equations", 0, "weight", to=-1.0),
        _set("equations", 0, "weight", to=50.0),
        _set("equations", 0, "terms", to=[]),
        _set("equations", 0, "link", to="exp"),
        _set("interval", "scales", 0, to=-1.0),
        _set("interval", "scales", 0, to=0.0),
        _set("interval", "knots", 1, to=-1e9),
        _set("ranges", "batch", to=[32, 1]),
        _set("ranges", "batch", to=[-5, 1]),
        _set("pool_methods", to=["biggest"]),
        _set("relative_sd", to=-0.1),
        _set("mean_ratio", to=0.0),
        _set("error_correlation", to=3.0),
        _set("lean", to=-1.0),
        _set("limits", to=[5.0, 1.0]),
        _set("launch_ms", to=-1.0),
        _set("n_terms", to=1),
        _set("unit", to="s"),
        _set("family", to="convolution"),
        _set("target", to="power_w"),
        _set("target", to="speed"),
        _set("schema_version", to=99),
        _set("anchor", "equation", "factor", to=0.0),
        _set("lean", to=1e308),
        _set("lean", to=1e-308),
        _set("mean_ratio", to=1e308),
        _set("relative_sd", to=1e308),
        _set("error_correlation", to=-1),
        _set("limits", to=[1e308, None]),
        _set("limits", to=[None, 1e308]),
        _set("launch_ms", to=1e308),
        _set("equations", 0, "factor", to=1e308),
        _set("equations", 0, "candidate", to=5),
        _set("equations", 0, "candidate", to="a\x1b[2Jb"),
        _set("exponent", to=-1),
        _set("exponent", to=0.5),
        _set("source", to=["x"]),
        _set("source", to="a\x1b[2Jb"),
        _set("candidate", to=None),
        _set("candidate", to="a\nb"),
    ],
)
def test_sisters_of_changed_models_are_refused(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: Callable[[dict[str, object]], None],
) -> None:
    folder = _resealed(tmp_path, "conv.runtime_ms.json", change)
    for words in (("predict", LENET, "--models", folder), ("equations", folder)):
        assert "conv.runtime_ms.json: " in refused(capsys, *words)


@pytest.mark.parametrize("key", ["factors", "scales", "launch", "warnings", "networks", "sha256"])
def test_a_changed_composition_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], key: str
) -> None:
    source = ROOT / "published/a30-pytorch-fp32/models"
    folder = Path(shutil.copytree(source, tmp_path / "m"))
    path = folder / "composition.json"
    value = json.loads(path.read_text())
    value[key] = {"runtime_ms": 0.5} if isinstance(value[key], dict) else ["x"]
    path.write_text(json.dumps(value))
    assert "composition.json: cannot be used" in refused(
        capsys, "predict", LENET, "--models", folder
    )
