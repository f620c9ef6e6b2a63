"""Protobuf's text format, read into messages of the schema.

Why not ``google.protobuf.text_format``: its messages do not tell forks from faults, it is several
times slower, and a hostile file can take it beyond any bound. This parser is driven by the same
descriptors and reads every valid file to the same message (a test holds the two side by side).
It walks the text once, field by field, without recursion: time is linear in the size of the file
and the number of messages is bounded.
"""

from __future__ import annotations

import re
from typing import Any, cast

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from neuralpower.caffe.caffe_pb2 import V1LayerParameter
from neuralpower.caffe.document import Document, Doubt
from neuralpower.caffe.fields import FORK_NUMBERS, Field, field_table, fork_messages
from neuralpower.caffe.scalars import ScalarError, plain
from neuralpower.caffe.textcursor import BLANK, MAX_DEPTH, WORD, Cursor
from neuralpower.caffe.unknown import closest, matters

#: Bounds on one file: more than any real network by far, small enough to hold in memory.
MAX_BYTES = 64_000_000
MAX_MESSAGES = 1_000_000
MAX_LAYERS = 150_000
#: Different notes kept for one file; the rest are counted.
MAX_NOTES = 50
#: Unknown fields that are kept with their places.
MAX_DOUBTS = 10_000
_MARK = "\ufeff"

# One field at a time. The last group that took part shows what was found: 1 a bare name, 2 a name
# and a colon, 3 the start of a message, 4 a plain string, 5 a number or word, 6 the end of a
# message. Possessive quantifiers keep the match linear.
_FIELD = re.compile(
    rf"""{BLANK}
    (?: ([A-Za-z_][0-9A-Za-z_]*+) {BLANK}
        (?: (:) {BLANK} )?+
        (?: ([{{<])
          | "([^"\\\n\0]*+)" {BLANK} (?!["']) (?:[,;])?+
          | ([0-9A-Za-z_.+-]++) {BLANK} (?:[,;])?+
        )?+
      | ([}}>]) {BLANK} (?:[,;])?+
    )""",
    re.VERBOSE,
)
_NEXT = re.compile(rf"([0-9A-Za-z_.][0-9A-Za-z_.+-]*+){BLANK},{BLANK}", re.VERBOSE)
_EXTENSION = re.compile(r"\[[ \t\r\n0-9A-Za-z_./-]*+\]")
_CLOSING = {"{": "}", "<": ">"}


def parse(text: str, message: Message, *, path: str, strict: bool = False) -> Document:
    """Read ``text`` into ``message`` (cleared first) and return the document.

    ``strict`` refuses unknown fields and enum values and the fields of forks; otherwise they are
    notes. Raises ``InputError`` with line and column for everything that is not valid text format.
    """
    message.Clear()
    return _Parser(text, message, path, strict).run()


