"""A command must not write over what it reads: slips of ``--out`` would cost the only copy."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable
from pathlib import Path

from neuralpower.core.errors import InputError

#: What commands write to.
_OUTPUTS = ("out", "totals")
#: Lists of words that are names of files.
_LISTS = ("networks", "tables", "layers")


def refuse_overwriting(out: str | Path, inputs: Iterable[str | Path], option: str = "out") -> None:
    """``InputError`` where an output is the file or the folder of an input."""
    place = os.path.realpath(out)
    for path in inputs:
        if os.path.realpath(path) == place:
            raise InputError(f"is in use by this command: name another --{option}", path=out)


def refuse_overwriting_by(arguments: argparse.Namespace) -> None:
    """As ``refuse_overwriting``, for all paths of a command line."""
    for option in _OUTPUTS:
        out = getattr(arguments, option, None)
        if isinstance(out, str | Path):
            refuse_overwriting(out, _paths(arguments, option), option)


def _paths(arguments: argparse.Namespace, option: str) -> Iterable[str | Path]:
    """The paths of all other arguments."""
    for name, value in vars(arguments).items():
        if name == option:
            continue
        words = value if isinstance(value, list | tuple) else [value]
        for word in words:
            if isinstance(word, Path) or (name in _LISTS and isinstance(word, str)):
                yield word
