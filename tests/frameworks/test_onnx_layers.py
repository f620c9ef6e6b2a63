"""Every layer type that is written to ONNX computes what Caffe computes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import caffe_reference as reference
import numpy
import pytest
from numpy.typing import NDArray

pytest.importorskip("onnxruntime")
import onnx
import onnxruntime
from forms import FORMULAS, LAYERS, one_layer_network

from neuralpower.caffe.network import load_network
from neuralpower.caffe.operation import Silence
from neuralpower.caffe.resolve import resolve
from neuralpower.core.errors import InputError
from neuralpower.frameworks.inputs import random_input
from neuralpower.frameworks.onnx.builder import build_network
from neuralpower.frameworks.onnx.ops.registry import emits
from neuralpower.frameworks.onnx.session import open_session
from neuralpower.frameworks.weights import GivenWeights, RandomWeights, WeightSource

Array = NDArray[Any]
SEED = 3


def inputs_of(**shapes: tuple[int, ...]) -> str:
    parts = []
    for name, shape in shapes.items():
        dims = " ".join(f"dim: {size}" for size in shape)
        parts.append(
            f"layer {{ name: '{name}' type: 'Input' top: '{name}' "
            f"input_param {{ shape {{ {dims} }} }} }}"
        )
    return "\n".join(parts)


def run_network(text: str, tmp_path: Path, weights: WeightSource | None = None) -> dict[str, Array]:
    """Every blob by name, the inputs included; shapes are held against the layer table's."""
    path = tmp_path / "net.prototxt"
    path.write_text(text)
    network = load_network(path)
    built = build_network(network, SEED, weights, every_blob=True)
    onnx.checker.check_model(built.model(), full_check=True)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session, _keep = open_session(built, options)
    feed = {spec.name: random_input(spec, SEED) for spec in built.inputs}
    values = dict(zip(built.outputs, session.run(list(built.outputs), feed), strict=True))
    named = {blob: values[name] for blob, name in built.blobs.items() if name in values}
    for layer in network.layers:
        for top, shape in zip(layer.tops, layer.top_shapes, strict=True):
            if top in named:
                assert named[top].shape == shape, top
    return feed | named


def layer(kind: str, body: str = "", bottoms: str = "x", tops: str = "y") -> str:
    ends = " ".join(
        [f"bottom: '{b}'" for b in bottoms.split()] + [f"top: '{t}'" for t in tops.split()]
    )
    return f"layer {{ name: 'l' type: '{kind}' {ends} {body} }}"


def one(kind: str, body: str, shape: tuple[int, ...], tmp_path: Path) -> tuple[Array, Array]:
    blobs = run_network(inputs_of(x=shape) + layer(kind, body), tmp_path)
    return blobs["x"], blobs["y"]


def weight(index: int, shape: tuple[int, ...], kind: str, name: str = "l") -> Array:
    return RandomWeights(SEED).blob(name, index, shape, kind)


