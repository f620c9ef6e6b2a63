"""Shapes, parameters and multiply-accumulates of every layer type, and what Caffe refuses."""

from __future__ import annotations

import math

import pytest
from caffe_texts import one_layer

from neuralpower.caffe.network import Layer, parse_network
from neuralpower.caffe.shapes import shape_text
from neuralpower.core.errors import InputError


def last(kind: str, shapes: str, options: str = "", tops: int = 1, **more: object) -> Layer:
    network = parse_network(one_layer(kind, shapes, options, tops), **more)  # type: ignore[arg-type]
    return network.layers[-1]


def sizes(layer: Layer) -> str:
    return " ".join(shape_text(shape) for shape in layer.top_shapes)


CONVOLUTIONS = [
    # Rounded down; C++ division rounds towards zero, so a kernel one too large gives 1 - 1 = 0.
    ("1x3x10x11", "num_output: 4 kernel_size: 3 stride: 2", "1x4x4x5", 4 * 27 + 4),
    ("2x4x9x9", "num_output: 8 kernel_h: 3 kernel_w: 1 pad_h: 1 group: 4", "2x8x9x9", 8 * 3 + 8),
    ("1x3x16x16", "num_output: 2 kernel_size: 3 dilation: 4", "1x2x8x8", 2 * 27 + 2),
    ("1x3x16", "num_output: 2 kernel_size: 3 stride: 3", "1x2x5", 2 * 9 + 2),
    ("1x3x8x8x8", "num_output: 2 kernel_size: 3 kernel_size: 2 kernel_size: 1 bias_term: false",
     "1x2x6x7x8", 2 * 3 * 6),
    ("5x7", "num_output: 2", "5x2", 2 * 7 + 2),
    ("2x5x6x7", "num_output: 4 kernel_size: 3 axis: 2", "2x5x4x5", 4 * 6 * 3 + 4),
]  # fmt: skip


@pytest.mark.parametrize(("shape", "options", "top", "params"), CONVOLUTIONS)
def test_convolution(shape: str, options: str, top: str, params: int) -> None:
    if shape == "5x7":
        options += " kernel_size: 1"
    layer = last("Convolution", shape, f"convolution_param {{ {options} }}")
    assert (sizes(layer), layer.params) == (top, params)
    bias = (
        0
        if "bias_term: false" in options
        else int(top.split("x")[2 if "axis: 2" in options else 1])
    )
    assert layer.top_shapes[0] is not None
    weights, outputs = params - bias, math.prod(layer.top_shapes[0])
    channels = layer.top_shapes[0][2 if "axis: 2" in options else 1]
    assert layer.macs == weights * outputs // channels


def test_convolution_configuration() -> None:
    options = "num_output: 8 kernel_h: 3 kernel_w: 1 pad_h: 1 stride: 2 group: 4 dilation: 2"
    layer = last("Convolution", "6x4x19x17", f"convolution_param {{ {options} }}")
    row = layer.configuration
    assert row is not None
    assert (row.family, row.batch, row.groups, row.bias, row.inputs) == ("conv", 6, 4, 1, 1)
    assert (row.in_channels, row.in_height, row.in_width) == (4, 19, 17)
    assert (row.out_channels, row.out_height, row.out_width) == (8, 9, 9)
    assert (row.kernel_height, row.kernel_width, row.pad_height, row.pad_width) == (3, 1, 1, 0)
    assert (row.stride_height, row.dilation_width) == (2, 2)


def test_depthwise_convolution_has_one_group_a_channel() -> None:
    options = "convolution_param { num_output: 6 kernel_size: 3 }"
    layer = last("DepthwiseConvolution", "1x6x8x8", options)
    assert (layer.params, layer.macs) == (6 * 9 + 6, 6 * 9 * 36)
    assert layer.configuration is not None
    assert layer.configuration.groups == 6


