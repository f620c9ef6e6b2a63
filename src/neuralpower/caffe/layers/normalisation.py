"""Normalising and scaling layers: BatchNorm, Scale, Bias, LRN, MVN, Softmax."""

from __future__ import annotations

from dataclasses import dataclass, replace

from neuralpower.caffe.caffe_pb2 import BiasParameter, LayerParameter, ScaleParameter
from neuralpower.caffe.fillers import check_filler
from neuralpower.caffe.operation import LayerFacts, Operation, Weight, operation
from neuralpower.caffe.registry import Setup, layer_type
from neuralpower.caffe.shapes import Shape, axis_index, check, count, dim, legacy_dim, shape_text


@layer_type("BatchNorm")
def batch_norm(setup: Setup) -> list[Shape]:
    """Mean [C], variance [C] and their common factor [1]; one multiplication an element."""
    bottom, specs = setup.bottom, setup.param.param
    channels = dim(bottom, 1)
    for spec in specs[:3]:
        setup.expect(
            spec.lr_mult == 0, "the statistics of BatchNorm cannot have a learning rate (lr_mult)"
        )
    setup.expect(count(bottom) > 0, "the input is empty")
    setup.params = [(channels,), (channels,), (1,)]
    setup.macs = count(bottom)
    if setup.param.batch_norm_param.scale_bias:
        # NVCaffe: the scale and bias that BVLC leaves to a Scale layer.
        setup.params += [(channels,), (channels,)]
        setup.macs *= 2
    return [bottom]


@layer_type("Scale", bottoms=(1, 2))
def scale(setup: Setup) -> list[Shape]:
    """Multiply by a blob that is learnt (one bottom) or given (two), then perhaps add a bias."""
    param, bottom = setup.param.scale_param, setup.bottom
    factor = _applied_blob(setup, param)
    if len(setup.bottoms) == 1:
        setup.params = [factor]
        if param.HasField("filler"):
            check_filler(setup, param.filler, factor)
        else:
            setup.expect(count(factor) > 0, "the scale is empty")
    start = _match(bottom, factor, param.axis)
    inner, outer = count(bottom, start + len(factor)), count(bottom, 0, start)
    setup.expect(max(inner, outer) > 0, "the input is empty")
    if param.bias_term:
        n_axes = param.num_axes if len(setup.bottoms) == 1 else len(factor)
        bias = _learnt_blob(bottom, param.axis, n_axes)
        check_filler(setup, param.bias_filler, bias)
        setup.expect(inner > 0, "the input is empty")
        setup.params.append(bias)
    setup.macs = count(bottom)
    return [bottom]


@layer_type("Bias", bottoms=(1, 2))
def bias(setup: Setup) -> list[Shape]:
    """Add a blob that is learnt (one bottom) or given (two)."""
    param, bottom = setup.param.bias_param, setup.bottom
    added = _applied_blob(setup, param)
    if len(setup.bottoms) == 1:
        setup.params = [added]
        check_filler(setup, param.filler, added)
    start = _match(bottom, added, param.axis)
    setup.expect(count(bottom, start + len(added)) > 0, "the input is empty")
    return [bottom]


def _applied_blob(setup: Setup, param: ScaleParameter | BiasParameter) -> Shape:
    """The shape of the blob that Scale or Bias applies."""
    if len(setup.bottoms) > 1:
        return setup.bottoms[1]
    return _learnt_blob(setup.bottom, param.axis, param.num_axes)


def _learnt_blob(bottom: Shape, axis: int, n_axes: int) -> Shape:
    """``n_axes`` axes of the bottom from ``axis`` on, all of them for -1."""
    start = axis_index(bottom, axis)
    check(n_axes >= -1, "num_axes is -1 (all) or more")
    if n_axes == -1:
        return bottom[start:]
    check(len(bottom) >= start + n_axes, f"{n_axes} axes from axis {axis} on go past the input")
    return bottom[start : start + n_axes]


def _match(bottom: Shape, blob: Shape, axis: int) -> int:
    """The axis of the bottom where the blob is applied; ``Refusal`` when sizes differ."""
    start = axis_index(bottom, axis) if blob else 0
    check(
        bottom[start : start + len(blob)] == blob,
        f"{shape_text(blob)} does not match {shape_text(bottom)} from axis {start} on",
    )
    return start


@layer_type("LRN", engine="lrn_param")
def local_response_normalisation(setup: Setup) -> list[Shape]:
    """A sum of squares over ``local_size`` channels or a square window: that many products."""
    param, bottom = setup.param.lrn_param, setup.bottom
    setup.expect(param.local_size % 2 == 1, "local_size must be odd")
    setup.expect(
        len(bottom) == 4,
        f"LRN takes 4 axes (number, channels, height, width), not {shape_text(bottom)}",
    )
    within = param.norm_region == param.WITHIN_CHANNEL
    setup.macs = count(bottom) * param.local_size ** (2 if within else 1)
    return [bottom]


