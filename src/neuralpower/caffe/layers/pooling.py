"""Pooling and spatial pyramid pooling."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from neuralpower.caffe import caffe_pb2 as pb
from neuralpower.caffe.aliases import volume_pool
from neuralpower.caffe.caffe_pb2 import LayerParameter, PoolingParameter
from neuralpower.caffe.layers.convolution import same_padding
from neuralpower.caffe.operation import LayerFacts, Operation, operation
from neuralpower.caffe.registry import Setup, layer_type
from neuralpower.caffe.shapes import Shape, check, check_blob, count, legacy_dim, shape_text

_SINGLE_EXACT = 2**24


def pool_tops(param: LayerParameter) -> tuple[int, int]:
    """Max pooling may give a second top, the mask."""
    return (1, 2) if param.pooling_param.pool == param.pooling_param.MAX else (1, 1)


@layer_type("Pooling", tops=pool_tops, engine="pooling_param")
def pooling(setup: Setup) -> list[Shape]:
    """Sizes rounded up (or down, on request); the last window must start inside the image."""
    param = setup.param.pooling_param
    if len(setup.bottom) == 5 and not setup.strict:
        return _volume(setup, param)
    return [pooled_shape(setup, param)] * setup.n_tops


@layer_type("Pooling3D", "NdPooling", fork=True)
def pooling_3d(setup: Setup) -> list[Shape]:
    """C3D's pooling over depth, height and width, sizes rounded up."""
    return _volume(setup, setup.param.pooling_param)


def _volume(setup: Setup, param: PoolingParameter) -> list[Shape]:
    bottom = setup.bottom
    check(len(bottom) == 5, f"5 axes (with depth) are needed, not {shape_text(bottom)}")
    if param.global_pooling:
        return [(*bottom[:2], 1, 1, 1)]
    kernel, stride, pad = volume_pool(param)
    check(len(kernel) == len(stride) == len(pad) == 3, "three sizes are needed for each axis")
    check(min(kernel) > 0 and min(stride) > 0, "kernel and stride must be positive")
    down = _rounds_down(param)
    sizes = [
        _pooled(size, k, s, (p, p), down, clip=any(pad))
        for size, k, s, p in zip(bottom[2:], kernel, stride, pad, strict=True)
    ]
    return [check_blob((*bottom[:2], *sizes), setup.limit)] * setup.n_tops


