"""From measured visits to one row per configuration, and a list of the rows left out.

Rules, in this order: values that are no measurement (``measurement_faults``) are left out; a
whole shard or a row that is a thousand times off (us for ms) is left out; visits of one
configuration that disagree by more than ``DISAGREE`` are left out (all of them when there is no
majority); what remains is merged by the median of the logarithms.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from neuralpower.core.configuration import CONFIGURATION_COLUMNS
from neuralpower.modeling.features import Array, FeatureTable
from neuralpower.modeling.visits import Collected, Visits, collect
from neuralpower.records.blocks import iter_blocks
from neuralpower.records.faults import Fault
from neuralpower.records.folder import Platform

#: Visits of one configuration further apart than this factor are not the same measurement.
DISAGREE = 3.0
#: A slip of units is a factor of 1000 (us for ms, mW for W), give or take this factor.
SLIP = 1000.0
SLIP_TOLERANCE = 6.0
#: A row this many times off its like is none of them, whatever made it so: a cell with another
#: number in it moves the work, not the time.
OFF = SLIP / SLIP_TOLERANCE
#: Nearest neighbours that tell what a configuration should about take.
_LIKE = 8


@dataclass(frozen=True)
class Layers:
    """Merged measurements of one family for one target, sorted by configuration.

    ``columns``: configuration columns, arrays of n (numbers float64, ``pool_method`` text);
    ``measured``: (n,) in the target's unit; ``visits``: merged visits; ``spread``: relative
    half-range of the visits (0 for one visit); ``groups``: fold group of each row.
    """

    family: str
    target: str
    columns: dict[str, np.ndarray]
    measured: Array
    visits: np.ndarray
    spread: Array
    groups: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.measured)

    def table(self) -> FeatureTable:
        """The features of these layers."""
        return FeatureTable(self.columns, self.family)

    def take(self, rows: np.ndarray) -> Layers:
        """A part of the rows."""
        return Layers(
            self.family,
            self.target,
            {name: values[rows] for name, values in self.columns.items()},
            self.measured[rows],
            self.visits[rows],
            self.spread[rows],
            tuple(self.groups[i] for i in np.asarray(rows).nonzero()[0])
            if np.asarray(rows).dtype == bool
            else tuple(self.groups[i] for i in rows),
        )

    def checksum(self) -> str:
        """SHA-256 over configurations and targets: the same data has the same checksum."""
        digest = hashlib.sha256(f"{self.family} {self.target}".encode())
        for name in CONFIGURATION_COLUMNS[1:]:
            values = self.columns[name]
            if name == "pool_method":
                digest.update("\n".join(map(str, values)).encode())
            else:
                digest.update(np.ascontiguousarray(values, dtype="<f8").tobytes())
        digest.update(np.ascontiguousarray(self.measured, dtype="<f8").tobytes())
        return digest.hexdigest()

    def keys(self) -> list[str]:
        """A short identity of each configuration (``columns.Configuration.key``)."""
        return [key_of(row) for row in self.rows()]

    def rows(self) -> list[tuple[object, ...]]:
        """Configurations as tuples in the order of ``CONFIGURATION_COLUMNS``."""
        lists = [
            self.columns[name].tolist()
            if name == "pool_method"
            else [int(v) for v in self.columns[name].tolist()]
            for name in CONFIGURATION_COLUMNS[1:]
        ]
        return [(self.family, *values) for values in zip(*lists, strict=True)]


def key_of(row: Sequence[object]) -> str:
    """As ``Configuration.key`` of the configuration in the order of its columns."""
    return hashlib.sha256(",".join(map(str, row)).encode()).hexdigest()[:16]


@dataclass
class Dataset:
    """All of a platform's layer measurements, merged, and the rows that were left out."""

    layers: dict[tuple[str, str], Layers] = field(default_factory=dict)
    left_out: list[Fault] = field(default_factory=list)
    #: Rows read, by family.
    rows_read: dict[str, int] = field(default_factory=dict)
    #: By family, what part of a very large table was taken (``modeling.visits``).
    sampled: dict[str, str] = field(default_factory=dict)

    def families(self) -> list[str]:
        """Families with at least one measurement, sorted."""
        return sorted({family for family, _ in self.layers})


