"""Limits of what is measured: a case just above each and one just below."""

from __future__ import annotations

import gzip
import math
from pathlib import Path

import numpy
import pytest

from neuralpower.core.configuration import Configuration
from neuralpower.core.errors import InputError
from neuralpower.frameworks.weights import GivenWeights
from neuralpower.meters.log import compress_logs, next_log
from neuralpower.meters.samples import BoardState, state_facts
from neuralpower.meters.window import RawTable, edge_energy
from neuralpower.profiling.characterise import anchor_facts
from neuralpower.profiling.sensor_fit import fitted_period_ns, fitted_time_constant_s
from neuralpower.profiling.subset import spread

S = 1_000_000_000


@pytest.mark.parametrize(("ticks", "said"), [
    # Energy (J) at each second; the first reading is no tick: when it came is not known.
    ([10.0, 20.0], (None, None, "counter_missing")),
    ([10.0, 20.0, 35.0], (60.0, 15.0, "")),
    ([10.0, 20.0, 35.0, 70.0], (100.0, 25.0, "")),
    ([10.0, 20.0, 5.0], (None, None, "counter_reset")),
    ([10.0, 20.0, 20.0, 20.0], (None, None, "counter_missing")),
])  # fmt: skip
def test_ticks_of_an_energy_counter(
    ticks: list[float], said: tuple[float | None, float | None, str]
) -> None:
    raw = RawTable([i * S for i in range(len(ticks))], energy_j=ticks)
    assert edge_energy(raw, 0, 4 * S) == said


def states(*mhz: int | None, **held: int) -> list[BoardState]:
    return [
        BoardState(t_ns=i * S, sm_mhz=value, **(held if i else dict.fromkeys(held, 0)))
        for i, value in enumerate(mhz)
    ]


