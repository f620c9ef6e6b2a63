"""How far a command is: a bar on a terminal, lines in a log, lines for other programs."""

from __future__ import annotations

import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

#: Seconds between two lines of progress.
_LINE_EVERY_S = 10.0


class Bar:
    """A bar on standard error; nothing where that is no terminal or ``rich`` is not installed.

    ``prefix``: in front of each text; ``transient``: the bar is gone at the end.
    """

    def __init__(self, prefix: str = "", *, transient: bool = False) -> None:
        self._prefix, self._transient = prefix, transient
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    @property
    def shown(self) -> bool:
        """Whether there is a bar to look at."""
        return self._progress is not None

    def __enter__(self) -> Bar:
        if sys.stderr.isatty() and find_spec("rich") is not None:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

            self._progress = Progress(
                TextColumn("{task.description:18}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[left]}"),
                console=Console(stderr=True),
                transient=self._transient,
            )
            self._task = self._progress.add_task("", total=None, left="")
            self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._progress is not None:
            self._progress.stop()

    def update(self, text: str, done: int, total: int, left: str = "") -> None:
        """Show what is being done, how much of it is done, and the time left in words."""
        if self._progress is not None and self._task is not None:
            text = self._prefix + text
            self._progress.update(
                self._task, description=text, completed=done, total=total, left=left
            )


class VisitProgress:
    """Progress of a run: a bar on a terminal, and always one line per visit in ``profile.log``.

    ``lines``: lines on standard error too, where that is no terminal, every 10 s.
    """

    def __init__(self, folder: Path, lines: bool = False) -> None:
        self._folder = folder
        self._lines = lines and not sys.stderr.isatty()
        self._next_line_s = 0.0
        self._bar = Bar()
        self._log: TextIO | None = None

    def __enter__(self) -> VisitProgress:
        self._bar.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.__exit__(*exception)
        if self._log is not None:
            self._log.close()

    def __call__(self, title: str, done: int, planned: int, left_s: float | None) -> None:
        """A visit has ended (``title``: the next one, empty at the end); ``left_s``: time left."""
        left = "" if left_s is None else f"{left_s / 60:.1f} min left"
        self._bar.update(title, done, planned, left)
        if self._lines and (not title or time.monotonic() >= self._next_line_s):
            sys.stderr.write(f"{self._folder}: {done} of {planned} visits, {left or 'done'}\n")
            sys.stderr.flush()
            self._next_line_s = time.monotonic() + _LINE_EVERY_S
        if not self._bar.shown and sys.stderr.isatty():
            # A bare machine may be without rich.
            sys.stderr.write(f"\r{done}/{planned} {title or 'end'} {left}\033[K")
            sys.stderr.write("" if title else "\n")
        if self._log is None:
            self._log = open(self._folder / "profile.log", "a", encoding="utf-8")  # noqa: SIM115
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self._log.write(f"{stamp} {done}/{planned} {title or 'end'} {left}\n".replace(" \n", "\n"))
        self._log.flush()


class ByteProgress:
    """A line on standard error that counts the bytes of a file, on a terminal only."""

    def __enter__(self) -> ByteProgress:
        self._shown = sys.stderr.isatty()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._shown:
            sys.stderr.write("\n")

    def update(self, path: str, done: int, size: int) -> None:
        """Say how much of a file is there."""
        if self._shown:
            name = path.rsplit("/", 1)[-1]
            sys.stderr.write(f"\r{name}: {100 * done // size} % of {size:,} bytes\033[K")
            sys.stderr.flush()
