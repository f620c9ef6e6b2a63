"""Fields of forks that say what a field of Caffe says, written as that one.

Everything after the upgrade (shapes, executors, ONNX) then reads one name for one fact. Sources:
DeepLab (``hole``), Synopsys (``pad_l`` and the others of a side), C3D (``kernel_depth``,
``temporal_stride``, ``temporal_pad``; from 1.1 on ``kernel_shape``), deformable convolution,
SphereFace, NVCaffe (``scale_filler`` of BatchNorm means ``scale_bias``).
"""

from __future__ import annotations

from neuralpower.caffe.caffe_pb2 import ConvolutionParameter, LayerParameter, PoolingParameter

_THREE = ("kernel", "stride", "pad")
_PLAIN = {"kernel": "kernel_size", "stride": "stride", "pad": "pad"}
_DEPTH = {
    "kernel": ("kernel_depth", "kernel_d"),
    "stride": ("temporal_stride", "stride_depth", "stride_d"),
    "pad": ("temporal_pad", "pad_depth", "pad_d"),
}
_MOVED = {
    "deformable_convolution_param": "convolution_param",
    "depthwise_convolution_param": "convolution_param",
    "margin_inner_product_param": "inner_product_param",
    "view_param": "reshape_param",
    "upsampling_param": "upsample_param",
    "psroi_align_param": "psroi_pooling_param",
}


def normalise(layer: LayerParameter) -> None:
    """Rewrite the aliases of a layer's message in place."""
    for old, new in _MOVED.items():
        if layer.HasField(old) and not layer.HasField(new):
            getattr(layer, new).CopyFrom(getattr(layer, old))
            layer.ClearField(old)
    if layer.HasField("convolution_param"):
        if layer.type.startswith("Deconvolution"):
            # The fork that has it reads it in its convolution only.
            layer.convolution_param.ClearField("pad_type")
        _dilation(layer.convolution_param)
        _window(layer.convolution_param)
    if layer.HasField("pooling_param"):
        _sides(layer.pooling_param)
    if layer.HasField("batch_norm_param"):
        param = layer.batch_norm_param
        if param.HasField("scale_filler") or param.HasField("bias_filler"):
            param.scale_bias = True


def _dilation(param: ConvolutionParameter) -> None:
    """``hole`` and the sizes of an axis as ``dilation``; real dilations win.

    DeepLab's kernel covers k + (k - 1) * (hole - 1) elements, also for a hole of 0: as dilation 0.
    """
    has = param.HasField
    if len(param.dilation):
        return
    for prefix in ("hole", "dilation"):
        if has(f"{prefix}_h") or has(f"{prefix}_w"):
            sides = (f"{prefix}_h", f"{prefix}_w")
            param.dilation.extend([getattr(param, side) if has(side) else 1 for side in sides])
            return
    if has("hole"):
        param.dilation.append(param.hole)


def _window(param: ConvolutionParameter | PoolingParameter) -> None:
    _sides(param)
    for name in _THREE:
        plain = getattr(param, _PLAIN[name])
        shape = getattr(param, f"{name}_shape")
        if shape.dim and not plain:
            plain.extend(shape.dim)
    given = [
        next((field for field in _DEPTH[name] if param.HasField(field)), None) for name in _THREE
    ]
    if not any(given):
        return
    for name, field in zip(_THREE, given, strict=True):
        plain = getattr(param, _PLAIN[name])
        default = 0 if name == "pad" else 1
        rest = list(plain) or [getattr(param, f"{name}_{side}") or default for side in ("h", "w")]
        for side in ("h", "w"):
            param.ClearField(f"{name}_{side}")
        depth = getattr(param, field) if field else default
        if len(rest) < 3:
            del plain[:]
            plain.extend([depth, *(rest * 2 if len(rest) == 1 else rest)])


def _sides(param: ConvolutionParameter | PoolingParameter) -> None:
    """Equal pads on opposite sides as ``pad_h`` and ``pad_w``."""
    if not any(param.HasField(f"pad_{side}") for side in "lrtb"):
        return
    if param.pad_l == param.pad_r and param.pad_t == param.pad_b:
        height, width = param.pad_t, param.pad_l
        for side in "lrtb":
            param.ClearField(f"pad_{side}")
        if height or width:
            param.ClearField("pad")
            param.pad_h, param.pad_w = height, width


def volume_pool(param: PoolingParameter) -> tuple[list[int], list[int], list[int]]:
    """(kernel, stride, pad) of a pooling over depth, height and width, each three numbers."""
    found = []
    for name in _THREE:
        plain = _PLAIN[name]
        default = 0 if name == "pad" else 1
        more = list(getattr(param, f"{plain}_more"))
        shape = list(getattr(param, f"{name}_shape").dim)
        if shape:
            found.append(shape)
            continue
        if more:
            found.append([getattr(param, plain), *more])
            continue
        field = next((field for field in _DEPTH[name] if param.HasField(field)), None)
        sides = [
            getattr(param, f"{name}_{side}")
            if param.HasField(f"{name}_{side}")
            else getattr(param, plain) or default
            for side in ("h", "w")
        ]
        depth = getattr(param, field) if field else sides[0] if name == "kernel" else default
        found.append([depth, *sides])
    kernel, stride, pad = found
    return kernel, stride, pad