def test_other_dimensions_have_no_family() -> None:
    layer = last("Convolution", "1x3x16", "convolution_param { num_output: 2 kernel_size: 3 }")
    assert layer.family == ""
    assert layer.note == "1-d convolution: no model family"


def test_deconvolution() -> None:
    options = "convolution_param { num_output: 6 kernel_size: 4 stride: 2 pad: 1 group: 2 }"
    layer = last("Deconvolution", "1x4x5x5", options)
    assert sizes(layer) == "1x6x10x10"
    assert layer.params == 4 * 3 * 16 + 6
    assert layer.macs == 25 * 4 * 3 * 16
    assert layer.family == "deconv"


def test_several_bottoms_share_the_weights() -> None:
    options = "convolution_param { num_output: 2 kernel_size: 3 }"
    layer = last("Convolution", "1x3x8x8 1x3x8x8", options, tops=2)
    assert sizes(layer) == "1x2x6x6 1x2x6x6"
    assert (layer.params, layer.macs) == (56, 2 * 54 * 36)


@pytest.mark.parametrize(
    ("size", "options", "pooled"),
    [
        # ceil((size + 2 pad - kernel) / stride) + 1, clipped when a window starts in the padding.
        (7, "kernel_size: 3 stride: 2", 3),
        (8, "kernel_size: 3 stride: 2", 4),
        (8, "kernel_size: 3 stride: 2 pad: 1", 5),
        (5, "kernel_size: 2 stride: 3 pad: 1", 2),
        (4, "kernel_size: 2 stride: 3 pad: 1", 2),
        (5, "kernel_size: 3 stride: 5 pad: 2", 2),
        (2, "kernel_size: 3 stride: 2", 1),
        (1, "kernel_size: 3 stride: 2", 0),
        (2, "kernel_size: 5 stride: 2 pad: 1", 1),
        (10, "kernel_size: 2 stride: 10 pad: 1", 2),
        (8, "kernel_size: 3 stride: 2 round_mode: FLOOR", 3),
        (8, "kernel_size: 3 stride: 2 ceil_mode: false", 3),
        (9, "global_pooling: true", 1),
    ],
)
def test_pooling(size: int, options: str, pooled: int) -> None:
    layer = last("Pooling", f"1x2x{size}x{size}", f"pooling_param {{ {options} }}")
    assert sizes(layer) == f"1x2x{pooled}x{pooled}"


def test_pooling_divides_in_single_precision() -> None:
    # (2^25 + 1) rounds to 2^25 as a float; exact arithmetic would give one output more.
    layer = last(
        "Pooling", f"1x1x1x{2**25 + 2}", "pooling_param { kernel_size: 1 stride_h: 1 stride_w: 2 }"
    )
    assert sizes(layer) == f"1x1x1x{2**24 + 1}"


def test_global_pooling_has_the_kernel_of_its_input() -> None:
    layer = last("Pooling", "3x5x7x6", "pooling_param { pool: AVE global_pooling: true }")
    row = layer.configuration
    assert row is not None
    assert (row.kernel_height, row.kernel_width, row.pool_method) == (7, 6, "ave")


