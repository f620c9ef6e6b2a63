"""Batch sizes on the command line: ``--batch 1 16``, ``--batch 1,16``, or the option once more."""

from __future__ import annotations

import argparse
import re

#: The largest batch size that is taken.
_MOST = 1 << 20


def one_batch(text: str) -> int:
    """One batch size given on the command line."""
    value = int(text) if re.fullmatch(r"[0-9]{1,9}", text) else 0
    if not 1 <= value <= _MOST:
        raise argparse.ArgumentTypeError(f"{text!r} is not one batch size from 1 to {_MOST}")
    return value


def batches(text: str) -> list[int]:
    """One or several batch sizes: ``1,16``."""
    return [one_batch(word) for word in text.split(",")]


def add_batches_argument(parser: argparse.ArgumentParser) -> None:
    """Declare ``--batch`` of commands that take several sizes."""
    parser.add_argument(
        "--batch",
        action="extend",
        type=batches,
        default=[],
        metavar="N",
        help="batch size instead of the file's; several as 1,16",
    )


def joined(words: list[str]) -> list[str]:
    """A command line with ``--batch 1 16`` written ``--batch 1,16``, which argparse can read.

    Only whole numbers are joined: a network's file is none.
    """
    result: list[str] = []
    for word in words:
        number = re.fullmatch(r"[0-9]{1,9}", word)
        sizes = re.fullmatch(r"[0-9,]{1,400}", result[-1]) if result else None
        if number and sizes and len(result) > 1 and result[-2] == "--batch":
            result[-1] += f",{word}"
        else:
            result.append(word)
    return result
