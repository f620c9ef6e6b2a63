"""ONNX Runtime's replays, on the CPU for real and on a stand-in for its CUDA provider."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy
import pytest

from neuralpower.core.configuration import Configuration
from neuralpower.core.errors import InputError, RunError
from neuralpower.frameworks.protocol import ExecutorOptions
from neuralpower.frameworks.registry import make_executor

onnxruntime: Any = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")

from neuralpower.caffe.network import load_network  # noqa: E402
from neuralpower.frameworks.inputs import random_input  # noqa: E402
from neuralpower.frameworks.onnx import cuda as ort_cuda  # noqa: E402
from neuralpower.frameworks.onnx import session as ort_session  # noqa: E402
from neuralpower.frameworks.onnx.builder import build_layer, build_network  # noqa: E402
from neuralpower.frameworks.onnx.cuda import Provider, ReplaySession, most_calls  # noqa: E402
from neuralpower.frameworks.onnx.ops.repeat import repeated  # noqa: E402
from neuralpower.frameworks.onnx.session import open_session, session_options  # noqa: E402
from neuralpower.frameworks.replay import ReplayWorkload  # noqa: E402
from neuralpower.profiling.device_timing import ReplayProtocol, measure_replays  # noqa: E402

SEED = 3
PROTOTXTS = Path(__file__).resolve().parents[2] / "prototxts"
CPU = Provider("CPUExecutionProvider", "cpu")
CONVOLUTION = Configuration("conv", 2, 8, 9, 9, 8, 9, 9, 3, 3, 1, 1, 1, 1, bias=1)
CUDA = ExecutorOptions(device="cuda")


def reference(built: Any, number: int) -> list[Any]:
    session, _keep = open_session(built, session_options(1, False))
    feed = {spec.name: random_input(spec, SEED, number) for spec in built.inputs}
    found: list[Any] = session.run(list(built.outputs), feed)
    return found


@pytest.mark.parametrize("layer", ["conv", "eltwise", "lenet"])
def test_every_set_of_buffers_gets_its_own_results(layer: str) -> None:
    if layer == "lenet":
        built = build_network(load_network(PROTOTXTS / "lenet.prototxt", batch=1), SEED)
    elif layer == "conv":
        built = build_layer(CONVOLUTION, SEED)
    else:
        built = build_layer(Configuration("eltwise", 1, 8, 6, 6, 8, 6, 6, inputs=3), SEED)
    moved = 4 * sum(numpy.prod(s.shape) for s in built.inputs)
    moved += 4 * sum(numpy.prod(shape) for shape in built.outputs.values())
    workload = ReplaySession(built, CPU, int(moved), SEED)
    assert isinstance(workload, ReplayWorkload)
    workload.record(6)
    assert (workload.buffers, workload.calls_per_replay) == (3, 6)
    assert workload.held_bytes == 3 * moved + built.parameter_bytes
    workload.replay()
    for number in range(3):
        expected = reference(built, number)
        for name, theirs in zip(built.outputs, expected, strict=True):
            ours = workload.outputs[number][name].numpy()
            numpy.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    workload.close()


def test_no_call_is_left_out(tmp_path: Path) -> None:
    """The runtime's own profile counts the kernels of one run."""
    built = build_layer(CONVOLUTION, SEED)
    options = CPU.session_options()
    options.enable_profiling = True
    options.profile_file_prefix = str(tmp_path / "ort")
    many = repeated(built, 12, 4)
    session, _keep = open_session(many, options)
    session.run(None, {spec.name: random_input(spec, SEED) for spec in many.inputs})
    events = json.loads(Path(session.end_profiling()).read_text())
    kernels = Counter(
        event["args"]["op_name"]
        for event in events
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time")
    )
    assert kernels["Conv"] == 12
    assert many.parameter_bytes == built.parameter_bytes


