"""ONNX Runtime on an NVIDIA GPU: K calls in one model, captured as a CUDA graph, run as one.

ONNX Runtime gives back a run when the device has finished it, so replays cannot be queued ahead:
between two of them the device rests for as long as the host takes. K is therefore as large as the
search for convolution algorithms, made for every copy of a convolution, allows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy
import onnx
import onnxruntime
from numpy.typing import NDArray

from neuralpower.caffe.network import Network
from neuralpower.core.configuration import Configuration
from neuralpower.core.errors import InputError, RunError
from neuralpower.frameworks.base import BaseExecutor, BaseWorkload
from neuralpower.frameworks.cuda_device import gpu_facts
from neuralpower.frameworks.host_timer import BlockingTimer
from neuralpower.frameworks.inputs import random_input
from neuralpower.frameworks.onnx.builder import Built, build_layer, build_network
from neuralpower.frameworks.onnx.ops.repeat import call_name, repeated, set_name
from neuralpower.frameworks.onnx.session import open_session, session_options
from neuralpower.frameworks.protocol import GPU_ANCHOR, ExecutorOptions

_PROVIDER = "CUDAExecutionProvider"
_CACHE_FACTOR = 3
_MAX_BUFFERS = 64
_L2_DEFAULT = 50 << 20
#: Nodes of one model, and convolutions among them: each of these searches for its algorithm.
_MAX_NODES, _MAX_SEARCHES = 2048, 64
#: Runs before the times: allocation, then capture.
_WARM_UP_RUNS = 3
_SMALLEST = Configuration("relu", 1, 1, 1, 1, 1, 1, 1)


@dataclass(frozen=True)
class Provider:
    """What runs the nodes, and where data live (``cuda``, ``cpu``)."""

    name: str
    memory: str
    options: Mapping[str, str] = field(default_factory=dict)

    def session_options(self) -> onnxruntime.SessionOptions:
        """Options of a session in which nothing may fall to another provider."""
        made = session_options(threads=1, optimise=False)
        if self.memory != "cpu":
            made.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
        return made


class OnnxCudaExecutor(BaseExecutor):
    """ONNX Runtime's CUDA provider. ``InputError`` when it does not run or refuses a setting."""

    name = "onnxruntime"
    replays = True
    anchor = GPU_ANCHOR

    def __init__(self, options: ExecutorOptions) -> None:
        self.options = options
        self._check()
        self.provider = Provider(
            _PROVIDER,
            "cuda",
            {
                "device_id": "0",
                "use_tf32": str(int(options.precision == "tf32")),
                "cudnn_conv_algo_search": "EXHAUSTIVE" if options.autotune else "HEURISTIC",
                "enable_cuda_graph": "1",
            },
        )
        self._gpu = gpu_facts()
        self.uuid = self._gpu["uuid"] if self._gpu else ""
        self.memory_bytes = self._gpu["memory_bytes"] if self._gpu else 0
        self.cache_bytes = (self._gpu["l2_bytes"] if self._gpu else 0) or _L2_DEFAULT
        with _faults():
            session, _ = open_checked(build_layer(_SMALLEST), self.provider)
        self._options = dict(session.get_provider_options()[_PROVIDER])

    def facts(self) -> Mapping[str, object]:
        """As ``Executor.facts``; the provider's options as the session reports them."""
        gpu = self._gpu or {"name": "an NVIDIA GPU", "multiprocessors": None}
        tf32 = self._options["use_tf32"] == "1"
        return {
            "executor": self.name,
            "software": f"ONNX Runtime {onnxruntime.__version__} (CUDA)",
            "onnxruntime": onnxruntime.__version__,
            "onnx": onnx.__version__,
            "numpy": numpy.__version__,
            "device": "cuda",
            "gpu": {name: value for name, value in gpu.items() if name != "uuid"},
            "provider": _PROVIDER,
            "provider_options": self._options,
            "threads_intra": None,
            "graph_optimisation": "ORT_DISABLE_ALL",
            "precision": self.options.precision,
            "dtype": "float32",
            "tf32_convolution": tf32,
            "tf32_matmul": tf32,
            "autotune": self._options["cudnn_conv_algo_search"] == "EXHAUSTIVE",
            "memory_format": "NCHW",
            "calls": "copies in one model, captured as a CUDA graph",
            "replay_clock": "the host's clock (a run returns when the device has finished)",
            "data": "normal(0, 1), seeded",
            "parameters": "normal with variance 2 / fan-in, seeded, never zero",
            "buffers": f"rotated, together {_CACHE_FACTOR} x L2 ({self.cache_bytes} B), at most "
            f"{_MAX_BUFFERS} sets",
        }

    def layer(self, configuration: Configuration, seed: int) -> ReplaySession:
        """As ``Executor.layer``."""
        if configuration.family == "dropout":
            raise InputError("dropout does nothing at inference: no kernel runs, there is no time")
        return self._workload(build_layer(configuration, seed), seed)

    def network(self, network: Network, seed: int) -> ReplaySession:
        """As ``Executor.network``."""
        return self._workload(build_network(network, seed), seed)

    def _workload(self, built: Built, seed: int) -> ReplaySession:
        with _faults():
            return ReplaySession(built, self.provider, self.cache_bytes, seed)

    def _check(self) -> None:
        if self.options.precision not in ("fp32", "tf32"):
            raise InputError(
                f"precision {self.options.precision!r}: ONNX Runtime runs the models as written, "
                "take fp32 or tf32"
            )
        if self.options.memory_format != "nchw":
            raise InputError("memory format: ONNX Runtime takes nchw")
        if _PROVIDER not in onnxruntime.get_available_providers():
            raise InputError(
                "this ONNX Runtime has no CUDA: install onnxruntime-gpu in place of onnxruntime, "
                "or take --device cpu"
            )


