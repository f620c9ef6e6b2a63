"""What a framework says of a layer inside its network, and what a visit's record keeps of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LayerTime:
    """A layer timed inside a network's visit: its place in the network's layer table, and time."""

    index: int
    name: str
    type: str
    runtime_ms: float
    n_calls: int
