"""Timers without device events, and the driver's facts, on stand-ins."""

from __future__ import annotations

import ctypes
from typing import Any

import pytest

from neuralpower.frameworks.base import BaseWorkload
from neuralpower.frameworks.cuda_device import gpu_facts
from neuralpower.frameworks.host_timer import BlockingTimer, TokenTimer
from neuralpower.profiling.device_timing import ReplayProtocol, ReplayQueue, measure_replays

MS = 1_000_000


class Device(BaseWorkload):
    """Works through what is queued, each replay for a known time; the host's clock is fake."""

    buffers = 2
    calls_per_replay = 10

    def __init__(self, replay_ns: int = 5 * MS, host_ns: int = 20_000) -> None:
        self.now = self.free = 0
        self.replay_ns, self.host_ns = replay_ns, host_ns
        self.timer: Any = TokenTimer(self.ready, self.block, self.clock)

    def clock(self) -> int:
        self.now += 100
        return self.now

    def ready(self, token: int) -> bool:
        return token <= self.now

    def block(self, token: int) -> None:
        self.now = max(self.now, token)

    def record(self, calls: int) -> None:
        self.calls_per_replay = calls

    def replay(self) -> None:
        self.now += self.host_ns
        self.free = max(self.free, self.now) + self.replay_ns
        self.timer.latest = self.free

    def call(self) -> None:
        self.replay()

    def close(self) -> None:
        self.timer.latest = None


def test_tokens_that_are_waited_for_in_turn_give_the_devices_time() -> None:
    device = Device()
    timing = measure_replays(device, ReplayProtocol(), device.clock)
    assert timing.median_ms == pytest.approx(0.5, rel=2e-3)
    assert timing.lo_ms == pytest.approx(0.5, rel=2e-3)
    assert timing.flags == ()


def test_a_device_that_waits_for_the_host_is_seen() -> None:
    slow_host = Device(replay_ns=MS, host_ns=3 * MS)
    queue = ReplayQueue(slow_host, 4)
    for _ in range(10):
        queue.submit()
    assert queue.dry == 9
    quick = Device()
    queue = ReplayQueue(quick, 4)
    for _ in range(10):
        queue.submit()
    queue.drain()
    assert queue.dry == 0


def test_a_mark_before_any_work_is_now_and_elapsed_waits() -> None:
    device = Device()
    first = device.timer.mark()
    assert device.timer.done(first)
    device.replay()
    last = device.timer.mark()
    assert not device.timer.done(last)
    assert device.timer.elapsed_ms(first, last) == pytest.approx(5.02, abs=1e-3)
    assert device.timer.done(last)


class BlockingDevice(BaseWorkload):
    """Each replay returns when it is done; in between the host dawdles."""

    buffers = 1
    calls_per_replay = 4

    def __init__(self, rest_ns: int) -> None:
        self.now, self.rest_ns = 0, rest_ns
        self.timer = BlockingTimer(lambda: self.now)

    def record(self, calls: int) -> None:
        self.calls_per_replay = calls

    def replay(self) -> None:
        self.now += self.rest_ns
        self.timer.begin()
        self.now += 8 * MS
        self.timer.end()

    def call(self) -> None:
        self.replay()

    def close(self) -> None:
        self.rest_ns = 0


@pytest.mark.parametrize(("rest_ns", "dry"), [(30_000, 0), (300_000, 9)])
def test_runs_that_block_tell_a_rest_that_matters(rest_ns: int, dry: int) -> None:
    device = BlockingDevice(rest_ns)
    queue = ReplayQueue(device, 4)
    first = device.timer.mark()
    for _ in range(10):
        last = queue.submit()
    queue.drain()
    assert queue.dry == dry
    assert device.timer.done(last)
    assert device.timer.elapsed_ms(first, last) == pytest.approx(10 * (8 + rest_ns / MS))


class FakeDriver:
    """The calls of the CUDA driver that are made, as ``ctypes`` makes them."""

    def __init__(self, status: int = 0) -> None:
        self.status = status

    def cuInit(self, flags: int) -> int:  # noqa: N802
        return self.status

    def cuDeviceGet(self, out: Any, ordinal: int) -> int:  # noqa: N802
        out._obj.value = 40 + ordinal
        return 0

    def cuDeviceGetName(self, out: Any, size: int, device: Any) -> int:  # noqa: N802
        assert device.value == 40
        ctypes.memmove(out, b"NVIDIA Fake\0", 12)
        return 0

    def cuDeviceTotalMem_v2(self, out: Any, device: Any) -> int:  # noqa: N802
        out._obj.value = 143 << 30
        return 0

    def cuDeviceGetUuid(self, out: Any, device: Any) -> int:  # noqa: N802
        out._obj[:] = range(16)
        return 0

    def cuDeviceGetAttribute(self, out: Any, attribute: int, device: Any) -> int:  # noqa: N802
        out._obj.value = {16: 132, 38: 50 << 20, 75: 9, 76: 0}[attribute]
        return 0


def test_the_driver_describes_the_gpu() -> None:
    assert gpu_facts(driver=FakeDriver()) == {
        "name": "NVIDIA Fake",
        "multiprocessors": 132,
        "memory_bytes": 143 << 30,
        "l2_bytes": 50 << 20,
        "compute_capability": "9.0",
        "uuid": "GPU-00010203-0405-0607-0809-0a0b0c0d0e0f",
    }
    assert gpu_facts(driver=FakeDriver(status=100)) is None
    assert gpu_facts(driver=object()) is None
