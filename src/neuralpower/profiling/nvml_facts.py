"""What NVML says of a board: its fields and what they cost, driver, modes, limits, processes."""

from __future__ import annotations

import importlib
import itertools
import statistics
import time
from collections.abc import Callable
from functools import partial

from neuralpower.meters.nvml import NO_GPU, NO_MODULE, Nvml, find_gpu, processes, why

#: NVML's fields that are asked for: milliwatts, millijoules, nanoseconds.
FIELDS = {
    186: "instant",
    185: "average",
    83: "energy",
    74: "held by the power limit",
    75: "held by the temperature",
}


def field_facts(nvml: Nvml, handle: object, calls: int = 1000) -> list[dict[str, object]]:
    """Every field and scope: whether the board has it, its reading, and what a call costs."""
    found: list[dict[str, object]] = []
    asked = [*itertools.product((186, 185, 83), (0, 1, 2)), (74, 0), (75, 0)]
    for number, scope in asked:
        row: dict[str, object] = {"field": FIELDS[number], "scope": scope, "supported": False}
        try:
            (answer,) = nvml.nvmlDeviceGetFieldValues(handle, [(number, scope)])
            row["supported"] = answer.nvmlReturn == nvml.NVML_SUCCESS
            if row["supported"]:
                small = number in (186, 185)
                row["reading"] = int(answer.value.uiVal if small else answer.value.ullVal)
                ask = partial(nvml.nvmlDeviceGetFieldValues, handle, [(number, scope)])
                row["call_us"] = _cost_us(ask, calls)
        except nvml.NVMLError as error:
            row["reason"] = str(error)
        found.append(row)
    return found


def _cost_us(ask: Callable[[], object], calls: int, most_s: float = 1.0) -> float:
    """Median cost of a call, of as many as are made within ``most_s``."""
    costs: list[int] = []
    begin = time.perf_counter_ns()
    while len(costs) < calls and time.perf_counter_ns() - begin < most_s * 1e9:
        before = time.perf_counter_ns()
        ask()
        costs.append(time.perf_counter_ns() - before)
    return statistics.median(costs) / 1000


def board_software(uuid: str = "", nvml: Nvml = None) -> dict[str, object]:
    """``software_facts`` of the first GPU, or of ``uuid``; the reason where NVML does not work."""
    try:
        nvml = nvml or importlib.import_module("pynvml")
    except ImportError:
        return {"reason": NO_MODULE}
    try:
        nvml.nvmlInit()
        handle = find_gpu(nvml, uuid)
        return software_facts(nvml, handle) if handle is not None else {"reason": NO_GPU}
    except nvml.NVMLError as error:
        return {"reason": why(error)}


def other_processes(uuid: str = "", nvml: Nvml = None) -> int | None:
    """Processes that compute on a GPU; asked before our own does. ``None``: not known."""
    try:
        nvml = nvml or importlib.import_module("pynvml")
        nvml.nvmlInit()
        handle = find_gpu(nvml, uuid)
        return None if handle is None else processes(nvml, handle)
    except (ImportError, nvml.NVMLError):
        return None


def software_facts(nvml: Nvml, handle: object) -> dict[str, object]:
    """Driver, VBIOS, modes and limits; ``None`` where the board does not say."""
    asked: dict[str, Callable[[], object]] = {
        "driver": lambda: nvml.nvmlSystemGetDriverVersion(),
        "vbios": lambda: nvml.nvmlDeviceGetVbiosVersion(handle),
        "mig_mode": lambda: list(nvml.nvmlDeviceGetMigMode(handle)),
        "ecc_mode": lambda: list(nvml.nvmlDeviceGetEccMode(handle)),
        "power_limit_w": lambda: nvml.nvmlDeviceGetEnforcedPowerLimit(handle) / 1000,
        "sm_mhz_max": lambda: nvml.nvmlDeviceGetMaxClockInfo(handle, nvml.NVML_CLOCK_SM),
        "memory_mhz_max": lambda: nvml.nvmlDeviceGetMaxClockInfo(handle, nvml.NVML_CLOCK_MEM),
    }
    found: dict[str, object] = {}
    for name, ask in asked.items():
        try:
            value = ask()
            found[name] = value.decode() if isinstance(value, bytes) else value
        except nvml.NVMLError:
            found[name] = None
    return found
