from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuralpower.modeling.bands import interval_from_json
from neuralpower.modeling.features import FeatureTable
from neuralpower.modeling.forms import bend_from_json
from neuralpower.modeling.libraries import LIBRARIES, paper
from neuralpower.modeling.members import equation_from_json
from neuralpower.modeling.terms import (
    INTERCEPT,
    Factor,
    Term,
    TermTable,
    product,
    term_from_json,
    term_name,
    term_to_json,
)
from neuralpower.modeling.vocabularies import varying

COLUMNS = {
    "batch": np.array([1.0, 4.0, 16.0]),
    "in_channels": np.array([3.0, 64.0, 128.0]),
    "out_channels": np.array([64.0, 64.0, 256.0]),
    "out_height": np.array([55.0, 28.0, 7.0]),
    "out_width": np.array([55.0, 28.0, 7.0]),
    "kernel_height": np.array([11.0, 3.0, 1.0]),
    "kernel_width": np.array([11.0, 3.0, 1.0]),
    "groups": np.array([1.0, 2.0, 1.0]),
}

factors = st.builds(
    Factor,
    st.sampled_from(["batch", "macs", "in_channels", "output_elements"]),
    st.sampled_from(["power", "log", "above", "below"]),
    st.sampled_from([1.0, 2.0]),
)
terms = st.lists(factors, max_size=3).map(lambda parts: product(tuple(parts)))


def test_macs_by_hand() -> None:
    values = FeatureTable(COLUMNS, "conv")["macs"]
    assert values.tolist() == [
        55 * 55 * 64 * 11 * 11 * 3,
        4 * 28 * 28 * 64 * 3 * 3 * 32,
        16 * 7 * 7 * 256 * 128,
    ]


def test_tiles_round_up() -> None:
    table = FeatureTable({"batch": np.array([1.0]), "out_channels": np.array([65.0])}, "conv")
    # One row and 65 columns of output in tiles of 64 x 64: two tiles.
    assert table["tiled_64x64"].tolist() == [2 * 64 * 64]


@pytest.mark.parametrize(
    ("term", "name"),
    [
        (INTERCEPT, "1"),
        ((Factor("macs"),), "macs"),
        ((Factor("output_elements", "power", 0.5),), "sqrt(output_elements)"),
        (product((Factor("out_channels"),), (Factor("batch"),)), "batch*out_channels"),
        (product((Factor("batch"),), (Factor("batch"),)), "batch^2"),
        ((Factor("macs", "above", 12.5),), "max(0, log(macs) - 12.5)"),
        ((Factor("groups", "equals", 1.0),), "[groups = 1]"),
    ],
)
def test_names_are_readable(term: Term, name: str) -> None:
    assert term_name(term) == name


@given(terms, terms)
def test_product_multiplies_values(a: Term, b: Term) -> None:
    table = TermTable(FeatureTable(COLUMNS, "conv"))
    shared = {f for f in a if f.function in ("above", "below")} & set(b)
    if not shared:  # a hinge times itself stays one hinge: it bends, it does not curve
        np.testing.assert_allclose(table[product(a, b)], table[a] * table[b], rtol=1e-12)
    assert product(a, b) == product(b, a)


@given(terms)
def test_json_round_trip(term: Term) -> None:
    assert term_from_json(term_to_json(term)) == term


@pytest.mark.parametrize(
    "value", [[["nothing", "power", 1.0]], [["macs", "import os", 1.0]], [["macs", "power"]]]
)
def test_foreign_terms_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"unknown|unpack"):
        term_from_json(value)


def test_every_library_is_finite_and_starts_with_the_intercept() -> None:
    generator = np.random.default_rng(1)
    columns = {
        name: np.floor(generator.uniform(1, 40, 200))
        for name in (*COLUMNS, "in_height", "in_width", "stride_height")
    } | {"groups": np.ones(200)}
    for family in ("conv", "deconv", "fc", "pool", "relu", "concat"):
        table = FeatureTable(columns, family)
        for name, library in LIBRARIES.items():
            chosen = library(table, family, "runtime_ms")
            if chosen:
                assert chosen[0] == INTERCEPT
                assert len(set(chosen)) == len(chosen)
                assert np.isfinite(TermTable(table).matrix(chosen)).all(), (family, name)


def test_paper_library_counts() -> None:
    generator = np.random.default_rng(2)
    table = FeatureTable(
        {n: np.floor(generator.uniform(2, 60, 50)) for n in (*COLUMNS, "in_height", "in_width")},
        "conv",
    )
    # 7 features to degree 3 are C(10, 3) - 1 = 119 monomials, 8 special terms, the constant;
    # "kernel width and input channels" forms of the special terms are not monomials of degree 3.
    assert len(paper(table, "conv", "runtime_ms", all_terms=True)) >= 127
    assert paper(table, "lrn", "runtime_ms") == []


def test_multiples_are_dropped() -> None:
    table = FeatureTable(
        {"batch": np.array([1.0, 2.0, 3.0]), "in_channels": np.array([2.0, 4.0, 6.0])}, "conv"
    )
    assert varying(table, ("batch", "in_channels", "groups")) == ["batch"]


@pytest.mark.parametrize("value", [[], [["macs", "power", 1.0]], "conv", 4, True])
@pytest.mark.parametrize("read", [interval_from_json, bend_from_json, equation_from_json])
def test_a_part_of_a_model_is_an_object(read: Callable[[object], object], value: object) -> None:
    with pytest.raises(ValueError, match="a JSON object is needed"):
        read(value)
