"""Files that appear whole or not at all, and plain tables without pandas.

Light commands use these; the modelling stages read the same files with pandas. What only some
functions need is imported inside them, so that light commands start quickly.
"""

from __future__ import annotations

import csv
import io
import os
import re
import stat
import sys
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain, count, islice
from pathlib import Path
from typing import IO, NamedTuple, cast

from neuralpower.core.errors import InputError, printable, show
from neuralpower.core.slips import meant

_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,127}")


def safe_name(name: str, what: str = "name", path: str | Path | None = None) -> str:
    """Return ``name`` if it can be one component of a path; raise ``InputError`` otherwise.

    Names from files (networks, platforms, families) pass here before they reach a path; ``path`` is
    the file that the name is from.
    """
    if not _SAFE_NAME.fullmatch(name) or ".." in name:
        raise InputError(
            f"{what} {name!r} cannot be a file name: use letters, digits and . _ + - (at most 128)",
            path=path,
        )
    return name


def write_bytes(path: str | Path, data: bytes) -> None:
    """Write ``data`` to a temporary file beside ``path`` and rename it into place."""
    target = Path(path)
    if target.is_dir():
        raise InputError("is a folder: name a file in it", path=target)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = _written_beside(target, data)
    try:
        os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _written_beside(target: Path, data: bytes) -> str:
    """A new file beside ``target`` with ``data`` on the disk; its name.

    On Linux it has no name before it is whole: a process that is killed while it writes leaves
    nothing behind.
    """
    import tempfile

    try:
        handle = os.open(target.parent, os.O_TMPFILE | os.O_WRONLY, 0o666)
    except (AttributeError, OSError):  # another system, or a file system without it
        handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    else:
        temporary = ""
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
            if temporary:
                umask = os.umask(0)
                os.umask(umask)
                os.chmod(temporary, 0o666 & ~umask)
            else:
                temporary = _named(handle, target)
    except BaseException:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise
    return temporary


def _named(handle: int, target: Path) -> str:
    """Give a file without a name one beside ``target`` that no other has."""
    import secrets

    name = str(target.with_name(f".{target.name}.{secrets.token_hex(8)}"))
    # With a folder's descriptor linkat() is called, which follows the link to the open file.
    os.link(f"/proc/self/fd/{handle}", name, src_dir_fd=handle, follow_symlinks=True)
    return name


def write_text(path: str | Path, text: str) -> None:
    """As ``write_bytes``, UTF-8 with ``\\n`` line ends; ``.gz`` is compressed without a time."""
    data = text.encode("utf-8")
    if str(path).endswith(".gz"):
        import gzip

        data = gzip.compress(data, 9, mtime=0)
    write_bytes(path, data)


def write_json(path: str | Path, value: object) -> None:
    """Write JSON with sorted keys; floats keep their shortest exact form. NaN is refused."""
    import json

    write_text(path, json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n")


#: A text that is read at once; the longest of ours have 10 MB (tables are read in pieces).
LONGEST_TEXT = 512_000_000


def read_text(path: str | Path) -> str:
    """The text of a UTF-8 file, ``.gz`` unpacked, any line ends; ``InputError`` if it cannot be."""
    try:
        with _opened(path) as stream:
            data = stream.read(LONGEST_TEXT + 1)
        if len(data) > LONGEST_TEXT:
            raise InputError(f"larger than {LONGEST_TEXT // 1_000_000} MB of text", path=path)
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"not UTF-8 text (byte {error.start}): save it as UTF-8", path=path
        ) from None
    except (OSError, EOFError, zlib.error) as error:
        raise _unreadable(error, path) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


#: Far beyond every table of ours; a longer line is no table (a small ``.gz`` can hold gigabytes).
LONGEST_LINE = 1_000_000
MOST_COLUMNS = 2_000
#: Fields of a table that is read at once, about 1 GB; measurement tables are read in pieces.
MOST_FIELDS = 10_000_000


class Piece(NamedTuple):
    """Consecutive rows of a table, fields as they are; ``first`` counts data rows from 1."""

    header: list[str]
    first: int
    records: list[list[str]]