def test_replays_are_timed() -> None:
    workload = ReplaySession(build_layer(CONVOLUTION, SEED), CPU, 1 << 16, SEED)
    assert workload.calls_per_replay % workload.buffers == 0
    timing = measure_replays(workload, ReplayProtocol(0.01, 8, 0.02, 0.1))
    assert timing.median_ms > 0
    assert timing.calls == timing.samples * workload.calls_per_replay
    workload.close()


def test_searches_for_algorithms_bound_the_calls() -> None:
    assert most_calls(build_layer(CONVOLUTION, SEED)) == 64
    assert most_calls(build_layer(Configuration("relu", 1, 8, 6, 6, 8, 6, 6))) == 512
    network = load_network(PROTOTXTS / "googlenet.prototxt", batch=1)
    assert most_calls(build_network(network)) == 1


class FakeSession:
    """What the executor asks of a session on a GPU."""

    fallback = False
    answered: dict[str, str] = {}  # noqa: RUF012 - replaced by tests, never changed
    error: Exception | None = None
    made: list[FakeSession] = []  # noqa: RUF012 - emptied by the fixture

    def __init__(self, data: bytes, options: Any, providers: list[Any]) -> None:
        if FakeSession.error is not None:
            raise FakeSession.error
        self.data, self.options = data, options
        ((self.provider, self.asked),) = providers
        self.inputs: dict[str, Any] = {}
        self.outputs: dict[str, Any] = {}
        self.runs = 0
        FakeSession.made.append(self)

    def get_providers(self) -> list[str]:
        return ["CPUExecutionProvider"] if self.fallback else [self.provider]

    def get_provider_options(self) -> dict[str, dict[str, str]]:
        return {self.provider: {"gpu_mem_limit": "1", **self.asked, **FakeSession.answered}}

    def io_binding(self) -> Any:
        return SimpleNamespace(
            bind_ortvalue_input=self.inputs.__setitem__,
            bind_ortvalue_output=self.outputs.__setitem__,
        )

    def run_with_iobinding(self, binding: Any) -> None:
        self.runs += 1


class FakeValue:
    def __init__(self, memory: str) -> None:
        self.memory = memory

    @staticmethod
    def ortvalue_from_numpy(values: Any, memory: str = "cpu", device: int = 0) -> FakeValue:
        return FakeValue(memory)

    @staticmethod
    def ortvalue_from_shape_and_type(
        shape: list[int], dtype: Any, memory: str, device: int
    ) -> FakeValue:
        return FakeValue(memory)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> type[FakeSession]:
    module = SimpleNamespace(
        __version__="9.9",
        InferenceSession=FakeSession,
        OrtValue=FakeValue,
        get_available_providers=lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"],
    )
    for name in ("SessionOptions", "ExecutionMode", "GraphOptimizationLevel"):
        setattr(module, name, getattr(onnxruntime, name))
    monkeypatch.setattr(ort_session, "onnxruntime", module)
    monkeypatch.setattr(ort_cuda, "onnxruntime", module)
    facts = {"name": "Fake H", "multiprocessors": 132, "l2_bytes": 4096, "uuid": "GPU-1"}
    facts["memory_bytes"] = 1 << 30
    monkeypatch.setattr(ort_cuda, "gpu_facts", lambda: facts)
    for name, value in (("fallback", False), ("answered", {}), ("error", None), ("made", [])):
        monkeypatch.setattr(FakeSession, name, value)
    return FakeSession


