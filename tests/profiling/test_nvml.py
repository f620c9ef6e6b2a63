"""The NVML meter on a fake GPU whose power is known: what it must find, and how it may fail."""

from __future__ import annotations

import math
from typing import Any

import numpy
import pynvml
import pytest
from fake_nvml import AVERAGE, ENERGY, INSTANT, FakeClock, FakeNvml

from neuralpower.meters.nvml import NvmlMeter
from neuralpower.meters.settle import phase_bins, settled_power
from neuralpower.meters.window import WindowStats, publications, window_stats

S = 1_000_000_000


def record(
    load: Any, seconds: float = 4.0, poll_s: float = 0.02, **knobs: Any
) -> tuple[NvmlMeter, FakeNvml]:
    clock = FakeClock()
    fake = FakeNvml(clock, load, **knobs)
    meter = NvmlMeter(nvml=fake, clock=clock)
    assert meter.available().ok
    meter.start()
    while clock.now_ns < seconds * S:
        meter.read()
        clock.advance(poll_s)
    meter.stop()
    return meter, fake


def window(load: Any, t0: float = 1.0, t1: float = 3.0, **knobs: Any) -> WindowStats:
    return record(load, **knobs)[0].window(int(t0 * S), int(t1 * S))


def steady(t: float) -> float:
    return 250.0


def test_a_steady_load_is_found_within_its_interval_94_times_of_100() -> None:
    hits = 0
    for seed in range(200):
        load = _wandering(seed)
        stats = window(load, seconds=3.2, seed=seed, noise=0.002, phase_s=0.001 * (seed % 100))
        truth = float(numpy.mean([load(t) for t in numpy.arange(1, 3, 0.01)]))
        assert stats.mean_w is not None
        assert stats.half_width_w is not None
        hits += abs(stats.mean_w - truth) <= stats.half_width_w
    assert hits >= 188


def _wandering(seed: int) -> Any:
    """250 W with correlated noise of 0.2 %, steps of 50 ms."""
    rng = numpy.random.default_rng(seed)
    steps = numpy.zeros(100)
    for i in range(1, 100):
        steps[i] = 0.5 * steps[i - 1] + rng.standard_normal()
    return lambda t: 250.0 * (1 + 0.002 * steps[int(max(t, 0) / 0.05) % 100])


def test_publications_are_counted_not_polls() -> None:
    slow, fast = window(steady, poll_s=0.02), window(steady, poll_s=0.004)
    assert 18 <= slow.publications <= 21
    assert abs(fast.publications - slow.publications) <= 1
    assert fast.half_width_w == pytest.approx(slow.half_width_w, rel=0.35)