@layer_type("MVN")
def mean_variance_normalisation(setup: Setup) -> list[Shape]:
    """Always 4 axes: missing ones are added."""
    top = tuple(legacy_dim(setup.bottom, axis) for axis in range(4))
    spatial = count(top, 1 if setup.param.mvn_param.across_channels else 2)
    setup.expect(spatial > 0, "the input is empty")
    setup.macs = count(top)
    return [top]


@layer_type("Softmax", engine="softmax_param")
def softmax(setup: Setup) -> list[Shape]:
    """The shape of the bottom."""
    size = dim(setup.bottom, setup.param.softmax_param.axis)
    setup.expect(size > 0, "the softmax axis is empty")
    return [setup.bottom]


@dataclass(frozen=True, slots=True)
class LRN(Operation):
    """x over (k + alpha mean of squares over ``size`` channels) ** beta.

    Within a channel (not ``across``) the mean is that of a window of size x size, and k is 1.
    """

    across: bool
    size: int
    alpha: float
    beta: float
    k: float


@dataclass(frozen=True, slots=True)
class BatchNorm(Operation):
    """(x - mean) / sqrt(variance + eps) of each channel, then perhaps ``affine``.

    ``stored``: with the statistics that are its parameters, over a factor where there is one (0
    gives 0); else with those of the batch.
    """

    stored: bool
    eps: float

    @property
    def statistics(self) -> tuple[Weight, Weight, Weight | None]:
        """Mean, variance, and their factor if they have one."""
        kinds = {weight.kind: weight for weight in self.weights}
        return kinds["mean"], kinds["variance"], kinds.get("factor")

    @property
    def affine(self) -> tuple[Weight, Weight] | None:
        """The gain and the bias of each channel, of forks that have them inside."""
        kinds = {weight.kind: weight for weight in self.weights}
        return (kinds["gain"], kinds["bias"]) if "gain" in kinds else None


@dataclass(frozen=True, slots=True)
class AlongAxes(Operation):
    """A factor or summand of the shape of a run of axes of the input, from ``start`` on.

    It is the second input where there is one (``given``), else the first parameter.
    """

    start: int
    applied: Shape

    @property
    def given(self) -> bool:
        """Whether it is the second input."""
        return len(self.bottoms) > 1

    @property
    def broadcast(self) -> Shape:
        """Its shape with axes of size 1 behind, so that it applies to the input."""
        behind = len(self.bottom) - self.start - len(self.applied)
        return (*self.applied, *[1] * behind) or (1,)


@dataclass(frozen=True, slots=True)
class Scale(AlongAxes):
    """The product with the factor, and the sum with the last parameter if it has a ``shift``."""

    shift: bool


class Bias(AlongAxes):
    """The sum with the summand."""


@dataclass(frozen=True, slots=True)
class MVN(Operation):
    """x less its mean over ``axes``; with ``divided`` over (standard deviation + eps).

    The input is seen with the output's shape (axes of size 1 are added behind).
    """

    axes: tuple[int, ...]
    divided: bool
    eps: float


@dataclass(frozen=True, slots=True)
class Softmax(Operation):
    """exp(x) over its sum along ``axis``."""

    axis: int


@operation("LRN")
def lrn_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """Across channels or within one."""
    options = param.lrn_param
    across = options.norm_region == options.ACROSS_CHANNELS
    k = options.k if across else 1.0
    return LRN(layer, across, options.local_size, options.alpha, options.beta, k)


@operation("BatchNorm", kinds="mean variance factor gain bias")
def batch_norm_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """With stored statistics unless the layer says otherwise: this is inference."""
    options = param.batch_norm_param
    stored = not options.HasField("use_global_stats") or options.use_global_stats
    return BatchNorm(layer, stored, options.eps)


@operation("Scale", kinds="gain bias")
def scale_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """A factor that is learnt or given."""
    start, applied = _along_axes(layer, param.scale_param)
    if len(layer.bottoms) > 1:
        # The bias is then its only parameter.
        weights = tuple(replace(weight, kind="bias") for weight in layer.weights)
        layer = replace(layer, weights=weights)
    return Scale(layer, start, applied, param.scale_param.bias_term)


@operation("Bias", kinds="bias")
def bias_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """A summand that is learnt or given."""
    return Bias(layer, *_along_axes(layer, param.bias_param))


def _along_axes(layer: LayerFacts, param: ScaleParameter | BiasParameter) -> tuple[int, Shape]:
    applied = layer.bottoms[1] if len(layer.bottoms) > 1 else layer.weights[0].shape
    return _match(layer.bottoms[0], applied, param.axis), applied


@operation("MVN")
def mvn_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """A channel or an image at a time."""
    options = param.mvn_param
    axes = tuple(range(1 if options.across_channels else 2, len(layer.tops[0])))
    return MVN(layer, axes, options.normalize_variance, options.eps)


@operation("Softmax")
def softmax_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """Along one axis."""
    return Softmax(layer, axis_index(layer.bottoms[0], param.softmax_param.axis))
