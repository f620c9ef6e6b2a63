"""Layers that multiply matrices: InnerProduct, Embed, and the recurrent ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from neuralpower.caffe.caffe_pb2 import LayerParameter
from neuralpower.caffe.fillers import check_filler
from neuralpower.caffe.operation import LayerFacts, Operation, operation
from neuralpower.caffe.registry import Setup, layer_type
from neuralpower.caffe.shapes import Shape, axis_index, check, count, dim, shape_text


@layer_type("FcRistretto", "InnerProductRistretto", "SqueezeInnerProduct", fork=True)
def inner_product_of_forks(setup: Setup) -> list[Shape]:
    """As InnerProduct."""
    return inner_product(setup)


@layer_type("MarginInnerProduct", "NormInnerProduct", bottoms=(1, 2), tops=(1, 2), fork=True)
def margin_inner_product(setup: Setup) -> list[Shape]:
    """SphereFace: cosines with a learnt weight [out, in] for each class, and perhaps a number."""
    param, bottom = setup.param.inner_product_param, setup.bottom
    axis = axis_index(bottom, param.axis)
    outputs, inputs, rows = param.num_output, count(bottom, axis), count(bottom, 0, axis)
    setup.params = [(outputs, inputs)]
    setup.macs = rows * inputs * outputs
    return [(*bottom[:axis], outputs), (1,)][: setup.n_tops]


@layer_type("Lstm", bottoms=(1, 2), fork=True)
def lstm_of_ctpn(setup: Setup) -> list[Shape]:
    """[steps, streams, H]: weights of the input [4H, I] and the state [4H, H], bias [4H]."""
    bottom, hidden = setup.bottom, setup.param.lstm_param.num_output
    check(len(bottom) >= 2, "the first bottom needs the axes steps, streams, ...")
    check(hidden > 0, "num_output must be positive")
    steps, streams, inputs = bottom[0], bottom[1], count(bottom, 2)
    setup.params = [(4 * hidden, inputs), (4 * hidden, hidden), (4 * hidden,)]
    setup.macs = steps * streams * 4 * hidden * (inputs + hidden)
    return [(steps, streams, hidden)]


@layer_type("InnerProduct")
def inner_product(setup: Setup) -> list[Shape]:
    """[..., num_output]: the axes from ``axis`` on are flattened; weights [out, in], bias [out]."""
    param, bottom = setup.param.inner_product_param, setup.bottom
    axis = axis_index(bottom, param.axis)
    outputs, inputs, rows = param.num_output, count(bottom, axis), count(bottom, 0, axis)
    weight = (inputs, outputs) if param.transpose else (outputs, inputs)
    setup.params = [weight, (outputs,)] if param.bias_term else [weight]
    check_filler(setup, param.weight_filler, weight)
    if param.bias_term:
        check_filler(setup, param.bias_filler, (outputs,))
        setup.expect(rows > 0, "the batch is empty")
    setup.macs = rows * inputs * outputs
    return [(*bottom[:axis], outputs)]


@layer_type("Embed")
def embed(setup: Setup) -> list[Shape]:
    """A row of the weights [input_dim, num_output] for each element; bias [num_output]."""
    param, bottom = setup.param.embed_param, setup.bottom
    check(param.num_output > 0, "num_output must be positive")
    check(param.input_dim > 0, "input_dim must be positive")
    weight = (param.input_dim, param.num_output)
    setup.params = [weight, (param.num_output,)] if param.bias_term else [weight]
    check_filler(setup, param.weight_filler, weight)
    if param.bias_term:
        check_filler(setup, param.bias_filler, (param.num_output,))
        setup.expect(count(bottom) > 0, "the input is empty")
    return [(*bottom, param.num_output)]


def _recurrent_bottoms(states: int) -> Callable[[LayerParameter], tuple[int, int]]:
    """Sequence and continuation markers, the exposed states, and perhaps a static input."""

    def rule(param: LayerParameter) -> tuple[int, int]:
        least = 2 + states * param.recurrent_param.expose_hidden
        return least, least + 1

    return rule


def _recurrent_tops(states: int) -> Callable[[LayerParameter], tuple[int, int]]:
    def rule(param: LayerParameter) -> tuple[int, int]:
        number = 1 + states * param.recurrent_param.expose_hidden
        return number, number

    return rule


@layer_type("LSTM", bottoms=_recurrent_bottoms(2), tops=_recurrent_tops(2))
def lstm(setup: Setup) -> list[Shape]:
    """Weights of the input [4H, I], bias [4H], perhaps static [4H, S], and hidden state [4H, H]."""
    steps, streams, inputs, static = _sequence(setup, states=2)
    hidden = setup.param.recurrent_param.num_output
    gates = 4 * hidden
    setup.params = [(gates, inputs), (gates,)]
    if static is not None:
        setup.params.append((gates, static))
    setup.params.append((gates, hidden))
    _check_recurrent_fillers(setup)
    setup.macs = streams * gates * (steps * (inputs + hidden) + (static or 0))
    return _recurrent_outputs(setup, steps, streams, hidden)


@layer_type("RNN", bottoms=_recurrent_bottoms(1), tops=_recurrent_tops(1))
def rnn(setup: Setup) -> list[Shape]:
    """Weights [H, I], bias [H], perhaps static [H, S], state [H, H], output [H, H], bias [H]."""
    steps, streams, inputs, static = _sequence(setup, states=1)
    hidden = setup.param.recurrent_param.num_output
    setup.params = [(hidden, inputs), (hidden,)]
    if static is not None:
        setup.params.append((hidden, static))
    setup.params += [(hidden, hidden), (hidden, hidden), (hidden,)]
    _check_recurrent_fillers(setup)
    setup.macs = streams * hidden * (steps * (inputs + 2 * hidden) + (static or 0))
    return _recurrent_outputs(setup, steps, streams, hidden)


def _sequence(setup: Setup, states: int) -> tuple[int, int, int, int | None]:
    """(steps, streams, inputs a step, static inputs or None) of a recurrent layer; checked."""
    param, bottoms = setup.param.recurrent_param, setup.bottoms
    sequence, markers = bottoms[0], bottoms[1]
    check(len(sequence) >= 2, "the first bottom needs the axes steps, streams, ...")
    steps, streams = sequence[:2]
    check(
        markers == (steps, streams),
        f"the second bottom must be {steps}x{streams} (steps, streams), not {shape_text(markers)}",
    )
    check(param.num_output > 0, "num_output must be positive")
    check(len(sequence) >= 3, "the first bottom needs an axis of inputs after steps and streams")
    exposed = states if param.expose_hidden else 0
    static = None
    if len(bottoms) > 2 + exposed:
        check(dim(bottoms[2], 0) == streams, "the static input needs one row a stream")
        check(len(bottoms[2]) >= 2, "the static input needs an axis of inputs")
        static = count(bottoms[2], 1)
    state = (1, streams, param.num_output)
    for shape in bottoms[len(bottoms) - exposed :] if exposed else []:
        check(
            shape == state, f"a hidden state must be {shape_text(state)}, not {shape_text(shape)}"
        )
    setup.expect(count(sequence) > 0, "the sequence is empty")
    return steps, streams, count(sequence, 2), static


def _check_recurrent_fillers(setup: Setup) -> None:
    param = setup.param.recurrent_param
    for shape in setup.params:
        check_filler(setup, param.weight_filler if len(shape) == 2 else param.bias_filler, shape)


def _recurrent_outputs(setup: Setup, steps: int, streams: int, hidden: int) -> list[Shape]:
    state: Shape = (1, streams, hidden)
    return [(steps, streams, hidden), *[state] * (setup.n_tops - 1)]


@layer_type("LSTMUnit", bottoms=(3, 3), tops=(2, 2))
def lstm_unit(setup: Setup) -> list[Shape]:
    """One step of an LSTM: cell state [1, N, D], gates [1, N, 4D], markers [1, N]."""
    state, gates, markers = setup.bottoms
    check(len(state) == 3 and len(gates) == 3 and len(markers) == 2, "axes are 3, 3 and 2")
    check(state[0] == gates[0] == markers[0] == 1, "LSTMUnit takes one step at a time")
    check(state[1] == gates[1] == markers[1], "all bottoms need the same number of streams")
    check(gates[2] == 4 * state[2], f"{gates[2]} gates are not four times {state[2]} units")
    setup.macs = 3 * count(state)
    return [state, state]


@dataclass(frozen=True, slots=True)
class InnerProduct(Operation):
    """The input, as a matrix of ``rows`` x ``inputs``, times the filter, and perhaps a bias.

    The filter is [outputs, inputs], ``transposed`` [inputs, outputs].
    """

    rows: int
    inputs: int
    outputs: int
    transposed: bool


class Embed(Operation):
    """A row of the first parameter for each index, and perhaps a bias."""

    @property
    def whole_numbers(self) -> Mapping[int, int]:
        """The indices."""
        return {0: self.weights[0].shape[0]}


@dataclass(frozen=True, slots=True)
class Recurrent(Operation):
    """A sequence [steps, streams, ...] through one cell after the other.

    Inputs: the sequence, the markers [steps, streams] (0 where a stream begins anew), a ``static``
    input and, ``exposed``, the first hidden states. Outputs: [steps, streams, units] and,
    ``exposed``, the last hidden states. Parameters as of the shape functions above.
    """

    static: bool
    exposed: bool
    units: int

    @property
    def whole_numbers(self) -> Mapping[int, int]:
        """The markers."""
        return {1: 2}

    @property
    def steps(self) -> int:
        """Steps of the sequence."""
        return self.bottom[0]

    @property
    def streams(self) -> int:
        """Sequences side by side."""
        return self.bottom[1]

    @property
    def inputs(self) -> int:
        """Numbers of a step of a stream."""
        return math.prod(self.bottom[2:])

    @property
    def static_inputs(self) -> int:
        """Numbers of a stream's static input."""
        return math.prod(self.bottoms[2][1:]) if self.static else 0

    @property
    def states(self) -> tuple[int, ...]:
        """Positions of the inputs that are first hidden states."""
        first = 3 if self.static else 2
        return tuple(range(first, len(self.bottoms)))


