"""Caffe's layers as JAX expressions: a function a layer type makes the forward pass of a layer.

Semantics as the ONNX builder's. Parameters are arguments of the pass, never constants of it: XLA
would compute what depends on constants alone while it compiles.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import jax.numpy as jnp
import numpy
from jax import lax
from numpy.typing import NDArray

from neuralpower.frameworks.layer_fields import (
    average_divisor,
    bottom_shape,
    canonical_axis,
    count,
    pool_window,
    spatial,
    top_shape,
    unsupported,
)
from neuralpower.frameworks.layer_graph import LayerLike
from neuralpower.frameworks.layer_registry import Registry

Array = NDArray[numpy.float32]
#: Parameters of the model and inputs of a layer to its outputs.
Forward = Callable[[Sequence[Any], Sequence[Any]], Sequence[Any]]


class Store(Protocol):
    """Where parameters are kept; a forward pass finds them by their number."""

    #: XLA's kernels on a CPU want filters with the channels last, cuDNN's do not.
    filters_last: bool

    def weight(
        self, layer: LayerLike, index: int, shape: Sequence[int], kind: str, like: Any = None
    ) -> int:
        """The number of a layer's parameter; ``like`` changes its values beforehand."""
        ...

    def values(self, layer: LayerLike, index: int, shape: Sequence[int], kind: str) -> Array:
        """A parameter's values."""
        ...


Maker = Callable[[LayerLike, Store], Forward]

#: What writes a layer type.
makes: Registry[Maker] = Registry("JAX")


def forward_of(layer: LayerLike, store: Store) -> Forward:
    """The forward pass of a layer. ``InputError`` when its type has none here."""
    return makes.of(layer)(layer, store)


def one(function: Callable[[Any], Any]) -> Forward:
    """The pass of a layer with one input, one output and no parameters."""
    return lambda parameters, values: (function(values[0]),)


def channels(vector: Any, rank: int) -> Any:
    """A vector along axis 1 of a value of so many axes."""
    return vector.reshape(1, -1, *(1 for _ in range(rank - 2)))


