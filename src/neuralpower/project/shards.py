"""A sweep dealt to several machines in shards of minutes, and their measurements put together.

The visits of all shards together are those of one run over the whole sweep: repeats are chosen
before the sweep is dealt. Every shard is a random sample of every family and visits the anchor
layer by itself, so that machines can be compared.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from neuralpower.core.cells import read_configuration
from neuralpower.core.configuration import CONFIGURATION_COLUMNS, Configuration
from neuralpower.core.errors import InputError
from neuralpower.core.files import (
    csv_text,
    read_rows,
    write_text,
)


def split(
    tables: Sequence[str | Path],
    shards: int,
    out: str | Path,
    *,
    twice_share: float | None = None,
    thrice_share: float | None = None,
    seed: int = 0,
) -> list[float]:
    """Write ``<k>.csv`` (k from 0) below ``out``; returns the expected seconds of each shard.

    A row is as often in its table as its configuration is visited. Configurations are dealt
    from the longest to the shortest, each to the shard that has least to do; the same tables give
    the same shards on every machine. Raises ``InputError`` for faulty tables or fewer
    configurations than shards.
    """
    from neuralpower.profiling.design import DesignProtocol, plan
    from neuralpower.profiling.estimate import visit_seconds
    from neuralpower.profiling.host_timing import TimingProtocol

    counts, configurations = _configurations(tables)
    if not 1 <= shards <= len(configurations):
        text = f"{len(configurations)} configurations cannot be dealt to {shards} shards"
        raise InputError(text, path=tables[0])
    default = DesignProtocol()
    design = DesignProtocol(
        twice_share=default.twice_share if twice_share is None else twice_share,
        thrice_share=default.thrice_share if thrice_share is None else thrice_share,
    )
    visits: dict[str, int] = {}
    for visit in plan(counts, configurations, design, seed):
        if not visit.is_anchor:
            visits[visit.item.key()] = visits.get(visit.item.key(), 0) + 1
    timing = TimingProtocol()
    cost = {
        key: visits[key] * visit_seconds(item, timing, _no_network)
        for key, item in configurations.items()
    }
    loads = [0.0] * shards
    dealt: list[list[str]] = [[] for _ in range(shards)]
    for key in sorted(configurations, key=lambda key: (-cost[key], _draw(seed, key))):
        least = loads.index(min(loads))
        loads[least] += cost[key]
        dealt[least].append(key)
    for number, keys in enumerate(dealt):
        rows = [
            configurations[key].as_row()
            for key in sorted(keys, key=lambda key: _draw(seed, key))
            for _ in range(visits[key])
        ]
        write_text(Path(out) / f"{number}.csv", csv_text(CONFIGURATION_COLUMNS, rows))
    return loads


def share(names: Sequence[str], shard: int, shards: int) -> list[str]:
    """Every ``shards``-th name from ``shard`` on: the networks that a shard measures whole."""
    return list(names)[shard::shards]


def merge(folders: Sequence[str | Path], out: str | Path) -> int:
    """Put the runs of several shards together as one platform in ``out``; returns its visits.

    Each shard is a run of that platform (``records.merging``), so that machines can be compared;
    an ``out`` of an earlier call is replaced. Raises ``InputError`` for a folder that is no
    recorded platform, or for shards that do not belong together.
    """
    from neuralpower.records.merging.merge import merge as merge_runs

    manifest = merge_runs(
        [Path(folder) for folder in folders], Path(out).name, Path(out), renew=True
    )
    return sum(int(run["rows"]) for run in manifest.runs or ())


def _configurations(
    tables: Sequence[str | Path],
) -> tuple[dict[str, int], dict[str, Configuration]]:
    counts: dict[str, int] = {}
    found: dict[str, Configuration] = {}
    for path in tables:
        for number, row in enumerate(read_rows(path, ("family",))[1], 1):
            try:
                configuration = read_configuration(row)
            except ValueError as error:
                raise InputError(str(error), path=path, row=number) from None
            key = configuration.key()
            counts[key] = counts.get(key, 0) + 1
            found[key] = configuration
    return counts, found


def _draw(seed: int, key: str) -> str:
    return hashlib.sha256(f"{seed} {key}".encode()).hexdigest()


def _no_network(_: object) -> object:
    raise AssertionError("a shard's table has no networks")
