"""The sampler's log while it grows: whole lines are taken over as they come."""

from __future__ import annotations

import gzip
from bisect import bisect_left, bisect_right
from pathlib import Path

from neuralpower.files import write_bytes
from neuralpower.profiling.power.replay import RAW_COLUMNS
from neuralpower.profiling.power.samples import BoardState, Samples
from neuralpower.profiling.power.window import RawTable

STATE_COLUMNS = (
    "sm_mhz",
    "memory_mhz",
    "temperature_c",
    "reasons",
    "power_held_ns",
    "thermal_held_ns",
)
LOG_COLUMNS = (*RAW_COLUMNS, *STATE_COLUMNS, "error")


class RawLog:
    """Samples of a log that another process writes; a line without its end waits for the rest."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._times: list[int] = []
        self._columns: tuple[list[float | None], ...] = ([], [], [])
        self._states: list[BoardState] = []
        self.errors: list[tuple[int, int]] = []

    def update(self) -> bool:
        """Take over what is new; True once there is a sample."""
        try:
            with open(self._path, "rb") as stream:
                stream.seek(self._offset)
                data = stream.read()
        except FileNotFoundError:
            return False
        whole = data.rfind(b"\n") + 1
        for line in data[:whole].decode().splitlines():
            if self._offset or not line.startswith("t_ns"):
                self._add(line.split(","))
        self._offset += whole
        return bool(self._times)

    def _add(self, fields: list[str]) -> None:
        if len(fields) != len(LOG_COLUMNS) or not fields[0].isdigit():
            return
        t = int(fields[0])
        self._times.append(t)
        for column, text in zip(self._columns, fields[1:4], strict=True):
            column.append(float(text) if text else None)
        state = [int(text) if text else None for text in fields[4:-1]]
        if any(value is not None for value in state):
            self._states.append(BoardState(t, *state))
        if fields[-1]:
            self.errors.append((t, int(fields[-1])))

    def last_power(self) -> float | None:
        """Power of the last sample."""
        return self._columns[0][-1] if self._times else None

    def samples(self, t0_ns: int, t1_ns: int) -> Samples:
        """The samples between two times, both included."""
        a, b = bisect_left(self._times, t0_ns), bisect_right(self._times, t1_ns)
        power, average, energy = (column[a:b] for column in self._columns)
        known = [c if any(v is not None for v in c) else [] for c in (power, average, energy)]
        raw = RawTable(self._times[a:b], *known)
        states = [s for s in self._states if t0_ns <= s.t_ns <= t1_ns]
        errors = [e for e in self.errors if t0_ns <= e[0] <= t1_ns]
        return Samples(raw, states, errors)


def next_log(folder: Path) -> Path:
    """The log of a new call: numbered, after those of earlier calls."""
    taken = [int(p.name.split(".")[0]) for p in folder.glob("[0-9]*.csv*")]
    return folder / f"{max(taken, default=0) + 1:03d}.csv"


def compress_logs(folder: Path) -> list[Path]:
    """Compress the logs of ended calls; a line that a kill tore is cut off. Returns the files."""
    made = []
    for path in sorted(folder.glob("[0-9]*.csv")):
        data = path.read_bytes()
        target = path.with_name(path.name + ".gz")
        write_bytes(target, gzip.compress(data[: data.rfind(b"\n") + 1], 6, mtime=0))
        path.unlink()
        made.append(target)
    return made
