"""What holds for every test."""

from __future__ import annotations

import os

# As the commands do, and before numpy is imported: fits are of many small matrices, for which the
# threads of a linear algebra library only wait for one another (a third of the time without them).
for _library in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_library, "1")

from hypothesis import settings  # noqa: E402

# Machines are noisy: no test fails because an example took long.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
