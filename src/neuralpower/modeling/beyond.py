"""Beyond what was measured: layers at other batch sizes, and how much less is known there.

A polynomial says little about a batch size that was not measured. The rows of a convolution's
matrix product are images times pixels, and so are the elements of every layer with a map: a batch
beyond the measured ones is exchanged for pixels as far as maps of that size were measured. Power
keeps to the nearest measured batch for the rest (what a device draws saturates); runtime does not
fall as the batch doubles, and does not rise by much more than in proportion.

Intervals widen with the distance from the measured range, in units of the half range that the
measured layers have around the model's anchor (for power: of the measured powers themselves).
How far, and what the exchange gains, was measured on ranges cut from ten sets
(docs/accuracy.md, "Beyond the measured range").
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from neuralpower.modeling.features import Array, Columns, FeatureTable

Ranges = Mapping[str, tuple[float, float]]
#: The values of a table of layers, (n,).
Evaluate = Callable[[Columns], Array]

#: Sides of maps; layers of these families have none: their batch is no number of pixels.
SIDES = ("in_height", "in_width", "out_height", "out_width")
FLAT = frozenset({"fc"})
#: The exponent of the batch's ratio that is exchanged for pixels.
POWER_SHARE = 0.75
#: Runtime grows with the batch at most by this power of it; without maps, in proportion.
STEEPEST, STEEPEST_FLAT = 1.25, 1.0
#: Half ranges by which the interval widens with every factor of e: of the batch, of other sizes.
WIDER = {"runtime_ms": (0.27, 0.4), "power_w": (0.125, 0.33), "energy_mj": (0.27, 0.4)}
#: Power is not unsure by more than its measured half range, nor anything by more than this many.
MOST_WIDER = {"runtime_ms": 2.0, "power_w": 1.0, "energy_mj": 2.0}
#: A half range is at most a factor of 4: wider anchors bound nothing.
WIDEST_ANCHOR = math.log(4.0)
#: What counts for a size that has no ratio (a padding, where none was measured).
NO_RATIO = math.log(2.0)


def times_outside(table: FeatureTable, ranges: Ranges) -> dict[str, Array]:
    """Columns that leave their range: (n,) over the largest measured, or over the smallest.

    1 where the column is inside, NaN where nothing can be divided.
    """
    found = {}
    for name, (low, high) in ranges.items():
        values = table[name]
        above, below = values > high, values < low
        if not (above.any() or below.any()):
            continue
        with np.errstate(all="ignore"):
            times = np.where(above, values / high, np.where(below, values / low, 1.0))
        times[~np.isfinite(times) | (times <= 0.0)] = np.nan
        found[name] = times
    return found


def widening(times: Mapping[str, Array], target: str, half_range: float, rows: int) -> Array:
    """What is added to a half interval of logarithms in quadrature, (n,); 0 inside the range.

    ``half_range``: half the logarithm of highest over lowest ratio to the anchor.
    """
    by_batch, by_size = WIDER[target]
    square = np.zeros(rows)
    for name, ratio in times.items():
        distance = np.abs(np.log(ratio))
        distance[np.isnan(distance)] = NO_RATIO
        square += ((by_batch if name == "batch" else by_size) * distance) ** 2
    return min(half_range, WIDEST_ANCHOR) * np.minimum(np.sqrt(square), MOST_WIDER[target])


def beyond_batches(
    evaluate: Evaluate, columns: Columns, family: str, target: str, ranges: Ranges
) -> tuple[np.ndarray, Array]:
    """Rows whose batch size is beyond the measured ones, (m,), and their values, (m,)."""
    nothing = np.empty(0, dtype=np.int64), np.empty(0)
    if "batch" not in columns or "batch" not in ranges:
        return nothing
    batch = np.asarray(columns["batch"], dtype=np.float64)
    low, high = ranges["batch"]
    rows = np.flatnonzero(((batch < low) & (batch > 0)) | ((batch > high) & np.isfinite(batch)))
    if not len(rows) or low <= 0.0:
        return nothing
    part = {name: np.asarray(values)[rows] for name, values in columns.items()}
    if target == "power_w":
        moved = _exchanged(part, family, ranges, POWER_SHARE)
        moved["batch"] = np.clip(batch[rows], low, high)
        return rows, evaluate(moved)
    return rows, _ordered(evaluate, part, family, ranges)


def _exchanged(
    columns: Columns, family: str, ranges: Ranges, share: float = 1.0
) -> dict[str, np.ndarray]:
    """The layers with a measured batch, or nearer to one, and maps of more or fewer pixels."""
    moved = {name: np.asarray(values) for name, values in columns.items()}
    sides = [name for name in SIDES if name in moved]
    if family in FLAT or any(name not in ranges for name in sides):
        return moved
    batch = moved["batch"].astype(np.float64)
    sizes = {name: moved[name].astype(np.float64) for name in sides}
    scale = (batch / np.clip(batch, *ranges["batch"])) ** (0.5 * share)
    for name, values in sizes.items():
        low, high = ranges[name]
        # A side that is outside already, or has no pixel to give, stays as it is.
        with np.errstate(all="ignore"):
            least = np.minimum(max(low, 1.0) / values, 1.0)
            scale = np.clip(scale, least, np.maximum(high / values, 1.0))
    moved |= {name: values * scale for name, values in sizes.items()}
    moved["batch"] = batch / scale**2
    return moved


def _ordered(evaluate: Evaluate, columns: Columns, family: str, ranges: Ranges) -> Array:
    """Values (n,) that do not fall as the batch doubles, on the way from the measured ones."""
    low, high = ranges["batch"]
    batch = np.asarray(columns["batch"], dtype=np.float64)
    edge = np.clip(batch, low, high)
    most = math.ceil(float(np.abs(np.log2(batch / edge)).max()))
    # From the measured end outwards: the end, then halves or doubles, then the batch itself.
    steps = [
        np.where(batch < edge, np.minimum(batch * 2.0**k, edge), np.maximum(batch / 2.0**k, edge))
        for k in range(most, -1, -1)
    ]
    count = len(steps)
    every = {name: np.tile(np.asarray(values), count) for name, values in columns.items()}
    every["batch"] = np.concatenate(steps)
    values = evaluate(_exchanged(every, family, ranges)).reshape(count, len(batch))
    steepest = STEEPEST_FLAT if family in FLAT else STEEPEST
    value = values[0]
    for before, after, found in zip(steps, steps[1:], values[1:], strict=False):
        ratio = (after / before) ** steepest
        value = np.clip(found, value * np.minimum(ratio, 1.0), value * np.maximum(ratio, 1.0))
    return np.asarray(value)
