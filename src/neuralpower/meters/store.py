"""Where a meter that is polled keeps its samples, in the order of time."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from neuralpower.meters.samples import BoardState, Samples
from neuralpower.meters.window import RawTable

#: Time (ns), power (W), slow average (W), energy (J) of a poll.
Sample = tuple[int, float | None, float | None, float | None]


class SampleStore:
    """Samples, states of the board, and the polls that failed."""

    def __init__(self) -> None:
        self._times: list[int] = []
        #: Power, slow average, energy.
        self._columns: tuple[list[float | None], ...] = ([], [], [])
        self._states: list[BoardState] = []
        self._last_error: int | None = None
        #: Time of each poll that failed, and the code that the library gave.
        self.errors: list[tuple[int, int]] = []

    def __len__(self) -> int:
        return len(self._times)

    def clear(self) -> None:
        """Forget all."""
        self._times.clear()
        for column in self._columns:
            column.clear()
        self._states.clear()
        self.errors.clear()
        self._last_error = None

    def add(self, sample: Sample, error: int | None = None) -> None:
        """Keep a poll; ``error``: the code where it failed."""
        t_ns, *values = sample
        self._times.append(t_ns)
        for column, value in zip(self._columns, values, strict=True):
            column.append(value)
        self._last_error = error
        if error is not None:
            self.errors.append((t_ns, error))

    def add_state(self, state: BoardState) -> None:
        """Keep a state of the board."""
        self._states.append(state)

    def last(self) -> Sample:
        """The last poll; there must be one."""
        power, average, energy = (column[-1] for column in self._columns)
        return self._times[-1], power, average, energy

    def last_error(self) -> int | None:
        """The code of the last poll where it failed."""
        return self._last_error

    def raw(self) -> RawTable:
        """All samples; slow average and energy are empty where no poll gave any."""
        return self._part(0, len(self._times))

    def between(self, t0_ns: int, t1_ns: int) -> Samples:
        """What was kept from ``t0_ns`` to ``t1_ns``, both included."""
        part = self._part(bisect_left(self._times, t0_ns), bisect_right(self._times, t1_ns))
        states = [s for s in self._states if t0_ns <= s.t_ns <= t1_ns]
        return Samples(part, states, [e for e in self.errors if t0_ns <= e[0] <= t1_ns])

    def _part(self, first: int, end: int) -> RawTable:
        power, average, energy = (column[first:end] for column in self._columns)
        return RawTable(self._times[first:end], power, _filled(average), _filled(energy))


def _filled(column: list[float | None]) -> Sequence[float | None]:
    return column if any(value is not None for value in column) else []
