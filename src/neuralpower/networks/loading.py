"""Prototxt files as networks at the wanted batch sizes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from neuralpower.core.errors import InputError

if TYPE_CHECKING:
    from neuralpower.caffe.network import Network


def network_name(path: str | Path) -> str:
    """The name a file gives its network, as ``caffe.network.load_network`` does."""
    name = Path(path).name
    for suffix in (".gz", ".prototxt", ".txt", ".pbtxt"):
        name = name.removesuffix(suffix) or name
    return name


def load_networks(paths: Sequence[Path], batches: Sequence[int] = ()) -> list[Network]:
    """Load each file at each batch size (at its own where none is wanted), in the given order.

    Raises ``InputError`` when two files would have the same name in a table.
    """
    from neuralpower.caffe.network import load_network

    seen: dict[str, Path] = {}
    for path in paths:
        if (other := seen.setdefault(network_name(path), path)) != path:
            raise InputError(f"has the same name as {other}: rename one of them", path=path)
    return [
        load_network(path, batch=batch)
        for path in seen.values()
        for batch in (dict.fromkeys(batches) or [None])
    ]
