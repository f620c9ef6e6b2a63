"""A reader of what a stranger could send, and what all of them begin from.

A target is a file in a folder and a function that reads it as the commands do. The function gives
nothing back: that it returns, or raises an ``InputError`` of one line, is what is asked.
"""

from __future__ import annotations

import functools
import gzip
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mutations

ROOT = Path(__file__).resolve().parents[2]
SEEDS = Path(__file__).parent / "seeds"
MODELS = ROOT / "published/raptorlake-pytorch/models"

Read = Callable[[Path], None]
Change = Callable[[random.Random, bytes], bytes]


@dataclass(frozen=True)
class Target:
    """A reader: ``file`` of a folder that ``prepare`` fills is what ``change`` makes of a seed."""

    name: str
    file: str
    seeds: Callable[[], list[bytes]]
    change: Change
    read: Read
    prepare: Read = field(default=lambda folder: None)
    #: Documents of which every key is given every wrong value.
    document: bool = False


def text(draw: random.Random, data: bytes) -> bytes:
    return mutations.change_text(draw, data.decode()).encode("utf-8", "surrogatepass")


def table(draw: random.Random, data: bytes) -> bytes:
    return mutations.change_table(draw, data.decode()).encode("utf-8", "surrogatepass")


def yaml(draw: random.Random, data: bytes) -> bytes:
    from neuralpower.core.documents import parse_yaml

    if draw.random() < 0.3:
        return text(draw, data)
    value = mutations.change_document(draw, parse_yaml(data.decode()))
    return json.dumps(value).encode("utf-8", "surrogatepass")


def packed(change: Change) -> Change:
    def changed(draw: random.Random, data: bytes) -> bytes:
        plain = gzip.decompress(data)
        if draw.random() < 0.05:
            return mutations.change_bytes(draw, data)
        return mutations.packed(change(draw, plain))

    return changed


def files(*patterns: str, most: int = 20_000) -> Callable[[], list[bytes]]:
    def read() -> list[bytes]:
        found = [path for pattern in patterns for path in sorted(ROOT.glob(pattern))]
        return [data for path in found if len(data := path.read_bytes()) <= most]

    return read


def given(*texts: str) -> Callable[[], list[bytes]]:
    return lambda: [text.encode() for text in texts]


def seed(name: str) -> Callable[[], list[bytes]]:
    """A file of ``seeds/``."""
    return lambda: [(SEEDS / name).read_bytes()]


@functools.cache
def models() -> Any:
    from neuralpower.modeling.models import load_models

    return load_models(MODELS)


def predict(network: Any) -> None:
    from neuralpower.core.configuration import PREDICTION_COLUMNS
    from neuralpower.core.files import csv_text
    from neuralpower.networks.composition import predict_networks

    csv_text(PREDICTION_COLUMNS, predict_networks([network], models()))


def rows(name: str, most: int) -> bytes:
    path = ROOT / "measurements/ort-cpu" / name
    data = path.read_bytes()
    lines = (gzip.decompress(data) if name.endswith(".gz") else data).decode().splitlines(True)
    return "".join(lines[: most + 1]).encode()
