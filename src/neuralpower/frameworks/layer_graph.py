"""Layers and networks as executors see them, and the seeded data that they are fed.

No framework is imported here: every executor builds from the same layers, inputs and numbers.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy
from numpy.typing import NDArray

from neuralpower.caffe import caffe_pb2
from neuralpower.core.configuration import Configuration
from neuralpower.core.validity import check_configuration
from neuralpower.frameworks.weights import normal

#: Layers whose tops come from outside of the network: they become inputs of the graph.
DATA_TYPES = frozenset(
    {
        "AnnotatedData",
        "Data",
        "DummyData",
        "HDF5Data",
        "ImageData",
        "Input",
        "MemoryData",
        "WindowData",
    }
)
#: Layer types whose second bottom holds whole numbers below the channels of the first.
_LABELLED = frozenset({"Accuracy", "SoftmaxWithLoss"})

Shape = tuple[int, ...]


class LayerLike(Protocol):
    """What an emitter reads of ``neuralpower.caffe.network.Layer``."""

    @property
    def name(self) -> str:
        """The layer's name."""
        ...

    @property
    def type(self) -> str:
        """Caffe's type of the layer."""
        ...

    @property
    def bottoms(self) -> tuple[str, ...]:
        """Names of its input blobs."""
        ...

    @property
    def tops(self) -> tuple[str, ...]:
        """Names of its output blobs."""
        ...

    @property
    def bottom_shapes(self) -> Sequence[Shape | None]:
        """Shapes of its inputs; ``None`` where not known."""
        ...

    @property
    def top_shapes(self) -> Sequence[Shape | None]:
        """Shapes of its outputs; ``None`` where not known."""
        ...

    @property
    def param(self) -> Any:
        """Its ``LayerParameter``."""
        ...


@dataclass(frozen=True, slots=True)
class InputSpec:
    """A graph input: float32 normal numbers, or whole numbers below ``classes`` (as float32).

    ``doc`` says in an exported model which layer the input is.
    """

    name: str
    shape: Shape
    classes: int | None = None
    doc: str = ""


class NetworkLike(Protocol):
    """What the builder reads of ``neuralpower.caffe.network.Network``."""

    @property
    def name(self) -> str:
        """The network's name."""
        ...

    @property
    def layers(self) -> Sequence[LayerLike]:
        """Its layers in execution order."""
        ...

    @property
    def outputs(self) -> Mapping[str, Shape | None]:
        """Blobs that no layer reads, and their shapes."""
        ...


@dataclass(frozen=True, slots=True)
class ConfiguredLayer:
    """A layer made from a configuration; fields as of ``neuralpower.caffe.network.Layer``."""

    name: str
    type: str
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    bottom_shapes: tuple[Shape, ...]
    top_shapes: tuple[Shape, ...]
    param: Any


def label_classes(layers: Sequence[LayerLike]) -> dict[str, int]:
    """Blobs that hold whole numbers, and how many different ones."""
    found: dict[str, int] = {}
    for layer in layers:
        if layer.type in _LABELLED and len(layer.bottoms) > 1 and layer.bottom_shapes[0]:
            found[layer.bottoms[1]] = layer.bottom_shapes[0][1]
        elif layer.type == "Embed":
            found[layer.bottoms[0]] = layer.param.embed_param.input_dim
        elif layer.type == "BatchReindex" and layer.bottom_shapes[0]:
            found[layer.bottoms[1]] = layer.bottom_shapes[0][0]
    return found


def random_input(spec: InputSpec, seed: int, number: int = 0) -> NDArray[numpy.float32]:
    """Seeded data of one input: normal numbers, or whole numbers where the input holds labels."""
    source = numpy.random.default_rng([seed, zlib.crc32(spec.name.encode()), number, 1])
    if spec.classes is not None:
        return source.integers(0, spec.classes, spec.shape).astype(numpy.float32)
    return normal(source, spec.shape)


_SIMPLE_TYPES = {
    "lrn": "LRN",
    "batchnorm": "BatchNorm",
    "relu": "ReLU",
    "sigmoid": "Sigmoid",
    "tanh": "TanH",
    "elu": "ELU",
    "prelu": "PReLU",
    "eltwise": "Eltwise",
    "softmax": "Softmax",
    "dropout": "Dropout",
}


def configuration_layer(configuration: Configuration) -> ConfiguredLayer:
    """A configuration as a layer. What it does not tell takes Caffe's default (LRN over 5
    channels, an Eltwise sum, axis 1).

    Raises ``InputError`` when the output size does not follow from the others.
    """
    c = configuration
    check_configuration(c)
    param = caffe_pb2.LayerParameter(name=c.family)
    shape: Shape = (c.batch, c.in_channels, c.in_height, c.in_width)
    top: Shape = (c.batch, c.out_channels, c.out_height, c.out_width)
    bottoms: tuple[Shape, ...] = (shape,)
    if c.family in ("conv", "deconv"):
        param.type = "Convolution" if c.family == "conv" else "Deconvolution"
        _fill_convolution(param.convolution_param, c)
    elif c.family == "pool":
        param.type = "Pooling"
        _fill_pooling(param.pooling_param, c)
    elif c.family == "fc":
        param.type = "InnerProduct"
        param.inner_product_param.num_output = c.out_channels
        param.inner_product_param.bias_term = bool(c.bias)
        bottoms = ((c.batch, c.in_channels * c.in_height * c.in_width),)
        top = (c.batch, c.out_channels)
    elif c.family == "scale":
        param.type = "Scale"
        param.scale_param.bias_term = bool(c.bias)
    elif c.family == "concat":
        param.type = "Concat"
        bottoms = tuple((c.batch, n, *shape[2:]) for n in _shares(c))
    else:
        param.type = _SIMPLE_TYPES[c.family]
        bottoms = (shape,) * (c.inputs if c.family == "eltwise" else 1)
    names = tuple(f"x{i}" for i in range(len(bottoms)))
    return ConfiguredLayer(c.family, param.type, names, ("y",), bottoms, (top,), param)


def _fill_convolution(param: Any, c: Configuration) -> None:
    param.num_output, param.group, param.bias_term = c.out_channels, c.groups, bool(c.bias)
    param.kernel_h, param.kernel_w = c.kernel_height, c.kernel_width
    param.stride_h, param.stride_w = c.stride_height, c.stride_width
    param.pad_h, param.pad_w = c.pad_height, c.pad_width
    param.dilation.extend([c.dilation_height, c.dilation_width])


def _fill_pooling(param: Any, c: Configuration) -> None:
    param.pool = param.PoolMethod.Value(c.pool_method.upper())
    param.kernel_h, param.kernel_w = c.kernel_height, c.kernel_width
    param.stride_h, param.stride_w = c.stride_height, c.stride_width
    param.pad_h, param.pad_w = c.pad_height, c.pad_width


def _shares(c: Configuration) -> list[int]:
    """The channels of each input of a concat: equal as far as they divide."""
    each, rest = divmod(c.out_channels, c.inputs)
    return [each + (i < rest) for i in range(c.inputs)]
