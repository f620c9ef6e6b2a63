"""What lies beyond the measured range, and by how much, in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

from neuralpower.networks.text import number
from neuralpower.reporting.results import Row

#: Family -> column -> least and largest measured value.
Ranges = Callable[[str], Mapping[str, Sequence[float]]]

#: From this factor on a distance is said in times, below in per cent.
_TIMES = 2.0
_PARTS = {"in": "input", "out": "output"}
_WORDS = {"pool_method": "pooling method", "pad": "padding"}


def column_words(columns: str) -> str:
    """Configuration columns in words.

    >>> column_words("batch in_channels pad_height")
    'batch, input channels, padding height'
    """
    return ", ".join(_column(name) for name in columns.split())


def _column(name: str) -> str:
    if name in _WORDS:
        return _WORDS[name]
    first, *rest = name.split("_")
    return " ".join([_PARTS.get(first, _WORDS.get(first, first)), *rest])


@dataclass(frozen=True, slots=True)
class Step:
    """How far one size is outside: ``factor`` times the largest, or a ``factor``-th of the least.

    The factor is infinite where a size of 0 is compared, and 1 where the distance is not known.
    """

    words: str
    factor: float


@dataclass(frozen=True)
class Beyond:
    """What the layers of a network are beyond on one platform.

    ``ranges`` gives the measured ranges of a family; ``layers`` are rows of the layer table by
    their index.
    """

    ranges: Ranges
    layers: Mapping[float, Row]

    @classmethod
    def of(cls, ranges: Ranges, layers: Sequence[Row]) -> Beyond:
        """For the rows of a layer table."""
        return cls(ranges, {layer["index"]: layer for layer in layers})

    def step(self, row: Row) -> Step | None:
        """By how much a layer's prediction leaves what was measured; None where it does not."""
        column = row["extrapolates"]
        if not column:
            return None
        plain = Step(f"beyond the measured {column_words(column)}", 1.0)
        value = self._value(row, column)
        low, high = self.ranges(str(row["family"])).get(column, (None, None))
        if value is None or low is None or high is None or low <= value <= high:
            return plain
        return step(_column(column), value, low, high)

    def _value(self, row: Row, column: str) -> float | None:
        if column == "batch":
            batch: float | None = row["batch"]
            return batch
        layer = self.layers.get(row["index"])
        if layer is None:
            return None
        # An inner product takes its whole input as one vector.
        whole_map = row["family"] == "fc" and column == "in_channels"
        names = ("in_channels", "in_height", "in_width") if whole_map else (column,)
        try:
            return prod(float(layer[name]) for name in names)
        except (KeyError, TypeError, ValueError):
            return None


def step(words: str, value: float, low: float, high: float) -> Step:
    """A value outside a range, in words.

    >>> step("batch", 64, 1, 32).words
    'batch 64: 2.0 times the largest measured (32)'
    >>> step("input height", 227, 1, 222).words
    'input height 227: 2.3 % above the largest measured (222)'
    """
    if value > high:
        if high <= 0:
            return Step(f"{words} {value:g}: above the largest measured ({high:g})", float("inf"))
        factor = value / high
        far = f"{number(factor, 2)} times" if factor >= _TIMES else f"{_above(factor)} above"
        return Step(f"{words} {value:g}: {far} the largest measured ({high:g})", factor)
    if value <= 0:
        return Step(f"{words} {value:g}: below the least measured ({low:g})", float("inf"))
    factor = low / value
    far = f"1/{factor:.2g} of" if factor >= _TIMES else f"{_above(factor)} below"
    return Step(f"{words} {value:g}: {far} the least measured ({low:g})", factor)


def _above(factor: float) -> str:
    return f"{number(100 * (factor - 1), 2)} %"