class LSTM(Recurrent):
    """LSTM without peepholes (Hochreiter and Schmidhuber 1997; Donahue et al. 2015).

    Gates in the order input, forget, output, candidate; the states are hidden and cell.
    """


class RNN(Recurrent):
    """h = tanh(W_h h' + W_x x + b), o = tanh(W_o h + b_o); the output is o, the state h."""


class LSTMUnit(Operation):
    """One step of an LSTM: cell state, gates (before their functions) and markers to cell state
    and hidden state.
    """

    @property
    def whole_numbers(self) -> Mapping[int, int]:
        """The markers."""
        return {2: 2}


@operation("InnerProduct")
def inner_product_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """The axes from ``axis`` on are flattened."""
    options, bottom = param.inner_product_param, layer.bottoms[0]
    axis = axis_index(bottom, options.axis)
    rows, inputs = count(bottom, 0, axis), count(bottom, axis)
    return InnerProduct(layer, rows, inputs, options.num_output, options.transpose)


@operation("Embed", kinds="gain bias")
def embed_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """The table is its parameter."""
    return Embed(layer)


def _recurrent(layer: LayerFacts, param: LayerParameter, states: int) -> tuple[bool, bool, int]:
    options = param.recurrent_param
    static = len(layer.bottoms) > 2 + states * options.expose_hidden
    return static, options.expose_hidden, options.num_output


@operation("LSTM")
def lstm_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """Two states: hidden and cell."""
    return LSTM(layer, *_recurrent(layer, param, 2))


@operation("RNN")
def rnn_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """One state."""
    return RNN(layer, *_recurrent(layer, param, 1))


@operation("LSTMUnit")
def lstm_unit_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """It has no parameters."""
    return LSTMUnit(layer)
