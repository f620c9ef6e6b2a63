"""Rows of a log and the layers of a network: every way in which they are found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from neuralpower.caffe.network import Network, load_network, parse_network
from neuralpower.importing.logs.alignment import Match, align, shares
from neuralpower.importing.logs.caffe_time import read_caffe_time
from neuralpower.importing.logs.timings import TimedRow
from neuralpower.importing.logs.trtexec import read_trtexec

ROOT = Path(__file__).resolve().parents[2]
LOGS = Path(__file__).parent / "logs"
CASES = ROOT.parent / "shared" / "reference" / "cases"

NET = """
layer { name: "data" type: "Input" top: "data"
  input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } } }
layer { name: "c 1" type: "Convolution" bottom: "data" top: "c1"
  convolution_param { num_output: 4 kernel_size: 3 } }
layer { name: "r1" type: "ReLU" bottom: "c1" top: "c1" }
layer { name: "a" type: "Convolution" bottom: "c1" top: "a"
  convolution_param { num_output: 4 kernel_size: 1 } }
layer { name: "b" type: "Convolution" bottom: "c1" top: "b"
  convolution_param { num_output: 4 kernel_size: 1 } }
layer { name: "bn" type: "BatchNorm" bottom: "b" top: "bn" }
layer { name: "sc" type: "Scale" bottom: "bn" top: "bn" scale_param { bias_term: true } }
layer { name: "sum" type: "Eltwise" bottom: "a" bottom: "bn" top: "sum" }
layer { name: "drop" type: "Dropout" bottom: "sum" top: "sum" }
layer { name: "fc" type: "InnerProduct" bottom: "sum" top: "fc"
  inner_product_param { num_output: 5 } }
"""


def network() -> Network:
    return parse_network(NET)


def row(name: str, **more: object) -> TimedRow:
    return TimedRow(name, 1.0, 1, 1, **more)  # type: ignore[arg-type]


def found(*rows: TimedRow) -> list[tuple[str, list[str]]]:
    net = network()
    return [(m.how, [net.layers[i].name for i in m.layers]) for m in align(rows, net.layers)]


def test_names_as_they_stand_and_as_tools_change_them() -> None:
    assert found(row("c 1"), row("fc:0"), row("PWN(r1)"), row("other")) == [
        ("exact", ["c 1"]),
        ("exact", ["fc"]),
        ("exact", ["r1"]),
        ("", []),
    ]


def test_joined_names_put_the_working_layer_in_front() -> None:
    assert found(row("r1 + c 1"), row("sum + drop")) == [
        ("fused", ["c 1", "r1"]),
        ("fused", ["sum", "drop"]),
    ]


def test_layers_side_by_side_are_not_divided() -> None:
    net = network()
    (match,) = align([row("a || b + gone")], net.layers)
    assert (match.how, match.parallel, match.missing) == ("fused", True, ("gone",))
    (match,) = align([row("kernel", parts=("a", "b"))], net.layers)
    assert match.parallel


def test_a_row_named_after_what_it_makes_is_the_chain_that_ends_there() -> None:
    assert found(row("c1_nchwc", family="conv")) == [("blob", ["c 1", "r1"])]
    assert found(row("r1", family="conv")) == [("blob", ["c 1", "r1"])]
    assert found(row("fc", family="conv")) == [("", [])]


def test_order_and_shape_find_what_names_do_not() -> None:
    shape = ((1, 4, 6, 6),)
    rows = [
        row("k0", family="conv", inputs=((1, 3, 8, 8),), weight=(4, 3, 3, 3)),
        row("k1", family="relu", inputs=shape),
        row("k2", family="conv", inputs=shape, weight=(4, 4, 1, 1)),
        row("k3", family="conv", inputs=shape, weight=(4, 4, 1, 1)),
        row("k4", family="batchnorm", inputs=shape),
        row("k5", family="conv", inputs=((9, 9, 9, 9),), weight=(1, 9, 1, 1)),
        row("k6", family="fc", inputs=((1, 144),)),
        row("copy", moves=True),
    ]
    assert found(*rows) == [
        ("order", ["c 1"]),
        ("order", ["r1"]),
        ("order", ["a"]),
        ("order", ["b"]),
        ("fused", ["bn", "sc"]),
        ("", []),
        ("order", ["fc"]),
        ("", []),
    ]


def test_names_alone_are_paired_in_order_only_if_they_are_equally_many() -> None:
    names = [row(f"layer{i}") for i in range(8)]
    assert [how for how, _ in found(*names)] == ["order"] * 8
    assert [how for how, _ in found(*names[:7])] == [""] * 7


def test_shares_add_up() -> None:
    rows = [Match(row("a"), (1,), "exact"), Match(row("b")), Match(row("c", moves=True))]
    assert shares(rows) == pytest.approx({"exact": 1 / 3, "moved data": 1 / 3, "unmatched": 1 / 3})


@pytest.mark.parametrize("name", ["lenet", "alexnet", "squeezenet_v1_1", "googlenet"])
def test_all_of_the_time_of_true_caffe_logs_is_matched(name: str) -> None:
    path = next(LOGS.glob(f"{name}.log*"))
    log = read_caffe_time(path)
    net = parse_network(log.network_text)
    matches = align(log.rows, net.layers)
    assert shares(matches).get("unmatched", 0) == 0
    assert shares(matches)["exact"] > 0.999
    assert {i for m in matches for i in m.layers} == set(range(len(net.layers)))


def test_a_true_profile_of_tensorrt_is_matched_but_for_moved_data(tmp_path: Path) -> None:
    path = CASES / "trtexec" / "googlenet_only_gpu.profile.json"
    if not path.exists():
        pytest.skip("the reference data are not beside this repository")
    log = read_trtexec(path)
    net = load_network(ROOT / "prototxts/googlenet.prototxt")
    matches = align(log.rows, net.layers)
    moved = [entry["averageMs"] for entry in json.loads(path.read_text())[1:]
             if "reformatter" in entry["name"] or entry["name"].endswith(" copy")]  # fmt: skip
    assert shares(matches)["moved data"] == pytest.approx(sum(moved) / (log.whole_ms or 0))
    assert shares(matches).get("unmatched", 0) == 0
    assert sum(m.parallel for m in matches) == 9
    assert not any(m.missing for m in matches)
