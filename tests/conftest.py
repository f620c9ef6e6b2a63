"""What holds for every test."""

from __future__ import annotations

from hypothesis import settings

# Machines are noisy: no test fails because an example took long.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