@pytest.mark.parametrize(
    ("kind", "shapes", "options", "tops", "params"),
    [
        ("InnerProduct", "2x3x4", "inner_product_param { num_output: 5 }", "2x5", 65),
        ("InnerProduct", "2x3x4", "inner_product_param { num_output: 5 axis: 2 }", "2x3x5", 25),
        ("InnerProduct", "2x3x4", "inner_product_param { num_output: 5 axis: -1 }", "2x3x5", 25),
        ("InnerProduct", "7", "inner_product_param { num_output: 5 axis: 0 }", "5", 40),
        ("Embed", "5x2", "embed_param { num_output: 8 input_dim: 100 }", "5x2x8", 808),
        ("LSTM", "10x4x6 10x4", "recurrent_param { num_output: 8 }", "10x4x8", 480),
        ("LSTM", "10x4x6 10x4 4x9", "recurrent_param { num_output: 8 }", "10x4x8", 768),
        ("RNN", "10x4x6 10x4", "recurrent_param { num_output: 8 }", "10x4x8", 192),
        ("LRN", "2x3x4x5", "", "2x3x4x5", 0),
        ("BatchNorm", "2x3x4x5", "", "2x3x4x5", 7),
        ("Scale", "2x3x4x5", "scale_param { bias_term: true }", "2x3x4x5", 6),
        ("Scale", "2x3x4x5", "scale_param { num_axes: -1 }", "2x3x4x5", 60),
        ("Scale", "2x3x4x5", "scale_param { axis: 0 num_axes: 2 }", "2x3x4x5", 6),
        ("Scale", "2x3x4x5", "scale_param { num_axes: 0 }", "2x3x4x5", 1),
        ("Scale", "2x3x4x5 3x4", "scale_param { bias_term: true }", "2x3x4x5", 12),
        ("Scale", "2x3x4x5 3", "", "2x3x4x5", 0),
        ("Bias", "2x3x4x5", "", "2x3x4x5", 3),
        ("PReLU", "2x3x4x5", "", "2x3x4x5", 3),
        ("PReLU", "2x3", "prelu_param { channel_shared: true }", "2x3", 1),
        ("MVN", "2x3", "", "2x3x1x1", 0),
        ("Softmax", "2x3", "", "2x3", 0),
        ("Concat", "2x3x4 2x5x4", "", "2x8x4", 0),
        ("Concat", "2x3x4 2x3x1", "concat_param { axis: -1 }", "2x3x5", 0),
        ("Concat", "2x3 5x3", "concat_param { concat_dim: 0 }", "7x3", 0),
        ("Eltwise", "2x3 2x3", "", "2x3", 0),
        ("Flatten", "2x3x4x5", "", "2x60", 0),
        ("Flatten", "2x3x4x5", "flatten_param { axis: 1 end_axis: -2 }", "2x12x5", 0),
        ("Reshape", "2x8", "reshape_param { shape { dim: 0 dim: -1 dim: 2 } }", "2x4x2", 0),
        ("Reshape", "2x3x4", "reshape_param { shape { dim: 12 } axis: 1 }", "2x12", 0),
        ("Reshape", "2x3x4", "reshape_param { shape { dim: 1 } axis: -1 num_axes: 0 }",
         "2x3x4x1", 0),
        ("Reshape", "2x3", "reshape_param { shape { dim: 1 } axis: 0 num_axes: 0 }", "1x2x3", 0),
        ("Crop", "1x3x20x20 1x1x8x9", "crop_param { offset: 5 }", "1x3x8x9", 0),
        ("Crop", "1x3x9x9 1x2x9x9", "crop_param { axis: 1 offset: 1 offset: 0 offset: 0 }",
         "1x2x9x9", 0),
        ("Tile", "2x3", "tile_param { tiles: 4 }", "2x12", 0),
        ("BatchReindex", "2x3x4 7", "", "7x3x4", 0),
        ("Filter", "2x3 2x1", "", "2x3", 0),
        ("Reduction", "2x3x4", "reduction_param { axis: 1 }", "2", 0),
        ("Reduction", "2x3x4", "", "scalar", 0),
        ("ArgMax", "2x10", "argmax_param { top_k: 3 }", "2x1x3", 0),
        ("ArgMax", "2x10x1x1", "argmax_param { top_k: 3 out_max_val: true }", "2x2x3x1", 0),
        ("ArgMax", "2x10x4", "argmax_param { axis: 1 top_k: 2 }", "2x2x4", 0),
        ("Im2col", "1x3x8x8", "convolution_param { kernel_size: 3 }", "1x27x6x6", 0),
        ("SPP", "1x4x13x17", "spp_param { pyramid_height: 3 }", "1x84", 0),
        ("SPP", "1x4x13x17", "spp_param { pyramid_height: 1 }", "1x4x1x1", 0),
        ("Accuracy", "8x10 8", "", "scalar", 0),
        ("SoftmaxWithLoss", "8x10x4 8x4", "", "scalar", 0),
        ("EuclideanLoss", "8x10 8x10", "", "scalar", 0),
        ("ContrastiveLoss", "8x10 8x10 8", "", "scalar", 0),
        ("LSTMUnit", "1x4x8 1x4x32 1x4", "", "1x4x8 1x4x8", 0),
        ("ROIPooling", "1x8x9x9 5x5", "roi_pooling_param { pooled_h: 7 pooled_w: 6 }",
         "5x8x7x6", 0),
        ("PSROIPooling", "1x18x9x9 5x5",
         "psroi_pooling_param { output_dim: 2 group_size: 3 }", "5x2x3x3", 0),
        ("Permute", "1x2x3x4", "permute_param { order: 0 order: 2 order: 3 order: 1 }",
         "1x3x4x2", 0),
        ("Normalize", "1x8x3x3", "norm_param { channel_shared: false }", "1x8x3x3", 8),
        ("PriorBox", "1x8x3x3 1x3x30x30",
         "prior_box_param { min_size: 3 max_size: 6 aspect_ratio: 2 aspect_ratio: 3 }",
         "1x2x216", 0),
        ("Interp", "1x2x5x5", "interp_param { zoom_factor: 8 }", "1x2x33x33", 0),
        ("Interp", "1x2x9x9", "interp_param { shrink_factor: 2 }", "1x2x5x5", 0),
        ("Interp", "1x2x9x9", "interp_param { height: 20 width: 30 }", "1x2x20x30", 0),
        ("Upsample", "1x2x9x9", "upsample_param { scale: 2 }", "1x2x18x18", 0),
        ("Reorg", "1x64x26x26", "reorg_param { stride: 2 }", "1x256x13x13", 0),
        ("ShuffleChannel", "1x6x2x2", "shuffle_channel_param { group: 3 }", "1x6x2x2", 0),
        ("Axpy", "1x4x1x1 1x4x5x5 1x4x5x5", "", "1x4x5x5", 0),
        ("BN", "1x4x5x5", "", "1x4x5x5", 16),
        ("ReLU6", "1x4", "", "1x4", 0),
        ("DetectionOutput", "1x8 1x4 1x2x8", "", "1x1x1x7", 0),
    ],
)  # fmt: skip
def test_shapes(kind: str, shapes: str, options: str, tops: str, params: int) -> None:
    layer = last(kind, shapes, options, tops=len(tops.split()))
    assert (sizes(layer), layer.params, layer.known) == (tops, params, True)