@pytest.mark.parametrize(("given", "flags"), [
    (states(1000, 1010), ()),
    (states(1000, 1011), ("clock_changed",)),
    (states(None, None), ()),
    (states(1000, 1000, power_held_ns=S // 100), ()),
    (states(1000, 1000, power_held_ns=S // 50), ("power_capped",)),
    (states(1000, 1000, thermal_held_ns=S // 50), ("thermal_slowdown",)),
    ([BoardState(0, reasons=0x04), BoardState(S, reasons=0x01)], ("power_capped",)),
    ([BoardState(0, reasons=0x80)], ("power_capped",)),
    ([BoardState(0, reasons=0x20), BoardState(S, reasons=0)], ("thermal_slowdown",)),
    ([BoardState(0, reasons=0x40)], ("thermal_slowdown",)),
    ([BoardState(0, reasons=0x01 | 0x02 | 0x08 | 0x10)], ()),
])  # fmt: skip
def test_what_the_state_of_a_board_says(given: list[BoardState], flags: tuple[str, ...]) -> None:
    assert state_facts(given)[1] == flags


def test_ranges_of_a_board_s_state() -> None:
    facts, _ = state_facts([
        BoardState(0, 1980, 2619, 40, 0x01, 5_000_000, 0),
        BoardState(S, 1965, 2619, 43, 0x04, 35_000_000, 0),
        BoardState(2 * S),
    ])  # fmt: skip
    assert facts == {
        "sm_mhz_lo": 1965, "sm_mhz_hi": 1980, "memory_mhz_lo": 2619, "memory_mhz_hi": 2619,
        "temperature_c_lo": 40, "temperature_c_hi": 43, "clock_event_reasons": 0x05,
        "power_held_ms": 30.0, "thermal_held_ms": 0.0,
    }  # fmt: skip


@pytest.mark.parametrize(("visits", "cv", "drift"), [
    ([2.0], None, 1.0),
    ([1.0, 3.0], 2**0.5 / 2, 3.0),
    ([1.0, 1.0, 2.0, 2.0], (1 / 3) ** 0.5 / 1.5, 2.0),
])  # fmt: skip
def test_scatter_of_an_anchor_from_two_visits_on(
    visits: list[float], cv: float | None, drift: float
) -> None:
    facts = anchor_facts(visits)
    assert facts["cv"] == (None if cv is None else pytest.approx(cv))
    assert facts["second_half_over_first"] == drift
    assert facts["slowest_over_fastest"] == max(visits) / min(visits)


@pytest.mark.parametrize(("share", "chosen"), [
    (0.0, 0), (0.01, 1), (0.25, 1), (0.26, 2), (0.5, 2), (1.0, 4)
])  # fmt: skip
def test_how_many_layers_a_share_is(share: float, chosen: int) -> None:
    layers = {}
    for batch in (1, 2, 4, 8):
        c = Configuration("fc", batch, 64, 1, 1, 32, 1, 1)
        layers[c.key()] = c
    assert len(spread(layers, share)) == chosen


@pytest.mark.parametrize("path", ["", "net.caffemodel"])
def test_parameters_that_do_not_fit_name_their_file(path: str) -> None:
    given = GivenWeights({"l": [numpy.zeros(4, numpy.float32)]}, 1, path)
    assert given.blob("l", 0, (2, 2), "filter").shape == (2, 2)
    for index, have in ((0, "(4,)"), (1, "nothing")):
        with pytest.raises(InputError) as fault:
            given.blob("l", index, (2, 3), "filter")
        assert fault.value.message == (
            f"layer 'l': parameter {index} is {have}, the network needs (2, 3)"
        )
        assert fault.value.path == (path or None)


def test_layers_without_parameters_are_named_once() -> None:
    given = GivenWeights({}, 1, str(Path("net.caffemodel")))
    for index in (0, 1):
        given.blob("l", index, (2, 2), "filter")
    assert given.filled == ["l"]


def test_logs_of_ended_calls_are_the_same_bytes_whenever_they_are_compressed(
    tmp_path: Path,
) -> None:
    assert next_log(tmp_path).name == "001.csv"
    next_log(tmp_path).write_bytes(b"t_ns,power_w\n1,2\n3,to")
    (made,) = compress_logs(tmp_path)
    assert made.name == "001.csv.gz"
    assert gzip.decompress(made.read_bytes()) == b"t_ns,power_w\n1,2\n", "the torn line goes"
    # The header of gzip has a time in its bytes 4 to 7.
    assert made.read_bytes()[4:8] == b"\0\0\0\0"
    assert next_log(tmp_path).name == "002.csv"


@pytest.mark.parametrize(("count", "known"), [(7, False), (8, True)])
def test_a_period_is_known_from_eight_readings_on(count: int, known: bool) -> None:
    # Polled every 20 ms: a reading is seen up to 20 ms late; one of them was missed.
    seen = [(math.ceil(i * 100 / 20 + 0.3) * 20_000_000, 1.0) for i in range(count + 1) if i != 3]
    period = fitted_period_ns(seen, 90e6)
    assert (period is not None) is known
    if period is not None:
        assert period == pytest.approx(100e6, rel=0.02)


@pytest.mark.parametrize(("count", "amplitude", "known"), [
    (12, 50.0, True), (11, 50.0, False), (40, 2.0, True), (40, 0.5, False),
])  # fmt: skip
def test_a_time_constant_is_known_where_the_load_settles(
    count: int, amplitude: float, known: bool
) -> None:
    # 400 W less ``amplitude`` exp(-t / 0.8 s), every 0.1 s from 0.3 s on; 0.3 % of 400 W are 1.2 W.
    seen = [
        (round(t * S), 400.0 - amplitude * math.exp(-t / 0.8))
        for t in (0.3 + 0.1 * i for i in range(count))
    ]
    early = [(round(0.1 * i * S), 70.0) for i in range(3)]
    found = fitted_time_constant_s([*early, *seen], 0, 0.3)
    assert (found is not None) is known
    if found is not None:
        assert found == pytest.approx(0.8, rel=0.05)
