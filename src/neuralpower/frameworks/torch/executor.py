"""PyTorch on a CPU or an NVIDIA GPU; precision, memory format and autotuning set and read back."""

from __future__ import annotations

import gc
import itertools
import math
import os
from collections.abc import Mapping, Sequence

import numpy

from neuralpower.caffe.network import Network
from neuralpower.core.configuration import Configuration
from neuralpower.core.errors import InputError, RunError
from neuralpower.core.extras import not_installed
from neuralpower.core.layer_time import LayerTime
from neuralpower.core.machine import caches, memory_available
from neuralpower.frameworks.base import BaseExecutor, BaseWorkload
from neuralpower.frameworks.protocol import GPU_ANCHOR, ExecutorOptions, Workload

try:
    import torch
except ImportError:
    raise not_installed("PyTorch", "torch") from None

from neuralpower.frameworks.torch.cuda import CudaWorkload, out_of_memory
from neuralpower.frameworks.torch.model import Place, TorchModel, layer_model, network_model
from neuralpower.frameworks.torch.times import layer_times

_DTYPES = {
    "fp32": torch.float32,
    "tf32": torch.float32,
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
}
_CACHE_FACTOR = 3
_MAX_BUFFERS = {"cpu": 16, "cuda": 64}
_L2_DEFAULT = 1 << 20


class TorchExecutor(BaseExecutor):
    """PyTorch on one device. ``InputError`` when the device or the precision is not there."""

    name = "torch"

    def __init__(self, threads: int = 1, options: ExecutorOptions | None = None) -> None:
        self.options = options or ExecutorOptions()
        self.device = self.options.device
        self._check()
        torch.set_num_threads(threads)
        # Off for both: by default convolutions take TF32 and matrix products do not.
        tf32 = self.options.precision == "tf32"
        torch.backends.cudnn.allow_tf32 = tf32
        torch.backends.cuda.matmul.allow_tf32 = tf32
        torch.backends.cudnn.benchmark = self.options.autotune
        channels_last = self.options.memory_format == "channels_last"
        self._place = Place(self.device, _DTYPES[self.options.precision], channels_last)
        self.cache_bytes = self._cache_bytes()
        if self.device == "cuda":
            self._begin()
            self.anchor = GPU_ANCHOR
            self.replays = True
            found = getattr(torch.cuda.get_device_properties(0), "uuid", None)
            # As NVML writes it; older versions of PyTorch do not have it.
            self.uuid = f"GPU-{found}" if found else ""

    def facts(self) -> Mapping[str, object]:
        """As ``Executor.facts``; every setting as PyTorch reports it."""
        cuda = self.device == "cuda"
        return {
            "executor": self.name,
            "software": f"PyTorch {torch.__version__} ({'CUDA' if cuda else 'CPU'})",
            "torch": torch.__version__,
            "numpy": numpy.__version__,
            "cuda": torch.version.cuda if cuda else None,
            "cudnn": torch.backends.cudnn.version() if cuda else None,
            "device": self.device,
            "gpu": self._gpu() if cuda else None,
            "threads_intra": torch.get_num_threads(),
            "precision": self.options.precision,
            "dtype": str(self._place.dtype).removeprefix("torch."),
            "tf32_convolution": bool(torch.backends.cudnn.allow_tf32),
            "tf32_matmul": bool(torch.backends.cuda.matmul.allow_tf32),
            "tf32_override": os.environ.get("NVIDIA_TF32_OVERRIDE") if cuda else None,
            "autotune": bool(torch.backends.cudnn.benchmark),
            "autotune_limit": torch.backends.cudnn.benchmark_limit if cuda else None,
            "memory_format": self.options.memory_format,
            "calls": "CUDA graph replays" if cuda else "eager, one at a time",
            "data": "normal(0, 1), seeded",
            "parameters": "normal with variance 2 / fan-in, seeded, never zero",
            "buffers": f"rotated, together {_CACHE_FACTOR} x L2 ({self.cache_bytes} B), at most "
            f"{_MAX_BUFFERS[self.device]} sets",
        }

    def layer(self, configuration: Configuration, seed: int) -> Workload:
        """As ``Executor.layer``."""
        with _faults():
            return self._workload(layer_model(configuration, self._place, seed), seed)

    def network(self, network: Network, seed: int) -> Workload:
        """As ``Executor.network``."""
        parameters = sum(layer.params or 0 for layer in network.layers)
        available = memory_available()
        if available is not None and 8 * parameters > 0.8 * available:
            raise InputError("out of memory: the parameters do not fit")
        with _faults():
            return self._workload(network_model(network, self._place, seed), seed)

    def network_layers(self, network: Network, seed: int) -> list[LayerTime]:
        """As ``Executor.network_layers``: medians of five passes with marks between the layers."""
        with _faults():
            return layer_times(network_model(network, self._place, seed), seed)

    def memory_share(self, held: Sequence[Workload]) -> float:
        """The share of the GPU's memory that is taken, without what PyTorch only keeps."""
        if self.device != "cuda":
            return 0.0
        torch.cuda.empty_cache()
        free, total = torch.cuda.mem_get_info()
        return 1 - int(free) / int(total)

    def check(self) -> None:
        """Raise ``RunError`` when the GPU can do no more: after some faults every call fails."""
        if self.device != "cuda":
            return
        try:
            torch.zeros(1, device="cuda").add_(1)
            torch.cuda.synchronize()
        except torch.cuda.OutOfMemoryError:
            return
        except RuntimeError as error:
            text = " ".join(str(error).split())[:120]
            raise RunError(
                f"the GPU can do no more ({text}): run again, what was measured is kept"
            ) from None

    def _workload(self, model: TorchModel, seed: int) -> Workload:
        wanted = math.ceil(_CACHE_FACTOR * self.cache_bytes / max(model.passed_bytes, 1))
        buffers = max(1, min(wanted, _MAX_BUFFERS[self.device]))
        if self.device == "cuda":
            return CudaWorkload(model, buffers, seed)
        return CpuWorkload(model, buffers, seed)

    def _begin(self) -> None:
        """Make the context: idle power with one is measured next."""
        torch.empty(1, device="cuda")
        torch.cuda.synchronize()
        # Garbage is looked for before every capture: what is there now stays.
        gc.collect()
        gc.freeze()
        if self.options.precision == "fp32" and rounds_products(self._place.device):
            raise InputError(
                "PyTorch computes in TF32 although it is switched off: unset "
                "NVIDIA_TF32_OVERRIDE, or take --precision tf32"
            )

    def _check(self) -> None:
        known = {"device": ("cpu", "cuda"), "precision": tuple(_DTYPES)}
        for name, values in (known | {"memory_format": ("nchw", "channels_last")}).items():
            if getattr(self.options, name) not in values:
                raise InputError(
                    f"{name} {getattr(self.options, name)!r}: take one of {', '.join(values)}"
                )
        if self.device == "cpu" and self.options.precision == "tf32":
            raise InputError("precision tf32 needs --device cuda")
        if self.device == "cuda" and not torch.cuda.is_available():
            raise InputError("PyTorch sees no CUDA device: check the driver, or take --device cpu")

    def _cache_bytes(self) -> int:
        if self.device == "cpu":
            return caches().get("L2", _L2_DEFAULT)
        return int(getattr(torch.cuda.get_device_properties(0), "L2_cache_size", 50 << 20))

    def _gpu(self) -> dict[str, object]:
        found = torch.cuda.get_device_properties(0)
        return {
            "name": found.name,
            "multiprocessors": found.multi_processor_count,
            "memory_bytes": found.total_memory,
            "l2_bytes": self.cache_bytes,
            "compute_capability": f"{found.major}.{found.minor}",
        }


