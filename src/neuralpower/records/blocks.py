"""Layer tables as columns, a piece at a time: large tables are read within a bounded memory.

What a row means is said in ``measurement_rows``. A piece with an odd row is read row by row, which
raises the error that names it; all others are read a column at a time, ten times as fast.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from neuralpower.core.cells import INTEGER_COLUMNS, MAY_BE_ZERO, Cells, integer_column, number_of
from neuralpower.core.families import FAMILIES, POOL_METHODS
from neuralpower.core.files import Piece
from neuralpower.core.plausible import MOST_WATTS, implausible
from neuralpower.records.folder import Platform, load_platform
from neuralpower.records.rows import (
    NUMBERS,
    REQUIRED_COLUMNS,
    Row,
    layer_rows,
    pieces,
)

_INVALID = ("0", "false")


@dataclass(frozen=True)
class Block:
    """Rows of one family in one file, as columns of n.

    ``numbers``: row numbers. ``integers``: the whole numbers of the configuration, int64.
    ``methods`` and ``networks``: text, empty where there is none. ``runtime_ms`` and ``power_w``:
    float64, NaN where empty. ``odd``: (n,) whether a value may be no measurement; ``row(i)`` is
    the row itself then.
    """

    file: str
    family: str
    numbers: np.ndarray
    integers: Mapping[str, np.ndarray]
    methods: Sequence[str]
    networks: Sequence[str]
    runtime_ms: np.ndarray
    power_w: np.ndarray
    odd: np.ndarray
    row: Callable[[int], Row]

    def __len__(self) -> int:
        return len(self.numbers)


def iter_blocks(platform: Platform | str | Path, rows: int = 20_000) -> Iterator[list[Block]]:
    """The layer tables in pieces of so many rows: a block for each family of a piece.

    Raises ``InputError`` as ``measurements.load_rows`` does.
    """
    known = platform if isinstance(platform, Platform) else load_platform(platform)
    for path in known.layer_files:
        for piece in pieces(path, REQUIRED_COLUMNS, rows):
            try:
                yield _fast_blocks(path, piece)
            except ValueError:
                yield _blocks_of_rows(list(layer_rows(path, piece)))


def _fast_blocks(path: Path, piece: Piece) -> list[Block]:
    """The blocks of a piece; ``ValueError`` where any of its rows is odd."""
    if not piece.records:
        return []
    columns = dict(zip(piece.header, zip(*piece.records, strict=True), strict=True))
    families = list(map(Cells(str).__getitem__, columns["family"]))
    blocks = []
    for family in dict.fromkeys(families):
        if family not in FAMILIES:
            raise ValueError(family)
        places = [i for i, name in enumerate(families) if name == family]
        part: Mapping[str, Sequence[str]] = columns
        if len(places) < len(families):
            part = {name: [cells[i] for i in places] for name, cells in columns.items()}
        blocks.append(_fast_block(path, piece, family, np.array(places), part))
    return blocks


def _fast_block(
    path: Path, piece: Piece, family: str, places: np.ndarray, part: Mapping[str, Sequence[str]]
) -> Block:
    n = len(places)
    integers = {name: integer_column(part.get(name), name, family, n) for name in INTEGER_COLUMNS}
    methods = list(map(Cells(str).__getitem__, part.get("pool_method") or [""] * n))
    if not set(methods) <= {*POOL_METHODS, *([] if family == "pool" else [""])}:
        raise ValueError("pool_method")
    numbers = {name: _numbers(part[name]) for name in NUMBERS if name in part}
    runtime, power = numbers["runtime_ms"], numbers.get("power_w", np.full(n, np.nan))
    filled = _filled(power, part.get("power_w") or [""] * n)
    odd = _odd(family, integers, runtime, power, filled)
    if "valid" in part:
        odd |= _invalid(part["valid"])
    networks = part.get("network")

    def row(i: int) -> Row:
        at = int(places[i])
        (found,) = layer_rows(path, Piece(piece.header, piece.first + at, [piece.records[at]]))
        return found

    return Block(
        path.name,
        family,
        piece.first + places,
        integers,
        methods,
        list(map(Cells(str).__getitem__, networks)) if networks else [""] * n,
        runtime,
        power,
        odd,
        row,
    )


def _numbers(texts: Sequence[str]) -> np.ndarray:
    cells = Cells(lambda text: number_of(text) if text else np.nan)
    return np.fromiter(map(cells.__getitem__, texts), np.float64, len(texts))


def _filled(power: np.ndarray, texts: Sequence[str]) -> np.ndarray:
    """Where a power is given, "nan" among them."""
    filled = ~np.isnan(power)
    for i in np.flatnonzero(~filled).tolist():
        filled[i] = bool(texts[i].strip())
    return np.asarray(filled)


def _odd(
    family: str,
    integers: Mapping[str, np.ndarray],
    runtime: np.ndarray,
    power: np.ndarray,
    filled: np.ndarray,
) -> np.ndarray:
    """Rows that ``measurement_faults`` has something to say about, ``valid`` left aside."""
    odd = np.asarray(~(np.isfinite(runtime) & (runtime > 0)))
    odd |= filled & ~((power > 0) & (power <= MOST_WATTS))
    for name, values in integers.items():
        odd |= values < (0 if name in MAY_BE_ZERO else 1)
    good = np.flatnonzero(~odd)
    columns = {name: values[good].astype(np.float64) for name, values in integers.items()}
    odd[good] = implausible(SimpleNamespace(family=family, **columns), runtime[good])
    return odd


def _invalid(values: Iterable[object]) -> np.ndarray:
    return np.array([str(value).strip().lower() in _INVALID for value in values], dtype=bool)


def _blocks_of_rows(rows: Sequence[Row]) -> list[Block]:
    by_family: dict[str, list[Row]] = {}
    for row in rows:
        by_family.setdefault(str(row.values["family"]), []).append(row)
    return [_block_of_rows(family, part) for family, part in by_family.items()]


def _block_of_rows(family: str, rows: Sequence[Row]) -> Block:
    def floats(name: str) -> np.ndarray:
        values = (row.values.get(name) for row in rows)
        return np.array([np.nan if value is None else value for value in values], dtype=float)

    integers = {
        name: np.array([int(row.values.get(name, 1)) for row in rows], dtype=np.int64)
        for name in INTEGER_COLUMNS
    }
    runtime, power = floats("runtime_ms"), floats("power_w")
    filled = np.array([row.values.get("power_w") is not None for row in rows], dtype=bool)
    return Block(
        rows[0].file,
        family,
        np.array([row.number for row in rows]),
        integers,
        [str(row.values.get("pool_method") or "") for row in rows],
        [str(row.values.get("network") or "") for row in rows],
        runtime,
        power,
        _odd(family, integers, runtime, power, filled)
        | _invalid(row.values.get("valid", "") for row in rows),
        rows.__getitem__,
    )
