"""The Jetson's power monitor on fake hwmon trees."""

from __future__ import annotations

from pathlib import Path

import pytest
from neuralpower_ina3221 import Ina3221Meter


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


def test_agx_orin_has_no_channel_for_all_so_its_rails_are_summed(tmp_path: Path) -> None:
    rails = {1: "VDD_GPU_SOC", 2: "VDD_CPU_CV", 3: "VIN_SYS_5V0"}
    board(tmp_path, rails)
    meter = Ina3221Meter(tmp_path)
    assert meter.info.domain == "VDD_GPU_SOC+VDD_CPU_CV+VIN_SYS_5V0"
    meter.start()
    # 5 V at 1, 2 and 3 A; VIN_SYS_5V0 alone would be half of it.
    assert meter.read() == pytest.approx(30)


def test_a_rail_alone_is_not_the_board(tmp_path: Path) -> None:
    board(tmp_path, {3: "VIN_SYS_5V0"})
    assert "no INA3221 with a board input" in Ina3221Meter(tmp_path).available().reason


def test_channels_that_are_off_and_files_that_are_forbidden_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = board(tmp_path, {1: "POM_5V_IN"})
    assert Ina3221Meter(tmp_path).available().ok
    (folder / "curr1_input").write_text("0\n")
    assert "reports no power" in Ina3221Meter(tmp_path).available().reason
    real = Path.read_text

    def refuse(path: Path, *args: str, **kwargs: str) -> str:
        if path.name == "in1_input":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *args, **kwargs)

    monkeypatch.setattr(Path, "read_text", refuse)
    assert "may not be read: run as root" in Ina3221Meter(tmp_path).available().reason


@pytest.mark.parametrize("name", ["ina3221", "k10temp"])
def test_without_a_board_input_it_says_so(tmp_path: Path, name: str) -> None:
    board(tmp_path, {1: "VDD_SOC"} if name == "ina3221" else {1: "VDD_IN"}, name)
    state = Ina3221Meter(tmp_path).available()
    assert not state.ok
    assert "no INA3221 with a board input" in state.reason
