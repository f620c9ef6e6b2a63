"""Extrapolation is said with the size, and how far it is from what was measured."""

from __future__ import annotations

from typing import Any

import pytest

from neuralpower.reporting.answer_section import marks
from neuralpower.reporting.beyond import Beyond
from neuralpower.reporting.layer_section import trust

RANGES = {
    "conv": {"batch": (4.0, 32.0), "out_channels": (8.0, 512.0), "pad_height": (0.0, 0.0)},
    "fc": {"in_channels": (2.0, 4096.0)},
}
LAYERS: list[dict[str, Any]] = [
    {"index": 0.0, "name": "conv1", "out_channels": "768", "pad_height": "3"},
    {"index": 1.0, "name": "fc6", "in_channels": "256", "in_height": "6", "in_width": "6"},
]


def row(index: float, family: str, extrapolates: str | None, share: float = 0.5) -> dict[str, Any]:
    return {"index": index, "name": LAYERS[int(index)]["name"], "family": family, "batch": 1.0,
            "extrapolates": extrapolates, "runtime_share": share, "note": None}  # fmt: skip


def beyond() -> Beyond:
    return Beyond.of(lambda family: RANGES.get(family, {}), LAYERS)


@pytest.mark.parametrize(
    ("index", "family", "column", "words"),
    [
        (0, "conv", "out_channels", "output channels 768: 50 % above the largest measured (512)"),
        (0, "conv", "batch", "batch 1: 1/4 of the least measured (4)"),
        # A whole map is one vector for an inner product.
        (1, "fc", "in_channels", "input channels 9216: 2.2 times the largest measured (4096)"),
        (0, "conv", "pad_height", "padding height 3: above the largest measured (0)"),
        (0, "pool", "pool_method", "beyond the measured pooling method"),
        (0, "conv", "stride_width", "beyond the measured stride width"),
    ],
)
def test_the_size_and_how_far_it_is(index: int, family: str, column: str, words: str) -> None:
    assert trust(row(index, family, column), beyond()) == [words]


def test_small_shares_and_layers_within_say_nothing() -> None:
    assert trust(row(0, "conv", "out_channels", share=0.009), beyond()) == []
    assert trust(row(0, "conv", None), beyond()) == []


def test_the_answer_names_the_farthest_layer_that_counts() -> None:
    total = {"note": "", "extrapolates": "", "batch": 1.0, "name": "TOTAL", "index": None}
    rows = [row(0, "conv", "batch", share=0.001), row(1, "fc", "in_channels"), total]
    assert marks(rows, beyond()) == [
        "2 layers with 50.1 % of the runtime beyond what was measured; farthest: fc6, input "
        "channels 9216: 2.2 times the largest measured (4096)"
    ]
