"""Which visits a run makes, and in which order: random, with an anchor and repeats far apart.

Every item (a layer configuration or a whole network) with R visits gets one place in each of R
equal parts of the run; all places are sorted. Repeats thus see different states of a machine that
drifts, and drift never lines up with a property of the layers. A fixed reference layer (the
anchor) opens every block and closes the run.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from neuralpower.core.configuration import Configuration
from neuralpower.frameworks.protocol import CPU_ANCHOR
from neuralpower.records.repeatability import ANCHOR_REPEAT

#: The second anchor on a GPU: it moves memory and computes next to nothing.
MEMORY_ANCHOR = Configuration("relu", 64, 256, 56, 56, 256, 56, 56)


@dataclass(frozen=True, slots=True)
class DesignProtocol:
    """How visits are laid out. Shares are of the layer configurations.

    ``second_anchor_every``: blocks after which a second, memory-bound anchor follows the first
    (0: never). ``repeats_within``: the part of the run, from its start, in which items with
    several visits have all of them, and networks all of theirs, so that a run that is cut has
    repeats and networks too.
    """

    block_size: int = 20
    twice_share: float = 0.2
    thrice_share: float = 0.05
    network_repeats: int = 3
    second_anchor_every: int = 0
    repeats_within: float = 1.0

    def as_dict(self) -> dict[str, float | int]:
        """The rules as plain values, for the record."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class NetworkItem:
    """A whole network at one batch size; ``digest`` is the SHA-256 of its prototxt."""

    network: str
    batch: int
    path: Path
    digest: str

    def key(self) -> str:
        """A short stable identity."""
        text = f"network,{self.network},{self.batch},{self.digest}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]


Item = Configuration | NetworkItem


@dataclass(frozen=True, slots=True)
class Visit:
    """One visit: ``visit_id`` is the item's key and the repeat (from 1; anchors from 100)."""

    visit_id: str
    item: Item
    repeat: int
    order: int
    block: int

    @property
    def is_anchor(self) -> bool:
        """True for the reference layer."""
        return self.repeat >= ANCHOR_REPEAT


def plan(
    configurations: Mapping[str, int],
    items: Mapping[str, Item],
    protocol: DesignProtocol,
    seed: int,
    anchor: Configuration = CPU_ANCHOR,
) -> list[Visit]:
    """The visits of a run in order.

    ``items``: key to item; ``configurations``: key to how often the tables name it (a row that
    is there twice asks for two visits). The same arguments give the same plan on every machine.
    """
    repeats = _repeats(configurations, items, protocol, seed)
    places: list[tuple[float, str, int]] = []
    for key in sorted(items):
        times = repeats[key]
        for number in range(times):
            # Keep off the borders of the parts: the next repeat is at least 0.3 / R away.
            within = 0.15 + 0.7 * _uniform(seed, key, number)
            # Networks come early too: they are few, and a run that is cut should have them all.
            early = times > 1 or isinstance(items[key], NetworkItem)
            span = protocol.repeats_within if early else 1.0
            places.append((span * (number + within) / times, key, number + 1))
    visits: list[Visit] = []
    anchors = 0

    def add_anchor(block: int, item: Configuration = anchor) -> None:
        nonlocal anchors
        repeat = ANCHOR_REPEAT + anchors
        visits.append(Visit(f"anchor.{repeat}", item, repeat, len(visits), block))
        anchors += 1

    for index, (_, key, repeat) in enumerate(sorted(places)):
        block = index // protocol.block_size
        if index % protocol.block_size == 0:
            add_anchor(block)
            if protocol.second_anchor_every and block % protocol.second_anchor_every == 0:
                add_anchor(block, MEMORY_ANCHOR)
        visits.append(Visit(f"{key}.{repeat}", items[key], repeat, len(visits), block))
    if visits:
        add_anchor(visits[-1].block)
    return visits


def plan_digest(visits: Iterable[Visit]) -> str:
    """A SHA-256 over all visits: any change of the tables changes it."""
    digest = hashlib.sha256()
    for visit in visits:
        digest.update(f"{visit.order} {visit.visit_id} {visit.item.key()}\n".encode())
    return digest.hexdigest()


def _repeats(
    configurations: Mapping[str, int],
    items: Mapping[str, Item],
    protocol: DesignProtocol,
    seed: int,
) -> dict[str, int]:
    layers = sorted(
        (key for key, item in items.items() if isinstance(item, Configuration)),
        key=lambda key: _uniform(seed, key, -1),
    )
    thrice = math.ceil(protocol.thrice_share * len(layers))
    twice = max(thrice, math.ceil(protocol.twice_share * len(layers)))
    repeats: dict[str, int] = {}
    for rank, key in enumerate(layers):
        planned = 3 if rank < thrice else 2 if rank < twice else 1
        repeats[key] = max(planned, configurations.get(key, 1))
    for key, item in items.items():
        if isinstance(item, NetworkItem):
            repeats[key] = protocol.network_repeats
    return repeats


def _uniform(*parts: object) -> float:
    """A number in [0, 1) that depends on ``parts`` only, on every machine and Python."""
    digest = hashlib.sha256(repr(parts).encode()).digest()
    return int.from_bytes(digest[:7], "big") / 2**56
