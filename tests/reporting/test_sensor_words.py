"""What the page of measurements says of a sensor: every line and cell, from facts by hand."""

from __future__ import annotations

from typing import Any

import pytest

from neuralpower.records.manifest import Manifest
from neuralpower.reporting.sensor_section import sensor_section

STEP = {
    "idle_w": 70.0, "heavy_w": 500.0, "light_w": 151.5, "period_ms": 100.04, "rise_ms": 180.0,
    "tau_s": 0.9, "noise_relative_sd": 0.00123, "published": [],
}  # fmt: skip
BOARD: dict[str, Any] = {
    "power": {"measured": True, "reason": ""},
    "board": {
        "steps": [STEP, STEP | {"period_ms": 99.9, "idle_w": None}],
        "averaging_window_ms": 25.0,
        "counter_integrates_all_time": True,
        "duty_cycles": [
            {"period_ms": 80.0, "expected_w": 200.0, "publications_w": 210.0, "counter_w": 198.0},
            {"period_ms": 100.0, "expected_w": None, "publications_w": 210.0, "counter_w": None},
        ],
        "warm_up": {"converged": True, "seconds": 41.5, "power_w": 503.21},
    },
    "interference": {
        "poll_20_ms": {"slower_by": 0.0012}, "poll_5_ms": {"slower_by": 0.0234}, "slower_by": 1.05,
    },
    "clock": {"smallest_step_ns": 40, "median_reading_ns": 55.0},
    "call_overhead_ms": 0.0042,
    "anchor": {"cv": 0.0123, "median_ms": 1.23456},
    "sensors": [
        {"meter": "nvml", "available": True, "domain": "board", "reason": None},
        {"meter": "rapl", "available": False, "domain": None, "reason": "no counters"},
    ],
}  # fmt: skip
NOT_CHARACTERISED = "The sensor itself was not characterised (no characterise.json here)."


def test_every_fact_of_a_sensor() -> None:
    assert dict(sensor_section(BOARD, Manifest())["facts"]) == {
        "Publication period": "100 and 99.9 ms",
        "Averaging window": "25 ms",
        "Rise to 90 % of a step": "180 and 180 ms",
        "Time constant after the step": "0.9 and 0.9 s",
        "Noise from one publication to the next": "0.123 and 0.123 %",
        "Idle, heavy load, light load": "70 W, 500 W, 151.5 W; not known W, 500 W, 151.5 W",
        "Warm-up": "steady after 41.5 s at 503.2 W",
        "Sampler every 20 ms": "a short graph runs slower by 0.12 %",
        "Sampler every 5 ms": "a short graph runs slower by 2.34 %",
        "Clock": "steps of 40 ns, a reading costs 55 ns",
        "A call by itself": "4.2 us (the smallest layer)",
        "Anchor, before the run": "1.235 ms, coefficient of variation 1.2%",
        "Beside a busy process": "the anchor runs slower by 105 %",
    }


@pytest.mark.parametrize(("converged", "said"), [
    (True, "steady"), (False, "not steady"), (None, "not watched"),
])  # fmt: skip
def test_how_a_warm_up_ended(converged: bool | None, said: str) -> None:
    board = {"board": {"warm_up": {"converged": converged, "seconds": 3, "power_w": 0}}}
    assert dict(sensor_section(board, Manifest())["facts"])["Warm-up"] == f"{said} after 3 s"


@pytest.mark.parametrize(("board", "said"), [
    ({}, [NOT_CHARACTERISED]),
    ({"power": {"reason": "no driver"}}, ["characterise found no working sensor: no driver."]),
    ({"power": {"reason": "no driver"}, "board": {"steps": [STEP]}}, []),
    ({"power": {"reason": ""}}, []),
])  # fmt: skip
def test_whether_the_sensor_is_known(board: dict[str, Any], said: list[str]) -> None:
    assert sensor_section(board, Manifest())["words"] == said


@pytest.mark.parametrize(("honest", "said"), [
    (True, "The energy counter integrates all of the time"),
    (False, "The energy counter does not give the energy"),
])  # fmt: skip
def test_whether_the_counter_is_honest(honest: bool, said: str) -> None:
    (words,) = sensor_section({"board": {"counter_integrates_all_time": honest}}, Manifest())[
        "words"
    ]
    assert words.startswith(said)


def test_what_half_loads_took() -> None:
    table = sensor_section(BOARD, Manifest())["duty"]
    assert table is not None
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["80.0", "200", "210", "198", "5.00", "-1.00"],
        ["100", "", "210", "", "", ""],
    ]
    assert sensor_section({"board": {"duty_cycles": []}}, Manifest())["duty"] is None


def test_which_meters_were_looked_for() -> None:
    table = sensor_section(BOARD, Manifest())["meters"]
    assert table is not None
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["nvml", "works", "board"],
        ["rapl", "not here", "no counters"],
    ]
