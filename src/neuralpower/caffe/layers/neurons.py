"""Layers that work on every element by itself and keep the shape."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from neuralpower.caffe.caffe_pb2 import LayerParameter
from neuralpower.caffe.fillers import check_filler
from neuralpower.caffe.operation import Identity, LayerFacts, Operation, operation
from neuralpower.caffe.registry import Setup, layer_type
from neuralpower.caffe.shapes import Shape, check, count, shape_text


@layer_type("BNLL", "ELU", "Swish", "Threshold", "Clip")
def neuron(setup: Setup) -> list[Shape]:
    """The shape of the bottom; nothing to learn."""
    return [setup.bottom]


#: Types of forks that work on every element by itself.
_NAMES = (
    "ReLU6 ReLUX ReLUN LeakyReLU RReLU RandomizedReLU ThresholdedReLU CELU SELU SeLU "
    "SeLuDropout GELU Mish HardSwish Hswish HSwish H_Swish HSigmoid HardSigmoid Hsigmoid "
    "HardTanh Hardtanh SiLU Softplus SoftPlus Softsign SoftSign Sqrt Square Rsqrt Neg Negative "
    "Round Ceil Floor Sign Sin Cos Invert Flip Reverse Mirror Mean Quantize QuantizeRelu "
    "QuantReLU Noise GaussianNoise SpatialDropout DropBlock DropConnect DropPath "
    "StochasticDepth Copy Identity Pass Print Debug Cast GradientScaler GradientReversal Grl "
    "GRL StopGradient Abs BReLU Erf ChannelShuffle SoftmaxRistretto ReLURistretto LRNRistretto "
    "CoeffSchedule"
)
ELEMENTWISE = _NAMES.split()


@layer_type(*ELEMENTWISE, fork=True, plain=True)
def neuron_of_forks(setup: Setup) -> list[Shape]:
    """The shape of the bottom; nothing to learn."""
    return [setup.bottom]


@layer_type("CReLU", fork=True)
def concatenated_relu(setup: Setup) -> list[Shape]:
    """Positive and negative parts one after the other: twice the channels."""
    bottom = setup.bottom
    check(len(bottom) >= 2, "CReLU needs at least 2 axes")
    return [(bottom[0], 2 * bottom[1], *bottom[2:])]


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
    setup.expect(len(bottom) <= 4, f"PReLU takes at most 4 axes, not {shape_text(bottom)}")
    slope: Shape = () if setup.param.prelu_param.channel_shared else (bottom[1],)
    if setup.param.prelu_param.HasField("filler"):
        check_filler(setup, setup.param.prelu_param.filler, slope)
    else:
        setup.expect(count(slope) > 0, "the input has no channels")
    setup.expect(count(bottom, 1) > 0, "the input is empty")
    setup.params = [slope]
    setup.macs = count(bottom)
    return [bottom]


Function = Literal[
    "sigmoid", "tanh", "abs", "softplus", "mish", "hard_swish", "hard_sigmoid", "selu"
]


@dataclass(frozen=True, slots=True)
class Plain(Operation):
    """A function of each element that has no attributes.

    ``softplus``: log(1 + exp(x)); ``mish``: x tanh(softplus(x)) (Misra 2019); ``hard_sigmoid``:
    min(max(x + 3, 0), 6) / 6; ``hard_swish``: x times that (Howard et al. 2019); ``selu``:
    Klambauer et al. 2017.
    """

    function: Function


@dataclass(frozen=True, slots=True)
class ReLU(Operation):
    """max(0, x), or ``slope`` x below zero."""

    slope: float


class PReLU(Operation):
    """A learnt slope below zero: one per channel, or one for all."""


@dataclass(frozen=True, slots=True)
class ELU(Operation):
    """x, or ``alpha`` (exp(x) - 1) below zero."""

    alpha: float


@dataclass(frozen=True, slots=True)
class Swish(Operation):
    """x sigmoid(``beta`` x)."""

    beta: float


@dataclass(frozen=True, slots=True)
class Clip(Operation):
    """x held between ``low`` and ``high``."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Threshold(Operation):
    """1 where x exceeds ``level``, else 0."""

    level: float


@dataclass(frozen=True, slots=True)
class Affine(Operation):
    """Functions of scale x + shift."""

    scale: float
    shift: float


@dataclass(frozen=True, slots=True)
class Power(Affine):
    """(scale x + shift) ** ``power``."""

    power: float


@dataclass(frozen=True, slots=True)
class Exp(Affine):
    """exp(``log_base`` (scale x + shift))."""

    log_base: float


@dataclass(frozen=True, slots=True)
class Log(Affine):
    """log(scale x + shift) / ``log_base``."""

    log_base: float


_PLAIN: dict[str, Function] = {
    "Sigmoid": "sigmoid",
    "TanH": "tanh",
    "AbsVal": "abs",
    "BNLL": "softplus",
    "Softplus": "softplus",
    "SoftPlus": "softplus",
    "Mish": "mish",
    "HardSwish": "hard_swish",
    "HSwish": "hard_swish",
    "Hswish": "hard_swish",
    "HardSigmoid": "hard_sigmoid",
    "HSigmoid": "hard_sigmoid",
    "Hsigmoid": "hard_sigmoid",
    "SELU": "selu",
    "SeLU": "selu",
}


@operation(*_PLAIN)
def plain_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """A function without attributes."""
    return Plain(layer, _PLAIN[layer.type])


@operation("ReLU")
def relu_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """Leaky where ``negative_slope`` is given."""
    return ReLU(layer, param.relu_param.negative_slope)


@operation("PReLU", kinds="slope")
def prelu_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """The slopes are its parameter."""
    return PReLU(layer)


@operation("ELU")
def elu_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """Alpha."""
    return ELU(layer, param.elu_param.alpha)


@operation("Swish")
def swish_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """Beta."""
    return Swish(layer, param.swish_param.beta)


@operation("Clip")
def clip_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """Both ends."""
    return Clip(layer, param.clip_param.min, param.clip_param.max)


@operation("Threshold")
def threshold_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """The level."""
    return Threshold(layer, param.threshold_param.threshold)


@operation("Dropout")
def dropout_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """It does nothing at inference."""
    return Identity(layer)


@operation("Power")
def power_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """Scale, shift and exponent."""
    options = param.power_param
    return Power(layer, options.scale, options.shift, options.power)


@operation("Exp")
def exp_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """A base of -1 means e."""
    options = param.exp_param
    return Exp(layer, options.scale, options.shift, _log_base(options.base))


@operation("Log")
def log_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """A base of -1 means e."""
    options = param.log_param
    return Log(layer, options.scale, options.shift, _log_base(options.base))


def _log_base(base: float) -> float:
    return 1.0 if base == -1 else math.log(base)


@operation("ReLU6")
def relu6_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """Between 0 and 6."""
    return Clip(layer, 0.0, 6.0)


@operation("SiLU")
def silu_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """x sigmoid(x)."""
    return Swish(layer, 1.0)


#: Types of forks that do nothing at inference.
_IDLE = (
    "Copy Identity Pass Print Debug GradientScaler GradientReversal Grl GRL StopGradient "
    "SpatialDropout SeLuDropout DropBlock DropConnect DropPath StochasticDepth Noise "
    "GaussianNoise CoeffSchedule"
)


@operation(*_IDLE.split())
def idle_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """Nothing at inference."""
    return Identity(layer)
