"""Readers of networks: prototxts, ONNX models, weights, facts."""

from __future__ import annotations

import random
from pathlib import Path

import mutations
from target import ROOT, Target, files, predict, text, yaml


def _read_prototxt(folder: Path) -> None:
    from neuralpower.caffe.network import layer_row, load_network
    from neuralpower.core.configuration import LAYER_COLUMNS
    from neuralpower.core.json_tables import document

    path = folder / "net.prototxt"
    kind = path.stat().st_size % 4
    network = load_network(
        path,
        strict=kind == 1,
        known_types=kind == 2,
        assume_elementwise=kind == 3,
        phase="TRAIN" if kind == 0 else "TEST",
    )
    document("layers", LAYER_COLUMNS, [layer_row(network, layer) for layer in network.layers])
    network.coverage()
    if path.stat().st_size % 16 == 0:
        predict(network)


def _prototxts() -> list[bytes]:
    found = files("prototxts/*.prototxt", "tests/caffe/cases/*.prototxt", most=6_000)()
    return [data for data in found if data.isascii()]


def _onnx_models() -> list[bytes]:
    from neuralpower.frameworks.onnx.builder import build_network
    from neuralpower.onnx_in.loading import load_network

    found = []
    for name in ("lenet", "squeezenet_v1_1", "mobilenet_v1", "shufflenet_v2_x1_0"):
        path = ROOT / f"prototxts/{name}.prototxt"
        if path.exists():
            data, _ = build_network(load_network(path), 0).outlined()
            found.append(bytes(data))
    return found


def _onnx_change(draw: random.Random, data: bytes) -> bytes:
    if draw.random() < 0.1:
        return mutations.change_bytes(draw, data)
    import onnx

    model = onnx.ModelProto.FromString(data)
    mutations.change_message(draw, model if draw.random() < 0.1 else model.graph)
    return bytes(model.SerializePartialToString())


def _read_onnx(folder: Path) -> None:
    from neuralpower.caffe.network import layer_row
    from neuralpower.onnx_in.network import load_onnx

    network = load_onnx(folder / "net.onnx")
    for layer in network.layers:
        layer_row(network, layer)
    network.coverage()


def _caffemodel_change(draw: random.Random, data: bytes) -> bytes:
    if draw.random() < 0.1:
        return mutations.change_bytes(draw, data)
    from neuralpower.caffe import caffe_pb2

    message = caffe_pb2.NetParameter.FromString(data)
    mutations.change_message(draw, message)
    return message.SerializePartialToString()


def _read_caffemodel(folder: Path) -> None:
    from neuralpower.frameworks.caffemodel import read_caffemodel

    read_caffemodel(folder / "net.caffemodel", 0)


def _read_networks_yaml(folder: Path) -> None:
    from neuralpower.networks.published import published_error, read_published
    from neuralpower.networks.reading import Readings

    readings = Readings()
    for name in ("lenet", "alexnet", "x"):
        readings.of(folder / f"{name}.prototxt").as_facts()
    for facts in read_published(folder / "networks.yaml").values():
        published_error(facts, "top1_error")


NETWORKS: tuple[Target, ...] = (
    Target("prototxt", "net.prototxt", _prototxts, text, _read_prototxt),
    Target("onnx", "net.onnx", _onnx_models, _onnx_change, _read_onnx),
    Target(
        "caffemodel",
        "net.caffemodel",
        files("tests/caffe/cases/*.caffemodel"),
        _caffemodel_change,
        _read_caffemodel,
    ),
    Target(
        "networks.yaml",
        "networks.yaml",
        files("prototxts/networks.yaml"),
        yaml,
        _read_networks_yaml,
    ),
)
