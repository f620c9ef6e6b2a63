"""Made-up devices for the tests: their costs are known exactly, nothing here is a measurement."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from neuralpower.core.configuration import CONFIGURATION_COLUMNS
from neuralpower.core.files import csv_text
from neuralpower.modeling import data as data_module
from neuralpower.modeling.crossvalidation import Candidate
from neuralpower.modeling.data import Dataset, Layers
from neuralpower.modeling.features import FeatureTable
from neuralpower.modeling.fitting import FitOptions
from neuralpower.modeling.visits import collect
from neuralpower.records import blocks
from neuralpower.records.folder import Row, load_rows

#: A small grid for tests that are not about the choice itself.
QUICK = FitOptions(
    (
        Candidate("physical", "relative", "non-negative"),
        Candidate("paper", "relative", "stepwise"),
        Candidate("logs", "log", "stepwise"),
    ),
    folds=5,
)

COLUMNS = (*CONFIGURATION_COLUMNS, "runtime_ms", "power_w", "repeat")
REFERENCE = Path(__file__).resolve().parents[2] / "../shared/reference/measurements"

Record = dict[str, Any]
Cost = Callable[[FeatureTable], np.ndarray]


def fc_records(rows: int, seed: int = 0) -> list[Record]:
    """Inner products of random widths, a record each, without targets."""
    generator = np.random.default_rng(seed)
    records: list[Record] = []
    for _ in range(rows):
        batch, inputs, outputs = (round(2**x) for x in generator.uniform((0, 4, 4), (7, 12, 12)))
        records.append(
            {
                "family": "fc", "batch": batch, "in_channels": inputs, "in_height": 1,
                "in_width": 1, "out_channels": outputs, "out_height": 1, "out_width": 1,
                "bias": 1,
            }
        )  # fmt: skip
    return records


def conv_records(rows: int, seed: int = 0) -> list[Record]:
    """Random square convolutions."""
    generator = np.random.default_rng(seed)
    records: list[Record] = []
    for _ in range(rows):
        kernel = int(generator.choice([1, 3, 5]))
        stride = int(generator.choice([1, 2]))
        batch, inputs, outputs, size = (
            round(2**x) for x in generator.uniform((0, 3, 3, 3), (5, 8, 8, 6))
        )
        after = (size + 2 * (kernel // 2) - kernel) // stride + 1
        records.append(
            {
                "family": "conv", "batch": batch, "in_channels": inputs, "in_height": size,
                "in_width": size, "out_channels": outputs, "out_height": after,
                "out_width": after, "kernel_height": kernel, "kernel_width": kernel,
                "stride_height": stride, "stride_width": stride, "pad_height": kernel // 2,
                "pad_width": kernel // 2, "groups": 1, "bias": 1,
            }
        )  # fmt: skip
    return records


def measured(
    records: Sequence[Record],
    runtime: Cost,
    noise: float = 0.0,
    power: Cost | None = None,
    seed: int = 0,
) -> list[Record]:
    """The records with targets of a cost law and log-normal noise of that standard deviation."""
    rows = [Row("t.csv", i, {**r, "runtime_ms": 1.0}) for i, r in enumerate(records, 1)]
    columns = {
        name: np.array([float(row.values.get(name, 1)) for row in rows])
        for name in CONFIGURATION_COLUMNS[1:]
        if name != "pool_method" and any(name in row.values for row in rows)
    }
    table = FeatureTable(columns, str(records[0]["family"]))
    generator = np.random.default_rng(seed)
    times = runtime(table) * np.exp(noise * generator.standard_normal(len(records)))
    watts = None if power is None else power(table)
    return [
        {
            **record,
            "runtime_ms": float(times[i]),
            "power_w": None if watts is None else float(watts[i]),
            "repeat": 1,
        }
        for i, record in enumerate(records)
    ]


def write_platform(folder: Path, tables: Mapping[str, Sequence[Record]]) -> Path:
    """A measurement folder with short-form tables."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, records in tables.items():
        (folder / name).write_text(csv_text(COLUMNS, records))
    return folder


def layers_of(folder: Path, family: str, target: str = "runtime_ms") -> Layers:
    """The merged layers of a platform."""
    return data_of(folder).layers[family, target]


def dataset(rows: Iterable[Row]) -> Dataset:
    """Check and merge measurement rows that are in memory, one after the other."""
    files = groupby(rows, key=lambda row: row.file)
    return data_module._dataset(collect(blocks._blocks_of_rows(list(part)) for _, part in files))


def data_of(folder: Path) -> Dataset:
    """The checked data of a platform."""
    return dataset(load_rows(folder))
