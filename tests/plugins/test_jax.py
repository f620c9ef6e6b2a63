"""JAX computes what the ONNX builder's models compute; its settings are read back."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy
import pytest
from needed import needed

from neuralpower.core.configuration import Configuration
from neuralpower.core.errors import InputError
from neuralpower.frameworks.protocol import ExecutorOptions
from neuralpower.frameworks.registry import make_executor

jax: Any = needed("jax")
onnxruntime: Any = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")

import jax.numpy as jnp  # noqa: E402
from forms import LAYERS as FORMS  # noqa: E402
from forms import SEED, one_layer_network, reference  # noqa: E402
from neuralpower_jax.executor import JaxExecutor, pool_threads  # noqa: E402
from neuralpower_jax.model import layer_model, network_model  # noqa: E402
from neuralpower_jax.ops.registry import makes  # noqa: E402
from neuralpower_jax.workload import CpuWorkload, ReplayWorkload  # noqa: E402

from neuralpower.caffe.network import load_network  # noqa: E402
from neuralpower.cli import main  # noqa: E402
from neuralpower.core.files import csv_text  # noqa: E402
from neuralpower.frameworks.inputs import random_input  # noqa: E402
from neuralpower.frameworks.onnx.builder import build_layer, build_network  # noqa: E402
from neuralpower.frameworks.onnx.ops.registry import emits  # noqa: E402
from neuralpower.profiling.device_timing import ReplayProtocol, measure_replays  # noqa: E402

pytestmark = pytest.mark.frameworks
PROTOTXTS = Path(__file__).resolve().parents[2] / "prototxts"


@pytest.fixture(scope="module")
def executor() -> Any:
    return make_executor("jax", 1)


def run(model: Any, number: int = 0) -> list[Any]:
    made = jax.jit(model)(tuple(model.parameters), model.feed(SEED, number))
    return [numpy.asarray(value) for value in made]


def of_layer(layer: Configuration, executor: JaxExecutor, dtype: Any = jnp.float32) -> Any:
    return layer_model(layer, executor._device, dtype, SEED)


@pytest.mark.parametrize(("kind", "body", "shapes", "tops"), FORMS)
def test_every_layer_type_computes_what_onnx_does(
    executor: JaxExecutor, kind: str, body: str, shapes: tuple[tuple[int, ...], ...], tops: int
) -> None:
    network = one_layer_network(kind, body, shapes, tops)
    expected = reference(build_network(network, SEED))
    actual = run(network_model(network, executor._device, jnp.float32, SEED))
    assert len(actual) == tops
    for ours, theirs in zip(actual, expected, strict=True):
        assert ours.shape == theirs.shape
        numpy.testing.assert_allclose(ours, theirs, rtol=2e-4, atol=2e-5)


def test_jax_has_every_operation_that_onnx_has() -> None:
    assert set(makes) == set(emits)


def test_stochastic_pooling_weighs_a_window_by_itself(executor: JaxExecutor) -> None:
    body = "pooling_param { pool: STOCHASTIC kernel_size: 2 stride: 2 }"
    network = one_layer_network("Pooling", body, ((2, 3, 6, 6),), 1)
    (y,) = run(network_model(network, executor._device, jnp.float32, SEED))
    x = random_input(build_network(network).inputs[0], SEED).reshape(2, 3, 3, 2, 3, 2)
    numpy.testing.assert_allclose(y, (x**2).sum((3, 5)) / x.sum((3, 5)), rtol=1e-3)


@pytest.mark.parametrize("name", ["lenet", "squeezenet_v1_1", "mobilenet_v1", "resnet18"])
def test_networks_compute_what_onnx_does(executor: JaxExecutor, name: str) -> None:
    network = load_network(PROTOTXTS / f"{name}.prototxt", batch=1)
    expected = reference(build_network(network, SEED))
    workload: Any = executor.network(network, SEED)
    workload.call()
    for ours, theirs in zip(workload.outputs[0], expected, strict=True):
        assert ours.shape == theirs.shape
        numpy.testing.assert_allclose(ours, theirs, rtol=5e-3, atol=1e-5)
    workload.close()


def test_a_layer_without_a_jax_form_is_named(executor: JaxExecutor) -> None:
    network = load_network(PROTOTXTS / "ssd300.prototxt", batch=1)
    with pytest.raises(InputError, match=r"\(DetectionOutput\): this layer type has no"):
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
    # No array among the constants: scalars are in parentheses without braces.
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
