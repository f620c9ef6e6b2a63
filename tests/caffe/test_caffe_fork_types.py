"""Layer types of forks: shapes, parameters and work."""

from __future__ import annotations

import pytest
from caffe_texts import last, one_layer, tops

from neuralpower.caffe.network import parse_network
from neuralpower.core.errors import InputError


def test_batch_norm_with_fillers_has_five_blobs() -> None:
    for field in ("scale_bias: true", "scale_filler { value: 1 }", "bias_filler { value: 0 }"):
        layer = last(one_layer("BatchNorm", "1x8x4x4", f"batch_norm_param {{ {field} }}"))
        assert layer.params == 33
    assert last(one_layer("BatchNorm", "1x8x4x4", "batch_norm_param { eps: 1 }")).params == 17


PRIORS = [
    ("min_size: 20", 1),
    ("min_size: 20 max_size: 40 aspect_ratio: 2", 4),
    ("min_size: 20 max_size: 40 aspect_ratio: 2 denser_prior_boxes: true", 8),
    ("min_size: 32 min_size: 64 min_size: 128 faceboxes: true", 21),
    ("min_size: 20 aspect_ratio: 2 offset: 0.5 offset: 1", 6),
    ("min_size: 20 offset_h: 0.5 offset_h: 1 offset_w: 0.5 offset_w: 0.5", 2),
    ("fixed_size: 32 fixed_size: 64 density: 4 density: 2", 2 + 15 + 3),
    ("box_width: 3 box_width: 4 box_height: 3 box_height: 4", 2),
]


@pytest.mark.parametrize(("fields", "priors"), PRIORS)
def test_priors_a_place(fields: str, priors: int) -> None:
    text = one_layer("PriorBox", "1x4x8x8 1x3x64x64", f"prior_box_param {{ {fields} }}")
    assert last(text).top_shapes == ((1, 2, 8 * 8 * priors * 4),)


def test_priors_that_do_not_fit_are_not_sure() -> None:
    options = "detection_output_param { num_classes: 3 }"
    fits = last(one_layer("DetectionOutput", "1x16 1x12 1x2x16", options))
    assert not fits.doubts
    other = last(one_layer("DetectionOutput", "1x16 1x12 1x2x32", options))
    assert "8 priors need 32 locations, not 16" in other.note
    assert other.note.startswith("not sure")


V1_TYPES = [("PRELU", "PReLU"), ("CROP", "Crop"), ("BN", "BN"), ("BATCH_NORM", "BatchNorm"),
            ("RESHAPE", "Reshape"), ("ROI_POOLING", "ROIPooling"), ("UNPOOLING", "Unpooling"),
            ("IMAGE_SEG_DATA", "ImageSegData"), ("SMOOTH_L1_LOSS", "SMOOTH_L1_LOSS")]  # fmt: skip


@pytest.mark.parametrize(("name", "kind"), V1_TYPES)
def test_v1_names_of_types_that_v1_lacks(name: str, kind: str) -> None:
    layer = last(f'layers {{ name: "x" type: {name} bottom: "a" top: "b" }}')
    assert layer.type == kind


def test_elementwise_types_of_forks() -> None:
    for kind in ("Mish", "HardSwish", "SeLU", "Flip", "Add", "Mul", "Swish", "HSigmoid", "ReLU6"):
        layer = last(one_layer(kind, "2x3x4x5"))
        assert tops(layer) == "2x3x4x5", kind
        assert layer.params == 0
    assert tops(last(one_layer("Mul", "2x3x4x5 2x3x1x1"))) == "2x3x4x5"


def test_an_unknown_type_keeps_its_shape_on_request_only() -> None:
    text = one_layer("Odd", "2x3")
    assert not last(text).known
    kept = last(text, assume_elementwise=True)
    assert (tops(kept), kept.known) == ("2x3", True)
    assert "assumed: layer type 'Odd' is unknown" in kept.note
    in_place = last(text.replace('top: "t0"', 'top: "b0"'))
    assert in_place.note.startswith("not sure: layer type 'Odd' is unknown")
    with pytest.raises(InputError, match="unknown layer type 'Odd'"):
        parse_network(text, known_types=True, assume_elementwise=True)


def test_an_unknown_type_with_known_parameters_is_read_by_them() -> None:
    options = "convolution_param { num_output: 6 kernel_size: 3 }"
    for kind, params in (("PrunedConvolution", 6 * 54 + 6), ("MyDepthwiseConv", 6 * 9 + 6)):
        layer = last(one_layer(kind, "1x6x8x8", options))
        assert (tops(layer), layer.params) == ("1x6x6x6", params)
        assert layer.note.startswith(f"not sure: unknown layer type '{kind}', read as ")
    assert last(one_layer("QFc", "1x6", "inner_product_param { num_output: 3 }")).params == 21