def test_settings_are_given_and_read_back(fake: type[FakeSession]) -> None:
    options = ExecutorOptions(device="cuda", precision="tf32", autotune=False)
    executor: Any = make_executor("onnxruntime", 1, options)
    asked = fake.made[0].asked
    assert asked == {
        "device_id": "0",
        "use_tf32": "1",
        "cudnn_conv_algo_search": "HEURISTIC",
        "enable_cuda_graph": "1",
    }
    facts = executor.facts()
    assert facts["tf32_convolution"] is facts["tf32_matmul"] is True
    assert facts["autotune"] is False
    assert facts["provider_options"]["gpu_mem_limit"] == "1"
    assert facts["gpu"]["name"] == "Fake H"
    assert executor.uuid == "GPU-1"
    assert executor.memory_bytes == 1 << 30
    assert executor.replays
    options = fake.made[0].options
    assert options.get_session_config_entry("session.disable_cpu_ep_fallback") == "1"
    fp32 = make_executor("onnxruntime", 1, CUDA)
    assert fp32.facts()["tf32_matmul"] is False
    assert fake.made[-1].asked["cudnn_conv_algo_search"] == "EXHAUSTIVE"


def test_data_stay_on_the_device_and_buffers_rotate(fake: type[FakeSession]) -> None:
    workload: Any = make_executor("onnxruntime", 1, CUDA).layer(CONVOLUTION, SEED)
    assert workload.calls_per_replay == workload.buffers
    workload.record(1000)
    session = fake.made[-1]
    calls, sets = workload.calls_per_replay, workload.buffers
    assert (sets, calls) == (2, 64)
    assert len(session.inputs) == sets
    assert len(session.outputs) == calls
    assert len(set(map(id, session.outputs.values()))) == sets
    assert {value.memory for value in (*session.inputs.values(), *session.outputs.values())} == {
        "cuda"
    }
    runs = session.runs
    workload.replay()
    assert session.runs == runs + 1
    workload.close()


def test_a_silent_fallback_is_refused(fake: type[FakeSession]) -> None:
    fake.fallback = True
    with pytest.raises(InputError, match="fell back to CPUExecutionProvider: CUDAExecution"):
        make_executor("onnxruntime", 1, CUDA)


def test_an_option_that_is_not_taken_is_refused(fake: type[FakeSession]) -> None:
    fake.answered = {"use_tf32": "1"}
    with pytest.raises(InputError, match="use_tf32 '1', not '0'"):
        make_executor("onnxruntime", 1, CUDA)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "assigned to the default CPU EP, but fallback to CPU EP has been explicitly disabled",
            "would run on the CPU",
        ),
        ("BFCArena::AllocateRawInternal Failed to allocate memory", "out of memory on the GPU"),
    ],
)
def test_faults_of_a_layer_are_one_line(fake: type[FakeSession], text: str, message: str) -> None:
    executor = make_executor("onnxruntime", 1, CUDA)
    fake.error = RuntimeError(text)
    with pytest.raises(InputError, match=message):
        executor.layer(CONVOLUTION, SEED)


def test_a_lost_device_ends_the_run(fake: type[FakeSession]) -> None:
    executor = make_executor("onnxruntime", 1, CUDA)
    fake.error = RuntimeError("CUDA failure 700: an illegal memory access was encountered")
    with pytest.raises(RunError, match="what was measured is kept"):
        executor.layer(CONVOLUTION, SEED)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (ExecutorOptions(device="cuda", precision="fp16"), "take fp32 or tf32"),
        (ExecutorOptions(device="cuda", memory_format="channels_last"), "takes nchw"),
        (ExecutorOptions(device="tpu"), "runs on --device cpu or cuda"),
        (ExecutorOptions(precision="tf32"), "no choice of "),
    ],
)
def test_wrong_options_are_one_line(options: ExecutorOptions, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_executor("onnxruntime", 1, options)


def test_a_package_without_cuda_is_one_line() -> None:
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has CUDA")
    with pytest.raises(InputError, match="install onnxruntime-gpu"):
        make_executor("onnxruntime", 1, CUDA)


def test_dropout_is_said_to_cost_nothing(fake: type[FakeSession]) -> None:
    executor = make_executor("onnxruntime", 1, CUDA)
    with pytest.raises(InputError, match="no kernel"):
        executor.layer(Configuration("dropout", 1, 8, 6, 6, 8, 6, 6), SEED)
