"""NVIDIA's management library as a power meter.

Field 186 (instantaneous board power) comes first: ``nvmlDeviceGetPowerUsage`` is a trailing
average of one second since Ampere and carries the load before into the reading. Field 83 counts
energy and serves as a cross-check. Devices are matched by UUID, never by index.
"""

from __future__ import annotations

import importlib
import itertools
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from neuralpower.core.errors import RunError
from neuralpower.meters.meter import Availability, MeterInfo
from neuralpower.meters.samples import GPU_IS_LOST, BoardState, Samples, lost_reason
from neuralpower.meters.store import Sample, SampleStore
from neuralpower.meters.window import RawTable, WindowStats, publications, window_stats

INSTANT_FIELD, AVERAGE_FIELD, ENERGY_FIELD = 186, 185, 83
#: Nanoseconds that the power limit and the temperature have held the board back.
_HELD_FIELDS = (74, 75)
_SCOPE_GPU = 0
NO_MODULE = "Python's module for NVML is not here: pip install nvidia-ml-py"
#: A board's gain is off by about 5 %, the same at every load (Yang et al., SC'24).
GAIN_UNCERTAINTY = 0.05
#: Energy and power of one window may differ by this much before they are told apart.
_MISMATCH = 0.05


class NvmlMeter:
    """Board power of one GPU. ``nvml`` is ``pynvml`` or a stand-in; ``uuid`` empty: the first GPU.

    ``read`` polls once; a sampler process calls it every 20 ms (``sampler``).
    """

    def __init__(
        self,
        uuid: str = "",
        nvml: Any = None,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._nvml: Any = _module() if nvml is None else nvml
        self._uuid = uuid
        self._clock = clock
        self._handle: Any = None
        self._sources: tuple[bool, bool, bool] = (False, False, False)
        self._fallback = False
        self._store = SampleStore()
        self.info = MeterInfo(
            name="nvml",
            domain="GPU board",
            kind="sampled",
            gain_uncertainty=GAIN_UNCERTAINTY,
            provenance="NVML board power, about 5 % absolute",
        )

    def available(self) -> Availability:
        """As ``PowerMeter.available``; finds out which fields the board has."""
        nvml = self._nvml
        if nvml is None:
            return Availability(False, NO_MODULE)
        try:
            nvml.nvmlInit()
            self._handle = self._find()
            if self._handle is None:
                return Availability(False, self._not_shown())
            return self._probe()
        except nvml.NVMLError as error:
            return Availability(False, why(nvml, error))

    def start(self) -> None:
        """Forget earlier samples."""
        if self._handle is None:
            self.available()
        self._store.clear()

    def stop(self) -> None:
        """Nothing to end: polling is the caller's."""

    def read(self) -> float | None:
        """Poll once; ``None`` when the sensor gives nothing (told by the window's flags)."""
        power = average = energy = error = None
        try:
            power, average, energy = self._poll()
        except self._nvml.NVMLError as fault:
            # NVML's code says what kind of fault it is: a lost GPU ends the run.
            error = int(getattr(fault, "value", 0))
        self._store.add((self._clock(), power, average, energy), error)
        return power

    def last(self) -> Sample:
        """The last sample: time, power, slow average, energy."""
        return self._store.last()

    def last_error(self) -> int | None:
        """NVML's code when the last ``read`` failed."""
        return self._store.last_error()

    def state(self) -> tuple[int | None, ...]:
        """Clocks (SM, memory; MHz), temperature (C), the reasons for their state, and how long
        power limit and temperature have held the board back (ns), now.
        """
        nvml, handle = self._nvml, self._handle
        asked: tuple[Callable[[], int], ...] = (
            lambda: nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_SM),
            lambda: nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_MEM),
            lambda: nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU),
            lambda: nvml.nvmlDeviceGetCurrentClocksEventReasons(handle),
        )
        found: list[int | None] = []
        for ask in asked:
            try:
                found.append(int(ask()))
            except nvml.NVMLError:
                found.append(None)
        found += self._held_back()
        self._store.add_state(BoardState(self._clock(), *found))
        return tuple(found)

    def check(self) -> None:
        """As ``SampleSource.check``."""
        reason = lost_reason(self._store.errors)
        if reason:
            raise RunError(reason)

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
        if any(t0_ns <= t <= t1_ns for t, _ in self._store.errors):
            flags.append("nvml_error")
        if not self._sources[2]:
            flags.append("counter_missing")
        ratio = stats.energy_mean_w / stats.mean_w if stats.mean_w and stats.energy_mean_w else 1
        if abs(ratio - 1) > _MISMATCH:
            flags.append("counter_mismatch")
        return replace(stats, flags=tuple(flags))

    @property
    def uuid(self) -> str:
        """UUID of the GPU that is read; empty before ``available``."""
        if self._handle is None:
            return ""
        return _text(self._nvml.nvmlDeviceGetUUID(self._handle))

    def _find(self) -> Any:
        nvml = self._nvml
        for index in range(nvml.nvmlDeviceGetCount()):
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
            if not self._uuid or _text(nvml.nvmlDeviceGetUUID(handle)) == self._uuid:
                return handle
        return None

    def _not_shown(self) -> str:
        if self._uuid.startswith("MIG-") or self._partitioned():
            return "the GPU is partitioned (MIG): a part of it has no power sensor of its own"
        return f"NVML shows no GPU with UUID {self._uuid}"

    def _partitioned(self) -> bool:
        """Whether a GPU is in MIG mode: frameworks see its parts, with UUIDs of their own."""
        nvml = self._nvml
        for index in range(nvml.nvmlDeviceGetCount()):
            try:
                mode, _ = nvml.nvmlDeviceGetMigMode(nvml.nvmlDeviceGetHandleByIndex(index))
            except nvml.NVMLError:
                continue
            if mode == nvml.NVML_DEVICE_MIG_ENABLE:
                return True
        return False

    def _probe(self) -> Availability:
        values = self._fields()
        self._sources = (values[0] is not None, values[1] is not None, values[2] is not None)
        self._fallback = not self._sources[0]
        source = "field 186 (instantaneous)"
        if self._fallback:
            # May raise NotSupported: then there is no power at all.
            if self._nvml.nvmlDeviceGetPowerUsage(self._handle) <= 0:
                return Availability(False, "NVML reports a power of 0 W: the sensor is off")
            source = "nvmlDeviceGetPowerUsage (a one-second average since Ampere)"
            self.info = replace(self.info, averaging_ms=1000.0)
        elif values[0] == 0:
            return Availability(False, "NVML reports a power of 0 W: the sensor is off")
        self.info = replace(self.info, provenance=f"NVML board power, {source}, about 5 % absolute")
        return Availability(True)

    def _held_back(self) -> list[int | None]:
        """Asked with the state, ten times more rarely than power: they are no part of a sample."""
        nvml = self._nvml
        try:
            answers = nvml.nvmlDeviceGetFieldValues(self._handle, list(_HELD_FIELDS))
        except nvml.NVMLError:
            return [None, None]
        good = [answer.nvmlReturn == nvml.NVML_SUCCESS for answer in answers]
        return [
            int(answer.value.ullVal) if known else None
            for answer, known in zip(answers, good, strict=True)
        ]

    def _poll(self) -> tuple[float | None, float | None, float | None]:
        instant, average, energy = self._fields()
        if self._fallback:
            instant = self._nvml.nvmlDeviceGetPowerUsage(self._handle)
        return (
            None if instant is None else instant / 1e3,
            None if average is None else average / 1e3,
            None if energy is None else energy / 1e3,
        )

    def _fields(self) -> list[int | None]:
        wanted = [(INSTANT_FIELD, _SCOPE_GPU), (AVERAGE_FIELD, _SCOPE_GPU), ENERGY_FIELD]
        answers = self._nvml.nvmlDeviceGetFieldValues(self._handle, wanted)
        found: list[int | None] = []
        for answer, name in zip(answers, ("uiVal", "uiVal", "ullVal"), strict=True):
            # Each field has a return code of its own.
            code = int(answer.nvmlReturn)
            if code in (GPU_IS_LOST, self._nvml.NVML_ERROR_RESET_REQUIRED):
                raise self._nvml.NVMLError(code)
            good = code == self._nvml.NVML_SUCCESS
            found.append(int(getattr(answer.value, name)) if good else None)
        return found