class ReplaySession(BaseWorkload):
    """K calls over R sets of device-resident inputs and outputs, bound once, run as one."""

    def __init__(
        self,
        built: Built,
        provider: Provider,
        l2_bytes: int,
        seed: int,
    ) -> None:
        self.timer = BlockingTimer()
        moved = 4 * sum(math.prod(spec.shape) for spec in built.inputs)
        moved += 4 * sum(math.prod(shape) for shape in built.outputs.values())
        self.footprint_bytes = moved + built.parameter_bytes
        self.parameter_bytes = built.parameter_bytes
        self._most = most = most_calls(built)
        wanted = math.ceil(_CACHE_FACTOR * l2_bytes / max(moved, 1))
        self.buffers = max(1, min(wanted, _MAX_BUFFERS, most))
        #: What it takes of the device's memory, without what lies between the layers of a network.
        self.held_bytes = self.buffers * moved + built.parameter_bytes
        self._built, self._provider = built, provider
        self._feeds = [
            {spec.name: self._resident(random_input(spec, seed, n)) for spec in built.inputs}
            for n in range(self.buffers)
        ]
        self.outputs = [
            {name: self._empty(shape) for name, shape in built.outputs.items()}
            for _ in range(self.buffers)
        ]
        self.calls_per_replay = 0
        self.record(self.buffers)

    def record(self, calls: int) -> None:
        """As ``ReplayWorkload.record``: at most ``most_calls``."""
        calls = max(self.buffers, min(calls, self._most // self.buffers * self.buffers))
        if calls != self.calls_per_replay:
            self.calls_per_replay = calls
            self._open()

    def replay(self) -> None:
        """As ``ReplayWorkload.replay``; returns when it is done."""
        self.timer.begin()
        self._session.run_with_iobinding(self._binding)
        self.timer.end()

    def call(self) -> None:
        """All calls of a replay: there is no single one."""
        self.replay()

    def close(self) -> None:
        """Give the memory back."""
        del self._binding, self._session, self._values
        self._feeds, self.outputs = [], []

    def _open(self) -> None:
        self._session: onnxruntime.InferenceSession = None
        many = repeated(self._built, self.calls_per_replay, self.buffers)
        self._session, self._values = open_checked(many, self._provider)
        self._binding = self._session.io_binding()
        for number, feed in enumerate(self._feeds):
            for name, value in feed.items():
                self._binding.bind_ortvalue_input(set_name(name, number), value)
        for call in range(self.calls_per_replay):
            # Calls of one set write the same buffers, one after the other.
            for name, value in self.outputs[call % self.buffers].items():
                self._binding.bind_ortvalue_output(call_name(name, call), value)
        for _ in range(_WARM_UP_RUNS):
            self.replay()

    def _resident(self, values: NDArray[numpy.generic]) -> onnxruntime.OrtValue:
        return onnxruntime.OrtValue.ortvalue_from_numpy(values, self._provider.memory, 0)

    def _empty(self, shape: tuple[int, ...]) -> onnxruntime.OrtValue:
        return onnxruntime.OrtValue.ortvalue_from_shape_and_type(
            list(shape), numpy.float32, self._provider.memory, 0
        )


def most_calls(built: Built) -> int:
    """Copies of a model that one session is given."""
    searches = sum(node.op_type in ("Conv", "ConvTranspose") for node in built.nodes)
    by_nodes = _MAX_NODES // max(len(built.nodes), 1)
    by_searches = _MAX_SEARCHES // searches if searches else 512
    return max(1, min(by_nodes, by_searches, 512))


def open_checked(
    built: Built, provider: Provider
) -> tuple[onnxruntime.InferenceSession, list[object]]:
    """A session on this provider alone, with the options as asked, and what must outlive it.

    ``InputError`` when ONNX Runtime fell back to another provider or changed an option.
    """
    session, values = open_session(
        built, provider.session_options(), [(provider.name, dict(provider.options))]
    )
    found = session.get_providers()
    if not found or found[0] != provider.name:
        raise InputError(
            f"ONNX Runtime fell back to {found[0] if found else 'nothing'}: {provider.name} does "
            "not start here, check the driver, CUDA and cuDNN that this onnxruntime-gpu needs"
        )
    taken = session.get_provider_options().get(provider.name, {})
    for name, value in provider.options.items():
        if taken.get(name) != value:
            raise InputError(
                f"ONNX Runtime has {name} {taken.get(name)!r}, not {value!r}: this version does "
                "not take the option, a newer onnxruntime-gpu does"
            )
    return session, values


@contextmanager
def _faults() -> Iterator[None]:
    """ONNX Runtime's faults as lines; its exceptions have no common base."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        text = " ".join(str(error).split())[:200]
        if "allocate memory" in text or "out of memory" in text.lower():
            raise InputError(f"out of memory on the GPU: {text}") from None
        if "fallback to CPU EP has been explicitly disabled" in text:
            raise InputError("a node of it has no CUDA kernel and would run on the CPU") from None
        if "CUDA failure" in text:
            raise RunError(f"{text}; run again: what was measured is kept") from None
        raise
