"""Figures read back: what the labels of the axes say about the places of dots, lines and bars."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import pytest

from neuralpower.reporting import figures_network, figures_platform
from neuralpower.reporting.charts import Picture

_POWERS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
_LABEL = re.compile(r'<text x="([-\d.]+)" y="([-\d.]+)">([^<]*)</text>')


def value_of(label: str) -> float:
    """The number that a tick's label means."""
    if label.startswith(("÷", "×")):
        factor = float(label[1:])
        return 1 / factor if label[0] == "÷" else factor
    power = re.fullmatch(r"(?:(\d)·)?10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)", label)
    if power:
        return float(f"{power[1] or 1}e{power[2].translate(_POWERS)}")
    return float(label)


@dataclass
class Axis:
    """Places in pixels to values, from two ticks; all ticks must agree, on one of two scales."""

    ticks: list[tuple[float, float]]

    def __post_init__(self) -> None:
        (a, low), (b, high) = self.ticks[0], self.ticks[-1]
        middle = self.ticks[len(self.ticks) // 2]
        self.log = False
        straight = low + (middle[0] - a) / (b - a) * (high - low)
        if len(self.ticks) > 2 and abs(straight - middle[1]) > 0.02 * abs(high - low):
            self.log = True
        self.ends = (a, low, b, high)
        for place, value in self.ticks:
            assert self(place) == pytest.approx(value, rel=0.03, abs=0.03 * abs(high - low))

    def __call__(self, place: float) -> float:
        a, low, b, high = self.ends
        share = (place - a) / (b - a)
        if self.log:
            return math.exp(math.log(low) + share * (math.log(high) - math.log(low)))
        return low + share * (high - low)


class Drawing:
    """One plane of an SVG text with its dots, rings and lines in the axes' own units."""

    def __init__(self, svg: str, *, log: tuple[bool, bool] | None = None) -> None:
        self.svg = svg
        groups = re.findall(r'<g text-anchor="(middle|end)">(.*?)</g>', svg, re.S)
        x, y = (
            [(float(place[i]), place[2]) for place in _LABEL.findall(text)]
            for i, text in enumerate(text for _, text in groups[:2])
        )
        self.x = Axis([(place, value_of(label)) for place, label in x])
        # Labels of the vertical axis are 4 pixels below their line; names are places of rows.
        names = not all(re.match(r"[\d÷×.]", label) for _, label in y) or not y
        self.y = (
            Axis([(place - 4, value_of(label)) for place, label in y])
            if not names
            else (lambda place: place)
        )
        if log is not None:
            self.x.log = log[0]
            if isinstance(self.y, Axis):
                self.y.log = log[1]

    def dots(self) -> dict[str, tuple[float, float]]:
        """What each dot says, and where it is."""
        found = re.findall(
            r'<circle [^>]*?cx="([-\d.]+)" cy="([-\d.]+)"[^>]*><title>([^<]*)</title>', self.svg
        )
        return {text: (self.x(float(x)), self.y(float(y))) for x, y, text in found}

    def cloud(self) -> list[tuple[float, float]]:
        """The dots of a cloud."""
        places, x, y = [], 0.0, 0.0
        for path in re.findall(r'class="cloud" d="([^"]*)"', self.svg):
            for step in re.findall(r"m(-?\d+) ?(-?\d+)h0", path):
                x, y = x + float(step[0]), y + float(step[1])
                places.append((self.x(x), self.y(y)))
        return places

    def lines(self, kind: str) -> list[list[tuple[float, float]]]:
        """The points of each line of a class: a place, then steps."""
        found = []
        for path in re.findall(rf'<path class="{kind}" d="([^"]*)"', self.svg):
            numbers = [float(text) for text in re.findall(r"-?[\d.]+", path)]
            xs, ys = accumulate(numbers[::2]), accumulate(numbers[1::2])
            found.append([(self.x(x), self.y(y)) for x, y in zip(xs, ys, strict=True)])
        return found


def drawings(picture: Picture | None, **options: Any) -> list[Drawing]:
    assert picture is not None
    return [Drawing(svg, **options) for svg in re.findall(r"<svg.*?</svg>", str(picture.svg), re.S)]


def near(*point: float) -> tuple[Any, ...]:
    """A place, to about a pixel."""
    return tuple(pytest.approx(value, rel=0.04) for value in point)


def total(batch: int, ms: float, mj: float) -> dict[str, Any]:
    return {
        "batch": batch, "runtime_ms": ms, "runtime_ms_lo": 0.8 * ms, "runtime_ms_hi": 1.3 * ms,
        "energy_mj": mj, "energy_mj_lo": 0.7 * mj, "energy_mj_hi": 1.2 * mj,
    }  # fmt: skip


def test_cost_of_an_image_against_the_batch_size() -> None:
    rows = [total(1, 4.0, 300.0), total(8, 16.0, 1600.0), total(64, 96.0, 11_000.0)]
    runtime, energy = drawings(figures_network.per_image({"board": rows}), log=(True, True))
    assert runtime.dots() == {
        "board, batch 1: 4.00 ms per image": near(1, 4.0),
        "board, batch 8: 2.00 ms per image": near(8, 2.0),
        "board, batch 64: 1.50 ms per image": near(64, 1.5),
    }
    assert runtime.lines("line") == [[near(1, 4.0), near(8, 2.0), near(64, 1.5)]]
    band = runtime.lines("band")[0]
    assert band == [near(1, 5.2), near(8, 2.6), near(64, 1.95),
                    near(64, 1.2), near(8, 1.6), near(1, 3.2)]  # fmt: skip
    assert energy.dots()["board, batch 8: 200 mJ per image"] == near(8, 200)
    assert ">ms per image<" in runtime.svg
    assert ">mJ per image<" in energy.svg


def layer(index: int, name: str, macs: int, ms: float, share: float) -> dict[str, Any]:
    return {"index": index, "name": name, "family": "conv", "batch": 1, "macs": macs,
            "runtime_ms": ms, "runtime_share": share, "energy_share": None}  # fmt: skip


def test_a_roofline_has_its_roof_and_layers_in_the_units_of_the_axes() -> None:
    layers = [
        {"index": i, "batch": 1, "input_elements": 1000, "output_elements": 1000,
         "weight_elements": 500} for i in range(3)
    ]  # fmt: skip
    rows = [
        layer(0, "wide", 10_000_000, 1.0, 0.9),
        layer(1, "thin", 20_000, 0.05, 0.05),
        layer(2, "small", 100_000, 0.1, 0.001),
    ]
    manifest = {"peak_gflops": 40.0, "bandwidth_gb_s": 0.5}
    (drawn,) = drawings(
        figures_network.roofline(layers, {"board": (rows, manifest)}), log=(True, True)
    )
    # 2500 elements of 4 bytes: 10^7 MACs are 1000 a byte; 10^7 MACs in 1 ms are 10 x 10^9 a second.
    assert drawn.dots() == {"wide: 10.0": near(1000, 10), "thin: 0.400": near(2, 0.4)}
    assert drawn.cloud() == [near(10, 1)]
    # Two operations are one MAC: the roof is flat at 20 x 10^9 MACs a second, from 40 MACs a byte.
    left, corner, right = drawn.lines("line roof")[0]
    assert corner == near(40, 20)
    assert right[1] == pytest.approx(20, rel=0.04)
    assert left == near(left[0], 0.5 * left[0])
    assert left[0] < 2
    assert right[0] > 1000


def test_bars_of_a_breakdown_are_as_long_as_their_shares() -> None:
    rows = [
        {"index": 0, "name": "a", "family": "conv", "runtime_share": 0.8, "energy_share": 0.5},
        {"index": 1, "name": "b", "family": "pool", "runtime_share": 0.2, "energy_share": 0.5},
    ]
    (drawn,) = drawings(figures_network.breakdown("board", rows))
    bars = {
        text: drawn.x(float(x) + float(wide)) for x, wide, text in re.findall(
            r'<rect x="([\d.]+)" y="[\d.]+" width="([\d.]+)"[^>]*><title>([^<]*)</title>', drawn.svg
        )
    }  # fmt: skip
    assert bars == {
        "runtime 80.0 %": pytest.approx(80, abs=0.5), "energy 50.0 %": pytest.approx(50, abs=0.5),
        "runtime 20.0 %": pytest.approx(20, abs=0.5),
    }  # fmt: skip
    starts = {float(x) for x in re.findall(r'<rect x="([\d.]+)" y="[\d.]+" width', drawn.svg)}
    assert any(drawn.x(start) == pytest.approx(0, abs=0.2) for start in starts)
    assert not drawn.x.log


FOLDS = {
    "conv": [
        {"measured": 1.0, "predicted": 1.1, "lo": 0.9, "hi": 1.4},
        {"measured": 10.0, "predicted": 8.0, "lo": 6.0, "hi": 12.0},
        {"measured": 100.0, "predicted": 130.0, "lo": 90.0, "hi": 160.0},
    ]
}


def test_dots_of_predicted_against_measured() -> None:
    (drawn,) = drawings(figures_platform.scatter(FOLDS, "runtime_ms"), log=(True, True))
    assert drawn.cloud() == [near(1, 1.1), near(10, 8), near(100, 130)]
    (low, high) = drawn.lines("line thin")[0]
    assert low[0] == pytest.approx(low[1], rel=0.03)
    assert high[0] == pytest.approx(high[1], rel=0.03)
    assert "conv, n = 3" in drawn.svg
    assert ">measured, ms<" in drawn.svg


def test_ratios_are_labelled_on_either_side_of_one() -> None:
    (drawn,) = drawings(figures_platform.residuals(FOLDS, "runtime_ms"), log=(True, True))
    assert isinstance(drawn.y, Axis)
    assert [label for _, _, label in _LABEL.findall(drawn.svg) if label[0] in "÷×"] == [
        "÷1.5", "÷1.2", "×1.2", "×1.5"
    ]  # fmt: skip
    assert drawn.cloud() == [near(1.1, 1 / 1.1), near(8, 1.25), near(130, 1 / 1.3)]
    level, low, high = drawn.lines("line thin")
    assert [y for _, y in level] == [pytest.approx(1, rel=0.01)] * 2
    assert low == [near(1.1, 0.9 / 1.1), near(8, 0.75), near(130, 90 / 130)]
    assert high == [near(1.1, 1.4 / 1.1), near(8, 1.5), near(130, 160 / 130)]


def test_ratios_of_networks_are_at_their_values() -> None:
    entry = {"batch": 4, "measured": 10.0, "predicted": 12.0, "lo": 9.0, "hi": 15.0,
             "baselines": {"roofline": 5.0}}  # fmt: skip
    entries = [{"network": "a", **entry}, {"network": "b", **entry, "predicted": 8.0}]
    (drawn,) = drawings(figures_platform.networks(entries, "runtime_ms"))
    drawn.x.log = True
    dots = {text: x for text, (x, _) in drawn.dots().items()}
    assert dots == {
        "a, batch 4: 1.20 of the measurement": pytest.approx(1.2, rel=0.02),
        "a, batch 4, roofline: 0.500": pytest.approx(0.5, rel=0.02),
        "b, batch 4: 0.800 of the measurement": pytest.approx(0.8, rel=0.02),
        "b, batch 4, roofline: 0.500": pytest.approx(0.5, rel=0.02),
    }
    ends = [[x for x, _ in line] for line in drawn.lines("line thin")]
    assert ends[0] == [pytest.approx(1, rel=0.02)] * 2
    assert ends[1] == [pytest.approx(0.9, rel=0.02), pytest.approx(1.5, rel=0.02)]


def test_the_curve_of_learning_has_the_mean_of_the_draws() -> None:
    rows = [
        {"target": "runtime_ms", "family": "conv", "configurations": n, "rmspe": error}
        for n, errors in ((50, (30.0, 50.0)), (200, (20.0,)), (800, (10.0,))) for error in errors
    ]  # fmt: skip
    rows.append({"target": "power_w", "family": "conv", "configurations": 50, "rmspe": 1.0})
    (drawn,) = drawings(figures_platform.learning(rows), log=(True, True))
    assert drawn.dots() == {
        "50 configurations: 40.0 %": near(50, 40),
        "200 configurations: 20.0 %": near(200, 20),
        "800 configurations: 10.0 %": near(800, 10),
    }
