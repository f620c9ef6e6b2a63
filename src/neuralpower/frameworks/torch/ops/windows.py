"""Sliding windows: convolution and its columns, pooling, response normalisation."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from torch import Tensor

from neuralpower.caffe.layers.convolution import Convolution, Im2col, Sliding
from neuralpower.caffe.layers.normalisation import LRN
from neuralpower.caffe.layers.pooling import SPP, Pooling
from neuralpower.frameworks.torch.ops.registry import Forward, Store, makes, one
from neuralpower.frameworks.windows import check_windows, column_filters, divisors

_CONVOLUTIONS: dict[int, tuple[Tensor, Tensor]] = {
    1: (F.conv1d, F.conv_transpose1d),
    2: (F.conv2d, F.conv_transpose2d),
    3: (F.conv3d, F.conv_transpose3d),
}
_POOLS: dict[int, tuple[Tensor, Tensor]] = {
    1: (F.max_pool1d, F.avg_pool1d),
    2: (F.max_pool2d, F.avg_pool2d),
    3: (F.max_pool3d, F.avg_pool3d),
}


@makes(Convolution)
def convolution(op: Convolution, store: Store) -> Forward:
    """One to three spatial axes; every input passes the same filters."""
    filters, *bias = (store.weight(weight) for weight in op.weights)
    run = _slide(op, filters, bias[0] if bias else None, op.group, op.transposed)
    if op.adds:
        return lambda values: (run(values[0]) + values[1],)
    return lambda values: [run(value) for value in values]


@makes(Im2col)
def im2col(op: Im2col, store: Store) -> Forward:
    """A convolution whose filters pick one place of a window each."""
    return one(_slide(op, store.constant(column_filters(op)), None, op.flat[1]))


def _slide(
    op: Sliding, filters: Tensor, bias: Tensor, group: int, transposed: bool = False
) -> Callable[[Tensor], Tensor]:
    """One convolution; the axes before that of the channels are the batch."""
    if len(op.kernel) not in _CONVOLUTIONS:
        raise op.refuse(f"PyTorch has no convolution of {len(op.kernel)} spatial axes")
    function = _CONVOLUTIONS[len(op.kernel)][transposed]
    even, flat = op.pad == op.pad_end, op.flat == op.bottom
    same: dict[str, object] = {
        "bias": bias,
        "stride": op.stride,
        "padding": op.pad if even else 0,
        "dilation": op.dilation,
        "groups": group,
    }
    edges = _edges(op.pad, op.pad_end)

    def run(value: Tensor) -> Tensor:
        value = value if flat else value.reshape(op.flat)
        if not even and not transposed:
            value = F.pad(value, edges)
        value = function(value, filters, **same)
        if not even and transposed:
            value = F.pad(value, [-edge for edge in edges])
        return value if flat else value.reshape(op.top)

    return run


def _edges(before: Sequence[int], after: Sequence[int]) -> list[int]:
    """Padding as PyTorch takes it: the last axis first, both sides of each."""
    pairs = reversed(list(zip(before, after, strict=True)))
    return list(itertools.chain.from_iterable(pairs))


@makes(Pooling)
def pooling(op: Pooling, store: Store) -> Forward:
    """Caffe's pooling, and the mask of the maxima if there is a second output."""
    if len(op.tops) == 1:
        return one(pool(op, store))
    check_windows(op)
    edges, width = _edges(op.pad, op.ends), op.sizes[1]
    padded = width + op.pad[1] + op.ends[1]

    def run(values: Sequence[Tensor]) -> Sequence[Tensor]:
        x = F.pad(values[0], edges, value=-math.inf)
        best, places = F.max_pool2d(x, op.kernel, op.stride, return_indices=True)
        # Places of the padded image, row by row, to those of the image.
        rows, columns = places // padded - op.pad[0], places % padded - op.pad[1]
        return best, (rows * width + columns).to(best.dtype)

    return run


def pool(op: Pooling, store: Store) -> Callable[[Tensor], Tensor]:
    """One pooling; PyTorch's ``ceil_mode`` has Caffe's rounding, clip rule and divisor."""
    rank = len(op.kernel)
    if rank not in _POOLS:
        raise op.refuse(f"PyTorch has no pooling of {rank} spatial axes")
    if op.method == "stochastic":
        average = pool(replace(op, method="ave"), store)
        # At test time: the mean of the window weighted by its own values.
        return lambda x: average(x * x) / average(x)
    if op.method not in ("max", "ave"):
        raise op.refuse(f"pool method {op.method} has no PyTorch form")
    largest = op.method == "max"
    if op.whole and rank == 2:
        whole: Tensor = F.adaptive_max_pool2d if largest else F.adaptive_avg_pool2d
        return lambda x: whole(x, 1)
    function = _POOLS[rank][0 if largest else 1]
    ceil = _rounds_up(op)
    if ceil is not None:
        more: dict[str, object] = {} if largest else {"count_include_pad": True}
        return lambda x: function(x, op.kernel, op.stride, op.pad, ceil_mode=ceil, **more)
    check_windows(op)
    edges = _edges(op.pad, op.ends)
    if largest:
        return lambda x: function(F.pad(x, edges, value=-math.inf), op.kernel, op.stride)
    factor = store.constant((math.prod(op.kernel) / divisors(op))[None, None])
    return lambda x: function(F.pad(x, edges), op.kernel, op.stride) * factor


def _rounds_up(op: Pooling) -> bool | None:
    """Whether PyTorch has to round sizes up; ``None`` where it has no such pooling."""
    down, up = [], []
    for size, kernel, stride, pad in zip(op.sizes, op.kernel, op.stride, op.pad, strict=True):
        if pad > kernel // 2 or size + 2 * pad < kernel:
            return None
        room = size + 2 * pad - kernel
        down.append(room // stride + 1)
        most = -(-room // stride) + 1
        up.append(most - 1 if (most - 1) * stride >= size + pad else most)
    if op.out == tuple(down):
        return False
    return True if op.out == tuple(up) else None


@makes(SPP)
def spatial_pyramid(op: SPP, store: Store) -> Forward:
    """Spatial pyramid pooling: the bins of all levels are flattened and joined."""
    levels = [pool(level, store) for level in op.levels]
    if len(levels) == 1:
        return one(levels[0])
    return one(lambda x: torch.cat([level(x).flatten(1) for level in levels], 1))


@makes(LRN)
def response_normalisation(op: LRN, store: Store) -> Forward:
    """Across channels (alpha over the window's size) or within a channel."""
    size, alpha, beta, k = op.size, op.alpha, op.beta, op.k
    if size % 2 == 0:
        raise op.refuse("a window of an even size has no middle")
    if op.across:
        return one(lambda x: F.local_response_norm(x, size, alpha, beta, k))
    edge = size // 2
    return one(lambda x: x * (k + alpha * F.avg_pool2d(x * x, size, 1, edge)) ** -beta)