class _Parser(Cursor):
    def __init__(self, text: str, message: Message, path: str, strict: bool) -> None:
        super().__init__(text, path)
        self.root: Any = message
        self.strict = strict
        self.document = Document(message, path, text)
        self.noted: dict[str, int] = {}
        self.more_notes = 0
        self.messages = 0
        self.layer = -1

    def run(self) -> Document:
        if len(self.text) > MAX_BYTES:
            self.fail(f"the file is larger than {MAX_BYTES // 1_000_000} MB", 0)
        self._fields(self.root, "", 0, self._start())
        self._check_required()
        self.document.notes = [
            text if count == 1 else f"{text} ({count} times)" for text, count in self.noted.items()
        ]
        if self.more_notes:
            self.document.notes.append(f"{self.more_notes} more notes of this kind")
        return self.document

    def _start(self) -> int:
        """The offset of the text itself: Caffe refuses a byte order mark, editors write one."""
        if not self.text.startswith(_MARK):
            return 0
        if self.strict:
            self.fail("a byte order mark: save the file as UTF-8 without one", 0)
        return 1

    def _fields(self, message: Message, closing: str, opened: int, position: int) -> int:
        """Read fields until the message closes (or the text ends); return the offset after it.

        One match a field; the unusual forms are left to ``_unusual``. Messages inside messages
        are frames of ``stack``: (message, fields, closing character, offset of its start), where
        fields is None inside a message that is skipped.
        """
        text, match, strict = self.text, _FIELD.match, self.strict
        stack: list[tuple[Message, dict[str, Field] | None, str, int]] = []
        table: dict[str, Field] | None = field_table(cast(Descriptor, message.DESCRIPTOR))
        while found := match(text, position):
            position = found.end()
            kind = found.lastindex or 0
            if kind == 6:
                if found[6] != closing:
                    self.fail(self._wrong_close(closing, found[6]), found.start(6))
                if not stack:
                    return found.end(6)
                message, table, closing, opened = stack.pop()
                continue
            name = found[1]
            known = table.get(name) if table is not None else None
            if known is None or (known.fork and strict):
                if table is not None:
                    self._unknown(message, name, found.start(1))
                if kind == 3:
                    if len(stack) >= MAX_DEPTH:
                        self.fail(f"messages nested more than {MAX_DEPTH} deep", position)
                    stack.append((message, table, closing, opened))
                    table, closing, opened = None, _CLOSING[found[3]], found.start(3)
                elif kind <= 2 or found[2] is None:
                    position = self._skip_value(found)
            elif kind == 3 and known.message is not None:
                stack.append((message, table, closing, opened))
                message = self._submessage(message, known, found.start(1))
                table, closing, opened = (
                    field_table(known.message),
                    _CLOSING[found[3]],
                    found.start(3),
                )
            elif kind == 4 and known.is_string and found[2] is not None:
                self._store(message, known, plain(found[4]), found.start(1))
            elif kind == 5 and found[2] is not None and known.message is None:
                self._word(message, known, found[5], found.start(5), found.start(1))
            else:
                position = self._unusual(message, known, found)
        return self._end(position, closing, opened)

    def _end(self, position: int, closing: str, opened: int) -> int:
        """The end of the text, or the fault that stopped the loop."""
        position = self._blank(position)
        if position < len(self.text):
            if extension := _EXTENSION.match(self.text, position):
                self.fail(f"extension {extension[0][:60]} is not known to Caffe", position)
            self.fail(f"a field name was expected, not {self._show(position)}", position)
        if closing:
            self.fail(f"the text ends before this message is closed with {closing!r}", opened)
        return position

    # ------------------------------------------------------------------------------- values

    def _submessage(self, message: Message, known: Field, offset: int) -> Message:
        self.messages += 1
        if self.messages > MAX_MESSAGES:
            self.fail(f"more than {MAX_MESSAGES} messages in one file", offset)
        if message is self.root:
            self.layer = offset if known.name in ("layer", "layers") else -1
        if known.repeated:
            if message is self.root:
                places = self.document.layer_offsets.setdefault(known.name, [])
                places.append(offset)
                if len(places) > MAX_LAYERS:
                    self.fail(f"more than {MAX_LAYERS} {known.name} entries in one file", offset)
            item: Message = getattr(message, known.name).add()
            return item
        if message.HasField(known.name):
            self._twice(message, known, offset)
        child: Message = getattr(message, known.name)
        child.SetInParent()
        return child

    def _store(self, message: Message, known: Field, value: object, offset: int) -> None:
        if message is self.root:
            self.document.layer_offsets.setdefault(known.name, []).append(offset)
        if known.repeated:
            getattr(message, known.name).append(value)
        elif not message.HasField(known.name):
            setattr(message, known.name, value)
        elif not self.strict and known.more:
            getattr(message, known.more).append(value)
        else:
            self._twice(message, known, offset)
            setattr(message, known.name, value)

    def _word(self, message: Message, known: Field, word: str, offset: int, start: int) -> None:
        try:
            value = known.convert(word)
        except ScalarError as error:
            if not self.strict and self._forgive(message, known, word, offset):
                return
            self.fail(f"field {known.name!r}: {error}", offset)
        if self.strict and known.is_enum and value >= FORK_NUMBERS:
            self.fail(f"field {known.name!r}: {word} is not known to BVLC Caffe", offset)
        self._store(message, known, value, start)

    def _forgive(self, message: Message, known: Field, word: str, offset: int) -> bool:
        """Lenient readings of a word that the schema does not allow; False when there is none."""
        kind = message.DESCRIPTOR.name
        if kind == "LayerParameter" and known.name == "type" and word.isidentifier():
            self.note(f"type {word} should stand in quotes")
            self._store(message, known, word, 0)
            return True
        if known.is_enum and word.isidentifier():
            if kind == "V1LayerParameter" and known.name == "type":
                cast(V1LayerParameter, message).fork_type = word
                return True
            if matters(kind, known.name, ()):
                self._doubt(message, f"unknown value {word} of {known.name}", offset)
            self.note(f"unknown value {word} of {known.name} in {kind} skipped")
            return True
        return False

    def _unusual(self, message: Message, known: Field, found: re.Match[str]) -> int:
        """A list, an escaped or joined string, or a value that does not fit its field."""
        name = known.name
        position = self._value_offset(found)
        opening = self.text[position : position + 1]
        if known.message is not None:
            if opening == "[" and known.repeated:
                return self._list(message, known, position + 1)
            self.fail(f"'{{' was expected after {name!r}, not {self._show(position)}", position)
        if found[2] is None:
            self.fail(f"':' was expected after {name!r}, not {self._show(position)}", position)
        if opening == "[" and known.repeated:
            return self._list(message, known, position + 1)
        if opening in ('"', "'") and opening and self._quoted_type(message, known):
            cast(V1LayerParameter, message).fork_type, end = self._string(position)
            return self._separator(end)
        return self._separator(self._scalar(message, known, position, found.start(1)))

    def _quoted_type(self, message: Message, known: Field) -> bool:
        """Whether a type in quotes, as the current format has them, may stand in for V1's."""
        v1 = message.DESCRIPTOR.name == "V1LayerParameter" and known.name == "type"
        return v1 and not self.strict

    def _value_offset(self, found: re.Match[str]) -> int:
        """Where the value of a matched field starts, whatever it is."""
        kind = found.lastindex or 1
        if kind <= 2:
            return self._blank(found.end())
        return found.start(kind) - (kind == 4)

    def _list(self, message: Message, known: Field, position: int) -> int:
        """The items of ``[a, b]``, from after the bracket; returns the offset after the list."""
        position = self._blank(position)
        if self.text.startswith("]", position):
            return self._separator(position + 1)
        while True:
            if known.message is None and not known.is_string:
                position = self._words(message, known, position)
            elif known.message is None:
                position = self._scalar(message, known, position, position)
            else:
                position = self._item(message, known, position)
            position = self._blank(position)
            if self.text.startswith("]", position):
                return self._separator(position + 1)
            if not self.text.startswith(",", position):
                self.fail(f"',' or ']' was expected, not {self._show(position)}", position)
            position = self._blank(position + 1)

    def _words(self, message: Message, known: Field, position: int) -> int:
        """The numbers or words of a list up to the last one; returns the offset after that."""
        append, convert = getattr(message, known.name).append, known.convert
        while found := _NEXT.match(self.text, position):
            try:
                append(convert(found[1]))
            except ScalarError:
                break
            position = found.end()
        return self._scalar(message, known, position, position)

    def _item(self, message: Message, known: Field, position: int) -> int:
        """One message of a list. The schema is not recursive, so neither is this without bound."""
        closing = _CLOSING.get(self.text[position : position + 1])
        if closing is None:
            self.fail(f"'{{' was expected, not {self._show(position)}", position)
        child = self._submessage(message, known, position)
        return self._fields(child, closing, position, position + 1)

    def _scalar(self, message: Message, known: Field, position: int, field: int) -> int:
        """One scalar at ``position`` of the field at ``field``; returns the offset after it."""
        if known.is_string and self.text[position : position + 1] in ('"', "'"):
            value, end = self._string(position)
            self._store(message, known, value, field)
            return end
        sign = self.text.startswith("-", position)
        # Text format lets blanks stand between the sign and the number.
        start = self._blank(position + 1) if sign else position
        word = WORD.match(self.text, start)
        if word is None:
            shown = self._show(position)
            self.fail(f"field {known.name!r}: {known.convert.expected}, not {shown}", position)
        self._word(message, known, "-" * sign + word[0], position, field)
        return word.end()

    # ----------------------------------------------------------------------- passing things over

    def _unknown(self, message: Message, name: str, offset: int) -> None:
        """A field that BVLC Caffe does not have: refused or noted."""
        kind = message.DESCRIPTOR.name
        if self.strict:
            self.fail(f"{kind} has no field {name!r} in BVLC Caffe", offset)
        known = field_table(cast(Descriptor, message.DESCRIPTOR))
        if matters(kind, name, known, fork=kind in fork_messages()):
            likely = closest(name, known)
            hint = f" (is it {likely}?)" if likely else ""
            block = name.endswith("_param") and kind in ("LayerParameter", "V1LayerParameter")
            text = f"unknown field {name} of {kind}{hint}"
            self._doubt(message, text, offset, block=name if block else "")
        self.note(f"unknown field {name} of {kind} skipped")

    def _skip_value(self, found: re.Match[str]) -> int:
        """Skip the unusual value of an unknown field; returns the offset after it."""
        position = self._value_offset(found)
        opening = self.text[position : position + 1]
        if opening == "[":
            return self._separator(self._skip_list(position))
        if found[2] is None:
            self.fail(f"':' or '{{' was expected, not {self._show(position)}", position)
        if opening in ('"', "'") and opening:
            return self._separator(self._string(position)[1])
        start = self._blank(position + 1) if opening == "-" else position
        word = WORD.match(self.text, start)
        if word is None:
            self.fail(f"a value was expected, not {self._show(position)}", position)
        return self._separator(word.end())

    # --------------------------------------------------------------------------- notes and faults

    def _doubt(self, message: Message, text: str, offset: int, *, block: str = "") -> None:
        """Keep what may make a layer's figures wrong, with its place."""
        if len(self.document.doubts) < MAX_DOUBTS:
            layer = -1 if message is self.root else self.layer
            self.document.doubts.append(Doubt(layer, offset, text, block))

    def note(self, text: str) -> None:
        """Keep a remark, counted when it comes again."""
        if text in self.noted:
            self.noted[text] += 1
        elif len(self.noted) < MAX_NOTES:
            self.noted[text] = 1
        else:
            self.more_notes += 1

    def _check_required(self) -> None:
        """Refuse a message that lacks a required field, as protobuf does."""
        if self.root.IsInitialized():
            return
        missing = self.root.FindInitializationErrors()[0]
        found = re.match(r"(\w+)\[(\d+)\]", missing)
        offset = self.document.layer_offsets[found[1]][int(found[2])] if found else 0
        self.fail(f"the required field {missing} is missing", offset)

    def _twice(self, message: Message, known: Field, offset: int) -> None:
        """A field that can have one value: inside a layer the lenient mode takes the last."""
        if self.strict or self.layer < 0:
            self.fail(f"field {known.name!r} is given twice: only one value is allowed", offset)
        self._doubt(message, f"field {known.name} of {message.DESCRIPTOR.name} given twice", offset)

    @staticmethod
    def _wrong_close(closing: str, character: str) -> str:
        if closing:
            return f"{closing!r} was expected, not {character!r}"
        return f"{character!r} closes nothing: a '{{' is missing before it"
