"""A subset of configurations that fills their space: each next one is the farthest of all."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy

from neuralpower.core.configuration import CONFIGURATION_COLUMNS, Configuration

_SIZES = [c for c in CONFIGURATION_COLUMNS if c not in ("family", "pool_method")]


def spread(layers: Mapping[str, Configuration], share: float) -> list[str]:
    """Keys of ``ceil(share n)`` configurations of every family, the same on every machine.

    Distances are between logarithms of the sizes, each column scaled by its spread.
    """
    chosen: list[str] = []
    for family in sorted({c.family for c in layers.values()}):
        keys = sorted(k for k, c in layers.items() if c.family == family)
        wanted = math.ceil(share * len(keys))
        if wanted < 1:
            continue
        values = [[math.log1p(getattr(layers[k], name)) for name in _SIZES] for k in keys]
        points = numpy.array(values, dtype=float)
        scale = points.std(axis=0)
        points = (points - points.mean(axis=0)) / numpy.where(scale > 0, scale, 1.0)
        # Begin in the middle; ties go to the first key.
        nearest = int(numpy.argmin((points**2).sum(axis=1)))
        taken = [nearest]
        gaps = ((points - points[nearest]) ** 2).sum(axis=1)
        while len(taken) < wanted:
            gaps[taken] = -1.0
            far = int(numpy.argmax(gaps))
            taken.append(far)
            gaps = numpy.minimum(gaps, ((points - points[far]) ** 2).sum(axis=1))
        chosen += [keys[i] for i in taken]
    return chosen
