"""The networks that we ship: current, complete, true to what is published and to real Caffe."""

from __future__ import annotations

import csv
import gzip
import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from neuralpower.caffe.network import Layer, Network, load_network, parse_network

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDER = REPOSITORY / "prototxts"
MEASURED = REPOSITORY / "measurements/caffe-cpu"
GETZNER = REPOSITORY / "tests/prototxts/getzner"
TRUTH = REPOSITORY / "../shared/reference/caffe/truth.jsonl.gz"

#: Networks that BVLC Caffe cannot run: they need layers of its forks.
FORKS = {"faster_rcnn_vgg16", "shufflenet", "ssd300"}

WEIGHTED = ("Convolution", "Deconvolution", "InnerProduct")

#: Tolerances in per cent, unless an entry of networks.yaml has its own.
PARAMS_TOLERANCE, MACS_TOLERANCE = 0.5, 3.0


def listed() -> dict[str, dict[str, Any]]:
    entries: dict[str, dict[str, Any]] = yaml.safe_load(
        (FOLDER / "networks.yaml").read_text(encoding="utf-8")
    )
    return entries


NAMES = sorted(listed())


@cache
def network(name: str, folder: Path = FOLDER) -> Network:
    return load_network(folder / f"{name}.prototxt")


def macs(layers: list[Layer]) -> int:
    return sum(layer.macs or 0 for layer in layers if layer.type in WEIGHTED)


def learned(layers: list[Layer]) -> int:
    learning = (layer for layer in layers if layer.type != "BatchNorm")
    return sum(layer.params - layer.params_shared for layer in learning)


