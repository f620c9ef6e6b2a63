"""``torch.cuda`` on a machine without a GPU: tensors hold no numbers, times and powers are made up.

A stream in real time: what is queued runs one after the other, for the time that a roofline gives,
at a power that grows with how busy arithmetic and memory are; the power goes to the load file of
NVML's stand-in. Nothing of CUDA's own rules (capture, memory, autotuning) is checked.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from standin import Load
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

#: FLOP/s, bytes/s and seconds of a launch; watts at rest, and of a kernel by what it is busy with.
PEAK, BANDWIDTH, LAUNCH_S = 50e12, 3.0e12, 2e-6
IDLE_W, BASE_W, ARITHMETIC_W, MEMORY_W = 75.0, 120.0, 400.0, 180.0

#: Operations that only look at memory in another way.
_FREE = frozenset(
    (
        *("view", "_unsafe_view", "t", "expand", "detach", "slice", "select", "as_strided"),
        *("transpose", "permute", "alias", "unsqueeze", "squeeze", "split", "split_with_sizes"),
        *("_reshape_alias", "empty", "empty_strided", "empty_like", "unbind", "lift_fresh"),
        # Filling memory is no part of what is measured.
        *("zeros", "_to_copy", "repeat", "normal_", "uniform_", "fill_"),
    )
)


def boards() -> list[tuple[str, Path]]:
    """UUID and load file of the boards that this process may see, CUDA_VISIBLE_DEVICES first."""
    lines = Path(os.environ["NVML_STANDIN"]).read_text().splitlines()
    found = [(w[1], Path(w[2])) for w in map(str.split, lines) if w and w[0] == "device"]
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return found
    wanted = [name.strip() for name in visible.split(",") if name.strip()]
    by_name = {uuid: (uuid, path) for uuid, path in found}
    by_name |= {str(number): entry for number, entry in enumerate(found)}
    return [by_name[name] for name in wanted if name in by_name]


class Stream:
    """The one stream of the device."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._lock = threading.Lock()
        #: When the device has worked through what is queued; 0: it rests.
        self._free_ns = 0
        self.recorded: list[tuple[float, float]] | None = None
        threading.Thread(target=self._watch, daemon=True).start()

    def run(self, seconds: float, watts: float) -> None:
        """A kernel: recorded, or queued."""
        if self.recorded is not None:
            self.recorded.append((seconds, watts))
        else:
            self.submit(seconds, watts)

    def submit(self, seconds: float, watts: float) -> None:
        """Queue work behind what is queued."""
        with self._lock:
            now = time.monotonic_ns()
            if self._free_ns and self._free_ns < now:
                self._load.add(self._free_ns, IDLE_W)
            start = max(now, self._free_ns)
            self._load.add(start, watts)
            self._free_ns = start + round(seconds * 1e9)

    def end_ns(self) -> int:
        """When all that is queued has run."""
        return max(time.monotonic_ns(), self._free_ns)

    def _watch(self) -> None:
        while True:
            time.sleep(0.002)
            with self._lock:
                if self._free_ns and time.monotonic_ns() > self._free_ns + 500_000:
                    self._load.add(self._free_ns, IDLE_W)
                    self._free_ns = 0


def wait_until(t_ns: int) -> None:
    """Sleep, and spin for the last bit, as a driver does."""
    while (left := t_ns - time.monotonic_ns()) > 0:
        if left > 300_000:
            time.sleep((left - 200_000) / 1e9)


