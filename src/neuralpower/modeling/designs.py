"""Which configurations to measure next: those from which the most is learnt about all others.

What is not known of a layer is taken as a Gaussian process over the logarithms of its sizes and
work (Matern 3/2). Its size comes from the given models: the width of their intervals there, and
how far they disagree. One after another the configuration is taken whose measurement lowers the
sum of all variances most (integrated variance: Cohn, 1996), which is a farthest-point design
where nothing is known yet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from neuralpower.modeling.features import Array, Columns, FeatureTable
from neuralpower.modeling.models import ModelSet
from neuralpower.modeling.terms import log_of
from neuralpower.modeling.vocabularies import varying, vocabulary

#: Configurations of a family that a design looks at; the covariance of all is kept.
MOST = 2000
#: The fewest of a family that a model can be fitted on.
FEWEST = 5
#: A measurement's variance as a share of the mean prior variance.
NOISE = 0.02
#: What is not known without a model: a factor of e, two standard deviations.
UNKNOWN = 0.5
#: Half the width of a 90 % interval in standard deviations.
_HALF = 1.645


def most_informative(columns: Columns, family: str, count: int, given: Sequence[ModelSet]) -> Array:
    """Places of ``count`` of n configurations of a family, (count,), the most informative first.

    ``columns``: configuration columns, arrays of (n,); the first ``MOST`` rows are looked at.
    """
    n = min(len(columns["batch"]), MOST)
    looked_at = {name: values[:n] for name, values in columns.items()}
    prior = unknown(looked_at, family, given)
    covariance = prior[:, None] * prior[None, :] * _correlation(looked_at, family)
    noise = NOISE * float(np.mean(prior**2))
    left = np.ones(n, dtype=bool)
    found: list[int] = []
    while len(found) < min(count, n):
        gain = (covariance**2).sum(axis=0) / (np.diag(covariance) + noise)
        best = int(np.argmax(np.where(left, gain, -1.0)))
        found.append(best)
        left[best] = False
        row = covariance[best]
        covariance = covariance - np.outer(row, row) / (row[best] + noise)
    return np.array(found, dtype=np.int64)


def unknown(columns: Columns, family: str, given: Sequence[ModelSet]) -> Array:
    """Standard deviation of what is not known of each layer's ln(runtime), (n,)."""
    guesses = [
        model.predict(columns)
        for models in given
        if (model := models.get(family, "runtime_ms")) is not None
    ]
    n = len(columns["batch"])
    if not guesses:
        return np.full(n, UNKNOWN)
    logs = np.stack([np.log(guess.value) for guess in guesses])
    # Devices differ by a factor, which a few layers tell: only the rest is disagreement.
    apart = (logs - np.median(logs, axis=1, keepdims=True)).var(axis=0)
    width = np.stack([np.log(guess.hi / guess.lo) / (2.0 * _HALF) for guess in guesses])
    return np.asarray(np.sqrt(apart + (width**2).mean(axis=0)))


def shares(sizes: Mapping[str, int], count: int) -> dict[str, int]:
    """How many of ``count`` each family gets: in proportion to its rows, ``FEWEST`` at least.

    No family gets more than it has; with too little for all, those with the most rows come first.
    """
    found = dict.fromkeys(sizes, 0)
    order = sorted(sizes, key=lambda name: (-sizes[name], name))
    left = count
    for name in order:
        found[name] = min(FEWEST, sizes[name]) if left >= min(FEWEST, sizes[name]) else 0
        left -= found[name]
    for _ in range(max(left, 0)):
        open_ = [name for name in order if found[name] < sizes[name]]
        if not open_:
            break
        # The one that is farthest behind its share (d'Hondt).
        found[max(open_, key=lambda name: sizes[name] / (found[name] + 1))] += 1
    return found


def _correlation(columns: Columns, family: str) -> Array:
    """Matern 3/2 over standardised logarithms, scaled by the median distance: (n, n)."""
    table = FeatureTable(columns, family)
    words = vocabulary(family)
    names = dict.fromkeys((*words.sizes, *words.scales[:2]))
    logs = [log_of(table, name) for name in varying(table, tuple(names))]
    logs += [table[name] for name in varying(table, (*words.flags, *words.regimes))]
    if not logs:
        return np.ones((table.rows, table.rows))
    places = np.stack(logs, axis=1)
    places = (places - places.mean(axis=0)) / places.std(axis=0)
    squares = (places**2).sum(axis=1)
    distance = np.sqrt(np.maximum(squares[:, None] + squares - 2.0 * places @ places.T, 0.0))
    typical = float(np.median(distance)) or 1.0
    scaled = np.sqrt(3.0) * distance / typical
    return np.asarray((1.0 + scaled) * np.exp(-scaled))
