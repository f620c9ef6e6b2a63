"""The Jetson's power monitor on fake hwmon trees."""

from __future__ import annotations

from pathlib import Path

import pytest

from neuralpower.profiling.power.ina3221 import Ina3221Meter


def board(root: Path, labels: dict[int, str], name: str = "ina3221") -> Path:
    folder = root / "hwmon3"
    folder.mkdir(parents=True)
    (folder / "name").write_text(f"{name}\n")
    for number, label in labels.items():
        (folder / f"in{number}_label").write_text(f"{label}\n")
        (folder / f"in{number}_input").write_text("5000\n")
        (folder / f"curr{number}_input").write_text(f"{number * 1000}\n")
    return folder


def test_the_board_input_is_found_and_read(tmp_path: Path) -> None:
    folder = board(tmp_path, {1: "VDD_CPU_GPU_CV", 2: "VDD_IN", 3: "VDD_SOC"})
    times = iter(range(0, 10**10, 10**8))
    meter = Ina3221Meter(tmp_path, lambda: next(times))
    assert meter.available().ok
    assert meter.info.domain == "VDD_IN"
    meter.start()
    for milliamperes in (2000, 2010, 1990, 2005, 1995) * 4:
        (folder / "curr2_input").write_text(f"{milliamperes}\n")
        meter.read()
    stats = meter.window(0, 2 * 10**9)
    assert stats.mean_w == pytest.approx(10, rel=2e-3)
    assert stats.publications == 19
    assert stats.flags == ()


def test_a_channel_that_goes_away_gives_none(tmp_path: Path) -> None:
    folder = board(tmp_path, {1: "VDD_IN"})
    meter = Ina3221Meter(tmp_path)
    meter.start()
    (folder / "curr1_input").unlink()
    assert meter.read() is None
    assert meter.window(0, 2**62).mean_w is None
    assert "cannot be read" in meter.available().reason


@pytest.mark.parametrize("name", ["ina3221", "k10temp"])
def test_without_a_board_input_it_says_so(tmp_path: Path, name: str) -> None:
    board(tmp_path, {1: "VDD_SOC"} if name == "ina3221" else {1: "VDD_IN"}, name)
    state = Ina3221Meter(tmp_path).available()
    assert not state.ok
    assert "no INA3221 with a board input" in state.reason
