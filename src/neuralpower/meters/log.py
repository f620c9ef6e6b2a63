"""The sampler's log while it grows: whole lines are taken over as they come."""

from __future__ import annotations

import gzip
from pathlib import Path

from neuralpower.core.files import write_bytes
from neuralpower.meters.replay import RAW_COLUMNS
from neuralpower.meters.samples import BoardState
from neuralpower.meters.store import SampleStore

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
    """A log that another process writes; a line without its end waits for the rest.

    ``store``: what was read of it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self.store = SampleStore()

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
        return bool(len(self.store))

    def _add(self, fields: list[str]) -> None:
        if len(fields) != len(LOG_COLUMNS) or not fields[0].isdigit():
            return
        t = int(fields[0])
        power, average, energy = (float(text) if text else None for text in fields[1:4])
        error = int(fields[-1]) if fields[-1] else None
        self.store.add((t, power, average, energy), error)
        state = [int(text) if text else None for text in fields[4:-1]]
        if any(value is not None for value in state):
            self.store.add_state(BoardState(t, *state))


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
