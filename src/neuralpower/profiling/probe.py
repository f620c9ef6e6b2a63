"""What a platform can do at best, measured with its own executor: for roofline baselines.

Not a data sheet's peak: the fastest of a few large matrix products, and the fastest pass over an
array far beyond the caches.
"""

from __future__ import annotations

from neuralpower.core.configuration import Configuration
from neuralpower.frameworks.protocol import Executor
from neuralpower.frameworks.replay import ReplayWorkload
from neuralpower.profiling.device_timing import ReplayProtocol, choose_calls, measure_replays
from neuralpower.profiling.host_timing import TimingProtocol, measure

_PRODUCT = Configuration("fc", 512, 1024, 1, 1, 1024, 1, 1)
_PASS = Configuration("relu", 1, 256, 256, 256, 256, 256, 256)
#: A GPU needs more to be busy.
_GPU_PRODUCT = Configuration("fc", 8192, 4096, 1, 1, 4096, 1, 1)
_GPU_PASS = Configuration("relu", 16, 256, 256, 256, 256, 256, 256)
_PROTOCOL = TimingProtocol(min_samples=8, min_time_s=0.2, max_time_s=0.8)


def probe(executor: Executor, seed: int) -> dict[str, object]:
    """``peak_gflops`` (2 per multiply-accumulate) and ``bandwidth_gb_s`` (read and written).

    Without them, and with the reason, when the executor cannot run the probe's layers.
    """
    gpu = executor.replays
    multiply, move = (_GPU_PRODUCT, _GPU_PASS) if gpu else (_PRODUCT, _PASS)
    try:
        product = _fastest_ms(executor, multiply, seed)
        moved = _fastest_ms(executor, move, seed)
    except Exception as error:
        # A framework's own exceptions share no base; baselines do without these figures.
        return {"peak_source": f"not measured: {' '.join(str(error).split())[:200]}"}
    flops = 2 * multiply.batch * multiply.in_channels * multiply.out_channels
    elements = move.batch * move.in_channels * move.in_height * move.in_width
    each = 2 if executor.facts().get("dtype") in ("float16", "bfloat16") else 4
    return {
        "peak_gflops": float(f"{flops / product / 1e6:.4g}"),
        "bandwidth_gb_s": float(f"{2 * each * elements / moved / 1e6:.4g}"),
        "peak_source": "measured at the start of the run: the fastest of several "
        f"{multiply.batch}x{multiply.in_channels}x{multiply.out_channels} matrix products, and of "
        f"several passes of max(0, x) over {each * elements >> 20} MiB (read and written)",
    }


def _fastest_ms(executor: Executor, configuration: Configuration, seed: int) -> float:
    workload = executor.layer(configuration, seed)
    try:
        if isinstance(workload, ReplayWorkload):
            choose_calls(workload)
            return measure_replays(
                workload, ReplayProtocol(min_time_s=0.3), executor.clock_ns
            ).min_ms
        return measure(workload.call, _PROTOCOL, executor.clock_ns).min_ms
    finally:
        workload.close()
