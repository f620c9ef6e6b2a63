"""A separate process that polls a meter, so that polling never waits for the one that measures.

It is spawned, not forked: a library that was initialised before a fork does not work after it.
Every sample goes to a raw log at once; a window is read from that log.
"""

from __future__ import annotations

import importlib
import multiprocessing
import signal
import time
from multiprocessing.context import SpawnProcess
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Protocol

from neuralpower.core.errors import InputError, RunError
from neuralpower.meters.log import LOG_COLUMNS, STATE_COLUMNS, RawLog
from neuralpower.meters.meter import Availability, MeterInfo, PowerMeter
from neuralpower.meters.nvml import publication_period_ns
from neuralpower.meters.samples import Samples, lost_reason
from neuralpower.meters.store import Sample
from neuralpower.meters.window import WindowStats, window_stats

POLL_S = 0.02
#: Clocks and temperature are asked for every so many polls: at 100 ms.
_STATE_EVERY = 5
_START_S = 20.0


class SampledMeter:
    """A meter that is polled by a spawned process.

    ``factory``: ``module:function`` that makes the meter, given ``arguments``, in the sampler's
    process. ``log``: the raw samples, CSV. Times are ``time.monotonic_ns()`` in both processes.
    """

    def __init__(
        self,
        factory: str,
        log: str | Path,
        poll_s: float = POLL_S,
        arguments: tuple[object, ...] = (),
    ) -> None:
        self._factory = factory
        self._arguments = arguments
        self._path = Path(log)
        self._log = RawLog(self._path)
        self._poll_s = poll_s
        self._process: SpawnProcess | None = None
        self._stop: Event | None = None
        #: The GPU that is read; empty where it is not known or was not asked yet.
        self.uuid = ""
        self.info: MeterInfo = _make(factory, arguments).info

    def again(self, log: str | Path, poll_s: float) -> SampledMeter:
        """Another sampler of the same sensor, with another log and rate."""
        return SampledMeter(self._factory, log, poll_s, self._arguments)

    def available(self) -> Availability:
        """As ``PowerMeter.available``, asked in this process."""
        meter = _make(self._factory, self._arguments)
        state = meter.available()
        self.info = meter.info
        self.uuid = meter.uuid
        return state

    def start(self) -> None:
        """Start the sampler and wait for its first sample. ``InputError`` when it does not come."""
        context = multiprocessing.get_context("spawn")
        self._stop = context.Event()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.unlink(missing_ok=True)
        self._log = RawLog(self._path)
        arguments = (self._factory, self._arguments, str(self._path), self._poll_s, self._stop)
        self._process = context.Process(target=_sample, args=arguments, daemon=True)
        self._process.start()
        end = time.monotonic() + _START_S
        while not self._log.update():
            if not self._process.is_alive() or time.monotonic() > end:
                self.check()
                raise InputError("the power sampler brings no samples")
            time.sleep(0.005)

    def check(self) -> None:
        """Raise ``RunError`` when the sampler has died or the GPU is lost."""
        if self._process is not None and not self._process.is_alive():
            raise RunError(
                f"the power sampler died (exit code {self._process.exitcode}): run again, what "
                "was measured is kept"
            )
        reason = lost_reason(self._log.store.errors)
        if reason:
            raise RunError(reason)

    def stop(self) -> None:
        """End the sampler; ``InputError`` when it had died before."""
        try:
            self.check()
        finally:
            self.end()

    def end(self) -> None:
        """End the sampler, whatever became of it."""
        if self._process is not None and self._stop is not None:
            self._stop.set()
            self._process.join(5)
            self._process = None

    def read(self) -> float | None:
        """The last sample's power."""
        self._log.update()
        self.check()
        return self._log.store.last()[1] if len(self._log.store) else None

    def samples(self, t0_ns: int, t1_ns: int) -> Samples:
        """What the sampler has recorded between two times."""
        self._log.update()
        self.check()
        return self._log.store.between(t0_ns, t1_ns)

    def window(self, t0_ns: int, t1_ns: int) -> WindowStats:
        """As ``PowerMeter.window``, from the log."""
        raw = self.samples(t0_ns - 5_000_000_000, t1_ns).raw
        return window_stats(raw, t0_ns, t1_ns, publication_period_ns(raw))


class PolledMeter(PowerMeter, Protocol):
    """A meter that a sampler can poll: it keeps its last sample."""

    @property
    def uuid(self) -> str:
        """The board that is read; empty where it has no name."""
        ...

    def last(self) -> Sample:
        """Time, power, slow average, energy of the last ``read``."""
        ...

    def last_error(self) -> int | None:
        """The library's code when the last ``read`` failed."""
        ...

    def state(self) -> tuple[int | None, ...]:
        """The board's state now, in the order of ``log.STATE_COLUMNS``; shorter where not known."""
        ...


def _make(factory: str, arguments: tuple[object, ...] = ()) -> PolledMeter:
    module, _, name = factory.partition(":")
    meter: PolledMeter = getattr(importlib.import_module(module), name)(*arguments)
    return meter


def _sample(
    factory: str, arguments: tuple[object, ...], log: str, poll_s: float, stop: Event
) -> None:
    """The sampler's process: one line per poll, flushed, until it is stopped."""
    # Ctrl-C reaches every process of a terminal: the one that measures says when to stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    meter = _make(factory, arguments)
    meter.available()
    meter.start()
    parent = multiprocessing.parent_process()
    due = time.monotonic()
    polls = 0
    with open(log, "w", encoding="utf-8") as stream:
        stream.write(",".join(LOG_COLUMNS) + "\n")
        # A killed parent leaves no one who would read on.
        while not stop.is_set() and (parent is None or parent.is_alive()):
            meter.read()
            states = meter.state() if polls % _STATE_EVERY == 0 else ()
            states += (None,) * (len(STATE_COLUMNS) - len(states))
            values = (*meter.last(), *states, meter.last_error())
            stream.write(",".join("" if v is None else str(v) for v in values) + "\n")
            stream.flush()
            polls += 1
            due += poll_s
            time.sleep(max(0.0, due - time.monotonic()))
