"""Small files that stand for kinds of faults, each with the right answer, and their sisters.

The files in ``cases/`` were written for this project.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from caffe_texts import one_layer

from neuralpower.caffe import caffe_pb2
from neuralpower.caffe.fields import field_table, fork_messages
from neuralpower.caffe.network import Layer, Network, load_network, parse_network
from neuralpower.caffe.shapes import shape_text
from neuralpower.caffe.unknown import matters
from neuralpower.core.errors import InputError

CASES = Path(__file__).parent / "cases"

#: file: (layer, tops, params, macs; None is not asked for).
RIGHT = [
    ("k01_nvcaffe_bn_scale_bias", "bn", "1x8x10x10", 33, None),
    ("k02_asymmetric_pad_conv", "conv", "1x32x112x112", None, 10838016),
    ("k04_textboxes_denser_priors", "prior", "1x2x2048", 0, 0),
    ("k06_mish", "act1", "1x8x32x32", 0, 0),
    ("k06_mish", "conv2", "1x8x32x32", 584, 589824),
    ("k07_data_crop_size", "data", "50x3x227x227 50", 0, 0),
    ("k07_data_crop_size", "conv1", "50x96x55x55", None, None),
    ("k09_conv3d_v1", "conv1a", "1x64x16x112x112", 5248, 1040449536),
    ("k09_conv3d_v1", "pool1", "1x64x16x56x56", 0, None),
    ("k11_normface_normalize", "norm", "4x512", 0, None),
    ("k12_python_passthrough", "conv", "1x8x30x30", 1160, None),
    ("k14_fused_conv_sum", "conv", "1x8x16x16", 584, 147456),
    ("k18_lstm_exposed", "lstm", "3x8x10 1x8x10 1x8x10", 520, None),
    ("k19_scale_two_bottoms_axis0", "sc", "2x8x6x6", 0, None),
    ("k21_deeplab_hole", "conv", "1x8x25x25", None, 135000),
    ("k22_v1_crop", "crop", "1x4x32x32", 0, None),
    ("k22_v1_crop", "prob", "1x4x32x32", 0, None),
    ("k23_layer_weight_decay_v2", "ip", "1x10", 40970, None),
    ("k25_annotated_data", "data", "8x3x300x300 1x1x1x8", 0, None),
    ("k25_annotated_data", "conv1", "8x64x300x300", 1792, None),
    ("k29_rpn_train_proposals", "rpn-data", "1x1x180x30" + 3 * " 1x36x20x30", 0, None),
    ("k30_roidata", "input-data", "1x3x600x1000 1x3 1x4", 0, None),
]
REFUSED = [
    ("k15_softmax_loss_two_tops", r":3: .*once a top is needed \(1 vs\. 2\)"),
    ("k16_bom", r":1:1: a byte order mark"),
    ("k31_split_in_place", r"Split does not work in place"),
    ("k33_prelu_5d", r"at most 4 axes"),
    ("k35_spp_in_place", r"SPP does not work in place"),
    ("k38_slice_in_place", r"Slice does not work in place"),
]


def case(name: str, **options: object) -> Network:
    return load_network(CASES / f"{name}.prototxt", **options)  # type: ignore[arg-type]


def layer_of(network: Network, name: str) -> Layer:
    return next(layer for layer in network.layers if layer.name == name)


def tops(layer: Layer) -> str:
    return " ".join(map(shape_text, layer.top_shapes))


def last(text: str, **options: object) -> Layer:
    return parse_network(text, **options).layers[-1]  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "layer", "shapes", "params", "macs"), RIGHT)
def test_the_right_figures(
    name: str, layer: str, shapes: str, params: int | None, macs: int | None
) -> None:
    found = layer_of(case(name), layer)
    assert found.known
    assert tops(found) == shapes
    assert params is None or found.params == params
    assert macs is None or found.macs == macs


@pytest.mark.parametrize(("name", "reason"), REFUSED)
def test_what_caffe_refuses_is_refused_in_strict_mode(name: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        case(name, strict=True)
    assert all(layer.known for layer in case(name).layers)


def test_defaults_are_noted() -> None:
    data = layer_of(case("k07_data_crop_size"), "data")
    assert data.note.startswith("assumed: 3 channels")
    assert "assumed" in layer_of(case("k30_roidata"), "input-data").note
    assert case("k30_roidata").warnings[0].split(": ")[1] == "assumed"


def test_a_data_layer_of_the_other_phase_is_named() -> None:
    note = case("k08_data_only_in_train").layers[0].note
    assert "layer 'data' makes it only in phase TRAIN: give --phase TRAIN" in note
    assert tops(case("k08_data_only_in_train", phase="TRAIN").layers[0]) == "8x3x64x64 8"


def test_a_data_layer_of_another_stage_is_named() -> None:
    text = 'layer { name: "d" type: "Input" top: "x" include { stage: "deploy" } }\n'
    text += 'layer { name: "r" type: "ReLU" bottom: "x" top: "y" }'
    assert "give --stage deploy" in last(text).note


def test_a_blob_that_a_layer_makes_does_not_come_from_outside() -> None:
    text = one_layer("Odd", "1x3x4x4").replace('top: "t0"', 'top: "b0" top: "c"')
    note = last(text + 'layer { name: "r" type: "ReLU" bottom: "b0" top: "y" }').note
    assert "outside" not in note
    assert "layer 'x' has none" in note


# ------------------------------------------------------------------------------ padding, dilation


@pytest.mark.parametrize("field", ["hole: 4", "hole_h: 4 hole_w: 4", "dilation_h: 4 dilation_w: 4"])
def test_every_name_of_dilation(field: str) -> None:
    options = f"convolution_param {{ num_output: 8 kernel_size: 3 {field} }}"
    layer = last(one_layer("Convolution", "1x3x33x33", options))
    assert (tops(layer), layer.macs) == ("1x8x25x25", 135000)
    assert list(layer.param.convolution_param.dilation) in ([4], [4, 4])
    assert layer.configuration is not None
    assert layer.configuration.dilation_height == layer.configuration.dilation_width == 4


@pytest.mark.parametrize("field", ["hole: 0", "hole_h: 0 hole_w: 0", "dilation: 0"])
def test_a_dilation_of_nothing_covers_one_element(field: str) -> None:
    """DeepLab's k + (k - 1) * (hole - 1) and Caffe's (k - 1) * dilation + 1 agree, unchecked."""
    options = f"convolution_param {{ num_output: 8 kernel_size: 3 {field} }}"
    layer = last(one_layer("Convolution", "1x3x33x33", options))
    assert (tops(layer), layer.params) == ("1x8x33x33", 224)
    assert "a dilation of 0" in layer.note


def test_hole_of_one_axis() -> None:
    options = "convolution_param { num_output: 1 kernel_size: 3 hole_w: 2 }"
    assert tops(last(one_layer("Convolution", "1x1x9x9", options))) == "1x1x7x5"


PADS = [
    # Synopsys: pad_t + pad_b and pad_l + pad_r; "SAME" is size / stride, rounded up.
    ("Convolution", "pad_l: 0 pad_r: 1 pad_t: 0 pad_b: 1 stride: 2", 3, "1x4x112x112"),
    ("Convolution", "pad_t: 2 pad_b: 1", 3, "1x4x225x222"),
    ("Convolution", "pad_l: 2 pad_r: 2 pad_t: 1 pad_b: 1", 3, "1x4x224x226"),
    ("Convolution", "pad_type: 1 stride: 3", 3, "1x4x75x75"),
    ("Convolution", "pad_type: SAME stride: 2", 7, "1x4x112x112"),
    # Pads of sides win over "SAME", which its deconvolution does not read.
    ("Convolution", "pad_type: SAME pad_r: 2", 3, "1x4x222x224"),
    ("Deconvolution", "pad_b: 1 pad_r: 1 stride: 2", 3, "1x4x448x448"),
    ("Deconvolution", "pad_type: SAME stride: 2", 4, "1x4x450x450"),
]


@pytest.mark.parametrize(("kind", "fields", "kernel", "top"), PADS)
def test_pads_of_a_side(kind: str, fields: str, kernel: int, top: str) -> None:
    options = f"convolution_param {{ num_output: 4 kernel_size: {kernel} {fields} }}"
    layer = last(one_layer(kind, "1x3x224x224", options))
    assert tops(layer) == top
    assert not layer.doubts


POOL_PADS = [
    ("pad_r: 1 pad_b: 1 kernel_size: 3 stride: 2", "1x2x5x5"),
    ("pad_type: 1 kernel_size: 3 stride: 2", "1x2x5x5"),
    ("pad_type: VALID kernel_size: 3 stride: 2", "1x2x4x4"),
    ("ceil_mode: false kernel_size: 3 stride: 2", "1x2x4x4"),
    ("pad_t: 1 kernel_size: 2 stride: 2", "1x2x6x5"),
    # ceil((10 + 1 - 3) / 1) + 1, the last window inside.
    ("pad_l: 1 kernel_size: 3 stride: 1", "1x2x8x9"),
]


@pytest.mark.parametrize(("fields", "top"), POOL_PADS)
def test_pads_of_a_side_of_pooling(fields: str, top: str) -> None:
    layer = last(one_layer("Pooling", "1x2x10x10", f"pooling_param {{ {fields} }}"))
    assert tops(layer) == top
    assert not layer.doubts


def test_different_pads_are_predicted_as_an_equal_layer() -> None:
    even = layer_of(case("k02_asymmetric_pad_conv"), "conv").configuration
    assert even is not None
    assert (even.in_height, even.pad_height, even.pad_width) == (224, 1, 1)
    options = "convolution_param { num_output: 4 kernel_size: 2 pad_r: 1 pad_b: 1 }"
    padded = last(one_layer("Convolution", "1x3x8x8", options)).configuration
    assert padded is not None
    assert (padded.in_height, padded.pad_height, padded.out_height) == (9, 0, 8)


# ------------------------------------------------------------------------------------- other forks


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


# ----------------------------------------------------------------------------------------- data

DATA = [
    ("Data", "data_param { batch_size: 2 } transform_param { crop_size: 64 }", "2x3x64x64 2"),
    ("Data", "data_param { batch_size: 2 } transform_param { crop_h: 32 crop_w: 64 }",
     "2x3x32x64 2"),
    ("Data", "data_param { batch_size: 2 source: 'x/mnist_train_lmdb' }", "2x1x28x28 2"),
    ("Data", "data_param { batch_size: 2 source: 'cifar10_test' }", "2x3x32x32 2"),
    ("Data", "data_param { batch_size: 2 source: 'mnist_siamese_train_leveldb' }", "2x2x28x28 2"),
    ("Data", "data_param { batch_size: 2 } transform_param { resize_param { height: 9 width: 8 } }",
     "2x3x9x8 2"),
    ("ImageData", "image_data_param { batch_size: 2 new_height: 9 new_width: 8 is_color: false }",
     "2x1x9x8 2"),
    ("ImageData", "image_data_param { batch_size: 2 } transform_param { crop_size: 9 }",
     "2x3x9x9 2"),
    ("WindowData", "window_data_param { batch_size: 2 } transform_param { crop_size: 9 }",
     "2x3x9x9 2"),
    ("DenseImageData", "dense_image_data_param { batch_size: 2 new_height: 9 new_width: 8 }",
     "2x3x9x8 2x1x9x8"),
    ("ImageSegData", "image_data_param { batch_size: 2 label_type: PIXEL } "
     "transform_param { crop_size: 9 }", "2x3x9x9 2x1x9x9"),
    ("AnnotatedData", "data_param { batch_size: 2 } transform_param { resize_param { "
     "height: 9 width: 8 resize_mode: FIT_LARGE_SIZE_AND_PAD } }", "2x3x9x8 1x1x1x8"),
    ("VideoData", "video_data_param { batch_size: 2 new_length: 5 num_segments: 3 "
     "new_height: 256 new_width: 340 modality: FLOW } transform_param { crop_size: 224 }",
     "2x30x224x224 2"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "options", "shapes"), DATA)
def test_sizes_of_data_that_the_file_gives(kind: str, options: str, shapes: str) -> None:
    layer = last(f'layer {{ name: "d" type: "{kind}" top: "a" top: "b" {options} }}')
    assert tops(layer) == shapes
    assert not layer.doubts
    text = f'layer {{ type: "{kind}" top: "a" top: "b" {options} }}'
    given = last(text, data_shape=(30 if kind == "VideoData" else 4, 999, 998))
    assert given.top_shapes[0] is not None
    assert given.top_shapes[0][1] in (4, 30)
    assert given.assumed == ()


def test_sizes_that_the_file_does_not_tell_stay_unknown() -> None:
    for kind in ("Data", "AnnotatedData", "DenseImageData", "HDF5Data", "ImageData"):
        layer = last(f'layer {{ type: "{kind}" top: "a" top: "b" }}')
        assert not layer.known
        assert "-shape" in layer.note


ROI_TOPS = ["data", "rois", "labels", "bbox_targets", "bbox_inside_weights"]


def test_data_of_fast_rcnn() -> None:
    names = " ".join(f'top: "{name}"' for name in ROI_TOPS)
    python = "python_param { module: 'roi_data_layer.layer' layer: 'RoIDataLayer' "
    python += "param_str: \"'num_classes': 5\" }"
    layer = last(f'layer {{ name: "d" type: "Python" {names} {python} }}')
    assert tops(layer) == "2x3x600x1000 1x5 1 1x20 1x20"


def test_data_of_fcn() -> None:
    python = "python_param { module: 'siftflow_layers' layer: 'SIFTFlowSegDataLayer' }"
    text = f'layer {{ type: "Python" top: "data" top: "sem" top: "geo" {python} }}'
    assert tops(last(text)) == "1x3x256x256 1x1x256x256 1x1x256x256"
    assert tops(last(text, data_shape=(3, 9, 8))) == "1x3x9x8 1x1x9x8 1x1x9x8"
    assert last(text).assumed


def test_proposal_targets() -> None:
    python = "python_param { module: 'rpn.proposal_target_layer' layer: 'ProposalTargetLayer' "
    python += "param_str: \"'num_classes': 4\" }"
    assert tops(last(one_layer("Python", "1x5 1x5", python, 5))) == "1x5 1x1 1x16 1x16 1x16"


def test_anchors_of_other_scales() -> None:
    python = "python_param { module: 'rpn.anchor_target_layer' layer: 'AnchorTargetLayer' "
    python += "param_str: \"'scales': !!python/tuple [4, 8, 16, 32]\" }"
    text = one_layer("Python", "1x24x5x6 1x5 1x3", python, 4)
    assert tops(last(text)) == "1x1x60x6 1x48x5x6 1x48x5x6 1x48x5x6"


#: Data layers of unknown types: type, tops, parameters, what is given: shapes of the tops.
UNKNOWN_DATA = [
    ("TripletData", "data label", "transform_param { crop_size: 9 } data_param { batch_size: 8 }",
     "", "8x3x9x9 8"),
    ("TripletData", "anchor positive negative label", "transform_param { crop_size: 9 }",
     "", "1x3x9x9 1x3x9x9 1x3x9x9 1"),
    ("BoxData", "data label", "transform_param { crop_size: 9 } box_data_param { batch_size: 8 }",
     "", "1x3x9x9 1"),
    ("MultiLabelData", "data label", "data_param { batch_size: 8 crop_size: 9 }", "",
     "8x3x9x9 8"),
    ("MyImages", "data label", "image_data_param { batch_size: 4 new_height: 6 new_width: 8 "
     "is_color: false }", "", "4x1x6x8 4"),
    ("Reader", "blob", "transform_param { crop_size: 9 force_gray: true }", "", "1x1x9x9"),
    ("SegData", "data", "data_param { batch_size: 2 }", "3x7x7", "2x3x7x7"),
    ("SegData", "data", "transform_param { crop_size: 5 }", "3x7x7", "1x3x5x5"),
    ("Data", "data label", "data_param { batch_size: 8 crop_size: 9 }", "", "8x3x9x9 8"),
    ("Data", "data label", "data_param { batch_size: 8 crop_size: 9 }", "3x10x10", "8x3x10x10 8"),
    ("Data", "data label", "data_param { source: 'mnist' batch_size: 8 crop_size: 9 }", "",
     "8x1x28x28 8"),
    ("ImageData", "data label", "image_data_param { batch_size: 8 crop_size: 9 }", "",
     "8x3x9x9 8"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "names", "options", "item", "shapes"), UNKNOWN_DATA)
def test_data_layers_have_sensible_shapes(
    kind: str, names: str, options: str, item: str, shapes: str
) -> None:
    named = " ".join(f'top: "{name}"' for name in names.split())
    text = f'layer {{ name: "d" type: "{kind}" {named} {options} }}'
    size = tuple(map(int, item.split("x"))) if item else None
    layer = parse_network(text, data_shape=size).layers[0]
    assert tops(layer) == shapes
    assert layer.known
    assert layer.type == kind
    assert "no computation" in layer.note
    assert item or layer.assumed


def test_data_that_cannot_be_known_say_how_to_give_them() -> None:
    layer = last('layer { type: "SegData" top: "data" top: "label" data_param { batch_size: 2 } }')
    assert not layer.known
    assert "'SegData' is unknown: give --data-shape CxHxW or --blob-shape" in layer.note
    layer = last(
        'layer { type: "RoiData" top: "data" top: "rois" transform_param { crop_size: 9 } }'
    )
    assert not layer.known
    assert tops(layer) == "1x3x9x9 ?"
    assert "give --blob-shape of rois" in layer.note
    text = 'layer { type: "TripletData" top: "data" transform_param { crop_size: 9 } }'
    with pytest.raises(InputError, match=r"not known|unknown layer type"):
        parse_network(text, strict=True)
    with pytest.raises(InputError, match="unknown layer type"):
        parse_network(text, known_types=True)


# ----------------------------------------------------------------------- unknown fields and values

MATTER = [
    ("Convolution", "convolution_param { num_output: 2 kernel_size: 3 strid: 2 }", "stride"),
    ("Convolution", "convolution_param { num_output: 2 kernel_size: 3 groups: 2 }", "group"),
    ("Convolution", "convolution_param { num_output: 2 kernel_size: 3 bias: false }", ""),
    ("Convolution", "convolution_param { num_output: 2 kernel_size: 3 use_bias: false }", ""),
    ("Convolution", "convolution_param { num_output: 2 kernel_size: 3 } convolutin_param { }",
     "convolution_param"),
    ("Pooling", "pooling_param { kernel_size: 3 ceil: false }", ""),
    ("Pooling", "pooling_param { kernel_size: 3 pool: MEDIAN }", ""),
    ("Concat", "concat_param { axs: 2 }", "axis"),
    ("LRN", "lrn_param { local_sise: 3 }", "local_size"),
    ("InnerProduct", "inner_product_param { num_output: 2 bias_trem: false }", "bias_term"),
    ("Flatten", "flatten_param { end_axs: 2 }", "end_axis"),
    ("BatchNorm", "batch_norm_param { use_global: true }", "use_global_stats"),
    ("BatchNorm", "batch_norm_param { use_global_statistics: true }", "use_global_stats"),
    ("BatchNorm", "batch_norm_param { epss: 1 }", "eps"),
    ("BatchNorm", "batch_norm_params { eps: 1 }", "batch_norm_param"),
    ("ReLU", "relu_param { negative_slop: 1 }", "negative_slope"),
    ("ELU", "elu_param { alpa: 1 }", "alpha"),
    ("Power", "power_param { pwer: 1 }", "power"),
    ("Dropout", "dropout_param { dropout_ration: 0.5 }", "dropout_ratio"),
    ("Softmax", "softmax_param { axs: 2 }", "axis"),
    ("Eltwise", "eltwise_parms { operation: PROD }", "eltwise_param"),
    ("Scale", "scale_param { bias_trem: true }", "bias_term"),
    ("MVN", "mvn_param { across_chanels: true }", "across_channels"),
    ("Normalize", "norm_param { across_spacial: true }", "across_spatial"),
    ("Accuracy", "accuracy_param { topk: 5 }", "top_k"),
    ("Python", "python_param { layr: 'X' }", "layer"),
    ("ROIAlign", "roialign_param { pooled_h: 7 }", "roi_align_param"),
    ("Pooling3D", "pooling3d_param { kernel_size: 2 }", "pooling_param"),
    ("ReLU", "includ { phase: TRAIN }", "include"),
    ("ReLU", "include { phse: TEST }", "phase"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "options", "likely"), MATTER)
def test_unknown_fields_make_a_layer_not_sure(kind: str, options: str, likely: str) -> None:
    text = one_layer(kind, "1x3x8x8", options)
    network = parse_network(text, path="net.prototxt")
    layer = network.layers[-1]
    assert layer.note.startswith("not sure: unknown ")
    assert (f"(is it {likely}?)" in layer.note) == bool(likely)
    assert network.warnings[0].startswith("net.prototxt:2: not sure: unknown ")
    assert network.coverage()["layers_not_sure"] == 1
    with pytest.raises(InputError, match=r"net\.prototxt:2:"):
        parse_network(text, path="net.prototxt", strict=True)


#: Fields that change neither shapes nor work nor results at inference, and those of data layers
#: that are no sizes: the only ones that may be misspelt without a mark.
FORGIVEN = re.compile(
    r"(FillerParameter|ParamSpec|LossParameter|BlobProto|HDF5OutputParameter|HingeLossParameter"
    r"|InfogainLossParameter|ContrastiveLossParameter|ClassesParameter|CenterParameter)\..*"
    r"|\w*(Data|Transformation|Resize|Augmentation)Parameter\."
    r"(?!batch|crop_(?!mode)|new|height|width|channels|is_color|resize_param|resize_mode).*"
    r"|.*\.(\w*filler|engine|blobs_lr|weight_decay|\w*loss\w*|propagate_down|name|debug_info"
    r"|force_backward|force_nd_im2col|share_in_parallel|per_fla_fuse|stable_prod_grad"
    r"|hdf5_output_param|relu|out_pad)"
)
#: Shorter fields have too little in them to say what was meant.
SHORT = 4


def slips(name: str) -> list[str]:
    """A name with a letter less, one more, two changed over, and without its underscores."""
    return [name[:-1], f"{name}s", f"{name[0]}{name[2]}{name[1]}{name[3:]}", name.replace("_", "")]


@pytest.mark.parametrize("kind", sorted(caffe_pb2.DESCRIPTOR.message_types_by_name))
def test_no_slip_in_a_field_that_counts_is_forgiven(kind: str) -> None:
    message = caffe_pb2.DESCRIPTOR.message_types_by_name[kind]
    known = field_table(message)
    for name in known:
        if len(name) < SHORT or FORGIVEN.fullmatch(f"{kind}.{name}"):
            continue
        for slip in set(slips(name)) - set(known):
            assert matters(kind, slip, known, fork=kind in fork_messages()), slip


HARMLESS = [
    ("Convolution", "convolution_param { num_output: 2 kernel_size: 3 weight_fillr { std: 1 } }"),
    ("Convolution", "convolution_param { num_output: 2 kernel_size: 3 engine: MKL2017 }"),
    ("Convolution", "convolution_param { num_output: 2 kernel_size: 3 cudnn_convolution_algo: 1 }"),
    ("Convolution", "convolution_param { num_output: 2 kernel_size: 3 } blobs_lr: 1 blobs_lr: 2"),
    ("Convolution", "convolution_param { num_output: 2 kernel_size: 3 weight_filler { vale: 1 } }"),
    ("Convolution", "convolution_param { num_output: 2 kernel_size: 3 } quantization_param {}"),
    ("Convolution", "convolution_param { num_output: 2 kernel_size: 3 } param { lr_mul: 1 }"),
    ("Dropout", "dropout_param { dropout_ratio: 0.5 scale_train: false }"),
    ("BatchNorm", "batch_norm_param { update_global_stats: true engine: CAFFE }"),
    ("Data", "data_param { batch_size: 2 prefetch_count: 2 } transform_param { crop_size: 4 "
     "max_rotation_angle: 3 }"),
    ("SoftmaxWithLoss", "loss_param { weight_by_label_freqs: true class_weighting: 2 }"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "options"), HARMLESS)
def test_harmless_unknown_fields_are_passed_over(kind: str, options: str) -> None:
    network = parse_network(one_layer(kind, "" if kind == "Data" else "1x3x8x8", options))
    assert network.layers[-1].doubts == ()
    assert not [line for line in network.warnings if "not sure" in line]


def test_a_misspelt_size_of_data_matters() -> None:
    layer = last('layer { type: "Data" top: "a" data_param { batch_sise: 2 } '
                 "transform_param { crop_size: 9 crop_hight: 2 } }")  # fmt: skip
    assert len(layer.doubts) == 2


def test_doubts_of_one_kind_are_one_line() -> None:
    layer = 'layer { name: "r%d" type: "ReLU" bottom: "b0" top: "t%d" odd: 1 }\n'
    network = parse_network(one_layer("ReLU", "2") + "".join(layer % (i, i) for i in range(1, 40)))
    assert len(network.warnings) == 1
    assert network.warnings[0].endswith("(layer 'r1' and 38 more)")


def test_faults_of_input_fields_name_their_line() -> None:
    text = 'name: "n"\ninput: "x"\ninput_dim: 1 input_dim: -3 input_dim: 4 input_dim: 4\n'
    with pytest.raises(InputError, match=r"f:3: .*negative size"):
        parse_network(text, path="f", strict=True)
    with pytest.raises(InputError, match=r"f:2: unknown V0 layer type 'foo'"):
        parse_network('\nlayers { layer { type: "foo" } }', path="f")


# ------------------------------------------------------------------------------- weights of losses

INPUTS = (
    'layer { name: "i" type: "Input" top: "a" top: "label" top: "other" '
    "input_param { shape { dim: 2 dim: 5 } shape { dim: 2 } shape { dim: 2 dim: 5 } } }\n"
)


def strict_refusal(text: str) -> str:
    try:
        parse_network(INPUTS + text, strict=True)
    except InputError as error:
        return str(error)
    return ""


def test_weights_move_to_a_split() -> None:
    # A top that is used elsewhere gets a Split, which takes the weights: their number is not
    # checked any more.
    loss = 'layer { name: "s" type: "HingeLoss" bottom: "a" bottom: "label" top: "l" '
    loss += "loss_weight: 1 loss_weight: 2 }\n"
    assert "loss_weight is given 2 times" in strict_refusal(loss)
    assert strict_refusal(loss + 'layer { name: "r" type: "ReLU" bottom: "l" top: "m" }') == ""


def test_a_weight_on_an_empty_top_is_refused() -> None:
    text = 'layer { name: "e" type: "Input" top: "e" loss_weight: 1 '
    text += "input_param { shape { dim: 0 } } }"
    assert "empty top" in strict_refusal(text)
    assert strict_refusal(text.replace("loss_weight: 1", "loss_weight: 0")) == ""


IN_PLACE = [
    ("SoftmaxWithLoss", "label", True),
    ("InfogainLoss", "label", True),
    ("EuclideanLoss", "other", True),
    ("SigmoidCrossEntropyLoss", "other", True),
    ("HingeLoss", "label", False),
    ("MultinomialLogisticLoss", "label", False),
    ("Accuracy", "label", False),
]


@pytest.mark.parametrize(("kind", "second", "refused"), IN_PLACE)
def test_losses_in_place(kind: str, second: str, refused: bool) -> None:
    text = f'layer {{ name: "s" type: "{kind}" bottom: "a" bottom: "{second}" top: "a" }}'
    assert ("in place" in strict_refusal(text)) == refused


def test_a_field_given_twice_in_a_layer_takes_the_last_value() -> None:
    options = "convolution_param { num_output: 4 kernel_size: 3 bias_term: true bias_term: false }"
    layer = last(one_layer("Convolution", "1x3x8x8", options))
    assert layer.params == 108
    assert layer.note == "not sure: field bias_term of ConvolutionParameter given twice"
    blocks = "relu_param { negative_slope: 0.1 } relu_param { negative_slope: 0.2 }"
    assert last(one_layer("ReLU", "2", blocks)).param.relu_param.negative_slope == pytest.approx(
        0.2
    )
    with pytest.raises(InputError, match="'bias_term' is given twice"):
        parse_network(one_layer("Convolution", "1x3x8x8", options), strict=True)


def test_a_quoted_type_of_v1_is_read() -> None:
    text = 'input: "a" input_dim: [1, 3, 4, 4] layers { name: "r" type: "%s" bottom: "a" top: "b" }'
    for kind in ("RELU", "ReLU"):
        assert tops(last(text % kind)) == "1x3x4x4"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "no network"),
        ("# nothing\n", "no network"),
        ('net: "a.prototxt"\nbase_lr: 0.1\nlr_policy: "step"', "settings of a solver"),
    ],
)
def test_a_file_without_layers_says_what_it_is(text: str, what: str) -> None:
    (line,) = parse_network(text, path="f").warnings
    assert line.startswith(f"f: no layers: this is {what}")
