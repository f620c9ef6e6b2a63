"""Logs of power and energy: what each line gives, in watts, joules and seconds."""

from __future__ import annotations

from pathlib import Path

import pytest

from neuralpower.core.errors import InputError
from neuralpower.importing.logs.energy_runs import read_codecarbon, read_zeus
from neuralpower.importing.logs.power_logs import (
    Sample,
    parse_time,
    read_nvidia_smi,
    read_tegrastats,
    window_power,
)


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


SMI = """timestamp, index, power.draw [W]
2026/11/25 14:00:00.000, 0, 100.00 W
2026/11/25 14:00:01.000, 0, [N/A]
2026/11/25 14:00:02.000, 0, 120.00 W
2026/11/25 14:00:03.000, 0, 140.00 W
2026/11/25 14:00:0"""


def test_power_of_nvidia_smi(tmp_path: Path) -> None:
    samples = read_nvidia_smi(write(tmp_path / "smi.csv", SMI))
    start = parse_time("2026-11-25T14:00:00+00:00")
    assert [(s.t_s - start, s.power_w) for s in samples] == [(0, 100), (2, 120), (3, 140)]
    two = write(tmp_path / "two.csv", SMI.replace("2.000, 0", "2.000, 1"))
    with pytest.raises(InputError, match="2 GPUs: choose one with --gpu"):
        read_nvidia_smi(two)
    assert len(read_nvidia_smi(two, gpu="1")) == 1
    with pytest.raises(InputError, match=r"smi\.csv:2: the power 'lots'"):
        read_nvidia_smi(write(tmp_path / "smi.csv", SMI.replace("100.00 W", "lots")))


def test_a_quote_that_is_never_closed_is_the_fault_of_its_line(tmp_path: Path) -> None:
    text = (
        SMI.replace(", 0, 120.00 W", ', "0, 120.00 W') + "\n2026/11/25 14:00:05.000, 0, 1 W" * 9000
    )
    with pytest.raises(InputError, match=r"smi\.csv:4: "):
        read_nvidia_smi(write(tmp_path / "smi.csv", text))


ORIN = "RAM 2448/7850MB SWAP 0/3925MB CPU [1%@729] VDD_IN {}mW/4990mW VDD_SOC 1395mW/1395mW"


def test_power_of_tegrastats(tmp_path: Path) -> None:
    lines = [f"11-25-2026 14:00:0{s} {ORIN.format(5000 + s)}" for s in range(4)]
    samples = read_tegrastats(write(tmp_path / "t.log", "\n".join(lines) + "\n"))
    assert [s.power_w for s in samples] == [5.0, 5.001, 5.002, 5.003]
    assert samples[3].t_s - samples[0].t_s == 3
    nano = "RAM 1000/3964MB (lfb 1x1MB) POM_5V_IN 2058/2100 POM_5V_GPU 40/40"
    plain = write(tmp_path / "n.log", f"{nano}\n{nano}\n")
    with pytest.raises(InputError, match="--interval"):
        read_tegrastats(plain)
    assert [s.t_s for s in read_tegrastats(plain, 0.5)] == [0.0, 0.5]
    with pytest.raises(InputError, match="no rail of the whole board"):
        read_tegrastats(write(tmp_path / "x.log", "RAM 1/2MB VDD_OTHER 1mW/1mW"), 1.0)


def test_the_mean_of_a_window_is_by_the_trapezoid_rule_after_settling() -> None:
    samples = [Sample(float(t), p) for t, p in enumerate([50, 50, 200, 210, 220, 60])]
    power = window_power(samples, 1.0, 4.5, settle_s=1.0)
    assert (power.power_w, power.samples) == (210.0, 3)
    few = window_power(samples, 3.0, 4.5, settle_s=1.0)
    assert (few.power_w, few.samples) == (None, 1)
    assert "3 are needed" in few.reason
    assert "clocks" in window_power(samples, 100.0, 200.0, 0.0).reason


def test_energy_of_zeus_and_codecarbon(tmp_path: Path) -> None:
    zeus = "start_time,window_name,elapsed_time,gpu0_energy,gpu1_energy\n1,alexnet,2.0,300.5,99.5\n"
    (run,) = read_zeus(write(tmp_path / "z.csv", zeus))
    assert (run.name, run.seconds, run.joules) == ("alexnet", 2.0, 400.0)
    carbon = (
        "timestamp,project_name,duration,emissions,cpu_energy,gpu_energy,ram_energy,"
        "energy_consumed,codecarbon_version\n2026-11-25T14:00:00,net,36,1e-6,1e-3,2e-3,1e-4,"
        "3.1e-3,2.8\n"
    )
    path = write(tmp_path / "c.csv", carbon)
    assert read_codecarbon(path, "gpu")[0].joules == pytest.approx(7200)
    assert read_codecarbon(path, "total")[0].joules == pytest.approx(11160)
    with pytest.raises(InputError, match=r"row 1: column elapsed_time: a number above 0"):
        read_zeus(write(tmp_path / "z.csv", zeus.replace("2.0", "0")))


# ------------------------------------------------------------------------------- any table


def test_the_longest_line_is_read_and_a_longer_one_refused(tmp_path: Path) -> None:
    line = f"11-25-2026 14:00:01 {ORIN.format(5000)}"
    for length, fits in ((10_000, True), (10_001, False)):
        text = write(tmp_path / "t.log", f"{line}\n{line:{length}}\n")
        if fits:
            assert [sample.power_w for sample in read_tegrastats(text)] == [5.0, 5.0]
        else:
            with pytest.raises(InputError, match=r"t\.log:2: no line of tegrastats: it is too"):
                read_tegrastats(text)
        smi = write(tmp_path / "smi.csv", SMI.replace("100.00 W", f"{'100.00 W':{length - 28}}"))
        assert max(map(len, smi.read_text().split("\n"))) == length
        if fits:
            assert read_nvidia_smi(smi)[0].power_w == 100.0
        else:
            with pytest.raises(InputError, match="its lines are too long"):
                read_nvidia_smi(smi)


def test_tables_of_other_tools_are_named_with_their_first_line(tmp_path: Path) -> None:
    table = write(tmp_path / "t.csv", "a,b\n1,2\n")
    with pytest.raises(InputError, match=r"t\.csv:1: no table of CodeCarbon: it has no emissions"):
        read_codecarbon(table, "gpu")
    with pytest.raises(InputError, match=r"t\.csv:1: no log of Zeus: window_name, elapsed_time"):
        read_zeus(table)
