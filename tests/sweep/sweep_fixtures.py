"""What the tests of the sweep share: the section of sweep.yaml, layer tables of two networks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from neuralpower.core.configuration import LAYER_COLUMNS, Configuration
from neuralpower.core.files import write_table
from neuralpower.core.geometry import complete

HERE = Path(__file__).parent
REPOSITORY = HERE.parent.parent
SECTION = HERE / "sweep.yaml"


def section() -> dict[str, Any]:
    """A fresh copy of the section of ``sweep.yaml``, to be changed at will."""
    document: dict[str, Any] = yaml.safe_load(SECTION.read_text(encoding="utf-8"))
    sweep: dict[str, Any] = document["sweep"]
    sweep["families"] = {name: dict(value) for name, value in sweep["families"].items()}
    return sweep


def layer(family: str, channels: int, size: int, out: int = 0, **fields: Any) -> Configuration:
    """A layer's configuration with batch 1 and its output sizes as Caffe has them."""
    base = Configuration(family, 1, channels, size, size, out or channels, 0, 0)
    done = complete(replace(base, **fields))
    assert done is not None
    return done


#: Layers of two made-up networks.
NETWORKS: dict[str, list[Configuration]] = {
    "toy": [
        layer("conv", 3, 64, 96, kernel_height=11, kernel_width=11, stride_height=4,
              stride_width=4),
        layer("relu", 96, 14),
        layer("pool", 96, 14, kernel_height=3, kernel_width=3, pool_method="max", stride_height=2,
              stride_width=2),
        layer("conv", 96, 7, 96, kernel_height=3, kernel_width=3, pad_height=1, pad_width=1,
              groups=96),
        layer("conv", 96, 7, 128, groups=2, bias=1),
        layer("pool", 128, 7, kernel_height=7, kernel_width=7, pool_method="ave"),
        layer("fc", 128, 1, 1000, bias=1),
        layer("softmax", 1000, 1),
    ],
    "other": [
        layer("relu", 96, 14),
        layer("concat", 32, 9, 64, inputs=2),
        layer("eltwise", 64, 9, inputs=2),
    ],
}  # fmt: skip


def write_layer_tables(folder: Path) -> list[Path]:
    """A layer table a network, as ``neuralpower layers`` writes them."""
    paths = []
    for network, configurations in NETWORKS.items():
        rows: list[dict[str, Any]] = [
            {"network": network, "index": 0, "name": "data", "type": "Input", "family": ""}
        ]
        for index, configuration in enumerate(configurations, start=1):
            rows.append(configuration.as_row() | {"network": network, "index": index})
        path = folder / f"{network}.csv"
        write_table(path, LAYER_COLUMNS, rows)
        paths.append(path)
    return paths
