"""The CUDA workload's own steps, on stand-ins for PyTorch's CUDA calls: no GPU is needed."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import numpy
import pytest
from needed import needed

from neuralpower.core.configuration import Configuration
from neuralpower.core.errors import InputError, RunError
from neuralpower.frameworks.registry import make_executor

torch: Any = needed("torch")

from neuralpower.frameworks.inputs import InputSpec, random_input  # noqa: E402
from neuralpower.frameworks.program import Program  # noqa: E402
from neuralpower.frameworks.torch.cuda import CudaWorkload, _capture_stream, out_of_memory  # noqa: E402
from neuralpower.frameworks.torch.executor import rounds_products  # noqa: E402
from neuralpower.frameworks.torch.kernels import kernel_names  # noqa: E402
from neuralpower.frameworks.torch.model import Place, TorchModel, layer_model  # noqa: E402
from neuralpower.frameworks.weights import DRAWN, RandomWeights  # noqa: E402
from neuralpower.profiling.device_timing import ReplayProtocol, measure_replays  # noqa: E402

pytestmark = pytest.mark.frameworks
CONV = Configuration("conv", 2, 4, 12, 12, 8, 12, 12, 3, 3, 1, 1, 1, 1, bias=1)
PLACE = Place("cpu", torch.float32, False)


class Event:
    """An event that has come to pass as soon as it is recorded."""

    def __init__(self, enable_timing: bool = False) -> None:
        assert enable_timing
        self.ns = 0

    def record(self) -> None:
        self.ns = time.perf_counter_ns()

    def query(self) -> bool:
        return True

    def synchronize(self) -> None:
        assert self.ns

    def elapsed_time(self, last: Event) -> float:
        return (last.ns - self.ns) / 1e6


class Graph:
    replays = 0

    def replay(self) -> None:
        Graph.replays += 1


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Stand-ins; ``state`` holds free memory, the current stream and a fault of the capture."""
    state: dict[str, Any] = {"free": 8 << 30, "stream": "default", "fault": None, "captures": 0}
    state["cleared"] = False

    @contextlib.contextmanager
    def stream(_: object) -> Iterator[None]:
        yield

    @contextlib.contextmanager
    def graph(made: Graph, stream: object) -> Iterator[None]:
        assert state["cleared"], "cuBLAS' workspaces are given back before a capture"
        state["captures"] += 1
        state["stream"] = "capture"
        try:
            yield
        finally:
            # As in PyTorch: the end of a capture that failed raises before the stream is restored.
            if state["fault"]:
                raise RuntimeError(state["fault"])
            state["stream"] = "default"

    calls = {
        "Event": Event,
        "CUDAGraph": Graph,
        "Stream": object,
        "stream": stream,
        "graph": graph,
        "synchronize": lambda: None,
        "empty_cache": lambda: None,
        "reset_peak_memory_stats": lambda: None,
        "memory_allocated": lambda: 1000,
        "max_memory_allocated": lambda: 5000,
        "memory_reserved": lambda: 2000,
        "mem_get_info": lambda: (state["free"], 10 << 30),
        "current_stream": lambda: state["stream"],
        "set_stream": lambda stream: state.update(stream=stream),
    }
    for name, call in calls.items():
        monkeypatch.setattr(torch.cuda, name, call)
    monkeypatch.setattr(
        torch._C,
        "_cuda_clearCublasWorkspaces",
        lambda: state.update(cleared=True),
        raising=False,
    )
    _capture_stream.cache_clear()
    return state


def test_a_workload_is_captured_and_replayed(cuda: dict[str, Any]) -> None:
    workload = CudaWorkload(layer_model(CONV, PLACE, 1), 4, 1)
    assert (cuda["captures"], workload.calls_per_replay) == (1, 4)
    workload.record(4)
    assert cuda["captures"] == 1, "as it was: not captured again"
    workload.record(12)
    assert (cuda["captures"], workload.calls_per_replay) == (2, 12)
    assert all(kept is not None for kept in workload._kept)
    timing = measure_replays(workload, ReplayProtocol(warm_up_s=0.001, max_time_s=0.01))
    assert timing.calls == timing.samples * workload.calls_per_replay
    assert Graph.replays > timing.samples
    workload.call()
    workload.close()
    assert workload._sets == []


