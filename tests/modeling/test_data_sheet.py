"""A device that nobody has measured, from the models and data sheets of others."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from modeling_tables import QUICK, conv_records, layers_of, measured, write_platform

from neuralpower.cli import main
from neuralpower.modeling.data_sheet import DataSheet, load_data_sheet
from neuralpower.modeling.features import FeatureTable
from neuralpower.modeling.models import load_models
from neuralpower.modeling.platforms import fit_platform
from neuralpower.modeling.transfer import transfer_platform

#: Peak (10^9 operations/s), bandwidth (GB/s), cap (W) of three made-up boards.
BOARDS = {"slow": (1000, 100, 50.0), "even": (4000, 200, 100.0), "new": (9000, 250, 200.0)}


def runtime(board: str) -> object:
    peak, bandwidth, _ = BOARDS[board]

    def of(table: FeatureTable) -> np.ndarray:
        work = 2 * table["macs"] / (peak * 1e6) + 4 * table["moved_elements"] / (bandwidth * 1e6)
        return np.asarray(3.0 * work * table["batch"] ** 0.1)

    return of


def write_board(folder: Path, board: str, rows: int, seed: int) -> Path:
    peak, bandwidth, cap = BOARDS[board]
    records = measured(
        conv_records(rows, seed=seed),
        runtime(board),  # type: ignore[arg-type]
        noise=0.03,
        power=lambda t: 0.8 * cap * np.ones(t.rows),
    )
    written = write_platform(folder / board, {"conv.csv": records})
    facts = {"peak_gflops": peak, "bandwidth_gb_s": bandwidth, "power_cap_w": cap}
    (written / "manifest.json").write_text(json.dumps(facts))
    return written


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sheet")
    for seed, board in enumerate(("slow", "even")):
        fit_platform(write_board(folder, board, 250, seed), folder / "m" / board, QUICK)
    write_board(folder, "new", 150, 9)
    (folder / "new.yaml").write_text(
        "device: a new board\npeak_gflops: 9000\nbandwidth_gb_s: 250\npower_cap_w: 200\n"
    )
    return folder


def test_a_board_is_predicted_from_its_data_sheet(root: Path, tmp_path: Path) -> None:
    words = ["transfer", "--data-sheet", str(root / "new.yaml"), "--out", str(tmp_path / "board")]
    assert main([*words, "--models", str(root / "m" / "slow"), str(root / "m" / "even")]) == 0
    models = load_models(tmp_path / "board")
    assert (models.platform, models.facts["device"]) == ("board", "a new board")
    model = models.get("conv", "runtime_ms")
    assert model is not None
    layers = layers_of(root / "new", "conv")
    guess = model.predict(layers.columns)
    error = guess.value / layers.measured - 1.0
    # The boards differ by nothing but their data sheets; their models are good to some per cent.
    assert np.abs(error).mean() < 0.12
    # Nobody knows that: a factor of 4 either way, and what it is made of is said.
    np.testing.assert_allclose(guess.hi / guess.value, 4.0)
    np.testing.assert_allclose(guess.lo / guess.value, 0.25)
    assert model.facts["scores"] == {}
    assert model.facts["provenance"]["source"] == "data sheet and slow, even"
    assert [part.source for part in model.parts] == [
        "even",
        "data sheet of slow",
        "data sheet of even",
        "data sheet",
    ]
    power = models.get("conv", "power_w")
    assert power is not None
    drawn = power.predict(layers.columns)
    np.testing.assert_allclose(drawn.value, 160.0, rtol=0.02)
    np.testing.assert_allclose(drawn.hi, 200.0)  # the new board's cap


def test_what_was_measured_counts_more_than_the_data_sheet(root: Path, tmp_path: Path) -> None:
    """Convolutions were measured; the manifest's facts serve for what was not."""
    table = root / "new" / "conv.csv"
    few = tmp_path / "few"
    few.mkdir()
    (few / "manifest.json").write_bytes((root / "new" / "manifest.json").read_bytes())
    lines = table.read_text().splitlines(keepends=True)
    (few / "conv.csv").write_text("".join(lines[:4]))  # three rows: too few for a model
    sources = [root / "m" / "slow", root / "m" / "even"]
    transfer_platform(sources, few, tmp_path / "a", QUICK)
    found = load_models(tmp_path / "a").get("conv", "runtime_ms")
    assert found is not None
    assert found.candidate == "data sheet"
    (few / "conv.csv").write_text("".join(lines[:31]))
    transfer_platform(sources, few, tmp_path / "b", QUICK)
    found = load_models(tmp_path / "b").get("conv", "runtime_ms")
    assert found is not None
    assert found.candidate != "data sheet"
    assert found.facts["scores"]["n"] == 30


