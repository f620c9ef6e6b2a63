"""A process of its own that polls a meter, so that polling never waits for the one that measures.

It is spawned, not forked: a library that was initialised before a fork does not work after it.
Every sample goes to a raw log at once; a window is read from that log.
"""

from __future__ import annotations

import importlib
import multiprocessing
import time
from pathlib import Path
from typing import Any, Protocol

from neuralpower.errors import InputError
from neuralpower.profiling.power.meter import Availability, MeterInfo, PowerMeter
from neuralpower.profiling.power.nvml import publication_period_ns
from neuralpower.profiling.power.replay import RAW_COLUMNS, read_raw
from neuralpower.profiling.power.window import WindowStats, window_stats

POLL_S = 0.02
_START_S = 20.0


class SampledMeter:
    """A meter that is polled by a spawned process.

    ``factory``: ``module:function`` that makes the meter in the sampler's process. ``log``: the
    raw samples, CSV. Times are ``time.monotonic_ns()`` in both processes.
    """

    def __init__(self, factory: str, log: str | Path, poll_s: float = POLL_S) -> None:
        self._factory = factory
        self._log = Path(log)
        self._poll_s = poll_s
        self._process: Any = None
        self._stop: Any = None
        self.info: MeterInfo = _make(factory).info

    def available(self) -> Availability:
        """As ``PowerMeter.available``, asked in this process."""
        return _make(self._factory).available()

    def start(self) -> None:
        """Start the sampler and wait for its first sample. ``InputError`` when it does not come."""
        context = multiprocessing.get_context("spawn")
        self._stop = context.Event()
        self._log.parent.mkdir(parents=True, exist_ok=True)
        self._log.unlink(missing_ok=True)
        arguments = (self._factory, str(self._log), self._poll_s, self._stop)
        self._process = context.Process(target=_sample, args=arguments, daemon=True)
        self._process.start()
        end = time.monotonic() + _START_S
        while not (self._log.exists() and self._log.read_bytes().count(b"\n") > 1):
            if not self._process.is_alive() or time.monotonic() > end:
                self.check()
                raise InputError("the power sampler brings no samples")
            time.sleep(0.005)

    def check(self) -> None:
        """Raise ``InputError`` when the sampler has died: a run must not go on without power."""
        if self._process is not None and not self._process.is_alive():
            raise InputError(
                f"the power sampler died (exit code {self._process.exitcode}): run again, what "
                "was measured is kept"
            )

    def stop(self) -> None:
        """End the sampler; ``InputError`` when it had died before."""
        self.check()
        if self._process is not None:
            self._stop.set()
            self._process.join(5)
            self._process = None

    def read(self) -> float | None:
        """The last sample's power."""
        self.check()
        values = read_raw(self._log).power_w
        return values[-1] if values else None

    def window(self, t0_ns: int, t1_ns: int) -> WindowStats:
        """As ``PowerMeter.window``, from the log."""
        self.check()
        raw = read_raw(self._log)
        return window_stats(raw, t0_ns, t1_ns, publication_period_ns(raw))


class PolledMeter(PowerMeter, Protocol):
    """A meter that a sampler can poll: it keeps its last sample."""

    def last(self) -> tuple[int, float | None, float | None, float | None]:
        """Time, power, slow average, energy of the last ``read``."""
        ...


def _make(factory: str) -> PolledMeter:
    module, _, name = factory.partition(":")
    meter: PolledMeter = getattr(importlib.import_module(module), name)()
    return meter


def _sample(factory: str, log: str, poll_s: float, stop: Any) -> None:
    """The sampler's process: one line a poll, flushed, until told to stop."""
    meter = _make(factory)
    meter.available()
    meter.start()
    due = time.monotonic()
    with open(log, "w", encoding="utf-8") as stream:
        stream.write(",".join(RAW_COLUMNS) + "\n")
        while not stop.is_set():
            meter.read()
            last = meter.last()
            stream.write(",".join("" if v is None else str(v) for v in last) + "\n")
            stream.flush()
            due += poll_s
            time.sleep(max(0.0, due - time.monotonic()))