def test_a_value_that_repeats_is_new_when_the_counter_has_ticked() -> None:
    assert window(steady, noise=0.0, seconds=4).publications < 3
    meter, _ = record(steady, noise=0.0)
    stats = window_stats(meter.raw(), 1 * S, 3 * S, period_ns=S // 10)
    assert 12 <= stats.publications <= 21


def test_energy_by_edges_beats_naive_differences_five_times() -> None:
    edge_errors, naive_errors = [], []
    for seed in range(40):
        meter, _ = record(steady, seconds=3.0, poll_s=0.0181 + 0.0001 * seed, seed=seed)
        raw = meter.raw()
        t0 = int((1.0 + 0.0031 * seed) * S)
        stats = meter.window(t0, t0 + S)
        assert stats.energy_j is not None
        edge_errors.append(stats.energy_j / 250 - 1)
        inside = [e for t, e in zip(raw.t_ns, raw.energy_j, strict=True) if t0 <= t <= t0 + S]
        assert inside[0] is not None
        assert inside[-1] is not None
        naive_errors.append((inside[-1] - inside[0]) / 250 - 1)
    assert _rms(naive_errors) > 5 * _rms(edge_errors)


def _rms(values: list[float]) -> float:
    return math.sqrt(sum(v * v for v in values) / len(values))


def test_half_duty_at_the_publication_period_is_not_covered() -> None:
    def square(t: float) -> float:
        return 400.0 if t % 0.1 < 0.05 else 100.0

    def published(load: Any) -> list[int]:
        raw = record(load)[0].raw()
        at = [i for i, t in enumerate(raw.t_ns) if 1 * S <= t <= 3 * S]
        times = [raw.t_ns[i] for i in at]
        return [t for t, _ in publications(raw, times, [raw.power_w[i] or 0 for i in at], None)]

    assert phase_bins(published(square), 0.1 * S) < 6
    assert phase_bins(published(steady), 0.137 * S) >= 6


def test_the_settle_correction_finds_the_plateau_and_leaves_a_settled_series_alone() -> None:
    def warming(t: float) -> float:
        return 100.0 if t < 1 else 300.0 * (1 - 0.04 * math.exp(-(t - 1) / 1.0))

    def first_second(load: Any, seed: int) -> tuple[float, float]:
        raw = record(load, seed=seed)[0].raw()
        at = [i for i, t in enumerate(raw.t_ns) if 1.15 * S <= t <= 2.15 * S]
        found = publications(
            raw, [raw.t_ns[i] for i in at], [raw.power_w[i] or 0 for i in at], None
        )
        settled, _ = settled_power(found, 1 * S)
        assert settled is not None
        return settled, sum(v for _, v in found) / len(found)

    corrected, naive = zip(*(first_second(warming, seed) for seed in range(10)), strict=True)
    assert _rms([c / 300 - 1 for c in corrected]) < 0.2 * _rms([n / 300 - 1 for n in naive])
    same = [first_second(steady, seed) for seed in range(40)]
    assert sum(c == pytest.approx(n, rel=1e-12) for c, n in same) >= 34


def test_the_gain_of_the_board_is_reported_not_hidden() -> None:
    stats = window(steady, gain=0.95)
    assert stats.mean_w == pytest.approx(0.95 * 250, rel=2e-3)
    assert record(steady)[0].info.gain_uncertainty == 0.05


@pytest.mark.parametrize(
    ("knobs", "flag"),
    [
        ({"unsupported": frozenset({ENERGY})}, "counter_missing"),
        ({"counter_reset_at_s": 2.0}, "counter_reset"),
        ({"lost_at_s": 2.0}, "nvml_error"),
        ({"slow_call_s": 0.9}, "gap_in_samples"),
        ({"stale_from_s": 0.5}, "few_publications"),
    ],
)
def test_faults_are_flagged_and_missing_is_none(knobs: dict[str, Any], flag: str) -> None:
    stats = window(steady, **knobs)
    assert flag in stats.flags
    if flag.startswith("counter"):
        assert stats.energy_j is None
        assert stats.mean_w == pytest.approx(250, rel=2e-3)


def test_a_counter_that_disagrees_is_flagged() -> None:
    meter, _ = record(steady, counter_gain=1.2)
    assert "counter_mismatch" in meter.window(1 * S, 3 * S).flags


def test_a_gpu_that_is_lost_before_the_window_gives_none() -> None:
    stats = window(steady, lost_at_s=0.5)
    assert stats.mean_w is None
    assert stats.energy_j is None
    assert "nvml_error" in stats.flags


def test_without_field_186_the_slow_average_is_used_and_named() -> None:
    meter, _ = record(steady, unsupported=frozenset({INSTANT, AVERAGE}))
    assert "one-second average" in meter.info.provenance
    assert meter.window(2 * S, 4 * S).mean_w == pytest.approx(250, rel=2e-3)


@pytest.mark.parametrize(
    ("knobs", "reason"),
    [
        ({"init_error": pynvml.NVML_ERROR_LIBRARY_NOT_FOUND}, "install the NVIDIA driver"),
        ({"init_error": pynvml.NVML_ERROR_DRIVER_NOT_LOADED}, "driver is not loaded"),
        ({"init_error": pynvml.NVML_ERROR_NO_PERMISSION}, "ask for access"),
        ({"init_error": 18}, "updated while it ran: restart"),
        ({"init_error": 27}, "try again in a minute"),
        ({"init_error": 999}, "does nvidia-smi work"),
        ({"zero": True}, "reports a power of 0 W"),
        ({"mig": True}, "partitioned (MIG)"),
        ({"glitch": lambda t: 3.7e6}, "which no board draws"),
        ({"lost_at_s": 0.0}, "fallen off the bus"),
        ({"unsupported": frozenset({INSTANT, AVERAGE, ENERGY, 0})}, "no power sensor"),
    ],
)
def test_why_there_is_no_power(knobs: dict[str, Any], reason: str) -> None:
    clock = FakeClock()
    fake = FakeNvml(clock, steady, **knobs)
    state = NvmlMeter(nvml=fake, clock=clock, sleep=clock.advance).available()
    assert not state.ok
    assert reason in state.reason
    assert "\n" not in state.reason


def test_devices_are_matched_by_uuid() -> None:
    clock = FakeClock()
    fake = FakeNvml(clock, steady)
    assert NvmlMeter("GPU-1", nvml=fake, clock=clock).available().ok
    state = NvmlMeter("GPU-7", nvml=fake, clock=clock).available()
    assert state.reason == "NVML shows no GPU with UUID GPU-7; it shows: GPU-0, GPU-1"


class Crowded(FakeNvml):
    """Two GPUs, the first of which does not answer."""

    code = pynvml.NVML_ERROR_GPU_IS_LOST

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        if index == 0:
            raise pynvml.NVMLError(self.code)
        return index


@pytest.mark.parametrize("code", [pynvml.NVML_ERROR_GPU_IS_LOST, pynvml.NVML_ERROR_NO_PERMISSION])
@pytest.mark.parametrize("uuid", ["", "GPU-1"])
def test_a_broken_neighbour_hides_no_gpu(code: int, uuid: str) -> None:
    clock = FakeClock()
    fake = Crowded(clock, steady)
    fake.code = code
    meter = NvmlMeter(uuid, nvml=fake, clock=clock)
    assert meter.available().ok
    assert meter.uuid == "GPU-1"


@pytest.mark.parametrize(("tries", "ok"), [(3, True), (40, False)])
@pytest.mark.parametrize("code", [999, 27])
def test_an_error_at_the_first_look_is_asked_again(code: int, tries: int, ok: bool) -> None:
    clock = FakeClock()
    fake = FakeNvml(clock, steady, first_error=(code, tries))
    state = NvmlMeter(nvml=fake, clock=clock, sleep=clock.advance).available()
    assert state.ok == ok
    assert clock.now_ns <= 0.51 * S


def test_zero_watts_at_the_first_look_are_asked_again() -> None:
    clock = FakeClock()
    fake = FakeNvml(clock, steady, glitch=lambda t: 0.0 if t < 0.3 else None)
    assert NvmlMeter(nvml=fake, clock=clock, sleep=clock.advance).available().ok


def test_without_the_call_for_fields_the_old_one_is_used() -> None:
    meter, fake = record(steady, first_error=(pynvml.NVML_ERROR_NOT_SUPPORTED, 10**6))
    assert "one-second average" in meter.info.provenance
    assert meter.window(2 * S, 4 * S).mean_w == pytest.approx(250, rel=2e-3)
    assert fake.calls == 1, "asked once, not at every poll"


def test_an_old_binding_gives_nulls_for_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    meter, _ = record(steady, seconds=1.0)
    for name in ("EventReasons", "ThrottleReasons"):
        monkeypatch.delattr(FakeNvml, f"nvmlDeviceGetCurrentClocks{name}", raising=False)
        monkeypatch.delattr(pynvml, f"nvmlDeviceGetCurrentClocks{name}")
    assert meter.state()[:4] == (1980, 3201, 55, None)


@pytest.mark.parametrize(
    ("limit_w", "watts", "missing"),
    [(700.0, 1399.0, False), (700.0, 1401.0, True), (None, 2999.0, False), (None, 3001.0, True)],
)
def test_a_reading_that_no_board_can_give_is_missing(
    limit_w: float | None, watts: float, missing: bool
) -> None:
    glitch = lambda t: watts if 1.9 < t < 2.0 else None  # noqa: E731
    meter, _ = record(steady, limit_w=limit_w, glitch=glitch)
    raw = meter.raw()
    seen = [p for t, p in zip(raw.t_ns, raw.power_w, strict=True) if 1.91 * S < t < 1.99 * S]
    assert set(seen) == ({None} if missing else {watts})
    mean = meter.window(1 * S, 3 * S).mean_w
    assert mean is not None
    assert (mean < 251) == missing


def test_the_real_library_without_a_driver_says_what_to_do() -> None:
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        state = NvmlMeter().available()
        assert not state.ok
        assert state.reason
    else:
        pytest.skip("there is a driver here")
