"""Making the visits of a plan: one by one, or in blocks that are timed first and powered then.

In a block (measurement protocol, section 4) every visit is prepared and timed, and the workloads
whose power is wanted are kept; then these are replayed one after the other without a gap, and last
their kernels are named. A visit is recorded when it is whole: after its timing, or after its power
window. A kill loses at most the visits of the block in flight whose power was not yet measured; a
fault and the end of the budget lose none of what was timed.
"""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace

from neuralpower.core.errors import InputError
from neuralpower.core.machine import board_context
from neuralpower.frameworks.protocol import Workload
from neuralpower.frameworks.replay import ReplayWorkload
from neuralpower.meters.samples import SampleSource
from neuralpower.profiling.design import NetworkItem, Visit
from neuralpower.profiling.device_power import PowerPhase
from neuralpower.profiling.estimate import power_seconds, replay_seconds, visit_seconds
from neuralpower.profiling.visit import Visitor
from neuralpower.records.journal import VisitLog
from neuralpower.records.visits import POWER_MISSED, VisitRecord

#: A run whose first visits all fail is itself at fault, not its layers.
_HOPELESS = 5

Report = Callable[[str, int, int, float | None], None]


@dataclass(frozen=True, slots=True)
class BlockProtocol:
    """How many visits' workloads are kept for a power phase, and in how much of the memory."""

    visits: int = 36
    memory_share: float = 0.5

    def as_dict(self) -> dict[str, float | int]:
        """The rules as plain values, for the record."""
        return asdict(self)


class Pace:
    """How long visits really take over what was expected, the median of the last thirty."""

    def __init__(self) -> None:
        self._ratios = [1.0]

    @property
    def factor(self) -> float:
        """Real seconds of an expected one."""
        return statistics.median(self._ratios[-30:])

    def saw(self, seconds: float, expected: float) -> None:
        """A visit has taken ``seconds``."""
        self._ratios.append(seconds / expected)


class Visiting:
    """Makes the visits that are not in ``records`` yet, until done or out of time.

    ``limit``: the deadline (``None``: none) and its clock. ``made``: visits recorded by this call.
    """

    def __init__(
        self,
        visits: Sequence[Visit],
        records: dict[str, VisitRecord],
        visitor: Visitor,
        log: VisitLog,
        limit: tuple[float | None, Callable[[], float]],
        report: Report,
    ) -> None:
        self.made = 0
        self._visits, self._records = visits, records
        self._visitor, self._log, self._report = visitor, log, report
        self._deadline, self._now = limit
        self._failed = 0
        self._board = board_context(visitor.executor.uuid).get("board")
        before = ["", *(visit.item.key() for visit in visits)]
        self._before = {v.visit_id: key for v, key in zip(visits, before, strict=False)}
        for record in records.values():
            visitor.remember(record)

    @property
    def left(self) -> list[Visit]:
        """Visits without a record, or with one whose power is still to be measured."""
        return [v for v in self._visits if not self._whole(self._records.get(v.visit_id))]

    def _whole(self, record: VisitRecord | None) -> bool:
        return record is not None and not (self._visitor.powered and POWER_MISSED in record.flags)

    def one_by_one(self) -> None:
        """Each visit with its power before the next."""
        visitor, pace = self._visitor, Pace()
        left = self.left
        costs = {v.visit_id: visit_seconds(v.item, visitor.timing, visitor.load) for v in left}
        remaining = sum(costs.values())
        for visit in left:
            cost = costs[visit.visit_id]
            if self._late(cost * pace.factor):
                break
            self._tell(visit, remaining * pace.factor)
            record = visitor.visit(visit, self._before[visit.visit_id], self._board)
            self._keep(record)
            remaining -= cost
            pace.saw(record.wall_s, cost)
        self._report("", len(self._records), len(self._visits), None)

    def in_blocks(self, rules: BlockProtocol) -> None:
        """Blocks of visits: all timed, then the power of those that have one."""
        left = deque(self.left)
        paces = _Paces(self._visitor)
        while left:
            block = _Block()
            try:
                whole = self._time_block(left, block, rules, paces)
                self._power_block(block, paces, left)
                self._name_kernels(block)
            finally:
                # Out of time or by a fault: what was timed is not lost.
                for record in block.missed:
                    self._write(replace(record, flags=(*record.flags, POWER_MISSED)))
                block.close()
            if not whole:
                break
        self._report("", len(self._records), len(self._visits), None)

    def _time_block(
        self, left: deque[Visit], block: _Block, rules: BlockProtocol, paces: _Paces
    ) -> bool:
        """Take visits off ``left`` into the block; ``False`` when time is out."""
        visitor = self._visitor
        while left and len(block.kept) < rules.visits:
            visit = left[0]
            ahead = paces.timed(visit) + paces.powered([*block.visits, visit])
            if self._late(ahead):
                return False
            self._tell(visit, paces.all(left) + paces.powered(block.visits))
            record, made = visitor.timed(visit, self._before[visit.visit_id], self._board)
            if "oom" in record.flags and block.kept:
                # Perhaps there is room once the block's workloads are gone: it opens the next.
                return True
            left.popleft()
            paces.saw_timed(visit, record.wall_s)
            if made is None or not paces.wants_power(visit):
                self._keep(record)
                if made is not None and visitor.wants_kernels(record):
                    block.unnamed.append((record, made))
                elif made is not None:
                    made.close()
            else:
                assert isinstance(made, ReplayWorkload)
                block.kept.append((visit, record, made))
            taken = visitor.executor.memory_share(block.workloads)
            if taken > rules.memory_share / 2:
                # Room for power comes before names.
                block.forget_unnamed()
            if taken > rules.memory_share:
                break
        return True

    def _power_block(self, block: _Block, paces: _Paces, left: Sequence[Visit]) -> None:
        visitor, source = self._visitor, self._visitor.meter
        if not block.kept:
            return
        assert isinstance(source, SampleSource)
        replayed = visitor.replayed
        phase = PowerPhase(source, replayed.power, replayed.clock, replayed.sleep)
        # In the plan's order: it is random, and its anchors are at equal distances.
        for place, (visit, record, workload) in enumerate(block.kept):
            if self._late(0.0):
                break
            self._tell(visit, paces.all(left) + paces.powered(block.visits[place:]))
            timed_s = record.wall_s
            record = visitor.with_power(record, workload, phase)
            paces.saw_powered(visit, record.wall_s - timed_s)
            block.powered.append((record, workload))
            self._keep(record)
        # Not where the device is lost: what is queued there never ends.
        phase.end()

    def _name_kernels(self, block: _Block) -> None:
        """Names of kernels, once nothing is measured any more; each record is written once more."""
        for record, workload in (*block.powered, *block.unnamed):
            if self._late(0.0):
                break
            named = self._visitor.with_kernels(record, workload)
            if named is not record:
                self._write(named)

    def _late(self, cost_s: float) -> bool:
        return self._deadline is not None and self._now() + cost_s > self._deadline

    def _write(self, record: VisitRecord) -> None:
        self._log.append(record)
        self._records[record.visit] = record

    def _tell(self, visit: Visit, left_s: float) -> None:
        self._report(_title(visit), len(self._records), len(self._visits), left_s)

    def _keep(self, record: VisitRecord) -> None:
        """Record a visit; raises when the run cannot go on or is hopeless."""
        self._write(record)
        self.made += 1
        self._failed += record.timing is None
        if self._visitor.broken is not None:
            raise self._visitor.broken
        if self._failed == self.made == _HOPELESS:
            raise InputError(
                f"the first {_HOPELESS} visits all failed, the last with: {record.error}"
            )


