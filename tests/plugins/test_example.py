"""Executors and meters from other packages: found by their entry points, said when missing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import numpy
import pytest

from neuralpower.core import plugins
from neuralpower.core.configuration import Configuration
from neuralpower.core.errors import InputError
from neuralpower.core.files import csv_text
from neuralpower.frameworks.base import BaseExecutor
from neuralpower.frameworks.protocol import Executor
from neuralpower.frameworks.registry import BUILT_IN, GROUP, executors, make_executor
from neuralpower.meters import registry as meters
from neuralpower.meters.meter import NoMeter, PowerMeter
from neuralpower.meters.sampler import PolledMeter
from neuralpower.meters.samples import SampleSource
from neuralpower.project.fingerprint import code_hash

ROOT = Path(__file__).resolve().parents[2]
FC = Configuration("fc", 4, 32, 1, 1, 8, 1, 1, bias=1)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, installed by pip into a folder."""
    source = tmp_path_factory.mktemp("source") / "example"
    shutil.copytree(ROOT / "tests/plugins/example", source)
    target = tmp_path_factory.mktemp("site-packages")
    command = "-m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation"
    done = subprocess.run(
        [sys.executable, *command.split(), "--target", str(target), str(source)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture
def installed(site: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(site))
    yield
    sys.modules.pop("neuralpower_example", None)


def test_a_small_package_brings_an_executor_and_a_meter(site: Path, tmp_path: Path) -> None:
    """Through the command line, as a person would."""
    rows = [FC.as_row(), Configuration("relu", 1, 4, 6, 6, 4, 6, 6).as_row()]
    rows.append(Configuration("sigmoid", 1, 4, 6, 6, 4, 6, 6).as_row())
    table = tmp_path / "rows.csv"
    table.write_text(csv_text(list(rows[0]), rows))
    out = tmp_path / "out"
    words = "-m neuralpower profile --platform p --executor numpy --meter example"
    times = "--min-time 5ms --max-time 10ms"
    done = subprocess.run(
        [sys.executable, *words.split(), *times.split(), str(table), "--out", str(out)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(site)])},
    )
    assert done.returncode == 0, done.stderr
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["executor"]["software"] == f"numpy {numpy.__version__}"
    visits = [json.loads(line) for line in (out / "visits.jsonl").read_text().splitlines()]
    made = [visit for visit in visits if visit["timing"]]
    assert {visit["power"]["source"] for visit in made} == {"example"}
    assert {round(visit["power"]["mean_w"], 6) for visit in made} == {42}
    (failed,) = {visit["error"] for visit in visits if not visit["timing"]}
    assert "(Sigmoid): this layer type has no numpy form" in failed


@pytest.mark.usefixtures("installed")
def test_its_classes_fill_the_protocols() -> None:
    assert executors()[: len(BUILT_IN)] == tuple(BUILT_IN)
    assert "numpy" in executors()
    executor: Executor = make_executor("numpy", 1)
    assert isinstance(executor, BaseExecutor)
    assert (executor.replays, executor.uuid) == (False, "")
    workload = executor.layer(FC, 3)
    workload.call()
    assert (workload.kernels(), workload.held_bytes) == (None, 0)
    assert executor.memory_share([workload]) == 0
    meter = meters.choose_meter("example")
    assert isinstance(meter, SampleSource)
    polled: PolledMeter = meter  # type: ignore[assignment]
    assert (polled.uuid, polled.state(), polled.last_error()) == ("", (), None)
    with pytest.raises(InputError, match="meter example measures no GPU: take one of nvml"):
        meters.meters_for("gpu", "example")


def test_names_that_are_not_installed_list_those_that_are() -> None:
    with pytest.raises(InputError, match="'caffe' is not installed; installed are onnxruntime"):
        make_executor("caffe", 1)
    with pytest.raises(InputError, match="'clamp' is not installed; installed are nvml, rapl"):
        meters.choose_meter("clamp")
    hints = {"jax": "pip install ./plugins/jax"}
    with pytest.raises(InputError, match=r"'jax' is not installed: pip install \./plugins/jax"):
        plugins.load("executor", "jax", {}, hints)


def test_a_package_that_cannot_be_loaded_is_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "broken-1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1\n")
    (folder / "entry_points.txt").write_text(
        "[neuralpower.meters]\nbroken = broken_meter:Meter\nrapl = broken_meter:Rapl\n"
        "[neuralpower.executors]\nbroken = broken_meter:Executor\n"
    )
    (tmp_path / "broken_meter.py").write_text("raise ZeroDivisionError('at import')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(InputError, match="executor 'broken' cannot be loaded: ZeroDivisionError"):
        make_executor("broken", 1)
    with pytest.raises(InputError, match="'broken' cannot be loaded: ZeroDivisionError: at import"):
        meters.choose_meter("broken")
    # It stops nobody else, and takes no name of ours.
    (rapl,) = [entry for entry in meters.meters("cpu") if entry.name == "rapl"]
    assert rapl.factory == meters.BUILT_IN["rapl"]
    (broken,) = [entry for entry in meters.meters("gpu") if entry.name == "broken"]
    assert isinstance(broken.meter, NoMeter)


def test_the_entry_points_of_this_package_are_the_built_in_ones() -> None:
    points = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    assert points == {GROUP: BUILT_IN, meters.GROUP: meters.BUILT_IN}
    for entry in meters.meters():
        meter: PowerMeter = entry.meter
        assert meter.info.name in (entry.name, "none")


def test_what_others_bring_is_part_of_a_measurements_fingerprint(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {name: code_hash(name) for name in ("profile", "layers")}
    monkeypatch.syspath_prepend(str(site))
    assert "neuralpower-example 1.0" in plugins.versions(GROUP, BUILT_IN)
    assert code_hash("profile") != before["profile"]
    assert code_hash("layers") == before["layers"]