class _Cost(TorchDispatchMode):  # type: ignore[misc, unused-ignore]
    """Every operation on the device takes its time and power on the stream."""

    def __init__(self, stream: Stream) -> None:
        super().__init__()
        self._stream = stream

    def __torch_dispatch__(self, func: Any, types_: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        name = func._schema.name.split("::")[1]
        made = _tensors(out if isinstance(out, tuple | list) else (out,))
        if name in _FREE or not any(value.is_meta for value in made):
            return out
        read = _tensors(args)
        moved = sum(value.numel() * value.element_size() for value in (*read, *made))
        flops = _flops(func, name, args, kwargs or {}, out, read, made)
        arithmetic_s, memory_s = flops / PEAK, moved / BANDWIDTH
        seconds = max(arithmetic_s, memory_s) + LAUNCH_S
        watts = BASE_W + (ARITHMETIC_W * arithmetic_s + MEMORY_W * memory_s) / seconds
        self._stream.run(seconds, watts)
        return out


def _tensors(values: Any) -> list[Any]:
    flat = (v for a in values for v in (a if isinstance(a, tuple | list) else (a,)))
    return [value for value in flat if isinstance(value, torch.Tensor)]


def _flops(
    func: Any, name: str, args: Any, kwargs: Any, out: Any, read: list[Any], made: list[Any]
) -> float:
    if name in ("conv2d", "convolution", "cudnn_convolution") and len(read) > 1:
        weight = read[1]
        return float(2 * made[0].numel() * weight.numel() / weight.shape[0])
    if name == "linear":
        return float(2 * made[0].numel() * read[1].shape[1])
    counted = flop_registry.get(func._overloadpacket)
    return float(counted(*args, **kwargs, out_val=out)) if counted else 0.0


class _Place(TorchFunctionMode):  # type: ignore[misc, unused-ignore]
    """What is asked of the device ``cuda`` is made of tensors without numbers."""

    def __torch_function__(self, func: Any, types_: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.Tensor.item and args[0].is_meta:
            # Asked for where it is found out how products are rounded: not to 1.
            return 1e9
        named = dict(kwargs or {})
        if str(named.get("device", "")).startswith("cuda"):
            named["device"] = "meta"
        args = tuple("meta" if isinstance(a, str) and a.startswith("cuda") else a for a in args)
        return func(*args, **named)


def install() -> None:
    """Put all of it in the place of ``torch.cuda``; nothing where no board can be seen."""
    seen = boards()
    cuda: Any = torch.cuda
    cuda.is_available = lambda: bool(seen)
    if not seen:
        return
    uuid, path = seen[0]
    stream = Stream(Load(path))

    class Event:
        def __init__(self, **_: Any) -> None:
            self.t_ns = 0

        def record(self, *_: Any) -> None:
            self.t_ns = stream.end_ns()

        def query(self) -> bool:
            return time.monotonic_ns() >= self.t_ns

        def synchronize(self) -> None:
            wait_until(self.t_ns)

        def elapsed_time(self, last: Event) -> float:
            return (last.t_ns - self.t_ns) / 1e6

    class Graph:
        seconds = watts = 0.0

        def replay(self) -> None:
            stream.submit(self.seconds, self.watts)

    @contextlib.contextmanager
    def graph(made: Graph, **_: Any) -> Iterator[None]:
        stream.recorded = []
        try:
            yield
        finally:
            kernels, stream.recorded = stream.recorded, None
            made.seconds = sum(seconds for seconds, _ in kernels)
            work = sum(seconds * watts for seconds, watts in kernels)
            made.watts = work / max(made.seconds, 1e-12)

    properties = types.SimpleNamespace(
        name="Stand-in board",
        multi_processor_count=132,
        total_memory=85_520_809_984,
        L2_cache_size=50 << 20,
        major=9,
        minor=0,
        uuid=uuid.removeprefix("GPU-"),
    )
    cuda.Event, cuda.CUDAGraph, cuda.graph = Event, Graph, graph
    cuda.Stream, cuda.stream = lambda *_: None, lambda *_: contextlib.nullcontext()
    cuda.synchronize = lambda *_: wait_until(stream.end_ns())
    cuda.get_device_properties = lambda *_: properties
    cuda.device_count = lambda: len(seen)
    cuda.mem_get_info = lambda *_: (70_000_000_000, 80_000_000_000)
    for name in ("memory_allocated", "max_memory_allocated", "memory_reserved"):
        setattr(cuda, name, lambda *_: 0)
    for name in (
        "empty_cache",
        "reset_peak_memory_stats",
        "set_stream",
        "current_stream",
        "_sleep",
    ):
        setattr(cuda, name, lambda *_: None)
    # Kernels have no names here.
    torch.version.cuda = "12.0"
    _Place().__enter__()
    _Cost(stream).__enter__()
