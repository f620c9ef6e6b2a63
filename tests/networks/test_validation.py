from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from network_doubles import LinearModel, PlainModels

from neuralpower.networks.calibration import Composition, Shares, factors_of, scale_of
from neuralpower.networks.learning import learn, load_trials
from neuralpower.networks.measured import merged_passes
from neuralpower.records.folder import Row
from neuralpower.scoring.networks import score_networks

INPUT = """layer { name: "data" type: "Input" top: "data"
  input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } } }
"""
CONV = """layer {{ name: "{name}" type: "Convolution" bottom: "{bottom}" top: "{name}"
  convolution_param {{ num_output: {width} kernel_size: 3 pad: 1 }} }}
"""
RELU = 'layer {{ name: "{name}" type: "ReLU" bottom: "{bottom}" top: "{bottom}" }}\n'

#: Milliseconds a channel: conv 0.1, relu 0.02.
MODELS = PlainModels(
    {
        ("conv", "runtime_ms"): LinearModel(0.1),
        ("relu", "runtime_ms"): LinearModel(0.02),
        ("conv", "power_w"): LinearModel(2.0),
        ("relu", "power_w"): LinearModel(1.0),
    }
)
WIDTHS = {"one": (10, 20), "two": (30, 40), "three": (25, 5)}


def write_prototxts(folder: Path) -> list[Path]:
    folder.mkdir()
    paths = []
    for name, (first, second) in WIDTHS.items():
        text = INPUT + CONV.format(name="conv1", bottom="data", width=first)
        text += RELU.format(name="relu1", bottom="conv1")
        text += CONV.format(name="conv2", bottom="conv1", width=second)
        paths.append(folder / f"{name}.prototxt")
        paths[-1].write_text(text)
    return paths


def layer_ms(name: str, conv: float, relu: float) -> dict[str, float]:
    first, second = WIDTHS[name]
    return {
        "data": 0.0,
        "conv1": conv * 0.1 * first,
        "relu1": relu * 0.02 * first,
        "conv2": conv * 0.1 * second,
    }


def write_platform(
    folder: Path, conv: float, relu: float, extra: float = 1.0, inside: bool = True
) -> Path:
    """Passes whose layers take given multiples of the models, the whole ``extra`` times the sum."""
    folder.mkdir()
    header = "family,batch,in_channels,in_height,in_width,out_channels,out_height,out_width"
    rest = "kernel_height,kernel_width,stride_height,stride_width,pad_height,pad_width"
    rest += ",dilation_height,dilation_width,groups,pool_method,bias,runtime_ms,power_w"
    row = "conv,1,3,8,8,10,8,8,3,3,1,1,1,1,1,1,1,,1,1.0,"
    (folder / "conv.csv").write_text(f"{header},{rest}\n{row}\n")
    whole, layers = ["network,batch,runtime_ms,power_w"], ["network,batch,index,name,runtime_ms"]
    for name in WIDTHS:
        times = layer_ms(name, conv, relu)
        for wobble in (0.99, 1.0, 1.02):
            whole.append(f"{name},4,{wobble * extra * sum(times.values())},")
        layers += [f"{name},4,{i},{key},{ms}" for i, (key, ms) in enumerate(times.items())]
    whole.append("unknown,4,5.0,")
    (folder / "networks.csv").write_text("\n".join(whole) + "\n")
    if inside:
        (folder / "network_layers.csv").write_text("\n".join(layers) + "\n")
    return folder


def scores_of(tmp_path: Path, **options: Any) -> Any:
    prototxts = write_prototxts(tmp_path / "prototxts")
    return score_networks(write_platform(tmp_path / "board", **options), MODELS, prototxts)


def test_passes_are_merged_by_the_median_and_energy_is_the_product() -> None:
    measured: list[tuple[float, float | None]]
    measured = [(1.0, 10.0), (3.0, 20.0), (2.0, None), (-5.0, float("nan"))]
    rows = [
        Row(
            "networks.csv",
            number,
            {"network": "n", "batch": 2, "runtime_ms": runtime, "power_w": power},
        )
        for number, (runtime, power) in enumerate(measured, 1)
    ]
    (found,) = merged_passes(rows)
    assert found.values == {"runtime_ms": 2.0, "power_w": 15.0, "energy_mj": 35.0}
    assert found.half_ranges["runtime_ms"] == 1.0
    assert found.runs == 3


