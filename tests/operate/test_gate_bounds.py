"""Each tolerance of the gate with the last figure that passes and the first that does not."""

from __future__ import annotations

import math

import pytest

from neuralpower.scoring.gate import Figures, Tolerances, compare


def verdict(
    part: str, figure: str, before: float | None, now: float, n: float | None = None
) -> str:
    key = (part, "x", "runtime_ms", figure)
    count = (part, "x", "runtime_ms", "n")
    beside: Figures = {} if n is None else {count: n}
    rows = compare(
        {key: now, **beside}, beside if before is None else {key: before, **beside}, Tolerances()
    )
    [found] = [row["verdict"] for row in rows if row["figure"] == figure]
    return str(found)


@pytest.mark.parametrize(
    ("part", "figure", "before", "passes", "fails", "why"),
    [
        # Small errors may rise by half a point, large ones by 5 per cent.
        ("layers", "rmspe", 4.0, 4.5, 4.501, "worse"),
        ("layers", "rmspe", 20.0, 21.0, 21.001, "worse"),
        ("summary", "mape", 4.0, 4.5, 4.501, "worse"),
        # One network's error by five points, or 5 per cent.
        ("networks", "error_percent", 9.0, 14.0, 14.001, "worse"),
        ("networks", "error_percent", 200.0, 210.0, 210.001, "worse"),
        # Two of a hundred measurements may be missing.
        *(("layers", name, 100.0, 98.0, 97.9, "fewer") for name in ("n", "visits")),
        *(("summary", name, 50.0, 49.0, 48.9, "fewer") for name in ("networks", "runs")),
        # The size of what was measured within a factor of ten, either way.
        ("layers", "magnitude", 10.0, 99.9, 100.1, "units"),
        ("layers", "magnitude", 10.0, 1.01, 0.99, "units"),
    ],
)
def test_tolerances(
    part: str, figure: str, before: float, passes: float, fails: float, why: str
) -> None:
    assert verdict(part, figure, before, passes) == "ok"
    assert verdict(part, figure, before, fails) == why


@pytest.mark.parametrize(("part", "bound"), [("layers", 85.0), ("summary", 60.0)])
@pytest.mark.parametrize("n", [4.0, 100.0, 10_000.0])
def test_coverage_may_miss_its_bound_by_two_standard_errors(
    part: str, bound: float, n: float
) -> None:
    share = bound / 100
    least = 100 * (share - 2 * math.sqrt(share * (1 - share) / n))
    assert Tolerances().least_coverage(part, n) == pytest.approx(least)
    assert verdict(part, "interval_coverage", 90.0, least + 0.01, n) == "ok"
    assert verdict(part, "interval_coverage", 90.0, least - 0.01, n) == "coverage"
    # Without a baseline too, and however the baseline was.
    assert verdict(part, "interval_coverage", None, least - 0.01, n) == "coverage"
    assert verdict(part, "interval_coverage", None, least + 0.01, n) == "new"


def test_two_standard_errors_of_a_hundred_layers_are_seven_points() -> None:
    assert Tolerances().least_coverage("layers", 100) == pytest.approx(77.859, abs=1e-3)
    assert Tolerances().least_coverage("summary", 4) == pytest.approx(11.010, abs=1e-3)


def test_an_error_is_better_from_a_thousandth_of_a_point_on() -> None:
    assert verdict("layers", "rmspe", 1.0, 1.0) == "ok"
    assert verdict("layers", "rmspe", 1.0, 0.9991) == "ok"
    assert verdict("layers", "rmspe", 1.0, 0.9989) == "better"
