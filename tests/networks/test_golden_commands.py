"""What the commands on networks print, against stored text: models of a few terms made by hand.

The numbers can be worked out: a convolution takes 0.01 ms and 1e-6 ms per thousand
multiply-accumulates, times its ``lean``; it draws 120 W.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import golden
import pytest

from neuralpower.cli import main
from neuralpower.core.files import write_json, write_text
from neuralpower.modeling.bands import Interval
from neuralpower.modeling.baselines import Baseline
from neuralpower.modeling.members import Anchor, Equation, Part
from neuralpower.modeling.models import Model, save_model
from neuralpower.modeling.terms import Factor as Of
from neuralpower.modeling.terms import Term
from neuralpower.networks.calibration import Composition, Factor, save_composition
from neuralpower.networks.launch import Launch

GOLDEN = Path(__file__).parent / "golden"
NET = """name: "net"
layer { name: "data" type: "Input" top: "data"
  input_param { shape { dim: 2 dim: 3 dim: 64 dim: 64 } } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 32 kernel_size: 5 stride: 2 pad: 2 } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1"
  pooling_param { pool: MAX kernel_size: 3 stride: 2 } }
layer { name: "left" type: "Convolution" bottom: "pool1" top: "left"
  convolution_param { num_output: 64 kernel_size: 3 pad: 1 } }
layer { name: "right" type: "Convolution" bottom: "pool1" top: "right"
  convolution_param { num_output: 64 kernel_size: 1 } }
layer { name: "sum" type: "Eltwise" bottom: "left" bottom: "right" top: "sum" }
layer { name: "fc" type: "InnerProduct" bottom: "sum" top: "fc"
  inner_product_param { num_output: 100 } }
layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }
"""

#: Family: milliseconds per 1000 of a feature, and what a layer draws in watts.
COSTS = {
    "conv": ("macs", 1e-6, 120.0), "relu": ("output_elements", 2e-5, 80.0),
    "pool": ("input_elements", 3e-5, 90.0), "fc": ("macs", 5e-6, 100.0),
}  # fmt: skip
RANGES = {
    "batch": (1.0, 64.0), "in_channels": (1.0, 64.0), "out_channels": (1.0, 256.0),
    "in_height": (1.0, 32.0), "in_width": (1.0, 32.0),
}  # fmt: skip


def equation(terms: Sequence[Term], coefficients: Sequence[float]) -> Equation:
    return Equation("linear", tuple(terms), tuple(coefficients))


def made(family: str, target: str, value: Equation, **more: Any) -> Model:
    parts = [value]
    if family == "fc":  # the same at another weight, and a power of the work
        log = ((), (Of("macs", "log"),), (Of("macs", "above", 14.0), Of("batch", "equals", 2.0)))
        parts.append(Equation(value.link, value.terms, value.coefficients, 1.25, 0.5))
        parts.append(Equation("log", log, (-19.0, 1.0, 0.1), 1.0, 0.25))
    return Model(
        family, target, tuple(parts), Anchor(value, 0.25, 4.0),
        Interval((-3.0, 3.0), (1.0, 2.0), -0.1, 0.15), RANGES,
        ("max",) if family == "pool" else (), 0.1, 0.3, 1.02, 0.98, "made by hand", **more,
    )  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("golden")
    names = []
    for family, (feature, ms, watts) in COSTS.items():
        time = [(), (Of(feature),)], [0.01, ms / 1000]
        bent = equation([(Of("input_elements", "log"), Of("batch"))], [0.001])
        moved = Part("another board", 0.5, (bent,), Anchor(equation([()], [1.0]), 0.9, 1.1))
        models = (
            made(family, "runtime_ms", equation(*time), launch_ms=0.012,
                 parts=(moved,) if family == "relu" else ()),
            made(family, "power_w", equation([()], [watts]), limits=(30.0, 250.0)),
            made(family, "energy_mj", equation(time[0], [watts * c for c in time[1]])),
        )  # fmt: skip
        for model in models:
            names.append(f"{family}.{model.target}.json")
            save_model(model, folder / "models" / names[-1])
    index = {"schema_version": 4, "platform": "board", "models": names, "device": "a board"}
    write_json(folder / "models" / "models.json", index)
    work = [equation([(Of("macs"),)], [8e-10]), equation([(Of("input_elements"),)], [4e-8])]
    roof = Baseline("conv", "roofline", tuple(work), {})
    write_json(folder / "models" / "baselines.json", {
        family: {"runtime_ms": {"roofline": roof.to_json()}} for family in COSTS
    })  # fmt: skip
    for name, width in (("net", 64), ("wider", 128)):
        text = NET.replace("num_output: 64", f"num_output: {width}").replace('"net"', f'"{name}"')
        write_text(folder / f"{name}.prototxt", text)
    return folder


@pytest.fixture(scope="module")
def composed(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same models with what measured passes have taught about adding them up."""
    folder = tmp_path_factory.mktemp("composed") / "models"
    folder.mkdir()
    for path in (project / "models").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    factors = {
        "all": Factor(1.1, 1.12, 0.05, 6, 4.5), "conv": Factor(0.9, 0.88, 0.02, 6, 3.0),
    }  # fmt: skip
    launch = Launch(("relu",), longer=True, power=0.95, busy_w=3.0, waiting_w=50.0)
    scales = {"runtime_ms": 1.2, "power_w": 0.8, "energy_mj": 1.5}
    save_composition(Composition(factors, scales, ("a", "b", "c", "d", "e"), (), launch), folder)
    return folder


CALLS = {
    "predict": ["predict", "net.prototxt", "--format", "md"],
    "predict_batches":
        ["predict", "net.prototxt", "--batch", "1", "--batch", "32", "--format", "csv"],
    "predict_json": ["predict", "net.prototxt", "--format", "json"],
    "explain": ["explain", "net.prototxt", "--format", "md"],
    "explain_csv": ["explain", "wider.prototxt", "--batch", "64"],
    "explain_json": ["explain", "net.prototxt", "--batch", "8", "--format", "json"],
    "compare": ["compare", "net.prototxt", "wider.prototxt", "--format", "md"],
    "compare_csv": ["compare", "net.prototxt", "wider.prototxt", "--batch", "4", "--format", "csv"],
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("models", ["plain", "composed"])
def test_what_a_command_prints(
    project: Path,
    composed: Path,
    models: str,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(project)
    folder = project / "models" if models == "plain" else composed
    assert main([*CALLS[name], "--models", str(folder)]) == 0
    printed = capsys.readouterr()
    text = printed.out + "".join(f"! {line}\n" for line in printed.err.splitlines())
    # Kernels of other processors differ in the last digits.
    text = re.sub(r"\d+\.\d{8,}", lambda number: f"{float(number[0]):.6g}", text)
    golden.check(GOLDEN / f"{name}.{models}.txt", text.replace(str(folder), "MODELS"))


@pytest.mark.parametrize("form", ["text", "latex", "python"])
def test_equations_for_people(project: Path, form: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["equations", str(project / "models"), "--format", form]) == 0
    golden.check(GOLDEN / f"equations.{form}.txt", capsys.readouterr().out)
