"""A sweep dealt to several machines in shards of minutes, and their measurements put together.

The visits of all shards together are those of one run over the whole sweep: repeats are chosen
before the sweep is dealt. Every shard is a random sample of every family and visits the anchor
layer by itself, so that machines can be compared.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from neuralpower.core.cells import read_configuration
from neuralpower.core.configuration import CONFIGURATION_COLUMNS, Configuration
from neuralpower.core.errors import InputError
from neuralpower.core.files import (
    csv_text,
    read_rows,
    read_text,
    sha256_file,
    write_json,
    write_text,
)

#: Records of a run beside its tables (``profiling.records``).
RUN, VISITS = "run.json", "visits.jsonl"


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

    A row stands as often in its table as its configuration is visited. Configurations are dealt
    from the longest to the shortest, each to the shard that has least to do; the same tables give
    the same shards on every machine. Raises ``InputError`` for faulty tables or fewer
    configurations than shards.
    """
    from neuralpower.profiling.design import DesignProtocol, plan
    from neuralpower.profiling.estimate import visit_seconds
    from neuralpower.profiling.host_timing import TimingProtocol

    counts, configurations = _configurations(tables)
    if not 1 <= shards <= len(configurations):
        raise InputError(f"{len(configurations)} configurations cannot be dealt to {shards} shards")
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

    The order of ``folders`` does not matter: shards are sorted by name, numbers by value. Each row
    keeps its figures; ``order`` and ``block`` go on from shard to shard. Raises ``InputError``
    for a folder that is no run, a shard given twice, or runs that do not belong together (another
    protocol, seed, software or processor).
    """
    from neuralpower.records.journal import VisitLog, locked
    from neuralpower.records.publish import publish

    shards = sorted((Path(folder) for folder in folders), key=_by_name)
    runs = [_run(folder) for folder in shards]
    _same(shards, runs)
    records: list[dict[str, Any]] = []
    parts: list[dict[str, Any]] = []
    order = block = 0
    for folder, run in zip(shards, runs, strict=True):
        own = VisitLog(folder).read()
        for record in sorted(own, key=lambda record: record["order"]):
            moved = {"order": record["order"] + order, "block": record["block"] + block}
            records.append({**record, **moved})
        order += max((record["order"] for record in own), default=-1) + 1
        block += max((record["block"] for record in own), default=-1) + 1
        parts.append(
            {
                "shard": folder.name,
                "visits": len(own),
                "planned": run["planned"],
                "visits_sha256": sha256_file(folder / VISITS) if own else None,
                "anchor_median_ms": _anchor_median(own),
            }
        )
    if not records:
        raise InputError("no visit has been made in any shard", path=shards[0])
    planned = sum(run["planned"] for run in runs)
    whole = {
        **runs[0],
        "planned": planned,
        "plan_sha256": _over(run["plan_sha256"] for run in runs),
        "probe": {**runs[0]["probe"], "shards": parts},
    }
    target = Path(out)
    with locked(target):
        write_json(target / RUN, whole)
        lines = (json.dumps(r, allow_nan=False, separators=(",", ":")) for r in records)
        write_text(target / VISITS, "".join(line + "\n" for line in lines))
        publish(target, whole, records, planned)
    return len(records)


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


def _run(folder: Path) -> dict[str, Any]:
    path = folder / RUN
    try:
        value = json.loads(read_text(path))
    except ValueError:
        value = None
    wanted = {"identity": dict, "planned": int, "plan_sha256": str, "probe": dict}
    if not isinstance(value, dict) or any(
        not isinstance(value.get(name), kind) for name, kind in wanted.items()
    ):
        raise InputError("not the record of a run: `neuralpower profile` writes one", path=path)
    return value


def _same(folders: Sequence[Path], runs: Sequence[Mapping[str, Any]]) -> None:
    names: dict[str, Path] = {}
    for folder in folders:
        other = names.setdefault(folder.name, folder)
        if other is not folder:
            raise InputError(f"a shard of the same name as {other}: give each once", path=folder)
    first = runs[0]["identity"]
    for folder, run in zip(folders, runs, strict=True):
        for name in sorted({*first, *run["identity"]} - {"affinity"}):
            if run["identity"].get(name) != first.get(name):
                raise InputError(
                    f"{name} is not that of {folders[0]}: its measurements are of another kind, "
                    "keep them as a platform of their own",
                    path=folder / RUN,
                )


def _by_name(folder: Path) -> tuple[int, int, str]:
    name = folder.name
    return (0, int(name), name) if name.isdecimal() else (1, 0, name)


def _anchor_median(records: Sequence[Mapping[str, Any]]) -> float | None:
    from statistics import median

    from neuralpower.records.repeatability import ANCHOR_REPEAT

    times = [
        record["timing"]["median_ms"]
        for record in records
        if record["repeat"] >= ANCHOR_REPEAT and record["timing"] is not None
    ]
    return float(f"{median(times):.6g}") if times else None


def _over(digests: Any) -> str:
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def _draw(seed: int, key: str) -> str:
    return hashlib.sha256(f"{seed} {key}".encode()).hexdigest()


def _no_network(_: Any) -> Any:
    raise AssertionError("a shard's table has no networks")
