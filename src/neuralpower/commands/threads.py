"""One thread for fitting: the order of additions, so every last bit, is the same in all runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def single_thread() -> Iterator[None]:
    """Keep the linear algebra to one thread, also that of libraries that are loaded inside."""
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        yield
