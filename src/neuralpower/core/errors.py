"""The one exception that users see: a fault in what they gave, in one line."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def printable(text: str) -> str:
    """Text for one line of a terminal: white space is one blank, control characters are escaped.

    >>> printable("a\x1b[2J\nb")
    'a\\x1b[2J b'
    """
    line = " ".join(text.split())
    if line.isprintable():
        return line
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)


def say(text: str) -> None:
    """One line on standard error, where names of files and tables may be in the text."""
    sys.stderr.write(f"{printable(text)}\n")


def show(text: str) -> None:
    """Text on standard output, whose end nobody knows: a pager and ``cat`` pass on what they get.

    Control characters but tabs and line ends, and those that turn the direction of writing, are
    escaped. Files that commands write hold names as they are.
    """
    import re

    def escaped(match: re.Match[str]) -> str:
        return match[0].encode("unicode_escape").decode()

    controls = r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]"
    sys.stdout.write(re.sub(controls, escaped, text))


#: A message may quote a cell or a name: it stays a line that a person reads.
_LONGEST = 500


def _shortened(line: str) -> str:
    """The line without its middle where it is long: the remedy is at the end."""
    if len(line) <= _LONGEST:
        return line
    return f"{line[: _LONGEST - 160]} ... {line[-150:]}"


class InputError(Exception):
    """A fault in the user's input; the command line prints it as one line and exits with 2.

    ``line`` and ``column`` count from 1 and locate text files; ``row`` counts the data rows of
    a table from 1 (the header is not counted). The message says what is wrong and the remedy.
    """

    def __init__(
        self,
        message: str,
        *,
        path: str | Path | None = None,
        line: int | None = None,
        column: int | None = None,
        row: int | None = None,
    ) -> None:
        self.message = _shortened(printable(message))
        self.path = path
        self.line = line
        self.column = column
        self.row = row
        super().__init__(self._text())

    def _text(self) -> str:
        place = "" if self.path is None else _shortened(printable(str(self.path)))
        if self.line is not None:
            place += f":{self.line}" + ("" if self.column is None else f":{self.column}")
        if self.row is not None:
            place += f", row {self.row}" if place else f"row {self.row}"
        return f"{place}: {self.message}" if place else self.message


class RunError(InputError):
    """The run cannot go on (the device or a sensor is lost); what was measured is kept."""