@makes("Convolution", "Deconvolution", "DepthwiseConvolution", "ConvolutionDepthwise")
def convolution(layer: LayerLike, store: Store) -> Forward:
    """Any number of spatial axes; every bottom passes the same filters.

    A deconvolution is a convolution of the input spread out by the stride with the filters
    turned round; they are turned once, before the first call.
    """
    param, shape = layer.param.convolution_param, bottom_shape(layer)
    if canonical_axis(layer, param.axis, len(shape)) != 1:
        raise unsupported(layer, "only channels on axis 1 are written")
    rank = len(shape) - 2
    kernel, stride, pad, dilation = (
        spatial(layer, param, name, rank, default)
        for name, default in (("kernel", 0), ("stride", 1), ("pad", 0), ("dilation", 1))
    )
    inputs, outputs = shape[1], top_shape(layer)[1]
    group = inputs if "epthwise" in layer.type else param.group
    transposed = layer.type == "Deconvolution"
    ends = (inputs, outputs) if transposed else (outputs, inputs)

    def arranged(filters: Array) -> Array:
        if transposed:
            filters = _turned(filters, group)
        order = (*range(2, 2 + rank), 1, 0)
        return filters.transpose(order) if store.filters_last else filters

    slot = store.weight(layer, 0, (ends[0], ends[1] // group, *kernel), "filter", arranged)
    bias = store.weight(layer, 1, (outputs,), "bias") if param.bias_term else None
    reach = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    edges = [r - p if transposed else p for r, p in zip(reach, pad, strict=True)]
    axes = "0123456789"[:rank]
    layout = f"{axes}IO" if store.filters_last else f"OI{axes}"
    fixed: dict[str, Any] = {
        "window_strides": [1] * rank if transposed else stride,
        "padding": [(edge, edge) for edge in edges],
        "lhs_dilation": stride if transposed else None,
        "rhs_dilation": dilation,
        "dimension_numbers": (f"NC{axes}", layout, f"NC{axes}"),
        "feature_group_count": group,
    }

    def run(parameters: Sequence[Any], values: Sequence[Any]) -> Sequence[Any]:
        found = [lax.conv_general_dilated(v, parameters[slot], **fixed) for v in values]
        if bias is None:
            return found
        shift = channels(parameters[bias], rank + 2)
        return [value + shift for value in found]

    return run


def _turned(filters: Array, group: int) -> Array:
    """Filters of a deconvolution (inputs, outputs a group, ...) as those of a convolution."""
    inputs, outputs, *kernel = filters.shape
    parted = filters.reshape(group, inputs // group, outputs, *kernel).swapaxes(1, 2)
    turned = numpy.flip(parted, tuple(range(3, 3 + len(kernel))))
    return turned.reshape(group * outputs, inputs // group, *kernel)


@makes("InnerProduct")
def inner_product(layer: LayerLike, store: Store) -> Forward:
    """A matrix product over the axes from ``axis`` on, flattened, and a bias."""
    param, shape = layer.param.inner_product_param, bottom_shape(layer)
    axis = canonical_axis(layer, param.axis, len(shape))
    rows, width, outputs = count(shape[:axis]), count(shape[axis:]), param.num_output
    own = (width, outputs) if param.transpose else (outputs, width)
    matrix = store.weight(layer, 0, own, "filter")
    bias = store.weight(layer, 1, (outputs,), "bias") if param.bias_term else None
    contracted = (((1,), (0 if param.transpose else 1,)), ((), ()))
    wanted = (*shape[:axis], outputs)

    def run(parameters: Sequence[Any], values: Sequence[Any]) -> Sequence[Any]:
        product = lax.dot_general(values[0].reshape(rows, width), parameters[matrix], contracted)
        if bias is not None:
            product = product + parameters[bias]
        return (product.reshape(wanted),)

    return run


@makes("Pooling")
def pooling(layer: LayerLike, store: Store) -> Forward:
    """Caffe's pooling: output size rounded up, last window clipped, its own average divisor."""
    if len(layer.tops) > 1:
        raise unsupported(layer, "a second top (the mask of max pooling) is not written")
    kernel, stride, pad = pool_window(layer)
    return one(pool(layer, layer.param.pooling_param.pool, kernel, stride, pad, top_shape(layer)))


def pool(
    layer: LayerLike,
    method: int,
    kernel: list[int],
    stride: list[int],
    pad: list[int],
    top: Sequence[int],
) -> Callable[[Any], Any]:
    """One pooling of a 4-d value; methods as Caffe numbers them: max, average, stochastic."""
    size, out = bottom_shape(layer)[2:], list(top[2:])
    if list(size) == kernel and pad == [0, 0] and out == [1, 1] and method < 2:
        whole: Any = jnp.mean if method else jnp.max
        return lambda x: whole(x, (2, 3), keepdims=True)
    reach = [(o - 1) * s + k for o, s, k in zip(out, stride, kernel, strict=True)]
    ends = [r - p - n for r, p, n in zip(reach, pad, size, strict=True)]
    if any(e >= k or p >= k for e, p, k in zip(ends, pad, kernel, strict=True)):
        raise unsupported(layer, "a pooling window lies wholly outside of its input")
    # A negative end cuts off what no window reaches, as XLA understands it too.
    edges = [(0, 0), (0, 0), *zip(pad, ends, strict=True)]
    window, steps = (1, 1, *kernel), (1, 1, *stride)
    if method == 0:
        return lambda x: lax.reduce_window(x, -jnp.inf, lax.max, window, steps, edges)
    divisor = average_divisor(size, kernel, stride, pad, out)
    same = bool((divisor == divisor.flat[0]).all())
    over = float(divisor.flat[0]) if same else divisor.astype(numpy.float32)

    def average(x: Any) -> Any:
        total = lax.reduce_window(x, 0.0, lax.add, window, steps, edges)
        return total / jnp.asarray(over, x.dtype)

    if method == 1:
        return average
    if method != 2:
        raise unsupported(layer, f"pool method {method} is not known")
    # Stochastic pooling at test time: the mean weighted by its own values.
    return lambda x: average(x * x) / average(x)


@makes("SPP")
def spatial_pyramid(layer: LayerLike, store: Store) -> Forward:
    """Spatial pyramid pooling: level i pools to 2**i x 2**i bins; bins are flattened and joined."""
    param = layer.param.spp_param
    batch, width, *size = bottom_shape(layer)
    levels = []
    for level in range(param.pyramid_height):
        bins = 2**level
        kernel = [-(-n // bins) for n in size]
        pad = [(k * bins - n + 1) // 2 for k, n in zip(kernel, size, strict=True)]
        levels.append(pool(layer, param.pool, kernel, kernel, pad, (batch, width, bins, bins)))
    return one(lambda x: jnp.concatenate([level(x).reshape(batch, -1) for level in levels], 1))


@makes("LRN")
def response_normalisation(layer: LayerLike, store: Store) -> Forward:
    """Across channels (alpha over the window's size) or within a channel (without k)."""
    param = layer.param.lrn_param
    size, alpha, beta = param.local_size, param.alpha, param.beta
    if size % 2 == 0:
        raise unsupported(layer, "a window of an even size has no middle")
    across = param.norm_region == 0
    edge, k = size // 2, param.k if across else 1.0
    window = (1, size, 1, 1) if across else (1, 1, size, size)
    elements = size if across else size * size
    edges = [(edge, edge) if n > 1 else (0, 0) for n in window]

    def run(x: Any) -> Any:
        total = lax.reduce_window(x * x, 0.0, lax.add, window, (1, 1, 1, 1), edges)
        return x * (k + alpha / elements * total) ** -beta

    return one(run)


@makes("BatchNorm")
def batch_norm(layer: LayerLike, store: Store) -> Forward:
    """With the stored statistics over their running scale, or those of the batch."""
    param, shape = layer.param.batch_norm_param, bottom_shape(layer)
    rank, eps = len(shape), param.eps
    if param.HasField("use_global_stats") and not param.use_global_stats:
        axes = tuple(axis for axis in range(rank) if axis != 1)

        def of_batch(x: Any) -> Any:
            centred = x - x.mean(axes, keepdims=True)
            return centred * lax.rsqrt((centred * centred).mean(axes, keepdims=True) + eps)

        return one(of_batch)
    if rank < 2:
        raise unsupported(layer, "a one-dimensional input is not written")
    factor = float(store.values(layer, 2, (1,), "factor")[0])
    by = numpy.float32(0.0 if factor == 0 else 1.0 / factor)
    mean = store.weight(layer, 0, (shape[1],), "mean", lambda v: v * by)
    variance = store.weight(layer, 1, (shape[1],), "variance", lambda v: v * by)

    def run(parameters: Sequence[Any], values: Sequence[Any]) -> Sequence[Any]:
        centre = channels(parameters[mean], rank)
        deviation = lax.rsqrt(channels(parameters[variance], rank) + eps)
        return ((values[0] - centre) * deviation,)

    return run
