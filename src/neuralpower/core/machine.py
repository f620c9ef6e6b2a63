"""Facts of the machine, from the system's own files; what is not known is ``None``."""

from __future__ import annotations

import hashlib
import os
import platform
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CPU_CACHE = Path("/sys/devices/system/cpu/cpu0/cache")
_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def machine_facts() -> dict[str, Any]:
    """Processor, caches, memory, virtualisation, operating system. Nothing that names a person."""
    cpu = _cpuinfo(Path("/proc/cpuinfo"))
    return {
        "cpu": cpu.get("model name") or platform.processor() or None,
        "cpu_family": cpu.get("cpu family"),
        "cpu_model": cpu.get("model"),
        "cpu_mhz_reported": _float(cpu.get("cpu MHz")),
        "vector_extensions": _vectors(cpu.get("flags", "")),
        "cores_online": os.cpu_count(),
        "virtual_machine": "hypervisor" in cpu.get("flags", "").split(),
        "caches_bytes": caches(),
        "memory_bytes": _memory("MemTotal"),
        "architecture": platform.machine(),
        "system": platform.system(),
        "kernel": platform.release().split("-")[0],
        "python": platform.python_version(),
        "governor": _line(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")),
    }


def board_context(uuid: str) -> dict[str, str]:
    """``board``: a digest of a board's UUID, by which boards differ.

    The UUID itself is never recorded. Empty where the device has none.
    """
    return {"board": hashlib.sha256(uuid.encode()).hexdigest()[:12]} if uuid else {}


def caches(folder: Path = CPU_CACHE) -> dict[str, int]:
    """Bytes of the data caches of the first core, by level (``L1``, ``L2``, ``L3``)."""
    found: dict[str, int] = {}
    for index in sorted(folder.glob("index*")):
        kind, level, size = (_line(index / name) for name in ("type", "level", "size"))
        match = re.fullmatch(r"(\d+)([KMG]?)", size or "")
        if kind in ("Data", "Unified") and level and match:
            found[f"L{level}"] = int(match[1]) * _UNITS.get(match[2], 1)
    return found


def memory_available() -> int | None:
    """Bytes that a new program can have."""
    return _memory("MemAvailable")


def pin(core: int | None) -> list[int] | None:
    """Bind this process to one core and return the cores it may use; ``None`` if not known."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    if core is not None:
        os.sched_setaffinity(0, {core})
    return sorted(os.sched_getaffinity(0))


def load_average() -> float | None:
    """Runnable processes over the last minute."""
    try:
        return os.getloadavg()[0]
    except OSError:
        return None


def _cpuinfo(path: Path) -> Mapping[str, str]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace").split("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.split(":", 1) for line in text.splitlines() if ":" in line)
    return {name.strip(): value.strip() for name, value in pairs}


def _vectors(flags: str) -> list[str]:
    return [name for name in ("avx", "avx2", "fma", "avx512f", "asimd") if name in flags.split()]


def _memory(field: str) -> int | None:
    try:
        text = Path("/proc/meminfo").read_text(encoding="utf-8")
    except OSError:
        return None
    match = re.search(rf"^{field}:\s+(\d+) kB", text, re.MULTILINE)
    return int(match[1]) * 1024 if match else None


def _line(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return None


def _float(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