NEURONS = "AbsVal BNLL ELU Exp Log Power ReLU Sigmoid Swish TanH"


@pytest.mark.parametrize("kind", NEURONS.split(" "))
def test_neurons_keep_the_shape(kind: str) -> None:
    for shape in ("scalar", "7", "2x3x4x5x6"):
        assert sizes(last(kind, shape)) == shape


@pytest.mark.parametrize(
    ("kind", "shapes", "options", "macs"),
    [
        ("InnerProduct", "2x3x4", "inner_product_param { num_output: 5 }", 2 * 12 * 5),
        ("LSTM", "10x4x6 10x4", "recurrent_param { num_output: 8 }", 10 * 4 * 32 * (6 + 8)),
        ("RNN", "10x4x6 10x4", "recurrent_param { num_output: 8 }", 10 * 4 * 8 * (6 + 16)),
        ("Scale", "2x3x4x5", "", 120),
        ("BatchNorm", "2x3x4x5", "", 120),
        ("LRN", "2x3x4x5", "", 5 * 120),
        ("LRN", "2x3x4x5", "lrn_param { norm_region: WITHIN_CHANNEL local_size: 3 }", 9 * 120),
        ("Eltwise", "2x3 2x3 2x3", "eltwise_param { operation: PROD }", 12),
        ("Eltwise", "2x3 2x3", "eltwise_param { coeff: 1 coeff: -1 }", 6),
        ("Eltwise", "2x3 2x3", "", 0),
        ("ReLU", "2x3", "relu_param { negative_slope: 0.1 }", 6),
        ("ReLU", "2x3", "", 0),
        ("Dropout", "2x3", "", 0),
        ("Pooling", "1x1x4x4", "pooling_param { kernel_size: 2 }", 0),
    ],
)
def test_multiply_accumulates(kind: str, shapes: str, options: str, macs: int) -> None:
    assert last(kind, shapes, options).macs == macs


