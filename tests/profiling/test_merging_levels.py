"""Levels of runs and boards against one another, from what they measured in common."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuralpower.records.merging.levels import relative_levels


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.floats(0.9, 1.1), min_size=2, max_size=4),
    st.integers(4, 12),
    st.integers(0, 10_000),
)
def test_levels_are_found_within_their_interval(
    gains: list[float], configurations: int, seed: int
) -> None:
    dice = np.random.default_rng(seed)
    units = [f"u{i}" for i in range(len(gains))]
    values: dict[Any, dict[str, list[float]]] = {}
    for c in range(configurations):
        base = float(dice.uniform(100, 500))
        seen = dice.permutation(len(gains))[: int(dice.integers(2, len(gains) + 1))]
        noise = dice.normal(0, 1e-4, len(gains))
        values[c] = {units[i]: [base * gains[i] * math.exp(noise[i])] for i in seen}
    found = relative_levels(values, units)
    known = [u for u in units if found[u].factor is not None]
    for one, other in itertools.combinations(known, 2):
        if len(known) == len(units) == 2 or all(
            units[0] in v and one in v for v in values.values()
        ):
            ratio = gains[units.index(one)] / gains[units.index(other)]
            measured = (found[one].factor or 0) / (found[other].factor or 1)
            assert measured == pytest.approx(ratio, rel=2e-3)
    shuffled = {c: dict(reversed(list(own.items()))) for c, own in reversed(list(values.items()))}
    assert relative_levels(shuffled, units[::-1]) == found


def test_units_without_anything_in_common_have_no_level() -> None:
    found = relative_levels({1: {"a": [1.0]}, 2: {"b": [2.0]}}, ["a", "b"])
    assert [found[u].factor for u in "ab"] == [None, None]
    assert found["a"].reason == "no configuration in common"
    alone = relative_levels({1: {"a": [1.0, 1.02], "b": [1.1]}}, ["a", "b"])
    assert alone["b"].factor == pytest.approx(math.sqrt(1.1 / math.sqrt(1.02)))
    assert alone["b"].lo is not None