def read_pieces(
    path: str | Path, required: Sequence[str] = (), rows: int = 20_000, marks: str = ","
) -> Iterator[Piece]:
    """A CSV file (or ``.csv.gz``) in pieces of so many rows, the first without any.

    Memory holds one piece, whatever the size of the file. Fields are parted by that of ``marks``
    which the header has most of. Raises ``InputError`` for a missing or doubled column or a row
    with the wrong field count.
    """
    with _text_stream(path) as stream:
        apostrophes: set[str] = set()
        lines = _bounded_lines(stream, path, apostrophes)
        first_line = next(lines, "")
        mark = max(marks, key=first_line.count)
        reader = csv.reader(chain([first_line], lines), delimiter=mark)
        try:
            fields = next(reader, None)
            header = check_header(fields and _as_meant(fields), required, path)
            yield Piece(header, 1, [])
            first = 1
            while taken := list(islice(reader, rows)):
                records = [fields for fields in taken if fields]
                if apostrophes:
                    records = [_as_meant(fields) for fields in records]
                for number, fields in enumerate(records, first):
                    if len(fields) != len(header):
                        text = f"{len(fields)} fields where the header has {len(header)}"
                        raise InputError(text, path=path, row=number)
                yield Piece(header, first, records)
                first += len(records)
        except csv.Error as error:
            line = reader.line_num
            raise InputError(f"not a CSV table: {error}", path=path, line=line) from None


def _bounded_lines(stream: IO[str], path: str | Path, apostrophes: set[str]) -> Iterator[str]:
    """The lines of a stream; ``InputError`` for one that would fill the memory.

    ``apostrophes`` is filled with the first of them: tables without one are read faster.
    """
    for number in count(1):
        line = stream.readline(LONGEST_LINE + 1)
        if len(line) > LONGEST_LINE:
            text = f"a line of more than {LONGEST_LINE} characters: not a table of this program"
            raise InputError(text, path=path, line=number)
        if not line:
            return
        if not apostrophes and "'" in line:
            apostrophes.add("'")
        yield line


def check_header(fields: list[str] | None, required: Sequence[str], path: str | Path) -> list[str]:
    """The names of a table's columns; ``InputError`` for too many, a missing or a doubled one."""
    if not fields:
        raise InputError("the table is empty: a header line is needed", path=path)
    if len(fields) > MOST_COLUMNS:
        text = f"{len(fields)} columns, more than {MOST_COLUMNS}: not a table of this program"
        raise InputError(text, path=path, line=1)
    header = [name.strip() for name in fields]
    doubled = [name for name, times in Counter(header).items() if times > 1]
    if doubled:
        raise InputError(f"column {sorted(doubled)[0]!r} is given twice", path=path, line=1)
    for name in required:
        if name not in header:
            remedy = "add it to the header"
            if len(header) == 1 and any(mark in header[0] for mark in ";\t|"):
                remedy = "columns are parted by commas: save the table so"
            elif likely := meant(name, [other for other in header if other not in required]):
                remedy = f"is it {likely!r}? Rename that"
            raise InputError(f"column {name!r} is missing: {remedy}", path=path, line=1)
    return header


@contextmanager
def _text_stream(path: str | Path) -> Iterator[IO[str]]:
    """The lines of a UTF-8 file, ``.gz`` unpacked on the way; faults as of ``read_text``."""
    try:
        with _opened(path) as binary, io.TextIOWrapper(binary, encoding="utf-8-sig") as stream:
            yield stream
    except UnicodeDecodeError:
        read_text(path)  # counts the bytes up to the fault, and names it
        raise
    except (OSError, EOFError, zlib.error) as error:
        raise _unreadable(error, path) from None


#: Where a shell puts the output of a command that takes the place of a file, and nothing at all.
_GIVEN_BY_SHELL = ("/dev/fd/", "/proc/self/fd/", "/dev/stdin", os.devnull)


