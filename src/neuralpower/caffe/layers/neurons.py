"""Layers that work on every element by itself and keep the shape."""

from __future__ import annotations

from neuralpower.caffe.fillers import check_filler
from neuralpower.caffe.registry import Setup, layer_type
from neuralpower.caffe.shapes import Shape, check, count


@layer_type("BNLL", "ELU", "Swish", "Threshold", "Clip")
def neuron(setup: Setup) -> list[Shape]:
    """The shape of the bottom; nothing to learn."""
    return [setup.bottom]


@layer_type("Sigmoid", engine="sigmoid_param")
def sigmoid(setup: Setup) -> list[Shape]:
    """The shape of the bottom."""
    return [setup.bottom]


@layer_type("TanH", engine="tanh_param")
def tanh(setup: Setup) -> list[Shape]:
    """The shape of the bottom."""
    return [setup.bottom]


@layer_type("AbsVal", in_place=False)
def absolute_value(setup: Setup) -> list[Shape]:
    """The shape of the bottom; Caffe refuses it in place."""
    return [setup.bottom]


@layer_type("ReLU", engine="relu_param")
def relu(setup: Setup) -> list[Shape]:
    """The shape of the bottom; the leaky form multiplies."""
    if setup.param.relu_param.negative_slope:
        setup.macs = count(setup.bottom)
    return [setup.bottom]


@layer_type("Dropout")
def dropout(setup: Setup) -> list[Shape]:
    """The shape of the bottom; a copy in phase TEST, a product with the mask in TRAIN."""
    if setup.phase == "TRAIN":
        setup.macs = count(setup.bottom)
    return [setup.bottom]


@layer_type("Power")
def power(setup: Setup) -> list[Shape]:
    """(shift + scale x)^power: one multiply-accumulate an element where scale is not 1."""
    if setup.param.power_param.scale != 1:
        setup.macs = count(setup.bottom)
    return [setup.bottom]


@layer_type("Exp")
def exponential(setup: Setup) -> list[Shape]:
    """base^(shift + scale x)."""
    _check_base(setup, setup.param.exp_param.base)
    return [setup.bottom]


@layer_type("Log")
def logarithm(setup: Setup) -> list[Shape]:
    """The logarithm of shift + scale x."""
    _check_base(setup, setup.param.log_param.base)
    return [setup.bottom]


def _check_base(setup: Setup, base: float) -> None:
    setup.expect(base == -1 or base > 0, "the base must be positive, or -1 for e")


@layer_type("PReLU")
def prelu(setup: Setup) -> list[Shape]:
    """One learnt slope a channel, or one for all."""
    bottom = setup.bottom
    check(len(bottom) >= 2, "PReLU needs at least 2 axes")
    slope: Shape = () if setup.param.prelu_param.channel_shared else (bottom[1],)
    if setup.param.prelu_param.HasField("filler"):
        check_filler(setup, setup.param.prelu_param.filler, slope)
    else:
        setup.expect(count(slope) > 0, "the input has no channels")
    setup.expect(count(bottom, 1) > 0, "the input is empty")
    setup.params = [slope]
    setup.macs = count(bottom)
    return [bottom]
