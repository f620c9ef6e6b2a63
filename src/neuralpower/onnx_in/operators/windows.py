"""Operators with sliding windows: convolution, transposed convolution, pooling, LRN."""

from __future__ import annotations

import math
from collections.abc import MutableSequence, Sequence

from neuralpower.core.configuration import CONFIGURATION_COLUMNS, Configuration
from neuralpower.onnx_in.model import Node, Shape
from neuralpower.onnx_in.translator import Translator, operator


@operator("Conv", "ConvTranspose")
def convolution(t: Translator, node: Node) -> bool:
    """A convolution; a bias that is added by the next node is its own."""
    shape, weight = t.shape(node.inputs[0]), t.shape(node.inputs[1])
    out = t.shape(node.outputs[0])
    if shape is None or weight is None or len(shape) < 3 or not t.static(node.inputs[1]):
        return False
    transposed = node.op == "ConvTranspose"
    rank = len(shape) - 2
    group = int(node.attributes.get("group", 1))
    kernel, stride = list(weight[2:]), _sizes(node, "strides", rank, 1)
    dilation = _sizes(node, "dilations", rank, 1)
    outputs = weight[1] * group if transposed else weight[0]
    extent = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    begin, end = padding(node, shape[2:], extent, stride, transposed)
    if transposed and any(node.attributes.get("output_shape") or ()):
        begin, end = [0] * rank, [0] * rank
    pad, note = begin, ""
    if out is not None and not transposed and begin != end:
        pad, note = _even_padding(shape[2:], out[2:], extent, stride, begin, end)
    bias, top = _bias(t, node, outputs)
    kind = "Deconvolution" if transposed else "Convolution"
    message = t.layer(kind, node, node.inputs[:1], [top], note=note)
    t.share([node.inputs[1], *bias])
    param = message.convolution_param
    param.num_output, param.group, param.bias_term = outputs, group, bool(bias)
    _fill(param.kernel_size, kernel)
    _fill(param.stride, stride)
    _fill(param.pad, pad)
    _fill(param.dilation, dilation)
    t.last.params = math.prod(weight) + (outputs if bias else 0)
    if rank == 2 and out is not None:
        sizes = (*shape, outputs, *out[2:], *kernel, *stride, *pad, *dilation, group)
        family = "deconv" if transposed else "conv"
        t.last.configuration = _configuration(family, sizes, bias=int(bool(bias)))
    return True


def _configuration(
    family: str, sizes: Sequence[int], *, bias: int = 0, pool_method: str = ""
) -> Configuration:
    """From the sizes in the order of the columns, batch to groups."""
    named = dict(zip(CONFIGURATION_COLUMNS[1:17], sizes, strict=True))
    return Configuration(family=family, bias=bias, pool_method=pool_method, **named)


def _bias(t: Translator, node: Node, outputs: int) -> tuple[list[str], str]:
    """The values of the bias, and the value that the layer's top is."""
    top = node.outputs[0]
    if node.has(2):
        return [node.inputs[2]], top
    after = t.only_reader(top)
    if after is not None and after.op == "Add":
        for value in after.inputs:
            shape = t.shape(value) or ()
            rank = t.rank(top)
            per_channel = (outputs, *(1,) * (rank - 2))
            if t.static(value) and shape in (per_channel, (1, *per_channel)) and outputs > 1:
                t.take(after)
                return [value], after.outputs[0]
    return [], top


def _sizes(node: Node, name: str, rank: int, default: int) -> list[int]:
    given = node.attributes.get(name)
    if given and len(given) != rank:
        raise ValueError(f"{len(given)} {name} for {rank} axes")
    return [int(size) for size in given] if given else [default] * rank


