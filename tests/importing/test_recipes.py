"""Recipes and readers: the fixed set of formulas, PyTorch's logs, mapped tables, conversion."""

from __future__ import annotations

import gzip
import re
from collections import Counter
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from neuralpower.core.errors import InputError
from neuralpower.core.files import read_rows
from neuralpower.importing.conversion import convert
from neuralpower.importing.fetching import fetch
from neuralpower.importing.formulas import Formula
from neuralpower.importing.mapped_table import read_table
from neuralpower.importing.recipe import load_recipe
from neuralpower.importing.torch_log import read_layers, read_networks
from neuralpower.records.folder import load_platform, load_rows

REPOSITORY = Path(__file__).resolve().parents[2]
PUBLISHED = REPOSITORY / "published"
REFERENCE = REPOSITORY / "../shared/reference"
RECIPES = sorted(path.parent.name for path in PUBLISHED.glob("*/recipe.yaml"))

FIELDS = ("time_s", "energy_mj", "power_w")
COLUMNS = {"runtime_ms": Formula("time_s", times=1000), "power_w": Formula("power_w")}


def log(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "log"
    path.write_text("Loading dataset from x.pt\n" + "\n".join(lines) + "\nDataset saved\n")
    return path


def test_a_formula_is_one_of_a_fixed_set() -> None:
    row = {"a": "6", "b": "4", "empty": "", "zero": "0", "word": "x"}
    assert Formula.read(3).value(row) == 3.0
    assert Formula.read("a").value(row) == 6.0
    assert Formula.read({"column": "a", "divided_by": "b"}).value(row) == 1.5
    assert Formula.read({"column": "a", "times": 1000, "divided_by": 4}).value(row) == 1500.0
    assert Formula.read("empty").value(row) is None
    assert Formula.read({"column": "a", "divided_by": "zero"}).value(row) is None
    faulty: tuple[object, ...] = (
        "",
        None,
        True,
        [],
        {"times": 2},
        {"column": "a", "code": "b"},
        float("nan"),
    )
    for bad in faulty:
        with pytest.raises(ValueError, match=r"is no|is not"):
            Formula.read(bad)
    for column in ("word", "missing"):
        with pytest.raises(ValueError, match="column"):
            Formula(column).value(row)


@given(st.text(max_size=30))
def test_a_text_is_never_code(text: str) -> None:
    """Whatever is there is a column's name, or refused."""
    try:
        formula = Formula.read(text)
    except ValueError:
        return
    assert formula.column == text
    with pytest.raises(ValueError, match="no column"):
        formula.value({})


def test_modules_are_read_by_their_grammar(tmp_path: Path) -> None:
    figures = "0.001 2 150.5"
    path = log(
        tmp_path,
        "Conv2d(32, 64, kernel_size=(3, 5), stride=(2, 2), padding=(1, 2), groups=2, bias=False)",
        "Conv2d(32, 64, kernel_size=(3, 5), stride=(2, 2), padding=(1, 2), groups=2, bias=False)"
        f" (8, 32, 11, 20) {figures}",
        f"BatchNorm2d(16, eps=1e-05, momentum=0.1, affine=True) (8, 16, 7, 7) {figures}",
        f"ReLU(inplace=True) (8, 4096) {figures}",
        f"Linear(in_features=96, out_features=10, bias=True) (2, 7, 7, 96) {figures}",
        f"AdaptiveAvgPool2d(output_size=(1, 1)) (8, 16, 7, 9) {figures}",
        f"AdaptiveAvgPool2d(output_size=(6, 6)) (8, 16, 8, 8) {figures}",
        f"MaxPool2d(kernel_size=3, stride=2, padding=1, dilation=1, ceil_mode=False) "
        f"(8, 16, 9, 9) {figures}",
        f"StochasticDepth(p=0.1, mode=row) (8, 16, 9, 9) {figures}",
    )
    visits = list(read_layers(path, FIELDS, COLUMNS))
    assert [(v.runtime_ms, v.power_w) for v in visits] == [(1.0, 150.5)] * 6
    conv, norm, relu, fc, mean, largest = (v.configuration for v in visits)
    assert (conv.out_height, conv.out_width, conv.pad_width, conv.groups, conv.bias) == (
        *(6, 10, 2, 2, 0),
    )
    assert (norm.family, norm.in_channels, norm.out_width) == ("batchnorm", 16, 7)
    assert (relu.in_channels, relu.in_height) == (4096, 1)
    assert (fc.family, fc.batch, fc.in_channels, fc.out_channels, fc.bias) == ("fc", 98, 96, 10, 1)
    assert (mean.kernel_height, mean.kernel_width, mean.out_height, mean.pool_method) == (
        *(7, 9, 1, "ave"),
    )
    assert (largest.out_height, largest.pool_method) == (5, "max")
    assert visits[0].place == "log:3"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("Conv2d(32, 64, stride=(2, 2)) (8, 32, 11, 20) 1 2 3", "kernel_size"),
        ("Conv2d(3, 64, kernel_size=(3, 3)) (8, 32, 11, 20) 1 2 3", "channels"),
        ("Conv2d(32, 64, kernel_size=(30, 3)) (8, 32, 11, 20) 1 2 3", "window"),
        ("Conv2d(32, 64, kernel_size=(3, 3)) (8, 32, 11, 20) 1 2", "figures"),
        ("Conv2d(32, 64, kernel_size=(3, 3)) (8, 32, 11, 20) x 2 3", "not a number"),
        ("Conv2d(32, __import__('os')) (8, 32, 11, 20) 1 2 3", "cannot be read"),
        ("ReLU(inplace=True) (8, 32, 11) 1 2 3", "3 sizes"),
        ("Linear(in_features=96, out_features=10) (2, 95) 1 2 3", "features"),
    ],
)
def test_a_module_that_cannot_be_read_is_one_line(tmp_path: Path, line: str, reason: str) -> None:
    with pytest.raises(InputError, match=re.escape(reason)) as caught:
        list(read_layers(log(tmp_path, line), FIELDS, COLUMNS))
    assert caught.value.line == 2


