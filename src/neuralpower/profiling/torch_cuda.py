"""A model on an NVIDIA GPU as a CUDA graph of K calls over R sets of buffers."""

from __future__ import annotations

import math
from typing import Any

import torch

from neuralpower.errors import InputError
from neuralpower.profiling.replays import calls_per_replay
from neuralpower.profiling.torch_model import TorchModel

#: Calls before the capture: cuDNN times its algorithms in the first.
_WARM_UP_CALLS = 3
#: Unused memory that PyTorch may keep between layers.
_KEPT_BYTES = 8 << 30


class CudaTimer:
    """CUDA events on the current stream."""

    def mark(self) -> Any:
        """As ``ReplayTimer.mark``."""
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def done(self, mark: Any) -> bool:
        """As ``ReplayTimer.done``."""
        return bool(mark.query())

    def wait(self, mark: Any) -> None:
        """As ``ReplayTimer.wait``."""
        mark.synchronize()

    def elapsed_ms(self, first: Any, last: Any) -> float:
        """As ``ReplayTimer.elapsed_ms``."""
        return float(first.elapsed_time(last))


class CudaWorkload:
    """A captured model. ``InputError`` when a graph of it cannot be captured."""

    def __init__(self, model: TorchModel, buffers: int, seed: int) -> None:
        self.timer = CudaTimer()
        self.buffers = buffers
        self.footprint_bytes = model.moved_bytes + model.parameter_bytes
        self._model: Any = model
        self._sets = [model.values(seed, number) for number in range(buffers)]
        self._kept: list[Any] = [None] * buffers
        self._warm_up()
        self.calls_per_replay = buffers
        self._graph: Any = self._capture(buffers)
        call_ms = self._replay_ms() / buffers
        wanted = calls_per_replay(call_ms, buffers)
        if wanted != buffers:
            self._graph = None
            self._graph = self._capture(wanted)
            self.calls_per_replay = wanted

    def replay(self) -> None:
        """As ``ReplayWorkload.replay``."""
        self._graph.replay()

    def call(self) -> None:
        """One call outside of the graph, finished when this returns (host included)."""
        with torch.inference_mode():
            self._model(self._sets[0])
        torch.cuda.synchronize()

    def close(self) -> None:
        """Give the memory back."""
        torch.cuda.synchronize()
        self._graph = self._model = None
        self._sets, self._kept = [], []
        if torch.cuda.memory_reserved() - torch.cuda.memory_allocated() > _KEPT_BYTES:
            torch.cuda.empty_cache()

    def _warm_up(self) -> None:
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream), torch.inference_mode():
            for _ in range(_WARM_UP_CALLS):
                self._model(self._sets[0])
        torch.cuda.current_stream().wait_stream(stream)
        torch.cuda.synchronize()

    def _capture(self, calls: int) -> Any:
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.inference_mode(), torch.cuda.graph(graph):
                for number in range(calls):
                    # Outputs stay until their set comes round again: they rotate too.
                    self._kept[number % self.buffers] = self._model(
                        self._sets[number % self.buffers]
                    )
        except torch.cuda.OutOfMemoryError:
            raise
        except RuntimeError as error:
            text = " ".join(str(error).split())[:200]
            if "capture" not in text.lower():
                raise
            raise InputError(f"cannot be captured in a CUDA graph: {text}") from None
        return graph

    def _replay_ms(self) -> float:
        """The quickest of some replays."""
        found = []
        for _ in range(3):
            first = self.timer.mark()
            self.replay()
            last = self.timer.mark()
            self.timer.wait(last)
            found.append(self.timer.elapsed_ms(first, last))
        return min(found) if found else math.nan
