"""From records to scores: W x ms = mJ = J / 1000, and the baselines beside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from network_doubles import LinearModel, PlainModels

from neuralpower.modeling.baselines import Baseline
from neuralpower.modeling.members import Equation
from neuralpower.modeling.terms import Factor
from neuralpower.networks.measured import load_passes
from neuralpower.records.folder import load_platform
from neuralpower.reporting.answer_section import per_image
from neuralpower.scoring.networks import score_networks, summary

NET = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 10 kernel_size: 3 pad: 1 } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "conv2" type: "Convolution" bottom: "conv1" top: "conv2"
  convolution_param { num_output: 20 kernel_size: 3 pad: 1 } }
"""  # noqa: E501
MODELS = PlainModels(
    {
        ("conv", "runtime_ms"): LinearModel(0.1),
        ("relu", "runtime_ms"): LinearModel(0.02),
        ("conv", "power_w"): LinearModel(2.0),
        ("relu", "power_w"): LinearModel(1.0),
    }
)


@pytest.fixture
def prototxt(tmp_path: Path) -> Path:
    path = tmp_path / "net.prototxt"
    path.write_text(NET)
    return path


def platform(folder: Path, header: str, *rows: str) -> Path:
    folder.mkdir()
    table = "family,batch,in_channels,in_height,in_width,out_channels,out_height,out_width"
    table += ",kernel_height,kernel_width,stride_height,stride_width,pad_height,pad_width"
    table += ",dilation_height,dilation_width,groups,pool_method,bias,runtime_ms,power_w"
    (folder / "conv.csv").write_text(f"{table}\nconv,1,3,8,8,10,8,8,3,3,1,1,1,1,1,1,1,,1,1.0,\n")
    (folder / "networks.csv").write_text("\n".join((header, *rows)) + "\n")
    return folder


@pytest.mark.parametrize(
    ("header", "row"),
    [
        # 50 W for 2 ms are 100 mJ, which are 0.1 J.
        ("network,batch,runtime_ms,power_w", "net,4,2.0,50.0"),
        ("network,batch,runtime_ms,power_w,energy_mj", "net,4,2.0,50.0,100.0"),
        ("network,batch,runtime_ms,power_w,energy_j", "net,4,2.0,50.0,0.1"),
    ],
)
def test_watts_times_milliseconds_are_millijoules_from_the_record_to_the_score(
    tmp_path: Path, prototxt: Path, header: str, row: str
) -> None:
    folder = platform(tmp_path / "board", header, row)
    [measured] = load_passes(load_platform(folder))
    assert measured.values == pytest.approx(
        {"runtime_ms": 2.0, "power_w": 50.0, "energy_mj": 100.0}
    )
    scores = score_networks(folder, MODELS, [prototxt])["networks"]["net"]
    found = {target: entry["measured"] for target, [entry] in scores.items()}
    assert found == pytest.approx({"runtime_ms": 2.0, "power_w": 50.0, "energy_mj": 100.0})
    # 1 ms at 20 W, 0.2 ms at 10 W, 2 ms at 40 W: 3.2 ms and 20 + 2 + 80 mJ.
    predicted = {target: entry["predicted"] for target, [entry] in scores.items()}
    expected = {"runtime_ms": 3.2, "power_w": 102 / 3.2, "energy_mj": 102.0}
    assert predicted == pytest.approx(expected)
    errors = {target: entry["error_percent"] for target, [entry] in scores.items()}
    assert errors == pytest.approx({"runtime_ms": 60.0, "power_w": -36.25, "energy_mj": 2.0})


def test_the_energy_that_was_counted_comes_before_the_product(tmp_path: Path) -> None:
    header = "network,batch,runtime_ms,power_w,energy_j"
    folder = platform(tmp_path / "board", header, "net,4,2.0,50.0,0.09", "net,4,3.0,50.0,0.13")
    [measured] = load_passes(load_platform(folder))
    assert measured.values["energy_mj"] == pytest.approx(110.0)
    assert measured.half_ranges["energy_mj"] == pytest.approx(20.0)
    assert measured.runs == 2


def test_the_page_divides_energy_by_the_images_of_the_pass() -> None:
    total: dict[str, Any] = {"batch": 4}
    for target, value in (("runtime_ms", 3.2), ("power_w", 102 / 3.2), ("energy_mj", 102.0)):
        total |= {target: value, f"{target}_lo": value / 2, f"{target}_hi": value * 2}
    runtime, power, energy = (figure.value for figure in per_image(total))
    assert runtime * power == pytest.approx(energy) == 25.5


def per_mac(factor: float) -> dict[str, Any]:
    equation = Equation("linear", ((Factor("macs"),),), (factor,))
    return Baseline("conv", "", (equation,), {}).to_json()


def test_baselines_of_networks_are_beside_their_scores(tmp_path: Path, prototxt: Path) -> None:
    models_dir = tmp_path / "models"
    models_dir.mkdir()
    named = {"paleo_ppp1": per_mac(1e-5), "roofline": per_mac(2e-5), "constant": per_mac(1.0)}
    stored = {"conv": {"runtime_ms": named, "power_w": {"roofline": per_mac(1.0)}}}
    (models_dir / "baselines.json").write_text(json.dumps(stored))
    folder = platform(tmp_path / "board", "network,batch,runtime_ms,power_w", "net,4,2.0,50.0")
    result = score_networks(folder, MODELS, [prototxt], models_dir=models_dir)
    [runtime] = result["networks"]["net"]["runtime_ms"]
    # 4 images of 64 places: 3 x 9 x 10 and 10 x 9 x 20 MACs.
    macs = 4 * 64 * (3 * 9 * 10 + 10 * 9 * 20)
    expected = {"paleo_ppp1": 1e-5 * macs, "roofline": 2e-5 * macs}
    assert runtime["baselines"] == pytest.approx(expected)
    for target in ("power_w", "energy_mj"):
        assert "baselines" not in result["networks"]["net"][target][0]
    errors = {name: 100 * abs(ms / 2.0 - 1) for name, ms in expected.items()}
    assert result["network_summary"]["runtime_ms"]["baselines"] == pytest.approx(errors)


def test_the_summary_s_figures_by_hand() -> None:
    def entry(measured: float, predicted: float, **more: Any) -> Any:
        error = 100 * (predicted / measured - 1)
        return {"measured": measured, "error_percent": error, "lo": 9.0, "hi": 12.0} | more

    entries = [
        entry(10.0, 11.0, baselines={"roofline": 5.0, "paper": 1.0}),
        entry(12.0, 12.0, baselines={"roofline": 18.0}),
        entry(20.0, 14.0, baselines={"roofline": 20.0}),
    ]
    found = summary({"a": {"runtime_ms": entries[:2]}, "b": {"runtime_ms": entries[2:]}})
    assert found.keys() == {"runtime_ms"}
    figures = found["runtime_ms"]
    # Errors of 10, 0 and -30 %; the ends of an interval are in it; what all have is compared.
    assert figures.pop("baselines") == {"roofline": pytest.approx((50 + 50 + 0) / 3)}
    expected = {"n": 3, "networks": 2, "mape": 40 / 3, "rmspe": (1000 / 3) ** 0.5}
    expected |= {"median_ape": 10.0, "bias_percent": -20 / 3, "interval_coverage": 200 / 3}
    assert figures == pytest.approx(expected)