def load_dataset(platform: Platform | str | Path) -> Dataset:
    """Read, check and merge a platform's layer tables (``InputError`` for faulty tables).

    Memory is bounded, whatever the size of the tables: ``modeling.visits`` says how.
    """
    return _dataset(collect(iter_blocks(platform)))


def unlike(platform: Platform | str | Path) -> list[Fault]:
    """Rows whose runtime is far off that of the configurations nearest to them."""
    found: list[Fault] = []
    for visits in collect(iter_blocks(platform)).visits.values():
        _without_slips(visits, "runtime_ms", found)
    return found


def _dataset(found: Collected) -> Dataset:
    result = Dataset({}, found.left_out, found.rows_read, found.sampled)
    for family, visits in found.visits.items():
        kept = _without_slips(visits, "runtime_ms", result.left_out)
        kept = _without_disagreement(kept, result.left_out)
        if not len(kept):
            continue
        result.layers[family, "runtime_ms"] = _merge(kept, "runtime_ms")
        powered = kept.take(~np.isnan(kept.power_w))
        powered = _without_slips(powered, "power_w", result.left_out)
        if len(powered):
            result.layers[family, "power_w"] = _merge(powered, "power_w")
            result.layers[family, "energy_mj"] = _merge(powered, "energy_mj")
    return result


def layers_of(
    family: str, target: str, columns: Mapping[str, np.ndarray], measured: Array
) -> Layers:
    """Measurements (n,) of one family and target as they are fitted: repeats merged, sorted."""
    n = len(measured)
    nowhere, whole = np.zeros(n, dtype=np.intp), np.ones(n)
    timed = target == "runtime_ms"
    visits = Visits(
        family,
        {
            name: np.asarray(columns[name])
            if name == "pool_method"
            else np.asarray(columns[name], dtype=np.float64)
            for name in CONFIGURATION_COLUMNS[1:]
        },
        np.asarray(measured, dtype=np.float64) if timed else whole,
        whole if timed else np.asarray(measured, dtype=np.float64),
        nowhere,
        np.arange(n),
        nowhere,
        ("",),
        ("",),
    )
    layers = _merge(visits, target)
    return replace(layers, groups=tuple(map(str, range(len(layers)))))


def _merge(visits: Visits, target: str) -> Layers:
    order, starts = visits.configurations()
    sizes = np.diff(starts, append=len(order))
    values = visits.target(target)[order]
    measured, spread = values[starts], np.zeros(len(starts))
    for size in np.unique(sizes[sizes > 1]):  # a single visit keeps its exact figure
        same = np.flatnonzero(sizes == size)
        logs = np.log(np.sort(values[starts[same][:, None] + np.arange(size)], axis=1))
        measured[same] = np.exp(np.median(logs, axis=1))
        spread[same] = np.expm1((logs[:, -1] - logs[:, 0]) / 2.0)
    first = order[starts]
    columns = {
        name: values[first] if name == "pool_method" else values[first].astype(np.float64)
        for name, values in visits.columns.items()
    }
    layers = Layers(visits.family, target, columns, measured, sizes, spread, ())
    networks = [visits.networks[code] for code in visits.network[first].tolist()]
    groups = (
        f"network {network}" if network else key_of(row)
        for row, network in zip(layers.rows(), networks, strict=True)
    )
    return replace(layers, groups=tuple(groups))


def _without_disagreement(visits: Visits, left_out: list[Fault]) -> Visits:
    if not len(visits):
        return visits
    order, starts = visits.configurations()
    ends = np.append(starts[1:], len(order))
    values = visits.runtime_ms[order]
    apart = np.maximum.reduceat(values, starts) > DISAGREE * np.minimum.reduceat(values, starts)
    good = np.ones(len(visits), dtype=bool)
    for i in sorted(np.flatnonzero(apart), key=lambda i: int(order[starts[i]])):
        group = values[starts[i] : ends[i]]
        middle = float(np.median(group))
        off = (group > DISAGREE * middle) | (group * DISAGREE < middle)
        if len(group) == 2 or 2 * int(off.sum()) >= len(group):
            off[:] = True
        for at, value in zip(order[starts[i] : ends[i]][off], group[off], strict=True):
            good[at] = False
            reason = (
                f"{len(group)} visits of this configuration disagree: "
                f"{value:g} ms, their median {middle:g} ms"
            )
            file = visits.files[visits.file[at]]
            left_out.append(Fault(file, int(visits.row[at]), "runtime_ms", reason))
    return visits.take(good)


