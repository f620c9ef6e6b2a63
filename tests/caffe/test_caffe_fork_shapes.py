"""Tops, parameters and work of layer types of forks, worked out by hand from what each computes."""

from __future__ import annotations

import pytest
from caffe_texts import last, one_layer, tops

#: type, bottoms, options, number of tops: tops, parameters, multiply-accumulates.
LAYERS = [
    ("Interp", "1x3x9x13 1x1x5x4", "", 1, "1x3x5x4", 0, 240),
    ("Interp", "1x3x9x13", "interp_param { full_zoom_factor: 2 }", 1, "1x3x18x26", 0, 5616),
    ("Interp", "1x3x9x13", "interp_param { full_zoom_factor: 2 height: 5 width: 6 }", 1,
     "1x3x5x6", 0, 360),
    ("Interp", "1x3x9x13", "interp_param { shrink_factor: 2 }", 1, "1x3x5x7", 0, 420),
    ("Interp", "1x3x9x13", "interp_param { zoom_factor: 3 }", 1, "1x3x25x37", 0, 11100),
    ("Interp", "1x3x9x13", "interp_param { shrink_factor: 4 zoom_factor: 2 }", 1,
     "1x3x5x7", 0, 420),
    ("Interp", "1x3x9x13", "interp_param { pad_beg: -1 pad_end: -1 zoom_factor: 2 }", 1,
     "1x3x13x21", 0, 3276),
    ("Resize", "1x3x8x6", "resize_param { height: 4 width: 5 }", 1, "1x3x4x5", 0, 240),
    ("ResizeNearestNeighbor", "1x3x8x6 1x1x4x5", "", 1, "1x3x4x5", 0, 0),
    ("Resample", "1x3x8x6", "resample_param { factor: 0.5 }", 1, "1x3x4x3", 0, 144),
    ("Upsample", "1x3x8x6", "upsample_param { scale: 2 }", 1, "1x3x16x12", 0, 0),
    ("Upsample", "1x3x8x6", "upsample_param { scale: 2 pad_out_h: true pad_out_w: true }", 1,
     "1x3x15x11", 0, 0),
    ("Upsample", "1x3x8x6", "upsample_param { upsample_h: 15 upsample_w: 11 scale: 2 }", 1,
     "1x3x15x11", 0, 0),
    ("UpsampleDarknet", "1x3x8x6", "upsample_darknet_param { stride: 3 }", 1, "1x3x24x18", 0, 0),
    ("UpsampleDarknet", "1x3x8x6", "", 1, "1x3x8x6", 0, 0),
    ("Pad", "1x3x8x6", "pad_param { paddings: [0, 0, 0, 1, 2, 3, 4, 5] }", 1, "1x4x13x15", 0, 0),
    ("Pad", "1x3x8x6", "pad_param { pad_t: 1 pad_b: 2 pad_l: 3 pad_r: 5 }", 1, "1x3x11x14", 0, 0),
    ("Pad", "1x3x8x6", "pad_param { pad_h: 1 pad_w: 2 }", 1, "1x3x10x10", 0, 0),
    ("Pad", "1x3x8x6", "pad_param { pad_beg: 1 pad_end: 3 }", 1, "1x3x12x10", 0, 0),
    ("CropCenter", "1x3x8x6", "crop_center_param { crop_h: 8 crop_w: 6 }", 1, "1x3x8x6", 0, 0),
    ("Reorg", "1x3x8x6", "reorg_param { stride: 2 }", 1, "1x12x4x3", 0, 0),
    ("Reorg", "1x12x4x3", "reorg_param { stride: 2 reverse: true }", 1, "1x3x8x6", 0, 0),
    ("SpaceToDepth", "1x3x8x6", "space_to_depth_param { block_size: 2 }", 1, "1x12x4x3", 0, 0),
    ("PixelShuffle", "1x12x4x3", "pixel_shuffle_param { upscale_factor: 2 }", 1, "1x3x8x6", 0, 0),
    ("SpatialTransformer", "1x3x8x6 1x6", "st_param { output_H: 4 output_W: 5 }", 1,
     "1x3x4x5", 0, 240),
    ("SpatialTransformer", "1x3x8x6 1x6", "", 1, "1x3x8x6", 0, 576),
    ("FlowWarp", "1x3x8x6 1x2x8x6", "", 1, "1x3x8x6", 0, 576),
    ("Correlation", "1x8x12x10 1x8x12x10",
     "correlation_param { pad: 4 kernel_size: 3 max_displacement: 3 stride_1: 2 stride_2: 1 }", 1,
     "1x49x6x5", 0, 49 * 30 * 9 * 8),
    ("Correlation1D", "1x8x12x10 1x8x12x10",
     "correlation_param { pad: 4 kernel_size: 1 max_displacement: 4 stride_2: 2 }", 1,
     "1x5x12x10", 0, 5 * 120 * 8),
    ("Correlation1D", "1x8x12x10 1x8x12x10",
     "correlation_param { pad: 4 kernel_size: 3 max_displacement: 3 single_direction: 1 }", 1,
     "1x4x10x10", 0, 4 * 100 * 9 * 8),
    ("Stack", "2x3 2x3 2x3", "stack_param { axis: 1 }", 1, "2x3x3", 0, 0),
    ("Stack", "2x5 2x5 2x5", "stack_param { axis: 2 }", 1, "2x5x3", 0, 0),
    ("Stack", "2x5 2x5 2x5", "", 1, "3x2x5", 0, 0),
    ("ExpandDims", "5x7", "expand_dims_param { axis: -1 }", 1, "5x7x1", 0, 0),
    ("BatchRenorm", "2x3x4x5", "", 1, "2x3x4x5", 7, 120),
    ("SyncBN", "2x3x4x5", "", 1, "2x3x4x5", 7, 120),
    ("BN", "2x3x4x5", "", 1, "2x3x4x5", 12, 120),
    ("BN", "2x3x4x5", "bn_param { scale_filler { value: 1 } }", 1, "2x3x4x5", 6, 120),
    ("ChannelNorm", "2x3x4x5", "", 1, "2x1x4x5", 0, 120),
    ("Normalize", "2x3x4x5", "norm_param { channel_shared: false }", 2, "2x3x4x5 2x1x4x5", 3, 240),
    ("Normalize", "2x3x4x5", "norm_param { channel_shared: true }", 1, "2x3x4x5", 1, 240),
    ("Axpy", "2x3x1x1 2x3x4x5 2x3x4x5", "", 1, "2x3x4x5", 0, 120),
    ("Mul", "2x3x4x5 2x3x1x1 5", "", 1, "2x3x4x5", 0, 240),
    ("Add", "2x3x4x5 5", "", 1, "2x3x4x5", 0, 0),
    ("ChannelwiseScale", "2x3x1x1 2x3x4x5", "", 1, "2x3x4x5", 0, 120),
    ("ArcFace", "4x10 4", "", 2, "4x10 1", 0, 0),
    ("ArcFace", "4x10 4", "", 1, "4x10", 0, 0),
    ("CenterLoss", "4x6 4", "center_loss_param { num_output: 5 }", 1, "scalar", 30, 24),
    ("SoftmaxWithLossOHEM", "4x6x3x2 4x1x3x2", "", 3, "scalar 4x6x3x2 4x1x3x2", 0, 0),
    ("SmoothL1LossOHEM", "4x6x3x2 4x6x3x2", "", 3, "scalar 4x1x3x2 4x1x3x2", 0, 0),
    ("BoxAnnotatorOHEM", "4x5 7x1x1x1 7x1 7x1 7x8x1x1", "", 2, "7x1x1x1 7x8x1x1", 0, 0),
    ("SegAccuracy", "1x21x5x5 1x1x5x5", "", 1, "1x1x1x3", 0, 0),
    ("ROIPooling", "1x8x9x9 5x5", "roi_pooling_param { pooled_h: 7 pooled_w: 6 }", 1,
     "5x8x7x6", 0, 0),
    ("ROIAlign", "1x8x9x9 5x5", "roi_pooling_param { pooled_h: 7 pooled_w: 6 }", 1,
     "5x8x7x6", 0, 6720),
    ("PSROIPooling", "1x18x9x9 5x5", "psroi_pooling_param { output_dim: 2 group_size: 3 }", 1,
     "5x2x3x3", 0, 0),
    ("ProposalTarget", "9x5 4x5", "proposal_target_param { cls_num: 3 batch_size: 6 }", 7,
     "6x5x1x1 6x1x1x1 6x8x1x1 6x8x1x1 6x8x1x1 6x6x1x1 6x1x1x1", 0, 0),
    ("ProposalTarget", "9x5 4x5",
     "proposal_target_param { cls_num: 3 } bbox_reg_param { cls_aware: true }", 3,
     "9x5x1x1 9x1x1x1 9x12x1x1", 0, 0),
    ("BoxOutput", "1x8x9x9 1x4x9x9", "", 2, "1x5x1x1 1x6x1x1", 0, 0),
    ("DenseCRF", "1x21x5x5 1x3x5x5", "", 1, "1x21x5x5", 0, 0),
    ("DenseImageData", "", 'dense_image_data_param { source: "x" batch_size: 4 crop_height: 6 '
     'crop_width: 8 new_height: 9 new_width: 10 }', 2, "4x3x6x8 4x1x6x8", 0, 0),
    ("VideoData", "", 'image_data_param { source: "x" batch_size: 4 new_length: 16 '
     'new_height: 9 new_width: 10 } transform_param { crop_size: 7 }', 2, "4x3x16x7x7 4", 0, 0),
    ("VideoData", "", 'video_data_param { source: "x" batch_size: 4 new_length: 5 num_segments: 3 '
     'modality: FLOW new_height: 9 new_width: 10 }', 1, "4x30x9x10", 0, 0),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "bottoms", "options", "n_tops", "out", "params", "macs"), LAYERS)
