"""The parser of the command line: what is wrong is said in one line, with the remedy."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from typing import Any, NoReturn

from neuralpower.core.errors import InputError


class Parser(argparse.ArgumentParser):
    """An ``ArgumentParser`` whose faults are ``InputError``; sub-parsers are of this class too."""

    def __init__(self, *args: Any, **options: Any) -> None:
        options.setdefault("formatter_class", _formatter)
        super().__init__(*args, **options)

    def error(self, message: str) -> NoReturn:
        """Raise ``InputError`` in place of printing the usage and leaving the process."""
        command = self.prog.partition(" ")[2]
        place = f"{command}: " if command else ""
        raise InputError(f"{place}{message} (see {self.prog} --help)")

    def parse_known_args(self, args: Any = None, namespace: object = None) -> Any:
        """As in argparse, but what is left over is a fault of the command that leaves it."""
        namespace, rest = super().parse_known_args(args, namespace)
        if rest:
            self.error(f"unrecognized arguments: {' '.join(rest)}{self._meant(rest)}")
        return namespace, rest

    def _meant(self, words: Sequence[str]) -> str:
        import difflib

        options = [name for action in self._actions for name in action.option_strings]
        word = next((word for word in words if word.startswith("-")), "").partition("=")[0]
        close = difflib.get_close_matches(word, options, n=1)
        return f": did you mean {close[0]}?" if close else ""


def _formatter(prog: str) -> argparse.HelpFormatter:
    """argparse's own with the width given: to ask for it, argparse would import ``shutil``."""
    try:
        width = int(os.environ.get("COLUMNS", "")) or 80
    except ValueError:
        try:
            width = os.get_terminal_size().columns or 80
        except (OSError, ValueError):
            width = 80
    return argparse.HelpFormatter(prog, width=max(width, 20) - 2)
