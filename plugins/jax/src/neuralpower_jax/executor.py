"""JAX on a CPU or an NVIDIA GPU: compiled ahead of time by XLA, settings set and read back.

XLA fuses the layers of a network and chooses its own memory layout between them. A layer that is
measured alone is compiled alone; a network's time is that of the fused whole. JAX on a device is
a separate platform, and its networks calibrate how layers add up on it.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy

from neuralpower.caffe.network import Network
from neuralpower.core.configuration import Configuration
from neuralpower.core.errors import InputError, RunError
from neuralpower.core.machine import caches, memory_available
from neuralpower.frameworks.base import BaseExecutor
from neuralpower.frameworks.cuda_device import gpu_facts
from neuralpower.frameworks.protocol import GPU_ANCHOR, ExecutorOptions, Workload

try:
    import jax
    import jax.numpy as jnp
except ImportError:
    raise InputError(
        "JAX is not installed: pip install jax, or jax[cuda12] for an NVIDIA GPU"
    ) from None

from neuralpower_jax.model import JaxModel, layer_model, network_model
from neuralpower_jax.workload import CpuWorkload, ReplayWorkload

_DTYPES = {
    "fp32": jnp.float32,
    "tf32": jnp.float32,
    "fp16": jnp.float16,
    "bf16": jnp.bfloat16,
}
#: JAX's names of the precision of products of float32 numbers.
_PRODUCTS = {"fp32": "highest", "tf32": "tensorfloat32", "fp16": "highest", "bf16": "highest"}
_CACHE_FACTOR = 3
_MAX_BUFFERS = {"cpu": 16, "cuda": 64}
#: Layers in one round of a replay: each buffer set is compiled anew.
_MAX_COMPILED = 64
_L2_DEFAULT = {"cpu": 1 << 20, "cuda": 50 << 20}
#: XLA's name for the threads that share a layer's work on a CPU.
_POOL = "tf_XLAEigen"


class JaxExecutor(BaseExecutor):
    """JAX on one device. ``InputError`` when the device or a setting is not to be had.

    Threads, autotuning and the wait for results are settled when XLA starts, once a process.
    """

    name = "jax"

    def __init__(self, threads: int = 1, options: ExecutorOptions | None = None) -> None:
        self.options = options or ExecutorOptions()
        self.device = self.options.device
        self._check()
        self._begin(threads)
        try:
            self._device: Any = jax.devices(self.device)[0]
        except RuntimeError as error:
            text = " ".join(str(error).split())[:200]
            raise InputError(
                f"JAX sees no {self.device} device: install jax[cuda12], or take --device cpu "
                f"({text})"
            ) from None
        self._gpu = gpu_facts() if self.device == "cuda" else None
        self.uuid = self._gpu["uuid"] if self._gpu else ""
        self.memory_bytes = self._gpu["memory_bytes"] if self._gpu else 0
        self._threads = pool_threads() if self.device == "cpu" else None
        if self._threads not in (None, 0, threads):
            raise InputError(
                f"JAX computes with {self._threads} threads, not {threads}: it had started "
                "before, or the process may use fewer cores; start anew"
            )
        self.cache_bytes = self._cache_bytes()
        if self.device == "cuda":
            # Idle power with a context is measured next.
            jax.block_until_ready(jax.device_put(numpy.zeros(1, numpy.float32), self._device))
            self.anchor = GPU_ANCHOR
            self.replays = True

    def facts(self) -> Mapping[str, Any]:
        """As ``Executor.facts``; every setting as JAX and XLA report it."""
        cuda = self.device == "cuda"
        products = lowered_precision()
        gpu = self._gpu or {"name": str(self._device.device_kind), "multiprocessors": None}
        tf32 = cuda and products not in ("HIGHEST",)
        return {
            "executor": self.name,
            "software": f"JAX {jax.__version__} ({'CUDA' if cuda else 'CPU'})",
            "jax": jax.__version__,
            "jaxlib": version("jaxlib"),
            "numpy": numpy.__version__,
            "xla_platform": " ".join(str(self._device.client.platform_version).split()),
            "xla_flags": os.environ.get("XLA_FLAGS", ""),
            "device": self.device,
            "gpu": {k: v for k, v in gpu.items() if k != "uuid"} if cuda else None,
            "threads_intra": self._threads,
            "precision": self.options.precision,
            "dtype": numpy.dtype(_DTYPES[self.options.precision]).name,
            "default_matmul_precision": jax.config.jax_default_matmul_precision,
            "precision_as_lowered": products,
            "tf32_convolution": tf32,
            "tf32_matmul": tf32,
            "autotune": self.options.autotune if cuda else None,
            "memory_format": "NCHW at inputs and outputs; XLA's own in between",
            "graph_optimisation": "XLA, each layer or network compiled as a whole",
            "fusion": "the layers of a network are fused by XLA: it is not the sum of its layers",
            "calls": "a loop of calls in one executable, with barriers between them"
            if cuda
            else "one executable a call, waited for; outputs in donated buffers",
            "replay_clock": "the host's clock when it sees the results (JAX has no events)"
            if cuda
            else None,
            "asynchronous_dispatch": cuda or bool(jax.config.read("jax_cpu_enable_async_dispatch")),
            "data": "normal(0, 1), seeded",
            "parameters": "normal with variance 2 / fan-in, seeded, never zero; arguments, not "
            "constants",
            "buffers": f"rotated, together {_CACHE_FACTOR} x L2 ({self.cache_bytes} B), at most "
            f"{_MAX_BUFFERS[self.device]} sets"
            + (f" and {_MAX_COMPILED} layers in a round" if cuda else ""),
        }

    def layer(self, configuration: Configuration, seed: int) -> Workload:
        """As ``Executor.layer``."""
        dtype = _DTYPES[self.options.precision]
        return self._workload(lambda: layer_model(configuration, self._device, dtype, seed), seed)

    def network(self, network: Network, seed: int) -> Workload:
        """As ``Executor.network``."""
        parameters = sum(layer.params or 0 for layer in network.layers)
        available = memory_available()
        if available is not None and 8 * parameters > 0.8 * available:
            raise InputError("out of memory: the parameters do not fit")
        dtype = _DTYPES[self.options.precision]
        return self._workload(lambda: network_model(network, self._device, dtype, seed), seed)

    def _workload(self, make: Any, seed: int) -> Workload:
        try:
            model: JaxModel = make()
            wanted = math.ceil(_CACHE_FACTOR * self.cache_bytes / max(model.moved_bytes, 1))
            buffers = max(1, min(wanted, _MAX_BUFFERS[self.device]))
            if self.device == "cpu":
                return CpuWorkload(model, buffers, seed)
            buffers = min(buffers, max(1, _MAX_COMPILED // max(model.steps, 1)))
            return ReplayWorkload(model, buffers, seed)
        except jax.errors.JaxRuntimeError as error:
            text = " ".join(str(error).split())[:200]
            if "RESOURCE_EXHAUSTED" in text:
                raise InputError(f"out of memory: {text}") from None
            if "CUDA_ERROR_" in text:
                raise RunError(f"{text}; run again: what was measured is kept") from None
            raise

    def _begin(self, threads: int) -> None:
        """What XLA reads when it starts."""
        if self.device == "cpu":
            os.environ["NPROC"] = str(threads)
            jax.config.update("jax_platforms", "cpu")
            # A call then runs in the thread that waits for it.
            jax.config.update("jax_cpu_enable_async_dispatch", False)
        elif not self.options.autotune:
            flags = os.environ.get("XLA_FLAGS", "")
            os.environ["XLA_FLAGS"] = f"{flags} --xla_gpu_autotune_level=0".strip()
        jax.config.update("jax_default_matmul_precision", _PRODUCTS[self.options.precision])

    def _check(self) -> None:
        known = {"device": ("cpu", "cuda"), "precision": tuple(_DTYPES)}
        for name, values in known.items():
            if getattr(self.options, name) not in values:
                raise InputError(
                    f"{name} {getattr(self.options, name)!r}: take one of {', '.join(values)}"
                )
        if self.options.memory_format != "nchw":
            raise InputError("memory format: XLA chooses its own with --executor jax, take nchw")
        if self.device == "cpu" and self.options.precision == "tf32":
            raise InputError("precision tf32 needs --device cuda")

    def _cache_bytes(self) -> int:
        if self.device == "cpu":
            return caches().get("L2", _L2_DEFAULT["cpu"])
        return (self._gpu["l2_bytes"] if self._gpu else 0) or _L2_DEFAULT["cuda"]


def pool_threads(tasks: Path = Path("/proc/self/task")) -> int | None:
    """Threads of XLA's pool in this process, as the system names them; ``None`` if not known."""
    found = 0
    try:
        for task in tasks.iterdir():
            found += (task / "comm").read_text(encoding="utf-8").strip() == _POOL
    except OSError:
        return None
    return found or None


def lowered_precision() -> str:
    """The precision that a convolution and a matrix product carry into XLA, as lowered."""

    def both(x: Any, w: Any, a: Any) -> Any:
        return jax.lax.conv_general_dilated(x, w, (1, 1), "VALID"), a @ a

    shapes = [(1, 1, 2, 2), (1, 1, 1, 1), (2, 2)]
    structs = [jax.ShapeDtypeStruct(shape, numpy.float32) for shape in shapes]
    text = jax.jit(both).lower(*structs).as_text()
    found = re.findall(r"precision(?:_config)? = \[([^]]*)\]", text)
    names = {name for part in found for name in re.findall(r"\b(DEFAULT|HIGHEST|HIGH)\b", part)}
    return "+".join(sorted(names)) if len(found) == 2 else "not known"
