"""A configuration as a layer of a network of one layer: what a sweep measures."""

from __future__ import annotations

from neuralpower.caffe import caffe_pb2
from neuralpower.caffe.build import build
from neuralpower.caffe.caffe_pb2 import ConvolutionParameter, LayerParameter, PoolingParameter
from neuralpower.caffe.layer import Layer
from neuralpower.caffe.rules import State
from neuralpower.caffe.shapes import Shape, shape_text
from neuralpower.caffe.wiring import Options
from neuralpower.core.configuration import Configuration
from neuralpower.core.errors import InputError
from neuralpower.core.validity import check_configuration

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


def configured_layer(configuration: Configuration) -> Layer:
    """A configuration as a layer with bottoms ``x0``, ``x1``, ... and the top ``y``.

    What it does not say takes Caffe's default (LRN over 5 channels, an Eltwise sum, axis 1).
    Raises ``InputError`` when the output size does not follow from the others.
    """
    c = configuration
    check_configuration(c)
    param = caffe_pb2.LayerParameter(name=c.family, top=["y"])
    bottoms, top = _fill(param, c)
    layer = _set_up(param, bottoms)
    if layer.top_shapes != (top,) and c.family == "pool":
        # Other frameworks round the size down.
        param.pooling_param.round_mode = param.pooling_param.FLOOR
        layer = _set_up(param, bottoms)
    if layer.top_shapes != (top,):
        found = layer.note if layer.top_shapes == (None,) else shape_text(layer.top_shapes[0])
        raise InputError(f"{c.family}: {shape_text(top)} is not the output: {found}")
    return layer


def _set_up(param: LayerParameter, bottoms: tuple[Shape, ...]) -> Layer:
    del param.bottom[:]
    param.bottom.extend(f"x{i}" for i in range(len(bottoms)))
    shapes = dict(zip(param.bottom, bottoms, strict=True))
    state = State("TEST", 0, frozenset())
    (layer,) = build([param], [-1], state, Options(blob_shapes=shapes)).layers
    return layer


def _fill(param: LayerParameter, c: Configuration) -> tuple[tuple[Shape, ...], Shape]:
    """Type and parameters into the message; the shapes of bottoms and top."""
    shape: Shape = (c.batch, c.in_channels, c.in_height, c.in_width)
    top: Shape = (c.batch, c.out_channels, c.out_height, c.out_width)
    bottoms: tuple[Shape, ...] = (shape,)
    if c.family in ("conv", "deconv"):
        param.type = "Convolution" if c.family == "conv" else "Deconvolution"
        options = param.convolution_param
        options.num_output, options.group = c.out_channels, c.groups
        options.bias_term = bool(c.bias)
        options.dilation.extend([c.dilation_height, c.dilation_width])
        _fill_window(options, c)
    elif c.family == "pool":
        param.type = "Pooling"
        param.pooling_param.MergeFrom(PoolingParameter(pool=c.pool_method.upper()))
        _fill_window(param.pooling_param, c)
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
    return bottoms, top


def _fill_window(options: ConvolutionParameter | PoolingParameter, c: Configuration) -> None:
    options.kernel_h, options.kernel_w = c.kernel_height, c.kernel_width
    options.stride_h, options.stride_w = c.stride_height, c.stride_width
    options.pad_h, options.pad_w = c.pad_height, c.pad_width


def _shares(c: Configuration) -> list[int]:
    """The channels of each input of a concat: equal as far as they divide."""
    each, rest = divmod(c.out_channels, c.inputs)
    return [each + (i < rest) for i in range(c.inputs)]