MOVED = [
    ("Transpose", "4x5x6x7", "transpose_param { dim: 3 dim: 2 dim: 0 dim: 1 }", "7x6x4x5"),
    ("Squeeze", "1x5x1x7", "", "5x7"),
    ("Squeeze", "1x5x1x7", "squeeze_param { axis: 2 }", "1x5x7"),
    ("ExpandDims", "5x7", "expand_dims_param { axis: 1 }", "5x1x7"),
    ("CropCenter", "1x2x9x9", "crop_center_param { crop_size: 5 }", "1x2x5x5"),
    ("CropCenter", "1x2x9x9 1x1x4x3", "", "1x2x4x3"),
    ("Pad", "1x2x9x9", "pad_param { pad: 2 }", "1x2x13x13"),
    ("GroupNorm", "1x32x4x4", "group_norm_param { group_num: 8 }", "1x32x4x4"),
    ("ResizeBilinear", "1x2x9x9", "resize_bilinear_param { output_height: 3 output_width: 4 }",
     "1x2x3x4"),
    ("Resample", "1x2x9x9", "resample_param { width: 4 height: 3 type: LINEAR }", "1x2x3x4"),
    ("ImResize", "1x2x9x9", "imresize_param { factor: 8 }", "1x2x72x72"),
    ("Unpooling", "1x2x7x7", "unpooling_param { unpool: MAX kernel_size: 2 stride: 2 }",
     "1x2x14x14"),
    ("DepthToSpace", "1x8x3x3", "depth_to_space_param { block_size: 2 }", "1x2x6x6"),
    ("ROIAlign", "1x8x9x9 5x5", "roi_align_param { pooled_h: 7 pooled_w: 7 }", "5x8x7x7"),
    ("BoxOutput", "1x8x9x9 1x4x9x9", "box_output_param { fg_thr: 0.1 }", "1x5x1x1"),
    ("DecodeBBox", "6x8 6x5", "", "6x5"),
    ("ContinuationIndicator", "", "continuation_indicator_param { time_step: 9 batch_size: 4 }",
     "9x4"),
    ("Reverse", "4x5x6", "reverse_param { axis: 0 }", "4x5x6"),
    ("Correlation", "1x8x10x12 1x8x10x12",
     "correlation_param { pad: 2 kernel_size: 1 max_displacement: 2 }", "1x25x10x12"),
    ("Concat", "1x4x3x3 1x2x5x5", "concat_param { axis: 1 per_fla_fuse: true }", "1x86x1x1"),
    ("DetectionEvaluate", "1x1x1x7 1x1x1x8", "detection_evaluate_param { num_classes: 21 }",
     "1x1x21x5"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "shapes", "options", "top"), MOVED)
def test_shapes_of_types_of_forks(kind: str, shapes: str, options: str, top: str) -> None:
    layer = last(one_layer(kind, shapes, options))
    assert tops(layer) == top
    assert not layer.doubts


def test_lstm_of_ctpn() -> None:
    layer = last(one_layer("Lstm", "7x3x10x2", "lstm_param { num_output: 8 }"))
    assert tops(layer) == "7x3x8"
    assert layer.params == 32 * 20 + 32 * 8 + 32
    assert layer.macs == 7 * 3 * 32 * 28


def test_deformable_convolution_counts_its_sampling() -> None:
    options = "convolution_param { num_output: 4 kernel_size: 3 pad: 1 }"
    layer = last(one_layer("DeformableConvolution", "1x8x6x6 1x18x6x6", options))
    assert layer.params == 4 * 72 + 4
    assert layer.macs == 36 * (4 * 72 + 4 * 72)


VOLUMES = [
    ("Convolution3D", "kernel_size: 3 kernel_depth: 3 pad: 1 temporal_pad: 1", "1x2x8x16x16"),
    ("NdConvolution", "kernel_shape { dim: 3 dim: 3 dim: 3 } pad_shape { dim: 1 dim: 1 dim: 1 }",
     "1x2x8x16x16"),
    ("Convolution", "kernel_size: [3, 3, 3] pad: 1", "1x2x8x16x16"),
    ("Convolution3D", "kernel_size: 3 kernel_depth: 1 stride: 2 temporal_stride: 4", "1x2x2x7x7"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "fields", "top"), VOLUMES)
def test_convolutions_of_volumes(kind: str, fields: str, top: str) -> None:
    options = f"convolution_param {{ num_output: 2 {fields} }}"
    layer = last(one_layer(kind, "1x3x8x16x16", options))
    assert tops(layer) == top
    assert layer.family == ""


VOLUME_POOLS = [
    ("Pooling3D", "kernel_size: 2 kernel_depth: 1 stride: 2 temporal_stride: 1"),
    ("NdPooling", "kernel_shape { dim: 1 dim: 2 dim: 2 } stride_shape { dim: 1 dim: 2 dim: 2 }"),
    ("Pooling", "kernel_size: 1 kernel_size: 2 kernel_size: 2 stride: 1 stride: 2 stride: 2"),
]


@pytest.mark.parametrize(("kind", "fields"), VOLUME_POOLS)
def test_pools_of_volumes(kind: str, fields: str) -> None:
    layer = last(one_layer(kind, "1x3x8x16x16", f"pooling_param {{ {fields} }}"))
    assert tops(layer) == "1x3x8x8x8"
    assert not layer.doubts
