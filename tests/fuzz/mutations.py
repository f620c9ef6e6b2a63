"""What a stranger could change in an input: a value at some key, a word, a row, a byte.

Every function draws from a ``random.Random`` that is handed in, so that a seed gives the same
inputs on every machine.
"""

from __future__ import annotations

import copy
import csv
import gzip
import io
import json
import random
import re
from collections.abc import Iterator
from typing import Any

Path = tuple[str | int, ...]

#: Values of every wrong type and at the ends of every range.
WRONG: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 3, 2**31, 2**53 + 1, 2**63 - 1, -(2**63), 0.5, -0.5, 1e-320, 1e300,
    "", "x", "nan", "inf", "-1", "1e400", "x" * 300, "../../x", "\u2028", "a\nb", "\x1b[2J", "=1+1",
    "9" * 5000, [], [[]], [None], ["x"], [0, 0], [1e300, -1e300], {}, {"x": 1}, {"": None},
)  # fmt: skip
#: Words for texts and cells.
WORDS = (
    "", "0", "-1", "1", "7", "65536", "2147483648", "9223372036854775807", "9" * 40, "9" * 5000,
    "1e308", "1e-320", "1e400", "nan", "inf", "-inf", "0x1F", "1_000", "1,5", "true", "null", "x",
    "relu", "conv", "TEST", "MAX", "../x", "a b", "\"", "'", "{", "}", "[", "]", "(", ")", ":", ",",
    ";", "#", "\\", "\t", "\n", "\r", "\x00", "\x1b[2J", "\u2028", "\u0085", "\ufeff", "ß", "測",
    "=1+1", "&a", "*a", "!!x", "%", "- ", "layer", "name", "dim", "\"\"\"",
)  # fmt: skip
#: Nothing that is made here is longer: what is tried are many inputs.
LONGEST = 300_000

_TOKEN = re.compile(r"\w+|\s+|.", re.DOTALL)


def paths(value: Any, base: Path = ()) -> Iterator[Path]:
    """The places of all values in a document, itself first."""
    yield base
    if isinstance(value, dict):
        for key in value:
            yield from paths(value[key], (*base, key))
    elif isinstance(value, list):
        for i, part in enumerate(value):
            yield from paths(part, (*base, i))


def with_value(value: Any, path: Path, new: Any) -> Any:
    """A copy of a document with another value at a place."""
    if not path:
        return new
    changed = copy.copy(value)
    changed[path[0]] = with_value(value[path[0]], path[1:], new)
    return changed


def without(value: Any, path: Path) -> Any:
    """A copy of a document that lacks a place."""
    if not path:
        return None
    changed = copy.copy(value)
    if len(path) == 1:
        del changed[path[0]]
    else:
        changed[path[0]] = without(value[path[0]], path[1:])
    return changed


def every_wrong_value(value: Any) -> Iterator[Any]:
    """Documents with each wrong value at each key; of lists the first and the last entry count."""
    for path in paths(value):
        inner, first_or_last = value, True
        for key in path:
            if isinstance(inner, list):
                first_or_last = first_or_last and key in (0, len(inner) - 1)
            inner = inner[key]
        if first_or_last:
            if path:
                yield without(value, path)
            for new in WRONG:
                yield with_value(value, path, new)


def change_document(draw: random.Random, value: Any) -> Any:
    """A document with one to three of its values changed, moved, renamed or taken away."""
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        places = list(paths(value))
        path = draw.choice(places)
        kind = draw.random()
        if kind < 0.6:
            value = with_value(value, path, draw.choice(WRONG))
        elif kind < 0.75:
            value = without(value, path)
        elif kind < 0.9:
            source: Any = value
            for key in draw.choice(places):
                source = source[key]
            value = with_value(value, path, source)
        else:
            inner: Any = value
            for key in path:
                inner = inner[key]
            if isinstance(inner, dict):
                name = draw.choice(WORDS)
                value = with_value(value, path, {**inner, name: draw.choice(WRONG)})
            elif isinstance(inner, int | float):
                value = with_value(value, path, inner * draw.choice((-1, 0, 1e6, 1e-6, 1.5)))
    return value


def change_text(draw: random.Random, text: str) -> str:
    """A text with one to four of its words changed, repeated, moved or taken away."""
    tokens = _TOKEN.findall(text)
    for _ in range(draw.choice((1, 1, 2, 4))):
        if not tokens:
            return draw.choice(WORDS)
        at = draw.randrange(len(tokens))
        end = min(len(tokens), at + draw.choice((1, 1, 2, 5, 40)))
        kind = draw.random()
        if kind < 0.45:
            tokens[at:end] = [draw.choice(WORDS)]
        elif kind < 0.6:
            tokens.insert(at, draw.choice(WORDS))
        elif kind < 0.7:
            del tokens[at:end]
        elif kind < 0.8:
            there = draw.randrange(len(tokens))
            tokens[there:there] = tokens[at:end]
        elif kind < 0.9:
            tokens[at:end] = tokens[at:end] * draw.choice((2, 3, 50, 5000))
        elif kind < 0.95:
            there = draw.randrange(len(tokens))
            tokens[at], tokens[there] = tokens[there], tokens[at]
        else:
            del tokens[at:]
        if len(tokens) > LONGEST:
            del tokens[LONGEST:]
    return "".join(tokens)[:LONGEST]


