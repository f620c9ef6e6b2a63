"""The seeded data that a layer or a network is fed: the same numbers for every framework."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy
from numpy.typing import NDArray

from neuralpower.caffe.shapes import Shape
from neuralpower.frameworks.weights import normal


@dataclass(frozen=True, slots=True)
class InputSpec:
    """An input: float32 normal numbers, or whole numbers below ``classes`` (as float32).

    ``text`` says in an exported model which layer the input is.
    """

    name: str
    shape: Shape
    classes: int | None = None
    text: str = ""


def random_input(spec: InputSpec, seed: int, number: int = 0) -> NDArray[numpy.float32]:
    """Seeded data of one input: normal numbers, or whole numbers where the input holds labels.

    ``number``: that of the set of buffers.
    """
    source = numpy.random.default_rng([seed, zlib.crc32(spec.name.encode()), number, 1])
    if spec.classes is not None:
        return source.integers(0, spec.classes, spec.shape).astype(numpy.float32)
    return normal(source, spec.shape)
