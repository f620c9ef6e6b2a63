"""Folders that the whole profile command records on a fake GPU, raw power log included."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from fake_gpu import FakeGpu, FakeGpuExecutor, fake_bench

from neuralpower.cli import main
from neuralpower.core.configuration import CONFIGURATION_COLUMNS, Configuration
from neuralpower.core.files import csv_text, write_text
from neuralpower.meters.log import LOG_COLUMNS, STATE_COLUMNS
from neuralpower.profiling import bench
from neuralpower.profiling.bench import Bench

NET = """
name: "tiny"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 16 dim: 16 } } }
layer { name: "relu" type: "ReLU" bottom: "data" top: "relu" }
"""  # noqa: E501


def layers(n: int) -> list[Configuration]:
    made = [Configuration("relu", 1, i + 1, 8, 8, i + 1, 8, 8) for i in range(n)]
    return made + [Configuration("fc", 4, i + 1, 1, 1, 2 * i + 1, 1, 1, bias=1) for i in range(n)]


@contextmanager
def board_bench(gpu: FakeGpu, uuid: str) -> Iterator[Bench]:
    with fake_bench(gpu) as made:
        executor: Any = made.executor
        assert isinstance(executor, FakeGpuExecutor)
        setattr(executor, "uuid", uuid)  # noqa: B010
        yield made


def record(
    out: Path, *words: str, n: int = 5, uuid: str = "", net: bool = False, **knobs: Any
) -> Path:
    """Profile ``2 n`` layers (and a network) into ``out``; ``knobs`` of the fake sensor."""
    gpu = FakeGpu(**knobs)
    tables = out.parent / f"{out.name}-tables"
    tables.mkdir(parents=True, exist_ok=True)
    table = tables / "layers.csv"
    table.write_text(csv_text(CONFIGURATION_COLUMNS, [c.as_row() for c in layers(n)]))
    given = [str(table)]
    if net:
        (tables / "tiny.prototxt").write_text(NET)
        given.append(str(tables / "tiny.prototxt"))
    with mock.patch.object(bench, "measuring", return_value=board_bench(gpu, uuid)):
        named = ["--platform", "fake", "--device", "cuda", "--out", str(out)]
        assert main(["profile", *given, *named, *words]) == 0
    write_log(gpu, out / "power" / "001.csv.gz")
    return out


def write_log(gpu: FakeGpu, path: Path) -> None:
    """The samples that the fake's meter has taken, as the sampler's process logs them."""
    raw = gpu.meter.raw()
    if not raw.t_ns:
        return
    states = {s.t_ns: s for s in gpu.meter.samples(0, raw.t_ns[-1]).states}
    rows = []
    for i, t in enumerate(raw.t_ns):
        row: dict[str, Any] = {"t_ns": t, "power_w": raw.power_w[i], "average_w": raw.average_w[i]}
        row["energy_j"] = raw.energy_j[i] if raw.energy_j else None
        if t in states:
            row |= {name: getattr(states[t], name) for name in STATE_COLUMNS}
        rows.append(row)
    write_text(path, csv_text(LOG_COLUMNS, rows))
