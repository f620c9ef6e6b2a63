"""A model on an NVIDIA GPU as a CUDA graph of K calls over R sets of buffers."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch

from neuralpower.core.errors import InputError
from neuralpower.frameworks.base import BaseWorkload
from neuralpower.frameworks.torch.kernels import can_name, kernel_names
from neuralpower.frameworks.torch.model import TorchModel

#: Calls before the capture: cuDNN times its algorithms in the first.
_WARM_UP_CALLS = 3
#: Unused memory that PyTorch may keep between layers.
_KEPT_BYTES = 8 << 30
#: A capture that runs out of memory leaves the allocator unsound: so much more than a call needs
#: must be free before.
_SPARE_SHARE, _SPARE_BYTES = 1.2, 256 << 20
#: How CUDA, its libraries and the allocator of the CPU say it.
_NO_MEMORY = ("out of memory", "ALLOC_FAILED", "can't allocate memory")


class CudaTimer:
    """CUDA events on the current stream."""

    def mark(self) -> torch.cuda.Event:
        """As ``ReplayTimer.mark``."""
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def done(self, mark: torch.cuda.Event) -> bool:
        """As ``ReplayTimer.done``."""
        return bool(mark.query())

    def wait(self, mark: torch.cuda.Event) -> None:
        """As ``ReplayTimer.wait``."""
        mark.synchronize()

    def elapsed_ms(self, first: torch.cuda.Event, last: torch.cuda.Event) -> float:
        """As ``ReplayTimer.elapsed_ms``."""
        return float(first.elapsed_time(last))


class CudaWorkload(BaseWorkload):
    """A captured model.

    ``InputError`` when a graph of it cannot be captured or the memory does not suffice.
    """

    def __init__(self, model: TorchModel, buffers: int, seed: int) -> None:
        self.timer = CudaTimer()
        self.buffers = buffers
        self.footprint_bytes = model.moved_bytes + model.parameter_bytes
        # None once closed.
        self._model: Any = model
        self._output_bytes = model.output_bytes
        self._sets = model.sets(seed, buffers)
        self._kept: list[object] = [None] * buffers
        self.parameter_bytes = model.parameter_bytes
        self._stream = _capture_stream()
        self._call_bytes = self._try()
        self.calls_per_replay = 0
        self._graph: torch.cuda.CUDAGraph = None
        self.record(buffers)

    def record(self, calls: int) -> None:
        """As ``ReplayWorkload.record``."""
        if calls != self.calls_per_replay:
            self._graph = None
            self._graph = self._capture(calls)
            self.calls_per_replay = calls

    def replay(self) -> None:
        """As ``ReplayWorkload.replay``."""
        self._graph.replay()

    def call(self) -> None:
        """One call outside of the graph, finished when this returns (host included)."""
        with torch.inference_mode():
            self._model(self._sets[0])
        torch.cuda.synchronize()

    def kernels(self) -> list[str] | None:
        """Names of the kernels of a call, in order; ``None`` where the profiler does not work."""
        return kernel_names(self.call) if can_name(torch.version.cuda) else None

    def close(self) -> None:
        """Give the memory back."""
        try:
            torch.cuda.synchronize()
            self._graph, self._model = None, None
            self._sets, self._kept = [], []
            if torch.cuda.memory_reserved() - torch.cuda.memory_allocated() > _KEPT_BYTES:
                torch.cuda.empty_cache()
        except RuntimeError:
            # A broken device: whoever closes knows, or finds out with the next call.
            self._graph, self._model = None, None

    def _try(self) -> int:
        """Autotune and warm up, on the stream of the capture: cuBLAS has a workspace per stream,
        and one that is made during a capture belongs to that graph. The bytes that a call needs.
        """
        stream = self._stream
        with torch.inference_mode(), torch.cuda.stream(stream):
            for _ in range(_WARM_UP_CALLS):
                self._model(self._sets[0])
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
            before = torch.cuda.memory_allocated()
            self._model(self._sets[0])
        torch.cuda.synchronize()
        return int(torch.cuda.max_memory_allocated() - before)

    def _capture(self, calls: int) -> torch.cuda.CUDAGraph:
        # Memory of a graph is its own: what PyTorch keeps for others is given back first.
        _clear_workspaces()
        torch.cuda.empty_cache()
        needed = (
            _SPARE_SHARE * (self._call_bytes + self.buffers * self._output_bytes) + _SPARE_BYTES
        )
        if needed > torch.cuda.mem_get_info()[0]:
            raise InputError("out of memory on the GPU")
        graph = torch.cuda.CUDAGraph()
        stream = torch.cuda.current_stream()
        try:
            with torch.inference_mode(), torch.cuda.graph(graph, stream=self._stream):
                for number in range(calls):
                    # Outputs stay until their set comes round again: they rotate too.
                    self._kept[number % self.buffers] = self._model(
                        self._sets[number % self.buffers]
                    )
        except RuntimeError as error:
            if out_of_memory(error):
                raise
            text = " ".join(str(error).split())[:200]
            if "captur" not in text.lower():
                raise
            raise InputError(f"cannot be captured in a CUDA graph: {text}") from None
        finally:
            # A capture that fails leaves its own stream the current one.
            torch.cuda.set_stream(stream)
        return graph


@cache
def _capture_stream() -> torch.cuda.Stream:
    """The one stream on which calls are warmed up and captured."""
    return torch.cuda.Stream()


def _clear_workspaces() -> None:
    """Give back what cuBLAS keeps: a capture would take it into its graph's memory."""
    clear = getattr(torch._C, "_cuda_clearCublasWorkspaces", None)
    if clear is not None:
        clear()


def out_of_memory(error: BaseException | None) -> bool:
    """Whether an error is of missing memory, or came while one was handled."""
    while error is not None:
        text = str(error)
        if isinstance(error, torch.cuda.OutOfMemoryError):
            return True
        if isinstance(error, RuntimeError) and any(words in text for words in _NO_MEMORY):
            return True
        error = error.__cause__ or error.__context__
    return False