def _without_slips(visits: Visits, target: str, left_out: list[Fault]) -> Visits:
    """Leave out shards 1000 times off the nearest configurations, and rows that far or farther.

    Neighbours, not a global fit, are the yardstick: a floor or a bend moves them alike.
    """
    n = len(visits)
    if n < _LIKE + 4:
        return visits
    position, residual = _residuals(visits, target)
    shift = np.zeros(n)
    slipped = np.zeros(n, dtype=bool)
    for code in sorted(np.unique(visits.file), key=lambda code: visits.files[code]):
        inside = visits.file == code
        if int(inside.sum()) * 2 >= n or int((~inside).sum()) < _LIKE:
            continue
        apart = residual[inside] - _like(position[~inside], residual[~inside], position[inside])
        if _is_slip(np.median(apart)):
            slipped |= inside
            shift[inside] = apart
    rest = ~slipped
    if int(rest.sum()) >= _LIKE + 4:
        apart = residual[rest] - _like(position[rest], residual[rest], position[rest], skip=1)
        spread = 1.4826 * float(np.median(np.abs(apart)))
        alone = (np.abs(apart) > 8.0 * spread) & (np.abs(apart) > np.log(OFF))
        shift[rest] = apart
        slipped[rest] = alone
    unit = "us for ms" if target == "runtime_ms" else "mW for W"
    action = "left out" if target == "runtime_ms" else "power left out"
    for i in np.flatnonzero(slipped):
        factor = float(np.exp(shift[i]))
        cause = f"a slip of units ({unit})?" if _is_slip(shift[i]) else "is every size right?"
        reason = f"{factor:.3g} times what its like take: {cause}"
        file = visits.files[visits.file[i]]
        left_out.append(Fault(file, int(visits.row[i]), target, reason, action))
    return visits.take(~slipped)


def _is_slip(shift: float) -> bool:
    """Whether the logarithm of a factor is about that of a slip of units."""
    return bool(abs(abs(shift) - np.log(SLIP)) < np.log(SLIP_TOLERANCE))


def _like(known: Array, values: Array, wanted: Array, skip: int = 0) -> Array:
    """Median of ``values`` over the nearest known positions (``skip=1``: not the point itself)."""
    from scipy.spatial import cKDTree

    _, nearest = cKDTree(known).query(wanted, k=_LIKE + skip)
    return np.asarray(np.median(values[nearest[:, skip:]], axis=1))


def _residuals(visits: Visits, target: str) -> tuple[Array, Array]:
    """Positions in log space (n, d) and residual logarithms of an L1 fit on them (n,)."""
    from neuralpower.modeling.vocabularies import varying, vocabulary

    n = len(visits)
    table = FeatureTable(visits.columns, visits.family)
    words = vocabulary(visits.family)
    physical = (words.main, "input_elements", "output_elements", "weight_elements")
    names = varying(table, physical)
    logs = np.stack([np.log(table[n]) for n in names], axis=1) if names else np.zeros((n, 1))
    design = np.concatenate([np.ones((n, 1)), logs], axis=1)
    measured = np.log(visits.target(target))
    weights = np.ones(n)
    residual = measured
    for _ in range(30):  # iteratively reweighted least squares towards the L1 fit
        root = np.sqrt(weights)[:, None]
        solution = np.linalg.lstsq(design * root, measured * root[:, 0], rcond=1e-9)[0]
        residual = measured - design @ solution
        weights = 1.0 / np.maximum(np.abs(residual), 1e-3)
    # Equal positions (repeats) are distinguished by their order only: a tiny, fixed shift.
    nudge = 1e-9 * np.arange(n)[:, None]
    return np.asarray(logs + nudge), np.asarray(residual)
