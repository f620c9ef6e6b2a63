"""A stand-in for ``pynvml`` on a fake clock: publishes a known P(t) as real boards do."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy
import pynvml

INSTANT, AVERAGE, ENERGY = 186, 185, 83
HELD = (74, 75)


class FakeClock:
    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        return self.now_ns

    def advance(self, seconds: float) -> None:
        self.now_ns += round(seconds * 1e9)


class FakeNvml:
    """Knobs: publication period, averaging window and phase, gain, noise, die warming, faults.

    ``load``: watts at a time in seconds. ``unsupported``: fields without an answer, 0 means
    ``nvmlDeviceGetPowerUsage``. Errors and constants are pynvml's own.
    """

    def __init__(
        self,
        clock: FakeClock,
        load: Callable[[float], float],
        *,
        period_s: float = 0.1,
        averaging_s: float = 0.025,
        phase_s: float = 0.0,
        gain: float = 1.0,
        noise: float = 0.0008,
        seed: int = 0,
        unsupported: frozenset[int] = frozenset(),
        zero: bool = False,
        zero_from_s: float = math.inf,
        lost_at_s: float = math.inf,
        counter_reset_at_s: float = math.inf,
        counter_gain: float = 1.0,
        stale_from_s: float = math.inf,
        slow_call_s: float = 0.0,
        init_error: int | None = None,
        reasons: Callable[[float], int] = lambda t: 0,
        sm_mhz: Callable[[float], int] = lambda t: 1980,
        power_held_s: Callable[[float], float] = lambda t: 0.0,
        temperature_c: Callable[[float], int] = lambda t: 55,
        field_error: int | None = None,
        mig: bool = False,
        limit_w: float | None = 700.0,
        glitch: Callable[[float], float | None] = lambda t: None,
        first_error: tuple[int, int] | None = None,
    ) -> None:
        self.clock = clock
        self.load = load
        self.period_s, self.averaging_s, self.phase_s = period_s, averaging_s, phase_s
        self.gain, self.noise, self.seed = gain, noise, seed
        self.unsupported, self.zero, self.zero_from_s = unsupported, zero, zero_from_s
        self.lost_at_s, self.stale_from_s = lost_at_s, stale_from_s
        self.counter_reset_at_s, self.counter_gain = counter_reset_at_s, counter_gain
        self.slow_call_s = slow_call_s
        self.init_error = init_error
        self.reasons, self.sm_mhz = reasons, sm_mhz
        self.power_held_s, self.temperature_c = power_held_s, temperature_c
        self.field_error = field_error
        self.mig, self.limit_w, self.glitch = mig, limit_w, glitch
        #: Code, and how many calls for fields give it.
        self.first_error = first_error
        self.calls = 0
        self._energy_j = [0.0]
        self._cache: dict[tuple[int, float], float] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(pynvml, name)

    def nvmlInit(self) -> None:  # noqa: N802
        if self.init_error is not None:
            raise pynvml.NVMLError(self.init_error)

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return 2

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        return index

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> int:  # noqa: N802
        if uuid not in ("GPU-0", "GPU-1"):
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)
        return int(uuid[-1])

    def nvmlDeviceGetMigMode(self, handle: int) -> list[int]:  # noqa: N802
        return [int(self.mig), int(self.mig)]

    def nvmlDeviceGetEnforcedPowerLimit(self, handle: int) -> int:  # noqa: N802
        if self.limit_w is None:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return round(1000 * self.limit_w)

    def nvmlDeviceGetUUID(self, handle: int) -> str:  # noqa: N802
        return f"GPU-{handle}"

    def nvmlDeviceGetClockInfo(self, handle: int, kind: int) -> int:  # noqa: N802
        self._check()
        seconds = self.clock.now_ns / 1e9
        return self.sm_mhz(seconds) if kind == pynvml.NVML_CLOCK_SM else 3201

    def nvmlDeviceGetTemperature(self, handle: int, sensor: int) -> int:  # noqa: N802
        self._check()
        return self.temperature_c(self.clock.now_ns / 1e9)

    def nvmlDeviceGetCurrentClocksEventReasons(self, handle: int) -> int:  # noqa: N802
        self._check()
        return self.reasons(self.clock.now_ns / 1e9)

    def nvmlDeviceGetPowerUsage(self, handle: int) -> int:  # noqa: N802
        self._check()
        if 0 in self.unsupported:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return round(self._published(1.0) * 1000)

    def nvmlDeviceGetFieldValues(self, handle: int, fields: list[Any]) -> list[Any]:  # noqa: N802
        self._check()
        self.calls += 1
        self.clock.advance(self.slow_call_s)
        if self.first_error is not None and self.calls <= self.first_error[1]:
            raise pynvml.NVMLError(self.first_error[0])
        answers = []
        for field in fields:
            number = field[0] if isinstance(field, tuple) else field
            good = number not in self.unsupported
            code = pynvml.NVML_SUCCESS if good else pynvml.NVML_ERROR_NOT_SUPPORTED
            if self.field_error is not None:
                good, code = False, self.field_error
            milli = self._milli(number) if good else 0
            value = SimpleNamespace(uiVal=milli, ullVal=milli)
            answers.append(SimpleNamespace(nvmlReturn=code, value=value))
        return answers

    def _check(self) -> None:
        if self.clock.now_ns / 1e9 >= self.lost_at_s:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)

    def _milli(self, field: int) -> int:
        if field in HELD:
            held_s = self.power_held_s(self.clock.now_ns / 1e9) if field == HELD[0] else 0.0
            return round(held_s * 1e9)
        if field == INSTANT:
            zero = self.zero or self.clock.now_ns / 1e9 >= self.zero_from_s
            if (watts := self.glitch(self.clock.now_ns / 1e9)) is not None:
                return round(1000 * watts)
            return 0 if zero else round(self._published(self.averaging_s) * 1000)
        if field == AVERAGE:
            return round(self._published(1.0) * 1000)
        return self._counter_mj()

    def _published(self, averaging_s: float) -> float:
        now = min(self.clock.now_ns / 1e9, self.stale_from_s)
        tick = math.floor((now - self.phase_s) / self.period_s)
        if (tick, averaging_s) not in self._cache:
            self._cache[tick, averaging_s] = self._publish(tick, averaging_s)
        return self._cache[tick, averaging_s]

    def _publish(self, tick: int, averaging_s: float) -> float:
        end = tick * self.period_s + self.phase_s
        times = end - averaging_s * (numpy.arange(25) + 0.5) / 25
        mean = float(numpy.mean([self.load(t) for t in times]))
        jitter = numpy.random.default_rng([self.seed, tick + 10]).standard_normal()
        return self.gain * mean * (1 + self.noise * float(jitter))

    def _counter_mj(self) -> int:
        """All of the power, added up since the start; moves every 0.1 s."""
        ticks = math.floor(self.clock.now_ns / 1e8)
        while len(self._energy_j) <= ticks:
            begin = 0.1 * (len(self._energy_j) - 1)
            times = begin + 0.1 * (numpy.arange(20) + 0.5) / 20
            watts = float(numpy.mean([self.load(t) for t in times]))
            self._energy_j.append(self._energy_j[-1] + 0.1 * self.gain * watts)
        value = self._energy_j[ticks]
        if self.clock.now_ns / 1e9 >= self.counter_reset_at_s:
            value -= self._energy_j[math.floor(self.counter_reset_at_s * 10)]
        return round(value * 1000 * self.counter_gain)