def refuse_special(path: str | Path) -> None:
    """``InputError`` for a pipe, socket or device: opening or reading it may never end."""
    if str(path).startswith(_GIVEN_BY_SHELL):
        return
    mode = os.stat(path).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise InputError("is a pipe, a socket or a device: give a file", path=path)


def _opened(path: str | Path) -> IO[bytes]:
    """The bytes of a file, ``.gz`` unpacked as they are read."""
    refuse_special(path)
    if not str(path).endswith(".gz"):
        return open(path, "rb")
    import gzip

    return cast(IO[bytes], gzip.open(path))


def _unreadable(error: Exception, path: str | Path) -> InputError:
    if isinstance(error, FileNotFoundError):
        return InputError("no such file: check the path", path=path)
    reason = getattr(error, "strerror", None) or str(error)
    return InputError(f"cannot be read: {reason}", path=path)


def read_rows(
    path: str | Path, required: Sequence[str] = (), marks: str = ","
) -> tuple[list[str], list[dict[str, str]]]:
    """A CSV file (or ``.csv.gz``) as its header and rows of strings, as ``read_pieces`` reads it.

    Raises ``InputError`` for a missing or doubled column or a row with the wrong field count.
    """
    header: list[str] = []
    rows: list[dict[str, str]] = []
    for piece in read_pieces(path, required, marks=marks):
        header = piece.header
        if len(header) * (len(rows) + len(piece.records)) > MOST_FIELDS:
            raise InputError(f"more than {MOST_FIELDS} fields: split the table", path=path)
        rows += (dict(zip(header, map(str.strip, fields), strict=True)) for fields in piece.records)
    return header, rows


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    """Rows as CSV text; ``None`` is an empty field, floats have their shortest exact form.

    A text that a spreadsheet would take for a formula has an apostrophe before it, which
    ``read_pieces`` takes away again.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(map(_field, columns))
    for row in rows:
        writer.writerow([_field(row.get(name)) for name in columns])
    return buffer.getvalue()


def _field(value: object) -> str:
    if type(value) is str:
        return f"'{value}" if _FORMULA.match(value) and not _is_number(value) else value
    if type(value) is int:
        return str(value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float):
        if value != value:
            return ""
        return repr(float(value))
    return str(value)


#: How a cell begins that spreadsheets run (or that had an apostrophe against it).
_FORMULA = re.compile(r"'*[=+\-@\t\r]")


def _as_meant(fields: list[str]) -> list[str]:
    """The fields of a row without apostrophes against formulas."""
    return [text[1:] if text.startswith("'") and _FORMULA.match(text) else text for text in fields]


def write_table(
    path: str | Path | None, columns: Sequence[str], rows: Sequence[Mapping[str, object]]
) -> None:
    """Write a table to ``path``; without a path to standard output (aligned for a person)."""
    if path is not None:
        write_text(path, csv_text(columns, rows))
    elif sys.stdout.isatty():
        show(aligned_text(columns, rows))
    else:
        show(csv_text(columns, rows))


def aligned_text(columns: Sequence[str], rows: Sequence[Mapping[str, object]]) -> str:
    """Rows as aligned text for a terminal; columns that are empty throughout are left out."""
    if not columns:
        return ""
    cells = [[printable(_field(row.get(name))) for name in columns] for row in rows]
    shown = [i for i in range(len(columns)) if any(row[i] for row in cells)] or [0]
    widths = {i: max([len(columns[i]), *(len(row[i]) for row in cells)]) for i in shown}
    numeric = {i: all(_is_number(row[i]) for row in cells if row[i]) for i in shown}

    def line(fields: Sequence[str]) -> str:
        return "  ".join(
            fields[i].rjust(widths[i]) if numeric[i] else fields[i].ljust(widths[i]) for i in shown
        ).rstrip()

    return "\n".join([line(columns), *(line(row) for row in cells)]) + "\n"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def sha256_file(path: str | Path) -> str:
    """The SHA-256 of a file's bytes, read in pieces."""
    import hashlib

    digest = hashlib.sha256()
    refuse_special(path)
    with open(path, "rb") as stream:
        while piece := stream.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()
