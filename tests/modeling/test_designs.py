"""Which configurations to measure next."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pytest
from modeling_tables import QUICK, conv_records, layers_of, measured, write_platform

from neuralpower.cli import main
from neuralpower.core.files import read_rows
from neuralpower.modeling import designs
from neuralpower.modeling.designs import UNKNOWN, most_informative, shares, unknown
from neuralpower.modeling.features import FeatureTable
from neuralpower.modeling.models import load_models
from neuralpower.modeling.platforms import fit_platform


def cost(table: FeatureTable) -> np.ndarray:
    return 0.02 + 2e-7 * table["macs"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A device whose 1x1 convolutions are ten times as uncertain as the others."""
    root = tmp_path_factory.mktemp("designs")
    rows = measured(conv_records(400), cost, noise=0.02)
    generator = np.random.default_rng(7)
    for row in rows:
        if row["kernel_height"] == 1:
            row["runtime_ms"] *= float(np.exp(0.3 * generator.standard_normal()))
    fit_platform(write_platform(root / "p", {"conv.csv": rows}), root / "models", QUICK)
    write_platform(root / "new", {"conv.csv": measured(conv_records(300, seed=5), cost)})
    return root


def test_the_first_rows_spread_over_all(folder: Path) -> None:
    columns = layers_of(folder / "new", "conv").columns
    found = most_informative(columns, "conv", 30, [])
    assert len(set(found.tolist())) == 30
    correlation = designs._correlation(columns, "conv")

    def left(chosen: np.ndarray) -> float:
        """What is not known after these measurements, by the textbook's formula."""
        known = correlation[np.ix_(chosen, chosen)] + designs.NOISE * np.eye(len(chosen))
        across = correlation[chosen]
        return float(np.trace(correlation - across.T @ np.linalg.solve(known, across)))

    random = [np.random.default_rng(s).choice(300, 30, replace=False) for s in range(20)]
    assert left(found) < 0.95 * min(left(chosen) for chosen in random)
    # A smaller design is the start of a larger one, and the same again.
    assert most_informative(columns, "conv", 10, []).tolist() == found[:10].tolist()


def test_more_is_measured_where_the_given_models_are_unsure(folder: Path) -> None:
    columns = layers_of(folder / "new", "conv").columns
    models = load_models(folder / "models")
    assert (unknown(columns, "conv", []) == UNKNOWN).all()
    assert (unknown(columns, "fc", [models]) == UNKNOWN).all()  # it has no such family
    pointwise = FeatureTable(columns, "conv")["window"] == 1.0
    size = unknown(columns, "conv", [models])
    assert np.median(size[pointwise]) > 3.0 * np.median(size[~pointwise])
    plain = most_informative(columns, "conv", 40, [])
    given = most_informative(columns, "conv", 40, [models])
    assert pointwise[given].mean() > pointwise[plain].mean() + 0.15


def test_shares_of_families() -> None:
    assert shares({"conv": 400, "fc": 100, "relu": 20}, 104) == {"conv": 80, "fc": 19, "relu": 5}
    assert shares({"conv": 400, "relu": 3}, 1000) == {"conv": 400, "relu": 3}
    # Too little for all: those with the most rows first, and no family with fewer than five.
    assert shares({"conv": 400, "fc": 100, "relu": 20}, 11) == {"conv": 6, "fc": 5, "relu": 0}


def sweep_file(path: Path) -> None:
    path.write_text(
        "sweep:\n  seed: 1\n  max_memory_mb: 64\n  max_operations: 100000000\n  families:\n"
        "    conv:\n      count: 60\n      batch: {low: 1, high: 8}\n"
        "      in_channels: {low: 3, high: 64}\n      out_channels: {low: 8, high: 64}\n"
        "      size: {low: 8, high: 32}\n      kernel: {1: 1, 3: 1}\n      stride: {1: 1}\n"
        "      padding: {same: 1}\n    relu:\n      count: 30\n      batch: {low: 1, high: 8}\n"
        "      in_channels: {low: 3, high: 64}\n      size: {low: 8, high: 32}\n"
    )


def test_the_sweep_of_few_rows(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep_file(tmp_path / "c.yaml")
    words = ["sweep", "--config", str(tmp_path / "c.yaml"), "--out"]
    assert main([*words, str(tmp_path / "all")]) == 0
    chosen = [*words, str(tmp_path / "few"), "--choose", "18", "--given", str(folder / "models")]
    assert main(chosen) == 0
    for family, count in (("conv", 12), ("relu", 6)):
        rows = read_rows(tmp_path / "few" / f"{family}.csv")[1]
        every = read_rows(tmp_path / "all" / f"{family}.csv")[1]
        assert len(rows) == count
        assert all(row in every for row in rows)
    again = [*words, str(tmp_path / "again"), "--choose", "18", "--given", str(folder / "models")]
    assert main(again) == 0
    for name in ("conv.csv", "relu.csv"):
        assert (tmp_path / "few" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    assert main([*words, str(tmp_path / "x"), "--given", str(folder / "models")]) == 2
    assert "--given needs --choose N" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_a_new_device_in_one_command(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The profiler is a made-up device, three times slower; all else is as it is."""
    heard: list[argparse.Namespace] = []

    def measure(arguments: argparse.Namespace) -> int:
        heard.append(arguments)
        tables = {}
        for table in arguments.tables:
            rows = [
                {name: value if name in ("family", "pool_method") else int(value or 1)
                 for name, value in row.items() if name != "origin"}
                for row in read_rows(table)[1]
            ]  # fmt: skip
            tables[Path(table).name] = measured(rows, lambda t: 3.0 * cost(t), noise=0.02)
        write_platform(arguments.out, tables)
        return 0

    monkeypatch.setattr("neuralpower.commands.profile.run", measure)
    sweep_file(tmp_path / "c.yaml")
    words = ["adapt", "--config", str(tmp_path / "c.yaml"), "--models", str(folder / "models")]
    words += ["--platform", "mine", "--out", str(tmp_path / "o"), "--budget", "40s"]
    assert main([*words, "--", "--threads", "2"]) == 0
    [arguments] = heard
    assert (arguments.threads, arguments.budget, arguments.platform) == (2, 40.0, "mine")
    # 40 seconds are 40 rows: shared between the families, the best first.
    counts = {p.stem: len(read_rows(p)[1]) for p in (tmp_path / "o/sweep").glob("*.csv")}
    assert counts == {"conv": 27, "relu": 13}
    models = load_models(tmp_path / "o/models/mine")
    model = models.get("conv", "runtime_ms")
    assert model is not None
    new = layers_of(folder / "new", "conv")
    guess = model.predict(new.columns).value
    assert np.median(np.abs(guess / (3.0 * new.measured) - 1.0)) < 0.1
    assert models.get("relu", "runtime_ms") is not None  # fitted on its own rows
    assert "predict with --models" in capsys.readouterr().err


def test_faults_of_adapt_are_said_before_anything_is_measured(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep_file(tmp_path / "c.yaml")
    words = ["adapt", "--config", str(tmp_path / "c.yaml"), "--out", str(tmp_path / "o")]
    words += ["--platform", "mine", "--models"]
    assert main([*words, str(tmp_path / "none")]) == 2
    assert main([*words, str(folder / "models"), "--budget", "0.5s"]) == 2
    assert main([*words, str(folder / "models"), "--platform", "../x"]) == 2
    assert not (tmp_path / "o").exists()
    assert len(capsys.readouterr().err.splitlines()) == 3
