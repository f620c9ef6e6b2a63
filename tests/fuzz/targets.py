"""Every reader of what a stranger could send."""

from __future__ import annotations

from logs_targets import LOGS
from measurements_targets import MEASUREMENTS
from models_targets import MODEL_FILES
from networks_targets import NETWORKS
from settings_targets import SETTINGS
from target import Target

__all__ = ["TARGETS", "Target"]

TARGETS: tuple[Target, ...] = (*NETWORKS, *MEASUREMENTS, *MODEL_FILES, *SETTINGS, *LOGS)
