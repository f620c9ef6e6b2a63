"""JSON and YAML of strangers: plain bounded values, or one line with the place."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuralpower.core.documents import parse_json, parse_yaml, read_yaml, yaml_line
from neuralpower.core.errors import InputError

ROOT = Path(__file__).parents[2]
DEEP = "[" * 100_000
LAUGHS = "a0: &a0 [x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (DEEP, "nested too deeply"),
        ('{"a":' * 40 + "1" + "}" * 40, "nested too deeply"),
        ('{"a": 1, "a": 2}', "'a' twice"),
        ("9" * 5000, "beyond 64 bits"),
        ("9223372036854775808", "beyond 64 bits"),
        ("1e400", "not a finite number"),
        ("NaN", "NaN is no JSON number"),
        ('["\\ud800"]', "surrogate"),
        ('{"\\udfff": 1}', "surrogate"),
        ("[", "file:1:2: not JSON"),
        ("", "file:1:1: not JSON"),
    ],
)
def test_json_that_is_none_of_ours_is_one_line(text: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_json(text, "file")
    assert words in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("lenet: " + DEEP, "file:1: not YAML of ours: nested too deeply"),
        ("{" * 100_000, "a key has to be text"),
        ("- " * 50_000, "nested too deeply"),
        ("{a: &x [*x]}", "*x holds itself"),
        ("a: &x {b: 1,\n <<: *x}", "file:2: not YAML of ours: *x holds itself"),
        (LAUGHS, "aliases multiply"),
        ("a: &x {q: 1}\nb: {<<: *x, <<: *x}", "'<<' is given twice"),
        ("a: 1\na: 2", "file:2: not YAML of ours: 'a' is given twice"),
        ("1: 1\n'1': 2", "'1' is given twice"),
        ("? [a]\n: 1", "a key has to be text"),
        ("!!python/object/apply:os.system [x]", "the tag"),
        ("a: !!binary aGVsbG8=", "the tag"),
        ("a: " + "9" * 5000, "beyond 64 bits"),
        ("a: 0x" + "f" * 50, "beyond 64 bits"),
        ("a: .inf", "not a finite number"),
        ('"\\ud800"', "not YAML"),
        ("a: *nowhere", "undefined alias"),
        ("---\na\n---\nb", "another document"),
        ("a: \x00", "not YAML"),
    ],
)
def test_yaml_that_is_none_of_ours_is_one_line(text: str, words: str) -> None:
    begin = time.monotonic()
    with pytest.raises(InputError) as caught:
        parse_yaml(text, "file")
    assert words in str(caught.value)
    assert len(str(caught.value)) < 300
    assert time.monotonic() - begin < 5


def test_yaml_names_stay_as_they_are_written() -> None:
    text = "no: 1\n~: 2\n1.0: 3\n16: 4\n0x10: 5\nday: 2001-02-03"
    value = parse_yaml(text)
    assert value == {"no": 1, "~": 2, "1.0": 3, 16: 4, "0x10": 5, "day": "2001-02-03"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1:30", "1:30"),  # 90 in YAML 1.1
        ("190:20:30.15", "190:20:30.15"),
        ("1e11", 1e11),  # text in YAML 1.1
        ("1.0e9", 1e9),
        ("-2E-3", -0.002),
        ("010", 10),  # 8 in YAML 1.1
        ("089", 89),
        ("0o17", 15),
        ("-0x1F", -31),
        ("1_000", 1000),
        (".5", 0.5),
        ("7.", 7.0),
        ("1.2.3", "1.2.3"),
        ("5e", "5e"),
        ("._", "._"),
        ("'5'", "5"),
    ],
)
def test_numbers_are_as_people_write_them(text: str, value: object) -> None:
    found = parse_yaml(f"a: {text}")
    assert found == {"a": value}
    assert type(found["a"]) is type(value)


@given(st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text("0123456789.:eExXob_+-~yes", max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text("ab1.e:", min_size=1, max_size=4), inner, max_size=3),
    max_leaves=8,
))  # fmt: skip
def test_a_line_of_yaml_is_read_back(value: object) -> None:
    """What the workflow hands to a command is what the configuration says, text like 1e5 too."""
    assert parse_yaml(yaml_line({"section": value})) == {"section": value}


def test_entries_may_be_merged() -> None:
    published = read_yaml(ROOT / "prototxts/networks.yaml")
    assert published["resnet34"]["paper"] == published["resnet18"]["paper"]
    assert published["resnet34"]["title"] == "ResNet-34"
    assert parse_yaml("a: &x [1, 2]\nb: *x") == {"a": [1, 2], "b": [1, 2]}


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(PLAIN)
def test_what_json_writes_is_read_back(value: object) -> None:
    import json

    assert parse_json(json.dumps(value)) == value


@given(st.text(alphabet="[]{}:,-&*<!'\"|>#%@`? \n\tab01.~é", max_size=80))
def test_no_text_is_more_than_a_value_or_a_line(text: str) -> None:
    for read in (parse_json, parse_yaml):
        with suppress(InputError):
            read(text, "file")
