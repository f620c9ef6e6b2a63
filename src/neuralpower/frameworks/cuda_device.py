"""What NVIDIA's driver says of a GPU, for frameworks that do not say it themselves."""

from __future__ import annotations

import ctypes
import uuid
from typing import Any, TypedDict

#: Attributes of a device, as ``cuda.h`` numbers them.
_MULTIPROCESSORS, _L2_BYTES, _MAJOR, _MINOR = 16, 38, 75, 76


class GpuFacts(TypedDict):
    """A GPU as its driver describes it."""

    name: str
    multiprocessors: int
    memory_bytes: int
    l2_bytes: int
    compute_capability: str
    uuid: str


def gpu_facts(ordinal: int = 0, driver: Any = None) -> GpuFacts | None:
    """Name, multiprocessors, memory, L2, compute capability and UUID (as NVML writes it).

    Numbered as this process sees the GPUs; ``None`` where the driver or the GPU is not there.
    ``driver`` is the CUDA driver library, or a stand-in for it.
    """
    try:
        cuda = ctypes.CDLL("libcuda.so.1") if driver is None else driver
        _done(cuda.cuInit(0))
        device = ctypes.c_int()
        _done(cuda.cuDeviceGet(ctypes.byref(device), ordinal))
        name = ctypes.create_string_buffer(256)
        _done(cuda.cuDeviceGetName(name, len(name), device))
        memory = ctypes.c_size_t()
        _done(cuda.cuDeviceTotalMem_v2(ctypes.byref(memory), device))
        identity = (ctypes.c_ubyte * 16)()
        _done(cuda.cuDeviceGetUuid(ctypes.byref(identity), device))
        numbers = []
        for attribute in (_MULTIPROCESSORS, _L2_BYTES, _MAJOR, _MINOR):
            number = ctypes.c_int()
            _done(cuda.cuDeviceGetAttribute(ctypes.byref(number), attribute, device))
            numbers.append(number.value)
    except (OSError, AttributeError):
        return None
    multiprocessors, l2, major, minor = numbers
    return {
        "name": name.value.decode(errors="replace"),
        "multiprocessors": multiprocessors,
        "memory_bytes": memory.value,
        "l2_bytes": l2,
        "compute_capability": f"{major}.{minor}",
        "uuid": f"GPU-{uuid.UUID(bytes=bytes(identity))}",
    }


def _done(status: int) -> None:
    if status != 0:
        raise OSError(f"CUDA driver error {status}")
