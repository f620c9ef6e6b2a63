"""Grids: exact, inside their ends, uniform in the logarithm."""

from __future__ import annotations

import hashlib
from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuralpower.sweep.grids import LOG_CELLS, log_grid, pick, weighted_grid


@given(st.integers(1, 5000), st.integers(0, 50_000))
def test_a_log_grid_rises_between_its_ends(low: int, span: int) -> None:
    grid = log_grid(low, low + span)
    assert len(grid) == LOG_CELLS
    assert low <= grid[0] <= 1.01 * low
    assert 0.99 * (low + span) <= grid[-1] <= low + span
    assert list(grid) == sorted(grid)


def test_a_log_grid_is_uniform_in_the_logarithm() -> None:
    grid = log_grid(1, 255)
    for power in range(8):
        inside = sum(1 for value in grid if 2**power <= value < 2 ** (power + 1))
        assert inside == LOG_CELLS // 8
    assert grid.count(3) / LOG_CELLS == pytest.approx(log(4 / 3) / log(256), abs=1 / LOG_CELLS)


def test_a_log_grid_has_the_same_cells_everywhere() -> None:
    text = ",".join(str(value) for value in log_grid(3, 2048))
    digest = hashlib.sha256(text.encode()).hexdigest()
    assert digest[:16] == "12b9bc1df12c28a1"


@pytest.mark.parametrize(("low", "high"), [(0, 4), (5, 4)])
def test_a_log_grid_needs_a_range(low: int, high: int) -> None:
    with pytest.raises(ValueError, match="low <= high"):
        log_grid(low, high)


@given(st.integers(1, 4096), st.integers(0, 2**30 - 1))
def test_pick_is_exact_for_sobol_points(cells: int, point: int) -> None:
    assert pick(range(cells), point / 2**30) == point * cells >> 30


def test_weights_are_cells() -> None:
    assert weighted_grid({"same": 2, "valid": 0, "any": 1}) == ("same", "same", "any")
