"""JAX computes what the ONNX builder's models compute; its settings are read back."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy
import pytest

from neuralpower.core.configuration import Configuration
from neuralpower.core.errors import InputError
from neuralpower.frameworks.protocol import ExecutorOptions
from neuralpower.frameworks.registry import make_executor

jax: Any = pytest.importorskip("jax", reason="JAX is not installed (extra jax)")
onnxruntime: Any = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")

import jax.numpy as jnp  # noqa: E402

from neuralpower.caffe.network import load_network  # noqa: E402
from neuralpower.cli import main  # noqa: E402
from neuralpower.core.files import csv_text  # noqa: E402
from neuralpower.frameworks.jax.executor import JaxExecutor, pool_threads  # noqa: E402
from neuralpower.frameworks.jax.layers import makes  # noqa: E402
from neuralpower.frameworks.jax.model import layer_model, network_model  # noqa: E402
from neuralpower.frameworks.jax.workload import CpuWorkload, ReplayWorkload  # noqa: E402
from neuralpower.frameworks.layer_graph import random_input  # noqa: E402
from neuralpower.frameworks.onnx.builder import build_layer, build_network  # noqa: E402
from neuralpower.frameworks.onnx.session import open_session  # noqa: E402
from neuralpower.profiling.device_timing import ReplayProtocol, measure_replays  # noqa: E402

SEED = 3
PROTOTXTS = Path(__file__).resolve().parents[2] / "prototxts"
IMAGE = (2, 6, 7, 8)
#: Type, its parameters, shapes of its bottoms, number of tops.
LAYERS: list[tuple[str, str, tuple[tuple[int, ...], ...], int]] = [
    ("Convolution", "convolution_param { num_output: 4 kernel_size: 3 pad: 1 }", (IMAGE,), 1),
    (
        "Convolution",
        "convolution_param { num_output: 8 kernel_size: 3 stride: 2 group: 2 bias_term: false }",
        (IMAGE,),
        1,
    ),
    (
        "Convolution",
        "convolution_param { num_output: 4 kernel_h: 1 kernel_w: 3 dilation: 2 pad: 2 }",
        (IMAGE,),
        1,
    ),
    ("Convolution", "convolution_param { num_output: 6 kernel_size: 3 group: 6 }", (IMAGE,), 1),
    ("Convolution", "convolution_param { num_output: 4 kernel_size: 3 }", ((1, 2, 5, 6, 7),), 1),
    ("DepthwiseConvolution", "convolution_param { num_output: 6 kernel_size: 3 }", (IMAGE,), 1),
    ("ConvolutionDepthwise", "convolution_param { num_output: 6 kernel_size: 3 }", (IMAGE,), 1),
    (
        "Deconvolution",
        "convolution_param { num_output: 4 kernel_size: 4 stride: 2 pad: 1 }",
        (IMAGE,),
        1,
    ),
    (
        "Deconvolution",
        "convolution_param { num_output: 6 kernel_size: 3 stride: 3 pad: 2 group: 3 }",
        (IMAGE,),
        1,
    ),
    ("Deconvolution", "convolution_param { num_output: 4 kernel_size: 1 pad: 1 }", (IMAGE,), 1),
    ("InnerProduct", "inner_product_param { num_output: 5 }", (IMAGE,), 1),
    ("InnerProduct", "inner_product_param { num_output: 5 axis: 2 bias_term: false }", (IMAGE,), 1),
    ("InnerProduct", "inner_product_param { num_output: 5 transpose: true }", ((3, 4),), 1),
    *(
        ("Pooling", f"pooling_param {{ pool: {method} {window} }}", ((2, 3, *size),), 1)
        for method in ("MAX", "AVE")
        for size, window in (
            ((7, 8), "kernel_size: 3 stride: 2"),
            ((7, 8), "kernel_size: 3 stride: 2 pad: 1"),
            ((6, 9), "kernel_size: 3 stride: 3 pad: 1"),
            ((5, 5), "kernel_size: 2 stride: 2 pad: 1"),
            ((7, 7), "kernel_size: 1 stride: 2"),
            ((5, 4), "global_pooling: true"),
            ((5, 6), "kernel_h: 3 kernel_w: 2 stride_h: 1 stride_w: 2 pad_h: 1 pad_w: 0"),
        )
    ),
    ("SPP", "spp_param { pyramid_height: 2 }", ((2, 3, 6, 6),), 1),
    ("LRN", "lrn_param { local_size: 3 alpha: 0.5 beta: 0.7 k: 2 }", (IMAGE,), 1),
    (
        "LRN",
        "lrn_param { local_size: 3 alpha: 0.5 beta: 0.7 norm_region: WITHIN_CHANNEL }",
        (IMAGE,),
        1,
    ),
    ("BatchNorm", "batch_norm_param { eps: 0.01 }", (IMAGE,), 1),
    ("BatchNorm", "batch_norm_param { use_global_stats: false }", (IMAGE,), 1),
    ("Scale", "scale_param { bias_term: true }", (IMAGE,), 1),
    ("Scale", "scale_param { axis: 0 num_axes: -1 }", (IMAGE,), 1),
    ("Scale", "scale_param { axis: 0 }", (IMAGE, (2, 6)), 1),
    ("Bias", "bias_param { axis: 2 num_axes: 2 }", (IMAGE,), 1),
    ("ReLU", "", (IMAGE,), 1),
    ("ReLU", "relu_param { negative_slope: 0.1 }", (IMAGE,), 1),
    *((kind, "", (IMAGE,), 1) for kind in ("Sigmoid", "TanH", "AbsVal", "BNLL", "ReLU6")),
    ("ELU", "elu_param { alpha: 0.5 }", (IMAGE,), 1),
    ("PReLU", "", (IMAGE,), 1),
    ("PReLU", "prelu_param { channel_shared: true }", (IMAGE,), 1),
    ("Swish", "swish_param { beta: 2 }", (IMAGE,), 1),
    ("Clip", "clip_param { min: -0.5 max: 0.3 }", (IMAGE,), 1),
    ("Threshold", "threshold_param { threshold: 0.2 }", (IMAGE,), 1),
    ("Power", "power_param { power: 2 scale: 3 shift: 0.5 }", (IMAGE,), 1),
    ("Exp", "exp_param { base: 2 scale: 0.5 shift: 1 }", (IMAGE,), 1),
    ("Log", "log_param { base: 10 scale: 0.01 shift: 1 }", (IMAGE,), 1),
    ("MVN", "", (IMAGE,), 1),
    ("MVN", "mvn_param { normalize_variance: false across_channels: true }", (IMAGE,), 1),
    ("Normalize", "norm_param { across_spatial: false channel_shared: false }", (IMAGE,), 1),
    ("Eltwise", "eltwise_param { coeff: 1 coeff: -1 coeff: 0.5 }", (IMAGE,) * 3, 1),
    ("Eltwise", "eltwise_param { operation: PROD }", (IMAGE,) * 2, 1),
    ("Eltwise", "eltwise_param { operation: MAX }", (IMAGE,) * 3, 1),
    ("Softmax", "", (IMAGE,), 1),
    ("Softmax", "softmax_param { axis: -1 }", (IMAGE,), 1),
    ("Concat", "", (IMAGE, (2, 3, 7, 8)), 1),
    ("Slice", "slice_param { axis: 1 slice_point: 1 slice_point: 4 }", (IMAGE,), 3),
    ("Split", "", (IMAGE,), 2),
    ("Dropout", "", (IMAGE,), 1),
    ("Flatten", "flatten_param { axis: 1 end_axis: 2 }", (IMAGE,), 1),
    ("Reshape", "reshape_param { shape { dim: 0 dim: -1 dim: 8 } }", (IMAGE,), 1),
    ("Permute", "permute_param { order: 0 order: 2 }", (IMAGE,), 1),
    ("ShuffleChannel", "shuffle_channel_param { group: 2 }", (IMAGE,), 1),
    ("Crop", "crop_param { axis: 2 offset: 1 offset: 2 }", (IMAGE, (1, 1, 4, 5)), 1),
    ("Axpy", "", ((2, 6), IMAGE, IMAGE), 1),
    ("Tile", "tile_param { axis: 1 tiles: 3 }", (IMAGE,), 1),
    *(
        ("Reduction", f"reduction_param {{ operation: {name} axis: 2 coeff: 2 }}", (IMAGE,), 1)
        for name in ("SUM", "ASUM", "SUMSQ", "MEAN")
    ),
    ("Embed", "embed_param { input_dim: 9 num_output: 3 }", ((4,),), 1),
    ("BatchReindex", "", (IMAGE, (3,)), 1),
    ("SoftmaxWithLoss", "", ((6, 5), (6,)), 1),
    ("EuclideanLoss", "", ((6, 5), (6, 5)), 1),
]


@pytest.fixture(scope="module")
def executor() -> Any:
    return make_executor("jax", 1)


def reference(built: Any, number: int = 0) -> list[Any]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session, _keep = open_session(built, options)
    feed = {spec.name: random_input(spec, SEED, number) for spec in built.inputs}
    found: list[Any] = session.run(list(built.outputs), feed)
    return found


def run(model: Any, number: int = 0) -> list[Any]:
    made = jax.jit(model)(tuple(model.parameters), model.feed(SEED, number))
    return [numpy.asarray(value) for value in made]


def of_layer(layer: Configuration, executor: JaxExecutor, dtype: Any = jnp.float32) -> Any:
    return layer_model(layer, executor._device, dtype, SEED)


def one_layer_network(
    kind: str, body: str, shapes: tuple[tuple[int, ...], ...], tops: int, folder: Path
) -> Any:
    text = ""
    for i, shape in enumerate(shapes):
        dims = " ".join(f"dim: {size}" for size in shape)
        text += f"layer {{ name: 'i{i}' type: 'Input' top: 'i{i}' "
        text += f"input_param {{ shape {{ {dims} }} }} }}\n"
    ends = " ".join(f"bottom: 'i{i}'" for i in range(len(shapes)))
    ends += " " + " ".join(f"top: 't{i}'" for i in range(tops))
    path = folder / "net.prototxt"
    path.write_text(text + f"layer {{ name: 'l' type: '{kind}' {ends} {body} }}\n")
    return load_network(path)


@pytest.mark.parametrize(("kind", "body", "shapes", "tops"), LAYERS)
def test_every_layer_type_computes_what_onnx_does(
    executor: JaxExecutor,
    tmp_path: Path,
    kind: str,
    body: str,
    shapes: tuple[tuple[int, ...], ...],
    tops: int,
) -> None:
    network = one_layer_network(kind, body, shapes, tops, tmp_path)
    expected = reference(build_network(network, SEED))
    actual = run(network_model(network, executor._device, jnp.float32, SEED))
    assert len(actual) == tops
    for ours, theirs in zip(actual, expected, strict=True):
        assert ours.shape == theirs.shape
        assert numpy.abs(theirs).max() > 0
        numpy.testing.assert_allclose(ours, theirs, rtol=2e-4, atol=2e-5)


def test_no_layer_type_is_left_out() -> None:
    assert {kind for kind, *_ in LAYERS} | {"Silence"} == set(makes)


def test_stochastic_pooling_weighs_a_window_by_itself(
    executor: JaxExecutor, tmp_path: Path
) -> None:
    body = "pooling_param { pool: STOCHASTIC kernel_size: 2 stride: 2 }"
    network = one_layer_network("Pooling", body, ((2, 3, 6, 6),), 1, tmp_path)
    (y,) = run(network_model(network, executor._device, jnp.float32, SEED))
    x = random_input(build_network(network).inputs[0], SEED).reshape(2, 3, 3, 2, 3, 2)
    numpy.testing.assert_allclose(y, (x**2).sum((3, 5)) / x.sum((3, 5)), rtol=1e-3)


@pytest.mark.parametrize("name", ["lenet", "squeezenet_v1_1", "mobilenet_v1", "resnet18"])
def test_networks_compute_what_onnx_does(executor: JaxExecutor, name: str) -> None:
    network = load_network(PROTOTXTS / f"{name}.prototxt", batch=1)
    expected = reference(build_network(network, SEED))
    workload = executor.network(network, SEED)
    workload.call()
    for ours, theirs in zip(workload.outputs[0], expected, strict=True):
        assert ours.shape == theirs.shape
        numpy.testing.assert_allclose(ours, theirs, rtol=5e-3, atol=1e-5)
    workload.close()


def test_a_layer_without_a_jax_form_is_named(executor: JaxExecutor) -> None:
    network = load_network(PROTOTXTS / "ssd300.prototxt", batch=1)
    with pytest.raises(InputError, match=r"\(PriorBox\): this layer type has no JAX form"):
        executor.network(network, SEED)


CONVOLUTION = Configuration("conv", 2, 8, 9, 9, 8, 9, 9, 3, 3, 1, 1, 1, 1, bias=1)


def test_buffers_rotate_and_parameters_are_arguments(executor: JaxExecutor) -> None:
    model = of_layer(CONVOLUTION, executor)
    workload = CpuWorkload(model, 3, SEED)
    for _ in range(4):
        workload.call()
    for number in range(3):
        (expected,) = reference(build_layer(CONVOLUTION, SEED), number)
        numpy.testing.assert_allclose(workload.outputs[number][0], expected, rtol=2e-4, atol=2e-5)
    text = workload._run.as_text()
    assert "f32[3,3,8,8]{3,2,1,0} parameter(0)" in text
    # No array among the constants: scalars stand in parentheses without braces.
    assert "constant({" not in text
    assert "input_output_alias" in text
    workload.close()


@pytest.mark.parametrize(
    ("layer", "operation"),
    [
        (CONVOLUTION, "convolution"),
        (Configuration("fc", 4, 64, 1, 1, 32, 1, 1, bias=1), "dot"),
        (Configuration("relu", 1, 16, 12, 12, 16, 12, 12), "maximum"),
    ],
)
def test_a_replay_makes_every_call(
    executor: JaxExecutor, layer: Configuration, operation: str
) -> None:
    """XLA keeps all calls of a round, and the round in a loop; nothing moves out of it."""
    model = of_layer(layer, executor)
    workload = ReplayWorkload(model, 3, SEED, rounds=5)
    assert workload.calls_per_replay == 15
    arrays = [*workload._parameters, *workload._spare]
    arrays += [array for own in (*workload._feeds, *workload.outputs) for array in own]
    held = sum(array.nbytes for array in arrays)
    # One set of inputs is counted more than there is.
    assert held <= workload.held_bytes <= held + sum(a.nbytes for a in workload._feeds[0])
    text = workload.hlo()
    assert len(re.findall(rf" {operation}\(", text)) == 3
    assert re.findall(r'known_trip_count":\{"n":"(\d+)"', text) == ["5"]
    # Data are not copied on the way round: only the loop's counters may be.
    copies = re.findall(r"= \w+\[([\d,]*)\]\S* copy\(%(?:get-tuple|arg|param|while)", text)
    assert not any(copies)
    for _ in range(2):
        workload.replay()
    for number in range(3):
        (expected,) = reference(build_layer(layer, SEED), number)
        numpy.testing.assert_allclose(workload.outputs[number][0], expected, rtol=2e-4, atol=2e-5)
    assert int(workload._token) == 2
    workload.close()


def test_replays_are_timed_on_the_hosts_clock(executor: JaxExecutor) -> None:
    workload = ReplayWorkload(of_layer(CONVOLUTION, executor), 2, SEED, rounds=4)
    timing = measure_replays(workload, ReplayProtocol(0.01, 8, 0.02, 0.1))
    assert timing.samples >= 6
    assert timing.calls == 8 * timing.samples
    assert timing.median_ms > 0
    workload.call()
    workload.close()


def test_settings_are_read_back(executor: JaxExecutor) -> None:
    facts = executor.facts()
    assert facts["precision_as_lowered"] == "HIGHEST"
    assert facts["default_matmul_precision"] == "highest"
    assert facts["asynchronous_dispatch"] is False
    assert facts["tf32_convolution"] is False
    assert facts["threads_intra"] in (1, None)
    assert json.loads(json.dumps(facts)) == facts
    if pool_threads() is not None:
        with pytest.raises(InputError, match="computes with 1 threads, not 2"):
            make_executor("jax", 2)


def test_threads_are_counted_by_their_name(tmp_path: Path) -> None:
    for number, name in enumerate(("python", "tf_XLAEigen", "tf_XLAEigen")):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "comm").write_text(f"{name}\n")
    assert pool_threads(tmp_path) == 2
    assert pool_threads(tmp_path / "nothing") is None


def test_half_precision_runs_and_stays_near() -> None:
    executor = make_executor("jax", 1, ExecutorOptions(precision="bf16"))
    assert executor.facts()["dtype"] == "bfloat16"
    (expected,) = reference(build_layer(CONVOLUTION, SEED))
    workload = executor.layer(CONVOLUTION, SEED)
    workload.call()
    actual = numpy.asarray(workload.outputs[0][0]).astype(numpy.float32)  # type: ignore[attr-defined]
    assert 0 < numpy.abs(actual - expected).max() < 0.1 * numpy.abs(expected).max()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (ExecutorOptions(precision="fp8"), "take one of fp32"),
        (ExecutorOptions(precision="tf32"), "needs --device cuda"),
        (ExecutorOptions(device="tpu"), "take one of cpu, cuda"),
        (ExecutorOptions(memory_format="channels_last"), "XLA chooses its own"),
    ],
)
def test_wrong_options_are_one_line(options: ExecutorOptions, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_executor("jax", 1, options)


def test_a_missing_gpu_is_one_line() -> None:
    if any(device.platform == "gpu" for device in jax.devices()):
        pytest.skip("a GPU is here")
    with pytest.raises(InputError, match="JAX sees no cuda device"):
        make_executor("jax", 1, ExecutorOptions(device="cuda"))


def test_dropout_is_said_to_cost_nothing(executor: JaxExecutor) -> None:
    with pytest.raises(InputError, match="no kernel"):
        executor.layer(Configuration("dropout", 1, 8, 6, 6, 8, 6, 6), SEED)


def test_profile_writes_a_platform(tmp_path: Path, executor: JaxExecutor) -> None:
    rows = [CONVOLUTION.as_row(), Configuration("dropout", 1, 8, 6, 6, 8, 6, 6).as_row()]
    table = tmp_path / "rows.csv"
    table.write_text(csv_text(list(rows[0]), rows))
    out = tmp_path / "jax-cpu"
    network = str(PROTOTXTS / "lenet.prototxt") + "@1"
    options = "--executor jax --platform jax-cpu --meter none --network-repeats 1"
    times = "--min-time 20ms --max-time 40ms"
    code = main(["profile", str(table), network, "--out", str(out), *f"{options} {times}".split()])
    assert code == 0
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["executor"]["executor"] == "jax"
    assert "fused by XLA" in manifest["executor"]["fusion"]
    assert {f["reason"].split(":")[0] for f in manifest["failures"]} == {
        "dropout does nothing at inference"
    }
    assert "lenet" in (out / "networks.csv").read_text()
