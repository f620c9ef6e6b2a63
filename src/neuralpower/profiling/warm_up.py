"""Running a load until a board is as warm and steady as it will be."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TypedDict

from neuralpower.frameworks.replay import ReplayWorkload
from neuralpower.meters.samples import SampleSource
from neuralpower.meters.window import window_stats
from neuralpower.profiling.device_timing import ReplayQueue


@dataclass(frozen=True, slots=True)
class WarmUpProtocol:
    """When a board has warmed up (measurement protocol, section 5).

    Parts of ``part_s`` follow one another until two means of the power differ by less than
    ``power_change`` and the temperature moves by less than ``temperature_c`` over the last part,
    at the latest until ``cap_s``; 0: no warm-up.
    """

    cap_s: float = 60.0
    part_s: float = 10.0
    power_change: float = 0.003
    temperature_c: float = 0.5

    def as_dict(self) -> dict[str, float]:
        """The rules as plain values, for the record."""
        return asdict(self)


class WarmUpPart(TypedDict):
    """What a part of a warm-up saw; ``None`` where the board does not say."""

    power_w: float | None
    temperature_c: float | None
    temperature_change_c: float | None


class WarmUp(TypedDict):
    """Whether the board stood still, after how long, and what each part saw."""

    converged: bool | None
    seconds: float
    parts: list[WarmUpPart]
    power_w: float | None
    temperature_c: float | None


def warm_up(
    load: ReplayWorkload,
    source: SampleSource | None,
    rules: WarmUpProtocol,
    clock: Callable[[], int] = time.monotonic_ns,
) -> WarmUp:
    """Run ``load``; whether and when the board stood still, and what each part saw.

    Without a meter that is not known: the load then runs for two parts. Raises
    ``RunError`` when the sampler has died or the GPU is lost.
    """
    begin = clock()
    queue = ReplayQueue(load, clock=clock)
    parts: list[WarmUpPart] = []
    cap_s = rules.cap_s if source is not None else min(rules.cap_s, 2 * rules.part_s)
    converged = False
    while not converged and (left_s := cap_s - (clock() - begin) / 1e9) > 0:
        t0 = clock()
        end = t0 + round(min(rules.part_s, left_s) * 1e9)
        while clock() < end:
            queue.submit()
        if source is not None:
            source.check()
            parts.append(_part(source, t0, clock()))
            converged = left_s >= rules.part_s and _still(parts, rules)
    queue.drain()
    return {
        "converged": converged if source is not None else None,
        "seconds": round((clock() - begin) / 1e9, 3),
        "parts": parts,
        "power_w": parts[-1]["power_w"] if parts else None,
        "temperature_c": parts[-1]["temperature_c"] if parts else None,
    }


def _part(source: SampleSource, t0: int, t1: int) -> WarmUpPart:
    samples = source.samples(t0, t1)
    warmth = [s.temperature_c for s in samples.states if s.temperature_c is not None]
    return {
        "power_w": window_stats(samples.raw, t0, t1).mean_w,
        "temperature_c": warmth[-1] if warmth else None,
        "temperature_change_c": warmth[-1] - warmth[0] if warmth else None,
    }


def _still(parts: list[WarmUpPart], rules: WarmUpProtocol) -> bool:
    if len(parts) < 2:
        return False
    last, before = parts[-1]["power_w"], parts[-2]["power_w"]
    if last is None or before is None or abs(last / before - 1) >= rules.power_change:
        return False
    return abs(parts[-1]["temperature_change_c"] or 0.0) < rules.temperature_c
