"""Writes the networks that come with NeuralPower: ``python tools/generate_prototxts.py [--check]``.

The folder is for your own prototxts too; this script touches only the files it lists. With
``--check`` nothing is written and the exit status says whether all files are current.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from prototxt_generator import detection, inception, mobile, plain, residual, torchvision
from prototxt_generator.builder import Net

ROOT = Path(__file__).resolve().parent.parent

GETZNER = """
{title} as torchvision runs it at 224 x 224 (no batch normalisation). Its adaptive average pooling
is the identity at this size and left out. For the validation on getzner-xeon5120."""

#: torchvision's networks: program, the size it is known for, further sizes that were measured.
TORCHVISION: dict[str, tuple[Callable[[int], Net], int, tuple[int, ...]]] = {
    "alexnet": (torchvision.alexnet, 224, (299,)),
    "densenet121": (torchvision.densenet121, 224, ()),
    "googlenet": (torchvision.googlenet, 224, ()),
    "inception_v3": (torchvision.inception_v3, 299, ()),
    "mobilenet_v2": (torchvision.mobilenet_v2, 224, ()),
    "resnet18": (partial(torchvision.resnet, 18), 224, (32, 299)),
    "resnet34": (partial(torchvision.resnet, 34), 224, (56, 299)),
    "resnet50": (partial(torchvision.resnet, 50), 224, (299,)),
    "resnet101": (partial(torchvision.resnet, 101), 224, (299,)),
    "squeezenet1_1": (torchvision.squeezenet1_1, 224, ()),
    "vgg16": (torchvision.vgg16, 224, ()),
}


def torchvision_networks() -> dict[str, Callable[[], Net]]:
    """Path and program of torchvision's networks: a file name without a size has the usual one."""
    found: dict[str, Callable[[], Net]] = {}
    for name, (program, usual, others) in TORCHVISION.items():
        found[f"published/prototxts/{name}"] = partial(program, usual)
        found |= {f"published/prototxts/{name}_{size}": partial(program, size) for size in others}
    return found


#: Path from the repository's root, and the program of the network.
NETWORKS: dict[str, Callable[[], Net]] = {
    "prototxts/alexnet": plain.alexnet,
    "prototxts/alexnet_owt": plain.alexnet_owt,
    "prototxts/binaryconnect_cifar10": plain.binaryconnect_cifar10,
    "prototxts/cifar10_6conv": plain.cifar10_6conv,
    "prototxts/densenet121": residual.densenet121,
    "prototxts/faster_rcnn_vgg16": detection.faster_rcnn_vgg16,
    "prototxts/fcn8s": detection.fcn8s,
    "prototxts/googlenet": inception.googlenet,
    "prototxts/googlenet_bn": inception.googlenet_bn,
    "prototxts/inception_v3": inception.inception_v3,
    "prototxts/inception_v4": inception.inception_v4,
    "prototxts/lenet": plain.lenet,
    "prototxts/mobilenet_v1": mobile.mobilenet_v1,
    "prototxts/mobilenet_v2": mobile.mobilenet_v2,
    "prototxts/nin": plain.nin,
    "prototxts/overfeat": plain.overfeat,
    "prototxts/resnet18": partial(residual.resnet, 18),
    "prototxts/resnet34": partial(residual.resnet, 34),
    "prototxts/resnet50": partial(residual.resnet, 50),
    "prototxts/resnet101": partial(residual.resnet, 101),
    "prototxts/resnet152": partial(residual.resnet, 152),
    "prototxts/resnext50": residual.resnext50,
    "prototxts/senet50": residual.senet50,
    "prototxts/shufflenet": mobile.shufflenet,
    "prototxts/squeezenet_v1_0": partial(plain.squeezenet, "1.0"),
    "prototxts/squeezenet_v1_1": partial(plain.squeezenet, "1.1"),
    "prototxts/ssd300": detection.ssd300,
    "prototxts/vgg16": partial(plain.vgg, 16),
    "prototxts/vgg19": partial(plain.vgg, 19),
    "measurements/caffe-cpu/prototxts/caffenet": plain.caffenet,
    "measurements/caffe-cpu/prototxts/cifar10_full": plain.cifar10_full,
    "measurements/caffe-cpu/prototxts/vgg16": partial(
        plain.vgg, 16, "VGG-16 with the layer names of the file that was run.", "input", "my-fc8"
    ),
    "tests/prototxts/getzner/alexnet": partial(
        plain.alexnet_owt, GETZNER.format(title="AlexNet, one tower,")
    ),
    "tests/prototxts/getzner/vgg11": partial(plain.vgg, 11, GETZNER.format(title="VGG-11")),
    "tests/prototxts/getzner/vgg13": partial(plain.vgg, 13, GETZNER.format(title="VGG-13")),
    "tests/prototxts/getzner/vgg16": partial(plain.vgg, 16, GETZNER.format(title="VGG-16")),
    **torchvision_networks(),
}


def main() -> int:
    """Write the files, or with ``--check`` name those that are not current."""
    parser = argparse.ArgumentParser(description="Write the prototxts of NeuralPower's networks.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if out of date")
    check = parser.parse_args().check
    stale = []
    for place, program in NETWORKS.items():
        path, text = ROOT / f"{place}.prototxt", program().text()
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            stale.append(path)
            if not check:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8", newline="\n")
    for path in stale:
        print(f"{'not current' if check else 'written'}: {path.relative_to(ROOT)}")
    return int(check and bool(stale))


if __name__ == "__main__":
    raise SystemExit(main())
