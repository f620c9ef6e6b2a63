"""Normalising and scaling layers: BatchNorm, Scale, Bias, LRN, MVN, Softmax."""

from __future__ import annotations

from typing import Any

from neuralpower.caffe.fillers import check_filler
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


def _applied_blob(setup: Setup, param: Any) -> Shape:
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
