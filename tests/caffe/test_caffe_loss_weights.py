"""Weights of losses, layers that work in place, and fields given twice."""

from __future__ import annotations

import pytest
from caffe_texts import last, one_layer, tops

from neuralpower.caffe.network import parse_network
from neuralpower.core.errors import InputError

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
