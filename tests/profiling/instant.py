"""An executor that computes nothing, on its own clock: for tests of the run around it.

Not on the command line: its times are made up (a fixed function of the configuration).
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Mapping
from typing import Any

from neuralpower.core.configuration import Configuration
from neuralpower.core.errors import InputError
from neuralpower.frameworks.base import BaseExecutor, BaseWorkload


class InstantExecutor(BaseExecutor):
    """Each call of a layer moves the clock on by a time that depends on the layer alone.

    ``pause_s``: real seconds that preparing takes, so that a test can kill in the middle.
    ``refuse``: families that cannot be run.
    """

    name = "instant"

    def __init__(self, pause_s: float = 0.0, refuse: frozenset[str] = frozenset()) -> None:
        self._pause_s = pause_s
        self._refuse = refuse
        self._now_ns = 0

    def clock_ns(self) -> int:
        """The made-up clock."""
        return self._now_ns

    def facts(self) -> Mapping[str, Any]:
        """Says plainly that nothing was computed."""
        return {"executor": self.name, "software": "nothing (made-up times)", "threads_intra": 1}

    def layer(self, configuration: Configuration, seed: int) -> InstantWorkload:
        """As ``Executor.layer``."""
        if configuration.family in self._refuse:
            raise InputError(f"family {configuration.family!r} cannot be run")
        time.sleep(self._pause_s)
        return InstantWorkload(self, _duration_ns(configuration.key()))

    def network(self, network: Any, seed: int) -> InstantWorkload:
        """As ``Executor.network``."""
        time.sleep(self._pause_s)
        return InstantWorkload(self, 10 * _duration_ns(network.name))

    def pass_time(self, nanoseconds: int) -> None:
        """Move the clock on."""
        self._now_ns += nanoseconds


class InstantWorkload(BaseWorkload):
    """One made-up layer."""

    def __init__(self, executor: InstantExecutor, call_ns: int) -> None:
        self._executor = executor
        self._call_ns = call_ns

    def call(self) -> None:
        """Pass the layer's time."""
        self._executor.pass_time(self._call_ns)


def _duration_ns(text: str) -> int:
    return 1_000_000 + zlib.crc32(text.encode()) % 50_000_000
