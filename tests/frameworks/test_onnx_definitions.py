"""Losses, recurrent layers, columns and masks: ONNX's numbers against loops of Caffe's formulas."""

from __future__ import annotations

import math
from typing import Any

import numpy
import pytest
from numpy.typing import NDArray

pytest.importorskip("onnxruntime")

from forms import SEED, one_layer_network, reference

from neuralpower.frameworks.inputs import random_input
from neuralpower.frameworks.onnx.builder import build_network
from neuralpower.frameworks.weights import RandomWeights

Array = NDArray[Any]


def computed(
    kind: str, body: str, *shapes: tuple[int, ...], tops: int = 1
) -> tuple[list[Array], list[Array]]:
    """Inputs (as float64) and outputs of a layer."""
    built = build_network(one_layer_network(kind, body, shapes, tops), SEED)
    inputs = [random_input(spec, SEED).astype(float) for spec in built.inputs]
    return inputs, reference(built)


def weight(index: int, shape: tuple[int, ...]) -> Array:
    kind = "filter" if len(shape) > 1 else "bias"
    return RandomWeights(SEED).blob("l", index, shape, kind).astype(float)


def sigmoid(x: Array) -> Array:
    return 1 / (1 + numpy.exp(-x))


def softmax(x: Array) -> Array:
    e = numpy.exp(x - x.max())
    return numpy.asarray(e / e.sum())


def lstm_unit(gates: Array, cell: Array, marker: float) -> tuple[Array, Array]:
    i, f, o, g = gates.reshape(4, -1)
    made = marker * sigmoid(f) * cell + sigmoid(i) * numpy.tanh(g)
    return made, sigmoid(o) * numpy.tanh(made)


@pytest.mark.parametrize("static", [False, True])
def test_lstm_forgets_where_a_stream_begins(static: bool) -> None:
    shapes: list[tuple[int, ...]] = [(6, 3, 2, 2), (6, 3)] + ([(3, 5)] if static else [])
    (x, markers, *still), (y,) = computed("LSTM", "recurrent_param { num_output: 4 }", *shapes)
    assert set(markers.flat) == {0, 1}
    w, b, u = weight(0, (16, 4)), weight(1, (16,)), weight(3 if static else 2, (16, 4))
    for n in range(3):
        hidden, cell = numpy.zeros(4), numpy.zeros(4)
        for t in range(6):
            gates = w @ x[t, n].reshape(-1) + b + u @ (markers[t, n] * hidden)
            if static:
                gates = gates + weight(2, (16, 5)) @ still[0][n]
            cell, hidden = lstm_unit(gates, cell, markers[t, n])
            numpy.testing.assert_allclose(y[t, n], hidden, rtol=2e-4, atol=2e-6)


def test_lstm_that_shows_its_states_starts_from_given_ones() -> None:
    body = "recurrent_param { num_output: 4 expose_hidden: true }"
    shapes = ((3, 2, 5), (3, 2), (1, 2, 4), (1, 2, 4))
    (x, markers, hidden, cell), tops = computed("LSTM", body, *shapes, tops=3)
    w, b, u = weight(0, (16, 5)), weight(1, (16,)), weight(2, (16, 4))
    for n in range(2):
        h, c = hidden[0, n], cell[0, n]
        for t in range(3):
            c, h = lstm_unit(w @ x[t, n] + b + u @ (markers[t, n] * h), c, markers[t, n])
            numpy.testing.assert_allclose(tops[0][t, n], h, rtol=2e-4, atol=2e-6)
        numpy.testing.assert_allclose(tops[1][0, n], h, rtol=2e-4, atol=2e-6)
        numpy.testing.assert_allclose(tops[2][0, n], c, rtol=2e-4, atol=2e-6)


def test_rnn() -> None:
    body = "recurrent_param { num_output: 4 }"
    (x, markers), (y,) = computed("RNN", body, (5, 2, 3), (5, 2))
    w, b, u = weight(0, (4, 3)), weight(1, (4,)), weight(2, (4, 4))
    v, e = weight(3, (4, 4)), weight(4, (4,))
    for n in range(2):
        h = numpy.zeros(4)
        for t in range(5):
            h = numpy.tanh(w @ x[t, n] + b + u @ (markers[t, n] * h))
            numpy.testing.assert_allclose(y[t, n], numpy.tanh(v @ h + e), rtol=2e-4, atol=2e-6)


def test_lstm_unit() -> None:
    (cell, gates, markers), tops = computed("LSTMUnit", "", (1, 5, 3), (1, 5, 12), (1, 5), tops=2)
    assert 0 < markers.sum() < 5
    for n in range(5):
        for top, expected in zip(
            tops, lstm_unit(gates[0, n], cell[0, n], markers[0, n]), strict=True
        ):
            numpy.testing.assert_allclose(top[0, n], expected, rtol=2e-4, atol=2e-6)


def test_columns_are_channels_and_then_places_of_the_kernel() -> None:
    body = "convolution_param { kernel_h: 2 kernel_w: 3 stride: 2 pad_h: 1 pad_w: 0 dilation: 2 }"
    (x,), (y,) = computed("Im2col", body, (2, 3, 5, 9))
    padded = numpy.pad(x, ((0, 0), (0, 0), (1, 1), (0, 0)))
    assert y.shape == (2, 18, 3, 3)
    for c in range(3):
        for i in range(2):
            for j in range(3):
                places = padded[:, c, 2 * i :: 2, 2 * j :: 2][:, :3, :3]
                numpy.testing.assert_allclose(y[:, c * 6 + i * 3 + j], places, rtol=1e-6)


