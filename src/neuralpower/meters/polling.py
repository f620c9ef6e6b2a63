"""A sampled meter's book-keeping: a meter built on it says what it is, if it works, and watts."""

from __future__ import annotations

import time
from collections.abc import Callable

from neuralpower.meters.meter import Availability, MeterInfo
from neuralpower.meters.samples import Samples
from neuralpower.meters.store import Sample, SampleStore
from neuralpower.meters.window import RawTable, WindowStats, window_stats


class PollingMeter:
    """Gives all of ``sampler.PolledMeter`` and ``samples.SampleSource`` but ``watts``.

    ``watts`` may raise ``OSError`` or ``ValueError`` where there is no reading.
    """

    #: The board that is read; empty where it has no name.
    uuid: str = ""

    def __init__(self, info: MeterInfo, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self.info = info
        self._clock = clock
        self._store = SampleStore()

    def watts(self) -> float:
        """Power now."""
        raise NotImplementedError

    def available(self) -> Availability:
        """As ``PowerMeter.available``: it works when it gives power."""
        try:
            if self.watts() <= 0:
                return Availability(False, f"{self.info.name} reports no power")
        except PermissionError as error:
            return Availability(False, f"{error.filename} may not be read: run as root")
        except (OSError, ValueError) as error:
            return Availability(False, f"{self.info.name} cannot be read: {error}")
        return Availability(True)

    def start(self) -> None:
        """Forget earlier samples."""
        self._store.clear()

    def stop(self) -> None:
        """Nothing to end: polling is the caller's."""

    def read(self) -> float | None:
        """Watts now; ``None`` when there is no reading."""
        try:
            watts: float | None = self.watts()
        except (OSError, ValueError):
            watts = None
        self._store.add((self._clock(), watts, None, None))
        return watts

    def last(self) -> Sample:
        """As ``PolledMeter.last``."""
        return self._store.last()

    def last_error(self) -> int | None:
        """As ``PolledMeter.last_error``: faults have no codes."""
        return None

    def state(self) -> tuple[int | None, ...]:
        """As ``PolledMeter.state``: not known."""
        return ()

    def check(self) -> None:
        """As ``SampleSource.check``: nothing ends the samples."""

    def samples(self, t0_ns: int, t1_ns: int) -> Samples:
        """As ``SampleSource.samples``."""
        return self._store.between(t0_ns, t1_ns)

    def raw(self) -> RawTable:
        """The samples so far."""
        return self._store.raw()

    def window(self, t0_ns: int, t1_ns: int) -> WindowStats:
        """As ``PowerMeter.window``."""
        return window_stats(self.raw(), t0_ns, t1_ns)
