"""After how many measurements more will not help: a power law through a learning curve."""

from __future__ import annotations

import math

import pytest

from neuralpower.scoring.outlook import Outlook, outlooks


def curve(errors: dict[int, list[float]], target: str = "runtime_ms") -> list[dict[str, object]]:
    return [
        {"family": "conv", "target": target, "configurations": n, "draw": i, "mape": error}
        for n, draws in errors.items()
        for i, error in enumerate(draws)
    ]


def test_the_law_is_found_and_says_where_to_end() -> None:
    """An error of 100 / sqrt(n): at 100 layers 10 %, twice as many take 2.9 points off."""
    rows = curve({n: [100 / math.sqrt(n)] * 3 for n in (25, 50, 100)})
    [found] = outlooks(rows)
    assert found.configurations == 100
    assert [found.error, found.slope] == pytest.approx([10.0, 0.5])
    assert list(found.ends) == pytest.approx([2.93, 2.93], abs=0.01)
    # 10 sqrt(100 / n) (1 - 1 / sqrt 2) = 1 at n = 858.
    assert found.enough == 858
    assert found.text() == (
        "conv: 100 layers, 10 % off on average; twice as many: 2.9 to 2.9 points less; "
        "more than about 860 will not help"
    )


def test_a_flat_curve_says_that_more_will_not_help() -> None:
    [found] = outlooks(curve({25: [8.0, 8.1, 7.9], 50: [8.0, 7.9, 8.1], 100: [8.0]}))
    assert found.enough == 100
    assert "more will not help (twice as many: less than 1 point)" in found.text()


def test_draws_that_differ_by_more_than_they_fall_say_that_nothing_can_be_seen() -> None:
    [found] = outlooks(curve({25: [40.0, 12.0, 25.0], 50: [30.0, 11.0, 22.0], 100: [20.0]}))
    low, high = found.ends
    assert low == 0.0
    assert high > 1.0
    assert "cannot be seen yet" in found.text()


def test_a_law_is_not_followed_beyond_twenty_times_what_was_measured() -> None:
    far = Outlook("conv", 30, 60.0, 0.2, 0.01)
    assert far.enough is None
    assert far.text().endswith("no end is in sight")


@pytest.mark.parametrize(
    "rows",
    [[], curve({25: [3.0]}), curve({25: [3.0] * 5}), curve({25: [3, 4], 50: [3, 2]}, "power_w")],
)
def test_too_little_says_nothing(rows: list[dict[str, object]]) -> None:
    assert outlooks(rows) == []
