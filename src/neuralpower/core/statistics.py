"""Robust statistics of repeated timings, without assumptions about their distribution."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from functools import lru_cache


@lru_cache(maxsize=4096)
def median_ranks(n: int, confidence: float = 0.95) -> tuple[int, int] | None:
    """Ranks (from 1) of the order statistics that enclose the median of ``n`` samples.

    The number of samples below the true median is binomial(n, 1/2), whatever the distribution:
    the k-th smallest and k-th largest enclose it with probability 1 - 2 P(B <= k - 1). Returns
    the narrowest pair with at least ``confidence``, or ``None`` when n is too small (David and
    Nagaraja, Order Statistics, 2003, section 7.1).
    """
    tail = (1 - confidence) / 2
    if n > 10_000:
        # Normal approximation; exact to a rank at this size.
        z = statistics.NormalDist().inv_cdf(1 - tail)
        rank = math.floor((n - z * math.sqrt(n)) / 2)
    else:
        allowed, total, rank = int(tail * 2**60) * 2**n >> 60, 0, 0
        term = 1
        while total + term <= allowed:
            total += term
            rank += 1
            term = term * (n - rank + 1) // rank
    return (rank, n - rank + 1) if rank else None


def median_interval(ordered: Sequence[float]) -> tuple[float, float] | None:
    """The 95 % interval of the median of sorted samples; ``None`` for fewer than 6."""
    ranks = median_ranks(len(ordered))
    return None if ranks is None else (ordered[ranks[0] - 1], ordered[ranks[1] - 1])


def median_absolute_deviation(ordered: Sequence[float]) -> float:
    """The median distance from the median, in the samples' unit and not scaled."""
    middle = quantile(ordered, 0.5)
    return quantile(sorted(abs(value - middle) for value in ordered), 0.5)


def quantile(ordered: Sequence[float], share: float) -> float:
    """The quantile of sorted values by linear interpolation (Hyndman and Fan's type 7)."""
    position = share * (len(ordered) - 1)
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (position - below) * (ordered[above] - ordered[below])


#: 97.5 % points of Student's t for 1 to 10 degrees of freedom.
_T_975 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)


def student_t(freedom: int) -> float:
    """The 97.5 % point of Student's t; beyond 10 degrees by Cornish-Fisher, good to 0.1 %.

    Not scipy's: a machine that only measures has PyTorch and little else.
    """
    if freedom <= len(_T_975):
        return _T_975[freedom - 1]
    z = statistics.NormalDist().inv_cdf(0.975)
    g1 = (z**3 + z) / 4
    g2 = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    return z + g1 / freedom + g2 / freedom**2
