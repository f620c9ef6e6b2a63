"""What a drawing shows: places follow values, marks say them, nothing leaves the plane."""

from __future__ import annotations

import re

import pytest

from neuralpower.reporting.charts import Axis, Chart, Scale, panels
from neuralpower.reporting.figures_platform import networks
from neuralpower.reporting.ticks import log_ticks, padded, round_ticks, thinned


def test_a_scale_places_values_and_keeps_what_is_beyond_at_its_end() -> None:
    scale = Scale((1.0, 100.0), (0.0, 200.0))
    assert [scale(v) for v in (1, 10, 100, 0.1, 1000)] == [0, 100, 200, 0, 200]
    turned = Scale((4, 0), (0.0, 100.0), log=False)
    assert [turned(v) for v in (4, 3, 0, 9)] == [0, 25, 100, 0]


def test_ticks_are_few_round_and_inside() -> None:
    assert log_ticks((0.5, 2000)) == [1, 10, 100, 1000]
    assert log_ticks((1.0, 6.0)) == [1, 3, 5]
    assert round_ticks((0.0, 43.0)) == [0, 10, 20, 30, 40]
    assert padded([1.0, 100.0], 0.5) == pytest.approx((0.1, 1000.0))
    assert list(thinned(10, 4)) == [0, 2, 5, 7]
    assert list(thinned(3, 4)) == [0, 1, 2]


def test_dots_stand_at_their_values_and_say_them() -> None:
    chart = Chart(200, 100)
    plane = chart.plane(Axis((0, 10), log=False), Axis((0, 1), log=False), (50, 10, 150, 90))
    plane.dots([(5, 0.25, "a <b>")], "red")
    svg = str(chart.svg("some dots"))
    assert '<circle cx="100" cy="70"><title>a &lt;b&gt;</title></circle>' in svg
    assert 'aria-label="some dots"' in svg


def test_alike_dots_of_a_cloud_are_drawn_once() -> None:
    chart = Chart(200, 100)
    plane = chart.plane(Axis((0, 10), log=False), Axis((0, 1), log=False), (50, 10, 150, 90))
    plane.cloud([(5, 0.5), (5, 0.5), (10, 1)], "red")
    assert 'd="m100 50h0m50-40h0"' in str(chart.svg("a cloud"))


def test_panels_are_drawings_of_their_own_that_are_named() -> None:
    svg = str(panels("p", "errors", "caption", {"conv": Chart(10, 10), "fc": Chart(10, 10)}).svg)
    assert re.findall(r'aria-label="([^"]*)"', svg) == ["errors: conv", "errors: fc"]


def test_the_figure_of_networks_has_the_ratios_of_the_scores() -> None:
    score = {"batch": 4, "measured": 10.0, "predicted": 12.0, "lo": 9.0, "hi": 15.0,
             "baselines": {"roofline": 5.0}}  # fmt: skip
    picture = networks([{"network": "a", **score}, {"network": "b", **score}], "runtime_ms")
    assert picture is not None
    texts = re.findall(r"<title>([^<]*)</title>", str(picture.svg))
    assert texts.count("a, batch 4: 1.20 of the measurement") == 1
    assert texts.count("b, batch 4, roofline: 0.500") == 1
