"""PyTorch on the CPU computes what the ONNX builder's models compute."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import pytest
from needed import needed

from neuralpower.core.configuration import Configuration
from neuralpower.core.errors import InputError
from neuralpower.frameworks.protocol import ExecutorOptions
from neuralpower.frameworks.registry import make_executor

torch: Any = needed("torch")
onnxruntime: Any = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")

from forms import LAYERS as FORMS  # noqa: E402
from forms import SEED, one_layer_network, reference  # noqa: E402

from neuralpower.caffe.network import load_network  # noqa: E402
from neuralpower.frameworks.onnx.builder import build_layer, build_network  # noqa: E402
from neuralpower.frameworks.onnx.ops.registry import emits  # noqa: E402
from neuralpower.frameworks.torch.model import Place, layer_model, network_model  # noqa: E402
from neuralpower.frameworks.torch.ops.registry import makes  # noqa: E402

pytestmark = pytest.mark.frameworks
PROTOTXTS = Path(__file__).resolve().parents[2] / "prototxts"
LAYERS = (
    Configuration("conv", 2, 4, 12, 12, 8, 12, 12, 3, 3, 1, 1, 1, 1, bias=1),
    Configuration("conv", 1, 8, 13, 12, 8, 6, 5, 3, 3, 2, 2, 0, 0, groups=4),
    Configuration("conv", 1, 8, 12, 12, 8, 12, 12, 3, 3, 1, 1, 1, 1, groups=8),
    Configuration("conv", 1, 4, 12, 12, 6, 12, 12, 3, 3, 1, 1, 2, 2, 2, 2),
    Configuration("deconv", 1, 4, 6, 6, 8, 12, 12, 4, 4, 2, 2, 1, 1, bias=1),
    Configuration("deconv", 1, 4, 6, 6, 4, 12, 12, 4, 4, 2, 2, 1, 1, groups=4),
    Configuration("pool", 2, 4, 9, 9, 4, 5, 5, 3, 3, 2, 2, 1, 1, pool_method="ave"),
    Configuration("pool", 2, 4, 8, 8, 4, 5, 5, 3, 3, 2, 2, 1, 1, pool_method="ave"),
    Configuration("pool", 2, 4, 8, 8, 4, 4, 4, 3, 3, 2, 2, 0, 0, pool_method="ave"),
    Configuration("pool", 2, 4, 8, 8, 4, 4, 4, 3, 3, 2, 2, 0, 0, pool_method="max"),
    Configuration("pool", 2, 4, 8, 8, 4, 3, 3, 3, 3, 2, 2, 0, 0, pool_method="max"),
    Configuration("pool", 2, 4, 7, 7, 4, 1, 1, 7, 7, 1, 1, 0, 0, pool_method="ave"),
    Configuration("fc", 4, 64, 2, 1, 10, 1, 1, bias=1),
    Configuration("lrn", 1, 8, 6, 6, 8, 6, 6),
    Configuration("batchnorm", 1, 8, 6, 6, 8, 6, 6),
    Configuration("scale", 1, 8, 6, 6, 8, 6, 6, bias=1),
    *(
        Configuration(family, 1, 8, 6, 6, 8, 6, 6)
        for family in ("relu", "sigmoid", "tanh", "elu", "prelu", "softmax")
    ),
    Configuration("eltwise", 1, 8, 6, 6, 8, 6, 6, inputs=3),
    Configuration("concat", 1, 8, 6, 6, 25, 6, 6, inputs=3),
)


def run(model: Any) -> list[Any]:
    with torch.inference_mode():
        return [v.contiguous().numpy() for v in model(model.values(SEED, 0)).values()]


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("layer", LAYERS, ids=lambda c: f"{c.family}-{c.key()[:4]}")
def test_every_family_computes_what_onnx_does(layer: Configuration, channels_last: bool) -> None:
    (expected,) = reference(build_layer(layer, SEED))
    (actual,) = run(layer_model(layer, Place("cpu", torch.float32, channels_last), SEED))
    assert numpy.abs(expected).max() > 0
    numpy.testing.assert_allclose(actual, expected, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize(("kind", "body", "shapes", "tops"), FORMS)
def test_every_layer_type_computes_what_onnx_does(
    kind: str, body: str, shapes: tuple[tuple[int, ...], ...], tops: int
) -> None:
    network = one_layer_network(kind, body, shapes, tops)
    expected = reference(build_network(network, SEED))
    actual = run(network_model(network, Place("cpu", torch.float32, False), SEED))
    assert len(actual) == tops
    for ours, theirs in zip(actual, expected, strict=True):
        assert ours.shape == theirs.shape
        numpy.testing.assert_allclose(ours, theirs, rtol=2e-4, atol=2e-5)


def test_pytorch_has_every_operation_that_onnx_has() -> None:
    assert set(makes) == set(emits)


@pytest.mark.parametrize(
    "name", ["alexnet", "googlenet", "shufflenet", "squeezenet_v1_1", "senet50", "lenet"]
)
def test_networks_compute_what_onnx_does(name: str) -> None:
    network = load_network(PROTOTXTS / f"{name}.prototxt", batch=1)
    expected = reference(build_network(network, SEED))
    actual = run(network_model(network, Place("cpu", torch.float32, False), SEED))
    for ours, theirs in zip(actual, expected, strict=True):
        assert ours.shape == theirs.shape
        numpy.testing.assert_allclose(ours, theirs, rtol=5e-3, atol=1e-5)


def test_layers_are_timed_inside_their_network() -> None:
    network = load_network(PROTOTXTS / "lenet.prototxt", batch=2)
    rows = make_executor("torch", 1).network_layers(network, SEED)
    computing = [layer for layer in network.layers if layer.type != "Input"]
    assert [(row.name, row.type) for row in rows] == [(x.name, x.type) for x in computing]
    assert [network.layers[row.index].name for row in rows] == [x.name for x in computing]
    assert all(row.runtime_ms > 0 and row.n_calls == 5 for row in rows)
    heavy = max(rows, key=lambda row: row.runtime_ms)
    assert heavy.type in ("Convolution", "InnerProduct", "Pooling")


def test_a_network_passes_more_than_its_ends() -> None:
    network = load_network(PROTOTXTS / "lenet.prototxt", batch=2)
    model = network_model(network, Place("cpu", torch.float32, False), SEED)
    assert model.passed_bytes > model.parameter_bytes + model.moved_bytes
    one = layer_model(LAYERS[0], Place("cpu", torch.float32, False), SEED)
    assert one.passed_bytes == one.moved_bytes


def test_settings_are_read_back() -> None:
    facts = make_executor("torch", 2, ExecutorOptions(autotune=False)).facts()
    assert facts["threads_intra"] == 2
    assert facts["tf32_convolution"] is False
    assert facts["tf32_matmul"] is False
    assert facts["autotune"] is False
    half = make_executor("torch", 1, ExecutorOptions(precision="bf16")).facts()
    assert (half["threads_intra"], half["dtype"]) == (1, "bfloat16")


def test_half_precision_runs_and_stays_near() -> None:
    layer = LAYERS[0]
    (expected,) = reference(build_layer(layer, SEED))
    model = layer_model(layer, Place("cpu", torch.bfloat16, False), SEED)
    with torch.inference_mode():
        actual = model(model.values(SEED, 0))["y"].float().numpy()
    assert 0 < numpy.abs(actual - expected).max() < 0.1 * numpy.abs(expected).max()


def test_dropout_is_said_to_cost_nothing() -> None:
    executor = make_executor("torch", 1)
    with pytest.raises(InputError, match="no kernel"):
        executor.layer(Configuration("dropout", 1, 8, 6, 6, 8, 6, 6), SEED)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (ExecutorOptions(precision="fp8"), "take one of fp32"),
        (ExecutorOptions(precision="tf32"), "needs --device cuda"),
        (ExecutorOptions(device="tpu"), "take one of cpu, cuda"),
    ],
)
def test_wrong_options_are_one_line(options: ExecutorOptions, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_executor("torch", 1, options)


def test_a_missing_gpu_is_one_line() -> None:
    if torch.cuda.is_available():
        pytest.skip("a GPU is here")
    with pytest.raises(InputError, match="no CUDA device"):
        make_executor("torch", 1, ExecutorOptions(device="cuda"))