def padding(
    node: Node,
    size: Sequence[int],
    extent: Sequence[int],
    stride: Sequence[int],
    transposed: bool = False,
) -> tuple[list[int], list[int]]:
    """Padding before and after each axis, as ``pads`` says or ``auto_pad`` asks for."""
    rank = len(size)
    auto = str(node.attributes.get("auto_pad", "NOTSET"))
    if auto in ("SAME_UPPER", "SAME_LOWER") and not transposed:
        total = [
            max(0, (-(-n // s) - 1) * s + e - n)
            for n, e, s in zip(size, extent, stride, strict=True)
        ]
        small, large = [p // 2 for p in total], [p - p // 2 for p in total]
        return (small, large) if auto == "SAME_UPPER" else (large, small)
    pads = [int(p) for p in node.attributes.get("pads") or [0] * 2 * rank]
    return pads[:rank], pads[rank:]


def _even_padding(
    size: Shape,
    out: Shape,
    extent: Sequence[int],
    stride: Sequence[int],
    begin: Sequence[int],
    end: Sequence[int],
) -> tuple[list[int], str]:
    """One padding an axis that gives the same output, where a model pads the sides differently."""
    pad = []
    for n, o, e, s, b, a in zip(size, out, extent, stride, begin, end, strict=True):
        fits = [p for p in sorted({b, a, (a + b) // 2}) if (n + 2 * p - e) // s + 1 == o]
        pad.append(fits[0] if fits else (a + b) // 2)
    before, after = "x".join(map(str, begin)), "x".join(map(str, end))
    text = "x".join(map(str, pad))
    return pad, f"padded by {before} before and {after} after: listed as {text} on both sides"


def _fill(repeated: MutableSequence[int], sizes: Sequence[int]) -> None:
    """One size where all axes have the same, as prototxts are written."""
    repeated.extend(sizes[:1] if len(set(sizes)) == 1 else sizes)


_GLOBAL = {"GlobalMaxPool": "MAX", "GlobalAveragePool": "AVE"}


@operator("GlobalMaxPool", "GlobalAveragePool")
def global_pooling(t: Translator, node: Node) -> bool:
    """A window of the whole image."""
    return whole_image(t, node, _GLOBAL[node.op], node.outputs[0])


def whole_image(t: Translator, node: Node, method: str, top: str) -> bool:
    """A pooling of every channel to one number, for images of two axes."""
    if t.rank(node.inputs[0]) != 4:
        return False
    param = t.layer("Pooling", node, node.inputs[:1], [top]).pooling_param
    param.pool = param.PoolMethod.Value(method)
    param.global_pooling = True
    return True


@operator("MaxPool", "AveragePool")
def pooling(t: Translator, node: Node) -> bool:
    """Max or average pooling over two axes; rounding as the model's output says."""
    shape, out = t.shape(node.inputs[0]), t.shape(node.outputs[0])
    dilated = set(node.attributes.get("dilations") or [1]) != {1}
    if shape is None or out is None or len(shape) != 4 or dilated:
        return False
    kernel = _sizes(node, "kernel_shape", 2, 1)
    stride = _sizes(node, "strides", 2, 1)
    begin, end = padding(node, shape[2:], kernel, stride)
    method = "MAX" if node.op == "MaxPool" else "AVE"
    message = t.layer("Pooling", node, note=_last_window(begin, end))
    param = message.pooling_param
    param.pool = param.PoolMethod.Value(method)
    _pair(param, "kernel", kernel)
    _pair(param, "stride", stride)
    pad, down = _pool_rounding(shape[2:], out[2:], kernel, stride, begin, end)
    if any(pad):
        _pair(param, "pad", pad)
    if down:
        param.round_mode = param.FLOOR
    if pad == begin:
        t.last.note = ""
    sizes = (*shape, *out[1:], *kernel, *stride, *pad, 1, 1, 1)
    t.last.configuration = _configuration("pool", sizes, pool_method=method.lower())
    return True


def _last_window(begin: Sequence[int], end: Sequence[int]) -> str:
    if list(begin) == list(end):
        return ""
    before, after = "x".join(map(str, begin)), "x".join(map(str, end))
    return f"padded by {before} before and {after} after: listed with one padding for both sides"


def _pool_rounding(
    size: Shape,
    out: Shape,
    kernel: Sequence[int],
    stride: Sequence[int],
    begin: Sequence[int],
    end: Sequence[int],
) -> tuple[list[int], bool]:
    """The padding and the rounding (down?) with which Caffe's pooling gives this output."""
    even = [(b + e) // 2 for b, e in zip(begin, end, strict=True)]
    for pad in (list(begin), list(end), even):
        for down in (False, True):
            if all(
                _pooled(n, k, s, p, down, any(pad)) == o
                for n, o, k, s, p in zip(size, out, kernel, stride, pad, strict=True)
            ):
                return pad, down
    return list(begin), False


def _pooled(size: int, kernel: int, stride: int, pad: int, down: bool, clip: bool) -> int:
    """Caffe's output size (``caffe.layers.pooling``), in whole numbers."""
    steps = size + 2 * pad - kernel
    pooled = (steps // stride if down else -(-steps // stride)) + 1
    return pooled - 1 if clip and (pooled - 1) * stride >= size + pad else pooled


def _pair(param: object, name: str, sizes: Sequence[int]) -> None:
    height, width = sizes
    if height == width:
        setattr(param, "kernel_size" if name == "kernel" else name, height)
    else:
        setattr(param, f"{name}_h", height)
        setattr(param, f"{name}_w", width)


@operator("LRN")
def response_normalisation(t: Translator, node: Node) -> bool:
    """Local response normalisation across channels."""
    param = t.layer("LRN", node).lrn_param
    param.local_size = int(node.attributes["size"])
    param.alpha = float(node.attributes.get("alpha", 1e-4))
    param.beta = float(node.attributes.get("beta", 0.75))
    param.k = float(node.attributes.get("bias", 1.0))
    return True
