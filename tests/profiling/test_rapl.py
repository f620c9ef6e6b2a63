"""RAPL on fake trees of the powercap file system: energy, wraps, and every way to be missing."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import pytest

from neuralpower.core.errors import InputError
from neuralpower.meters.meter import NoMeter
from neuralpower.meters.rapl import RaplMeter
from neuralpower.meters.registry import choose_meter
from neuralpower.profiling.host_power import PowerProtocol, measure_power

WRAP = 262_143_328_850
QUICK = PowerProtocol(settle_s=0.1, window_s=0.45)


class Machine:
    """Packages that draw constant power; time passes by calls."""

    def __init__(self, root: Path, watts: tuple[float, ...], start_uj: int = 1_000_000) -> None:
        self.root = root
        self.watts = watts
        self.now_ns = 0
        self._energy = [float(start_uj)] * len(watts)
        for i, _ in enumerate(watts):
            folder = root / f"intel-rapl:{i}"
            folder.mkdir(parents=True)
            (folder / "name").write_text(f"package-{i}\n")
            (folder / "max_energy_range_uj").write_text(f"{WRAP}\n")
            sub = root / f"intel-rapl:{i}:0"
            sub.mkdir()
            (sub / "name").write_text("core\n")
            (sub / "energy_uj").write_text("5\n")
        self._write()

    def clock(self) -> int:
        return self.now_ns

    def call(self) -> None:
        self.pass_time(5_000_000)

    def pass_time(self, nanoseconds: int) -> None:
        self.now_ns += nanoseconds
        self._energy = [
            e + w * nanoseconds / 1e3 for e, w in zip(self._energy, self.watts, strict=True)
        ]
        self._write()

    def _write(self) -> None:
        for i, energy in enumerate(self._energy):
            path = self.root / f"intel-rapl:{i}" / "energy_uj"
            path.write_text(f"{int(energy) % WRAP}\n")


def meter_of(machine: Machine) -> RaplMeter:
    return RaplMeter(machine.root, machine.clock, lambda s: machine.pass_time(round(s * 1e9)))


def measured(machine: Machine) -> float | None:
    meter = meter_of(machine)
    assert meter.available().ok
    stats = measure_power(machine.call, meter, QUICK, machine.clock)
    assert stats.flags == ()
    return stats.mean_w


@pytest.mark.parametrize("watts", [(35.0,), (80.0, 61.5)])
def test_packages_are_summed_and_sub_domains_are_not(
    tmp_path: Path, watts: tuple[float, ...]
) -> None:
    assert measured(Machine(tmp_path, watts)) == pytest.approx(sum(watts), rel=1e-5)


def test_a_counter_that_wraps_is_added_up(tmp_path: Path) -> None:
    machine = Machine(tmp_path, (100.0,), start_uj=WRAP - 30_000_000)
    assert measured(machine) == pytest.approx(100, rel=1e-5)
    assert int((tmp_path / "intel-rapl:0" / "energy_uj").read_text()) < WRAP - 30_000_000


def test_psys_is_not_counted_beside_its_packages(tmp_path: Path) -> None:
    machine = Machine(tmp_path, (40.0,))
    psys = tmp_path / "intel-rapl:1"
    psys.mkdir()
    (psys / "name").write_text("psys\n")
    (psys / "energy_uj").write_text("7\n")
    assert measured(machine) == pytest.approx(40, rel=1e-5)
    assert RaplMeter(tmp_path).info.domain == "package-0"


def test_a_counter_that_does_not_move_gives_no_power(tmp_path: Path) -> None:
    machine = Machine(tmp_path, (0.0,))
    meter = meter_of(machine)
    state = meter.available()
    assert not state.ok
    assert "do not move" in state.reason
    stats = measure_power(machine.call, meter, QUICK, machine.clock)
    assert stats.mean_w is None
    assert stats.flags == ("counter_missing",)


def test_one_of_two_counters_may_wrap_in_every_window(tmp_path: Path) -> None:
    machine = Machine(tmp_path, (200.0, 150.0), start_uj=WRAP - 120_000_000)
    meter = meter_of(machine)
    for _ in range(3):
        stats = measure_power(machine.call, meter, QUICK, machine.clock)
        assert stats.mean_w == pytest.approx(350, rel=1e-5)


def test_a_counter_that_is_set_back_is_no_wrap(tmp_path: Path) -> None:
    machine = Machine(tmp_path, (100.0,), start_uj=WRAP // 2)
    meter = meter_of(machine)
    meter.start()
    for step in range(20):
        machine.pass_time(100_000_000)
        if step == 10:
            machine._energy = [5_000_000.0]
            machine._write()
        meter.read()
    stats = meter.window(0, machine.now_ns)
    assert stats.mean_w is None
    assert stats.energy_j is None
    assert "counter_reset" in stats.flags
    later = meter.window(1_200_000_000, machine.now_ns)
    assert later.mean_w == pytest.approx(100, rel=1e-5)


def test_domains_of_another_interface_are_not_counted_twice(tmp_path: Path) -> None:
    machine = Machine(tmp_path, (40.0,))
    other = tmp_path / "intel-rapl-mmio:0"
    other.mkdir()
    (other / "name").write_text("package-0\n")
    (other / "energy_uj").write_text("7\n")
    assert measured(machine) == pytest.approx(40, rel=1e-5)


def test_dies_of_a_package_are_domains_of_their_own(tmp_path: Path) -> None:
    machine = Machine(tmp_path, (40.0, 30.0))
    for die in (0, 1):
        (tmp_path / f"intel-rapl:{die}" / "name").write_text(f"package-0-die-{die}\n")
    assert measured(machine) == pytest.approx(70, rel=1e-5)
    assert RaplMeter(tmp_path).info.domain == "package-0-die-0+package-0-die-1"


def test_a_counter_that_goes_away_gives_no_power(tmp_path: Path) -> None:
    machine = Machine(tmp_path, (50.0,))
    meter = RaplMeter(machine.root, machine.clock)
    meter.start()
    path = tmp_path / "intel-rapl:0" / "energy_uj"
    path.unlink()
    assert meter.read() is None
    assert meter.window(0, 10**9).mean_w is None


@pytest.mark.parametrize(
    ("break_it", "reason"),
    [
        ("no folder", "does not exist"),
        ("empty", "no processor package"),
        ("forbidden", "may be read by root only"),
        ("garbage", "cannot be read"),
    ],
)
def test_why_there_is_no_power(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, break_it: str, reason: str
) -> None:
    root = tmp_path / "powercap"
    if break_it != "no folder":
        root.mkdir()
    if break_it in ("forbidden", "garbage"):
        Machine(root, (10.0,))
    if break_it == "garbage":
        (root / "intel-rapl:0" / "energy_uj").write_text("many\n")
    if break_it == "forbidden":
        (root / "intel-rapl:0" / "energy_uj").chmod(0)
        if os.access(root / "intel-rapl:0" / "energy_uj", os.R_OK):
            # The superuser may read everything: refuse in its stead.
            real = Path.read_text

            def refuse(path: Path, *args: str, **kwargs: str) -> str:
                if path.name == "energy_uj":
                    raise PermissionError(13, "Permission denied", str(path))
                return real(path, *args, **kwargs)

            monkeypatch.setattr(Path, "read_text", refuse)
    state = RaplMeter(root).available()
    assert not state.ok
    assert reason in state.reason
    monkeypatch.setattr("neuralpower.meters.rapl.RaplMeter", partial(RaplMeter, root))
    meter = choose_meter("auto")
    assert isinstance(meter, NoMeter)
    assert reason in meter.available().reason
    assert meter.read() is None
    assert meter.window(0, 1).mean_w is None
    with pytest.raises(InputError, match="--meter none measures time only"):
        choose_meter("rapl")
