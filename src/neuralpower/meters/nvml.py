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
from typing import Any, TypeAlias

from neuralpower.core.errors import RunError
from neuralpower.meters.meter import Availability, MeterInfo
from neuralpower.meters.samples import (
    GPU_IS_LOST,
    IMPOSSIBLE,
    BoardState,
    Samples,
    lost_reason,
)
from neuralpower.meters.store import Sample, SampleStore
from neuralpower.meters.window import RawTable, WindowStats, publications, window_stats

#: NVIDIA's module pynvml, or what replaces it in tests.
Nvml: TypeAlias = Any

INSTANT_FIELD, AVERAGE_FIELD, ENERGY_FIELD = 186, 185, 83
#: Nanoseconds that the power limit and the temperature have held the board back.
_HELD_FIELDS = (74, 75)
_SCOPE_GPU = 0
NO_GPU = "the NVIDIA driver shows no GPU: is there one in this machine or container?"
NO_MODULE = "Python's module for NVML is not here: pip install nvidia-ml-py"
#: A board's gain is off by about 5 %, the same at every load (Yang et al., SC'24).
GAIN_UNCERTAINTY = 0.05
#: Energy and power of one window may differ by this much before that is said.
_MISMATCH = 0.05
#: No board draws more than this many times its enforced limit, nor, where that is not known, more
#: than so many watts: such a reading is a fault of the sensor.
_LIMITS, _MOST_W = 2.0, 3000.0
#: Errors that may have gone at the next look: unknown, not ready, busy.
_TRANSIENT = frozenset((999, 27, 17))
#: How long the first look is repeated where it brings such an error or 0 W, and how often.
_FIRST_LOOK_S, _AGAIN_S = 0.5, 0.05


class NvmlMeter:
    """Board power of one GPU. ``nvml`` is ``pynvml`` or a stand-in; ``uuid`` empty: the first GPU.

    ``read`` polls once; a sampler process calls it every 20 ms (``sampler``).
    """

    def __init__(
        self,
        uuid: str = "",
        nvml: Nvml = None,
        clock: Callable[[], int] = time.monotonic_ns,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._nvml: Nvml = _module() if nvml is None else nvml
        self._uuid = uuid
        self._clock, self._sleep = clock, sleep
        self._handle: object = None
        self._sources: tuple[bool, bool, bool] = (False, False, False)
        self._fallback = self._no_fields = False
        self._most_w = _MOST_W
        self._store = SampleStore()
        self.info = MeterInfo(
            name="nvml",
            domain="GPU board",
            kind="sampled",
            gain_uncertainty=GAIN_UNCERTAINTY,
            provenance="NVML board power, about 5 % absolute",
            device="gpu",
        )

    def available(self) -> Availability:
        """As ``PowerMeter.available``; finds out which fields the board has."""
        nvml = self._nvml
        if nvml is None:
            return Availability(False, NO_MODULE)
        for _ in range(round(_FIRST_LOOK_S / _AGAIN_S)):
            found, passing = self._look()
            if not passing:
                return found
            self._sleep(_AGAIN_S)
        return self._look()[0]

    def start(self) -> None:
        """Forget earlier samples."""
        if self._handle is None:
            self.available()
        self._store.clear()

    def stop(self) -> None:
        """Nothing to end: polling is the caller's."""

    def read(self) -> float | None:
        """Poll once; ``None`` when the sensor gives nothing (the window's flags say so)."""
        power = average = energy = error = None
        try:
            power, average, energy = self._poll()
        except self._nvml.NVMLError as fault:
            # NVML's code says what kind of fault it is: a lost GPU ends the run.
            error = _code(fault)
        if power is not None and power > self._most_w:
            power, error = None, IMPOSSIBLE
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
            lambda: _event_reasons(nvml, handle),
        )
        found: list[int | None] = []
        for ask in asked:
            try:
                found.append(int(ask()))
            except (nvml.NVMLError, AttributeError):
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

    def _not_shown(self) -> str:
        nvml = self._nvml
        if not self._uuid:
            return NO_GPU
        # Frameworks see the parts of a partitioned GPU, with UUIDs that NVML does not list.
        if self._uuid.startswith("MIG-") or any(partitioned(nvml, h) for h in handles(nvml)):
            return _MIG
        shown = ", ".join(_text(nvml.nvmlDeviceGetUUID(h)) for h in handles(nvml)) or "none"
        return f"NVML shows no GPU with UUID {self._uuid}; it shows: {shown}"

    def _look(self) -> tuple[Availability, bool]:
        """Whether the GPU is there and gives its power, and whether a fault of it may pass."""
        nvml = self._nvml
        try:
            nvml.nvmlInit()
            self._handle = find_gpu(nvml, self._uuid)
            if self._handle is None:
                return Availability(False, self._not_shown()), False
            if partitioned(nvml, self._handle):
                return Availability(False, _MIG), False
            return self._probe()
        except nvml.NVMLError as error:
            return Availability(False, why(error)), _code(error) in _TRANSIENT

    def _probe(self) -> tuple[Availability, bool]:
        nvml = self._nvml
        try:
            self._most_w = _LIMITS * nvml.nvmlDeviceGetEnforcedPowerLimit(self._handle) / 1e3
        except (nvml.NVMLError, AttributeError):
            self._most_w = _MOST_W
        values = self._fields(first=True)
        self._sources = (values[0] is not None, values[1] is not None, values[2] is not None)
        self._fallback = not self._sources[0]
        source = "field 186 (instantaneous)"
        if self._fallback:
            # May raise NotSupported: then there is no power at all.
            milliwatts = nvml.nvmlDeviceGetPowerUsage(self._handle)
            source = "nvmlDeviceGetPowerUsage (a one-second average since Ampere)"
            self.info = replace(self.info, averaging_ms=1000.0)
        else:
            milliwatts = values[0]
        if not milliwatts:
            return Availability(False, "NVML reports a power of 0 W: the sensor is off"), True
        if milliwatts > 1e3 * self._most_w:
            text = f"NVML reports {milliwatts / 1e3:.0f} W, which no board draws: the sensor fails"
            return Availability(False, text), True
        self.info = replace(self.info, provenance=f"NVML board power, {source}, about 5 % absolute")
        return Availability(True), False

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

    def _fields(self, first: bool = False) -> list[int | None]:
        """Milliwatts now, milliwatts on average, millijoules; at the ``first`` look a field that
        may come later raises its error.
        """
        nvml = self._nvml
        if self._no_fields:
            return [None, None, None]
        wanted = [(INSTANT_FIELD, _SCOPE_GPU), (AVERAGE_FIELD, _SCOPE_GPU), ENERGY_FIELD]
        try:
            answers = nvml.nvmlDeviceGetFieldValues(self._handle, wanted)
        except (nvml.NVMLError, AttributeError) as error:
            # Old drivers, virtual GPUs and WSL lack the call itself; power may still be known.
            if not first or _code(error) in (*_TRANSIENT, GPU_IS_LOST):
                raise
            self._no_fields = True
            return [None, None, None]
        found: list[int | None] = []
        for answer, name in zip(answers, ("uiVal", "uiVal", "ullVal"), strict=True):
            # Each field has its own return code.
            code = int(answer.nvmlReturn)
            if code in (GPU_IS_LOST, nvml.NVML_ERROR_RESET_REQUIRED) or (
                first and code in _TRANSIENT
            ):
                raise nvml.NVMLError(code)
            good = code == nvml.NVML_SUCCESS
            found.append(int(getattr(answer.value, name)) if good else None)
        return found


