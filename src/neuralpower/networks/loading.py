"""Prototxt files and ONNX models as networks at the wanted batch sizes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from neuralpower.core.errors import InputError
from neuralpower.core.network_files import network_name
from neuralpower.networks.measured import Pass
from neuralpower.networks.reading import Readings

if TYPE_CHECKING:
    from neuralpower.caffe.network import Network


def load_networks(
    paths: Sequence[Path], batches: Sequence[int] = (), readings: Readings | None = None
) -> list[Network]:
    """Load each file at each batch size (at its own where none is wanted), in the given order.

    ``readings`` say how each is read; by default as ``networks.yaml`` beside it says. Raises
    ``InputError`` for a file that cannot be read or has no layers, and when two files would have
    the same name in a table.
    """
    from neuralpower.onnx_in.loading import load_network

    readings = readings or Readings()
    refuse_doubled(paths)
    networks = []
    for path in dict.fromkeys(paths):
        for batch in dict.fromkeys(batches) or [None]:
            network = load_network(path, batch=batch, **readings.of(path).options())
            refuse_empty(network, path)
            networks.append(network)
    return networks


def refuse_doubled(paths: Sequence[Path]) -> None:
    """``InputError`` for two files that would have the same name in a table."""
    seen: dict[str, Path] = {}
    for path in paths:
        if (other := seen.setdefault(network_name(path), path)) != path:
            raise InputError(f"has the same name as {other}: rename one of them", path=path)


def refuse_empty(network: Network, path: str | Path) -> None:
    """``InputError`` for a file without layers: the settings of a solver, an empty one."""
    if not network.layers:
        raise InputError(network.no_layers, path=path)


def network_at(path: Path, measured: Pass, readings: Readings) -> Network:
    """The network of a measured pass under the pass's name, at its batch size and image.

    Raises ``InputError`` for a file that cannot be read, or does not take one image of that size.
    """
    from neuralpower.onnx_in.loading import load_network

    options = readings.of(path).options()
    network = load_network(path, batch=measured.batch, **options)
    wanted = (measured.batch, *measured.image)
    if measured.image and [tuple(s or ()) for s in network.inputs.values()] != [wanted]:
        if len(network.inputs) != 1:
            raise InputError("takes several inputs: their sizes cannot be set", path=path)
        [blob] = network.inputs
        shapes = {**options.pop("blob_shapes", {}), blob: wanted}
        network = load_network(path, batch=measured.batch, blob_shapes=shapes, **options)
    network.name = measured.network
    return network
