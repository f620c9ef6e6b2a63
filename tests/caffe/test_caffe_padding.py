"""Padding and dilation under every name that forks give them, of each side and axis."""

from __future__ import annotations

import pytest
from caffe_texts import case, last, layer_of, one_layer, tops


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