def test_the_files_are_what_the_script_writes() -> None:
    script = REPOSITORY / "tools/generate_prototxts.py"
    done = subprocess.run(
        [sys.executable, str(script), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_of_our_prototxts_has_an_entry_and_each_entry_a_prototxt() -> None:
    written = {
        path.stem
        for path in FOLDER.glob("*.prototxt")
        if "# Written by tools/generate_prototxts.py" in path.read_text(encoding="utf-8")
    }
    assert written == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_an_entry_is_complete(name: str) -> None:
    entry = listed()[name]
    required = ("title", "paper", "dataset", "input", "top1_error", "top5_error")
    optional = ("error_protocol", "params_tolerance_percent", "macs_tolerance_percent")
    sources = ("error_source", "params", "params_source", "macs", "macs_source")
    assert set(required) | set(sources) <= set(entry) <= {*required, *sources, *optional}
    for value, source in (("top1_error", "error"), ("params", "params"), ("macs", "macs")):
        # a figure has a source, and nothing else has one
        assert (entry[value] is None) == (entry[f"{source}_source"] is None), value
    if entry["top5_error"] is not None:
        assert entry["top5_error"] < entry["top1_error"] < 100
    assert network(name).inputs["data"] == (1, *map(int, entry["input"].split("x")))


def table() -> str:
    """The table of docs/networks.md."""
    head = "| name | network | input | layers | parameters, M | MACs, G | top-1 | top-5 |"
    lines = [head, "|---|---|---|---|---|---|---|---|"]
    for name, entry in sorted(listed().items()):
        layers = network(name).layers
        errors = ("" if entry[k] is None else f"{entry[k]:g}" for k in ("top1_error", "top5_error"))
        cells = (
            *(name, entry["title"], entry["input"], str(len(layers))),
            *(f"{learned(layers) / 1e6:.2f}", f"{macs(layers) / 1e9:.3g}", *errors),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def test_the_table_in_the_documentation_is_current() -> None:
    path = REPOSITORY / "docs/networks.md"
    text = path.read_text(encoding="utf-8")
    head, rest = text.split("=1 -->\n", 1)
    _, tail = rest.split("<!-- end of table -->", 1)
    current = f"{head}=1 -->\n{table()}\n<!-- end of table -->{tail}"
    if os.environ.get("NEURALPOWER_OVERWRITE_GOLDEN"):
        path.write_text(current, encoding="utf-8", newline="\n")
        text = current
    assert text == current


@pytest.mark.parametrize("name", NAMES)
def test_totals_are_the_published_ones(name: str) -> None:
    entry = listed()[name]
    layers = network(name).layers
    if entry["params"] is not None:
        tolerance = entry.get("params_tolerance_percent", PARAMS_TOLERANCE) / 100
        assert learned(layers) == pytest.approx(entry["params"], rel=tolerance)
    if entry["macs"] is not None:
        tolerance = entry.get("macs_tolerance_percent", MACS_TOLERANCE) / 100
        assert macs(layers) == pytest.approx(entry["macs"], rel=tolerance)


@pytest.mark.parametrize("name", NAMES)
def test_every_layer_is_shaped(name: str) -> None:
    for layer in network(name).layers:
        assert None not in layer.top_shapes, layer.name


@pytest.mark.parametrize("name", sorted(set(NAMES) - FORKS))
def test_bvlc_caffe_would_accept_it(name: str) -> None:
    assert not load_network(FOLDER / f"{name}.prototxt", strict=True).notes


def test_another_batch_scales_the_work() -> None:
    for name in ("lenet", "googlenet", "senet50"):
        one, four = (
            macs(load_network(FOLDER / f"{name}.prototxt", batch=n).layers) for n in (1, 4)
        )
        assert four == 4 * one


def test_cifar10_6conv_is_the_network_of_the_paper() -> None:
    """Its Paleo time (ppp = 1, batch 128) on a Titan X is the printed one: 26.76 + 1.99 ms.

    Per layer FLOPs / 6144 GFLOPS, and input (padded), weights and output at 4 bytes / 336.5 GB/s.
    """
    layers = load_network(FOLDER / "cifar10_6conv.prototxt", batch=128).layers
    flops = elements = 0
    for layer in layers:
        c = layer.configuration
        if c is None or c.family not in ("conv", "fc", "pool"):
            continue
        padded = (c.in_height + 2 * c.pad_height) * (c.in_width + 2 * c.pad_width)
        out = c.batch * c.out_channels * c.out_height * c.out_width
        weights = layer.params - c.bias * c.out_channels
        elements += c.batch * c.in_channels * padded + weights + out
        window = out * c.kernel_height * c.kernel_width
        flops += 2 * (window if c.family == "pool" else layer.macs or 0)
    compute_ms = 1e3 * flops / 6144e9
    memory_ms = 1e3 * 4 * elements / (336.5 * 2**30)
    assert compute_ms == pytest.approx(26.76, abs=0.006)
    assert compute_ms + memory_ms == pytest.approx(28.75, abs=0.006)


@pytest.mark.parametrize(
    ("name", "params"),
    [("alexnet", 61100840), ("vgg11", 132863336), ("vgg13", 133047848), ("vgg16", 138357544)],
)
def test_getzner_networks_have_torchvisions_parameters(name: str, params: int) -> None:
    assert sum(layer.params for layer in network(name, GETZNER).layers) == params


def measured_layers() -> dict[str, list[tuple[str, str]]]:
    """Name and type of every layer that caffe-cpu measured, without Caffe's Split layers."""
    path = MEASURED / "network_layers.csv.gz"
    if not path.is_file():
        pytest.skip("measurements/caffe-cpu/network_layers.csv.gz is not there")
    found: dict[str, dict[int, tuple[str, str]]] = {}
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            if row["type"] != "Split":
                layers = found.setdefault(row["network"], {})
                layers[int(row["index"])] = (row["name"], row["type"])
    return {name: [layers[index] for index in sorted(layers)] for name, layers in found.items()}


def test_the_networks_that_caffe_cpu_measured_are_ours_layer_by_layer() -> None:
    measured = measured_layers()
    assert len(measured) == 10
    for name, layers in measured.items():
        own = MEASURED / "prototxts" / f"{name}.prototxt"
        ours = load_network(own if own.is_file() else FOLDER / own.name)
        assert [(layer.name, layer.type) for layer in ours.layers] == layers, name


#: Ours, and the public file that real Caffe has run: the same work layer by layer.
COUNTERPARTS = {
    "alexnet": "alexnet_deploy",
    "densenet121": "d_densenet121_shicai_roundmode",
    "faster_rcnn_vgg16": "fasterrcnn_vgg16_e2e_test",
    "googlenet": "googlenet_deploy",
    "googlenet_bn": "intel_googlenet_v2_deploy",
    "inception_v3": "inception_v3_soeaver",
    "inception_v4": "inception_v4_soeaver",
    "lenet": "lenet_deploy",
    "mobilenet_v1": "mobilenet_v1_shicai",
    "mobilenet_v2": "mobilenet_v2_eric612",
    "nin": "nin_imagenet_trainval",
    "resnet50": "resnet50_kaiming",
    "resnet101": "np_resnet101",
    "resnet152": "resnet152_kaiming",
    "resnext50": "d_resnext50_32x4d_roundmode",
    "squeezenet_v1_0": "squeezenet_v1_0_trainval",
    "squeezenet_v1_1": "squeezenet_v1_1_deploy",
    "ssd300": "netscope_vgg_voc0712plus_ssd_300x300_ft_deploy",
    "vgg16": "vgg16_pytorch_soeaver",
}


@cache
def truth() -> dict[str, dict[str, Any]]:
    if not TRUTH.is_file():
        pytest.skip("shared/reference/caffe is not beside the repository")
    with gzip.open(TRUTH, "rt", encoding="utf-8") as stream:
        records = (json.loads(line) for line in stream)
        return {record["id"]: record for record in records if record["phase"] == "TEST"}


Work = tuple[tuple[int, ...], tuple[int, ...], int, tuple[int, ...]]


def their_work(record: dict[str, Any]) -> list[Work]:
    """Kernel, stride, groups and output of each convolution, without the auxiliary classifiers.

    A fully connected layer counts as the 1 x 1 convolution that it often replaces.
    """
    found: list[Work] = []
    for layer in record["layers"]:
        if layer["name"].startswith(("loss1/", "loss2/")):
            continue
        if layer["type"] == "Convolution":
            a = layer["attrs"]
            shape = tuple(layer["top_shapes"][0][1:])
            found.append((tuple(a["kernel"]), tuple(a["stride"]), a["group"], shape))
        elif layer["type"] == "InnerProduct":
            found.append(((1, 1), (1, 1), 1, (layer["top_shapes"][0][-1], 1, 1)))
    return sorted(found)


def our_work(layers: list[Layer]) -> list[Work]:
    """The same of our layers."""
    found: list[Work] = []
    for layer in layers:
        c = layer.configuration
        if c is not None and layer.type in ("Convolution", "InnerProduct"):
            kernel, stride = (c.kernel_height, c.kernel_width), (c.stride_height, c.stride_width)
            found.append((kernel, stride, c.groups, (c.out_channels, c.out_height, c.out_width)))
    return sorted(found)


@pytest.mark.parametrize("name", sorted(COUNTERPARTS))
def test_convolutions_are_those_that_real_caffe_ran(name: str) -> None:
    text = (FOLDER / f"{name}.prototxt").read_text(encoding="utf-8")
    # py-faster-rcnn's file says 224 x 224 and is reshaped to the image when it runs
    ours = parse_network(text.replace("dim: 600 dim: 1000", "dim: 224 dim: 224"), name=name)
    assert our_work(ours.layers) == their_work(truth()[COUNTERPARTS[name]])