def pool_sides(
    param: PoolingParameter, sizes: Shape, kernel: Shape, stride: Shape, pad: Shape
) -> tuple[Shape, Shape]:
    """Padding before and after (height, width): forks give a side its own, or TensorFlow's."""
    if param.pad_type == pb.SAME:
        totals = same_padding(sizes, kernel, stride)
        before = tuple(total // 2 for total in totals)
        return before, tuple(a - b for a, b in zip(totals, before, strict=True))
    sides = (param.pad_t, param.pad_l, param.pad_b, param.pad_r)
    return (sides[:2], sides[2:]) if any(sides) else (pad, pad)


def _rounds_down(param: PoolingParameter) -> bool:
    if param.HasField("ceil_mode"):
        return not param.ceil_mode
    return bool(param.round_mode == param.FLOOR or param.pad_type == pb.VALID)


def pool_geometry(bottom: Shape, param: PoolingParameter) -> tuple[Shape, Shape, Shape]:
    """(kernel, stride, pad), each (height, width), of a ``PoolingParameter``; checked."""
    has = param.HasField
    both = has("kernel_h") and has("kernel_w")
    if not param.global_pooling:
        check(
            has("kernel_size") != both,
            "the kernel is kernel_size, or kernel_h and kernel_w; one of them, not both",
        )
    for name in ("pad", "stride"):
        pair = has(f"{name}_h") and has(f"{name}_w") and not has(name)
        none = not has(f"{name}_h") and not has(f"{name}_w")
        check(pair or none, f"{name} is {name}, or {name}_h and {name}_w; not both")
    if param.global_pooling:
        kernel = (legacy_dim(bottom, 2), legacy_dim(bottom, 3))
    elif has("kernel_size"):
        kernel = (param.kernel_size, param.kernel_size)
    else:
        kernel = (param.kernel_h, param.kernel_w)
    pad = (param.pad_h, param.pad_w) if has("pad_h") else (param.pad, param.pad)
    stride = (param.stride_h, param.stride_w) if has("stride_h") else (param.stride, param.stride)
    return kernel, stride, pad


def pooled_shape(setup: Setup, param: PoolingParameter) -> Shape:
    """The top of a pooling layer of ``setup.bottom``; objects where ``PoolingLayer`` does."""
    bottom, has, expect = setup.bottom, param.HasField, setup.expect
    kernel, stride, pad = pool_geometry(bottom, param)
    check(min(kernel) > 0 and max(kernel) < 2**31, "kernel sizes must be positive")
    if param.global_pooling:
        sized = has("kernel_size") or has("kernel_h") or has("kernel_w")
        expect(not sized, "global_pooling takes no kernel size")
        plain = pad == (0, 0) and stride == (1, 1)
        expect(plain, "global_pooling goes with pad 0 and stride 1 only")
    if any(pad):
        expect(param.pool != param.STOCHASTIC, "padding is for average and max pooling only")
        smaller = pad[0] < kernel[0] and pad[1] < kernel[1]
        expect(smaller, f"the pad {pad} must be smaller than the kernel {kernel}")
    check(
        len(bottom) == 4,
        f"pooling takes 4 axes (number, channels, height, width), not {shape_text(bottom)}",
    )
    check(min(stride) > 0 and max(stride) < 2**31, "strides must be positive")
    before, after = pool_sides(param, bottom[2:], kernel, stride, pad)
    down = _rounds_down(param) or param.pad_type == pb.SAME
    sizes = [
        _pooled(size, k, s, p, down, clip=any((*before, *after)))
        for size, k, s, p in zip(
            bottom[2:], kernel, stride, zip(before, after, strict=True), strict=True
        )
    ]
    return check_blob((bottom[0], bottom[1], *sizes), setup.limit)


def _pooled(
    size: int, kernel: int, stride: int, pads: tuple[int, int], down: bool, clip: bool
) -> int:
    """One pooled size. Caffe divides in single precision and clips only where there is padding."""
    pad = pads[0]
    steps = _single(_single(size + sum(pads) - kernel) / _single(stride))
    pooled = (math.floor(steps) if down else math.ceil(steps)) + 1
    if clip:
        if (pooled - 1) * stride >= size + pad:
            pooled -= 1
        check((pooled - 1) * stride < size + pad, "the last pooling window starts in the padding")
    return pooled


def _single(value: float) -> float:
    """Round to single precision; exact (and quick) for the integers of real networks."""
    if value == int(value) and abs(value) < _SINGLE_EXACT:
        return value
    import struct

    return float(struct.unpack("f", struct.pack("f", value))[0])


@layer_type("SPP", in_place=lambda param, n_tops: param.spp_param.pyramid_height == 1)
def spatial_pyramid_pooling(setup: Setup) -> list[Shape]:
    """Pooling to 1, 2, 4, ... bins a side, flattened and joined along the channels."""
    param, bottom = setup.param.spp_param, setup.bottom
    height, width = legacy_dim(bottom, 2), legacy_dim(bottom, 3)
    check(height > 0 and width > 0, "the input sizes must be positive")
    check(param.pyramid_height > 0, "pyramid_height must be positive")
    check(
        len(bottom) == 4,
        f"SPP takes 4 axes (number, channels, height, width), not {shape_text(bottom)}",
    )
    total = 0
    for level in range(param.pyramid_height):
        # From some level on the bins outnumber the pixels and the padding check refuses.
        bins = 2**level
        pool = pb.PoolingParameter(pool=pb.SPPParameter.PoolMethod.Name(param.pool))
        pool.kernel_h, pool.pad_h = _bin(height, bins)
        pool.kernel_w, pool.pad_w = _bin(width, bins)
        pool.stride_h, pool.stride_w = pool.kernel_h, pool.kernel_w
        top = pooled_shape(setup, pool)
        if param.pyramid_height == 1:
            return [top]
        total += count(top, 1)
    return [(bottom[0], total)]


def _bin(size: int, bins: int) -> tuple[int, int]:
    """Kernel and pad that cut ``size`` into ``bins`` windows."""
    kernel = -(-size // bins)
    return kernel, (kernel * bins - size + 1) // 2


@dataclass(frozen=True, slots=True)
class Pooling(Operation):
    """``method``: ``max``, ``ave`` or ``stochastic``, over the axes after the channels.

    The output size is that of the layer table: the last window may reach beyond the input and its
    padding. An average divides by the places of the window within input and padding. A second
    output is the mask: the place of each maximum in its channel, row by row.
    """

    method: str
    kernel: Shape
    stride: Shape
    pad: Shape

    @property
    def sizes(self) -> Shape:
        """The spatial sizes of the input."""
        return self.bottom[2:]

    @property
    def out(self) -> Shape:
        """The spatial sizes of the output."""
        return self.top[2:]

    @property
    def whole(self) -> bool:
        """Whether one window is the whole input."""
        return self.sizes == self.kernel and not any(self.pad) and set(self.out) == {1}

    @property
    def ends(self) -> Shape:
        """Places beyond the input's end that the last windows reach; below zero: left over."""
        return tuple(
            (out - 1) * stride + kernel - pad - size
            for out, stride, kernel, pad, size in zip(
                self.out, self.stride, self.kernel, self.pad, self.sizes, strict=True
            )
        )


@dataclass(frozen=True, slots=True)
class SPP(Operation):
    """Poolings of one input, each flattened, one after the other; one alone keeps its shape."""

    levels: tuple[Pooling, ...]


@operation("Pooling", "Pooling3D", "NdPooling")
def pooling_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """Method and window."""
    options, bottom = param.pooling_param, layer.bottoms[0]
    if len(bottom) == 4:
        kernel, stride, pad = pool_geometry(bottom, options)
        before, after = pool_sides(options, bottom[2:], kernel, stride, pad)
    elif options.global_pooling:
        kernel, stride, before = bottom[2:], (1, 1, 1), (0, 0, 0)
        after = before
    else:
        kernel, stride, before = map(tuple, volume_pool(options))
        after = before
    method = options.PoolMethod.Name(options.pool).lower()
    if method.startswith("ave_"):
        # Averages of the real pixels only, which without padding is Caffe's own.
        check(not any((*before, *after)), "an average without the padding has no form")
        method = "ave"
    return Pooling(layer, method, kernel, stride, before)


@operation("SPP")
def spp_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """Level i pools to 2**i x 2**i bins."""
    options, bottom = param.spp_param, layer.bottoms[0]
    method = options.PoolMethod.Name(options.pool).lower()
    levels = []
    for level in range(options.pyramid_height):
        bins = 2**level
        kernel, pad = zip(*(_bin(size, bins) for size in bottom[2:]), strict=True)
        facts = replace(layer, bottoms=(bottom,), tops=((*bottom[:2], bins, bins),))
        levels.append(Pooling(facts, method, kernel, kernel, pad))
    return SPP(layer, tuple(levels))
