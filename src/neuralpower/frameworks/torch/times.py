"""The layers of a whole network, timed inside it: clock readings or events between layers."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from neuralpower.core.layer_time import LayerTime
from neuralpower.frameworks.torch.model import TorchModel

T = TypeVar("T")

_WARM_UP = 2
#: Cycles a second of the kernel that keeps a GPU busy while its work is queued, and the longest.
_CYCLES_S, _LONGEST_S = 2e9, 1.0


def layer_times(model: TorchModel, seed: int, runs: int = 5) -> list[LayerTime]:
    """One row per layer, medians over runs.

    On a GPU the whole pass is queued behind a kernel that only waits, so that the times between
    events are the device's and not the host's; about 1-2 us of each are the event's.
    """
    inputs = model.values(seed, 0)
    each = _on_gpu if model.place.device == "cuda" else _on_cpu
    with torch.inference_mode():
        passes = [each(model, inputs) for _ in range(_WARM_UP + runs)][_WARM_UP:]
    return [
        LayerTime(
            step.index,
            step.operation.layer.name,
            step.operation.layer.type,
            statistics.median(times),
            len(passes),
        )
        for step, times in zip(model.program.steps, zip(*passes, strict=True), strict=True)
    ]


def _on_cpu(model: TorchModel, inputs: Mapping[str, Tensor]) -> list[float]:
    stamps = [time.perf_counter_ns()]
    model(inputs, lambda: stamps.append(time.perf_counter_ns()))
    return _gaps(stamps, lambda a, b: (b - a) / 1e6)


def _on_gpu(model: TorchModel, inputs: Mapping[str, Tensor]) -> list[float]:
    # How long the host takes to queue a pass.
    begin = time.perf_counter()
    model(inputs)
    queued_s = min(2 * (time.perf_counter() - begin) + 0.002, _LONGEST_S)
    torch.cuda.synchronize()
    marks: list[torch.cuda.Event] = []

    def mark() -> None:
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        marks.append(event)

    torch.cuda._sleep(int(queued_s * _CYCLES_S))
    mark()
    model(inputs, mark)
    torch.cuda.synchronize()
    return _gaps(marks, lambda a, b: float(a.elapsed_time(b)))


def _gaps(marks: Sequence[T], between: Callable[[T, T], float]) -> list[float]:
    return [between(a, b) for a, b in itertools.pairwise(marks)]
