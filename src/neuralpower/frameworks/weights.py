"""Where a layer's parameters come from: seeded random numbers, or the blobs of a .caffemodel.

Random parameters are never zero and keep activations finite and far from denormals through our
deepest networks, since zeros, infinities and denormals would change runtime and power.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy
from numpy.typing import NDArray

from neuralpower.core.errors import InputError

Array = NDArray[numpy.float32]


#: Normal numbers that are drawn for one array; a longer one repeats them. A prime, so that no
#: row or tile of a matrix falls on the same numbers.
DRAWN = 1_048_573


def normal(source: numpy.random.Generator, shape: Sequence[int], sd: float = 1.0) -> Array:
    """Normal float32 numbers with mean 0; beyond a million of them they repeat.

    Drawing all 138 million of VGG-16 would take longer than measuring it.
    """
    size = math.prod(shape)
    drawn = source.standard_normal(min(size, DRAWN), dtype=numpy.float32)
    drawn *= numpy.float32(sd)
    if size > DRAWN:
        values = numpy.empty(size, numpy.float32)
        for start in range(0, size, DRAWN):
            piece = values[start : start + DRAWN]
            piece[:] = drawn[: piece.size]
        drawn = values
    return drawn.reshape(tuple(shape))


class WeightSource(Protocol):
    """Gives the parameter ``index`` of a layer, as Caffe numbers its blobs."""

    def blob(self, owner: str, index: int, shape: Sequence[int], kind: str) -> Array:
        """The parameter as float32 of ``shape``; ``kind`` says what it is (see ``RandomWeights``).

        ``owner`` is the layer's name, or the name of a shared parameter.
        """
        ...


#: Bounds of the uniform parameters. A gain below one keeps sums of residual branches from growing
#: through 150 layers, and is large enough for 75 layers in a row.
_RANGES = {"slope": (0.1, 0.4), "gain": (0.5, 1.0), "variance": (0.5, 1.5)}


class RandomWeights:
    """Seeded random parameters that depend on the seed, the owner's name and the index only.

    Kinds: ``filter`` normal with variance 2 / fan-in (He et al. 2015, equation 10), ``bias``
    normal with sd 0.1, ``gain`` uniform in 0.5-1, ``mean`` normal with sd 0.1, ``variance``
    uniform in 0.5-1.5, ``slope`` uniform in 0.1-0.4, ``factor`` 1 (BatchNorm's running scale).
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def blob(self, owner: str, index: int, shape: Sequence[int], kind: str) -> Array:
        """As ``WeightSource.blob``."""
        source = numpy.random.default_rng([self.seed, zlib.crc32(owner.encode()), index])
        if kind == "filter":
            return normal(source, shape, math.sqrt(2.0 / max(1, math.prod(shape[1:]))))
        if kind in ("bias", "mean"):
            return normal(source, shape, 0.1)
        if kind == "factor":
            return numpy.ones(tuple(shape), numpy.float32)
        low, high = _RANGES[kind]
        values = source.random(tuple(shape), dtype=numpy.float32)
        # Arithmetic makes a plain number of an array without axes.
        return numpy.asarray(values * numpy.float32(high - low) + numpy.float32(low))


class GivenWeights:
    """The parameters of a trained model; a layer that it lacks gets random ones, as in Caffe.

    ``blobs``: layer name to its parameters in Caffe's order. ``filled`` lists the owners that
    had none, so that the caller can say so.
    """

    def __init__(self, blobs: Mapping[str, Sequence[Array]], seed: int, path: str = "") -> None:
        self.blobs = blobs
        self.path = path
        self.filled: list[str] = []
        self._random = RandomWeights(seed)

    def blob(self, owner: str, index: int, shape: Sequence[int], kind: str) -> Array:
        """As ``WeightSource.blob``; ``InputError`` when the element counts differ."""
        given = self.blobs.get(owner)
        if given is None:
            if owner not in self.filled:
                self.filled.append(owner)
            return self._random.blob(owner, index, shape, kind)
        if index >= len(given) or given[index].size != math.prod(shape):
            have = given[index].shape if index < len(given) else "nothing"
            raise InputError(
                f"layer {owner!r}: parameter {index} is {have}, the network needs {tuple(shape)}",
                path=self.path or None,
            )
        return numpy.ascontiguousarray(given[index], numpy.float32).reshape(tuple(shape))
