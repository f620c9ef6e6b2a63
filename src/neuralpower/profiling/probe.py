"""What a platform can do at best, measured with its own executor: for roofline baselines.

Not a data sheet's peak: the fastest of a few large matrix products, and the fastest pass over an
array far beyond the caches.
"""

from __future__ import annotations

from typing import Any

from neuralpower.columns import Configuration
from neuralpower.profiling.executor import Executor
from neuralpower.profiling.timing import TimingProtocol, measure

_PRODUCT = Configuration("fc", 512, 1024, 1, 1, 1024, 1, 1)
_PASS = Configuration("relu", 1, 256, 256, 256, 256, 256, 256)
_PROTOCOL = TimingProtocol(min_samples=8, min_time_s=0.2, max_time_s=0.8)


def probe(executor: Executor, seed: int) -> dict[str, Any]:
    """``peak_gflops`` (2 per multiply-accumulate) and ``bandwidth_gb_s`` (read and written).

    Without them, and with the reason, when the executor cannot run the probe's layers.
    """
    try:
        product = _fastest_ms(executor, _PRODUCT, seed)
        moved = _fastest_ms(executor, _PASS, seed)
    except Exception as error:
        # A framework's own exceptions share no base; baselines do without these figures.
        return {"peak_source": f"not measured: {' '.join(str(error).split())[:200]}"}
    flops = 2 * _PRODUCT.batch * _PRODUCT.in_channels * _PRODUCT.out_channels
    moved_bytes = 2 * 4 * _PASS.in_channels * _PASS.in_height * _PASS.in_width
    return {
        "peak_gflops": float(f"{flops / product / 1e6:.4g}"),
        "bandwidth_gb_s": float(f"{moved_bytes / moved / 1e6:.4g}"),
        "peak_source": "measured at the start of the run: the fastest of several 512x1024x1024 "
        "matrix products, and of several passes of max(0, x) over 64 MiB (read and written)",
    }


def _fastest_ms(executor: Executor, configuration: Configuration, seed: int) -> float:
    workload = executor.layer(configuration, seed)
    try:
        return measure(workload.call, _PROTOCOL, executor.clock_ns).min_ms
    finally:
        workload.close()
