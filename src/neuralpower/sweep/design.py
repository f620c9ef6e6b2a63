"""A space-filling design of configurations: seeded, and the same bytes on every machine.

Each family has two scrambled Sobol sequences, one over its ranges and one around the
layers of real networks, so families do not touch each other. Points that stand for impossible,
too large or repeated configurations are skipped. Rows are taken in the sequences' order: the
first rows of a design are a good design too, and asking for more keeps those there are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import floor
from pathlib import Path

from neuralpower.core import cost
from neuralpower.core.cells import read_configuration
from neuralpower.core.configuration import CONFIGURATION_COLUMNS, Configuration
from neuralpower.core.errors import InputError
from neuralpower.core.files import read_rows
from neuralpower.core.geometry import complete
from neuralpower.sweep.families import (
    NEAR_COORDINATES,
    coordinates,
    near_configuration,
    random_configuration,
)
from neuralpower.sweep.grids import pick
from neuralpower.sweep.sweep_config import Bounds, FamilySweep, SweepConfig

SWEEP_COLUMNS: tuple[str, ...] = (*CONFIGURATION_COLUMNS, "origin")

#: Points tried for one row before the ranges are taken to be exhausted.
MAX_TRIES = 20_000
#: The same around real layers, after which the row is drawn at random instead.
MAX_NEAR_TRIES = 500

_BLOCK = 256


@dataclass(frozen=True)
class Row:
    """One configuration of a sweep; ``origin`` is ``random`` or ``near:<network>``."""

    configuration: Configuration
    origin: str

    def as_row(self) -> dict[str, str]:
        """The row as table fields, ``SWEEP_COLUMNS``."""
        return self.configuration.as_row() | {"origin": self.origin}


@dataclass(frozen=True)
class RealLayer:
    """A layer of a network that rows are drawn around."""

    network: str
    configuration: Configuration


def read_real_layers(
    paths: Sequence[str | Path], networks: Sequence[str]
) -> dict[str, list[RealLayer]]:
    """The layers of ``networks`` from layer tables, a list per family, without repetitions.

    The order is that of ``networks`` and then of the layers, whatever the order of ``paths``.
    Layers without a configuration, and those whose output is not what a sweep would give them
    (a fork's rounding), are left out. Raises ``InputError`` for a network that no table has.
    """
    found: dict[str, list[Configuration]] = {name: [] for name in networks}
    seen = set()
    for path in paths:
        _, rows = read_rows(path, ("network", "index", *CONFIGURATION_COLUMNS[:8]))
        for row in rows:
            seen.add(row["network"])
            if row["network"] in found and row["family"]:
                found[row["network"]] += _configuration(row)
    layers: dict[str, list[RealLayer]] = {}
    known = set()
    for name in networks:
        if name not in seen:
            raise InputError(
                f"near_networks: no layer table of {name!r} among those given: add it to --layers "
                "or take the name off the list"
            )
        for configuration in found[name]:
            if configuration not in known:
                known.add(configuration)
                layers.setdefault(configuration.family, []).append(RealLayer(name, configuration))
    return layers


def _configuration(row: Mapping[str, str]) -> list[Configuration]:
    """The row's configuration with batch 1, in a list that is empty where there is none."""
    try:
        configuration = read_configuration(dict(row) | {"batch": "1"})
    except ValueError:
        return []
    done = complete(configuration)
    return [configuration] if done == configuration else []


def build_design(
    sweep: SweepConfig, design: FamilySweep, layers: Sequence[RealLayer] = ()
) -> list[Row]:
    """The rows of one family, ``design.count`` of them, all different.

    Every ``1 / near_share``-th row is drawn around ``layers`` (none if there are none). Raises
    ``InputError`` where the ranges and bounds do not hold that many configurations.
    """
    near_share = design.near_share if layers else 0.0
    random = _random_rows(sweep.seed, design)
    near = _near_rows(sweep.seed, design, layers)
    rows: list[Row] = []
    taken: set[Configuration] = set()
    while len(rows) < design.count:
        row = None
        done = len(rows)
        if floor((done + 1) * near_share) > floor(done * near_share):
            row = _next(near, taken, MAX_NEAR_TRIES)
        if row is None:
            row = _next(random, taken, MAX_TRIES)
        if row is None:
            raise InputError(
                f"sweep of family {design.family}: the ranges and bounds hold only {done} of the "
                f"{design.count} configurations asked for ({MAX_TRIES} points in a row gave no "
                "new one): widen them or lower count"
            )
        taken.add(row.configuration)
        rows.append(row)
    return rows


def _next(stream: Iterator[Row | None], taken: set[Configuration], tries: int) -> Row | None:
    for _ in range(tries):
        row = next(stream)
        if row is not None and row.configuration not in taken:
            return row
    return None


def _random_rows(seed: int, design: FamilySweep) -> Iterator[Row | None]:
    for point in _points(seed, design.family, "random", coordinates(design.family)):
        configuration = random_configuration(design, point)
        allowed = configuration is not None and within(configuration, design.bounds)
        yield Row(configuration, "random") if configuration is not None and allowed else None


def _near_rows(seed: int, design: FamilySweep, layers: Sequence[RealLayer]) -> Iterator[Row | None]:
    for point in _points(seed, design.family, "near", NEAR_COORDINATES):
        layer = pick(layers, point["layer"])
        configuration = near_configuration(design, layer.configuration, point)
        if configuration is not None and within(configuration, design.bounds):
            yield Row(configuration, f"near:{layer.network}")
        else:
            yield None


def within(configuration: Configuration, bounds: Bounds) -> bool:
    """Whether the configuration's bytes and operations are inside the bounds."""
    operations = cost.operations(configuration)
    return (
        cost.total_bytes(configuration) <= bounds.max_bytes
        and bounds.min_operations <= operations <= bounds.max_operations
    )


def _points(
    seed: int, family: str, stream: str, names: Sequence[str]
) -> Iterator[Mapping[str, float]]:
    """The points of a scrambled Sobol sequence whose seed depends on nothing but the arguments."""
    import numpy as np
    from scipy.stats import qmc

    digest = hashlib.sha256(f"{seed}/{family}/{stream}".encode()).digest()
    generator = np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "big")))
    sequence = qmc.Sobol(len(names), scramble=True, bits=30, seed=generator)
    while True:
        # Blocks of a power of two keep the sequence's balance, and SciPy from warning about it.
        for point in sequence.random(_BLOCK).tolist():
            yield dict(zip(names, point, strict=True))
