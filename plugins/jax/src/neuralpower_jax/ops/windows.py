"""Sliding windows: convolution and its columns, pooling, response normalisation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy
from jax import lax

from neuralpower.caffe.layers.convolution import Convolution, Im2col
from neuralpower.caffe.layers.normalisation import LRN
from neuralpower.caffe.layers.pooling import SPP, Pooling
from neuralpower.frameworks.windows import check_windows, divisors
from neuralpower_jax.ops.registry import Array, Forward, Store, channels, makes, one


@makes(Convolution)
def convolution(op: Convolution, store: Store) -> Forward:
    """Any number of spatial axes; every input passes the same filters.

    A deconvolution is a convolution of the input spread out by the stride with the filters
    turned round; they are turned once, before the first call.
    """
    rank = len(op.kernel)

    def arranged(filters: Array) -> Array:
        if op.transposed:
            filters = _turned(filters, op.group)
        order = (*range(2, 2 + rank), 1, 0)
        return filters.transpose(order) if store.filters_last else filters

    slot = store.weight(op.weights[0], arranged)
    bias = store.weight(op.weights[1]) if len(op.weights) > 1 else None
    edges = [*zip(op.pad, op.pad_end, strict=True)]
    if op.transposed:
        reach = [d * (k - 1) for k, d in zip(op.kernel, op.dilation, strict=True)]
        edges = [(r - a, r - b) for r, (a, b) in zip(reach, edges, strict=True)]
    axes = "0123456789"[:rank]
    layout = f"{axes}IO" if store.filters_last else f"OI{axes}"
    fixed: dict[str, Any] = {
        "window_strides": [1] * rank if op.transposed else op.stride,
        "padding": edges,
        "lhs_dilation": op.stride if op.transposed else None,
        "rhs_dilation": op.dilation,
        "dimension_numbers": (f"NC{axes}", layout, f"NC{axes}"),
        "feature_group_count": op.group,
    }

    def run(parameters: Sequence[Any], values: Sequence[Any]) -> Sequence[Any]:
        filters = parameters[slot]
        taken = values[:1] if op.adds else values
        found = [lax.conv_general_dilated(v.reshape(op.flat), filters, **fixed) for v in taken]
        if bias is not None:
            shift = channels(parameters[bias], rank + 2)
            found = [value + shift for value in found]
        made = [value.reshape(op.top) for value in found]
        return [made[0] + values[1]] if op.adds else made

    return run


def _turned(filters: Array, group: int) -> Array:
    """Filters of a deconvolution (inputs, outputs a group, ...) as those of a convolution."""
    inputs, outputs, *kernel = filters.shape
    parted = filters.reshape(group, inputs // group, outputs, *kernel).swapaxes(1, 2)
    turned = numpy.flip(parted, tuple(range(3, 3 + len(kernel))))
    return turned.reshape(group * outputs, inputs // group, *kernel)


@makes(Im2col)
def im2col(op: Im2col, store: Store) -> Forward:
    """The patches that a convolution multiplies, channels first, then the kernel's places."""
    edges = [*zip(op.pad, op.pad_end, strict=True)]

    def run(x: Any) -> Any:
        found = lax.conv_general_dilated_patches(
            x.reshape(op.flat), op.kernel, op.stride, edges, rhs_dilation=op.dilation
        )
        return found.reshape(op.top)

    return one(run)


@makes(Pooling)
def pooling(op: Pooling, store: Store) -> Forward:
    """Caffe's pooling, and the mask of the maxima if there is a second output."""
    if len(op.tops) == 1:
        return one(pool(op))
    window, steps, edges = _window(op)
    places = numpy.arange(numpy.prod(op.sizes), dtype=numpy.float32).reshape(1, 1, *op.sizes)

    def larger(a: tuple[Any, Any], b: tuple[Any, Any]) -> tuple[Any, Any]:
        first = (a[0] > b[0]) | ((a[0] == b[0]) & (a[1] < b[1]))
        return jnp.where(first, a[0], b[0]), jnp.where(first, a[1], b[1])

    def run(parameters: Sequence[Any], values: Sequence[Any]) -> Sequence[Any]:
        x = values[0]
        with_places = (x, jnp.broadcast_to(jnp.asarray(places, x.dtype), x.shape))
        start = (jnp.asarray(-jnp.inf, x.dtype), jnp.asarray(jnp.inf, x.dtype))
        found = lax.reduce_window(with_places, start, larger, window, steps, edges)
        return tuple(found)

    return run


def pool(op: Pooling) -> Callable[[Any], Any]:
    """One pooling of a value."""
    if op.method not in ("max", "ave", "stochastic"):
        raise op.refuse(f"pool method {op.method} has no JAX form")
    if op.whole and op.method != "stochastic":
        whole: Any = jnp.max if op.method == "max" else jnp.mean
        axes = tuple(range(2, len(op.bottom)))
        return lambda x: whole(x, axes, keepdims=True)
    window, steps, edges = _window(op)
    if op.method == "max":
        return lambda x: lax.reduce_window(x, -jnp.inf, lax.max, window, steps, edges)
    divisor = divisors(op)
    same = bool((divisor == divisor.flat[0]).all())
    over = float(divisor.flat[0]) if same else divisor.astype(numpy.float32)

    def average(x: Any) -> Any:
        total = lax.reduce_window(x, 0.0, lax.add, window, steps, edges)
        return total / jnp.asarray(over, x.dtype)

    if op.method == "ave":
        return average
    # Stochastic pooling at test time: the mean of the window weighted by its own values.
    return lambda x: average(x * x) / average(x)


def _window(op: Pooling) -> tuple[tuple[int, ...], tuple[int, ...], list[tuple[int, int]]]:
    check_windows(op)
    # A negative end cuts off what no window reaches, as XLA understands it too.
    edges = [(0, 0), (0, 0), *zip(op.pad, op.ends, strict=True)]
    return (1, 1, *op.kernel), (1, 1, *op.stride), edges


@makes(SPP)
def spatial_pyramid(op: SPP, store: Store) -> Forward:
    """Spatial pyramid pooling: the bins of all levels are flattened and joined."""
    levels, batch = [pool(level) for level in op.levels], op.bottom[0]
    if len(levels) == 1:
        return one(levels[0])
    return one(lambda x: jnp.concatenate([level(x).reshape(batch, -1) for level in levels], 1))


@makes(LRN)
def response_normalisation(op: LRN, store: Store) -> Forward:
    """Across channels (alpha over the window's size) or within a channel."""
    size, edge = op.size, op.size // 2
    if size % 2 == 0:
        raise op.refuse("a window of an even size has no middle")
    window = (1, size, 1, 1) if op.across else (1, 1, size, size)
    elements = size if op.across else size * size
    edges = [(edge, edge) if n > 1 else (0, 0) for n in window]

    def run(x: Any) -> Any:
        total = lax.reduce_window(x * x, 0.0, lax.add, window, (1, 1, 1, 1), edges)
        return x * (op.k + op.alpha / elements * total) ** -op.beta

    return one(run)
