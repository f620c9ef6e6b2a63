"""A command must not write over what it reads: slips of ``--out`` would cost the only copy."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable
from pathlib import Path

from neuralpower.core.errors import InputError
from neuralpower.core.file_names import COMPOSITION, LEARNING_CURVE

#: What commands write to.
_OUTPUTS = ("out", "totals", "learning_curve", "kept")
#: Files that commands add to a folder of models.
_ADDED = (COMPOSITION, LEARNING_CURVE)
#: Lists of words that are names of files.
_LISTS = ("networks", "tables", "layers")


def refuse_overwriting(out: str | Path, inputs: Iterable[str | Path], option: str = "out") -> None:
    """``InputError`` where an output is the file or the folder of an input, or a file in one.

    What a command adds to the folder of models that it reads may be there already.
    """
    place = os.path.realpath(out)
    known = os.path.isfile(place) and os.path.basename(place) not in _ADDED
    for path in inputs:
        source = os.path.realpath(path)
        inside = known and os.path.isdir(source) and place.startswith(source + os.sep)
        if source == place or inside:
            raise InputError(
                f"is in use by this command: name another --{option.replace('_', '-')}", path=out
            )


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
