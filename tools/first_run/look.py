"""What nobody knows before the first minute on a board, one line each; a fault ends one line.

``python3 look.py ADVICE.txt`` also writes options of ``profile`` that follow from what was seen.
"""

from __future__ import annotations

import importlib
import itertools
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: A pass of the profiler may change the anchor by so much, and take so long (s).
_TRACE_LEFT, _SLOW_PASS_S = 0.003, 0.06


def main() -> None:
    """Print each part's line; the advice goes into the file that was named."""
    parts: dict[str, Callable[[], object]] = {
        "NVML, us a poll (median, 99 %), publications a second, last answer": nvml,
        "PyTorch: import and context s, board, L2 bytes, cuDNN": pytorch,
        "anchor: first call with autotuning s, ms per call": lambda: anchor(100),
        "clock ramp after 0.5 s of rest: replay 1, 2, 5, 10, 20, 50, 100 in ms": ramp,
        "a launch: us a call of a small layer in graphs of 32, 128, 512": launches,
        "anchor ms before and after four passes of the profiler, s per pass": profiler,
    }
    for name, part in parts.items():
        try:
            print(f"{name}: {part()}", flush=True)
        except Exception as error:
            print(f"{name}: FAILED {type(error).__name__}: {error}", flush=True)
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(advice(), encoding="utf-8")
        print(f"advice: {advice() or 'none'}")


#: What ``profiler`` saw: ms before and after, seconds of each pass.
_seen: list[tuple[float, float, list[float]]] = []


def advice() -> str:
    """Options of ``profile``: no kernel names where the profiler is slow or leaves a trace."""
    if not _seen:
        return "--no-kernels"
    before, after, costs = _seen[-1]
    harmful = after / before - 1 > _TRACE_LEFT or statistics.median(costs) > _SLOW_PASS_S
    return "--no-kernels" if harmful else ""


def nvml() -> object:
    """What a poll costs and how often field 186 changes."""
    n: Any = importlib.import_module("pynvml")
    n.nvmlInit()
    handle = n.nvmlDeviceGetHandleByIndex(0)
    costs, answers, end = [], [], time.monotonic() + 2
    while time.monotonic() < end:
        begin = time.perf_counter_ns()
        fields = n.nvmlDeviceGetFieldValues(handle, [(186, 0), (185, 0), 83])
        costs.append((time.perf_counter_ns() - begin) / 1e3)
        answers.append(tuple((f.nvmlReturn, f.value.uiVal) for f in fields))
        time.sleep(0.002)
    costs.sort()
    changes = sum(a[0] != b[0] for a, b in itertools.pairwise(answers))
    return costs[len(costs) // 2], costs[int(0.99 * len(costs))], changes / 2, answers[-1]


def pytorch() -> object:
    """How long PyTorch takes to begin, and what it sees."""
    begin = time.monotonic()
    torch: Any = importlib.import_module("torch")
    loaded = time.monotonic()
    torch.zeros(1, device="cuda")
    torch.cuda.synchronize()
    board = torch.cuda.get_device_properties(0)
    seconds = (round(loaded - begin, 1), round(time.monotonic() - loaded, 1))
    return *seconds, board.name, board.L2_cache_size, torch.backends.cudnn.version()


def _replays(calls: int, small: bool = False) -> tuple[Callable[[int], list[float]], float]:
    """A graph of so many calls, as a function that times replays (ms); and seconds to make it."""
    torch: Any = importlib.import_module("torch")
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    begin = time.monotonic()
    shape = (1, 64, 56, 56) if small else (64, 256, 28, 28)
    x = torch.randn(*shape, device="cuda")
    w = torch.randn(256, 256, 3, 3, device="cuda")

    def call() -> Any:
        return torch.relu(x) if small else torch.nn.functional.conv2d(x, w, padding=1)

    graph = torch.cuda.CUDAGraph()
    with torch.inference_mode():
        for _ in range(3):
            call()
        torch.cuda.synchronize()
        with torch.cuda.graph(graph):
            kept = [call() for _ in range(calls)]

    def time_replays(count: int) -> list[float]:
        marks = [torch.cuda.Event(enable_timing=True) for _ in range(count + 1)]
        marks[0].record()
        for mark in marks[1:]:
            graph.replay()
            mark.record()
        torch.cuda.synchronize()
        assert kept
        return [a.elapsed_time(b) for a, b in itertools.pairwise(marks)]

    return time_replays, time.monotonic() - begin


def anchor(count: int) -> object:
    """The compute-bound anchor."""
    replays, seconds = _replays(4)
    return round(seconds, 2), statistics.median(replays(count)) / 4


def ramp() -> object:
    """How the clock rises."""
    replays, _ = _replays(4)
    time.sleep(0.5)
    times = replays(100)
    return [round(times[i - 1], 3) for i in (1, 2, 5, 10, 20, 50, 100)]


def launches() -> object:
    """What a launch costs in graphs of some lengths."""
    found = []
    for calls in (32, 128, 512):
        replays, _ = _replays(calls, small=True)
        replays(50)
        found.append(round(1e3 * statistics.median(replays(200)) / calls, 4))
    return found


def profiler() -> object:
    """Whether the profiling library leaves a trace in times."""
    module: Any = importlib.import_module("torch.profiler")
    torch: Any = importlib.import_module("torch")
    replays, _ = _replays(4)
    before, costs = statistics.median(replays(60)) / 4, []
    x = torch.randn(64, 64, device="cuda")
    for _ in range(4):
        begin = time.monotonic()
        with module.profile(activities=[module.ProfilerActivity.CUDA]):
            torch.relu(x)
            torch.cuda.synchronize()
        costs.append(round(time.monotonic() - begin, 3))
    _seen.append((before, statistics.median(replays(60)) / 4, costs))
    return _seen[-1]


if __name__ == "__main__":
    main()