def test_networks_have_their_name_on_the_line_before(tmp_path: Path) -> None:
    path = log(
        tmp_path,
        "resnet18 (32, 3, 224, 224)",
        "ResNet (32, 3, 224, 224) 0.0125 1858.7 164.3",
        "alexnet (16, 3, 299, 299)",
        "AlexNet (16, 3, 299, 299) 0.0089 1473 164.5 and more",
    )
    columns = {**COLUMNS, "energy_mj": Formula("energy_mj")}
    one, two = read_networks(path, FIELDS, columns)
    assert (one.network, one.input, one.batch) == ("resnet18", "3x224x224", 32)
    assert (one.runtime_ms, one.power_w, one.energy_mj) == (12.5, 164.3, 1858.7)
    assert (two.network, two.input, two.batch) == ("alexnet", "3x299x299", 16)
    with pytest.raises(InputError, match="no name before"):
        list(read_networks(log(tmp_path, "ResNet (1, 3, 2, 2) 1 2 3"), FIELDS, columns))


def test_a_table_is_mapped(tmp_path: Path) -> None:
    path = tmp_path / "pool.csv"
    path.write_text("n,c,side,k,s,us,uj\n4,3,90,2,1,2000,240000\n4,3,5,3,2,10,\n")
    columns = {
        "batch": Formula("n"),
        "in_channels": Formula("c"),
        **{f"in_{side}": Formula("side") for side in ("height", "width")},
        **{f"kernel_{side}": Formula("k") for side in ("height", "width")},
        **{f"stride_{side}": Formula("s") for side in ("height", "width")},
        "runtime_ms": Formula("us", divided_by=1000),
        "power_w": Formula("uj", divided_by="us"),
    }
    one, two = read_table(path, "pool", columns, "max")
    assert (one.configuration.out_height, one.configuration.out_channels) == (89, 3)
    assert (one.runtime_ms, one.power_w) == (2.0, 120.0)
    assert (two.configuration.out_width, two.runtime_ms, two.power_w) == (2, 0.01, None)
    path.write_text("n,c,side,k,s,us,uj\n4,3,90.5,2,1,2000,240000\n")
    with pytest.raises(InputError, match="whole number") as caught:
        list(read_table(path, "pool", columns, "max"))
    assert caught.value.row == 1


def recipe_text(name: str = RECIPES[0]) -> dict[str, object]:
    value: dict[str, object] = yaml.safe_load((PUBLISHED / name / "recipe.yaml").read_text())
    return value


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_of_ours_is_complete(name: str) -> None:
    recipe = load_recipe(PUBLISHED / name)
    assert recipe.name == name
    assert recipe.source.raw_url.endswith(recipe.source.commit)
    assert recipe.source.licence


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"surprise": 1}, "unknown entry"),
        ({"title": ""}, "title"),
        ({"peak_gflops": "fast"}, "peak_gflops"),
        ({"included": {"scale": "nothing"}}, "families"),
        ({"files": [{"path": "../../x"}]}, "file name"),
        ({"files": [{"path": "/etc/passwd"}]}, "file name"),
        ({"source": {"title": "t"}}, "authors"),
        ({"batch_sizes": [0]}, "batch_sizes"),
        ({"in_report": "yes"}, "in_report"),
        ({"source": {"title": "t", "licences": "MIT"}}, "unknown entry 'licences'"),
    ],
)
def test_a_faulty_recipe_is_one_line(
    tmp_path: Path, change: dict[str, object], reason: str
) -> None:
    value = recipe_text()
    if "files" in change:
        change = {"files": [{**value["files"][0], **change["files"][0]}]}  # type: ignore[index]
    folder = tmp_path / "p"
    folder.mkdir()
    (folder / "recipe.yaml").write_text(yaml.safe_dump({**value, **change}))
    with pytest.raises(InputError, match=reason) as caught:
        load_recipe(folder)
    assert caught.value.path == folder / "recipe.yaml"


