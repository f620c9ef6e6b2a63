"""Frameworks that a test needs: skipped without them, but not by ``make test-frameworks``."""

from __future__ import annotations

import importlib
import os
from typing import Any

import pytest


def needed(module: str) -> Any:
    """A framework, or a skip with the remedy; ``NEURALPOWER_FRAMEWORKS`` makes it a failure."""
    if os.environ.get("NEURALPOWER_FRAMEWORKS"):
        return importlib.import_module(module)
    return pytest.importorskip(module, reason=f"{module} is not installed: make test-frameworks")
