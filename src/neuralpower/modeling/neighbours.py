"""A second opinion from the measured layers themselves, as data: sums of likeness to each of them.

The mean of a Gaussian process (Rasmussen and Williams, 2006, section 2.2) is a weighted sum of
``k(x, z)`` over the layers ``z`` that were measured. Here ``k`` is the Matern 3/2 function
``(1 + d) exp(-d)``, with d the square root of 3 times the distance of their coordinates
(logarithms of sizes and work, flags), each over a length. ``modeling.gaussian`` fits it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from neuralpower.modeling.features import Array
from neuralpower.modeling.terms import Factor, TermTable, term_from_json, term_to_json

#: Distances that are worked out at once, layers times measured layers: they stay in the cache.
AT_ONCE = 65536
#: Measured layers that a model may hold at most.
MOST_LAYERS = 1500


def likeness(places: Array, others: Array) -> Array:
    """Matern 3/2 of the distances between (n, d) and (m, d), in lengths: (n, m).

    Each pair by itself, never by BLAS: a row's value must not depend on the other rows.
    """
    squares = np.zeros((len(places), len(others)))
    for x, z in zip(places.T, others.T, strict=True):
        apart = x[:, None] - z
        apart *= apart
        squares += apart
    d = np.sqrt(3.0 * squares)
    return np.asarray((1.0 + d) * np.exp(-d))


@dataclass(frozen=True)
class Neighbours:
    """Measured layers and how much each says about layers like it.

    ``coordinates``: d factors, logarithms or plain values of features; ``lengths``: (d,), the
    distances over which layers are alike; ``layers``: (m, d) values of the features;
    ``weights``: (m,), what a layer adds to the logarithm of others that are just like it.
    """

    coordinates: tuple[Factor, ...]
    lengths: tuple[float, ...]
    layers: tuple[tuple[float, ...], ...]
    weights: tuple[float, ...]

    @cached_property
    def _places(self) -> Array:
        places = np.array(self.layers)
        for j, (factor, length) in enumerate(zip(self.coordinates, self.lengths, strict=True)):
            column = np.log(places[:, j]) if factor.function == "log" else places[:, j]
            places[:, j] = column / length
        return places

    def values(self, table: TermTable) -> Array:
        """What the measured layers add to the logarithm of each layer, (n,)."""
        places = np.empty((table.rows, len(self.coordinates)))
        for j, (factor, length) in enumerate(zip(self.coordinates, self.lengths, strict=True)):
            places[:, j] = table[(factor,)] / length
        weights = np.array(self.weights)
        found = np.empty(table.rows)
        step = max(1, AT_ONCE // len(weights))
        for start in range(0, table.rows, step):
            part = likeness(places[start : start + step], self._places)
            part *= weights
            found[start : start + step] = part.sum(axis=1)
        return found

    def to_json(self) -> dict[str, object]:
        """The neighbours as JSON values: one line of feature values for each layer."""
        return {
            "coordinates": term_to_json(self.coordinates),
            "lengths": list(self.lengths),
            "layers": [" ".join(f"{value:.17g}" for value in layer) for layer in self.layers],
            "weights": list(self.weights),
        }


def neighbours_from_json(value: object) -> Neighbours | None:
    """The neighbours of ``to_json``, None for None; errors as of ``models.Model.from_json``."""
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise ValueError("a JSON object is needed")
    coordinates = term_from_json(value["coordinates"])
    if any(f.function not in ("log", "power") or f.argument != 1.0 for f in coordinates):
        raise ValueError("coordinates are features or their logarithms")
    lines = value["layers"]
    if not isinstance(lines, list) or not 0 < len(lines) <= MOST_LAYERS:
        raise ValueError(f"1 to {MOST_LAYERS} measured layers are needed")
    layers = tuple(_numbers([float(word) for word in line.split()]) for line in lines)
    lengths, weights = _numbers(value["lengths"]), _numbers(value["weights"])
    if {len(lengths), *map(len, layers)} != {len(coordinates)} or len(weights) != len(layers):
        raise ValueError("the measured layers and what belongs to them differ in length")
    if min(lengths, default=0.0) <= 0.0:
        raise ValueError("lengths are positive numbers")
    logs = [j for j, factor in enumerate(coordinates) if factor.function == "log"]
    if any(layer[j] <= 0.0 for layer in layers for j in logs):
        raise ValueError("logarithms need positive features")
    return Neighbours(coordinates, lengths, layers, weights)


def _numbers(values: object) -> tuple[float, ...]:
    if not isinstance(values, list):
        raise ValueError("a list of numbers is needed")
    found = []
    for value in values:
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not math.isfinite(value)
        ):
            raise ValueError(f"{value!r} is given where a finite number is needed")
        found.append(float(value))
    return tuple(found)
