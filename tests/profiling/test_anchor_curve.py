"""Drift that is there is taken out, drift that is not there is not put in."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuralpower.records.anchor_curve import Point, anchor_curve


def anchors(drift: Callable[[float], float], noise: float, seed: int, n: int = 30) -> list[Point]:
    source = numpy.random.default_rng(seed)
    return [
        (12.0 * i, 5.0 * drift(i / (n - 1)) * (1 + noise * float(source.standard_normal())))
        for i in range(n)
    ]


@pytest.mark.parametrize(
    "drift",
    [
        lambda x: 1 + 0.03 * x,
        lambda x: 1 + 0.02 * math.exp(-5 * x),
        lambda x: 1 + 0.015 * math.sin(2 * math.pi * x),
    ],
    ids=["line", "settling", "wave"],
)
def test_drift_is_taken_out_of_other_visits(drift: Callable[[float], float]) -> None:
    before, after = [], []
    for seed in range(10):
        curve = anchor_curve(anchors(drift, 0.002, seed))
        assert curve is not None
        assert curve.span > 0
        places = [3.0 + 7 * i for i in range(49)]
        true = 2.0
        seen = [true * drift(place / 348) for place in places]
        left = [curve.corrected(p, v) for p, v in zip(places, seen, strict=True)]
        before.append(statistics.pstdev(seen) / true)
        after.append(statistics.pstdev(left) / true)
    assert statistics.fmean(after) < 0.35 * statistics.fmean(before)


def test_noise_alone_gives_a_flat_curve() -> None:
    flat = 0
    for seed in range(40):
        curve = anchor_curve(anchors(lambda x: 1.0, 0.004, seed))
        assert curve is not None
        flat += curve.span == 0
        assert abs(curve.factor(100) - 1) < 0.006
        assert 0.002 < curve.residual < 0.006
    assert flat >= 36


def test_one_wild_anchor_bends_little() -> None:
    points = anchors(lambda x: 1.0, 0.001, 3)
    points[12] = (points[12][0], 1.1 * points[12][1])
    curve = anchor_curve(points)
    assert curve is not None
    assert abs(curve.factor(20) - 1) < 0.005


def test_few_anchors_tell_nothing() -> None:
    assert anchor_curve(anchors(lambda x: 1 + x, 0.0, 1, n=4)) is None
    assert anchor_curve([]) is None
    assert anchor_curve([(1.0, 2.0)] * 9) is None


def test_beyond_the_anchors_the_nearest_level_holds() -> None:
    curve = anchor_curve(anchors(lambda x: 1 + 0.05 * x, 0.0005, 2))
    assert curve is not None
    assert curve.level(1e6) == curve.level(curve.anchors[-1][0])
    assert curve.level(-1e6) == curve.level(0)


@settings(max_examples=40, deadline=None)
@given(st.floats(0.01, 100), st.floats(-0.05, 0.05), st.integers(0, 1000))
def test_the_unit_of_the_level_does_not_matter(scale: float, slope: float, seed: int) -> None:
    points = anchors(lambda x: 1 + slope * x, 0.001, seed, n=12)
    one = anchor_curve(points)
    other = anchor_curve([(place, scale * level) for place, level in reversed(points)])
    assert one is not None
    assert other is not None
    assert other.span == one.span
    for place in (0.0, 31.0, 132.0):
        assert other.factor(place) == pytest.approx(one.factor(place), rel=1e-9)
