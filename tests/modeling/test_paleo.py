"""Paleo's published code on five networks: totals on a Titan X with a platform percent of 1.

The totals were computed with Paleo itself (its fully connected layers written as convolutions,
pooling rounded down); layers as in the networks it ships with. Milliseconds.
"""

from __future__ import annotations

import numpy as np
import pytest

from neuralpower.core.configuration import Configuration
from neuralpower.modeling.baselines import Baseline, Device, paleo
from neuralpower.modeling.members import Equation
from neuralpower.modeling.models import columns_of

TITAN_X = Device(peak_gflops=6144.0, bandwidth_gb_s=336.5)

# Family, output channels (0: as the input's), kernel, stride, padding.
Step = tuple[str, int, int, int, int]


def conv(out: int, kernel: int, stride: int = 1, pad: int = 0) -> Step:
    return ("conv", out, kernel, stride, pad)


def pool(kernel: int, stride: int) -> Step:
    return ("pool", 0, kernel, stride, 0)


DROP: Step = ("dropout", 0, 1, 1, 0)

VGG = [
    *[conv(64, 3, 1, 1)] * 2, pool(2, 2), *[conv(128, 3, 1, 1)] * 2, pool(2, 2),
    *[conv(256, 3, 1, 1)] * 3, pool(2, 2), *[conv(512, 3, 1, 1)] * 3, pool(2, 2),
    *[conv(512, 3, 1, 1)] * 3, pool(2, 2), conv(4096, 7), DROP,
    conv(4096, 1), DROP, conv(1000, 1),
]  # fmt: skip
ALEXNET = [
    conv(64, 11, 4), pool(3, 2), conv(192, 5, 1, 2), pool(3, 2), conv(384, 3, 1, 1),
    conv(384, 3, 1, 1), conv(256, 3, 1, 1), pool(3, 2), conv(4096, 5), DROP,
    conv(4096, 1), DROP, conv(1000, 1),
]  # fmt: skip
NIN = [
    conv(96, 11, 4), conv(96, 1), conv(96, 1), pool(3, 2), conv(256, 5, 1, 2), conv(256, 1),
    conv(256, 1), pool(3, 2), conv(384, 3, 1, 1), conv(384, 1), conv(384, 1), pool(3, 2), DROP,
    conv(1024, 3, 1, 1), conv(1024, 1), conv(1000, 1), pool(5, 1),
]  # fmt: skip
OVERFEAT = [
    conv(64, 11, 4), pool(2, 2), conv(256, 5), pool(2, 2), conv(512, 3, 1, 1),
    conv(1024, 3, 1, 1), conv(1024, 3, 1, 1), pool(2, 2), conv(3072, 6), DROP,
    conv(4096, 1), DROP, conv(1000, 1),
]  # fmt: skip
CIFAR = [
    *[conv(128, 3, 1, 1)] * 2, pool(2, 2), *[conv(256, 3, 1, 1)] * 2, pool(2, 2),
    *[conv(512, 3, 1, 1)] * 2, conv(1024, 8), DROP, conv(1024, 1), DROP, conv(10, 1),
]  # fmt: skip


def layers(steps: list[Step], batch: int, size: int) -> list[Configuration]:
    result, channels = [], 3
    for family, out, kernel, stride, pad in steps:
        outputs = out or channels
        after = (size + 2 * pad - kernel) // stride + 1
        result.append(
            Configuration(
                family, batch, channels, size, size, outputs, after, after,
                kernel, kernel, stride, stride, pad, pad,
                pool_method="max" if family == "pool" else "",
            )
        )  # fmt: skip
        channels, size = outputs, after
    return result


@pytest.mark.parametrize(
    ("steps", "batch", "size", "compute", "memory", "total"),
    [
        (VGG, 64, 224, 322.42, 23.41, 345.83),
        (ALEXNET, 128, 224, 30.72, 2.44, 33.16),
        (NIN, 128, 224, 40.44, 5.24, 45.68),
        (OVERFEAT, 128, 231, 110.31, 4.40, 114.71),
        (CIFAR, 128, 32, 26.76, 1.99, 28.75),
    ],
    ids=["vgg16", "alexnet", "nin", "overfeat", "cifar10_6conv"],
)
def test_totals(
    steps: list[Step], batch: int, size: int, compute: float, memory: float, total: float
) -> None:
    parts = np.zeros(2)
    whole = 0.0
    for layer in layers(steps, batch, size):
        equation = paleo(layer.family, TITAN_X)
        columns = columns_of([layer])
        whole += float(Baseline(layer.family, "paleo", (equation,), {}).predict(columns)[0])
        for term, coefficient in zip(equation.terms, equation.coefficients, strict=True):
            part = Equation("linear", (term,), (coefficient,))
            is_memory = "elements" in term[0].feature or "transferred" in term[0].feature
            parts[int(is_memory)] += float(
                Baseline(layer.family, "part", (part,), {}).predict(columns)[0]
            )
    assert parts[0] == pytest.approx(compute, abs=0.01)
    assert parts[1] == pytest.approx(memory, abs=0.01)
    assert whole == pytest.approx(total, abs=0.01)
