"""The visits of a platform, family by family, as columns; of very large tables a sample.

The sample is of configurations, with their visits: those with the lowest checksums (a bottom-k
sample; Cohen and Kaplan, 2007), so that it depends on what was measured and not on the order of
the rows. Memory is bounded by it, whatever the size of the tables.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from neuralpower.core.configuration import CONFIGURATION_COLUMNS
from neuralpower.modeling.features import Array
from neuralpower.records.blocks import Block
from neuralpower.records.faults import Fault, faults

#: More configurations of a family than this are sampled. A model has at most 150 terms.
MOST_CONFIGURATIONS = 100_000
#: More visits of a family than this: so many, spread evenly over its configurations.
MOST_VISITS = 500_000
#: Faulty values beyond this are counted, not listed.
MOST_FAULTS = 100_000

#: Configuration columns that tell configurations of a family apart, in their order.
KEYS = CONFIGURATION_COLUMNS[1:]


@dataclass(frozen=True)
class Visits:
    """Visits of one family, in the order of files and rows.

    ``columns``: configuration columns, (n,) whole numbers and text; ``power_w`` is NaN where it
    was not measured. ``file``, ``network``: (n,) places in ``files`` and ``networks``.
    """

    family: str
    columns: dict[str, np.ndarray]
    runtime_ms: Array
    power_w: Array
    file: np.ndarray
    row: np.ndarray
    network: np.ndarray
    files: Sequence[str]
    networks: Sequence[str]

    def __len__(self) -> int:
        return len(self.row)

    def take(self, rows: np.ndarray) -> Visits:
        """A part of the rows."""
        return Visits(
            self.family,
            {name: values[rows] for name, values in self.columns.items()},
            self.runtime_ms[rows],
            self.power_w[rows],
            self.file[rows],
            self.row[rows],
            self.network[rows],
            self.files,
            self.networks,
        )

    def target(self, name: str) -> Array:
        """What was measured, (n,), in the target's unit; energy is power times runtime."""
        if name == "energy_mj":
            return self.power_w * self.runtime_ms
        return self.runtime_ms if name == "runtime_ms" else self.power_w

    def configurations(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows sorted by configuration, (n,), and where in them each configuration begins.

        The visits of a configuration keep their order.
        """
        keys = [self.columns[name] for name in KEYS]
        keys[KEYS.index("pool_method")] = _places(self.columns["pool_method"])
        order = np.lexsort(keys[::-1])
        changes = np.zeros(len(order), dtype=bool)
        changes[:1] = True
        for key in keys:
            ordered = key[order]
            changes[1:] |= ordered[1:] != ordered[:-1]
        return order, np.flatnonzero(changes)


@dataclass
class Collected:
    """What a platform's tables hold: visits by family, rows read, faults and samples of them."""

    visits: dict[str, Visits] = field(default_factory=dict)
    rows_read: dict[str, int] = field(default_factory=dict)
    left_out: list[Fault] = field(default_factory=list)
    sampled: dict[str, str] = field(default_factory=dict)


def collect(
    blocks: Iterable[Sequence[Block]],
    most_configurations: int = MOST_CONFIGURATIONS,
    most_visits: int = MOST_VISITS,
) -> Collected:
    """Gather blocks; values that are no measurement are left out and listed."""
    result = Collected()
    stores: dict[str, _Store] = {}
    gathered = _Gathered()
    for piece in blocks:
        found = []
        for block in piece:
            family = block.family
            result.rows_read[family] = result.rows_read.get(family, 0) + len(block)
            keep = np.ones(len(block), dtype=bool)
            power = block.power_w.copy()
            for i in np.flatnonzero(block.odd).tolist():
                of_row = faults([block.row(i)])
                found += of_row
                keep[i] = all(fault.action != "left out" for fault in of_row)
                if any(fault.action != "left out" for fault in of_row):
                    power[i] = np.nan
            store = stores.setdefault(family, _Store(family, most_configurations, most_visits))
            store.add(block, power, keep)
        found.sort(key=lambda fault: fault.row)
        gathered.add(found)
    result.left_out = gathered.all()
    for family, store in sorted(stores.items()):
        if store.rows:
            result.visits[family] = store.visits()
            if store.note:
                result.sampled[family] = store.note
    return result


class _Gathered:
    """Faults: the first ones as they are, of the others one of a kind and how many there are."""

    def __init__(self) -> None:
        self._listed: list[Fault] = []
        self._kinds: dict[tuple[str, str, str], Fault] = {}
        self._counts: dict[tuple[str, str, str], int] = {}

    def add(self, found: Iterable[Fault]) -> None:
        for fault in found:
            if len(self._listed) < MOST_FAULTS:
                self._listed.append(fault)
                continue
            # A negative runtime refuses a table: it must not be lost among others.
            negative = "negative" if fault.value is not None and fault.value < 0 else fault.action
            kind = (fault.file, fault.column, negative)
            self._kinds.setdefault(kind, fault)
            self._counts[kind] = self._counts.get(kind, 0) + 1

    def all(self) -> list[Fault]:
        return self._listed + [
            replace(fault, reason=f"{fault.reason} (and {self._counts[kind] - 1} rows after it)")
            for kind, fault in self._kinds.items()
        ]


class _Store:
    """The visits of a family as they come in; a sample when there are too many."""

    def __init__(self, family: str, most_configurations: int, most_visits: int) -> None:
        self.family = family
        self.rows = 0
        self._drawn = self._cut = ""
        self._most_configurations = most_configurations
        self._most_visits = most_visits
        self._parts: list[_Part] = []
        self._ceiling = 2**64 - 1
        self._files: dict[str, int] = {}
        self._methods: dict[str, int] = {}
        self._networks: dict[str, int] = {}

    def add(self, block: Block, power_w: Array, keep: np.ndarray) -> None:
        """Take the rows of a block that are kept, (n,) of bool."""
        method = _codes(block.methods, self._methods)
        checksum = _checksum(block.integers, _text_checksums(self._methods)[method])
        keep = keep & (checksum <= np.uint64(self._ceiling))
        part = {name: _compact(values[keep]) for name, values in block.integers.items()}
        part["pool_method"] = method[keep]
        part["checksum"] = checksum[keep]
        part["runtime_ms"], part["power_w"] = block.runtime_ms[keep], power_w[keep]
        part["row"] = block.numbers[keep]
        part["file"] = np.full(
            len(part["row"]), self._files.setdefault(block.file, len(self._files))
        )
        part["network"] = _codes(block.networks, self._networks)[keep]
        self._parts.append(part)
        self.rows += len(part["row"])
        if self.rows > self._most_visits + self._most_visits // 2:
            self._tighten()

    def visits(self) -> Visits:
        """What was kept."""
        if self.rows > min(self._most_configurations, self._most_visits):
            self._tighten()
        part = self._joined()
        methods = np.array(list(self._methods), dtype=np.str_)
        part["pool_method"] = methods[part["pool_method"]]
        return Visits(
            self.family,
            {name: part[name] for name in KEYS},
            part["runtime_ms"],
            part["power_w"],
            part["file"],
            part["row"],
            part["network"],
            list(self._files),
            list(self._networks),
        )

    @property
    def note(self) -> str:
        """What was left out of a table that is too large; empty for others."""
        return "; ".join(filter(None, (self._drawn, self._cut)))

    def _joined(self) -> _Part:
        part = {
            name: np.concatenate([part.pop(name) for part in self._parts])
            for name in list(self._parts[0])
        }
        self._parts = [dict(part)]
        return part

    def _tighten(self) -> None:
        part = self._joined()
        checksums = np.unique(part["checksum"])
        if len(checksums) > self._most_configurations:
            checksums = checksums[: self._most_configurations]
            self._ceiling = int(checksums[-1])
            part = _rows_of(part, part["checksum"] <= checksums[-1])
            # With the k-th lowest of n even draws from 0..1 at u, n is about (k - 1) / u.
            about = (len(checksums) - 1) / (self._ceiling / 2**64)
            self._drawn = (
                f"about {float(f'{about:.3g}'):,.0f} configurations: the models are of "
                f"{len(checksums):,} of them, drawn by checksum"
            )
        if len(part["row"]) > self._most_visits:
            each = max(1, self._most_visits // len(checksums))
            part = _rows_of(part, _first_of_each(part, each))
            self._cut = f"at most {each} visits of a configuration"
        self._parts = [part]
        self.rows = len(part["row"])


_Part = dict[str, np.ndarray]


def _rows_of(part: _Part, keep: np.ndarray) -> _Part:
    return {name: values[keep] for name, values in part.items()}


def _first_of_each(part: _Part, count: int) -> np.ndarray:
    """(n,) of bool: so many visits of each configuration, those with the lowest checksums."""
    runtime, power = (part[name].view(np.uint64) for name in ("runtime_ms", "power_w"))
    order = np.lexsort((_mixed(_mixed(runtime) + power), part["checksum"]))
    ordered = part["checksum"][order]
    begins = np.concatenate([[True], ordered[1:] != ordered[:-1]])
    rank = np.arange(len(order)) - np.flatnonzero(begins)[np.cumsum(begins) - 1]
    keep = np.zeros(len(order), dtype=bool)
    keep[order[rank < count]] = True
    return keep


def _places(texts: np.ndarray) -> np.ndarray:
    """Places of texts in their sorted order."""
    return np.unique(texts, return_inverse=True)[1]


def _codes(texts: Sequence[str], known: dict[str, int]) -> np.ndarray:
    for text in dict.fromkeys(texts):
        known.setdefault(text, len(known))
    return np.fromiter(map(known.__getitem__, texts), np.int32, len(texts))


def _compact(values: np.ndarray) -> np.ndarray:
    """Whole numbers from 0 in the smallest type that holds them."""
    return values.astype(np.min_scalar_type(values.max(initial=0)))


def _checksum(integers: Mapping[str, np.ndarray], methods: np.ndarray) -> np.ndarray:
    """A number of 64 bits for each configuration, (n,): evenly spread, the same everywhere."""
    checksum = methods
    for values in integers.values():
        checksum = _mixed(checksum + values.astype(np.uint64))
    return checksum


def _text_checksums(known: Mapping[str, int]) -> np.ndarray:
    digests = [hashlib.sha256(text.encode()).digest()[:8] for text in known]
    return np.array([int.from_bytes(digest, "little") for digest in digests], dtype=np.uint64)


def _mixed(values: np.ndarray) -> np.ndarray:
    """The finaliser of SplitMix64 (Steele, Lea and Flood, 2014), by element."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(values ^ (values >> np.uint64(31)))
