"""Caffe's layers as PyTorch calls: a function a layer type makes the forward pass of a layer.

Semantics as the ONNX builder's; each layer is as few kernels as PyTorch has for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - its usual name

from neuralpower.frameworks.layer_fields import (
    axis_order,
    bottom_shape,
    canonical_axis,
    count,
    crop_bounds,
    pool_window,
    run_of_axes,
    shuffle_groups,
    slice_parts,
    spatial,
    top_shape,
    unsupported,
)
from neuralpower.frameworks.layer_graph import LayerLike
from neuralpower.frameworks.layer_registry import Registry

#: Inputs of a layer to its outputs.
Forward = Callable[[Sequence[Any]], Sequence[Any]]
#: ``weight(layer, index, shape, kind)``: a parameter as a tensor on the device.
Weight = Callable[[LayerLike, int, Sequence[int], str], Any]
Maker = Callable[[LayerLike, Weight], Forward]

#: What writes a layer type.
makes: Registry[Maker] = Registry("PyTorch")


def forward_of(layer: LayerLike, weight: Weight) -> Forward:
    """The forward pass of a layer. ``InputError`` when its type has none here."""
    return makes.of(layer)(layer, weight)


def _one(function: Callable[[Any], Any]) -> Forward:
    return lambda values: (function(values[0]),)


@makes("Convolution", "Deconvolution", "DepthwiseConvolution", "ConvolutionDepthwise")
def convolution(layer: LayerLike, weight: Weight) -> Forward:
    """Convolutions of two spatial axes; every bottom passes the same filters."""
    param, shape = layer.param.convolution_param, bottom_shape(layer)
    if canonical_axis(layer, param.axis, len(shape)) != 1 or len(shape) != 4:
        raise unsupported(layer, "only channels on axis 1 and two spatial axes are written")
    kernel = spatial(layer, param, "kernel", 2, 0)
    channels, outputs = shape[1], top_shape(layer)[1]
    group = channels if "epthwise" in layer.type else param.group
    transposed = layer.type == "Deconvolution"
    ends = (channels, outputs) if transposed else (outputs, channels)
    filters = weight(layer, 0, (ends[0], ends[1] // group, *kernel), "filter")
    bias = weight(layer, 1, (outputs,), "bias") if param.bias_term else None
    same: dict[str, Any] = {
        "bias": bias,
        "stride": spatial(layer, param, "stride", 2, 1),
        "padding": spatial(layer, param, "pad", 2, 0),
        "dilation": spatial(layer, param, "dilation", 2, 1),
        "groups": group,
    }
    function: Any = F.conv_transpose2d if transposed else F.conv2d
    return lambda values: [function(value, filters, **same) for value in values]


@makes("Pooling")
def pooling(layer: LayerLike, weight: Weight) -> Forward:
    """PyTorch's ``ceil_mode`` has Caffe's rounding, clip rule and average divisor."""
    method = layer.param.pooling_param.pool
    if len(layer.tops) > 1:
        raise unsupported(layer, "a second top (the mask of max pooling) is not written")
    kernel, stride, pad = pool_window(layer)
    size, out = bottom_shape(layer)[2:], top_shape(layer)[2:]
    if list(size) == kernel and pad == [0, 0] and tuple(out) == (1, 1) and method < 2:
        whole: Any = F.adaptive_avg_pool2d if method else F.adaptive_max_pool2d
        return _one(lambda x: whole(x, 1))
    if any(p > k // 2 for p, k in zip(pad, kernel, strict=True)):
        raise unsupported(layer, "PyTorch pads by at most half of a pooling window")
    ceil = _rounds_up(layer, size, out, (kernel, stride, pad))
    if method == 0:
        return _one(lambda x: F.max_pool2d(x, kernel, stride, pad, ceil_mode=ceil))

    def average(x: Any) -> Any:
        return F.avg_pool2d(x, kernel, stride, pad, ceil_mode=ceil, count_include_pad=True)

    if method == 1:
        return _one(average)
    # Stochastic pooling at test time: the mean weighted by its own values.
    return _one(lambda x: average(x * x) / average(x))


def _rounds_up(
    layer: LayerLike,
    size: Sequence[int],
    out: Sequence[int],
    window: tuple[list[int], list[int], list[int]],
) -> bool:
    """Whether the output size is rounded up or down, the same on both axes."""
    down, up = [], []
    for n, k, s, p in zip(size, *window, strict=True):
        room = n + 2 * p - k
        down.append(room // s + 1)
        more = -(-room // s) + 1
        up.append(more - 1 if (more - 1) * s >= n + p else more)
    if list(out) == down:
        return False
    if list(out) == up:
        return True
    raise unsupported(layer, f"PyTorch pools to {down} or {up}, not {list(out)}")


@makes("LRN")
def response_normalisation(layer: LayerLike, weight: Weight) -> Forward:
    """Across channels (alpha over the window's size) or within a channel (without k)."""
    param = layer.param.lrn_param
    size, alpha, beta = param.local_size, param.alpha, param.beta
    if size % 2 == 0:
        raise unsupported(layer, "a window of an even size has no middle")
    if param.norm_region == 0:
        return _one(lambda x: F.local_response_norm(x, size, alpha, beta, param.k))
    edge = size // 2
    return _one(lambda x: x * (1 + alpha * F.avg_pool2d(x * x, size, 1, edge)) ** -beta)


@makes("BatchNorm")
def batch_norm(layer: LayerLike, weight: Weight) -> Forward:
    """With the stored statistics over their running scale, or those of the batch."""
    param, shape = layer.param.batch_norm_param, bottom_shape(layer)
    if param.HasField("use_global_stats") and not param.use_global_stats:
        return _one(lambda x: F.batch_norm(x, None, None, training=True, eps=param.eps))
    if len(shape) < 2:
        raise unsupported(layer, "a one-dimensional input has no PyTorch call")
    factor = weight(layer, 2, (1,), "factor")
    mean = weight(layer, 0, (shape[1],), "mean") / factor
    variance = weight(layer, 1, (shape[1],), "variance") / factor
    return _one(lambda x: F.batch_norm(x, mean, variance, eps=param.eps))


@makes("Scale", "Bias")
def scale(layer: LayerLike, weight: Weight) -> Forward:
    """Products with and sums of a vector (or a second bottom) along some axes."""
    only_bias = layer.type == "Bias"
    param = layer.param.bias_param if only_bias else layer.param.scale_param
    given = len(layer.bottoms) > 1
    own, wanted = run_of_axes(layer, param.axis, param.num_axes, given)
    kind = "bias" if only_bias else "gain"
    first = None if given else weight(layer, 0, own, kind).reshape(wanted)
    shift = None
    if not only_bias and param.bias_term:
        shift = weight(layer, 0 if given else 1, own, "bias").reshape(wanted)

    def run(values: Sequence[Any]) -> Sequence[Any]:
        factor = values[1].reshape(wanted) if given else first
        if only_bias:
            return (values[0] + factor,)
        return (values[0] * factor if shift is None else torch.addcmul(shift, values[0], factor),)

    return run


@makes("ReLU")
def relu(layer: LayerLike, weight: Weight) -> Forward:
    """max(0, x), or with a slope below zero."""
    slope = layer.param.relu_param.negative_slope
    return _one(lambda x: F.leaky_relu(x, slope)) if slope else _one(torch.relu)


@makes("Sigmoid", "TanH", "AbsVal", "ReLU6")
def plain(layer: LayerLike, weight: Weight) -> Forward:
    """One call without attributes."""
    calls = {"Sigmoid": torch.sigmoid, "TanH": torch.tanh, "AbsVal": torch.abs, "ReLU6": F.relu6}
    return _one(calls[layer.type])


@makes("Dropout", "Split")
def identity(layer: LayerLike, weight: Weight) -> Forward:
    """Nothing: no kernel runs at inference."""
    return lambda values: [values[0]] * len(layer.tops)


@makes("Silence")
def silence(layer: LayerLike, weight: Weight) -> Forward:
    """Nothing: it only swallows its bottoms."""
    return lambda values: ()


@makes("ELU")
def elu(layer: LayerLike, weight: Weight) -> Forward:
    """x, or alpha (exp(x) - 1) below zero."""
    alpha = layer.param.elu_param.alpha
    return _one(lambda x: F.elu(x, alpha))


@makes("PReLU")
def prelu(layer: LayerLike, weight: Weight) -> Forward:
    """A learned slope below zero, one a channel or one for all."""
    shared = layer.param.prelu_param.channel_shared
    slope = weight(layer, 0, () if shared else (bottom_shape(layer)[1],), "slope").reshape(-1)
    return _one(lambda x: F.prelu(x, slope))


@makes("Power")
def power(layer: LayerLike, weight: Weight) -> Forward:
    """(shift + scale x) ** power."""
    p = layer.param.power_param
    return _one(lambda x: (x * p.scale + p.shift) ** p.power)


@makes("Eltwise")
def eltwise(layer: LayerLike, weight: Weight) -> Forward:
    """Product, weighted sum or maximum of two or more bottoms of one shape."""
    param = layer.param.eltwise_param
    factors = list(param.coeff) or [1.0] * len(layer.bottoms)
    if len(factors) != len(layer.bottoms):
        raise unsupported(layer, f"{len(factors)} coefficients for {len(layer.bottoms)} bottoms")

    def total(values: Sequence[Any]) -> Any:
        result = values[0] if factors[0] == 1 else values[0] * factors[0]
        for value, factor in zip(values[1:], factors[1:], strict=True):
            result = torch.add(result, value, alpha=factor)
        return result

    def chain(function: Any) -> Callable[[Sequence[Any]], Any]:
        def run(values: Sequence[Any]) -> Any:
            result = values[0]
            for value in values[1:]:
                result = function(result, value)
            return result

        return run

    join = {0: chain(torch.mul), 1: total, 2: chain(torch.maximum)}[param.operation]
    return lambda values: (join(values),)


@makes("Concat")
def concat(layer: LayerLike, weight: Weight) -> Forward:
    """Bottoms joined along one axis (``concat_dim`` is its old name)."""
    param = layer.param.concat_param
    axis = param.concat_dim if param.HasField("concat_dim") else param.axis
    axis = canonical_axis(layer, axis, len(bottom_shape(layer)))
    return lambda values: (torch.cat(list(values), axis),)


@makes("Slice")
def slice_layer(layer: LayerLike, weight: Weight) -> Forward:
    """A bottom cut into its tops along one axis."""
    axis, sizes = slice_parts(layer)
    return lambda values: [part.contiguous() for part in torch.split(values[0], sizes, axis)]


@makes("Softmax")
def softmax(layer: LayerLike, weight: Weight) -> Forward:
    """exp(x) over its sum along one axis."""
    axis = canonical_axis(layer, layer.param.softmax_param.axis, len(bottom_shape(layer)))
    return _one(lambda x: torch.softmax(x, axis))


@makes("InnerProduct")
def inner_product(layer: LayerLike, weight: Weight) -> Forward:
    """A matrix product over the axes from ``axis`` on, flattened, and a bias."""
    param, shape = layer.param.inner_product_param, bottom_shape(layer)
    axis = canonical_axis(layer, param.axis, len(shape))
    rows, width, outputs = count(shape[:axis]), count(shape[axis:]), param.num_output
    own = (width, outputs) if param.transpose else (outputs, width)
    matrix = weight(layer, 0, own, "filter")
    matrix = matrix.t() if param.transpose else matrix
    bias = weight(layer, 1, (outputs,), "bias") if param.bias_term else None
    wanted = (*shape[:axis], outputs)
    return _one(lambda x: F.linear(x.reshape(rows, width), matrix, bias).reshape(wanted))


@makes("Flatten", "Reshape")
def reshape(layer: LayerLike, weight: Weight) -> Forward:
    """Another view of the same elements."""
    wanted = top_shape(layer)
    return _one(lambda x: x.reshape(wanted))


@makes("Permute")
def permute(layer: LayerLike, weight: Weight) -> Forward:
    """Axes in another order, copied into it."""
    order = axis_order(layer)
    return _one(lambda x: x.permute(order).contiguous())


@makes("ShuffleChannel")
def shuffle(layer: LayerLike, weight: Weight) -> Forward:
    """Channels of ``group`` groups interleaved."""
    group = shuffle_groups(layer)
    return _one(lambda x: F.channel_shuffle(x, group))


@makes("Crop")
def crop(layer: LayerLike, weight: Weight) -> Forward:
    """The first bottom cut to the size of the second, from ``axis`` on, at the given offsets."""
    place = tuple(slice(start, end) for start, end in crop_bounds(layer))
    return _one(lambda x: x[place].contiguous())


@makes("Normalize")
def normalise(layer: LayerLike, weight: Weight) -> Forward:
    """x over its euclidean norm across channels (or all of an image), scaled."""
    param, shape = layer.param.norm_param, bottom_shape(layer)
    axes = list(range(1, len(shape))) if param.across_spatial else [1]
    own = () if param.channel_shared else (shape[1],)
    gain = weight(layer, 0, own, "gain").reshape(-1, *(1 for _ in shape[2:]))

    def run(x: Any) -> Any:
        return x * torch.rsqrt((x * x).sum(axes, keepdim=True) + param.eps) * gain

    return _one(run)
