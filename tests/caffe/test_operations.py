"""A layer resolves to what Caffe computes, whatever way its prototxt says it."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from neuralpower.caffe.layers import arrangement, convolution, losses, pooling
from neuralpower.caffe.layers.index import MODULES
from neuralpower.caffe.network import load_network, parse_network
from neuralpower.caffe.operation import Identity, Operation, Source
from neuralpower.caffe.registry import LAYER_TYPES
from neuralpower.caffe.resolve import resolve
from neuralpower.caffe.shapes import count
from neuralpower.caffe.single import configured_layer
from neuralpower.core.configuration import Configuration
from neuralpower.core.errors import InputError

PROTOTXTS = Path(__file__).resolve().parents[2] / "prototxts"
#: What no framework can run: user's code, and a size that depends on the data.
NOT_RUN = {"Filter", "Python"}


def resolved(kind: str, body: str, *shapes: tuple[int, ...], tops: int = 1) -> Operation:
    text = ""
    for i, shape in enumerate(shapes):
        dims = " ".join(f"dim: {size}" for size in shape)
        text += f"layer {{ name: 'i{i}' type: 'Input' top: 'i{i}' "
        text += f"input_param {{ shape {{ {dims} }} }} }}\n"
    ends = " ".join(f"bottom: 'i{i}'" for i in range(len(shapes)))
    ends += " " + " ".join(f"top: 't{i}'" for i in range(tops))
    layers = parse_network(text + f"layer {{ name: 'l' type: '{kind}' {ends} {body} }}").layers
    return resolve(layers[-1])


def test_every_type_of_caffe_has_an_operation() -> None:
    for module in MODULES:
        import_module(f"neuralpower.caffe.layers.{module}")
    own = {name: kind for name, kind in LAYER_TYPES.items() if not kind.fork}
    missing = {name for name, kind in own.items() if kind.operation is None and not kind.source}
    assert missing == NOT_RUN


@pytest.mark.parametrize("name", ["alexnet", "resnet50", "googlenet", "mobilenet_v1"])
def test_parameters_are_those_that_the_layer_table_counts(name: str) -> None:
    for layer in load_network(PROTOTXTS / f"{name}.prototxt").layers:
        operation = resolve(layer)
        assert sum(count(weight.shape) for weight in operation.weights) == layer.params
        assert operation.tops == layer.top_shapes
        assert isinstance(operation, Source) == (layer.type == "Input")


def test_the_same_convolution_in_four_spellings() -> None:
    spellings = [
        ("Convolution", "num_output: 6 kernel_size: 3 group: 6"),
        ("Convolution", "num_output: 6 kernel_h: 3 kernel_w: 3 group: 6 stride: 1"),
        ("DepthwiseConvolution", "num_output: 6 kernel_size: 3 kernel_size: 3"),
        ("ConvolutionDepthwise", "num_output: 6 kernel_size: 3 dilation: 1 pad_h: 0 pad_w: 0"),
    ]
    found = [resolved(k, f"convolution_param {{ {b} }}", (2, 6, 9, 8)) for k, b in spellings]
    for operation in found:
        assert isinstance(operation, convolution.Convolution)
        assert (operation.group, operation.transposed) == (6, False)
        assert (operation.kernel, operation.stride, operation.dilation) == ((3, 3), (1, 1), (1, 1))
        assert [weight.shape for weight in operation.weights] == [(6, 1, 3, 3), (6,)]
        assert [weight.kind for weight in operation.weights] == ["filter", "bias"]


def test_a_deconvolution_has_its_filters_the_other_way_round() -> None:
    body = "convolution_param { num_output: 8 kernel_size: 4 stride: 2 pad: 1 group: 2 }"
    operation = resolved("Deconvolution", body, (1, 6, 5, 5))
    assert isinstance(operation, convolution.Convolution)
    assert (operation.group, operation.transposed) == (2, True)
    assert operation.weights[0].shape == (6, 4, 4, 4)


def test_a_convolution_along_another_axis_has_the_axes_before_as_its_batch() -> None:
    body = "convolution_param { num_output: 4 kernel_size: 3 axis: 2 }"
    operation = resolved("Convolution", body, (2, 5, 3, 9, 8))
    assert isinstance(operation, convolution.Convolution)
    assert operation.flat == (10, 3, 9, 8)
    assert operation.flat_top == (10, 4, 7, 6)


def test_pooling_knows_how_far_its_last_windows_reach() -> None:
    operation = resolved("Pooling", "pooling_param { kernel_size: 3 stride: 2 }", (1, 2, 8, 7))
    assert isinstance(operation, pooling.Pooling)
    assert (operation.method, operation.out, operation.ends) == ("max", (4, 3), (1, 0))
    whole = resolved("Pooling", "pooling_param { pool: AVE global_pooling: true }", (1, 2, 8, 7))
    assert isinstance(whole, pooling.Pooling)
    assert (whole.method, whole.whole, whole.kernel) == ("ave", True, (8, 7))


def test_axes_count_from_the_front() -> None:
    operation = resolved("Concat", "concat_param { axis: -3 }", (2, 3, 4, 5), (2, 1, 4, 5))
    assert isinstance(operation, arrangement.Concat)
    assert operation.axis == 1
    cut = resolved("Slice", "slice_param { slice_dim: 1 slice_point: 1 }", (2, 3, 4), tops=2)
    assert isinstance(cut, arrangement.Slice)
    assert (cut.axis, cut.sizes) == (1, (1, 2))


@pytest.mark.parametrize(
    ("body", "divisor", "ignored"),
    [
        ("", "valid", None),
        ("loss_param { normalize: false ignore_label: 255 }", "batch_size", 255),
        ("loss_param { normalization: FULL normalize: false }", "full", None),
    ],
)
def test_what_a_loss_is_divided_by(body: str, divisor: str, ignored: int | None) -> None:
    operation = resolved("SoftmaxWithLoss", body, (2, 5, 3, 3), (2, 1, 3, 3))
    assert isinstance(operation, losses.SoftmaxWithLoss)
    assert (operation.divisor, operation.ignored) == (divisor, ignored)
    assert operation.places == (2, 1, 3, 3)
    assert operation.whole_numbers == {1: 5}


def test_a_scale_that_is_given_learns_its_bias_only() -> None:
    body = "scale_param { axis: 0 bias_term: true }"
    operation = resolved("Scale", body, (2, 3, 4, 5), (2, 3))
    assert [(weight.kind, weight.shape) for weight in operation.weights] == [("bias", (2, 3))]
    assert resolved("Dropout", "", (2, 3)) == Identity(resolved("Dropout", "", (2, 3)).layer)


def test_types_and_shapes_that_are_not_known_are_one_line() -> None:
    with pytest.raises(InputError, match=r"layer 'l' \(Filter\): this layer type has no operation"):
        resolved("Filter", "", (2, 3), (2, 1))
    text = "layer { name: 'l' type: 'ReLU' bottom: 'x' top: 'y' }"
    with pytest.raises(InputError, match="the shape of its input is not known"):
        resolve(parse_network(text).layers[0])


@pytest.mark.parametrize(("size", "rounding"), [(5, "CEIL"), (4, "FLOOR")])
def test_a_pooling_of_a_sweep_may_round_down(size: int, rounding: str) -> None:
    row = Configuration("pool", 2, 4, 9, 9, 4, size, size, 2, 2, 2, 2, pool_method="max")
    layer = configured_layer(row)
    assert layer.top_shapes == ((2, 4, size, size),)
    options = layer.param.pooling_param
    assert options.RoundMode.Name(options.round_mode) == rounding


def test_a_sweeps_layer_is_set_up_as_any_other() -> None:
    row = Configuration("conv", 1, 8, 13, 12, 8, 6, 5, 3, 3, 2, 2, 0, 0, groups=4, bias=1)
    layer = configured_layer(row)
    assert layer.configuration == row
    assert layer.param_shapes == ((8, 2, 3, 3), (8,))
    with pytest.raises(InputError, match="gives an output of 6"):
        configured_layer(Configuration("conv", 1, 8, 13, 12, 8, 7, 5, 3, 3, 2, 2, 0, 0))
