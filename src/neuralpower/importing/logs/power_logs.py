"""Logs of power sensors, and the mean power of windows of time.

``nvidia-smi --query-gpu=timestamp,power.draw --format=csv -lms 100`` writes a table,
``tegrastats`` a line of words a sample. Power is averaged over a window by the trapezoid rule,
after a time in which the sensor settles; a window with few samples has no power.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from neuralpower.core.errors import InputError
from neuralpower.core.files import read_text
from neuralpower.importing.logs.timings import check_size

#: Fewer samples in a window say nothing about its mean.
FEWEST = 3


@dataclass(frozen=True, slots=True)
class Sample:
    """Power at a time: seconds since 1970 by the log's own clock, taken as UTC."""

    t_s: float
    power_w: float


_LONGEST_LINE = 10_000
_MISSING = frozenset({"", "[n/a]", "n/a", "[not supported]", "[unknown error]"})


def read_nvidia_smi(path: str | Path, gpu: str = "") -> list[Sample]:
    """The samples of one GPU; ``gpu`` is its index or UUID where the log has several.

    Raises ``InputError`` with the line for a field that cannot be read, a log without a power or
    time column, or of several GPUs without a choice.
    """
    check_size(path)
    lines = read_text(path).split("\n")
    if max(map(len, lines)) > _LONGEST_LINE:
        raise InputError("no log of nvidia-smi: its lines are too long", path=path)
    header = [_column(name) for name in next(csv.reader(lines[:1]), [])]
    power = next((n for n in ("power.draw.instant", "power.draw", "power.draw.average")
                  if n in header), None)  # fmt: skip
    if "timestamp" not in header or power is None:
        raise InputError(
            "no log of nvidia-smi with times and power: write it with "
            "--query-gpu=timestamp,power.draw --format=csv",
            path=path,
            line=1,
        )
    names = [n for n in ("index", "uuid") if n in header]
    found: list[Sample] = []
    boards: set[str] = set()
    # One line at a time: a quote that is never closed is the fault of its line.
    for number, line in enumerate(lines[1:], 2):
        fields = next(csv.reader([line], skipinitialspace=True), [])
        if len(fields) != len(header):
            if fields and number <= len(lines) - 1:
                text = f"{len(fields)} fields where the header has {len(header)}"
                raise InputError(text, path=path, line=number)
            continue  # the last line may be cut where the log was stopped
        row = dict(zip(header, (field.strip() for field in fields), strict=True))
        board = row[names[0]] if names else ""
        boards.add(board)
        if gpu and gpu not in {row[name] for name in names}:
            continue
        text = row[power].removesuffix(" W")
        if text.lower() in _MISSING:
            continue
        found.append(Sample(_time(row["timestamp"], path, number), _watts(text, path, number)))
    if len(boards) > 1 and not gpu:
        raise InputError(f"a log of {len(boards)} GPUs: choose one with --gpu INDEX", path=path)
    return _ordered(found, path)


def _column(name: str) -> str:
    return name.strip().split(" ")[0].lower()


#: Possessive: a long word is not tried again from each of its characters.
_RAIL = re.compile(r"\b(\w++) (\d++)(?:mW)?/\d+(?:mW)?")
_STAMP = re.compile(r"\d\d-\d\d-\d{4} \d\d:\d\d:\d\d")
#: Rails of the whole board, in the order of preference (Orin, Xavier NX; Nano, TX2).
_RAILS = ("VDD_IN", "POM_5V_IN", "VIN_SYS_5V0")


def read_tegrastats(path: str | Path, interval_s: float | None = None) -> list[Sample]:
    """The input power of a Jetson board, by the times of its lines or ``interval_s`` apart.

    Raises ``InputError`` for a log without a board rail, or without times and interval.
    """
    check_size(path)
    found: list[Sample] = []
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if not line.strip():
            continue
        if len(line) > _LONGEST_LINE:
            raise InputError("no line of tegrastats: it is too long", path=path, line=number)
        rails = dict(_RAIL.findall(line))
        rail = next((name for name in _RAILS if name in rails), None)
        if rail is None:
            if "RAM " in line:
                raise InputError(
                    f"no rail of the whole board ({', '.join(_RAILS)})", path=path, line=number
                )
            raise InputError("no line of tegrastats", path=path, line=number)
        stamp = _STAMP.match(line.strip())
        if stamp:
            time = _stamped(stamp[0], path, number)
        elif interval_s is None:
            raise InputError(
                "its lines have no time: give --interval SECONDS, as tegrastats was started with",
                path=path,
                line=number,
            )
        else:
            time = (number - 1) * interval_s
        found.append(Sample(time, _watts(rails[rail], path, number) / 1000))
    return _ordered(found, path)


def _stamped(text: str, path: str | Path, line: int) -> float:
    try:
        return datetime.strptime(text, "%m-%d-%Y %H:%M:%S").replace(tzinfo=UTC).timestamp()
    except ValueError as error:
        raise InputError(f"no time: {error}", path=path, line=line) from None


def _time(text: str, path: str | Path, line: int) -> float:
    try:
        return parse_time(text)
    except ValueError:
        raise InputError(f"{text[:40]!r} is no time", path=path, line=line) from None


def parse_time(text: str) -> float:
    """Seconds since 1970 of a number, or of a date and time; without a zone it counts as UTC.

    Raises ``ValueError`` for anything else.
    """
    try:
        value = float(text)
    except ValueError:
        moment = datetime.fromisoformat(text.strip().replace("/", "-"))
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return moment.timestamp()
    if not 0 <= value < 1e11:
        raise ValueError(text)
    return value


def _watts(text: str, path: str | Path, line: int) -> float:
    """A power in the log's own unit."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e6:
        raise InputError(f"the power {text[:40]!r} is no power", path=path, line=line)
    return value


def _ordered(samples: Iterable[Sample], path: str | Path) -> list[Sample]:
    found = sorted(samples, key=lambda sample: sample.t_s)
    if not found:
        raise InputError("no power in it: every field is missing", path=path)
    return found


@dataclass(frozen=True, slots=True)
class WindowPower:
    """The mean power of a window, None with the reason where there is none."""

    power_w: float | None
    samples: int
    reason: str = ""


def window_power(
    samples: Sequence[Sample], start: float, end: float, settle_s: float
) -> WindowPower:
    """The mean power from ``start`` + ``settle_s`` to ``end``, by the trapezoid rule."""
    inside = [s for s in samples if start + settle_s <= s.t_s <= end]
    if not samples or end < samples[0].t_s or start > samples[-1].t_s:
        return WindowPower(None, 0, "outside of the power log: do the clocks agree?")
    if len(inside) < FEWEST:
        text = f"{len(inside)} samples after {settle_s:g} s of settling: {FEWEST} are needed"
        return WindowPower(None, len(inside), text)
    area = sum((b.t_s - a.t_s) * (a.power_w + b.power_w) / 2 for a, b in pairwise(inside))
    span = inside[-1].t_s - inside[0].t_s
    mean = area / span if span > 0 else sum(s.power_w for s in inside) / len(inside)
    return WindowPower(mean, len(inside))