class CpuWorkload(BaseWorkload):
    """One model on the CPU, called eagerly."""

    def __init__(self, model: TorchModel, buffers: int, seed: int) -> None:
        self.buffers = buffers
        self.footprint_bytes = model.moved_bytes + model.parameter_bytes
        self.parameter_bytes = model.parameter_bytes
        sets = [model.values(seed, number) for number in range(buffers)]
        self._model: TorchModel | None = model
        self._next = itertools.cycle(sets).__next__

    def call(self) -> None:
        """One forward pass over the next set of buffers."""
        assert self._model is not None
        with torch.inference_mode():
            self._model(self._next())

    def close(self) -> None:
        """Drop the tensors."""
        self._model = None
        del self._next


def rounds_products(device: str) -> bool:
    """Whether a matrix product or a convolution rounds its factors to TF32's 10 bits.

    1 + 2^-12 is a number of float32 and none of TF32: sums of it then lack the second part.
    """
    one = 1 + 2.0**-12
    rows = torch.full((256, 256), one, device=device)
    product = rows @ torch.ones(256, 256, device=device)
    image = torch.full((8, 64, 16, 16), one, device=device)
    places = torch.nn.functional.conv2d(image, torch.ones(64, 64, 3, 3, device=device))
    sums = (product[0, 0].item() / 256, places[0, 0, 0, 0].item() / 576)
    return any(abs(found - 1) < 2.0**-13 for found in sums)


class _faults:  # noqa: N801 - used as a function
    """Missing memory as a line: it belongs to the layer."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if isinstance(error, RuntimeError) and out_of_memory(error):
            # What the failed call still holds hangs on its traceback.
            error.__traceback__ = None
            gc.collect()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            raise InputError("out of memory") from None
