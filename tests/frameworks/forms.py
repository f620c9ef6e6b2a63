"""Layers of every operation, for tests that frameworks compute the same, and rightly.

A new operation gets a row in ``LAYERS`` and, where a line says what it computes, in ``FORMULAS``.
"""

from __future__ import annotations

from typing import Any

import caffe_reference as reference_of
import numpy
import onnxruntime

from neuralpower.caffe.network import Network, parse_network
from neuralpower.frameworks.inputs import random_input
from neuralpower.frameworks.onnx.session import open_session

SEED = 3
IMAGE = (2, 6, 7, 8)
SEQUENCE = (5, 2, 3, 2)

#: Type, its parameters, shapes of its bottoms, number of tops.
LAYERS: list[tuple[str, str, tuple[tuple[int, ...], ...], int]] = [
    *(
        ("Convolution", f"convolution_param {{ {body} }}", (shape,), 1)
        for shape, body in (
            (IMAGE, "num_output: 4 kernel_size: 3 pad: 1"),
            (IMAGE, "num_output: 8 kernel_size: 3 stride: 2 group: 2 bias_term: false"),
            (IMAGE, "num_output: 4 kernel_h: 1 kernel_w: 3 dilation: 2 pad: 2"),
            (IMAGE, "num_output: 6 kernel_size: 3 group: 6"),
            ((1, 2, 5, 6, 7), "num_output: 4 kernel_size: 3 pad: 1 stride: 2"),
            ((2, 3, 9), "num_output: 4 kernel_size: 3"),
            ((2, 3, 4, 6, 7), "num_output: 5 kernel_size: 3 axis: 2"),
        )
    ),
    ("Convolution", "convolution_param { num_output: 4 kernel_size: 1 }", (IMAGE, IMAGE), 2),
    (
        "Convolution",
        "convolution_param { num_output: 6 kernel_size: 3 pad: 1 fusion_type: SUM_FUSION }",
        (IMAGE, IMAGE),
        1,
    ),
    (
        "Convolution",
        "convolution_param { num_output: 4 kernel_size: 3 stride: 2 pad_r: 1 pad_b: 1 }",
        (IMAGE,),
        1,
    ),
    ("Convolution", "convolution_param { num_output: 4 kernel_size: 3 hole: 2 }", (IMAGE,), 1),
    (
        "Convolution3D",
        "convolution_param { num_output: 4 kernel_size: 3 kernel_depth: 2 pad: 1 }",
        ((2, 3, 4, 6, 7),),
        1,
    ),
    (
        "Pooling3D",
        "pooling_param { kernel_size: 2 kernel_depth: 1 stride: 2 temporal_stride: 1 }",
        ((2, 3, 4, 6, 7),),
        1,
    ),
    ("Pooling", "pooling_param { pool: MAX kernel_size: 3 stride: 2 pad_type: SAME }", (IMAGE,), 1),
    ("Pooling", "pooling_param { pool: AVE_EXC_PAD kernel_size: 2 stride: 2 }", (IMAGE,), 1),
    ("DepthwiseConvolution", "convolution_param { num_output: 6 kernel_size: 3 }", (IMAGE,), 1),
    ("ConvolutionDepthwise", "convolution_param { num_output: 12 kernel_size: 3 }", (IMAGE,), 1),
    *(
        ("Deconvolution", f"convolution_param {{ {body} }}", (shape,), 1)
        for shape, body in (
            (IMAGE, "num_output: 4 kernel_size: 4 stride: 2 pad: 1"),
            (IMAGE, "num_output: 6 kernel_size: 3 stride: 3 pad: 2 group: 3"),
            (IMAGE, "num_output: 4 kernel_size: 1 pad: 1"),
            ((1, 4, 5, 6, 3), "num_output: 2 kernel_size: 3 dilation: 2"),
        )
    ),
    *(
        ("Im2col", f"convolution_param {{ {body} }}", (shape,), 1)
        for shape, body in (
            (IMAGE, "kernel_size: 3 pad: 1 stride: 2"),
            ((2, 3, 9), "kernel_size: 3 dilation: 2"),
            ((2, 3, 4, 6, 7), "kernel_h: 2 kernel_w: 3 axis: 2"),
        )
    ),
    ("InnerProduct", "inner_product_param { num_output: 5 }", (IMAGE,), 1),
    ("InnerProduct", "inner_product_param { num_output: 5 axis: 2 bias_term: false }", (IMAGE,), 1),
    ("InnerProduct", "inner_product_param { num_output: 5 transpose: true }", ((3, 4),), 1),
    *(
        ("Pooling", f"pooling_param {{ pool: {method} {window} }}", ((2, 3, *size),), 1)
        for method in ("MAX", "AVE")
        for size, window in (
            ((7, 8), "kernel_size: 3 stride: 2"),
            ((7, 8), "kernel_size: 3 stride: 2 pad: 1"),
            ((6, 9), "kernel_size: 3 stride: 3 pad: 1"),
            ((5, 5), "kernel_size: 2 stride: 2 pad: 1"),
            ((7, 7), "kernel_size: 1 stride: 2"),
            ((5, 4), "global_pooling: true"),
            ((5, 6), "kernel_h: 3 kernel_w: 2 stride_h: 1 stride_w: 2 pad_h: 1 pad_w: 0"),
            # More padding than PyTorch allows.
            ((6, 6), "kernel_size: 3 stride: 2 pad: 2"),
        )
    ),
    *(
        ("Pooling", f"pooling_param {{ {window} }}", ((2, 3, *size),), 2)
        for size, window in (
            ((7, 8), "kernel_size: 2 stride: 2"),
            ((7, 8), "kernel_size: 3 stride: 2 pad: 1"),
            ((7, 7), "kernel_size: 1 stride: 2"),
        )
    ),
    ("SPP", "spp_param { pyramid_height: 3 }", ((2, 3, 7, 6),), 1),
    ("SPP", "spp_param { pyramid_height: 2 pool: AVE }", ((2, 3, 7, 6),), 1),
    ("SPP", "spp_param { pyramid_height: 1 }", ((2, 3, 6, 6),), 1),
    ("LRN", "lrn_param { local_size: 3 alpha: 0.5 beta: 0.7 k: 2 }", (IMAGE,), 1),
    (
        "LRN",
        "lrn_param { local_size: 3 alpha: 0.5 beta: 0.7 norm_region: WITHIN_CHANNEL }",
        (IMAGE,),
        1,
    ),
    ("BatchNorm", "batch_norm_param { eps: 0.01 }", (IMAGE,), 1),
    ("BatchNorm", "batch_norm_param { use_global_stats: false }", (IMAGE,), 1),
    ("Scale", "scale_param { bias_term: true }", (IMAGE,), 1),
    ("Scale", "scale_param { axis: 0 num_axes: -1 }", (IMAGE,), 1),
    ("Scale", "scale_param { axis: 0 bias_term: true }", (IMAGE, (2, 6)), 1),
    ("Bias", "bias_param { axis: 2 num_axes: 2 }", (IMAGE,), 1),
    ("Bias", "", (IMAGE, (6,)), 1),
    ("ReLU", "", (IMAGE,), 1),
    ("ReLU", "relu_param { negative_slope: 0.1 }", (IMAGE,), 1),
    *((kind, "", (IMAGE,), 1) for kind in ("Sigmoid", "TanH", "AbsVal", "BNLL", "ReLU6")),
    ("ELU", "elu_param { alpha: 0.5 }", (IMAGE,), 1),
    ("PReLU", "", (IMAGE,), 1),
    ("PReLU", "prelu_param { channel_shared: true }", (IMAGE,), 1),
    ("Swish", "", (IMAGE,), 1),
    ("Swish", "swish_param { beta: 2 }", (IMAGE,), 1),
    ("Clip", "clip_param { min: -0.5 max: 0.3 }", (IMAGE,), 1),
    ("Threshold", "threshold_param { threshold: 0.2 }", (IMAGE,), 1),
    ("Power", "power_param { power: 2 scale: 3 shift: 0.5 }", (IMAGE,), 1),
    ("Exp", "exp_param { base: 2 scale: 0.5 shift: 1 }", (IMAGE,), 1),
    ("Log", "log_param { base: 10 scale: 0.01 shift: 1 }", (IMAGE,), 1),
    ("MVN", "", (IMAGE,), 1),
    ("MVN", "mvn_param { across_channels: true }", ((3, 7),), 1),
    ("MVN", "mvn_param { normalize_variance: false across_channels: true }", (IMAGE,), 1),
    ("GroupNorm", "group_norm_param { group_num: 3 eps: 0.01 }", (IMAGE,), 1),
    ("GN", "gn_param { num_groups: 2 }", ((4, 6),), 1),
    ("Normalize", "norm_param { across_spatial: false channel_shared: false }", (IMAGE,), 1),
    ("Normalize", "norm_param { across_spatial: true channel_shared: true }", (IMAGE,), 1),
    ("Normalize", "normalize_param { normalize_type: 'L2' }", ((4, 9),), 1),
    ("L2Normalization", "", (IMAGE,), 1),
    ("BN", "bn_param { eps: 0.01 slope_filler { value: 1 } }", (IMAGE,), 1),
    ("BN", "bn_param { scale_filler { value: 1 } shift_filler { value: 0 } }", (IMAGE,), 1),
    ("BatchNorm", "batch_norm_param { scale_bias: true }", (IMAGE,), 1),
    ("BatchNorm", "batch_norm_param { scale_bias: true use_global_stats: false }", (IMAGE,), 1),
    ("Interp", "interp_param { height: 13 width: 9 }", (IMAGE,), 1),
    ("Interp", "interp_param { zoom_factor: 3 }", (IMAGE,), 1),
    ("Interp", "interp_param { shrink_factor: 2 }", (IMAGE,), 1),
    ("Upsample", "upsample_param { scale: 2 }", (IMAGE,), 1),
    # One value per channel: no two at one place.
    ("Upsample", "upsample_param { scale: 3 }", ((2, 6, 1, 1), (2, 6, 1, 1)), 1),
    ("Reorg", "reorg_param { stride: 2 }", ((2, 3, 4, 6),), 1),
    ("Reorg", "reorg_param { stride: 2 reverse: true }", ((2, 8, 3, 5),), 1),
    ("PixelShuffle", "pixel_shuffle_param { upscale_factor: 2 }", ((2, 8, 3, 5),), 1),
    (
        "PriorBox",
        "prior_box_param { min_size: 4 max_size: 9 aspect_ratio: 2 clip: true variance: 0.1 "
        "variance: 0.1 variance: 0.2 variance: 0.2 denser_prior_boxes: true step: 5 }",
        ((2, 3, 4, 5), (2, 3, 20, 30)),
        1,
    ),
    ("Transpose", "transpose_param { dim: 3 dim: 2 dim: 0 dim: 1 }", (IMAGE,), 1),
    ("Squeeze", "", ((1, 3, 1, 5),), 1),
    ("CropCenter", "crop_center_param { crop_size: 4 }", (IMAGE,), 1),
    ("Mish", "", (IMAGE,), 1),
    ("HardSwish", "", (IMAGE,), 1),
    ("HardSigmoid", "", (IMAGE,), 1),
    ("SELU", "", (IMAGE,), 1),
    ("SiLU", "", (IMAGE,), 1),
    ("Eltwise", "eltwise_param { coeff: 1 coeff: -1 coeff: 0.5 }", (IMAGE,) * 3, 1),
    ("Eltwise", "eltwise_param { operation: PROD }", (IMAGE,) * 3, 1),
    ("Eltwise", "eltwise_param { operation: MAX }", (IMAGE,) * 3, 1),
    ("Softmax", "", (IMAGE,), 1),
    ("Softmax", "softmax_param { axis: -1 }", (IMAGE,), 1),
    ("Concat", "", (IMAGE, (2, 3, 7, 8)), 1),
    ("Slice", "slice_param { axis: 1 slice_point: 1 slice_point: 4 }", (IMAGE,), 3),
    ("Split", "", (IMAGE,), 2),
    ("Dropout", "", (IMAGE,), 1),
    ("Flatten", "flatten_param { axis: 1 end_axis: 2 }", (IMAGE,), 1),
    ("Reshape", "reshape_param { shape { dim: 0 dim: -1 dim: 8 } }", (IMAGE,), 1),
    ("Permute", "permute_param { order: 0 order: 2 }", (IMAGE,), 1),
    ("ShuffleChannel", "shuffle_channel_param { group: 2 }", (IMAGE,), 1),
    ("Crop", "crop_param { axis: 2 offset: 1 offset: 2 }", (IMAGE, (1, 1, 4, 5)), 1),
    ("Axpy", "", ((2, 6), IMAGE, IMAGE), 1),
    ("Tile", "tile_param { axis: 1 tiles: 3 }", (IMAGE,), 1),
    *(
        ("Reduction", f"reduction_param {{ operation: {name} axis: 2 coeff: 2 }}", (IMAGE,), 1)
        for name in ("SUM", "ASUM", "SUMSQ", "MEAN")
    ),
    ("ArgMax", "argmax_param { axis: 1 top_k: 2 }", ((2, 5, 3),), 1),
    ("ArgMax", "argmax_param { axis: -1 out_max_val: true }", ((2, 5, 3),), 1),
    ("ArgMax", "argmax_param { top_k: 2 out_max_val: true }", ((2, 5, 3),), 1),
    ("Embed", "embed_param { input_dim: 9 num_output: 3 }", ((4,),), 1),
    ("BatchReindex", "", (IMAGE, (3,)), 1),
    ("Parameter", "parameter_param { shape { dim: 2 dim: 3 } }", (), 1),
    *(
        ("LSTM", f"recurrent_param {{ num_output: 4 {more} }}", shapes, tops)
        for more, shapes, tops in (
            ("", (SEQUENCE, (5, 2)), 1),
            ("", (SEQUENCE, (5, 2), (2, 7)), 1),
            ("expose_hidden: true", (SEQUENCE, (5, 2), (1, 2, 4), (1, 2, 4)), 3),
        )
    ),
    *(
        ("RNN", f"recurrent_param {{ num_output: 4 {more} }}", shapes, tops)
        for more, shapes, tops in (
            ("", (SEQUENCE, (5, 2)), 1),
            ("expose_hidden: true", (SEQUENCE, (5, 2), (2, 7), (1, 2, 4)), 2),
        )
    ),
    ("LSTMUnit", "", ((1, 3, 4), (1, 3, 16), (1, 3)), 2),
    ("SoftmaxWithLoss", "", ((6, 5), (6,)), 1),
    *(
        ("SoftmaxWithLoss", f"loss_param {{ ignore_label: 2 normalization: {name} }}", shapes, 2)
        for name in ("VALID", "FULL", "BATCH_SIZE", "NONE")
        for shapes in (((3, 4, 2, 5), (3, 1, 2, 5)),)
    ),
    (
        "SoftmaxWithLoss",
        "softmax_param { axis: 2 } loss_param { normalize: false }",
        ((3, 4, 5), (3, 4)),
        1,
    ),
    ("InfogainLoss", "", ((6, 5), (6,), (1, 1, 5, 5)), 2),
    (
        "InfogainLoss",
        "loss_param { ignore_label: 1 }",
        ((3, 4, 2, 5), (3, 1, 2, 5), (1, 1, 4, 4)),
        1,
    ),
    ("Accuracy", "accuracy_param { top_k: 2 }", ((6, 5), (6,)), 1),
    ("Accuracy", "accuracy_param { ignore_label: 1 }", ((3, 4, 2, 5), (3, 2, 5)), 2),
    ("MultinomialLogisticLoss", "", ((6, 5), (6,)), 1),
    ("HingeLoss", "", ((6, 5), (6,)), 1),
    ("HingeLoss", "hinge_loss_param { norm: L2 }", ((6, 5), (6,)), 1),
    ("EuclideanLoss", "", ((6, 5), (6, 5)), 1),
    ("SigmoidCrossEntropyLoss", "", ((6, 5), (6, 5)), 1),
    *(
        ("SigmoidCrossEntropyLoss", f"loss_param {{ ignore_label: 0 {more} }}", ((6, 5),) * 2, 1)
        for more in ("normalization: VALID", "normalize: true", "normalization: FULL")
    ),
    ("ContrastiveLoss", "contrastive_loss_param { margin: 4 }", ((6, 5), (6, 5), (6,)), 1),
    (
        "ContrastiveLoss",
        "contrastive_loss_param { margin: 15 legacy_version: true }",
        ((6, 5), (6, 5), (6,)),
        1,
    ),
]

