"""Raw samples of a visit's power window, found again in the logs of a recorded folder.

A log's clock is the machine's own and starts anew with it, so that two logs can hold the same
times: the log of a visit is the one whose samples give the visit's power.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from pathlib import Path

from neuralpower.meters.look import look_at
from neuralpower.meters.meter import NoMeter
from neuralpower.meters.replay import read_raw
from neuralpower.meters.samples import Samples
from neuralpower.meters.window import RawTable
from neuralpower.records.visits import Power, VisitRecord

LOG_PATTERN = "power/*.csv.gz"
_MARGIN_NS = 500_000_000


@dataclass(frozen=True)
class RawWindow:
    """A visit's samples from just before its replays began to just after its window.

    ``log``: the file. ``start_ns``: when its replays began; ``t0_ns`` and ``t1_ns``: the window.
    ``published``: time and watts of each publication in the window. ``mean_w``: their mean, as it
    comes out now. ``pauses``: spans that random delays took out of the window.
    """

    log: str
    raw: RawTable
    start_ns: int
    t0_ns: int
    t1_ns: int
    published: tuple[tuple[int, float], ...]
    mean_w: float | None
    pauses: tuple[tuple[int, int], ...] = ()


class PowerLogs:
    """The raw power logs of a folder, each read once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.names = [p.relative_to(folder).as_posix() for p in sorted(folder.glob(LOG_PATTERN))]
        self._tables: dict[str, RawTable] = {}

    def table(self, name: str) -> RawTable:
        """All samples of a log; ``InputError`` with the row for what is not a number."""
        if name not in self._tables:
            self._tables[name] = read_raw(self._folder / name)
        return self._tables[name]

    def window(self, record: VisitRecord) -> RawWindow | None:
        """The samples of a visit; ``None`` without power or where no log covers it.

        Where several logs do, the one whose mean comes closest to the recorded one.
        """
        power = record.power
        if power is None or power.t0_ns is None or power.t1_ns is None or power.mean_w is None:
            return None
        t0, t1, mean = power.t0_ns, power.t1_ns, power.mean_w
        run = record.run
        found = []
        for name in self.names:
            # Logs of a merged folder carry their run's name.
            own = name.partition("/")[2]
            if run and not own.startswith(f"{run}."):
                continue
            times = self.table(name).t_ns
            if times and times[0] <= t0 and t1 <= times[-1]:
                found.append(self._cut(name, power, t0, t1))
        # A window may begin after it ends, where a record is wrong.
        found = [window for window in found if window.raw.t_ns]
        if not found:
            return None
        return min(found, key=lambda w: abs((w.mean_w or 0.0) - mean))

    def _cut(self, name: str, power: Power, t0: int, t1: int) -> RawWindow:
        start = t0 - round((power.settle_s or 0.0) * 1e9)
        period = None if power.period_ms is None else round(power.period_ms * 1e6)
        pauses = power.pauses_ns
        look = look_at(_Log(self.table(name)), t0, t1, period, pauses)
        shown = _between(self.table(name), start - _MARGIN_NS, t1 + _MARGIN_NS)
        published = tuple(look.published)
        return RawWindow(name, shown, start, t0, t1, published, look.stats.mean_w, pauses)


class _Log(NoMeter):
    """A log as a source of samples."""

    def __init__(self, table: RawTable) -> None:
        super().__init__("a recorded log")
        self._table = table

    def check(self) -> None:
        """As ``SampleSource.check``: a log itself has no faults."""

    def samples(self, t0_ns: int, t1_ns: int) -> Samples:
        """As ``SampleSource.samples``."""
        return Samples(_between(self._table, t0_ns, t1_ns))


def _between(raw: RawTable, t0: int, t1: int) -> RawTable:
    a, b = bisect_left(raw.t_ns, t0), bisect_right(raw.t_ns, t1)
    power, average, energy = (c[a:b] for c in (raw.power_w, raw.average_w, raw.energy_j))
    return RawTable(raw.t_ns[a:b], power, average, energy)