def test_too_little_memory_is_reported_before_a_capture(cuda: dict[str, Any]) -> None:
    cuda["free"] = 100 << 20
    with pytest.raises(InputError, match="out of memory on the GPU"):
        CudaWorkload(layer_model(CONV, PLACE, 1), 4, 1)
    assert cuda["captures"] == 0


def test_a_capture_that_fails_is_reported_and_leaves_the_stream_as_it_was(
    cuda: dict[str, Any],
) -> None:
    cuda["fault"] = "CUDA error: operation not permitted when stream is capturing"
    with pytest.raises(InputError, match="cannot be captured in a CUDA graph"):
        CudaWorkload(layer_model(CONV, PLACE, 1), 4, 1)
    assert cuda["stream"] == "default"


def _run_out_in_a_capture() -> None:
    try:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")
    finally:
        raise RuntimeError("CUDA error: a previous error during capture")


def test_missing_memory_is_known_by_what_came_before() -> None:
    with pytest.raises(RuntimeError) as raised:
        _run_out_in_a_capture()
    assert "previous error" in str(raised.value)
    assert out_of_memory(raised.value)
    assert out_of_memory(RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"))
    assert not out_of_memory(RuntimeError("CUDA error: an illegal memory access"))


def test_a_broken_device_ends_the_run_with_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    executor: Any = make_executor("torch", 1)
    executor.check()
    executor.device = "cuda"

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("CUDA error: unspecified launch failure")

    monkeypatch.setattr(torch, "zeros", broken)
    with pytest.raises(RunError, match=r"the GPU can do no more .*what was measured is kept"):
        executor.check()


def test_numbers_repeated_where_they_live_are_those_of_every_executor() -> None:
    shape = (3, 700, 32, 32)
    spec = InputSpec("x0", shape)
    model = TorchModel(Program("", (spec,), (), {}), PLACE, 5)
    assert numpy.prod(shape) > 2 * DRAWN
    made = model.values(5, 0)["x0"].numpy()
    numpy.testing.assert_array_equal(made, random_input(spec, 5, 0))
    fc = Configuration("fc", 1, 1500, 1, 1, 1500, 1, 1)
    (weight, *_) = layer_model(fc, PLACE, 5)._made.values()
    expected = RandomWeights(5).blob("fc", 0, (1500, 1500), "filter")
    numpy.testing.assert_array_equal(weight.numpy(), expected)


@pytest.mark.parametrize("channels_last", [False, True])
def test_buffer_sets_hold_the_same_numbers_at_other_places(channels_last: bool) -> None:
    model = layer_model(CONV, Place("cpu", torch.float32, channels_last), 3)
    first, second = model.sets(3, 2)
    assert torch.equal(first["x0"], model.values(3, 0)["x0"])
    assert not torch.equal(first["x0"], second["x0"])
    assert torch.equal(first["x0"].flatten().sort()[0], second["x0"].flatten().sort()[0])
    assert second["x0"].is_contiguous(
        memory_format=torch.channels_last if channels_last else torch.contiguous_format
    )


def test_products_of_float32_are_not_rounded() -> None:
    assert not rounds_products("cpu")


def test_a_pass_under_the_profiler_names_what_runs() -> None:
    model = layer_model(CONV, PLACE, 1)
    names = kernel_names(lambda: model(model.values(1, 0)), "cpu")
    assert names is not None
    assert any("conv" in name for name in names)
    assert len(names) == len(set(names))

    def fails() -> None:
        raise RuntimeError("no profiler here")

    assert kernel_names(fails, "cpu") is None
