"""torchvision's networks of published/prototxts: counts as published, layers as logs list them."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import pytest

from neuralpower.caffe.network import Network, load_network

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDER = REPOSITORY / "published/prototxts"
A30 = REPOSITORY / "../shared/reference/measurements/nicolai-a30-fp32"

#: Parameters and giga-multiply-accumulates as the documentation of torchvision's pretrained
#: weights lists them (its "GFLOPS"). Its inception_v3 and googlenet there count the auxiliary
#: classifier of training for inception_v3 (27,161,264), which an inference does not run.
COUNTS = {
    "alexnet": (61_100_840, 0.71),
    "densenet121": (7_978_856, 2.83),
    "googlenet": (6_624_904, 1.5),
    "inception_v3": (23_834_568, 5.71),
    "mobilenet_v2": (3_504_872, 0.3),
    "resnet18": (11_689_512, 1.81),
    "resnet34": (21_797_672, 3.66),
    "resnet50": (25_557_032, 4.09),
    "resnet101": (44_549_160, 7.8),
    "squeezenet1_1": (1_235_496, 0.35),
    "vgg16": (138_357_544, 15.47),
}
FILES = sorted(path.stem for path in FOLDER.glob("*.prototxt"))


def load(name: str, batch: int | None = None) -> Network:
    return load_network(FOLDER / f"{name}.prototxt", batch=batch)


def test_every_architecture_is_there_at_its_usual_size() -> None:
    assert {name for name in FILES if name in COUNTS} == set(COUNTS)


@pytest.mark.parametrize("name", sorted(COUNTS))
def test_counts_are_the_published_ones(name: str) -> None:
    params, giga_macs = COUNTS[name]
    layers = load(name).layers
    learnt = sum(x.params - x.params_shared for x in layers)
    macs = sum(x.macs or 0 for x in layers if x.type in ("Convolution", "InnerProduct"))
    assert learnt == params
    assert macs / 1e9 == pytest.approx(giga_macs, abs=0.006)


@pytest.mark.parametrize("name", FILES)
def test_shapes_are_known_and_nothing_is_unusual(name: str) -> None:
    network = load(name)
    assert not network.notes
    assert all(None not in layer.top_shapes for layer in network.layers)
    [output] = network.outputs.values()
    assert output is not None
    assert output[1] == 1000


#: Files whose passes the A30's logs hold.
MEASURED = sorted(set(FILES) - {"googlenet", "mobilenet_v2", "squeezenet1_1", "vgg16"})
SIZES = ("in_channels", "in_height", "in_width", "out_channels", "out_height", "out_width")
WINDOW = ("kernel_height", "kernel_width", "stride_height", "stride_width", "pad_height")
COMPARED = {
    "conv": (*SIZES, *WINDOW, "pad_width", "groups", "bias"),
    "batchnorm": SIZES,
    "fc": (*SIZES, "bias"),
}


@pytest.mark.parametrize("name", MEASURED)
def test_the_layers_are_those_that_the_a30_measured(name: str) -> None:
    """Every convolution, normalisation and inner product is in the layer tables."""
    if not A30.is_dir():
        pytest.skip("../shared/reference/measurements is not beside the repository")
    network = load(name, batch=32)
    for family, columns in COMPARED.items():
        with gzip.open(A30 / f"{family}.csv.gz", "rt", encoding="utf-8") as stream:
            known = {
                tuple(int(row[column]) for column in ("batch", *columns))
                for row in csv.DictReader(stream)
            }
        wanted = {
            tuple(int(getattr(layer.configuration, c)) for c in ("batch", *columns))
            for layer in network.layers
            if layer.configuration is not None and layer.family == family
        }
        assert wanted <= known, family
