"""Try changed inputs on every reader: ``python tests/fuzz/fuzz.py --seconds 60 --seed 1``.

What is a fault: another exception than ``InputError``, a message that is not one printable line or
names no file, a warning, more than 20 s or 1 GB. The input that did it is kept, named after its
reader; put into ``corpus/`` it is tried by every run of the tests.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import hashlib
import itertools
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType

import mutations
from targets import TARGETS, Target

from neuralpower.core.errors import InputError

CORPUS = Path(__file__).parent / "corpus"
#: Messages about what was asked for, not about a file.
_OF_ARGUMENTS = ("--", "configuration: ", "near_networks: ")
SECONDS, BYTES = 20.0, 1 << 30
#: Inputs of a reader before the next one has its turn.
ROUND = 200


class Hang(BaseException):
    """The time of one input is over."""


def _over(number: int, frame: FrameType | None) -> None:
    raise Hang


@contextlib.contextmanager
def folder_of(target: Target) -> Iterator[Path]:
    """A folder in which the target's file is read."""
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=base, prefix="fuzz-") as name:
        folder = Path(name) / "p"
        folder.mkdir()
        target.prepare(folder)
        yield folder


def attempt(target: Target, folder: Path, data: bytes) -> tuple[str, str]:
    """Give one input to a reader: ``("read" or "refused", its message)``, or ``("fault", why)``."""
    (folder / target.file).write_bytes(data)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    signal.signal(signal.SIGALRM, _over)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    outcome = "read", ""
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            target.read(folder)
        if warned:
            place = f"{Path(warned[0].filename).name}:{warned[0].lineno}"
            outcome = "fault", f"warning: {warned[0].message} ({place})"
    except InputError as error:
        text = str(error)
        outcome = "refused", text
        if not text.isprintable():
            outcome = "fault", f"not one printable line: {text!r}"
        elif len(text) > 1000:
            outcome = "fault", f"a message of {len(text)} characters: {text[:200]}"
        elif error.path is None and not text.startswith(_OF_ARGUMENTS):
            outcome = "fault", f"no file is named: {text}"
    except OSError as error:
        # The command line names the file and the system's reason.
        outcome = ("refused", str(error)) if error.filename else ("fault", repr(error))
    except (Hang, Exception) as error:
        outcome = "fault", f"{type(error).__name__}: {str(error)[:300]} {_place(error)}"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    if grown > BYTES:
        outcome = "fault", f"{grown >> 20} MB"
    return outcome


def _place(error: BaseException) -> str:
    trace, place = error.__traceback__, ""
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if "neuralpower" in name:
            place = f"({Path(name).name}:{trace.tb_lineno})"
        trace = trace.tb_next
    return place


def inputs(target: Target, seed: int) -> Iterator[bytes]:
    """Inputs without end; the same for the same seed."""
    seeds = target.seeds()
    number = 0
    while True:
        draw = random.Random(f"{seed} {target.name} {number}")
        yield target.change(draw, draw.choice(seeds))
        number += 1


def documents(target: Target) -> Iterator[bytes]:
    """Every seed with every wrong value at every key."""
    for data in target.seeds():
        for value in mutations.every_wrong_value(json.loads(data)):
            yield json.dumps(value).encode("utf-8", "surrogatepass")


def _stem(target: Target) -> str:
    return target.name.replace(",", "").replace(" ", "_")


def corpus(target: Target) -> list[Path]:
    """Inputs of the target that once failed."""
    stem = _stem(target)
    return sorted(CORPUS.glob(f"{stem}-*"))


class Tally:
    """Counts of a run, and the inputs that failed."""

    def __init__(self, out: Path | None) -> None:
        self.out = out
        self.counts: dict[str, Counter[str]] = {}
        self.faults: dict[tuple[str, str], int] = {}

    def add(self, target: Target, data: bytes, outcome: tuple[str, str]) -> None:
        """Count one input; the first of each kind of fault is kept and shown."""
        kind, why = outcome
        self.counts.setdefault(target.name, Counter())[kind] += 1
        if kind != "fault":
            return
        key = target.name, why.rpartition("(")[2] if why.endswith(")") else why[:40]
        self.faults[key] = self.faults.get(key, 0) + 1
        if self.faults[key] > 1:
            return
        print(f"{target.name}: {why}", flush=True)
        if self.out is not None:
            self.out.mkdir(parents=True, exist_ok=True)
            name = f"{_stem(target)}-{hashlib.sha256(data).hexdigest()[:8]}"
            (self.out / name).write_bytes(data)


def run(target: Target, many: Iterator[bytes], tally: Tally, until: float, most: int) -> bool:
    """Try inputs of one target until a time (monotonic) or a number of them is reached.

    Whether there may be more of them.
    """
    with folder_of(target) as folder:
        for number in range(most):
            if time.monotonic() > until or (data := next(many, None)) is None:
                return False
            if number % 500 == 499:
                gc.collect()
            tally.add(target, data, attempt(target, folder, data))
            for left in folder.parent.iterdir():
                if left != folder:
                    shutil.rmtree(left)
    return True


def in_rounds(
    many: Mapping[Target, Iterator[bytes]], tally: Tally, seconds: float, most: int
) -> None:
    """Each reader in turn gets a few inputs, so that all have as many when the time is over."""
    until = time.monotonic() + seconds
    left = dict.fromkeys(many, most)
    while left and time.monotonic() < until:
        for target in list(left):
            count = min(left[target], ROUND)
            left[target] -= count
            if not run(target, many[target], tally, until, count) or not left[target]:
                del left[target]


def main() -> int:
    """Try the readers in rounds; exit status 1 where one failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=60.0, help="for all readers together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--inputs", type=int, default=10**9, help="most inputs of a reader")
    parser.add_argument("--skip", type=int, default=0, help="first inputs of a reader left out")
    parser.add_argument("--only", nargs="*", help="names of readers")
    parser.add_argument("--every-key", action="store_true", help="wrong values at every key")
    parser.add_argument("--out", type=Path, help="folder for inputs that fail")
    arguments = parser.parse_args()
    chosen = [t for t in TARGETS if not arguments.only or t.name in arguments.only]
    if arguments.every_key:
        chosen = [t for t in chosen if t.document]
    tally = Tally(arguments.out)
    signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGINT))
    many = {
        target: documents(target)
        if arguments.every_key
        else itertools.islice(inputs(target, arguments.seed), arguments.skip, None)
        for target in chosen
    }
    with contextlib.suppress(KeyboardInterrupt):  # what was tried is counted
        in_rounds(many, tally, arguments.seconds, arguments.inputs)
    for name, counts in tally.counts.items():
        print(f"{name:20} " + ", ".join(f"{counts[k]} {k}" for k in sorted(counts)))
    total = sum(sum(counts.values()) for counts in tally.counts.values())
    print(f"{total} inputs, {len(tally.faults)} kinds of fault, seed {arguments.seed}")
    return 1 if tally.faults else 0


if __name__ == "__main__":
    sys.exit(main())
