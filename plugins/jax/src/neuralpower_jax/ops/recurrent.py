"""Recurrent layers as scans over their steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from neuralpower.caffe.layers.dense import LSTM, RNN, LSTMUnit, Recurrent
from neuralpower_jax.ops.registry import Forward, Store, makes


@makes(LSTM)
def lstm(op: LSTM, store: Store) -> Forward:
    """Gates from the input, the static input and the hidden state, then the unit."""
    slots = [store.weight(weight) for weight in op.weights]

    def run(parameters: Sequence[Any], values: Sequence[Any]) -> Sequence[Any]:
        weights = [parameters[slot] for slot in slots]

        def step(state: Any, given: Any) -> Any:
            (hidden, cell), (part, marker) = state, given
            gates = part + (hidden * marker) @ weights[-1].T
            cell, hidden = _unit(gates, cell, marker)
            return (hidden, cell), hidden

        parts, markers, first = _begin(op, weights, values, states=2)
        (hidden, cell), outputs = lax.scan(step, first, (parts, markers))
        return (outputs, hidden[None], cell[None])[: len(op.tops)]

    return run


@makes(RNN)
def rnn(op: RNN, store: Store) -> Forward:
    """A hidden state, and an output of it at every step."""
    slots = [store.weight(weight) for weight in op.weights]

    def run(parameters: Sequence[Any], values: Sequence[Any]) -> Sequence[Any]:
        weights = [parameters[slot] for slot in slots]
        recurrent, matrix, bias = weights[-3:]

        def step(state: Any, given: Any) -> Any:
            (hidden,), (part, marker) = state, given
            hidden = jnp.tanh(part + (hidden * marker) @ recurrent.T)
            return (hidden,), jnp.tanh(hidden @ matrix.T + bias)

        parts, markers, first = _begin(op, weights, values, states=1)
        (hidden,), outputs = lax.scan(step, first, (parts, markers))
        return (outputs, hidden[None])[: len(op.tops)]

    return run


def _begin(
    op: Recurrent, weights: Sequence[Any], values: Sequence[Any], states: int
) -> tuple[Any, Any, tuple[Any, ...]]:
    """The parts of every step [steps, streams, width], the markers and the first states."""
    flat = values[0].reshape(op.steps, op.streams, op.inputs)
    parts = flat @ weights[0].T + weights[1]
    if op.static:
        parts = parts + values[2].reshape(op.streams, op.static_inputs) @ weights[2].T
    markers = values[1].reshape(op.steps, op.streams, 1).astype(parts.dtype)
    shape = (op.streams, op.units)
    if op.exposed:
        return parts, markers, tuple(values[position].reshape(shape) for position in op.states)
    return parts, markers, (jnp.zeros(shape, parts.dtype),) * states


@makes(LSTMUnit)
def lstm_unit(op: LSTMUnit, store: Store) -> Forward:
    """One step of an LSTM by itself."""

    def run(parameters: Sequence[Any], values: Sequence[Any]) -> Sequence[Any]:
        cell, gates, markers = values
        made, hidden = _unit(gates[0], cell[0], markers[0][:, None].astype(cell.dtype))
        return made[None], hidden[None]

    return run


def _unit(gates: Any, cell: Any, marker: Any) -> tuple[Any, Any]:
    """Cell state and hidden state [streams, units] of gates [streams, 4 units]."""
    taken, forget, output, candidate = jnp.split(gates, 4, 1)
    kept = jax.nn.sigmoid(forget) * marker * cell
    made = kept + jax.nn.sigmoid(taken) * jnp.tanh(candidate)
    return made, jax.nn.sigmoid(output) * jnp.tanh(made)