@pytest.mark.parametrize(
    ("key", "entry", "reason"),
    [
        ("sha256", "abc", "64 hexadecimal"),
        ("reader", "pickle", "reader"),
        ("columns", {"power_w": "p"}, "runtime_ms"),
        ("columns", {"runtime_ms": {"column": "t", "eval": "x"}}, "formula"),
        ("columns", {"runtime_ms": "t", "out_magic": 1}, "unknown column"),
        ("bytes", 0, "bytes"),
        ("bytes", 10**12, "bytes"),
    ],
)
def test_a_faulty_file_of_a_recipe_is_one_line(
    tmp_path: Path, key: str, entry: object, reason: str
) -> None:
    value = recipe_text()
    value["files"][0][key] = entry  # type: ignore[index]
    folder = tmp_path / "p"
    folder.mkdir()
    (folder / "recipe.yaml").write_text(yaml.safe_dump(value))
    with pytest.raises(InputError, match=reason):
        load_recipe(folder)


#: The same sets as they were converted by others; ``runs`` is checked below.
CONVERTED = {
    "a30-pytorch-fp32": "nicolai-a30-fp32",
    "a30-pytorch-tf32": "nicolai-a30-tf32",
    "raptorlake-pytorch": "cunningham-raptorlake",
    "a100-pytorch": "neusight-a100",
    "p100-pytorch": "neusight-p100",
    "1080ti-tensorflow": "justus-1080ti",
    "edge-gpu-pytorch": "neurstruc-edge",
}


@pytest.mark.parametrize("name", sorted(CONVERTED))
def test_the_conversion_is_that_of_the_reference(name: str, tmp_path: Path) -> None:
    """Every row, figure and repeat. The reference counts two runs of a network, which the two
    files of the source that list it have to the last digit: one run, printed twice."""
    if not (REFERENCE / "public-raw").is_dir():
        pytest.skip("../shared/reference/public-raw is not beside the repository")
    recipe = load_recipe(PUBLISHED / name)
    theirs = REFERENCE / "measurements" / CONVERTED[name]
    origin = theirs if recipe.source.converted else REFERENCE / "public-raw"
    sources = fetch(recipe, tmp_path / "src", str(origin))
    ours = convert(recipe, sources, tmp_path / name)
    for path in sorted(theirs.iterdir()):
        # The edge board's conversion counts no repeats.
        left_out = ("inputs", "runs", *(("repeat",) if name == "edge-gpu-pytorch" else ()))
        rows = [_figures(p / path.name, left_out) for p in (ours, theirs)]
        assert Counter(rows[0]) == Counter(rows[1]), path.name
    platform = load_platform(ours)
    assert platform.device == recipe.device
    assert len(load_rows(platform)) == sum(
        len(_figures(p)) for p in theirs.iterdir() if p.name != "networks.csv"
    )
    first = {path.name: path.read_bytes() for path in ours.iterdir()}
    again = convert(recipe, sources, tmp_path / "again" / name)
    assert {path.name: path.read_bytes() for path in again.iterdir()} == first


_Row = tuple[tuple[str, float | str], ...]


def _figures(path: Path, left_out: tuple[str, ...] = ()) -> list[_Row]:
    def figure(text: str) -> float | str:
        try:
            return float(text)
        except ValueError:
            return text

    return [
        tuple(sorted((k, figure(v)) for k, v in row.items() if k not in left_out))
        for row in read_rows(path)[1]
    ]


def test_nothing_of_a_set_is_in_the_repository() -> None:
    """No file of ``published/`` has rows of measurements: recipes, cards and models only."""
    for path in PUBLISHED.rglob("*"):
        if path.is_file() and path.suffix in (".csv", ".gz"):
            opener = gzip.open if path.suffix == ".gz" else open
            with opener(path, "rt") as stream:
                header = stream.readline()
            assert "runtime_ms" not in header.split(","), path
            assert "measured" not in header.split(","), path
