"""What the samples say of a power window while it grows and when it has ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from neuralpower.meters.nvml import publication_period_ns
from neuralpower.meters.samples import IMPOSSIBLE, Samples, SampleSource, state_facts
from neuralpower.meters.settle import (
    LEAST_BINS,
    phase_bins,
    settled_power,
    without_predecessor,
)
from neuralpower.meters.window import (
    RawTable,
    WindowStats,
    publications,
    stated_half_width,
    window_stats,
)

#: Samples before a window, for the sensor's period.
_BEFORE_NS = 5_000_000_000
#: Energy and power of one window may differ by this much before that is said.
_MISMATCH = 0.05
#: Periods for which no working sensor repeats one value, to the last bit, under a load.
_STALE_PERIODS, _USUAL_PERIOD_NS = 6, 100_000_000
#: Power of a layer and power that it settles to differ by so much before it is said.
_CORRECTION = 0.01

#: Publications of a window that no board can give, beyond which it has no power.
_IMPOSSIBLE_ALLOWED = 1

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Look:
    """A window's figures and its publications. ``pauses``: spans that were left out of it."""

    stats: WindowStats
    published: list[tuple[int, float]]
    samples: Samples
    period_ns: int | None
    pauses: tuple[Span, ...] = ()

    @property
    def values(self) -> tuple[float, ...]:
        """The publications' watts."""
        return tuple(value for _, value in self.published)

    def repeats(self, previous: Sequence[float]) -> bool:
        """Whether the sensor has stood still for several periods, or repeats what it published.

        Never said of sensors that publish whole watts: those repeat themselves rightly.
        """
        if all(value == round(value) for value in self.values):
            return False
        return self._stale() or (len(self.values) >= 3 and self.values == tuple(previous))

    def _stale(self) -> bool:
        raw, longest = self.samples.raw, _STALE_PERIODS * (self.period_ns or _USUAL_PERIOD_NS)
        since, last = 0, 0.0
        for t, power in zip(raw.t_ns, raw.power_w, strict=False):
            if not power or not self.stats.t0_ns <= t <= self.stats.t1_ns:
                continue
            if power != last:
                since, last = t, power
            elif t - since > longest:
                return True
        return False


def look_at(
    source: SampleSource,
    t0: int,
    t1: int,
    period_ns: int | None = None,
    pauses: Sequence[Span] = (),
) -> Look:
    """The window between two times; ``period_ns``: the sensor's, where it is calibrated.

    Samples in ``pauses`` are left out, and the energy counter, which ran on in them, with them.
    """
    samples = source.samples(t0 - _BEFORE_NS, t1)
    period = period_ns or publication_period_ns(samples.raw)
    if pauses:
        samples = replace(samples, raw=_without(samples.raw, pauses))
    raw = samples.raw
    stats = window_stats(raw, t0, t1, period)
    if pauses:
        kept = tuple(f for f in stats.flags if not f.startswith("counter_"))
        stats = replace(stats, energy_j=None, energy_mean_w=None, flags=kept)
    pairs = [(t, p) for t, p in zip(raw.t_ns, raw.power_w, strict=False) if p and t0 <= t <= t1]
    found = publications(raw, [t for t, _ in pairs], [p for _, p in pairs], period)
    return Look(stats, found, samples, period, tuple(pauses))


def _without(raw: RawTable, pauses: Sequence[Span]) -> RawTable:
    keep = [i for i, t in enumerate(raw.t_ns) if not any(a <= t <= b for a, b in pauses)]

    def pick(column: Sequence[object]) -> list[Any]:
        return [column[i] for i in keep] if column else []

    columns = (pick(c) for c in (raw.power_w, raw.average_w, raw.energy_j))
    return RawTable(pick(raw.t_ns), *columns)


def covered(look: Look, call_ms: float, starts: Sequence[int]) -> bool:
    """Whether the publications fall into all parts of a long call; short calls need not.

    ``starts``: when the replays began, at first and after each pause: phases count from there.
    """
    if call_ms <= 10 or len(look.published) < LEAST_BINS:
        return True
    phases = [t - max((s for s in starts if s <= t), default=0) for t, _ in look.published]
    return phase_bins(phases, call_ms * 1e6) >= LEAST_BINS


@dataclass(frozen=True, slots=True)
class Previous:
    """The load before: its key, its power (``None``: not known) and what was published of it."""

    key: str = ""
    power_w: float | None = None
    values: tuple[float, ...] = ()


def power_facts(
    look: Look,
    source: SampleSource,
    start: int,
    rules: tuple[float, float, float | None],
    previous: Previous,
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The record of a window and its flags; ``rules``: drift allowed, tau (s), averaging (s).

    Where the sensor has repeated one value throughout, or repeats what it had published of the
    load before, or gave several readings that no board can give, there is no power.
    """
    drift, tau_s, averaging_s = rules
    stats = look.stats
    inside = [s for s in look.samples.states if s.t_ns >= stats.t0_ns]
    state, state_flags = state_facts(inside)
    flags = [*stats.flags, *state_flags]
    if look.repeats(previous.values):
        flags.append("duplicate_stream")
        stats = WindowStats(stats.t0_ns, stats.t1_ns, flags=stats.flags)
    inside_errors = [(t, code) for t, code in look.samples.errors if t >= stats.t0_ns]
    if any(code != IMPOSSIBLE for _, code in inside_errors):
        flags.append("nvml_error")
    impossible = _publications_of([t for t, code in inside_errors if code == IMPOSSIBLE], look)
    if impossible:
        flags.append("impossible_reading")
    if impossible > _IMPOSSIBLE_ALLOWED:
        # Who knows what the others are worth.
        stats = WindowStats(stats.t0_ns, stats.t1_ns, flags=stats.flags)
    if not any(v is not None for v in look.samples.raw.energy_j):
        flags.append("counter_missing")
    mean, edge = stats.mean_w, stats.energy_mean_w
    if mean and edge and abs(edge / mean - 1) > _MISMATCH:
        flags.append("counter_mismatch")
    if mean and stats.slope_per_s is not None:
        seconds = (stats.t1_ns - stats.t0_ns) / 1e9
        if abs(stats.slope_per_s) * seconds >= drift:
            flags.append("drifting")
    corrected = None
    if mean:
        corrected = _corrected(look, start, tau_s, averaging_s, previous.power_w)
        if corrected and abs(corrected / mean - 1) > _CORRECTION:
            flags.append("settle_corr_gt1pct")
    facts = {name: value for name, value in asdict(stats).items() if name != "flags"}
    facts |= {
        "corrected_w": corrected,
        "u_stated_w": stated_half_width(stats),
        "period_ms": None if look.period_ns is None else look.period_ns / 1e6,
        "predecessor": previous.key,
        "predecessor_w": previous.power_w,
        "pauses_ns": look.pauses,
        "source": source.info.name,
        **state,
    }
    return facts, tuple(dict.fromkeys(flags))


def _publications_of(times: Sequence[int], look: Look) -> int:
    """How many publications the polls at ``times`` saw: those of one period are of one."""
    period = look.period_ns or _USUAL_PERIOD_NS
    count, first = 0, -period
    for t in times:
        if t - first >= 0.9 * period:
            count, first = count + 1, t
    return count


def _corrected(
    look: Look, start: int, tau_s: float, averaging_s: float | None, previous_w: float | None
) -> float | None:
    published = look.published
    if averaging_s and previous_w is not None:
        published = without_predecessor(published, start, round(averaging_s * 1e9), previous_w)
    return settled_power(published, start, tau_s, previous_w)[0]