def test_without_facts_nothing_is_guessed(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["transfer", "--models", str(root / "m" / "slow"), "--out", str(tmp_path)]) == 2
    assert "give MEASUREMENTS_DIR, --data-sheet FILE, or both" in capsys.readouterr().err
    bare = tmp_path / "bare"
    bare.mkdir()
    lines = (root / "new" / "conv.csv").read_text().splitlines(keepends=True)
    (bare / "conv.csv").write_text("".join(lines[:4]))
    words = ["transfer", str(bare), "--models", str(root / "m" / "slow"), "--out"]
    assert main([*words, str(tmp_path / "x")]) == 2
    assert "no data sheet is known" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("peak_gflops: 9000", "peak_gflops and bandwidth_gb_s are needed"),
        ("peak_gflops: -1\nbandwidth_gb_s: 5", "peak_gflops: a positive number is needed"),
        ("peak_gflops: yes\nbandwidth_gb_s: 5", "peak_gflops: a positive number is needed"),
        (
            "peak_gflops: 5.0e-324\nbandwidth_gb_s: 5",
            "peak_gflops 4.94066e-324: devices have",
        ),
        ("peak_gflops: 1e11\nbandwidth_gb_s: 5", "peak_gflops 1e+11: devices have 0.001 to 2e+07"),
        ("peak_gflops: 9e3\nbandwidth_gb_s: 1e-300", "bandwidth_gb_s 1e-300: devices have"),
        ("peak_gflops: 9e3\nbandwidth_gb_s: 9e11", "bandwidth_gb_s 9e+11: devices have"),
        (
            "peak_gflops: 9e3\nbandwidth_gb_s: 9\npower_cap_w: 1e9",
            "power_cap_w 1e+09: devices have 0.001 to 5000 W; is the unit right?",
        ),
        ("peak_gflops: 9e3\nbandwidth_gb_s: 9\nidle_power_w: 2e4", "idle_power_w 20000: devices"),
        ("peak_gflops: 9:30\nbandwidth_gb_s: 5", "peak_gflops: a positive number is needed"),
        ("peak_gflop: 9000", "unknown fact 'peak_gflop'"),
        ("device: 5", "device: words are needed"),
        ("- 1", "a data sheet is a mapping"),
    ],
)
def test_faults_of_a_data_sheet_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    path = tmp_path / "sheet.yaml"
    path.write_text(text)
    words = ["transfer", "--data-sheet", str(path), "--models", "x", "--out", str(tmp_path / "o")]
    assert main(words) == 2
    shown = capsys.readouterr().err
    assert said in shown
    assert str(path) in shown
    assert shown.count("\n") == 1
    assert not (tmp_path / "o").exists()


def test_the_facts_of_a_data_sheet(root: Path) -> None:
    assert load_data_sheet(root / "new.yaml") == DataSheet(
        9000.0, 250.0, 200.0, None, "a new board"
    )


