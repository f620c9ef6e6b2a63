from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from network_doubles import LinearModel, PlainModels, layer, network_of, small_network

from neuralpower.caffe.network import load_network
from neuralpower.networks import text
from neuralpower.networks.composition import predict_networks

ROOT = Path(__file__).parents[2]
MODELS = PlainModels(
    {
        (family, target): LinearModel(0.123456, widest=15)
        for family in ("conv", "fc")
        for target in ("runtime_ms", "power_w")
    }
)


def test_tables_fit_a_terminal_of_100_columns_even_with_long_names() -> None:
    long = [replace(layer(i, "conv", 10**6), name="inception_5b/" * 9) for i in range(3)]
    rows = predict_networks([small_network(), network_of("long" * 8, long)], MODELS)
    printed = text.prediction_text(rows)
    assert max(map(len, printed.splitlines())) <= text.WIDTH
    assert "small, batch 4" in printed
    assert "covers 3 of 4 computing layers" in printed


@pytest.mark.parametrize(
    "path", sorted((ROOT / "prototxts").glob("*.prototxt")), ids=lambda path: str(path.stem)
)
def test_the_layers_of_our_networks_can_be_distinguished_on_a_terminal(path: Path) -> None:
    network = load_network(path, batch=64)
    printed = text.prediction_text(predict_networks([network], MODELS))
    assert max(map(len, printed.splitlines())) <= text.WIDTH
    rows = printed.splitlines()[2 : 2 + len(network.layers)]
    names = [row.split("  ")[0] for row in rows]
    assert len(set(names)) == len({layer.name for layer in network.layers})


def test_power_columns_go_when_nothing_has_power() -> None:
    models = PlainModels({("conv", "runtime_ms"): LinearModel(1.0)})
    printed = text.prediction_text(predict_networks([small_network()], models))
    assert "energy" not in printed
    assert "runtime ms" in printed


def test_a_name_cannot_steer_a_terminal_or_break_a_markdown_table() -> None:
    evil = replace(layer(0, "conv", 10), name="\x1b[2J|<script>")
    rows = predict_networks([network_of("evil", [evil])], MODELS)
    assert "\x1b" not in text.prediction_text(rows)
    markdown = text.prediction_markdown(rows)
    assert "\x1b" not in markdown
    assert r"\|\<script\>" in markdown


@given(st.floats(1e-4, 1e8))
def test_numbers_keep_their_significant_digits(value: float) -> None:
    printed = text.number(value)
    assert abs(float(printed) - value) <= 0.00501 * value
    assert "e" not in printed


def test_rows_of_any_table_are_cut_into_blocks() -> None:
    columns = [f"column_{i}" for i in range(30)]
    printed = text.rows_text(columns, [dict.fromkeys(columns, 1.5)])
    assert max(map(len, printed.splitlines())) <= text.WIDTH
    assert all(name in printed for name in columns)