#: Type, parameters, and what it computes of a blob [2, 3, 4, 5], written from Caffe's definition.
FORMULAS: list[tuple[str, str, Any]] = [
    ("ReLU", "", lambda x: numpy.maximum(x, 0)),
    ("ReLU", "relu_param { negative_slope: 0.1 }", lambda x: numpy.where(x > 0, x, 0.1 * x)),
    ("Sigmoid", "", lambda x: 1 / (1 + numpy.exp(-x))),
    ("TanH", "", numpy.tanh),
    ("AbsVal", "", numpy.abs),
    ("BNLL", "", lambda x: numpy.log1p(numpy.exp(x))),
    ("Dropout", "", lambda x: x),
    ("ELU", "elu_param { alpha: 0.5 }", lambda x: numpy.where(x > 0, x, 0.5 * numpy.expm1(x))),
    ("Swish", "swish_param { beta: 2 }", lambda x: x / (1 + numpy.exp(-2 * x))),
    ("Clip", "clip_param { min: -0.5 max: 0.3 }", lambda x: numpy.clip(x, -0.5, 0.3)),
    ("ReLU6", "", lambda x: numpy.clip(x, 0, 6)),
    ("Threshold", "threshold_param { threshold: 0.2 }", lambda x: (x > 0.2) * 1.0),
    ("Power", "power_param { power: 2 scale: 3 shift: 0.5 }", lambda x: (0.5 + 3 * x) ** 2),
    ("Power", "power_param { scale: 3 }", lambda x: 3 * x),
    ("Exp", "exp_param { base: 2 scale: 0.5 shift: 1 }", lambda x: 2 ** (1 + 0.5 * x)),
    ("Softmax", "", lambda x: reference_of.softmax(x, 1)),
    ("Softmax", "softmax_param { axis: -1 }", lambda x: reference_of.softmax(x, 3)),
    ("Reduction", "reduction_param { axis: 2 }", lambda x: x.sum(axis=(2, 3))),
    (
        "Reduction",
        "reduction_param { operation: MEAN coeff: 2 axis: 1 }",
        lambda x: 2 * x.mean(axis=(1, 2, 3)),
    ),
    ("Reduction", "reduction_param { operation: SUMSQ axis: 3 }", lambda x: (x**2).sum(axis=3)),
    (
        "Reduction",
        "reduction_param { operation: ASUM axis: 1 }",
        lambda x: abs(x).sum(axis=(1, 2, 3)),
    ),
    ("Flatten", "", lambda x: x.reshape(2, -1)),
    ("Flatten", "flatten_param { axis: 1 end_axis: 2 }", lambda x: x.reshape(2, 12, 5)),
    ("Reshape", "reshape_param { shape { dim: 0 dim: -1 dim: 5 } }", lambda x: x.reshape(2, 12, 5)),
    ("Tile", "tile_param { axis: 1 tiles: 3 }", lambda x: numpy.tile(x, (1, 3, 1, 1))),
    (
        "Permute",
        "permute_param { order: 0 order: 2 order: 3 order: 1 }",
        lambda x: x.transpose(0, 2, 3, 1),
    ),
    (
        "MVN",
        "",
        lambda x: (x - x.mean((2, 3), keepdims=True)) / (x.std((2, 3), keepdims=True) + 1e-9),
    ),
    (
        "GroupNorm",
        "group_norm_param { num_groups: 3 eps: 0.1 }",
        lambda x: (x - x.mean((2, 3), keepdims=True)) / (x.var((2, 3), keepdims=True) + 0.1) ** 0.5,
    ),
    (
        "MVN",
        "mvn_param { normalize_variance: false across_channels: true }",
        lambda x: x - x.mean((1, 2, 3), keepdims=True),
    ),
]


def one_layer_network(
    kind: str, body: str, shapes: tuple[tuple[int, ...], ...], tops: int
) -> Network:
    """A network of one layer: inputs ``i0``, ``i1``, ..., outputs ``t0``, ``t1``, ..."""
    text = ""
    for i, shape in enumerate(shapes):
        dims = " ".join(f"dim: {size}" for size in shape)
        text += f"layer {{ name: 'i{i}' type: 'Input' top: 'i{i}' "
        text += f"input_param {{ shape {{ {dims} }} }} }}\n"
    ends = " ".join(f"bottom: 'i{i}'" for i in range(len(shapes)))
    ends += " " + " ".join(f"top: 't{i}'" for i in range(tops))
    return parse_network(text + f"layer {{ name: 'l' type: '{kind}' {ends} {body} }}\n")


def reference(built: Any, number: int = 0) -> list[Any]:
    """What ONNX Runtime computes of a model, on the inputs of buffer set ``number``."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session, _keep = open_session(built, options)
    feed = {spec.name: random_input(spec, SEED, number) for spec in built.inputs}
    found: list[Any] = session.run(list(built.outputs), feed)
    return found
