"""AMD's management library (amdsmi) as a power meter.

What a board has differs by generation: MI300 and later give their socket's current power, MI200
and earlier and the Radeon boards an average, both in whole watts. The energy accumulator times its
resolution (microjoules a count) is the cross-check.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from neuralpower.meters.meter import Availability, MeterInfo
from neuralpower.meters.nvml import publication_period_ns
from neuralpower.meters.samples import BoardState, Samples
from neuralpower.meters.store import Sample, SampleStore
from neuralpower.meters.window import RawTable, WindowStats, window_stats

#: Fields of the power that amdsmi gives, in the order in which they are taken, and what they are.
POWER_FIELDS = {
    "current_socket_power": "current socket power",
    "socket_power": "socket power",
    "average_socket_power": "average socket power: a load's first second is too low",
}
#: A field that a board lacks holds the largest number of its width, or words.
_MISSING_FROM = 0xFFFF
_COUNTER_RANGE = 1 << 64
#: AMD's error codes are counted from here on, so that none is taken for one of NVML's.
ERROR_BASE = 10_000
_REMEDIES = {
    2: "this GPU has no power sensor that amdsmi can read",
    10: "amdsmi may not be used by this person: join the groups video and render, or run as root",
    31: "amdsmi finds no GPU",
    34: "the amdgpu driver is not loaded: load it, or restart the machine",
}


class AmdMeter:
    """Socket power of one GPU. ``amdsmi`` is the module or a stand-in.

    ``identity``: UUID (AMD's or HIP's) or PCI address; empty: the first GPU. The only GPU of a
    machine is taken whatever it is called, since frameworks write its UUID in their own ways.
    """

    def __init__(
        self,
        identity: str = "",
        amdsmi: Any = None,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._identity = identity
        self._smi = amdsmi
        self._clock = clock
        self._handle: Any = None
        self._field = ""
        self._store = SampleStore()
        self._counts: int | None = None
        self._wraps = 0
        self.info = MeterInfo(
            name="amd",
            domain="GPU socket",
            kind="sampled",
            provenance="amdsmi socket power, whole watts; its gain is not known",
            device="gpu",
        )

    def available(self) -> Availability:
        """As ``PowerMeter.available``; finds out which fields the board has."""
        try:
            if self._smi is None:
                self._smi = importlib.import_module("amdsmi")
        except Exception as error:
            # The module loads its library when it is imported and fails in many ways without it.
            text = " ".join(str(error).split())[:120]
            return Availability(False, f"amdsmi is not here: install ROCm's amdsmi ({text})")
        try:
            self._smi.amdsmi_init()
            self._handle = self._find()
            if self._handle is None:
                return Availability(False, self._not_found())
            return self._probe()
        except Exception as error:
            # Its exceptions share no base with those of ctypes that a broken driver brings.
            return Availability(False, _reason(error))

    def start(self) -> None:
        """Forget earlier samples."""
        if self._handle is None:
            self.available()
        self._store.clear()
        self._counts, self._wraps = None, 0

    def stop(self) -> None:
        """Nothing to end: polling is the caller's."""

    def read(self) -> float | None:
        """Poll once; ``None`` when the sensor gives nothing (the window's flags say so)."""
        power = energy = error = None
        try:
            power = _number(self._smi.amdsmi_get_power_info(self._handle), self._field)
            energy = self._joules()
        except Exception as fault:
            error = ERROR_BASE + _code(fault)
        self._store.add((self._clock(), power, None, energy), error)
        return power

    def last(self) -> Sample:
        """The last sample: time, power, no slow average, energy."""
        return self._store.last()

    def last_error(self) -> int | None:
        """Code of the last ``read`` when it failed, from ``ERROR_BASE`` on."""
        return self._store.last_error()

    def state(self) -> tuple[int | None, int | None, int | None, int | None]:
        """Clocks (compute, memory; MHz) and temperature (C), now; reasons are not known."""
        smi, handle = self._smi, self._handle
        asked: tuple[Callable[[], Any], ...] = (
            lambda: smi.amdsmi_get_clock_info(handle, smi.AmdSmiClkType.GFX),
            lambda: smi.amdsmi_get_clock_info(handle, smi.AmdSmiClkType.MEM),
            lambda: smi.amdsmi_get_temp_metric(
                handle, smi.AmdSmiTemperatureType.HOTSPOT, smi.AmdSmiTemperatureMetric.CURRENT
            ),
        )
        found: list[int | None] = []
        for ask in asked:
            try:
                answer = ask()
                # ``clk`` was ``cur_clk`` before ROCm 6.2.
                table = answer if isinstance(answer, Mapping) else {"clk": answer}
                value = _number(table, "clk") or _number(table, "cur_clk")
                found.append(None if value is None else int(value))
            except Exception:
                found.append(None)
        values = (found[0], found[1], found[2], None)
        self._store.add_state(BoardState(self._clock(), *values))
        return values

    def check(self) -> None:
        """As ``SampleSource.check``: amdsmi has no word for a GPU that is lost."""

    def samples(self, t0_ns: int, t1_ns: int) -> Samples:
        """As ``SampleSource.samples``."""
        return self._store.between(t0_ns, t1_ns)

    def raw(self) -> RawTable:
        """The samples so far."""
        return self._store.raw()

    def window(self, t0_ns: int, t1_ns: int) -> WindowStats:
        """As ``PowerMeter.window``, with the energy counter as the cross-check."""
        raw = self.raw()
        stats = window_stats(raw, t0_ns, t1_ns, publication_period_ns(raw))
        flags = list(stats.flags)
        if not raw.energy_j:
            flags.append("counter_missing")
        return replace(stats, flags=tuple(flags))

    @property
    def uuid(self) -> str:
        """The GPU that is read, as it was asked for, or by AMD's UUID; empty if not known."""
        if self._handle is None:
            return ""
        return self._identity or next(iter(self._names(self._handle)), "")

    def _find(self) -> Any:
        handles = self._smi.amdsmi_get_processor_handles()
        if not handles:
            return None
        if not self._identity or len(handles) == 1:
            return handles[0]
        wanted = self._identity.lower().removeprefix("gpu-")
        for handle in handles:
            if wanted in (name.lower().removeprefix("gpu-") for name in self._names(handle)):
                return handle
        return None

    def _names(self, handle: Any) -> list[str]:
        smi = self._smi
        asked: tuple[Callable[[], Any], ...] = (
            lambda: smi.amdsmi_get_gpu_device_uuid(handle),
            lambda: smi.amdsmi_get_gpu_enumeration_info(handle)["hip_uuid"],
            lambda: smi.amdsmi_get_gpu_device_bdf(handle),
        )
        found = []
        for ask in asked:
            try:
                found.append(str(ask()))
            except Exception:
                # Older versions lack some of these.
                continue
        return found

    def _not_found(self) -> str:
        return f"amdsmi shows no GPU {self._identity}".rstrip()

    def _probe(self) -> Availability:
        table = self._smi.amdsmi_get_power_info(self._handle)
        self._field = next((name for name in POWER_FIELDS if _number(table, name) is not None), "")
        if not self._field:
            given = ", ".join(f"{name} {table.get(name, 'missing')}" for name in POWER_FIELDS)
            return Availability(False, f"this GPU gives amdsmi no power ({given})")
        if _number(table, self._field) == 0:
            return Availability(False, "amdsmi reports a power of 0 W: the sensor is off")
        source = POWER_FIELDS[self._field]
        self.info = replace(
            self.info, provenance=f"amdsmi {source}, whole watts; its gain is not known"
        )
        return Availability(True)

    def _joules(self) -> float | None:
        """The accumulator without its wraps; ``None`` where there is none.

        A fall by less than half of the range is a reset, not a wrap: it is left in the series, and
        the window that it lies in says so.
        """
        try:
            table = self._smi.amdsmi_get_energy_count(self._handle)
        except Exception:
            return None
        name = "energy_accumulator" if "energy_accumulator" in table else "power"
        counts, resolution = table.get(name), table.get("counter_resolution")
        if not isinstance(counts, int) or not isinstance(resolution, int | float):
            return None
        if not resolution > 0 or isinstance(counts, bool):
            return None
        if self._counts is not None and self._counts - counts > _COUNTER_RANGE // 2:
            self._wraps += 1
        self._counts = counts
        return (self._wraps * _COUNTER_RANGE + counts) * float(resolution) / 1e6


def _number(table: Mapping[str, Any], name: str) -> float | None:
    value = table.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < _MISSING_FROM else None


def _code(error: Exception) -> int:
    code = getattr(error, "err_code", None)
    return abs(code) if isinstance(code, int) else 0


def _reason(error: Exception) -> str:
    """What a person can do about an amdsmi error, in one line."""
    known = _REMEDIES.get(_code(error))
    return known or f"amdsmi: {' '.join(str(error).split())[:200] or type(error).__name__}"
