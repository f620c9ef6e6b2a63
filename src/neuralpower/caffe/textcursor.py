"""Places in a prototxt: blanks, quoted strings, lists skipped, faults with line and column."""

from __future__ import annotations

import re
from typing import NoReturn

from neuralpower.caffe.scalars import ScalarError, plain, unescape
from neuralpower.core.errors import InputError

#: Deepest nesting of messages or lists that is read.
MAX_DEPTH = 200
#: Blanks and comments. Possessive quantifiers keep all of these matches linear.
BLANK = r"[ \t\r\n\v\f]*+(?:\#[^\n\0]*+[ \t\r\n\v\f]*+)*+"
WORD = re.compile(r"-?+[0-9A-Za-z_.+-]++")

_SKIP = re.compile(BLANK, re.VERBOSE)
_STRING = re.compile(r""""(?:[^"\\\n\0]|\\[^\n\0])*+"|'(?:[^'\\\n\0]|\\[^\n\0])*+'""")
_PLACEHOLDER = re.compile(r"\$\{[^{}\n]{1,40}\}")


class Cursor:
    """What is read at a place of ``text`` that needs no schema; ``path`` is named in faults."""

    def __init__(self, text: str, path: str) -> None:
        self.text = text
        self.path = path

    def _blank(self, position: int) -> int:
        """The offset after blanks and comments."""
        found = _SKIP.match(self.text, position)
        return found.end() if found else position

    def _separator(self, position: int) -> int:
        """The offset after the optional ``,`` or ``;`` that may end a field."""
        position = self._blank(position)
        return position + self.text.startswith((",", ";"), position)

    def _string(self, position: int) -> tuple[str, int]:
        """Adjacent quoted strings as one, and the offset after them."""
        pieces: list[str] = []
        end = position
        while found := _STRING.match(self.text, position):
            try:
                pieces.append(unescape(found[0][1:-1]))
            except ScalarError as error:
                self.fail(str(error), position)
            end = found.end()
            position = self._blank(end)
        if self.text[position : position + 1] in ('"', "'"):
            self.fail("this string is not closed on its line", position)
        return plain("".join(pieces)), end

    def _skip_list(self, position: int) -> int:
        """Skip a bracketed list of anything, brackets inside it included."""
        start = position
        pending: list[str] = []
        while position < len(self.text):
            character = self.text[position]
            if character in "{<[":
                if len(pending) >= MAX_DEPTH:
                    self.fail(f"lists nested more than {MAX_DEPTH} deep", position)
                pending.append({"{": "}", "<": ">", "[": "]"}[character])
                position += 1
            elif character in "}>]":
                if character != pending.pop():
                    self.fail(f"{character!r} does not close what is open", position)
                position += 1
                if not pending:
                    return position
            elif character in "\"'":
                position = self._string(position)[1]
            elif character in ",;:":
                position += 1
            elif word := WORD.match(self.text, position):
                position = word.end()
            else:
                self.fail(f"unexpected {self._show(position)}", position)
            position = self._blank(position)
        self.fail("the text ends before this list is closed", start)

    def _show(self, position: int) -> str:
        if position >= len(self.text):
            return "the end of the text"
        if placeholder := _PLACEHOLDER.match(self.text, position):
            return f"{placeholder[0]} (a template: fill its placeholders in first)"
        word = WORD.match(self.text, position)
        return repr(word[0][:40] if word else self.text[position])

    def fail(self, message: str, offset: int) -> NoReturn:
        """Raise the fault with the line and column (both from 1) of a character offset."""
        line = self.text.count("\n", 0, offset) + 1
        column = offset - self.text.rfind("\n", 0, offset)
        raise InputError(message, path=self.path, line=line, column=column)
