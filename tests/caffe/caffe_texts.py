"""What several tests of the Caffe front end share: where the reference is, and small networks."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest

from neuralpower.caffe.network import Layer, Network, load_network, parse_network
from neuralpower.caffe.shapes import shape_text

REPOSITORY = Path(__file__).resolve().parents[2]
CASES = Path(__file__).parent / "cases"
REFERENCE = REPOSITORY / "../shared/reference/caffe"

LENET = """
name: "LeNet"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 64 dim: 1 dim: 28 dim: 28 } } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 20 kernel_size: 5 } }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1"
  pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layer { name: "conv2" type: "Convolution" bottom: "pool1" top: "conv2"
  convolution_param { num_output: 50 kernel_size: 5 } }
layer { name: "pool2" type: "Pooling" bottom: "conv2" top: "pool2"
  pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layer { name: "ip1" type: "InnerProduct" bottom: "pool2" top: "ip1" inner_product_param { num_output: 500 } }
layer { name: "relu1" type: "ReLU" bottom: "ip1" top: "ip1" }
layer { name: "ip2" type: "InnerProduct" bottom: "ip1" top: "ip2" inner_product_param { num_output: 10 } }
layer { name: "prob" type: "Softmax" bottom: "ip2" top: "prob" }
"""  # noqa: E501


def one_layer(kind: str, shapes: str, options: str = "", tops: int = 1) -> str:
    """A network of inputs of the given shapes (``"2x3 7"``) and one layer that takes them all."""
    text = ""
    names = []
    for index, shape in enumerate(shapes.split()):
        dims = " ".join(f"dim: {size}" for size in shape.split("x")) if shape != "scalar" else ""
        text += f'layer {{ name: "in{index}" type: "Input" top: "b{index}" '
        text += f"input_param {{ shape {{ {dims} }} }} }}\n"
        names.append(f'bottom: "b{index}"')
    made = " ".join(f'top: "t{index}"' for index in range(tops))
    return f'{text}layer {{ name: "x" type: "{kind}" {" ".join(names)} {made} {options} }}\n'


def reference_files() -> list[Path]:
    """All files of the reference; the test is skipped where there is none."""
    if not REFERENCE.is_dir():
        pytest.skip("the reference folder shared/reference/caffe is not beside the repository")
    return sorted((REFERENCE / "prototxt").iterdir())


def truth() -> list[dict[str, Any]]:
    """What real Caffe makes of the reference files, a record per file and phase."""
    reference_files()
    with gzip.open(REFERENCE / "truth.jsonl.gz", "rt", encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]


def read(path: Path) -> str:
    """The text of a prototxt, bytes that are not UTF-8 as ``surrogateescape``."""
    data = path.read_bytes()
    if path.suffix == ".gz":
        data = gzip.decompress(data)
    return data.decode("utf-8", "surrogateescape")


def load_options(record: dict[str, Any]) -> dict[str, Any]:
    """The options of a record of the truth as arguments of ``load_network``."""
    options: dict[str, Any] = {"phase": record["phase"]}
    for name, value in re.findall(r"--(\S+) (\S+)", record["options"]):
        if name == "fake-data":
            options["data_shape"] = tuple(map(int, value.split("x")))
        elif name == "stage":
            options.setdefault("stages", []).append(value)
        elif name == "fake-tops":
            options["blob_shapes"] = {
                blob: tuple(map(int, sizes.split("x")))
                for blob, sizes in (item.split("=") for item in value.split(";"))
            }
    return options


def case(name: str, **options: object) -> Network:
    return load_network(CASES / f"{name}.prototxt", **options)  # type: ignore[arg-type]


def layer_of(network: Network, name: str) -> Layer:
    return next(layer for layer in network.layers if layer.name == name)


def tops(layer: Layer) -> str:
    return " ".join(map(shape_text, layer.top_shapes))


def last(text: str, **options: object) -> Layer:
    return parse_network(text, **options).layers[-1]  # type: ignore[arg-type]
