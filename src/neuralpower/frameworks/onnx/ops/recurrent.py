"""Recurrent layers, written out step by step as Caffe unrolls them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy

from neuralpower.caffe.layers.dense import LSTM, RNN, LSTMUnit, Recurrent
from neuralpower.frameworks.onnx.ops.graph import Graph
from neuralpower.frameworks.onnx.ops.registry import emits


@emits(LSTM)
def lstm(graph: Graph, op: LSTM, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """Gates from the input, the static input and the hidden state, then the unit."""
    recurrent = graph.weight(op.weights[-1])
    parts, markers, (hidden, cell) = _begin(graph, op, bottoms, 4 * op.units, states=2)
    outputs = []
    for part, marker in zip(parts, markers, strict=True):
        kept = graph.op("Mul", [hidden, marker])
        gates = graph.op("Gemm", [kept, recurrent, part], transB=1)
        cell, hidden = _unit(graph, op.layer.name, gates, cell, marker)
        outputs.append(graph.reshape(hidden, (1, op.streams, op.units)))
    graph.op("Concat", outputs, tops[0], axis=0)
    for top, state in zip(tops[1:], (hidden, cell), strict=False):
        graph.reshape(state, (1, op.streams, op.units), top)


@emits(RNN)
def rnn(graph: Graph, op: RNN, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """A hidden state, and an output of it at every step."""
    recurrent, matrix, bias = (graph.weight(weight) for weight in op.weights[-3:])
    parts, markers, (hidden,) = _begin(graph, op, bottoms, op.units, states=1)
    outputs = []
    for part, marker in zip(parts, markers, strict=True):
        kept = graph.op("Mul", [hidden, marker])
        hidden = graph.op("Tanh", [graph.op("Gemm", [kept, recurrent, part], transB=1)])
        made = graph.op("Tanh", [graph.op("Gemm", [hidden, matrix, bias], transB=1)])
        outputs.append(graph.reshape(made, (1, op.streams, op.units)))
    graph.op("Concat", outputs, tops[0], axis=0)
    for top in tops[1:]:
        graph.reshape(hidden, (1, op.streams, op.units), top)


def _begin(
    graph: Graph, op: Recurrent, bottoms: Sequence[str], width: int, states: int
) -> tuple[list[str], list[str], list[str]]:
    """What the inputs give at every step [streams, width], the markers, the first states."""
    matrix, bias = (graph.weight(weight) for weight in op.weights[:2])
    flat = graph.reshape(bottoms[0], (op.steps * op.streams, op.inputs))
    made = graph.op("Gemm", [flat, matrix, bias], transB=1)
    if op.static:
        still = graph.reshape(bottoms[2], (op.streams, op.static_inputs))
        added = graph.op("Gemm", [still, graph.weight(op.weights[2])], transB=1)
        made = graph.reshape(made, (op.steps, op.streams, width))
        made = graph.op("Add", [made, added])
    parts = _steps(graph, graph.reshape(made, (op.steps, op.streams, width)), op.steps, width)
    marks = graph.reshape(bottoms[1], (op.steps, op.streams, 1))
    shape = (op.streams, op.units)
    if op.exposed:
        first = [graph.reshape(bottoms[position], shape) for position in op.states]
    else:
        first = [graph.constant(numpy.zeros(shape, numpy.float32)) for _ in range(states)]
    return parts, _steps(graph, marks, op.steps, 1), first


def _steps(graph: Graph, value: str, steps: int, width: int) -> list[str]:
    """A value [steps, streams, width] as one [streams, width] per step."""
    names = [graph.fresh(f"{value}/step{number}") for number in range(steps)]
    graph.ops("Split", [value, graph.integers([1] * steps)], names, {"axis": 0})
    return [graph.op("Squeeze", [name, graph.integers([0])]) for name in names]


@emits(LSTMUnit)
def lstm_unit(graph: Graph, op: LSTMUnit, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """One step of an LSTM by itself."""
    _, streams, units = op.bottom
    cell = graph.reshape(bottoms[0], (streams, units))
    gates = graph.reshape(bottoms[1], (streams, 4 * units))
    marker = graph.reshape(bottoms[2], (streams, 1))
    for state, top in zip(_unit(graph, op.layer.name, gates, cell, marker), tops, strict=True):
        graph.reshape(state, (1, streams, units), top)


def _unit(graph: Graph, scope: str, gates: str, cell: str, marker: str) -> tuple[str, str]:
    """Cell state and hidden state [streams, units] of gates [streams, 4 units]."""
    names = [graph.fresh(f"{scope}/{name}") for name in ("input", "forget", "output", "candidate")]
    graph.ops("Split", [gates], names, {"axis": 1})
    taken, forget, output = (graph.op("Sigmoid", [name]) for name in names[:3])
    kept = graph.op("Mul", [graph.op("Mul", [forget, marker]), cell])
    added = graph.op("Mul", [taken, graph.op("Tanh", [names[3]])])
    made = graph.op("Add", [kept, added])
    return made, graph.op("Mul", [output, graph.op("Tanh", [made])])