@pytest.mark.parametrize(("peak", "bandwidth"), [(0.001, 0.001), (2e7, 1e5), (0.001, 1e5)])
def test_the_slowest_and_the_fastest_device_have_models(
    root: Path, tmp_path: Path, peak: float, bandwidth: float
) -> None:
    sheet = tmp_path / "sheet.yaml"
    sheet.write_text(f"peak_gflops: {peak}\nbandwidth_gb_s: {bandwidth}\n")
    words = ["transfer", "--data-sheet", str(sheet), "--out", str(tmp_path / "m"), "--models"]
    assert main([*words, str(root / "m" / "slow")]) == 0
    model = load_models(tmp_path / "m").get("conv", "runtime_ms")
    assert model is not None
    guess = model.predict(layers_of(root / "new", "conv").columns)
    assert np.isfinite(guess.hi).all()
    assert (guess.lo > 0.0).all()


def test_facts_of_a_manifest_and_of_an_index_are_looked_at_too(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = write_platform(
        tmp_path / "few",
        {"conv.csv": measured(conv_records(6), runtime("new"), noise=0.03)},  # type: ignore[arg-type]
    )
    manifest = few / "manifest.json"
    manifest.write_text('{"peak_gflops": 9000, "bandwidth_gb_s": 1e-300}')
    for words in (["transfer", "--models", str(root / "m" / "slow")], ["fit"]):
        assert main([words[0], str(few), *words[1:], "--out", str(tmp_path / "m")]) == 2
        assert f"{manifest}: bandwidth_gb_s 1e-300: devices have" in capsys.readouterr().err
    assert main(["measurements", "check", str(few)]) == 1
    assert "error: manifest.json: bandwidth_gb_s 1e-300: devices have" in capsys.readouterr().out
    models = tmp_path / "models"
    shutil.copytree(root / "m" / "slow", models)
    index = json.loads((models / "models.json").read_text())
    (models / "models.json").write_text(json.dumps(index | {"peak_gflops": 5e-324}))
    words = ["transfer", "--data-sheet", str(root / "new.yaml"), "--models", str(models), "--out"]
    assert main([*words, str(tmp_path / "m")]) == 2
    assert f"{models / 'models.json'}: peak_gflops 4.94066e-324" in capsys.readouterr().err
    assert not (tmp_path / "m").exists()


def test_a_board_that_draws_more_when_idle_than_measured_is_refused(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All rows at one power are the cap, as measurements show it: no idle power is above."""
    records = measured(
        conv_records(20),
        runtime("new"),  # type: ignore[arg-type]
        power=lambda t: 40.0 * np.ones(t.rows),
    )
    board = write_platform(tmp_path / "b", {"conv.csv": records})
    (board / "manifest.json").write_text('{"idle_power_w": 50}')
    words = ["transfer", str(board), "--models", str(root / "m" / "slow"), "--out"]
    assert main([*words, str(tmp_path / "m")]) == 2
    assert "idle_power_w 50 is not below the board's limit of 40 W" in capsys.readouterr().err


def test_what_an_earlier_transfer_left_is_removed(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A curve and a composition of other models would be shown, or would stop predict."""
    config = tmp_path / "quick.yaml"
    config.write_text("fit: {folds: 3, candidates: [[physical, relative, non-negative]]}")
    few = write_platform(
        tmp_path / "few",
        {"conv.csv": measured(conv_records(30), runtime("new"), noise=0.03)},  # type: ignore[arg-type]
    )
    out, slow = tmp_path / "out", str(root / "m" / "slow")
    words = ["--models", slow, "--out", str(out), "--config", str(config)]
    assert main(["transfer", str(few), *words]) == 0
    assert (out / "learning_curve.csv").exists()
    (out / "composition.json").write_text('{"models_sha256": "of other models"}')
    assert main(["transfer", "--data-sheet", str(root / "new.yaml"), *words]) == 0
    assert not (out / "learning_curve.csv").exists()
    lenet = str(Path(__file__).resolve().parents[2] / "prototxts/lenet.prototxt")
    assert main(["predict", lenet, "--models", str(out)]) == 0
