"""Dataclasses from JSON and back, checked field by field: one reader for all recorded objects."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")

#: Larger than every time (ns), size and rate of ours: sums and products of these stay finite.
_LARGEST = 1e20

#: An object of a file that is passed on as it is: settings and versions that others name.
Facts = Mapping[str, Any]


def decode(kind: type[T], values: object) -> T:
    """``values``, a JSON object, as an instance of the dataclass ``kind``.

    Whole numbers become floats where a float is wanted, lists become tuples, objects the
    dataclasses of their fields; names that ``kind`` does not know are left out. Raises
    ``ValueError`` naming the first field that is missing or of another type.
    """
    if not isinstance(values, Mapping):
        raise ValueError("an object is needed")
    known = _hints(kind)  # type: ignore[arg-type]
    found = {name: _value(known[name], values[name], name) for name in known if name in values}
    try:
        return kind(**found)
    except TypeError:
        missing = next(name for name in _needed(kind) if name not in found)
        raise ValueError(f"{missing} is missing") from None


def take(kind: type, values: Facts) -> tuple[dict[str, Any], dict[str, object]]:
    """What of ``values`` are fields of the dataclass ``kind``, and all the rest as it is."""
    known, other = {}, {}
    hints = _hints(kind)
    for name, value in values.items():
        try:
            known[name] = _value(hints[name], value, name)
        except (KeyError, ValueError):
            other[name] = value
    return known, other


def encode(value: object) -> Any:
    """A dataclass (or what its fields hold) as plain JSON values; nothing is left out."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: encode(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): encode(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [encode(inner) for inner in value]
    return value


@cache
def _hints(kind: Any) -> dict[str, object]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}


def _needed(kind: Any) -> list[str]:
    return [f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING]


def _value(hint: object, value: object, name: str) -> object:
    """``value`` as the type ``hint`` says; ``ValueError`` where it is none."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in inner:
            return None
        (hint,) = (part for part in inner if part is not type(None))
        return _value(hint, value, name)
    if origin is tuple and isinstance(value, list | tuple):
        kinds = inner[:1] * len(value) if inner[-1] is Ellipsis else inner
        if len(kinds) == len(value):
            return tuple(_value(a, b, name) for a, b in zip(kinds, value, strict=True))
    elif origin is Mapping and isinstance(value, Mapping):
        return {str(key): _value(inner[1], part, name) for key, part in value.items()}
    elif origin is None and is_dataclass(hint):
        try:
            return decode(hint, value)  # type: ignore[arg-type]
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    elif hint is Any or hint is object:
        return value
    elif hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        if abs(value) > _LARGEST:
            raise ValueError(f"{name} is {value!r}, which nothing measures")
        return float(value)
    elif type(value) is hint:
        return value
    raise ValueError(f"{name} is {value!r}"[:80])
