"""Small files (``cases/``, written for this project), each of a kind of fault, read right."""

from __future__ import annotations

import pytest
from caffe_texts import case, last, layer_of, one_layer, tops

from neuralpower.caffe.network import parse_network
from neuralpower.core.errors import InputError

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


TYPO = """input: "data" input_shape { dim: 1 dim: 3 dim: 8 dim: 8 }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 8 kernel_size: 3 } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1"
  pooling_param { kernel_size: 2 } }
layer { name: "fc" type: "InnerProduct" bottom: "pool1" top: "fc"
  inner_product_param { num_output: 5 } }
layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }
"""


@pytest.mark.parametrize(
    ("old", "new", "line", "root", "why"),
    [
        ("num_output: 8 kernel_size", "num_output: 8 kernal_size", 2, "conv1",
         "kernel_size is given 0 times: once or 2 times (the spatial axes) is needed"),
        ('bottom: "pool1"', 'bottom: "pol1"', 7, "fc",
         "the shape of bottom 'pol1' is unknown: it comes from outside, give --blob-shape (or is "
         "it 'pool1'?)"),
    ],
)  # fmt: skip
def test_a_slip_is_said_once_with_its_line_and_layers_after_it_name_it(
    old: str, new: str, line: int, root: str, why: str
) -> None:
    network = parse_network(TYPO.replace(old, new), path="net")
    said = [text for text in network.warnings if "shape unknown" in text]
    assert said == [f"net:{line}: shape unknown from here on: {why} (layer '{root}')"]
    later = [layer for layer in network.layers if not layer.known and layer.name != root]
    assert later
    for layer in later:
        assert layer.note == (
            f"shape unknown: the shape of bottom '{layer.bottoms[0]}' is unknown: layer '{root}' "
            "has none"
        )


def test_a_blob_that_a_layer_makes_does_not_come_from_outside() -> None:
    text = one_layer("Odd", "1x3x4x4").replace('top: "t0"', 'top: "b0" top: "c"')
    note = last(text + 'layer { name: "r" type: "ReLU" bottom: "b0" top: "y" }').note
    assert "outside" not in note
    assert "layer 'x' has none" in note
