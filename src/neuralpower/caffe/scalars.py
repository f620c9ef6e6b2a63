"""Scalar values of protobuf's text format: numbers, booleans, enums and quoted strings."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from google.protobuf.descriptor import EnumValueDescriptor, FieldDescriptor

_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]*)")
_OCTAL = re.compile(r"-?0[0-7]+")
_HEX = re.compile(r"-?0[xX][0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?[fF]?")
_INFINITIES = ("inf", "inff", "infinity", "infinityf")
_BOOLEANS = {
    "true": True,
    "True": True,
    "t": True,
    "1": True,
    "false": False,
    "False": False,
    "f": False,
    "0": False,
}
#: Longest number that is read; int() and float() of longer texts are slow.
_MAX_DIGITS = 400


class ScalarError(ValueError):
    """A word that is no value of its field; the text says what was expected."""


class Converter:
    """Turns the words of one field into values: ``converter(word)``, or ``ScalarError``."""

    def __init__(self, expected: str, read: Callable[[str], float | None]) -> None:
        self.expected = expected
        self.read = read

    def __call__(self, word: str) -> float:
        """The value that ``word`` means."""
        value = self.read(word)
        if value is None:
            raise ScalarError(f"{self.expected}, not {word[:40]!r}")
        return value


def converter(field: FieldDescriptor) -> Converter:
    """The converter for the words of a scalar field of the schema."""
    kind = field.type
    if kind in _INTEGERS:
        low, high = _INTEGERS[kind]
        return Converter(
            f"a whole number from {low} to {high} was expected", _integer_reader(low, high)
        )
    if kind in (FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_DOUBLE):
        return Converter("a number was expected", read_float)
    if kind == FieldDescriptor.TYPE_BOOL:
        return Converter("true or false was expected", read_bool)
    if kind == FieldDescriptor.TYPE_ENUM:
        return Converter(_enum_names(field), _enum_reader(field))
    return Converter("a quoted string was expected", lambda word: None)


_INTEGERS = {
    FieldDescriptor.TYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.TYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_UINT64: (0, 2**64 - 1),
}


def read_integer(word: str) -> int | None:
    """A decimal, octal (leading 0) or hexadecimal number; None when it is none of them."""
    if len(word) > _MAX_DIGITS:
        return None
    if _DECIMAL.fullmatch(word):
        return int(word)
    if _OCTAL.fullmatch(word):
        return int(word, 8)
    if _HEX.fullmatch(word):
        return int(word, 16)
    return None


def _integer_reader(low: int, high: int) -> Callable[[str], int | None]:
    def read(word: str) -> int | None:
        if word.isdecimal() and word.isascii() and word[0] != "0" and len(word) < 10:
            return int(word)
        value = read_integer(word)
        return value if value is not None and low <= value <= high else None

    return read


def read_float(word: str) -> float | None:
    """A decimal number with an optional ``f``, an infinity or NaN; None when it is none of them.

    As protobuf does, octal and hexadecimal numbers are refused.
    """
    if len(word) > _MAX_DIGITS:
        return None
    if _FLOAT.fullmatch(word):
        if _OCTAL.fullmatch(word):
            return None
        return float(word.rstrip("fF"))
    name = word.lower().removeprefix("-")
    if name in _INFINITIES:
        return float("-inf" if word[0] == "-" else "inf")
    return float("nan") if name in ("nan", "nanf") else None


def read_bool(word: str) -> bool | None:
    """``true``, ``True``, ``t``, ``1`` and their opposites; None for anything else."""
    value = _BOOLEANS.get(word)
    if value is None and (number := read_integer(word)) in (0, 1):
        return bool(number)
    return value


def _enum_reader(field: FieldDescriptor) -> Callable[[str], int | None]:
    names = {value.name: value.number for value in _enum_values(field)}
    numbers = set(names.values())

    def read(word: str) -> int | None:
        value = names.get(word)
        if value is None:
            value = read_integer(word)
        return value if value in numbers else None

    return read


def _enum_values(field: FieldDescriptor) -> Sequence[EnumValueDescriptor]:
    return field.enum_type.values if field.enum_type is not None else ()


def _enum_names(field: FieldDescriptor) -> str:
    names = [value.name for value in _enum_values(field)]
    shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    return f"one of {shown} was expected"


_ESCAPE = re.compile(
    r"\\(?:([0-7]{1,3})|[xX]([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL
)
_SIMPLE = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
    "'": "'",
    '"': '"',
    "?": "?",
}


def unescape(body: str) -> str:
    """The inside of a quoted string without its escapes; bytes by number as ``surrogateescape``.

    Raises ``ScalarError`` for an escape that protobuf does not know.
    """

    def replace(found: re.Match[str]) -> str:
        octal, hexadecimal, short, long, simple = found.groups()
        if octal or hexadecimal:
            byte = (int(octal, 8) if octal else int(hexadecimal, 16)) & 0xFF
            return chr(byte) if byte < 0x80 else chr(0xDC00 + byte)
        if short or long:
            code = int(short or long, 16)
            if code > 0x10FFFF or 0xD800 <= code < 0xE000:
                raise ScalarError(f"escape {found[0]} is no character")
            return chr(code)
        if simple not in _SIMPLE:
            raise ScalarError(f"unknown escape {found[0]!r} in a string")
        return _SIMPLE[simple]

    return _ESCAPE.sub(replace, body)


def plain(text: str) -> str:
    """Text with escaped bytes as a string: UTF-8, or Latin-1 where the bytes are not UTF-8.

    Bytes that are not UTF-8 stand in ``text`` as Python's ``surrogateescape`` leaves them.
    """
    if text.isascii():
        return text
    data = text.encode("utf-8", "surrogateescape")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")