REFUSED = [
    ("Convolution", "1x3x8x8", "convolution_param { num_output: 4 }", "kernel_size"),
    ("Convolution", "1x3x8x8", "convolution_param { kernel_size: 3 }", "num_output"),
    ("Convolution", "1x3x8x8", "convolution_param { num_output: 4 kernel_h: 3 }", "positive"),
    ("Convolution", "1x3x8x8", "convolution_param { num_output: 4 kernel_size: 3 group: 2 }",
     "group"),
    ("Convolution", "1x3x8x8",
     "convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: 'gaussian' std: 0 } }",
     "positive std"),
    ("Convolution", "1x3x8x8",
     "convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: 'foo' } }", "filler"),
    ("Convolution", "1x3x8", "convolution_param { num_output: 4 kernel_h: 3 kernel_w: 3 }",
     "spatial"),
    ("Convolution", "1x3x8x8", "convolution_param { num_output: 4 kernel_size: 9 }", "fit"),
    ("Convolution", "1x3x8x8", "convolution_param { num_output: 4 kernel_size: 12 }", "negative"),
    ("Pooling", "1x3x8x8", "", "kernel"),
    ("Pooling", "1x3x8x8", "pooling_param { kernel_size: 2 kernel_h: 2 kernel_w: 2 }", "kernel"),
    ("Pooling", "1x3x8x8", "pooling_param { kernel_size: 2 pad: 2 }", "pad"),
    ("Pooling", "1x3x8x8", "pooling_param { kernel_size: 3 pad: 1 pool: STOCHASTIC }", "padding"),
    ("Pooling", "1x3x8", "pooling_param { kernel_size: 2 }", "4 axes"),
    ("Pooling", "1x3x8x8", "pooling_param { global_pooling: true kernel_size: 2 }", "kernel"),
    ("InnerProduct", "2x3", "", "empty"),
    ("InnerProduct", "2x3", "inner_product_param { num_output: 3 axis: 2 }", "axis 2"),
    ("LRN", "1x3x8x8", "lrn_param { local_size: 4 }", "odd"),
    ("BatchNorm", "6", "", "axis 1"),
    ("BatchNorm", "2x3", "param { lr_mult: 1 }", "learning rate"),
    ("Scale", "2x3x4x5 4", "", "match"),
    ("Eltwise", "2x3", "", "at least 2"),
    ("Eltwise", "2x3 3x2", "", "one shape"),
    ("Concat", "2x3 3x3", "", "agree"),
    ("Concat", "2x3 2x3", "concat_param { axis: 1 concat_dim: 1 }", "both"),
    ("Slice", "2x3", "slice_param { slice_point: 1 slice_point: 2 }", "slice points"),
    ("Flatten", "6", "", "axis 1"),
    ("Reshape", "2x3", "reshape_param { shape { dim: 4 } }", "elements"),
    ("Reshape", "2x3", "reshape_param { shape { dim: -1 dim: -1 } }", "one size"),
    ("Reshape", "2x3", "reshape_param { shape { dim: -1 dim: 4 } }", "divide"),
    ("Tile", "2x3", "", "tiles"),
    ("Accuracy", "8x10 7", "", "labels"),
    ("Accuracy", "8x10 8", "accuracy_param { top_k: 11 }", "top_k"),
    ("SoftmaxWithLoss", "8x10 7", "", "first size"),
    ("ArgMax", "2x3", "argmax_param { top_k: 4 }", "top_k"),
    ("LSTM", "10x4 10x4", "recurrent_param { num_output: 8 }", "inputs"),
    ("LSTM", "10x4x6 9x4", "recurrent_param { num_output: 8 }", "second bottom"),
    ("SPP", "1x4x3x3", "spp_param { pyramid_height: 9 }", "pad"),
    ("PReLU", "7", "", "2 axes"),
    ("ReLU", "7", "relu_param { engine: CUDNN }", "CUDNN"),
    ("ReLU", "7", "loss_weight: 1 loss_weight: 1", "loss_weight"),
    ("ReLU", "7", "propagate_down: true propagate_down: true", "propagate_down"),
    ("ReLU", "7", "param { }", "param entries"),
    ("Exp", "7", "exp_param { base: -2 }", "base"),
    ("Foo", "7", "", "unknown layer type"),
    ("Permute", "1x2", "", "not known to BVLC"),
    ("Data", "", "data_param { batch_size: 3 }", "--data-shape"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "shapes", "options", "word"), REFUSED)
