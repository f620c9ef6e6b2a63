"""What a visit can be flagged with, and what each flag means.

``not_converged`` and the like mark a row that is kept; only ``valid`` 0 keeps a row out of fits.
"""

from __future__ import annotations

from collections.abc import Mapping

FLAGS: Mapping[str, str] = {
    "autotune_changed": "autotuning chose other kernels than at an earlier visit",
    "clock_changed": "the processor clock changed by more than 1 % in the window",
    "counter_mismatch": "energy counter and power readings differ by more than 5 %",
    "counter_missing": "no energy counter to check the power with",
    "counter_reset": "the energy counter started anew in the window",
    "drifting": "power moved by more than 0.5 % over the window",
    "duplicate_stream": "the sensor repeated one value throughout",
    "few_calls": "fewer than 10 calls in the power window",
    "few_publications": "fewer than 12 publications of the sensor in the window",
    "gap_in_samples": "the sampler paused within the window",
    "gpu_idle_in_window": "the device waited for the host in the window",
    "host_bound": "the host could not keep the device busy",
    "impossible_reading": "the sensor read a power that no board draws; that reading is left out",
    "no_sensor": "no power sensor",
    "not_converged": "an interval was still wider than asked for when time ran out",
    "not_run": "the framework could not run it",
    "nvml_error": "the sensor's library reported an error in the window",
    "oom": "out of memory",
    "phase_coverage": "publications saw only a part of the phases of a long call",
    "power_capped": "the board held its power limit",
    "power_missed": "the call ended, or failed, before its power was measured",
    "ramp": "first and last third of the timed replays differ by more than 0.5 %",
    "settle_corr_gt1pct": "power had not settled: the correction exceeds 1 %",
    "thermal_slowdown": "the board slowed down because of its temperature",
    "time_changed": "a call took more than 1 % longer or shorter in the power window than timed",
    "zero_reading": "the sensor read 0 W",
}


def split_flags(cell: object) -> list[str]:
    """The flags of a table's cell."""
    return str(cell or "").split()


def commonest_first(found: Mapping[str, int]) -> dict[str, int]:
    """Counts of names, the commonest first, equal ones by name."""
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))
