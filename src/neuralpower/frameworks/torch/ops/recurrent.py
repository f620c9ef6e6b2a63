"""Recurrent layers, step by step as Caffe unrolls them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy
import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from torch import Tensor

from neuralpower.caffe.layers.dense import LSTM, RNN, LSTMUnit, Recurrent
from neuralpower.frameworks.torch.ops.registry import Forward, Store, makes


@makes(LSTM)
def lstm(op: LSTM, store: Store) -> Forward:
    """Gates from the input, the static input and the hidden state, then the unit."""
    weights = [store.weight(weight) for weight in op.weights]
    begin = _begin(op, store, weights, states=2)

    def run(values: Sequence[Tensor]) -> Sequence[Tensor]:
        parts, markers, (hidden, cell) = begin(values)
        outputs = []
        for part, marker in zip(parts, markers, strict=True):
            gates = torch.addmm(part, hidden * marker, weights[-1].t())
            cell, hidden = _unit(gates, cell, marker)
            outputs.append(hidden)
        return (torch.stack(outputs), hidden[None], cell[None])[: len(op.tops)]

    return run


@makes(RNN)
def rnn(op: RNN, store: Store) -> Forward:
    """A hidden state, and an output of it at every step."""
    weights = [store.weight(weight) for weight in op.weights]
    recurrent, matrix, bias = weights[-3:]
    begin = _begin(op, store, weights, states=1)

    def run(values: Sequence[Tensor]) -> Sequence[Tensor]:
        parts, markers, (hidden,) = begin(values)
        outputs = []
        for part, marker in zip(parts, markers, strict=True):
            hidden = torch.tanh(torch.addmm(part, hidden * marker, recurrent.t()))
            outputs.append(torch.tanh(F.linear(hidden, matrix, bias)))
        return (torch.stack(outputs), hidden[None])[: len(op.tops)]

    return run


#: Parts of every step [streams, width], the markers [streams, 1], the first states.
Begun = tuple[Sequence[Tensor], Sequence[Tensor], list[Tensor]]


def _begin(
    op: Recurrent, store: Store, weights: Sequence[Tensor], states: int
) -> Callable[[Sequence[Tensor]], Begun]:
    """What begins a pass: its steps' parts, markers and states."""
    shape = (op.streams, op.units)
    zeros = store.constant(numpy.zeros(shape, numpy.float32))

    def begin(values: Sequence[Tensor]) -> Begun:
        flat = values[0].reshape(op.steps, op.streams, op.inputs)
        parts = F.linear(flat, weights[0], weights[1])
        if op.static:
            still = values[2].reshape(op.streams, op.static_inputs)
            parts = parts + F.linear(still, weights[2])
        markers = values[1].reshape(op.steps, op.streams, 1).to(parts.dtype)
        first = [zeros] * states
        if op.exposed:
            first = [values[position].reshape(shape) for position in op.states]
        return parts.unbind(0), markers.unbind(0), first

    return begin


@makes(LSTMUnit)
def lstm_unit(op: LSTMUnit, store: Store) -> Forward:
    """One step of an LSTM by itself."""

    def run(values: Sequence[Tensor]) -> Sequence[Tensor]:
        cell, gates, markers = values
        made, hidden = _unit(gates[0], cell[0], markers[0][:, None].to(cell.dtype))
        return made[None], hidden[None]

    return run


def _unit(gates: Tensor, cell: Tensor, marker: Tensor) -> tuple[Tensor, Tensor]:
    """Cell state and hidden state [streams, units] of gates [streams, 4 units]."""
    taken, forget, output, candidate = gates.chunk(4, 1)
    kept = torch.sigmoid(forget) * marker * cell
    made = kept + torch.sigmoid(taken) * torch.tanh(candidate)
    return made, torch.sigmoid(output) * torch.tanh(made)
