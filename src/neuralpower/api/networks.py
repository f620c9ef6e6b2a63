"""Networks as programs read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuralpower.api.results import Table

if TYPE_CHECKING:
    from neuralpower.caffe.network import Network as Layers


class Network(Table):
    """A network as its layer table: a row for each layer, in the order of execution.

    Attributes
    ----------
    name : str
        The file's name without its ending.
    batch : int or None
        The first size of the first input.
    macs : int
        Multiply-accumulates of one forward pass of the whole batch.
    params : int
        Elements of all parameters; shared ones count once.
    notes : list of str
        What was ignored or assumed while reading.
    """

    kind = "layers"

    def __init__(self, path: str, options: Mapping[str, Any], network: Layers) -> None:
        from neuralpower.caffe.network import LAYER_COLUMNS, layer_row

        super().__init__(LAYER_COLUMNS, [layer_row(network, layer) for layer in network.layers])
        self.path = path
        self._options = dict(options)
        self._network = network

    @property
    def name(self) -> str:  # noqa: D102 - as of the class
        return self._network.name

    @property
    def batch(self) -> int | None:  # noqa: D102 - as of the class
        from neuralpower.networks.composition import network_batch

        return network_batch(self._network)

    @property
    def macs(self) -> int:  # noqa: D102 - as of the class
        return sum(layer.macs or 0 for layer in self._network.layers)

    @property
    def params(self) -> int:  # noqa: D102 - as of the class
        return sum(layer.params - layer.params_shared for layer in self._network.layers)

    @property
    def notes(self) -> list[str]:  # noqa: D102 - as of the class
        return list(self._network.notes)

    def at_batch(self, batch: int) -> Network:
        """The same file at another batch size."""
        return read_network(self.path, **{**self._options, "batch": batch})

    def _title(self) -> str:
        from neuralpower.networks.text import count

        layers = f"{len(self)} layers, {count(self.macs)} MACs, {count(self.params)} parameters"
        return f"{self.name}: {layers}"

    def _shown(self) -> tuple[list[str], list[bool], list[list[str]]]:
        from neuralpower.networks.text import layer_cells

        return layer_cells(self.rows)


def read_network(
    path: str | Path,
    *,
    batch: int | None = None,
    shapes: Mapping[str, Sequence[int]] | None = None,
    data_shape: Sequence[int] | None = None,
    phase: str | None = None,
) -> Network:
    """Read a Caffe prototxt or an ONNX model as a network.

    What ``networks.yaml`` beside the file says of its reading holds, unless it is given here.

    Parameters
    ----------
    path : str or Path
        ``*.prototxt``, ``*.prototxt.gz`` or ``*.onnx`` (needs the package ``onnx``).
    batch : int, optional
        First size of every network input; by default the file's own.
    shapes : mapping of str to sequence of int, optional
        Shapes of blobs that come from outside the file, as ``{"data": (1, 3, 224, 224)}``.
    data_shape : sequence of int, optional
        One item of the data layers (channels, height, width), before they crop it.
    phase : {"TEST", "TRAIN"}, optional
        Which layers of a prototxt count; TEST where nothing is said.

    Returns
    -------
    Network

    Raises
    ------
    InputError
        With the file, and the line or operator that is at fault.

    Examples
    --------
    >>> import neuralpower
    >>> network = neuralpower.read_network("prototxts/alexnet.prototxt", batch=16)
    >>> network.batch, network.macs, network.params
    (16, 11628670976, 60965224)
    >>> network[1]["name"], network[1]["top_shapes"]
    ('conv1', '16x96x55x55')
    >>> frame = network.to_frame()
    >>> int(frame.loc[frame.family == "conv", "macs"].sum())
    10652557824
    """
    from neuralpower.networks.loading import load_networks
    from neuralpower.networks.reading import Reading, Readings

    given = {name: tuple(shape) for name, shape in (shapes or {}).items()}
    reading = Reading(
        phase=phase,
        data_shape=None if data_shape is None else tuple(data_shape),
        blob_shapes=tuple(sorted(given.items())) or None,
    )
    batches = () if batch is None else (batch,)
    (network,) = load_networks([Path(path)], batches, Readings(given=reading))
    options = {"batch": batch, "shapes": shapes, "data_shape": data_shape, "phase": phase}
    return Network(str(path), options, network)