def test_layers_inside_passes_give_the_factors_of_their_families(tmp_path: Path) -> None:
    result = scores_of(tmp_path, conv=1.3, relu=0.5)
    factors = result["network_composition"]["factors"]
    assert factors["conv"]["measured"] == pytest.approx(1.3)
    assert factors["relu"]["measured"] == pytest.approx(0.5)
    assert 1.2 < factors["conv"]["value"] < 1.3
    assert 0.5 < factors["relu"]["value"] < factors["all"]["value"]
    assert result["network_summary"]["runtime_ms"]["mape"] < 6.0
    plain = result["network_summary_plain"]["runtime_ms"]
    assert plain["bias_percent"] == pytest.approx(100 * (1 / 1.3 - 1), abs=5)
    assert result["networks_without_prototxt"] == ["unknown"]


def test_passes_alone_give_one_factor_for_all(tmp_path: Path) -> None:
    result = scores_of(tmp_path, conv=0.8, relu=0.8, inside=False)
    factors = result["network_composition"]["factors"]
    assert factors.keys() == {"all", "conv", "relu"}
    # Three passes of 1, predicted 1.25: (3 + 1/2) / (3.75 + 1/2).
    assert factors["all"]["value"] == pytest.approx(3.5 / 4.25)
    assert factors["all"]["measured"] == pytest.approx(0.8)
    assert 0.75 < factors["conv"]["value"] < 0.83


def test_a_network_never_answers_for_itself(tmp_path: Path) -> None:
    """Its own passes must not move its prediction: only those of the others."""
    prototxts = write_prototxts(tmp_path / "prototxts")
    folder = write_platform(tmp_path / "board", conv=1.0, relu=1.0)
    before = score_networks(folder, MODELS, prototxts)["networks"]["two"]["runtime_ms"]
    table = folder / "network_layers.csv"
    lines = [
        line if not line.startswith("two,") else line.rsplit(",", 1)[0] + ",99"
        for line in table.read_text().splitlines()
    ]
    table.write_text("\n".join(lines) + "\n")
    after = score_networks(folder, MODELS, prototxts)["networks"]["two"]["runtime_ms"]
    assert before[0]["predicted"] == after[0]["predicted"]


def test_the_parts_of_the_error_add_up(tmp_path: Path) -> None:
    result = scores_of(tmp_path, conv=1.2, relu=1.1, extra=1.05)
    for entry in result["network_decomposition"]["entries"]:
        parts = entry["layer_models_percent"] + entry["composition_percent"]
        assert entry["error_percent"] == pytest.approx(parts - entry["not_modelled_percent"])
        assert entry["composition_percent"] == pytest.approx(100 * (1 / 1.05 - 1))
        assert entry["measurement_percent"] == pytest.approx(1.5)


def test_layers_by_themselves_serve_where_passes_were_not_taken_apart(tmp_path: Path) -> None:
    prototxts = write_prototxts(tmp_path / "prototxts")
    folder = write_platform(tmp_path / "board", conv=1.0, relu=1.0, inside=False)
    rows = []
    for family, width, ms in (("conv", 10, 1.1), ("relu", 10, 0.2), ("conv", 20, 2.2)):
        source, kernel, pad = (10 if width == 20 or family == "relu" else 3), 3, 1
        if family == "relu":
            kernel, pad = 1, 0
        # Measured at batch 8, the pass is of batch 4: the ratio is carried over.
        rows.append(
            f"{family},8,{source},8,8,{width},8,8,{kernel},{kernel},1,1,{pad},{pad},1,1,1,,1,{ms},"
        )
    header = (folder / "conv.csv").read_text().splitlines()[0]
    (folder / "conv.csv").write_text("\n".join([header, *rows]) + "\n")
    result = score_networks(folder, MODELS, prototxts)["network_decomposition"]
    (entry,) = result["entries"]
    assert (entry["network"], entry["layers_from"]) == ("one", "layers by themselves")
    # conv 1.1 times the model, relu exactly: 3.3 + 0.2 measured, 3.0 + 0.2 predicted.
    assert entry["layer_models_percent"] == pytest.approx(100 * (3.2 - 3.5) / 3.2, abs=0.5)


def test_networks_of_the_platform_override_those_of_the_repository(tmp_path: Path) -> None:
    prototxts = write_prototxts(tmp_path / "prototxts")
    folder = write_platform(tmp_path / "board", conv=1.0, relu=1.0)
    (folder / "prototxts").mkdir()
    other = INPUT + CONV.format(name="conv1", bottom="data", width=77)
    (folder / "prototxts" / "one.prototxt").write_text(other)
    result = score_networks(folder, MODELS, prototxts)
    assert result["network_summary_plain"]["runtime_ms"]["n"] == 3
    trials, _ = load_trials(folder, MODELS, prototxts)
    assert [len(t.network.layers) for t in trials if t.measured.network == "one"] == [2]


