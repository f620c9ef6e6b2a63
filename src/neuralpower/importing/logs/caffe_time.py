"""The log of BVLC Caffe's ``caffe time``: the network at its head, then the average of each layer.

Lines of glog begin with severity and date (``I1125`` or ``I20261125``), time, thread and source.
The network is what is between "Initializing net from parameters" and the next such line.
"""

from __future__ import annotations

import re
from pathlib import Path

from neuralpower.core.errors import InputError
from neuralpower.core.files import read_text
from neuralpower.importing.logs.timings import TimedRow, Timing, check_size

_GLOG = re.compile(r"[IWEF](\d{4}|\d{8}) \d\d:\d\d:\d\d\.\d+ +\d+ ([\w.]+):\d+\] ?(.*)")
_LAYER = re.compile(r"(.*)\t(forward|backward): (\S+) ms\.")
_WHOLE = re.compile(r"Average Forward pass: (\S+) ms\.")
_RUNS = re.compile(r"Testing for (\d+) iterations\.")
#: Caffe's own layers where a blob is read more than once: ``<blob>_<layer>_<n>_split``.
_TESTED = re.compile(r"state\s*+\{[^}]{0,200}phase: TEST")
_SPLIT = re.compile(r".+_\d+_split")


def read_caffe_time(path: str | Path, partial: bool = False) -> Timing:
    """The forward times of a log; those of the backward pass are passed by.

    A log that ends before "Benchmark ends" is refused unless ``partial``. Raises ``InputError``
    naming the line of a time that cannot be read, or a file that is no such log.
    """
    check_size(path)
    rows: list[TimedRow] = []
    head: list[str] = []
    runs, whole, ended, inside, seen = 0, None, False, False, False
    mode = ""
    for number, line in enumerate(read_text(path).split("\n"), 1):
        found = _GLOG.fullmatch(line)
        if found is None:
            if inside:
                head.append(line)
            continue
        inside, seen = False, seen or found[2] == "caffe.cpp"
        text = found[3]
        if text.startswith("Initializing net from parameters") and not head:
            inside = True
        elif text.startswith("Use "):
            mode = text.removeprefix("Use ").rstrip(".")
        elif times := _LAYER.fullmatch(text):
            if times[2] == "forward":
                value = _number(times[3], path, number)
                name = times[1].strip()
                moves = _SPLIT.fullmatch(name) is not None
                rows.append(TimedRow(name, value, runs, number, moves=moves))
        elif times := _RUNS.fullmatch(text):
            runs = int(times[1])
        elif times := _WHOLE.fullmatch(text):
            whole = _number(times[1], path, number)
        ended = ended or "*** Benchmark ends ***" in text
    if not seen:
        raise InputError("no log of `caffe time`: its lines begin with date and time", path=path)
    if not ended and not partial:
        raise InputError(
            "the log is cut short, it has no 'Benchmark ends': time again, or take what is there "
            "with --partial",
            path=path,
        )
    if not rows:
        raise InputError("no layer times in it: time again, with fewer iterations", path=path)
    text = "\n".join(head)
    phase = "TEST" if _TESTED.search(text) else "TRAIN"
    notes = [] if ended else ["the log is cut short: what it holds is taken"]
    if text and phase == "TRAIN":
        notes.append(
            "timed in phase TRAIN, the default of `caffe time`: Dropout draws and BatchNorm "
            "computes statistics; `caffe time -phase TEST` times inference"
        )
    title = re.search(r'^name: "(.*)"$', text, re.MULTILINE)
    facts: dict[str, object] = {"phase": phase, "mode": mode, "iterations": runs}
    return Timing(
        rows,
        runs,
        "caffe time",
        whole_ms=whole,
        basis="average forward pass",
        network_text=text,
        network_title=title[1] if title else "",
        phase=phase,
        facts={key: value for key, value in facts.items() if value},
        notes=notes,
    )


def _number(text: str, path: str | Path, line: int) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e12:
        raise InputError(f"the time {text[:40]!r} is not a number from 0 on", path=path, line=line)
    return value
