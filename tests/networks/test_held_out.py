"""Networks whose layers are in the tables are scored by models that have not seen them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from neuralpower.core.configuration import CONFIGURATION_COLUMNS, Configuration
from neuralpower.core.files import csv_text, read_rows
from neuralpower.modeling.crossvalidation import Candidate
from neuralpower.modeling.fitting import FitOptions
from neuralpower.modeling.models import load_models
from neuralpower.modeling.platforms import fit_platform
from neuralpower.networks.held_out import FOLDER, hold_out
from neuralpower.networks.learning import learn, load_trials
from neuralpower.networks.reading import Readings
from neuralpower.scoring.layers import evaluate

NETWORKS = {"one": (16, 32, 64), "two": (24, 48, 96), "three": (20, 40), "four": (28, 56, 112)}
BATCH, SIDE = 8, 16
OPTIONS = FitOptions((Candidate("logs", "log", "stepwise"),))


def prototxt(widths: tuple[int, ...]) -> str:
    shape = f"dim: 1 dim: 3 dim: {SIDE} dim: {SIDE}"
    lines = [
        f'layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ {shape} }} }} }}'
    ]
    bottom = "data"
    for i, width in enumerate(widths):
        lines.append(
            f'layer {{ name: "c{i}" type: "Convolution" bottom: "{bottom}" top: "c{i}" '
            f"convolution_param {{ num_output: {width} kernel_size: 3 pad: 1 }} }}"
        )
        bottom = f"c{i}"
    return "\n".join(lines)


def conv(inputs: int, outputs: int) -> Configuration:
    sides = (SIDE, SIDE)
    return Configuration("conv", BATCH, inputs, *sides, outputs, *sides, 3, 3, 1, 1, 1, 1, bias=1)


def cost(c: Configuration, odd: bool) -> float:
    """The layers of networks are twice as fast as the others: unseen, they look too slow."""
    work = 1e-7 * c.batch * c.in_channels * c.out_channels * SIDE * SIDE
    return (0.05 + work) * (0.5 if odd else 1.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("held")
    board = root / "board"
    (board / "prototxts").mkdir(parents=True)
    rows, passes, seen = [], [], set()
    generator = np.random.default_rng(1)
    others = [conv(*map(int, generator.integers(4, 128, 2))) for _ in range(60)]
    for name, widths in NETWORKS.items():
        (board / f"prototxts/{name}.prototxt").write_text(prototxt(widths))
        layers = [conv(i, o) for i, o in zip((3, *widths), widths, strict=False)]
        total = sum(cost(c, odd=True) for c in layers)
        passes.append({"network": name, "batch": BATCH, "runtime_ms": total, "power_w": 100.0})
        seen |= {c.key() for c in layers}
        rows += [(c, cost(c, odd=True)) for c in layers]
    rows += [(c, cost(c, odd=False)) for c in others if c.key() not in seen]
    header = (*CONFIGURATION_COLUMNS, "runtime_ms", "power_w", "repeat")
    records = [
        {**{n: getattr(c, n) for n in CONFIGURATION_COLUMNS}, "runtime_ms": t, "power_w": 100.0,
         "repeat": 1}
        for c, t in rows
    ]  # fmt: skip
    (board / "conv.csv").write_text(csv_text(header, records))
    names = ("network", "batch", "runtime_ms", "power_w")
    (board / "networks.csv").write_text(csv_text(names, passes))
    fit_platform(board, root / "models", OPTIONS)
    return root


def test_what_passes_teach_does_not_hang_on_files_elsewhere(folder: Path, tmp_path: Path) -> None:
    """A network that is kept beside its measurements is the one that was measured."""
    models = load_models(folder / "models")
    board = folder / "board"
    plain, missing = load_trials(board, models)
    assert not missing
    changed = tmp_path / "two.prototxt"
    changed.write_text(prototxt((7, 7)))
    config = tmp_path / "config.yaml"
    config.write_text("reading: {two: {phase: TRAIN, blob_shapes: {data: 1x3x4x4}}}")
    for prototxts, readings in (([changed], None), ([], Readings(config))):
        trials, missing = load_trials(board, models, prototxts, readings)
        assert not missing
        assert learn(trials) == learn(plain)
    taught = tmp_path / "board"
    shutil.copytree(board, taught)
    (taught / "prototxts/networks.yaml").write_text("two: {blob_shapes: {data: 1x3x4x4}}")
    assert learn(load_trials(taught, models)[0]) != learn(plain)


def test_a_network_is_scored_without_its_own_configurations(folder: Path, tmp_path: Path) -> None:
    """Its rows may say what they want: its models and estimates stay what they are, bit for bit."""
    accuracy = evaluate(folder / "board", folder / "models")
    assert accuracy["networks_held_out"] == "by configuration"
    assert accuracy["network_shared_percent"] == pytest.approx(100.0)
    changed = tmp_path / "board"
    shutil.copytree(folder / "board", changed)
    own = {conv(i, o).key() for i, o in zip((3, *NETWORKS["one"]), NETWORKS["one"], strict=False)}
    header, rows = read_rows(changed / "conv.csv")
    for row in rows:
        if conv(int(row["in_channels"]), int(row["out_channels"])).key() in own:
            row["runtime_ms"] = str(3 * float(row["runtime_ms"]))
    (changed / "conv.csv").write_text(csv_text(header, rows))
    fit_platform(changed, tmp_path / "models", OPTIONS)
    other = evaluate(changed, tmp_path / "models")
    kept = f"{FOLDER}/one/conv.runtime_ms.json"
    assert (folder / "models" / kept).read_bytes() == (tmp_path / "models" / kept).read_bytes()
    assert other["networks"]["two"] != accuracy["networks"]["two"]


def test_the_models_without_a_network_are_kept_and_used_again(folder: Path) -> None:
    models = load_models(folder / "models")
    trials, _ = load_trials(folder / "board", models)
    said: list[str] = []
    first = hold_out(folder / "board", folder / "models", models, trials, said.append)
    kept = folder / "models" / FOLDER / "one" / "conv.runtime_ms.json"
    before = kept.read_bytes()
    said.clear()
    again = hold_out(folder / "board", folder / "models", models, trials, said.append)
    assert said == []
    for name in NETWORKS:
        for one, two in zip(first.trials[name], again.trials[name], strict=True):
            np.testing.assert_array_equal(
                one.estimates.runtime_ms.value, two.estimates.runtime_ms.value
            )
    value = json.loads(before)
    kept.write_text(json.dumps({**value, "stamp": "another"}))
    hold_out(folder / "board", folder / "models", models, trials, said.append)
    assert said == ["fitting without the layers of one"]
    assert kept.read_bytes() == before


def test_networks_that_share_nothing_need_no_other_models(folder: Path) -> None:
    models = load_models(folder / "models")
    trials, _ = load_trials(folder / "board", models)
    for trial in trials:
        for layer in trial.network.layers:
            object.__setattr__(layer, "configuration", None)
    assert hold_out(folder / "board", folder / "models", models, trials).trials == {}