def publication_period_ns(raw: RawTable) -> int | None:
    """Time between publications as the samples show it: the median gap between changes."""
    pairs = [(t, p) for t, p in zip(raw.t_ns, raw.power_w, strict=False) if p is not None]
    published = publications(raw, [t for t, _ in pairs], [p for _, p in pairs], None)
    gaps = sorted(b[0] - a[0] for a, b in itertools.pairwise(published))
    return gaps[len(gaps) // 2] if len(gaps) >= 5 else None


def _module() -> Any:
    try:
        return importlib.import_module("pynvml")
    except ImportError:
        return None


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def why(nvml: Any, error: Exception) -> str:
    """What a person can do about an NVML error, in one line."""
    remedies = {
        "LIBRARY_NOT_FOUND": "NVML is not here: install the NVIDIA driver",
        "DRIVER_NOT_LOADED": "the NVIDIA driver is not loaded: load it, or restart the machine",
        "NO_PERMISSION": "NVML may not be used by this person: ask for access to the GPU",
        "GPU_IS_LOST": "the GPU has fallen off the bus: restart the machine",
        "NOT_SUPPORTED": "this GPU has no power sensor that NVML can read",
    }
    for name, remedy in remedies.items():
        code = getattr(nvml, f"NVML_ERROR_{name}", None)
        if code is not None and getattr(error, "value", None) == code:
            return remedy
    return f"NVML: {error}"
