"""Words of scalar fields at and just beyond what protobuf reads."""

from __future__ import annotations

import math

import pytest
from google.protobuf.descriptor import FieldDescriptor

from neuralpower.caffe import scalars
from neuralpower.caffe.scalars import read_bool, read_float, read_integer

LIMITS = [
    (FieldDescriptor.TYPE_INT32, -2147483648, 2147483647),
    (FieldDescriptor.TYPE_UINT32, 0, 4294967295),
    (FieldDescriptor.TYPE_INT64, -9223372036854775808, 9223372036854775807),
    (FieldDescriptor.TYPE_UINT64, 0, 18446744073709551615),
]


class Field:
    """As much of a field as its converter looks at."""

    def __init__(self, kind: int) -> None:
        self.type = kind


@pytest.mark.parametrize(("kind", "low", "high"), LIMITS)
def test_whole_numbers_at_the_ends_of_their_range(kind: int, low: int, high: int) -> None:
    convert = scalars.converter(Field(kind))  # type: ignore[arg-type]
    for value in (low, high):
        assert convert(str(value)) == value
    for value in (low - 1, high + 1):
        with pytest.raises(scalars.ScalarError, match=f"from {low} to {high} was expected"):
            convert(str(value))


@pytest.mark.parametrize(
    ("word", "value"),
    [("0", 0), ("-7", -7), ("010", 8), ("-017", -15), ("0x1F", 31), ("-0XfF", -255), ("08", None),
     ("+1", None), ("1.0", None), ("", None), ("9" * 400, int("9" * 400)), ("9" * 401, None)],
)  # fmt: skip
def test_bases_of_whole_numbers(word: str, value: int | None) -> None:
    assert read_integer(word) == value


@pytest.mark.parametrize(
    ("word", "value"),
    [("1", 1.0), (".5", 0.5), ("2.", 2.0), ("1e3", 1000.0), ("1.5E-2f", 0.015), ("3F", 3.0),
     ("0", 0.0), ("017", None), ("0x1F", None), ("inf", math.inf), ("-Infinity", -math.inf),
     ("one", None), ("1" * 400, math.inf), ("1" * 401, None)],
)  # fmt: skip
def test_forms_of_numbers(word: str, value: float | None) -> None:
    assert read_float(word) == value


def test_words_of_truth() -> None:
    assert {word for word in ("true", "True", "t", "1") if read_bool(word)} == {
        "true", "True", "t", "1",
    }  # fmt: skip
    assert [read_bool(word) for word in ("false", "False", "f", "0")] == [False] * 4
    for word in ("yes", "TRUE", "2", "", "-1"):
        assert read_bool(word) is None