def test_what_a_layer_gives_and_costs(
    kind: str, bottoms: str, options: str, n_tops: int, out: str, params: int, macs: int
) -> None:
    layer = last(one_layer(kind, bottoms, options, tops=n_tops))
    assert (tops(layer), layer.params, layer.macs) == (out, params, macs)


#: Sizes that only data decide, or that are missing, are asked for and never guessed.
UNKNOWN = [
    ("Interp", "1x3x9x13", "", "height and width, or a factor, must be given"),
    ("Resize", "1x3x9x13", "", "the sizes of the output, or a factor, must be given"),
    ("Resize", "1x3x9x13", "resize_param { prob: 1 }", "the sizes of the output, or a factor"),
    ("CropCenter", "1x3x9x13", "", "the size of the crop must be given"),
]


@pytest.mark.parametrize(("kind", "bottoms", "options", "reason"), UNKNOWN)
def test_sizes_that_are_not_given_are_asked_for(
    kind: str, bottoms: str, options: str, reason: str
) -> None:
    layer = last(one_layer(kind, bottoms, options))
    assert reason in layer.note


#: type, bottoms, what is just allowed, what is just not, and what is said of it.
LIMITS = [
    ("CropCenter", "1x3x8x6", "crop_center_param { crop_h: 8 crop_w: 6 }",
     "crop_center_param { crop_h: 9 crop_w: 6 }", "the crop is larger than the image"),
    ("CropCenter", "1x3x8x6", "crop_center_param { crop_h: 8 crop_w: 6 }",
     "crop_center_param { crop_h: 8 crop_w: 7 }", "the crop is larger than the image"),
    ("Reorg", "1x3x8x6", "reorg_param { stride: 2 }", "reorg_param { stride: 4 }",
     "8x6 does not divide by the stride 4"),
    ("Reorg", "1x3x6x8", "reorg_param { stride: 2 }", "reorg_param { stride: 4 }",
     "6x8 does not divide by the stride 4"),
    ("PixelShuffle", "1x12x4x3", "pixel_shuffle_param { upscale_factor: 2 }",
     "pixel_shuffle_param { upscale_factor: 4 }", "12 channels do not divide by 4^2"),
    ("Stack", "2x3 2x3", "stack_param { axis: 2 }", "stack_param { axis: 3 }",
     "axis 3 is out of range"),
    ("Stack", "2x3 2x3", "stack_param { axis: 0 }", "stack_param { axis: -1 }",
     "axis -1 is out of range"),
    ("ExpandDims", "2x3", "expand_dims_param { axis: 2 }", "expand_dims_param { axis: 3 }",
     "axis 3 is out of range"),
    ("ExpandDims", "2x3", "expand_dims_param { axis: -3 }", "expand_dims_param { axis: -4 }",
     "axis -4 is out of range"),
    ("Interp", "1x3x9x9", "interp_param { shrink_factor: 1 }",
     "interp_param { shrink_factor: 0 }", "factors must be positive"),
    ("Correlation", "1x3x9x9 1x3x9x9", "correlation_param { kernel_size: 1 max_displacement: 4 }",
     "correlation_param { kernel_size: 1 max_displacement: 5 }",
     "the images are too small for the displacements"),
    ("Correlation", "1x3x9x9 1x3x9x9", "correlation_param { kernel_size: 3 max_displacement: 1 }",
     "correlation_param { kernel_size: 2 max_displacement: 1 }",
     "an odd kernel_size and positive strides are needed"),
    ("ShuffleChannel", "1x6x2x2", "shuffle_channel_param { group: 3 }",
     "shuffle_channel_param { group: 4 }", "6 channels do not divide into 4"),
    ("Resample", "1x3x9x9", "resample_param { factor: 0.2 }", "resample_param { factor: 0.1 }",
     "the output sizes must be positive"),
    ("DetectionEvaluate", "1x1x1x7 1x1x1x8", "detection_evaluate_param { num_classes: 1 }",
     "detection_evaluate_param { num_classes: 0 }", "num_classes must be given"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "bottoms", "allowed", "refused", "reason"), LIMITS)
def test_a_limit_is_kept_to_from_both_sides(
    kind: str, bottoms: str, allowed: str, refused: str, reason: str
) -> None:
    assert None not in last(one_layer(kind, bottoms, allowed)).top_shapes
    assert reason in last(one_layer(kind, bottoms, refused)).note


def test_bottoms_that_do_not_fit_are_refused() -> None:
    for kind, bottoms, reason in (
        ("Add", "2x3x4 2x3x5", "the bottoms do not fit together"),
        ("Stack", "2x3 3x2", "all bottoms must have one shape"),
        ("Axpy", "2x3x1x1 2x3x4x5 2x3x4x6", "2x3x4x5 and 2x3x4x6 differ"),
        ("Axpy", "2x4x1x1 2x3x4x5 2x3x4x5", "2x4x1x1 is not one number per channel"),
        ("Axpy", "2x3x1x2 2x3x4x5 2x3x4x5", "2x3x1x2 has spatial sizes"),
        ("Correlation", "1x3x9x9 1x3x9x8", "both bottoms must have one shape"),
    ):
        assert reason in last(one_layer(kind, bottoms)).note, kind