def close(actual: Array, expected: Array) -> None:
    assert actual.shape == expected.shape
    assert numpy.abs(expected).max() > 0
    numpy.testing.assert_allclose(actual, expected, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize(
    ("body", "kernel", "stride", "pad", "dilation", "group", "bias"),
    [
        ("kernel_size: 3", (3, 3), (1, 1), (0, 0), (1, 1), 1, True),
        ("kernel_size: 3 stride: 2 pad: 1 group: 2", (3, 3), (2, 2), (1, 1), (1, 1), 2, True),
        ("kernel_h: 1 kernel_w: 5 pad_h: 0 pad_w: 2", (1, 5), (1, 1), (0, 2), (1, 1), 1, True),
        (
            "kernel_size: 2 kernel_size: 3 stride: 1 stride: 2",
            (2, 3),
            (1, 2),
            (0, 0),
            (1, 1),
            1,
            True,
        ),
        (
            "kernel_size: 3 dilation: 2 pad: 2 bias_term: false",
            (3, 3),
            (1, 1),
            (2, 2),
            (2, 2),
            1,
            False,
        ),
        ("kernel_size: 3 group: 4", (3, 3), (1, 1), (0, 0), (1, 1), 4, True),
    ],
)
def test_convolution(
    tmp_path: Path,
    body: str,
    kernel: Any,
    stride: Any,
    pad: Any,
    dilation: Any,
    group: int,
    bias: bool,
) -> None:
    text = f"convolution_param {{ num_output: 8 {body} }}"
    x, y = one("Convolution", text, (2, 4, 9, 11), tmp_path)
    w = weight(0, (8, 4 // group, *kernel), "filter")
    b = weight(1, (8,), "bias") if bias else None
    close(y, reference.convolution(x, w, b, stride, pad, dilation, group))


@pytest.mark.parametrize(("stride", "pad", "group"), [(1, 0, 1), (2, 1, 1), (2, 0, 2), (3, 2, 1)])
def test_deconvolution(tmp_path: Path, stride: int, pad: int, group: int) -> None:
    body = f"num_output: 6 kernel_size: 4 stride: {stride} pad: {pad} group: {group}"
    x, y = one("Deconvolution", f"convolution_param {{ {body} }}", (2, 4, 5, 6), tmp_path)
    w = weight(0, (4, 6 // group, 4, 4), "filter")
    close(y, reference.deconvolution(x, w, weight(1, (6,), "bias"), stride, pad, group))


@pytest.mark.parametrize("method", ["MAX", "AVE"])
@pytest.mark.parametrize(
    ("size", "kernel", "stride", "pad"),
    [
        ((8, 8), 2, 2, 0),
        ((7, 8), 3, 2, 0),  # the last window is clipped
        ((7, 8), 3, 2, 1),  # clipped and padded: Caffe's own divisor
        ((6, 9), 3, 3, 1),
        ((5, 5), 2, 2, 1),  # the clip rule drops the last window
        ((5, 6), 3, 1, 1),
        ((4, 4), 4, 1, 0),
    ],
)
def test_pooling(
    tmp_path: Path, method: str, size: tuple[int, int], kernel: int, stride: int, pad: int
) -> None:
    body = f"pool: {method} kernel_size: {kernel} stride: {stride} pad: {pad}"
    x, y = one("Pooling", f"pooling_param {{ {body} }}", (2, 3, *size), tmp_path)
    close(y, reference.pooling(x, method, kernel, stride, pad))


def test_global_and_stochastic_pooling(tmp_path: Path) -> None:
    x, y = one(
        "Pooling", "pooling_param { pool: AVE global_pooling: true }", (2, 3, 5, 4), tmp_path
    )
    close(y, x.mean(axis=(2, 3), keepdims=True))
    text = inputs_of(x=(2, 3, 6, 6)) + layer("Sigmoid", tops="p").replace("'l'", "'s'")
    text += layer("Pooling", "pooling_param { pool: STOCHASTIC kernel_size: 2 stride: 2 }", "p")
    blobs = run_network(text, tmp_path)
    p = blobs["p"].reshape(2, 3, 3, 2, 3, 2)
    close(blobs["y"], (p**2).sum(axis=(3, 5)) / p.sum(axis=(3, 5)))


def test_lrn(tmp_path: Path) -> None:
    body = "lrn_param { local_size: 3 alpha: 0.5 beta: 0.7 k: 2 }"
    x, y = one("LRN", body, (2, 7, 4, 5), tmp_path)
    close(y, reference.lrn_across(x, 3, 0.5, 0.7, 2))
    body = "lrn_param { local_size: 3 alpha: 0.5 beta: 0.7 norm_region: WITHIN_CHANNEL }"
    x, y = one("LRN", body, (2, 3, 6, 5), tmp_path)
    close(y, reference.lrn_within(x, 3, 0.5, 0.7))


def test_batch_norm_uses_stored_statistics_over_their_scale(tmp_path: Path) -> None:
    text = inputs_of(x=(4, 3, 5, 5)) + layer("BatchNorm", "batch_norm_param { eps: 0.01 }")
    rng = numpy.random.default_rng(1)
    mean, variance = rng.random(3, "f"), rng.random(3, "f") + 1
    given = GivenWeights({"l": [mean * 4, variance * 4, numpy.array([4.0], "f")]}, SEED)
    blobs = run_network(text, tmp_path, given)
    shape = (1, 3, 1, 1)
    expected = (blobs["x"] - mean.reshape(shape)) / numpy.sqrt(variance.reshape(shape) + 0.01)
    close(blobs["y"], expected)
    x, y = one("BatchNorm", "batch_norm_param { use_global_stats: false }", (4, 3, 5, 5), tmp_path)
    centred = x - x.mean(axis=(0, 2, 3), keepdims=True)
    close(y, centred / numpy.sqrt((centred**2).mean(axis=(0, 2, 3), keepdims=True) + 1e-5))


def test_scale_and_bias(tmp_path: Path) -> None:
    x, y = one("Scale", "scale_param { bias_term: true }", (2, 3, 4, 5), tmp_path)
    gain, shift = weight(0, (3,), "gain"), weight(1, (3,), "bias")
    close(y, x * gain[:, None, None] + shift[:, None, None])
    x, y = one("Scale", "scale_param { axis: 0 num_axes: -1 }", (2, 3, 4), tmp_path)
    close(y, x * weight(0, (2, 3, 4), "gain"))
    x, y = one("Bias", "bias_param { axis: 2 num_axes: 2 }", (2, 3, 4, 5), tmp_path)
    close(y, x + weight(0, (4, 5), "bias"))
    text = inputs_of(x=(2, 3, 4, 5), z=(2, 3)) + layer("Scale", "scale_param { axis: 0 }", "x z")
    blobs = run_network(text, tmp_path)
    close(blobs["y"], blobs["x"] * blobs["z"][:, :, None, None])


def test_eltwise(tmp_path: Path) -> None:
    shapes = {"x": (2, 3, 4, 4), "z": (2, 3, 4, 4), "v": (2, 3, 4, 4)}

    def blobs(body: str) -> dict[str, Array]:
        text = inputs_of(**shapes) + layer("Eltwise", f"eltwise_param {{ {body} }}", "x z v")
        return run_network(text, tmp_path)

    b = blobs("operation: SUM coeff: 1 coeff: -1 coeff: 0.5")
    close(b["y"], b["x"] - b["z"] + 0.5 * b["v"])
    b = blobs("operation: PROD")
    close(b["y"], b["x"] * b["z"] * b["v"])
    b = blobs("operation: MAX")
    close(b["y"], numpy.maximum(numpy.maximum(b["x"], b["z"]), b["v"]))


@pytest.mark.parametrize(
    ("shape", "body"),
    [
        ((3, 4, 2, 5), "num_output: 7"),
        ((3, 4, 6), "num_output: 7 axis: 2"),
        ((3, 4, 6), "num_output: 7 axis: -1 bias_term: false"),
        ((3, 8), "num_output: 7 transpose: true"),
    ],
)
def test_inner_product(tmp_path: Path, shape: tuple[int, ...], body: str) -> None:
    x, y = one("InnerProduct", f"inner_product_param {{ {body} }}", shape, tmp_path)
    axis = 2 if "axis" in body else 1
    flat = x.reshape(*shape[:axis], -1)
    width = flat.shape[-1]
    if "transpose" in body:
        w = weight(0, (width, 7), "filter")
    else:
        w = weight(0, (7, width), "filter").T
    bias = 0 if "bias_term" in body else weight(1, (7,), "bias")
    close(y, flat @ w + bias)


@pytest.mark.parametrize(("kind", "body", "expected"), FORMULAS)
def test_formulas(tmp_path: Path, kind: str, body: str, expected: Any) -> None:
    x, y = one(kind, body, (2, 3, 4, 5), tmp_path)
    close(y, expected(x.astype(float)))


def test_log(tmp_path: Path) -> None:
    x, y = one("Log", "log_param { base: 10 scale: 0.01 shift: 1 }", (2, 3), tmp_path)
    close(y, numpy.log10(1 + 0.01 * x))


def test_prelu(tmp_path: Path) -> None:
    x, y = one("PReLU", "", (2, 3, 4, 4), tmp_path)
    slope = weight(0, (3,), "slope")[:, None, None]
    close(y, numpy.where(x > 0, x, slope * x))
    x, y = one("PReLU", "prelu_param { channel_shared: true }", (2, 3, 4, 4), tmp_path)
    close(y, numpy.where(x > 0, x, weight(0, (), "slope") * x))


def test_concat_slice_crop(tmp_path: Path) -> None:
    text = inputs_of(x=(2, 3, 4, 4), z=(2, 5, 4, 4)) + layer("Concat", "", "x z")
    b = run_network(text, tmp_path)
    close(b["y"], numpy.concatenate([b["x"], b["z"]], axis=1))
    body = "slice_param { axis: 1 slice_point: 1 slice_point: 4 }"
    b = run_network(inputs_of(x=(2, 6, 3, 3)) + layer("Slice", body, "x", "p q r"), tmp_path)
    for part, expected in zip("pqr", numpy.split(b["x"], [1, 4], axis=1), strict=True):
        close(b[part], expected)
    body = "crop_param { axis: 2 offset: 1 offset: 2 }"
    text = inputs_of(x=(2, 3, 7, 8), z=(1, 1, 4, 5)) + layer("Crop", body, "x z")
    b = run_network(text, tmp_path)
    close(b["y"], b["x"][:, :, 1:5, 2:7])


def test_arg_max(tmp_path: Path) -> None:
    x, y = one("ArgMax", "argmax_param { axis: 1 }", (2, 5, 3), tmp_path)
    close(y, x.argmax(axis=1, keepdims=True).astype("f"))
    x, y = one("ArgMax", "argmax_param { top_k: 2 out_max_val: true }", (2, 5, 3), tmp_path)
    order = numpy.argsort(-x.reshape(2, 15), axis=1)[:, :2]
    close(y[:, 0], order.astype("f"))
    close(y[:, 1], numpy.take_along_axis(x.reshape(2, 15), order, axis=1))


def test_embed_and_spp(tmp_path: Path) -> None:
    b = run_network(
        inputs_of(x=(4,)) + layer("Embed", "embed_param { input_dim: 9 num_output: 3 }"), tmp_path
    )
    assert set(b["x"]) <= set(range(9))
    table, bias = weight(0, (9, 3), "gain"), weight(1, (3,), "bias")
    close(b["y"], table[b["x"].astype(int)] + bias)
    x, y = one("SPP", "spp_param { pyramid_height: 2 }", (2, 3, 6, 6), tmp_path)
    close(y[:, :3], x.max(axis=(2, 3)))
    close(y[:, 3:], reference.pooling(x, "MAX", 3, 3, 0).reshape(2, -1))


def test_shuffle_and_normalise(tmp_path: Path) -> None:
    x, y = one("ShuffleChannel", "shuffle_channel_param { group: 2 }", (1, 6, 2, 2), tmp_path)
    close(y, x[:, [0, 3, 1, 4, 2, 5]])
    body = "norm_param { across_spatial: false channel_shared: false }"
    x, y = one("Normalize", body, (2, 4, 3, 3), tmp_path)
    gain = weight(0, (4,), "gain")[:, None, None]
    close(y, x / numpy.sqrt((x**2).sum(axis=1, keepdims=True) + 1e-10) * gain)


def test_losses_and_accuracy(tmp_path: Path) -> None:
    base = inputs_of(x=(6, 5), z=(6,))
    b = run_network(base + layer("SoftmaxWithLoss", "", "x z"), tmp_path)
    p = reference.softmax(b["x"].astype(float), 1)[range(6), b["z"].astype(int)]
    close(b["y"], numpy.array(-numpy.log(p).mean()))
    b = run_network(base + layer("Accuracy", "accuracy_param { top_k: 2 }", "x z"), tmp_path)
    best = numpy.argsort(-b["x"], axis=1)[:, :2]
    assert float(b["y"]) == pytest.approx((best == b["z"][:, None]).any(axis=1).mean())
    text = inputs_of(x=(6, 5), z=(6, 5)) + layer("EuclideanLoss", "", "x z")
    b = run_network(text, tmp_path)
    close(b["y"], numpy.array(((b["x"] - b["z"]) ** 2).sum() / 12))


def test_in_place_layers_and_shared_parameters(tmp_path: Path) -> None:
    product = "inner_product_param { num_output: 4 } param { name: 'w' } param { name: 'b' }"
    text = (
        inputs_of(x=(3, 4))
        + layer("InnerProduct", product, "x", "a").replace("'l'", "'one'")
        + layer("ReLU", "", "a", "a").replace("'l'", "'relu'")
        + layer("InnerProduct", product, "a", "y").replace("'l'", "'two'")
    )
    b = run_network(text, tmp_path)
    w, bias = weight(0, (4, 4), "filter", "one"), weight(1, (4,), "bias", "one")
    hidden = numpy.maximum(b["x"] @ w.T + bias, 0)
    close(b["a"], hidden)
    close(b["y"], hidden @ w.T + bias)


def test_unsupported_layer_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"layer 'l' \(Filter\): this layer type has no"):
        run_network(inputs_of(x=(2, 3), z=(2,)) + layer("Filter", "", "x z"), tmp_path)


def test_every_operation_is_tried() -> None:
    tried = {type(resolve(one_layer_network(*row).layers[-1])) for row in LAYERS}
    assert tried | {Silence} == set(emits)
