"""One layer or a whole network as an ONNX model, with Caffe's semantics and seeded parameters.

``build_layer`` takes a ``columns.Configuration``, ``build_network`` what
``neuralpower.caffe.network.load_network`` returns. Both end in the same emitters
(``onnx_ops``), so that a layer of a sweep and the same layer inside a network are the same nodes.
Needs the extra ``onnx``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from neuralpower.caffe import caffe_pb2
from neuralpower.columns import Configuration
from neuralpower.errors import InputError
from neuralpower.profiling.configurations import check_configuration
from neuralpower.profiling.onnx_ops import pointwise, shaping, windows
from neuralpower.profiling.onnx_ops.graph import Built, Graph, InputSpec, LayerLike, Shape
from neuralpower.profiling.onnx_ops.registry import EMITTERS, unsupported
from neuralpower.profiling.onnx_ops.weights import RandomWeights, WeightSource

__all__ = ["Built", "InputSpec", "build_layer", "build_network", "configuration_layer"]

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
_REGISTERED = (pointwise, shaping, windows)


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


def build_layer(configuration: Configuration, seed: int = 0) -> Built:
    """The model of one layer: inputs ``x0``, ``x1``, ..., output ``y``.

    Raises ``InputError`` when the family is unknown or the output size does not follow from the
    others.
    """
    layer = configuration_layer(configuration)
    graph = Graph(configuration.family, RandomWeights(seed))
    for name, shape in zip(layer.bottoms, layer.bottom_shapes, strict=True):
        graph.add_input(InputSpec(name, shape))
    _emit(graph, layer, layer.bottoms, layer.tops)
    return graph.build({"y": ("y", layer.top_shapes[0])}, {"y": "y"})


def build_network(
    network: NetworkLike,
    seed: int = 0,
    weights: WeightSource | None = None,
    every_blob: bool = False,
) -> Built:
    """The model of a whole network; its outputs are the network's (or every blob, for tests).

    Tops of data layers are inputs. In-place layers get values of their own: the last value of a
    blob carries the blob's name, ``Built.blobs`` tells. Raises ``InputError`` naming the first
    layer that cannot be written.
    """
    graph = Graph(network.name, weights or RandomWeights(seed))
    classes = _label_classes(network.layers)
    last = {top: i for i, layer in enumerate(network.layers) for top in layer.tops}
    current: dict[str, str] = {}
    shapes: dict[str, Shape] = {}
    for index, layer in enumerate(network.layers):
        graph.enter(layer.name)
        for top, shape in zip(layer.tops, layer.top_shapes, strict=True):
            if shape is None:
                raise unsupported(layer, "the shape of its output is not known")
            shapes[top] = shape
        if layer.type in DATA_TYPES:
            for top in layer.tops:
                current[top] = graph.add_input(InputSpec(top, shapes[top], classes.get(top)))
            continue
        bottoms = [_value_of(layer, bottom, current) for bottom in layer.bottoms]
        tops = [
            graph.fresh(top if last[top] == index else f"{top}/{layer.name}") for top in layer.tops
        ]
        _emit(graph, layer, bottoms, tops)
        current.update(zip(layer.tops, tops, strict=True))
    wanted = shapes if every_blob else network.outputs
    inputs = {spec.name for spec in graph.inputs.values()}
    outputs = {
        blob: (current[blob], shapes[blob]) for blob in wanted if current[blob] not in inputs
    }
    if not outputs:
        raise InputError(f"network {network.name!r} computes nothing: it has no output")
    return graph.build(outputs, current)


def _emit(graph: Graph, layer: LayerLike, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    emitter = EMITTERS.get(layer.type)
    if emitter is None:
        raise unsupported(layer, "this layer type has no ONNX form: it cannot be run")
    graph.enter(layer.name)
    emitter(graph, layer, bottoms, tops)


def _value_of(layer: LayerLike, bottom: str, current: Mapping[str, str]) -> str:
    if bottom not in current:
        raise unsupported(layer, f"its bottom {bottom!r} is made by no earlier layer")
    return current[bottom]


def _label_classes(layers: Sequence[LayerLike]) -> dict[str, int]:
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
