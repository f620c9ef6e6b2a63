"""Round numbers for the axes of figures, and their labels."""

from __future__ import annotations

import math
from collections.abc import Sequence


def log_ticks(ends: tuple[float, float], most: int = 5) -> list[float]:
    """A few round numbers between the ends of a logarithmic axis."""
    if ends[1] / ends[0] < 8:
        ticks = round_ticks(ends, most)
    else:
        powers = range(math.floor(math.log10(ends[0])), math.ceil(math.log10(ends[1])) + 1)
        steps = (1.0,) if ends[1] / ends[0] > 200 else (1.0, 3.0) if most < 5 else (1.0, 2.0, 5.0)
        ticks = [round(step * 10.0**power, 12) for power in powers for step in steps]
        ticks = [tick for tick in ticks if ends[0] <= tick <= ends[1]]
    every = -(-len(ticks) // most) if ticks else 1
    return ticks[::every]


def round_ticks(ends: tuple[float, float], most: int = 5) -> list[float]:
    """About ``most`` round numbers between the ends, at equal distances."""
    rough = (ends[1] - ends[0]) / most
    if not rough > 0:
        return [ends[0]]
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(s * power for s in (1, 2, 5, 10) if s * power >= rough * 0.999)
    first, last = math.ceil(ends[0] / step - 1e-9), math.floor(ends[1] / step + 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def plain(value: float) -> str:
    """A tick's label.

    >>> [plain(x) for x in (0.001, 1.0, 1000.0, 1e6, 2e-5)]
    ['0.001', '1', '1000', '10⁶', '2·10⁻⁵']
    """
    if value and not 1e-4 < abs(value) < 1e5:
        mantissa, power = f"{value:.0e}".split("e")
        digits = str(int(power)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
        return f"10{digits}" if mantissa == "1" else f"{mantissa}·10{digits}"
    return f"{value:g}"


def padded(values: Sequence[float], share: float = 0.05) -> tuple[float, float]:
    """Ends of a logarithmic axis: the values' range and a share of it more on either side."""
    ratio = max(max(values) / min(values), 1.02) ** share
    return min(values) / ratio, max(values) * ratio


def thinned(n: int, most: int) -> Sequence[int]:
    """At most ``most`` of ``n`` row numbers, evenly spread: figures stay small."""
    if n <= most:
        return range(n)
    return [i * n // most for i in range(most)]
