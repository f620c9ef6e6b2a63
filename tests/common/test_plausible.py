"""Every rule of what cannot be, with the last value that may be and the first that may not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from neuralpower.core.configuration import Configuration
from neuralpower.core.plausible import broken_rules, implausible

#: A runtime that fits layers of this size.
MS = 1.0


def conv(**changes: Any) -> Configuration:
    sizes = {"out_height": 8, "out_width": 8, "pad_height": 1, "pad_width": 1}
    return Configuration("conv", 1, 6, 8, 8, 4, kernel_height=3, kernel_width=3, **sizes | changes)


def deconv(**changes: Any) -> Configuration:
    sizes = {"out_height": 8, "out_width": 8, "pad_height": 1, "pad_width": 1}
    windows = {"kernel_height": 4, "kernel_width": 4, "stride_height": 2, "stride_width": 2}
    return Configuration("deconv", 1, 6, 4, 4, 4, **sizes | windows | changes)


def relu(channels: int = 4, out: int = 4, batch: int = 1) -> Configuration:
    return Configuration("relu", batch, channels, 1, 1, out, 1, 1)


def fc(macs: int) -> Configuration:
    return Configuration("fc", macs // 10**9, 10**5, 1, 1, 10**4, 1, 1)


CASES: list[tuple[str, Configuration, float]] = [
    # (8 + 2 - 3) / 1 + 1 = 8; one less and one more are other ways to round and to pad.
    *(("", conv(out_height=n), MS) for n in (7, 8, 9)),
    *(("out_height", conv(out_height=n), MS) for n in (6, 10)),
    *(("out_width", conv(out_width=n), MS) for n in (6, 10)),
    # A kernel of 3 with dilation 2 covers 5: 8 + 2 - 5 + 1 = 6.
    *(("", conv(out_height=n, dilation_height=2), MS) for n in (5, 7)),
    *(("out_height", conv(out_height=n, dilation_height=2), MS) for n in (4, 8)),
    # 2 x 3 + 4 - 2 = 8; an output's own padding is at most a stride and a dilation.
    *(("", deconv(out_height=n), MS) for n in (7, 8, 11)),
    *(("out_height", deconv(out_height=n), MS) for n in (6, 12)),
    ("out_width", Configuration("relu", 1, 4, 8, 8, 4, 8, 7), MS),
    ("", conv(groups=2), MS),
    ("groups", conv(groups=4), MS),
    ("groups", conv(groups=3), MS),
    ("", relu(4, 4), MS),
    *(("out_channels", relu(4, n), MS) for n in (3, 5)),
    ("", Configuration("concat", 1, 2, 8, 8, 3, 8, 8, inputs=3), MS),
    ("out_channels", Configuration("concat", 1, 2, 8, 8, 2, 8, 8, inputs=3), MS),
    # 8 bytes for each element of an input and an output: 10^13 bytes, and 8 more.
    ("", relu(1, 1, 10**13 // 8), 1e6),
    ("batch", relu(1, 1, 10**13 // 8 + 1), 1e6),
    # 10^13 MACs in a millisecond, 10^10 elements in a millisecond.
    ("", fc(10**13), 1.0),
    ("runtime_ms", fc(10**13), 0.999),
    ("", relu(1, 1, 10**10), 1.0),
    ("runtime_ms", relu(1, 1, 10**10), 0.999),
    ("", Configuration("dropout", 10**10, 1, 1, 1, 1, 1, 1), 0.001),
    *(("", relu(), ms) for ms in (1e-6, 1e9)),
    *(("runtime_ms", relu(), ms) for ms in (0.99e-6, 1.01e9)),
]


@pytest.mark.parametrize(("column", "configuration", "ms"), CASES)
def test_a_rule_holds_just_inside_and_breaks_just_outside(
    column: str, configuration: Configuration, ms: float
) -> None:
    assert [name for name, _ in broken_rules(configuration, ms)] == ([column] if column else [])


@pytest.mark.parametrize("family", sorted({case[1].family for case in CASES}))
def test_columns_follow_the_same_rules_as_rows(family: str) -> None:
    cases = [case for case in CASES if case[1].family == family]
    names = set(Configuration.__dataclass_fields__) - {"family", "pool_method"}
    columns: Any = {n: np.array([getattr(c, n) for _, c, _ in cases], np.float64) for n in names}
    found = implausible(SimpleNamespace(family=family, **columns), np.array([c[2] for c in cases]))
    assert found.tolist() == [bool(column) for column, _, _ in cases]


def test_the_reason_names_the_output_that_was_to_be_expected() -> None:
    [(_, reason)] = broken_rules(conv(out_height=10), MS)
    assert reason == "conv: an input of 8 gives an output of 8, not 10"
    [(_, reason)] = broken_rules(fc(10**13), 0.5)
    assert reason == "2e+16 multiply-accumulates a second: no device does"
