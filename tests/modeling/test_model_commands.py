"""The commands as a user meets them: fit, evaluate, gate."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import signal
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from modeling_tables import QUICK, conv_records, fc_records, measured, write_platform

from neuralpower.cli import main
from neuralpower.core.files import write_json
from neuralpower.modeling.features import FeatureTable
from neuralpower.modeling.platforms import fit_platform

CONFIG = """
fit:
  folds: 5
  candidates:
    - [physical, relative, non-negative]
    - [logs, log, stepwise]
"""


def device(table: FeatureTable) -> np.ndarray:
    return 0.02 + 2.5e-7 * table["macs"] + 2e-7 * table["moved_elements"]


def power(table: FeatureTable) -> np.ndarray:
    return 40.0 + 3.0 * np.log(table["macs"])


@pytest.fixture
def platform(tmp_path: Path) -> Path:
    return write_platform(
        tmp_path / "toy",
        {
            "conv.csv": measured(conv_records(60), device, noise=0.1, power=power),
            "fc.csv": measured(fc_records(50), device, noise=0.1, power=power),
        },
    )


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_fit_twice_gives_the_same_bytes(platform: Path, config: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        words = ["fit", str(platform), "--out", str(tmp_path / name), "--config", str(config)]
        assert main(words) == 0
    found = contents(tmp_path / "a")
    assert found == contents(tmp_path / "b")
    assert {"models.json", "conv.runtime_ms.json", "conv.power_w.json", "fc.energy_mj.json"} <= set(
        found
    )
    assert not any(name.startswith(".") for name in found)
    index = json.loads(found["models.json"])
    assert index["platform"] == "toy"
    assert index["created"] is None
    assert index["options"]["candidates"][0] == "physical, relative, non-negative"


def test_a_killed_fit_resumes_and_ends_the_same(
    platform: Path, config: Path, tmp_path: Path
) -> None:
    words = [
        *(sys.executable, "-m", "neuralpower", "fit", str(platform)),
        *("--config", str(config), "--out"),
    ]
    subprocess.run([*words, str(tmp_path / "whole")], check=True)
    parts = tmp_path / "cut" / ".parts"
    child = subprocess.Popen([*words, str(tmp_path / "cut")])
    deadline = time.monotonic() + 60
    while not list(parts.glob("[a-z]*.json")) and child.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.002)
    child.send_signal(signal.SIGKILL)
    child.wait()
    first = sorted(parts.glob("[a-z]*.json"))
    if first:  # killed in time: the finished part must be taken up, not made again
        (parts / ".torn.tmp").write_text("{")
        before = first[0].stat().st_mtime_ns
        assert not (tmp_path / "cut" / "models.json").exists()
        text = json.loads(first[0].read_text())
        text["fitted"]["model"]["marked"] = True
        first[0].write_text(json.dumps(text))
        os.utime(first[0], ns=(before, before))
    subprocess.run([*words, str(tmp_path / "cut")], check=True)
    whole, cut = contents(tmp_path / "whole"), contents(tmp_path / "cut")
    if first:
        marked_bytes = cut[first[0].name]
        taken = json.loads(marked_bytes)
        assert taken.pop("marked") is True
        cut[first[0].name] = whole[first[0].name]
        assert taken == json.loads(whole[first[0].name])
        cut["models.json"] = cut["models.json"].replace(
            sha256(marked_bytes).hexdigest().encode(),
            sha256(whole[first[0].name]).hexdigest().encode(),
        )
    assert cut == whole


def test_other_data_are_not_taken_from_old_parts(platform: Path, tmp_path: Path) -> None:
    out = tmp_path / "m"
    write_json(out / ".parts" / "conv.runtime_ms.json", {"stamp": {}, "fitted": {"model": 1}})
    write_json(out / "lrn.runtime_ms.json", {"left": "over"})
    fit_platform(platform, out, QUICK)
    assert "equations" in json.loads((out / "conv.runtime_ms.json").read_text())
    assert not (out / "lrn.runtime_ms.json").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fit: {fold: 5}", "unknown option 'fold'"),
        ("fit: {folds: 2}", "from 3 to 20"),
        ("fit: {candidates: [[wide, relative, magic]]}", "'magic' is none of"),
        ("fit: [1", "not YAML"),
    ],
)
def test_bad_configurations_are_one_line(
    platform: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    assert main(["fit", str(platform), "--out", str(tmp_path / "m"), "--config", str(path)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "m").exists()


def test_a_missing_column_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "p"
    folder.mkdir()
    (folder / "fc.csv").write_text("family,batch,runtime_ms\nfc,1,2.0\n")
    assert main(["fit", str(folder), "--out", str(tmp_path / "m")]) == 2
    error = capsys.readouterr().err
    assert "fc.csv" in error
    assert "is missing" in error
    assert error.count("\n") == 1


def test_evaluate_separates_stored_from_fresh(platform: Path, tmp_path: Path) -> None:
    models = tmp_path / "m"
    fit_platform(platform, models, QUICK)
    out = tmp_path / "accuracy.json"
    assert main(["evaluate", str(platform), "--models", str(models), "--out", str(out)]) == 0
    stored = json.loads(out.read_text())
    assert stored["scored_on"] == "out of fold"
    entry = stored["layers"]["conv"]["runtime_ms"]
    model = json.loads((models / "conv.runtime_ms.json").read_text())
    assert entry["rmspe"] == pytest.approx(model["scores"]["rmspe"], rel=1e-12)
    assert {"constant", "macs", "roofline", "paleo_fitted", "paper"} <= set(entry["baselines"])
    assert stored["networks"] == {}

    fresh = write_platform(
        tmp_path / "fresh", {"conv.csv": measured(conv_records(80, seed=9), device, noise=0.1)}
    )
    assert main(["evaluate", str(fresh), "--models", str(models), "--out", str(out)]) == 0
    scored = json.loads(out.read_text())
    assert scored["scored_on"] == "fresh measurements"
    assert set(scored["layers"]) == {"conv"}
    entry = scored["layers"]["conv"]["runtime_ms"]
    assert entry["n"] == 80
    assert entry["rmspe"] < 40.0
    assert entry["baselines"]["constant"] > entry["rmspe"]
    # A model and its baselines may not know the fresh targets: ten times slower is ten times off.
    slow = [
        {**r, "runtime_ms": 10.0 * r["runtime_ms"]}
        for r in measured(conv_records(80, seed=9), device, noise=0.1)
    ]
    write_platform(tmp_path / "fresh", {"conv.csv": slow})
    assert main(["evaluate", str(fresh), "--models", str(models), "--out", str(out)]) == 0
    entry = json.loads(out.read_text())["layers"]["conv"]["runtime_ms"]
    assert 85.0 < entry["mape"] < 95.0
    assert entry["interval_coverage"] == 0.0


def accuracy(conv: float = 10.0, network: float = 5.0) -> dict[str, object]:
    return {
        "layers": {"conv": {"runtime_ms": {"rmspe": conv}}, "fc": {"power_w": {"rmspe": 3.0}}},
        "networks": {"lenet": {"runtime_ms": [{"batch": 1, "error_percent": -network}]}},
        "network_summary": {"runtime_ms": {"mape": network, "rmspe": network, "n": 1}},
    }


@pytest.mark.parametrize(
    ("now", "status", "verdict"),
    [
        (accuracy(), 0, ""),
        (accuracy(conv=10.4), 0, "ok"),  # within half a point
        (accuracy(conv=12.0), 1, "worse"),
        (accuracy(conv=8.0), 0, "better"),
        (accuracy(network=9.0), 1, "worse"),
        ({**accuracy(), "layers": {"conv": {"runtime_ms": {"rmspe": 10.0}}}}, 1, "gone"),
        ({**accuracy(), "networks": {}}, 1, "gone"),
    ],
)
def test_gate(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    now: dict[str, object],
    status: int,
    verdict: str,
) -> None:
    write_json(tmp_path / "now.json", now)
    write_json(tmp_path / "before.json", accuracy())
    words = ["gate", str(tmp_path / "now.json"), "--baseline", str(tmp_path / "before.json")]
    assert main(words) == status
    table = capsys.readouterr().out
    assert verdict in table


def test_gate_refuses_other_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_json(tmp_path / "a.json", {"layers": 3})
    words = ["gate", str(tmp_path / "a.json"), "--baseline", str(tmp_path / "a.json")]
    assert main(words) == 2
    assert "not an accuracy file" in capsys.readouterr().err


def test_equations_are_text_latex_or_python_that_predicts_the_same(
    platform: Path, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = tmp_path / "models"
    assert main(["fit", str(platform), "--out", str(models), "--config", str(config)]) == 0
    capsys.readouterr()
    words = ["equations", str(models), "--family", "fc", "--target", "runtime_ms"]
    assert main(words) == 0
    assert capsys.readouterr().out.startswith("runtime_ms (ms) = ")
    assert main([*words, "--format", "latex"]) == 0
    assert capsys.readouterr().out.startswith("\\begin{align*}")
    source = tmp_path / "fc.py"
    assert main([*words, "--format", "python", "--out", str(source)]) == 0
    assert "def fc_runtime_ms(" in source.read_text()
    assert main(["equations", str(models), "--family", "lrn"]) == 2
    assert "no such model: there are conv" in capsys.readouterr().err


def test_fit_and_evaluate_end_with_a_short_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = Path(__file__).resolve().parents[2]
    folder = tmp_path / "board"
    folder.mkdir()
    for family in ("lrn", "softmax"):
        data = (root / f"measurements/caffe-cpu/{family}.csv.gz").read_bytes()
        (folder / f"{family}.csv.gz").write_bytes(data)
    lines = gzip.decompress((root / "measurements/caffe-cpu/relu.csv.gz").read_bytes()).decode()
    (folder / "relu.csv").write_text("\n".join(lines.splitlines()[:4]) + "\n")
    models = tmp_path / "models"
    assert main(["fit", str(folder), "--out", str(models)]) == 0
    said = capsys.readouterr().err.splitlines()
    assert said[0].split() == ["family", "target", "rows", "MAPE", "%", "by", "fold", "90", "%",
                               "holds"]  # fmt: skip
    name, target, rows, mape, folds, *holds = said[1].split()
    assert (name, target, rows, holds[1]) == ("lrn", "runtime", "50", "%")
    low, high = map(float, folds.split("-"))
    assert low < float(mape) < high
    assert said[-1].startswith("no model of relu for runtime: ")
    assert "at least 5 are needed" in said[-1]
    out = tmp_path / "accuracy.json"
    assert main(["evaluate", str(folder), "--models", str(models), "--out", str(out)]) == 0
    printed = capsys.readouterr().err.splitlines()
    assert printed[1].split()[3] == mape
    assert printed[-1] == "scored on: out of fold"


def test_the_gate_prints_four_digits_and_ignores_what_nobody_sees(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = {"rmspe": 20.123456, "mape": 10.0, "n": 50}
    accuracy = {"platform": "p", "data_sha256": "x", "layers": {"conv": {"runtime_ms": entry}}}
    now, before = tmp_path / "now.json", tmp_path / "before.json"
    now.write_text(json.dumps(accuracy))
    entry |= {"rmspe": 20.123456 + 0.0009, "mape": 10.5}
    before.write_text(json.dumps(accuracy))
    assert main(["gate", str(now), "--baseline", str(before)]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(r["figure"], r["baseline"], r["verdict"]) for r in rows] == [
        ("mape", "10.5", "better")
    ]
    assert main(["gate", str(now), "--baseline", str(before), "--all"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [r["now"] for r in rows if r["figure"] == "rmspe"] == ["20.12"]


def test_a_table_that_is_not_the_one_of_its_manifest_is_not_fitted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "p"
    folder.mkdir()
    (folder / "relu.csv").write_text("family\n")
    write_json(folder / "manifest.json", {"platform": "p", "files": {"relu.csv": "0" * 64}})
    assert main(["fit", str(folder), "--out", str(tmp_path / "m")]) == 2
    assert capsys.readouterr().err == (
        f"neuralpower: {folder}: relu.csv: changed since the manifest was written "
        "(sha256 differs): restore the file\n"
    )
    assert not (tmp_path / "m").exists()


def test_a_changed_coefficient_is_refused(
    platform: Path, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = tmp_path / "models"
    assert main(["fit", str(platform), "--out", str(models), "--config", str(config)]) == 0
    path = models / "fc.runtime_ms.json"
    model = json.loads(path.read_text())
    model["equations"][0]["factor"] *= 2
    path.write_text(json.dumps(model))
    capsys.readouterr()
    assert main(["equations", str(models)]) == 2
    assert "is not the file that fit wrote" in capsys.readouterr().err
