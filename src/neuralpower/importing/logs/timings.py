"""What a reader finds in a log: named times of layers, the whole pass, and how it was measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from neuralpower.core.errors import InputError

Shape = tuple[int, ...]
#: Larger logs are refused before they are read: a profile of some runs is enough.
MAX_BYTES = 500_000_000


@dataclass(frozen=True, slots=True)
class TimedRow:
    """One row of a log: ``runtime_ms`` of one inference, merged over ``runs`` of them.

    ``place`` is the line or entry of the file, from 1. ``parts`` are the names that the tool says
    it joined. ``family``, ``inputs``, ``outputs`` and ``weight`` (shapes) are what the tool says of
    the operation; empty where it does not. ``moves`` rows bring data into another layout, or copy
    it: they are no layer of the network.
    """

    name: str
    runtime_ms: float
    runs: int
    place: int
    parts: tuple[str, ...] = ()
    family: str = ""
    inputs: tuple[Shape, ...] = ()
    outputs: tuple[Shape, ...] = ()
    weight: Shape = ()
    moves: bool = False


@dataclass(slots=True)
class Timing:
    """A log of layer times. ``whole_ms``: one pass by the tool's own clock, ``basis`` says which.

    ``network_text`` is a prototxt that the log itself holds, ``phase`` the phase that was timed;
    ``batch`` is 0 where the log does not say. ``facts`` go into the manifest.
    """

    rows: list[TimedRow]
    runs: int
    tool: str
    whole_ms: float | None = None
    basis: str = ""
    network_text: str = ""
    network_title: str = ""
    phase: str = "TEST"
    batch: int = 0
    facts: dict[str, object] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def check_size(path: str | Path) -> None:
    """``InputError`` for a file that is not there, empty, or larger than any log of use."""
    try:
        size = Path(path).stat().st_size
    except FileNotFoundError:
        raise InputError("no such file: check the path", path=path) from None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", path=path) from None
    if not size:
        raise InputError("the file is empty", path=path)
    if size > MAX_BYTES:
        raise InputError(
            f"larger than {MAX_BYTES // 1_000_000} MB: profile fewer runs, or cut the file",
            path=path,
        )


def read_document(path: str | Path, tool: str) -> object:
    """A JSON file of any form; one line with the place where it is torn."""
    from neuralpower.core.documents import parse_json
    from neuralpower.core.files import read_text

    check_size(path)
    try:
        return parse_json(read_text(path), path, what=tool, foreign=True)
    except InputError as error:
        raise InputError(
            f"{error.message}: is this {tool}, whole?",
            path=path,
            line=error.line,
            column=error.column,
        ) from None


def milliseconds(value: object, path: str | Path, row: int, scale: float = 1.0) -> float:
    """A time of a JSON file in ms; ``InputError`` where it is no number or negative."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e15:
        raise InputError(f"the time {str(value)[:40]!r} is not a number from 0 on", path=path,
                         row=row)  # fmt: skip
    return float(value) * scale
