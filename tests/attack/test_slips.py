"""Misspelt names that would be left out without a word: each is said, with what is meant."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import yaml
from attacking import LENET, MODELS, QUICK, ROOT, TABLES, changed, copied, refused

from neuralpower.caffe.network import parse_network
from neuralpower.cli import main
from neuralpower.core.configuration import CONFIGURATION_COLUMNS
from neuralpower.core.errors import InputError
from neuralpower.core.settings_file import SECTIONS
from neuralpower.core.slips import header_slips, meant
from neuralpower.importing.recipe import load_recipe
from neuralpower.records.columns import table_slips
from neuralpower.records.folder import load_platform

# ------------------------------------------------------------------------ columns of tables


@pytest.mark.parametrize(
    ("given", "likely"),
    [
        ("power_mw", "power_w"),
        ("Power_W", "power_w"),
        ("power (W)", "power_w"),
        ("enrgy_mj", "energy_mj"),
        ("energy_uj", "energy_j"),
        ("group", "groups"),
        ("bais", "bias"),
        ("pool_methode", "pool_method"),
        ("runtime_ms_l0", "runtime_ms_lo"),
    ],
)
def test_a_misspelt_column_of_a_table_is_said(tmp_path: Path, given: str, likely: str) -> None:
    (tmp_path / "relu.csv").write_text(
        f"family,batch,in_channels,in_height,in_width,out_channels,out_height,out_width,runtime_ms,"
        f"{given}\nrelu,1,8,8,8,8,8,8,0.1,3\n"
    )
    (slip,) = table_slips(load_platform(tmp_path))
    assert (slip.file, slip.column, slip.meant) == ("relu.csv", given, likely)


@pytest.mark.parametrize("given", ["temperature", "gpu_name", "date", "comment", "runtime_m"])
def test_columns_of_others_and_those_that_are_there_already_are_none(given: str) -> None:
    known = (*CONFIGURATION_COLUMNS, "runtime_ms", "power_w")
    assert header_slips([*known, given], known) == []


@pytest.mark.parametrize(
    ("given", "real"),
    [
        ("runtme_ms", "runtime_ms"),
        ("runtime_ms2", "runtime_ms"),
        ("pad_heigth", "pad_height"),
        ("powr_w", "power_w"),
        ("kernel_widht", "kernel_width"),
    ],
)
def test_a_misspelt_column_beside_the_real_one_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], given: str, real: str
) -> None:
    folder = changed(tmp_path, **{given: "7", "power_w": "5"})
    reason = f"column {given!r}: not read: {real} is there too; remove one, or name it otherwise"
    assert main(["measurements", "check", str(folder)]) == 0
    assert f"warning: relu.csv, {reason}" in capsys.readouterr().out
    words = ["fit", str(folder), "--config", str(tmp_path / "quick.yaml")]
    assert main([*words, "--out", str(tmp_path / "m")]) == 0
    assert reason in capsys.readouterr().err


@pytest.mark.parametrize("repeat", ["0", "-1", "1.5"])
def test_visits_are_counted_from_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], repeat: str
) -> None:
    folder = changed(tmp_path, repeat=repeat)
    main(["measurements", "check", str(folder)])
    said = capsys.readouterr().out
    assert f"warning: relu.csv, row 1: repeat {repeat}: visits are counted 1, 2, 3" in said


def test_a_folder_without_layers_is_said_to_be_none_for_fit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = copied(TABLES / "networks_only", tmp_path)
    assert main(["measurements", "check", str(folder)]) == 0
    assert "warning: networks_only: no layers: evaluate, calibrate" in capsys.readouterr().out


def test_recorded_platforms_have_no_misspelt_column() -> None:
    for name in ("ort-cpu", "caffe-cpu"):
        assert table_slips(load_platform(ROOT / "measurements" / name)) == []


def test_commands_say_a_misspelt_column(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, models = changed(tmp_path, power_w="1"), tmp_path / "models"
    table = folder / "relu.csv"
    table.write_text(table.read_text().replace(",power_w,", ",power_mw,", 1))
    line = "relu.csv: column 'power_mw': no column of a measurement table, not read: did you mean "
    words = ["--config", str(tmp_path / "quick.yaml"), "--out", str(models)]
    assert main(["fit", str(folder), *words]) == 0
    assert line + "power_w?" in capsys.readouterr().err
    with (models / "data_quality.csv").open() as stream:
        rows = [row for row in csv.DictReader(stream) if row["action"] == "not read"]
    assert [(row["file"], row["column"]) for row in rows] == [("relu.csv", "power_mw")]
    assert main(["measurements", "check", str(folder)]) in (0, 1)
    assert "warning: relu.csv, column 'power_mw': no column" in capsys.readouterr().out


def test_calibrate_says_a_misspelt_column_of_whole_networks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = changed(tmp_path)
    (folder / "networks.csv").write_text(
        "network,batch,runtime_ms,enrgy_j,temperature\nlenet,1,2,3,40\n"
    )
    words = ["--networks", str(LENET), "--out", str(tmp_path / "composition.json")]
    assert main(["calibrate", str(folder), "--models", str(MODELS), *words]) == 0
    said = capsys.readouterr().err
    assert "networks.csv: column 'enrgy_j': no column of a measurement table, not read" in said
    assert "did you mean energy_j?" in said
    assert "temperature" not in said


def test_a_misspelt_column_of_configurations_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "t.csv"
    header = "family,batch,in_channels,in_height,in_width,out_channels,out_height,out_width"
    table.write_text(f"{header},bais,note\nfc,1,8,1,1,8,1,1,0,mine\n")
    assert main(["predict", "--table", str(table), "--models", str(MODELS)]) == 0
    printed = capsys.readouterr()
    assert printed.err == (
        f"{table}: column 'bais' is none of a configuration, not read: did you mean bias?\n"
    )
    assert "mine" in printed.out


def test_a_missing_column_names_the_one_that_is_like_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "relu.csv").write_text(
        "family,batch,in_channels,in_height,in_width,out_channels,out_height,out_width,runtime_m\n"
    )
    said = refused(capsys, "fit", tmp_path, "--out", tmp_path / "models")
    assert "relu.csv:1: column 'runtime_ms' is missing: is it 'runtime_m'? Rename that" in said


@pytest.mark.parametrize("bias", ["2", "9", "100000"])
def test_a_bias_is_none_or_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], bias: str
) -> None:
    table = tmp_path / "t.csv"
    header = "family,batch,in_channels,in_height,in_width,out_channels,out_height,out_width"
    table.write_text(f"{header},bias\nfc,1,8,1,1,8,1,1,1\nfc,1,8,1,1,8,1,1,{bias}\n")
    said = refused(capsys, "predict", "--table", table, "--models", MODELS)
    assert f"t.csv, row 2: column bias: a bias of {bias}: 0 or 1 is needed" in said


# ------------------------------------------------------------------------- configurations


def test_the_sections_are_those_of_the_schema() -> None:
    schema = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())
    assert set(SECTIONS) == set(schema["properties"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("redaing: {lenet: {phase: TEST}}", "no section 'redaing' in a configuration: is it readi"),
        ("reading: {lenet: {phas: TEST}}", "reading.lenet: unknown option 'phas'"),
        ("fits: {folds: 3}", "no section 'fits' in a configuration: is it fit?"),
        ("Gate: {points: 3}", "no section 'Gate' in a configuration: is it gate?"),
        ("swep: {}", "no section 'swep' in a configuration: is it sweep?"),
        ("other: 1", "no section 'other' in a configuration: known are networks, "),
        ("[fit]", "names of sections with their options are needed"),
        ("fit", "names of sections with their options are needed"),
    ],
)
@pytest.mark.parametrize("command", ["layers", "fit", "gate", "sweep"])
def test_a_misspelt_section_is_refused_by_every_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, text: str, said: str
) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text + "\n")
    accuracy = ROOT / "published/raptorlake-pytorch/accuracy.json"
    words: dict[str, list[str | Path]] = {
        "layers": ["layers", LENET],
        "fit": ["fit", ROOT / "measurements/caffe-cpu", "--out", tmp_path / "models"],
        "gate": ["gate", "--baseline", accuracy, accuracy],
        "sweep": ["sweep", "--out", tmp_path / "sweep"],
    }
    if "phas" in text and command != "layers":
        return
    assert f"{path}: {said}" in refused(capsys, *words[command], "--config", path)


def test_a_network_that_a_section_names_but_is_not_read_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("reading: {vgg: {phase: TRAIN}}\n" + QUICK)
    assert main(["layers", str(LENET), "--config", str(path), "--out", str(tmp_path / "l")]) == 0


def test_what_is_meant() -> None:
    assert meant("redaing", SECTIONS) == "reading"
    assert meant("Batch-Sizes", SECTIONS) == "batch_sizes"
    assert meant("zzz", SECTIONS) == ""


# ------------------------------------------------------------------------------- networks

SHARED = (
    'layer { name: "d" type: "Input" top: "d" input_param { shape { dim: 1 dim: 8 } } } '
    'layer { name: "a" type: "InnerProduct" bottom: "d" top: "a" param { %s } '
    "inner_product_param { num_output: 4 } }"
)


@pytest.mark.parametrize("field", ['nam: "w"', 'nmae: "w"', 'name_: "w"'])
def test_a_misspelt_name_of_shared_weights_is_not_sure(field: str) -> None:
    (line,) = parse_network(SHARED % field, path="f").warnings
    assert "not sure: unknown field " in line
    assert "of ParamSpec (is it name?)" in line


@pytest.mark.parametrize("field", ["lr_mul: 1", "decay_mlt: 0", "init: 3", "frozen: true"])
def test_what_only_learning_needs_is_no_doubt(field: str) -> None:
    assert parse_network(SHARED % field, path="f").warnings == []


def test_a_shape_of_data_that_nothing_asks_for_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["layers", str(LENET), "--data-shape", "3x32x32"]) == 0
    said = capsys.readouterr().err
    assert f"{LENET}: no layer asks for the shape of its data: --data-shape" in said
    assert "--blob-shape NAME=DIMS" in said


def test_a_shape_of_data_that_a_layer_takes_is_not() -> None:
    text = (
        'layer { name: "d" type: "Data" top: "d" data_param { source: "x" batch_size: 2 } } '
        'layer { name: "r" type: "ReLU" bottom: "d" top: "r" }'
    )
    network = parse_network(text, path="f", data_shape=(3, 8, 8))
    assert network.warnings == []
    assert network.layers[1].top_shapes == ((2, 3, 8, 8),)


@pytest.mark.parametrize("value", ["[1]", "[{a: b}]", "[[x]]", '[""]', "[null]", "x", "{a: b}"])
def test_traps_of_a_recipe_are_texts(tmp_path: Path, value: str) -> None:
    recipe = yaml.safe_load((ROOT / "published/raptorlake-pytorch/recipe.yaml").read_text())
    recipe["traps"] = yaml.safe_load(value)
    folder = tmp_path / "board"
    folder.mkdir()
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    with pytest.raises(InputError, match="not a recipe: traps: "):
        load_recipe(folder)