def change_table(draw: random.Random, text: str) -> str:
    """A CSV table with cells, rows or columns changed."""
    if draw.random() < 0.15:
        return change_text(draw, text)
    rows = list(csv.reader(io.StringIO(text)))
    for _ in range(draw.choice((1, 1, 2, 4))):
        if not rows or not rows[0]:
            break
        row, column = draw.choice(rows), draw.randrange(len(rows[0]))
        kind = draw.random()
        if kind < 0.6:
            if row:
                row[column % len(row)] = draw.choice(WORDS)
        elif kind < 0.7:
            word = draw.choice(WORDS)
            for other in rows[1:]:
                if column < len(other):
                    other[column] = word
        elif kind < 0.78:
            for other in rows:
                del other[column : column + 1]
        elif kind < 0.84:
            there = draw.randrange(len(rows[0]))
            for other in rows:
                other.insert(there, other[column] if column < len(other) else "")
        elif kind < 0.9:
            del row[column:]
        elif kind < 0.95:
            rows += [list(row)] * draw.choice((1, 2, 500))
        else:
            del rows[1:]
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()[:LONGEST]


def change_bytes(draw: random.Random, data: bytes) -> bytes:
    """Bytes flipped, repeated, moved or cut off."""
    changed = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 8))):
        if not changed:
            break
        at = draw.randrange(len(changed))
        end = min(len(changed), at + draw.choice((1, 2, 8, 100)))
        kind = draw.random()
        if kind < 0.5:
            changed[at] = draw.choice((0, 1, 0x7F, 0x80, 0xFF, draw.randrange(256)))
        elif kind < 0.65:
            del changed[at:end]
        elif kind < 0.8:
            changed[at:at] = changed[at:end] * draw.choice((1, 2, 100))
        elif kind < 0.9:
            changed[at:at] = draw.randbytes(draw.choice((1, 4, 16)))
        else:
            del changed[at:]
    return bytes(changed[:LONGEST])


_NUMBERS = (0, 1, -1, 3, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63))


def change_message(draw: random.Random, message: Any) -> None:
    """A protobuf message with one to four fields of it or of those inside it changed."""
    for _ in range(draw.choice((1, 1, 2, 4))):
        inner = message
        while True:
            fields = [(f, v) for f, v in inner.ListFields() if f.message_type is not None]
            if not fields or draw.random() < 0.25:
                break
            field, value = draw.choice(fields)
            inner = draw.choice(list(value)) if _repeated(field) else value
        _change_field(draw, inner)


def _change_field(draw: random.Random, message: Any) -> None:
    known = message.ListFields()
    fields = list(message.DESCRIPTOR.fields)
    field = draw.choice(known)[0] if known and draw.random() < 0.8 else draw.choice(fields)
    if _repeated(field):
        values = getattr(message, field.name)
        kind = draw.random()
        if kind < 0.3 and len(values):
            del values[draw.randrange(len(values)) :]
        elif kind < 0.5 and len(values):
            values.extend(list(values)[: draw.choice((1, 3, 100))])
        elif field.message_type is not None:
            values.add()
        elif len(values) and kind < 0.9:
            values[draw.randrange(len(values))] = _scalar(draw, field)
        else:
            values.append(_scalar(draw, field))
    elif field.message_type is not None:
        if message.HasField(field.name) and draw.random() < 0.6:
            message.ClearField(field.name)
        else:
            getattr(message, field.name).SetInParent()
    elif draw.random() < 0.2:
        message.ClearField(field.name)
    else:
        setattr(message, field.name, _scalar(draw, field))


def _repeated(field: Any) -> bool:
    return bool(field.is_repeated)


def _scalar(draw: random.Random, field: Any) -> Any:
    kind = field.cpp_type
    if kind == field.CPPTYPE_STRING:
        text = draw.choice(WORDS)
        return text.encode() if field.type == field.TYPE_BYTES else text
    if kind == field.CPPTYPE_ENUM:
        return draw.choice(list(field.enum_type.values)).number
    if kind == field.CPPTYPE_BOOL:
        return draw.random() < 0.5
    if kind in (field.CPPTYPE_FLOAT, field.CPPTYPE_DOUBLE):
        return draw.choice((0.0, -1.0, 0.5, 1e38, -1e38, float("nan"), float("inf"), 1e-40))
    value = draw.choice(_NUMBERS)
    if kind in (field.CPPTYPE_INT32, field.CPPTYPE_UINT32):
        value = max(min(value, 2**31 - 1), -(2**31))
    unsigned = kind in (field.CPPTYPE_UINT32, field.CPPTYPE_UINT64)
    return abs(value) if unsigned else value


def change_json(draw: random.Random, data: bytes) -> bytes:
    """A JSON text with a value changed, or the text itself."""
    if draw.random() < 0.15:
        return change_text(draw, data.decode()).encode("utf-8", "surrogatepass")
    value = change_document(draw, json.loads(data))
    return json.dumps(value).encode("utf-8", "surrogatepass")


def change_lines(draw: random.Random, data: bytes) -> bytes:
    """JSON lines, one of them changed."""
    lines = data.decode().splitlines()
    at = draw.randrange(len(lines))
    lines[at] = change_json(draw, lines[at].encode()).decode("utf-8", "surrogatepass")
    return ("\n".join(lines) + "\n").encode("utf-8", "surrogatepass")


def packed(data: bytes) -> bytes:
    """The same compressed, quickly."""
    return gzip.compress(data, 1, mtime=0)