def test_refused_in_strict_mode_and_noted_otherwise(
    kind: str, shapes: str, options: str, word: str
) -> None:
    with pytest.raises(InputError) as caught:
        last(kind, shapes, options, strict=True)
    assert word in str(caught.value)
    assert f"layer 'x' ({kind})" in str(caught.value)
    layer = last(kind, shapes, options)
    assert word in layer.note or kind in ("Permute", "ReLU")


def test_a_failed_check_does_not_hide_a_shape() -> None:
    options = "convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: 'foo' } }"
    layer = last("Convolution", "1x3x8x8", options)
    assert (sizes(layer), layer.family) == ("1x4x6x6", "conv")
    assert layer.note == "Caffe refuses: unknown filler 'foo'"


def test_large_batches_are_listed_beyond_the_limit_of_caffe() -> None:
    options = "convolution_param { num_output: 64 kernel_size: 3 pad: 1 }"
    layer = last("Convolution", "1024x3x224x224", options)
    assert layer.known
    assert "2^31" in layer.note
    with pytest.raises(InputError, match="2147483647 elements"):
        last("Convolution", "1024x3x224x224", options, strict=True)


def test_configurations_fold_any_number_of_axes() -> None:
    row = last("ReLU", "2x3x4x5x6").configuration
    assert row is not None
    assert (row.batch, row.in_channels, row.in_height, row.in_width) == (2, 3, 4, 30)
    row = last("Softmax", "2x3").configuration
    assert row is not None
    assert (row.in_channels, row.in_height, row.out_channels, row.out_width) == (3, 1, 3, 1)
    row = last(
        "InnerProduct", "2x3x4", "inner_product_param { num_output: 5 axis: 2 }"
    ).configuration
    assert row is not None
    assert (row.family, row.batch, row.in_channels, row.out_channels) == ("fc", 6, 4, 5)
    row = last("Concat", "2x3x4x4 2x5x4x4").configuration
    assert row is not None
    assert (row.in_channels, row.out_channels, row.inputs) == (3, 8, 2)


def test_sizes_wrap_as_in_caffe() -> None:
    # Caffe keeps 64-bit sizes in 32-bit integers: 2^32 + 7 is 7, and 2^32 - 1 is -1.
    assert sizes(last("ReLU", f"{2**32 + 7}", strict=True)) == "7"
    with pytest.raises(InputError, match="negative"):
        last("ReLU", f"{2**32 - 1}", strict=True)


def test_empty_blobs_have_no_configuration() -> None:
    layer = last("ReLU", "0x3")
    assert (layer.known, layer.family) == (True, "")
