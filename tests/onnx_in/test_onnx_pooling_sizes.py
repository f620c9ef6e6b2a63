"""The sizes of a pooling that a model gives are those that Caffe's pooling gives."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from neuralpower.caffe.network import parse_network
from neuralpower.core.errors import InputError
from neuralpower.onnx_in.operators.windows import _pooled


@given(
    size=st.integers(1, 40), kernel=st.integers(1, 8), stride=st.integers(1, 9),
    pad=st.integers(0, 4), down=st.booleans(),
)  # fmt: skip
def test_pooled_sizes(size: int, kernel: int, stride: int, pad: int, down: bool) -> None:
    assume(pad < kernel <= size + 2 * pad)
    options = f"kernel_size: {kernel} stride: {stride} pad: {pad}"
    options += " round_mode: FLOOR" if down else ""
    text = (
        "layer { name: 'x' type: 'Input' top: 'x' input_param { shape "
        f"{{ dim: 1 dim: 1 dim: {size} dim: {size} }} }} }}\n"
        "layer { name: 'p' type: 'Pooling' bottom: 'x' top: 'p' "
        f"pooling_param {{ {options} }} }}"
    )
    try:
        (top,) = parse_network(text).layers[-1].top_shapes
    except InputError:
        return
    assert top is None or top[2] == _pooled(size, kernel, stride, pad, down, pad > 0)
