"""The terms of every library and the features of layers, for a table of layers, as stored text."""

from __future__ import annotations

from pathlib import Path

import golden
import numpy as np
import pytest

from neuralpower.core.configuration import Configuration
from neuralpower.modeling.features import FEATURES, FeatureTable
from neuralpower.modeling.libraries import LIBRARIES
from neuralpower.modeling.models import columns_of
from neuralpower.modeling.terms import term_name

GOLDEN = Path(__file__).parent / "golden"


def layers(family: str, n: int) -> FeatureTable:
    """Sizes that vary by themselves: products of a few values each, in a fixed order."""
    made = []
    for i in range(n):
        size, batch, width = 7 * 2 ** (i % 4), 2 ** (i % 3), 8 * (1 + i % 5)
        kernel, stride = (1, 3, 5)[i % 3], 1 + (i // 7) % 2
        windowed = family in ("conv", "pool")
        made.append(
            Configuration(
                family, batch, width, size, size,
                width if family == "pool" else 16 * (1 + i % 6), size // stride, size // stride,
                **({"kernel_height": kernel, "kernel_width": kernel, "stride_height": stride,
                    "stride_width": stride, "pad_height": kernel // 2, "pad_width": kernel // 2}
                   if windowed else {}),
                groups=(1, 8)[i % 11 == 0] if family == "conv" else 1,
                pool_method=("max", "ave")[i % 2] if family == "pool" else "",
                bias=int(family in ("conv", "fc") and i % 2),
            )
        )  # fmt: skip
    return FeatureTable(columns_of(made), family)


@pytest.mark.parametrize("family", ["conv", "fc", "pool"])
def test_the_terms_of_every_library(family: str) -> None:
    lines = []
    for n, target in ((30, "runtime_ms"), (30, "power_w"), (200, "runtime_ms")):
        table = layers(family, n)
        for name, library in LIBRARIES.items():
            names = sorted(map(term_name, library(table, family, target)))
            lines.append(f"{name}, {target}, {n} layers: {len(names)} terms")
            # Of the long ones every twentieth.
            lines += [f"  {text}" for text in names[:: 1 if len(names) <= 40 else 20]]
    golden.check(GOLDEN / f"terms.{family}.txt", "\n".join(lines) + "\n")


@pytest.mark.parametrize("family", ["conv", "fc", "pool"])
def test_the_features_of_a_few_layers(family: str) -> None:
    table = layers(family, 24)
    lines = []
    for name in FEATURES:
        values = np.asarray(table[name], dtype=float)[[0, 1, 11, 22, 23]]
        lines.append(f"{name}: {' '.join(f'{value:.6g}' for value in values)}")
    golden.check(GOLDEN / f"features.{family}.txt", "\n".join(lines) + "\n")
