"""ONNX Runtime on the CPU: layers and networks as written, threads and optimisation explicit.

Graph optimisation is off by default: ONNX Runtime would otherwise fuse neighbours (a convolution
with its ReLU, a batch norm into its convolution) and change the memory layout between layers.
Layers then would not be those of the table and their times would not add up to the network's.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping

import numpy
import onnx
import onnxruntime

from neuralpower.caffe.network import Network
from neuralpower.core import cost
from neuralpower.core.configuration import Configuration
from neuralpower.core.errors import InputError
from neuralpower.core.layer_time import LayerTime
from neuralpower.core.machine import caches, memory_available
from neuralpower.frameworks.base import BaseExecutor, BaseWorkload
from neuralpower.frameworks.inputs import random_input
from neuralpower.frameworks.onnx.builder import Built, build_layer, build_network
from neuralpower.frameworks.onnx.session import open_session, session_options
from neuralpower.frameworks.onnx.times import layer_times

#: Rotated sets of inputs and outputs together exceed the second-level cache this many times.
_CACHE_FACTOR = 3
_MAX_BUFFERS = 16
_L2_DEFAULT = 1 << 20


class OnnxRuntimeExecutor(BaseExecutor):
    """ONNX Runtime's CPU provider with a fixed number of threads."""

    name = "onnxruntime"

    def __init__(self, threads: int = 1, optimise: bool = False) -> None:
        self.threads = threads
        self.optimise = optimise
        self.cache_bytes = caches().get("L2", _L2_DEFAULT)
        self._options = session_options(threads, optimise)

    def facts(self) -> Mapping[str, object]:
        """Versions and settings, threads as the session options read back."""
        level = str(self._options.graph_optimization_level).rsplit(".", maxsplit=1)[-1]
        return {
            "executor": self.name,
            "software": f"ONNX Runtime {onnxruntime.__version__} (CPU)",
            "onnxruntime": onnxruntime.__version__,
            "onnx": onnx.__version__,
            "numpy": numpy.__version__,
            "provider": "CPUExecutionProvider",
            "threads_intra": self._options.intra_op_num_threads,
            "threads_inter": self._options.inter_op_num_threads,
            "execution_mode": str(self._options.execution_mode).rsplit(".", maxsplit=1)[-1],
            "graph_optimisation": level,
            "precision": "float32",
            "memory_format": "NCHW",
            "data": "normal(0, 1), seeded",
            "parameters": "normal with variance 2 / fan-in, seeded, never zero",
            "buffers": f"rotated, together {_CACHE_FACTOR} x L2 ({self.cache_bytes} B), at most "
            f"{_MAX_BUFFERS} sets",
        }

    def layer(self, configuration: Configuration, seed: int) -> OnnxWorkload:
        """As ``Executor.layer``."""
        self._check_memory(_configuration_bytes(configuration))
        return OnnxWorkload(build_layer(configuration, seed), self._fresh(), self.cache_bytes, seed)

    def network(self, network: Network, seed: int) -> OnnxWorkload:
        """As ``Executor.network``."""
        parameters = sum(layer.params or 0 for layer in network.layers)
        largest = sorted(
            (math.prod(shape) for layer in network.layers for shape in layer.top_shapes if shape),
            reverse=True,
        )
        # A session is made from three copies of the parameters: arrays, message, its own.
        self._check_memory(4 * (3 * parameters + sum(largest[:8])))
        return OnnxWorkload(build_network(network, seed), self._fresh(), self.cache_bytes, seed)

    def network_layers(self, network: Network, seed: int) -> list[LayerTime]:
        """As ``Executor.network_layers``: medians of five passes under the profiler."""
        return layer_times(network, seed, self._fresh(), runs=5)

    def _fresh(self) -> onnxruntime.SessionOptions:
        # Parameters are handed over through the options, so every session has its own.
        return session_options(self.threads, self.optimise)

    def _check_memory(self, needed: int) -> None:
        available = memory_available()
        if available is not None and needed > 0.8 * available:
            raise InputError(
                f"out of memory: needs about {needed / 2**30:.1f} GiB of the "
                f"{available / 2**30:.1f} GiB available"
            )


class OnnxWorkload(BaseWorkload):
    """One model in a session, with rotated buffers bound before the first call."""

    def __init__(
        self, built: Built, options: onnxruntime.SessionOptions, l2_bytes: int, seed: int
    ) -> None:
        self._session, self._values = open_session(built, options)
        moved = sum(4 * math.prod(spec.shape) for spec in built.inputs)
        moved += sum(4 * math.prod(shape) for shape in built.outputs.values())
        self.footprint_bytes = moved + built.parameter_bytes
        self.parameter_bytes = built.parameter_bytes
        wanted = math.ceil(_CACHE_FACTOR * l2_bytes / max(moved, 1))
        self.buffers = max(1, min(wanted, _MAX_BUFFERS))
        bindings = [self._bind(built, seed, number) for number in range(self.buffers)]
        self._next = itertools.cycle(bindings).__next__
        self._run = self._session.run_with_iobinding

    def call(self) -> None:
        """One forward pass over the next set of buffers."""
        # Without RunOptions: passing them costs 80 us a call in ONNX Runtime 1.32.
        self._run(self._next())

    def close(self) -> None:
        """Drop the session and its buffers."""
        del self._run, self._next, self._session, self._values

    def _bind(self, built: Built, seed: int, number: int) -> onnxruntime.IOBinding:
        binding = self._session.io_binding()
        for spec in built.inputs:
            value = onnxruntime.OrtValue.ortvalue_from_numpy(random_input(spec, seed, number))
            binding.bind_ortvalue_input(spec.name, value)
        for name, shape in built.outputs.items():
            empty = onnxruntime.OrtValue.ortvalue_from_shape_and_type(list(shape), numpy.float32)
            binding.bind_ortvalue_output(name, empty)
        return binding


def _configuration_bytes(c: Configuration) -> int:
    # Parameters are held three times while a session is made: arrays, message, session.
    weights = cost.weight_elements(c)
    # A convolution unrolls one image at a time.
    unrolled = (
        c.in_channels * c.kernel_height * c.kernel_width * c.out_height * c.out_width
        if c.family == "conv"
        else 0
    )
    return cost.total_bytes(c) + cost.ELEMENT_BYTES * (2 * weights + unrolled)
