"""The layers of a whole network, timed inside it by ONNX Runtime's own profiler.

The profiler's clock has a resolution of 1 us and its book-keeping adds a little to every node:
whole networks are therefore timed without it, and these times are for comparison only.
"""

from __future__ import annotations

import json
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from onnxruntime import SessionOptions

from neuralpower.caffe.network import Layer, Network
from neuralpower.core.layer_time import LayerTime
from neuralpower.frameworks.inputs import random_input
from neuralpower.frameworks.onnx.builder import build_network
from neuralpower.frameworks.onnx.session import open_session

_WARM_UP = 1


def layer_times(network: Network, seed: int, options: SessionOptions, runs: int) -> list[LayerTime]:
    """One row per layer that computes, medians over runs."""
    built = build_network(network, seed)
    with tempfile.TemporaryDirectory() as folder:
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "ort")
        session, keep = open_session(built, options)
        feed = {spec.name: random_input(spec, seed) for spec in built.inputs}
        for _ in range(_WARM_UP + runs):
            session.run(None, feed)
        path = session.end_profiling()
        events = json.loads(Path(path).read_text(encoding="utf-8"))
        del session, keep
    return _rows(network.layers, events)


def _rows(layers: Sequence[Layer], events: Sequence[Mapping[str, object]]) -> list[LayerTime]:
    times: dict[str, list[float]] = defaultdict(list)
    for event in events:
        name = str(event.get("name", ""))
        if event.get("cat") == "Node" and name.endswith("_kernel_time"):
            times[name.removesuffix("_kernel_time")].append(float(str(event["dur"])))
    nodes: dict[str, list[list[float]]] = defaultdict(list)
    for name, durations in times.items():
        # A node is named after its layer and its place (``onnx_ops.graph``).
        nodes[name.rpartition(":")[0]].append(durations[_WARM_UP:])
    rows: list[LayerTime] = []
    for index, layer in enumerate(layers):
        if layer.name not in nodes:
            continue
        passes = [sum(parts) for parts in zip(*nodes[layer.name], strict=True)]
        rows.append(
            LayerTime(index, layer.name, layer.type, statistics.median(passes) / 1000, len(passes))
        )
    return rows