@pytest.mark.parametrize("pad", [0, 1])
def test_the_mask_of_max_pooling_is_the_place_in_the_channel(pad: int) -> None:
    body = f"pooling_param {{ kernel_size: 3 stride: 2 pad: {pad} }}"
    (x,), (y, mask) = computed("Pooling", body, (2, 3, 7, 8), tops=2)
    for n, c, i, j in numpy.ndindex(*y.shape):
        rows = slice(max(2 * i - pad, 0), min(2 * i - pad + 3, 7))
        columns = slice(max(2 * j - pad, 0), min(2 * j - pad + 3, 8))
        window = x[n, c, rows, columns]
        row, column = numpy.unravel_index(window.argmax(), window.shape)
        assert y[n, c, i, j] == numpy.float32(window.max())
        assert mask[n, c, i, j] == (rows.start + row) * 8 + columns.start + column


@pytest.mark.parametrize(
    ("words", "divisor"),
    [
        ("normalization: VALID", None),
        ("normalization: FULL", 30),
        ("normalization: BATCH_SIZE", 3),
        ("normalization: NONE", 1),
        ("normalize: false", 3),
    ],
)
def test_softmax_loss_leaves_ignored_labels_out(words: str, divisor: int | None) -> None:
    body = f"loss_param {{ ignore_label: 2 {words} }}"
    (x, labels), (loss, share) = computed(
        "SoftmaxWithLoss", body, (3, 4, 2, 5), (3, 1, 2, 5), tops=2
    )
    total, counted = 0.0, 0
    for n, i, j in numpy.ndindex(3, 2, 5):
        p = softmax(x[n, :, i, j])
        numpy.testing.assert_allclose(share[n, :, i, j], p, rtol=1e-5)
        label = int(labels[n, 0, i, j])
        if label != 2:
            total, counted = total - math.log(p[label]), counted + 1
    assert 0 < counted < 30
    assert float(loss) == pytest.approx(total / (divisor or counted), rel=1e-5)


def test_infogain_loss_weighs_all_classes() -> None:
    shapes = ((2, 3, 2, 4), (2, 1, 2, 4), (1, 1, 3, 3))
    (x, labels, gain), (loss,) = computed("InfogainLoss", "", *shapes)
    total = 0.0
    for n, i, j in numpy.ndindex(2, 2, 4):
        p, row = softmax(x[n, :, i, j]), gain[0, 0, int(labels[n, 0, i, j])]
        total -= sum(row[c] * math.log(p[c]) for c in range(3))
    assert float(loss) == pytest.approx(total / 16, rel=1e-4)


def test_accuracy_by_class_and_without_ignored_labels() -> None:
    body = "accuracy_param { top_k: 2 ignore_label: 1 }"
    (x, labels), (share, classes) = computed("Accuracy", body, (4, 5, 2, 3), (4, 2, 3), tops=2)
    hits: dict[int, list[bool]] = {c: [] for c in range(5)}
    for n, i, j in numpy.ndindex(4, 2, 3):
        label = int(labels[n, i, j])
        if label != 1:
            better = (x[n, :, i, j] > x[n, label, i, j]).sum()
            hits[label].append(bool(better < 2))
    every = [hit for found in hits.values() for hit in found]
    assert 0 < sum(every) < len(every) < 24
    assert float(share) == pytest.approx(sum(every) / len(every))
    for c, found in hits.items():
        assert classes[c] == pytest.approx(sum(found) / len(found) if found else 0)


@pytest.mark.parametrize("norm", ["L1", "L2"])
def test_hinge_loss(norm: str) -> None:
    body = f"hinge_loss_param {{ norm: {norm} }}"
    (x, labels), (loss,) = computed("HingeLoss", body, (6, 5), (6,))
    total = 0.0
    for n, c in numpy.ndindex(6, 5):
        sign = -1 if c == int(labels[n]) else 1
        margin = max(0.0, 1 + sign * float(x[n, c]))
        total += margin**2 if norm == "L2" else margin
    assert float(loss) == pytest.approx(total / 6, rel=1e-5)


def test_multinomial_logistic_loss_stops_at_small_probabilities() -> None:
    (x, labels), (loss,) = computed("MultinomialLogisticLoss", "", (6, 5), (6,))
    chosen = [max(x[n, int(labels[n])], 1e-20) for n in range(6)]
    assert min(chosen) == 1e-20
    assert float(loss) == pytest.approx(-sum(map(math.log, chosen)) / 6, rel=1e-5)


def test_sigmoid_cross_entropy_loss() -> None:
    (x, target), (loss,) = computed("SigmoidCrossEntropyLoss", "", (6, 5), (6, 5))
    p = sigmoid(x)
    total = -(target * numpy.log(p) + (1 - target) * numpy.log(1 - p)).sum()
    assert float(loss) == pytest.approx(total / 6, rel=1e-4)


@pytest.mark.parametrize(("margin", "legacy"), [(4, False), (15, True)])
def test_contrastive_loss(margin: int, legacy: bool) -> None:
    body = f"contrastive_loss_param {{ margin: {margin} legacy_version: {str(legacy).lower()} }}"
    (a, b, similar), (loss,) = computed("ContrastiveLoss", body, (8, 5), (8, 5), (8,))
    assert 0 < similar.sum() < 8
    total = 0.0
    for n in range(8):
        squared = ((a[n] - b[n]) ** 2).sum()
        if similar[n]:
            total += squared
        elif legacy:
            total += max(margin - squared, 0)
        else:
            total += max(margin - math.sqrt(squared), 0) ** 2
    assert float(loss) == pytest.approx(total / 16, rel=1e-5)
