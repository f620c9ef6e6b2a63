"""The power phase on a GPU: replays back to back, settled, until the mean is known well enough."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from neuralpower.profiling.power.nvml import publication_period_ns
from neuralpower.profiling.power.samples import SampleSource, state_facts
from neuralpower.profiling.power.settle import LEAST_BINS, phase_bins, settled_power
from neuralpower.profiling.power.window import (
    RawTable,
    WindowStats,
    publications,
    relative_slope,
    stated_half_width,
    window_stats,
)
from neuralpower.profiling.replays import ReplayQueue, ReplayWorkload

#: Samples before a window that tell the sensor's period.
_BEFORE_NS = 5_000_000_000
#: Publications over which the slope of settling is taken.
_SETTLE_LOOK_NS = 700_000_000
_MISMATCH = 0.05


@dataclass(frozen=True, slots=True)
class AdaptiveProtocol:
    """When a load has settled and when its mean is known (measurement protocol, section 4B).

    Relative figures are of the mean power; slopes a second while settling, over the whole window
    after it. ``tau_s``: the calibrated time constant of the settle correction. ``share``: part
    of the configurations whose power is measured.
    """

    settle_s: float = 0.5
    settle_publications: int = 5
    settle_slope: float = 0.003
    settle_cap_s: float = 2.0
    window_publications: int = 12
    window_cap_s: float = 4.0
    precision: float = 0.005
    drift: float = 0.005
    tau_s: float = 1.0
    least_calls: int = 10
    look_s: float = 0.1
    ahead: int = 4
    share: float = 1.0

    def as_dict(self) -> dict[str, float | int]:
        """The rules as plain values, for the record."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Look:
    """What the samples say of a window so far."""

    stats: WindowStats
    published: list[tuple[int, float]]


def measure_adaptive(
    workload: ReplayWorkload,
    source: SampleSource,
    protocol: AdaptiveProtocol,
    call_ms: float,
    clock: Callable[[], int] = time.monotonic_ns,
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Power while replays run without a gap: the record's ``power`` and the flags.

    Raises ``RunError`` when the sampler has died or the GPU is lost. Missing power is ``None``.
    """
    replay_ms = call_ms * workload.calls_per_replay
    queue = ReplayQueue(workload, max(protocol.ahead, min(64, math.ceil(20 / replay_ms))))
    start = clock()
    _settle(queue, source, protocol, start, clock)
    queue.dry = 0
    t0, before = clock(), queue.replays
    converged = False
    while True:
        _run_for(queue, protocol.look_s, clock)
        t1 = clock()
        look = _look(source, t0, t1)
        calls = (queue.replays - before) * workload.calls_per_replay
        converged = _converged(look, protocol, calls, call_ms)
        if converged or (t1 - t0) / 1e9 >= protocol.window_cap_s:
            break
    dry = queue.dry
    queue.drain()
    source.check()
    facts, flags = _facts(look, source, protocol, start)
    found = list(flags)
    if not converged:
        found.append("not_converged")
    if calls < protocol.least_calls:
        found.append("few_calls")
    if dry:
        found.append("gpu_idle_in_window")
    if not _covered(look, call_ms):
        found.append("phase_coverage")
    return facts | {"settle_s": (t0 - start) / 1e9, "calls": calls, "dry": dry}, tuple(found)


def _settle(
    queue: ReplayQueue,
    source: SampleSource,
    protocol: AdaptiveProtocol,
    start: int,
    clock: Callable[[], int],
) -> None:
    """Run until the load's power stands still, at most ``settle_cap_s``."""
    while True:
        _run_for(queue, protocol.look_s, clock)
        now = clock()
        spent = (now - start) / 1e9
        if spent >= protocol.settle_cap_s:
            return
        if spent < protocol.settle_s:
            continue
        count = len(_look(source, start, now).published)
        slope = relative_slope(_look(source, max(start, now - _SETTLE_LOOK_NS), now).published)
        known = count >= protocol.settle_publications and slope is not None
        if known and abs(slope or 0.0) < protocol.settle_slope:
            return


def _run_for(queue: ReplayQueue, seconds: float, clock: Callable[[], int]) -> None:
    end = clock() + int(seconds * 1e9)
    queue.submit()
    while clock() < end:
        queue.submit()


def _look(source: SampleSource, t0: int, t1: int) -> _Look:
    samples = source.samples(t0 - _BEFORE_NS, t1)
    period = publication_period_ns(samples.raw)
    stats = window_stats(samples.raw, t0, t1, period)
    return _Look(stats, _published(samples.raw, t0, t1, period))


def _published(raw: RawTable, t0: int, t1: int, period: int | None) -> list[tuple[int, float]]:
    pairs = [(t, p) for t, p in zip(raw.t_ns, raw.power_w, strict=False) if p and t0 <= t <= t1]
    return publications(raw, [t for t, _ in pairs], [p for _, p in pairs], period)


def _converged(look: _Look, protocol: AdaptiveProtocol, calls: int, call_ms: float) -> bool:
    stats = look.stats
    if stats.publications < protocol.window_publications or calls < protocol.least_calls:
        return False
    if stats.mean_w is None or stats.half_width_w is None or stats.slope_per_s is None:
        return False
    seconds = (stats.t1_ns - stats.t0_ns) / 1e9
    return (
        stats.half_width_w < protocol.precision * stats.mean_w
        and abs(stats.slope_per_s) * seconds < protocol.drift
        and _covered(look, call_ms)
    )


def _covered(look: _Look, call_ms: float) -> bool:
    """Whether the publications fall into all parts of a long call; short calls need not."""
    if call_ms <= 10 or len(look.published) < LEAST_BINS:
        return True
    return phase_bins([t for t, _ in look.published], call_ms * 1e6) >= LEAST_BINS


def _facts(
    look: _Look, source: SampleSource, protocol: AdaptiveProtocol, start: int
) -> tuple[dict[str, Any], tuple[str, ...]]:
    stats = look.stats
    samples = source.samples(stats.t0_ns, stats.t1_ns)
    state, state_flags = state_facts(samples.states)
    flags = [*stats.flags, *state_flags]
    if samples.errors:
        flags.append("nvml_error")
    if not any(v is not None for v in samples.raw.energy_j):
        flags.append("counter_missing")
    mean, edge = stats.mean_w, stats.energy_mean_w
    if mean and edge and abs(edge / mean - 1) > _MISMATCH:
        flags.append("counter_mismatch")
    if mean and stats.slope_per_s is not None:
        seconds = (stats.t1_ns - stats.t0_ns) / 1e9
        if abs(stats.slope_per_s) * seconds >= protocol.drift:
            flags.append("drifting")
    corrected, _ = settled_power(look.published, start, protocol.tau_s)
    if mean and corrected and abs(corrected / mean - 1) > 0.01:
        flags.append("settle_corr_gt1pct")
    facts = {name: value for name, value in asdict(stats).items() if name != "flags"}
    facts |= {"corrected_w": corrected, "u_stated_w": stated_half_width(stats), **state}
    return facts | {"source": source.info.name}, tuple(dict.fromkeys(flags))


def idle_power(
    source: SampleSource,
    seconds: float = 1.5,
    clock: Callable[[], int] = time.monotonic_ns,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, Any]:
    """Power while nothing is asked of the device: ``mean_w``, ``half_width_w``, publications."""
    t0 = clock()
    sleep(seconds)
    stats = _look(source, t0, clock()).stats
    return {
        "mean_w": stats.mean_w,
        "half_width_w": stats.half_width_w,
        "publications": stats.publications,
        "flags": list(stats.flags),
    }