def test_without_measured_networks_everything_is_empty(tmp_path: Path) -> None:
    folder = write_platform(tmp_path / "board", conv=1.0, relu=1.0)
    (folder / "networks.csv").unlink()
    result = score_networks(folder, MODELS, [])
    assert result["networks"] == {}
    assert result["network_summary"] == {}
    assert learn([]) == Composition()


def shares(network: str, conv: tuple[float, float], relu: tuple[float, float]) -> Shares:
    """A pass whose families have these measured and predicted shares."""
    return Shares(network, {"conv": conv[1], "relu": relu[1]}, {"conv": conv[0], "relu": relu[0]})


def test_families_count_by_their_time_and_shrink_to_the_common_factor() -> None:
    passes = [shares("a", (0.8, 0.5), (0.2, 0.1)), shares("b", (0.6, 0.5), (0.4, 0.5))]
    factors, warnings = factors_of(passes)
    common = (2.0 + 0.5) / (1.6 + 0.5)
    assert factors["all"].value == pytest.approx(common)
    assert factors["conv"].value == pytest.approx((1.4 + 0.5 * common) / (1.0 + 0.5))
    assert factors["relu"].value == pytest.approx((0.6 + 0.5 * common) / (0.6 + 0.5))
    assert factors["conv"].measured == pytest.approx(1.4)
    assert factors["conv"].passes == pytest.approx(1.4)
    # The networks' own ratios are 1.6 and 1.2: their logs' standard deviation.
    assert factors["conv"].spread == pytest.approx(abs(math.log(1.6 / 1.2)) / math.sqrt(2))
    assert warnings == []


def test_a_network_whose_layers_took_no_time_has_no_ratio() -> None:
    none = (0.0, 0.0)
    passes = [shares(name, (ms, 0.5), none) for name, ms in (("a", 0.8), ("b", 0.6), ("c", 0.0))]
    factors, _ = factors_of(passes)
    assert factors["conv"].networks == 3
    assert factors["conv"].measured == pytest.approx(1.4 / 1.5)
    # The logs of 1.6 and 1.2.
    assert factors["conv"].spread == pytest.approx(math.log(1.6 / 1.2) / math.sqrt(2))


def test_one_network_says_nothing_of_another() -> None:
    passes = [shares("a", (0.8, 0.5), (0.2, 0.1))] * 3
    assert factors_of(passes) == ({}, [])


def test_a_factor_beyond_two_is_a_warning_and_no_correction() -> None:
    passes = [shares(name, (0.7, 0.7), (0.3, 0.01)) for name in "abcdefgh"]
    factors, [warning] = factors_of(passes)
    assert factors["relu"].measured == pytest.approx(30.0)
    assert factors["relu"].value == factors["all"].value == pytest.approx(8.5 / 6.18)
    assert warning.startswith("relu layers take 30 times their prediction in 8 networks: a unit")
    slipped = [shares(name, (700.0, 0.7), (300.0, 0.3)) for name in "abcdefgh"]
    factors, warnings = factors_of(slipped)
    assert {factor.value for factor in factors.values()} == {1.0}
    assert "passes take 1e+03 times their prediction" in warnings[0]


def test_whole_passes_tell_families_apart_as_far_as_they_can() -> None:
    """Two families in different mixtures; relu is free."""
    passes = [
        Shares(name, {"conv": 1.0, "relu": share})
        for name, share in zip("abcdefghijkl", [0.1, 0.8] * 6, strict=True)
    ]
    factors, warnings = factors_of(passes)
    assert warnings == []
    assert factors["conv"].value == pytest.approx(1.0, abs=0.1)
    assert factors["relu"].value < 0.2
    assert 0.6 < factors["all"].value < 0.8


def test_leaning_models_are_corrected_where_layers_are_added_up(tmp_path: Path) -> None:
    lean = PlainModels(
        {key: replace(model, lean=1.25) for key, model in MODELS.models.items() if key[1][0] == "r"}
    )
    prototxts = write_prototxts(tmp_path / "prototxts")
    folder = write_platform(tmp_path / "board", conv=1.25, relu=1.25)
    plain = score_networks(folder, lean, prototxts)["network_summary_plain"]["runtime_ms"]
    assert plain["mape"] == pytest.approx(0.0, abs=1e-9)


def test_interval_scales_cover_nine_of_ten_networks_and_narrow_only_with_enough() -> None:
    many = {f"n{i}": [0.1 * (i + 1)] for i in range(20)}
    assert scale_of(many) == pytest.approx(1.9)
    assert scale_of({f"n{i}": [0.02 * (i + 1)] for i in range(20)}) == pytest.approx(0.38)
    assert scale_of({"a": [0.2], "b": [0.3]}) == 1.0
    assert scale_of({"a": [2.0], "b": [0.3]}) == 2.0
    assert scale_of({}) == 1.0
