"""Prototxt files and ONNX models as networks at the wanted batch sizes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from neuralpower.core.errors import InputError
from neuralpower.core.network_files import network_name
from neuralpower.networks.reading import Readings

if TYPE_CHECKING:
    from neuralpower.caffe.network import Network


def load_networks(
    paths: Sequence[Path], batches: Sequence[int] = (), readings: Readings | None = None
) -> list[Network]:
    """Load each file at each batch size (at its own where none is wanted), in the given order.

    ``readings`` say how each is read; by default as ``networks.yaml`` beside it says. Raises
    ``InputError`` when two files would have the same name in a table.
    """
    from neuralpower.onnx_in.loading import load_network

    readings = readings or Readings()
    seen: dict[str, Path] = {}
    for path in paths:
        if (other := seen.setdefault(network_name(path), path)) != path:
            raise InputError(f"has the same name as {other}: rename one of them", path=path)
    return [
        load_network(path, batch=batch, **readings.of(path).options())
        for path in seen.values()
        for batch in (dict.fromkeys(batches) or [None])
    ]
