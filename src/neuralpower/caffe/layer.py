"""What is known of one layer of a network."""

from __future__ import annotations

from dataclasses import dataclass

from neuralpower.caffe.caffe_pb2 import LayerParameter
from neuralpower.caffe.shapes import Shape
from neuralpower.core.configuration import Configuration


@dataclass(slots=True)
class Layer:
    """One layer after Caffe's upgrades and rules, in execution order.

    Shapes are None where they cannot be known; ``known`` is True when all tops have one and the
    layer's figures are right. ``params`` counts the elements of the layer's own blobs (of
    ``param_shapes``),
    ``params_shared`` those among them that belong to an earlier layer. ``macs`` are
    multiply-accumulates of one forward pass of the whole batch, None where shapes are unknown.
    ``configuration`` is what the models predict from, None when no ``family`` fits. ``param`` is
    the layer's message in the current format, with defaults. ``doubts`` say why the figures are
    not sure (a field that may be misspelt), ``assumed`` what was filled in by a default; ``offset``
    is where the layer is in the file, -1 when it is made from other fields. All of them are in
    ``note`` as well.
    """

    index: int
    name: str
    type: str
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    bottom_shapes: tuple[Shape | None, ...]
    top_shapes: tuple[Shape | None, ...]
    param: LayerParameter
    params: int = 0
    params_shared: int = 0
    param_shapes: tuple[Shape, ...] = ()
    macs: int | None = None
    family: str = ""
    configuration: Configuration | None = None
    known: bool = False
    note: str = ""
    doubts: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()
    offset: int = -1
    #: Why the shape is unknown from this layer on; empty where it follows from an earlier layer.
    unknown: str = ""

    @property
    def supported(self) -> bool:
        """Whether a model family exists for the layer."""
        return bool(self.family)
