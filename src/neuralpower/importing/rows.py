"""What every reader yields: measured layers and measured whole passes, with their place."""

from __future__ import annotations

from dataclasses import dataclass

from neuralpower.core.configuration import Configuration
from neuralpower.core.geometry import conv_size


@dataclass(frozen=True, slots=True)
class Visit:
    """One measurement of a layer by itself; ``place`` names file and line."""

    configuration: Configuration
    runtime_ms: float | None
    power_w: float | None
    place: str


@dataclass(frozen=True, slots=True)
class Pass:
    """Whole passes of a network; ``input`` is one image as ``3x224x224``."""

    network: str
    input: str
    batch: int
    runtime_ms: float | None
    power_w: float | None
    energy_mj: float | None
    place: str


def convolved(size: int, kernel: int, stride: int, pad: int, dilation: int = 1) -> int:
    """Output size of a window that is rounded down, as PyTorch and TensorFlow do.

    Raises ``ValueError`` when the window does not fit.
    """
    places = None
    if min(size, kernel, stride) >= 1 and pad >= 0:
        places = conv_size(size, kernel, stride, pad, dilation)
    if places is None:
        raise ValueError(f"a window of {kernel} (stride {stride}, border {pad}) on {size}")
    return places