class _Block:
    """Visits that were timed and wait for their power, with their workloads.

    ``powered``: those that have it; ``unnamed``: workloads without a power phase whose kernels are
    to be named.
    """

    def __init__(self) -> None:
        self.kept: list[tuple[Visit, VisitRecord, ReplayWorkload]] = []
        self.powered: list[tuple[VisitRecord, Workload]] = []
        self.unnamed: list[tuple[VisitRecord, Workload]] = []

    @property
    def missed(self) -> list[VisitRecord]:
        return [record for _, record, _ in self.kept[len(self.powered) :]]

    def forget_unnamed(self) -> None:
        for _, workload in self.unnamed:
            workload.close()
        self.unnamed = []

    @property
    def visits(self) -> list[Visit]:
        return [visit for visit, _, _ in self.kept]

    @property
    def workloads(self) -> list[Workload]:
        return [*(w for _, _, w in self.kept), *(w for _, w in self.unnamed)]

    def close(self) -> None:
        for workload in self.workloads:
            # A lost device cannot be waited for; that it is lost is said elsewhere.
            with suppress(RuntimeError):
                workload.close()
        self.kept, self.unnamed, self.powered = [], [], []


class _Paces:
    """What timing and power of visits on a GPU cost, as the run has shown so far."""

    def __init__(self, visitor: Visitor) -> None:
        self._replayed, self._can = visitor.replayed, visitor.powered
        self._timed, self._powered = Pace(), Pace()

    def wants_power(self, visit: Visit) -> bool:
        return self._can and self._replayed.wants_power(visit)

    def timed(self, visit: Visit) -> float:
        return self._timed.factor * self._timed_s(visit)

    def powered(self, visits: Sequence[Visit]) -> float:
        number = sum(self.wants_power(visit) for visit in visits)
        return number * self._powered.factor * power_seconds(self._replayed.power)

    def all(self, visits: Sequence[Visit]) -> float:
        expected = sum(self._timed_s(visit) for visit in visits)
        return self._timed.factor * expected + self.powered(visits)

    def saw_timed(self, visit: Visit, seconds: float) -> None:
        self._timed.saw(seconds, self._timed_s(visit))

    def saw_powered(self, visit: Visit, seconds: float) -> None:
        self._powered.saw(seconds, power_seconds(self._replayed.power))

    def _timed_s(self, visit: Visit) -> float:
        return replay_seconds(self._replayed.timing, isinstance(visit.item, NetworkItem))


def _title(visit: Visit) -> str:
    item = visit.item
    if isinstance(item, NetworkItem):
        return f"{item.network} x {item.batch}"
    return "anchor" if visit.is_anchor else item.family