def publication_period_ns(raw: RawTable) -> int | None:
    """Time between publications as the samples show it: the median gap between changes."""
    pairs = [(t, p) for t, p in zip(raw.t_ns, raw.power_w, strict=False) if p is not None]
    published = publications(raw, [t for t, _ in pairs], [p for _, p in pairs], None)
    gaps = sorted(b[0] - a[0] for a, b in itertools.pairwise(published))
    return gaps[len(gaps) // 2] if len(gaps) >= 5 else None


def _module() -> object:
    try:
        return importlib.import_module("pynvml")
    except ImportError:
        return None


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _code(error: Exception) -> int:
    return int(getattr(error, "value", 0) or 0)


def handles(nvml: Nvml) -> list[object]:
    """The GPUs that answer, in NVML's order; one that is lost or forbidden hides no other."""
    found = []
    for index in range(nvml.nvmlDeviceGetCount()):
        try:
            found.append(nvml.nvmlDeviceGetHandleByIndex(index))
        except nvml.NVMLError:
            continue
    return found


def find_gpu(nvml: Nvml, uuid: str = "") -> object:
    """The handle of a GPU by its UUID, or of the first that answers; ``None`` where there is none.

    Raises NVML's error where GPUs are there and none of them answers, or the wanted one does not.
    """
    if not uuid:
        found = handles(nvml)
        if found or not nvml.nvmlDeviceGetCount():
            return found[0] if found else None
        return nvml.nvmlDeviceGetHandleByIndex(0)
    for name in dict.fromkeys((uuid, uuid[:4] + uuid[4:].lower())):
        try:
            return nvml.nvmlDeviceGetHandleByUUID(name)
        except nvml.NVMLError as error:
            if _code(error) not in (nvml.NVML_ERROR_NOT_FOUND, nvml.NVML_ERROR_INVALID_ARGUMENT):
                raise
    return None


def partitioned(nvml: Nvml, handle: object) -> bool:
    """Whether a GPU is in MIG mode: its power is that of all parts together."""
    try:
        mode, _ = nvml.nvmlDeviceGetMigMode(handle)
    except (nvml.NVMLError, AttributeError):
        return False
    return bool(mode == nvml.NVML_DEVICE_MIG_ENABLE)


_MIG = "the GPU is partitioned (MIG): a part of it has no power sensor"


def processes(nvml: Nvml, handle: object) -> int | None:
    """How many processes compute on a GPU; ``None`` where NVML does not say."""
    try:
        return len(nvml.nvmlDeviceGetComputeRunningProcesses(handle))
    except (nvml.NVMLError, AttributeError):
        return None


def _event_reasons(nvml: Nvml, handle: object) -> int:
    """Why the clocks are what they are; the function had another name before driver 535."""
    ask = getattr(nvml, "nvmlDeviceGetCurrentClocksEventReasons", None)
    if ask is None:
        ask = nvml.nvmlDeviceGetCurrentClocksThrottleReasons
    return int(ask(handle))


#: What a person can do about NVML's errors, by their code.
_REMEDIES = {
    3: "this GPU has no power sensor that NVML can read",
    4: "NVML may not be used by this person: ask for access to the GPU",
    9: "the NVIDIA driver is not loaded: load it, or restart the machine",
    12: "NVML is not here: install the NVIDIA driver",
    13: "the NVIDIA driver is too old for this: update it",
    GPU_IS_LOST: "the GPU has fallen off the bus: restart the machine",
    16: "the GPU needs a reset: reset it, or restart the machine",
    18: "the NVIDIA driver was updated while it ran: restart the machine",
    27: "the GPU is not ready (in a reset, or held by another tool): try again in a minute",
    999: "NVML fails without saying why: does nvidia-smi work? Restart the container or machine",
}


def why(error: Exception) -> str:
    """What a person can do about an NVML error, in one line."""
    return _REMEDIES.get(_code(error)) or f"NVML: {error}"
