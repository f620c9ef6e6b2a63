"""What is measured and predicted: the targets and their units, as columns of all tables."""

from __future__ import annotations

TARGETS: tuple[str, ...] = ("runtime_ms", "power_w", "energy_mj")

UNITS: dict[str, str] = {"runtime_ms": "ms", "power_w": "W", "energy_mj": "mJ"}

#: The targets in words.
LABELS: dict[str, str] = {"runtime_ms": "runtime", "power_w": "power", "energy_mj": "energy"}
