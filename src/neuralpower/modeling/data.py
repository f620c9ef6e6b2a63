"""From measured visits to one row a configuration, with every row left out told and why.

Rules, in this order: values that are no measurement (``measurement_faults``) are left out; a
whole shard or a row that is a thousand times off (us for ms) is left out; visits of one
configuration that disagree by more than ``DISAGREE`` are left out (all of them when there is no
majority); what remains is merged by the median of the logarithms.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from neuralpower.columns import CONFIGURATION_COLUMNS
from neuralpower.measurement_faults import Fault, faults
from neuralpower.measurements import Platform, Row, load_rows
from neuralpower.modeling.features import Array, FeatureTable

TARGETS = ("runtime_ms", "power_w", "energy_mj")
#: Visits of one configuration further apart than this factor are not the same measurement.
DISAGREE = 3.0
#: A slip of units is a factor of 1000 (us for ms, mW for W), give or take this factor.
SLIP = 1000.0
SLIP_TOLERANCE = 6.0
#: Nearest neighbours that tell what a configuration should about take.
_LIKE = 8
_NUMBERS = tuple(n for n in CONFIGURATION_COLUMNS if n not in ("family", "pool_method"))


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
        return FeatureTable(self.columns)

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

    def rows(self) -> list[tuple[Any, ...]]:
        """Configurations as tuples in the order of ``CONFIGURATION_COLUMNS``."""
        lists = [
            self.columns[name].tolist()
            if name == "pool_method"
            else [int(v) for v in self.columns[name].tolist()]
            for name in CONFIGURATION_COLUMNS[1:]
        ]
        return [(self.family, *values) for values in zip(*lists, strict=True)]


def key_of(row: Sequence[Any]) -> str:
    """As ``Configuration.key`` of the configuration in the order of its columns."""
    return hashlib.sha256(",".join(map(str, row)).encode()).hexdigest()[:16]


@dataclass
class Dataset:
    """All of a platform's layer measurements, merged, and the rows that were left out."""

    layers: dict[tuple[str, str], Layers] = field(default_factory=dict)
    left_out: list[Fault] = field(default_factory=list)
    #: Rows read and rows with a power reading, by family.
    rows_read: dict[str, int] = field(default_factory=dict)

    def families(self) -> list[str]:
        """Families with at least one measurement, sorted."""
        return sorted({family for family, _ in self.layers})


def load_dataset(platform: Platform | str | Path) -> Dataset:
    """Read, check and merge a platform's layer tables (``InputError`` for faulty tables)."""
    return dataset(load_rows(platform))


def dataset(rows: Sequence[Row]) -> Dataset:
    """Check and merge measurement rows."""
    result = Dataset()
    found = faults(rows)
    result.left_out.extend(found)
    bad = {(f.file, f.row) for f in found if f.action == "left out"}
    powerless = {(f.file, f.row) for f in found if f.action != "left out"}
    by_family: dict[str, list[Row]] = {}
    for row in rows:
        family = str(row.values["family"])
        result.rows_read[family] = result.rows_read.get(family, 0) + 1
        if (row.file, row.number) not in bad:
            by_family.setdefault(family, []).append(row)
    for family in sorted(by_family):
        kept = _without_slips(by_family[family], "runtime_ms", result.left_out)
        kept = _without_disagreement(kept, result.left_out)
        if not kept:
            continue
        result.layers[family, "runtime_ms"] = _merge(family, "runtime_ms", kept)
        powered = [
            row
            for row in kept
            if row.values.get("power_w") is not None and (row.file, row.number) not in powerless
        ]
        powered = _without_slips(powered, "power_w", result.left_out)
        if powered:
            result.layers[family, "power_w"] = _merge(family, "power_w", powered)
            result.layers[family, "energy_mj"] = _merge(family, "energy_mj", powered)
    return result


def _configuration(row: Row) -> tuple[Any, ...]:
    values = row.values
    return tuple(
        str(values.get(name, "")) if name == "pool_method" else int(values.get(name, 1))
        for name in CONFIGURATION_COLUMNS[1:]
    )


def _target(row: Row, target: str) -> float:
    if target == "energy_mj":
        return float(row.values["power_w"]) * float(row.values["runtime_ms"])
    return float(row.values[target])


def _columns(configurations: Sequence[tuple[Any, ...]]) -> dict[str, np.ndarray]:
    columns: dict[str, np.ndarray] = {}
    for name, values in zip(
        CONFIGURATION_COLUMNS[1:], zip(*configurations, strict=True), strict=True
    ):
        kind = np.str_ if name == "pool_method" else np.float64
        columns[name] = np.array(values, dtype=kind)
    return columns


def _merge(family: str, target: str, rows: Sequence[Row]) -> Layers:
    visits: dict[tuple[Any, ...], list[float]] = {}
    networks: dict[tuple[Any, ...], str] = {}
    for row in rows:
        key = _configuration(row)
        visits.setdefault(key, []).append(_target(row, target))
        networks.setdefault(key, str(row.values.get("network", "") or ""))
    order = sorted(visits)
    measured, spread = np.empty(len(order)), np.zeros(len(order))
    for i, key in enumerate(order):
        values = visits[key]
        if len(values) == 1:  # a single visit keeps its exact figure
            measured[i] = values[0]
        else:
            logs = np.log(np.sort(np.array(values)))
            measured[i] = np.exp(np.median(logs))
            spread[i] = np.expm1((logs[-1] - logs[0]) / 2.0)
    groups = tuple(
        f"network {networks[key]}" if networks[key] else key_of((family, *key)) for key in order
    )
    return Layers(
        family,
        target,
        _columns(order),
        measured,
        np.array([len(visits[key]) for key in order]),
        spread,
        groups,
    )


def _without_disagreement(rows: list[Row], left_out: list[Fault]) -> list[Row]:
    visits: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        visits.setdefault(_configuration(row), []).append(row)
    bad: set[tuple[str, int]] = set()
    for group in visits.values():
        if len(group) < 2:
            continue
        values = np.array([_target(row, "runtime_ms") for row in group])
        if values.max() <= DISAGREE * values.min():
            continue
        middle = float(np.median(values))
        off = (values > DISAGREE * middle) | (values * DISAGREE < middle)
        if len(group) == 2 or 2 * int(off.sum()) >= len(group):
            off[:] = True
        for row, value, is_off in zip(group, values, off, strict=True):
            if is_off:
                bad.add((row.file, row.number))
                reason = (
                    f"{len(group)} visits of this configuration disagree: "
                    f"{value:g} ms, their median {middle:g} ms"
                )
                left_out.append(Fault(row.file, row.number, "runtime_ms", reason))
    return [row for row in rows if (row.file, row.number) not in bad]


def _without_slips(rows: list[Row], target: str, left_out: list[Fault]) -> list[Row]:
    """Leave out shards and rows that are 1000 times off the nearest configurations.

    Neighbours, not a global fit, are the yardstick: a floor or a bend moves them alike.
    """
    if len(rows) < _LIKE + 4:
        return rows
    position, residual = _residuals(rows, target)
    files = np.array([row.file for row in rows])
    shift = np.zeros(len(rows))
    slipped = np.zeros(len(rows), dtype=bool)
    for name in sorted(set(files)):
        inside = files == name
        if int(inside.sum()) * 2 >= len(rows) or int((~inside).sum()) < _LIKE:
            continue
        apart = residual[inside] - _like(position[~inside], residual[~inside], position[inside])
        if _is_slip(float(np.median(apart))):
            slipped |= inside
            shift[inside] = apart
    rest = ~slipped
    if int(rest.sum()) >= _LIKE + 4:
        apart = residual[rest] - _like(position[rest], residual[rest], position[rest], skip=1)
        spread = 1.4826 * float(np.median(np.abs(apart)))
        alone = (np.abs(apart) > 8.0 * spread) & np.array([_is_slip(a) for a in apart.tolist()])
        shift[rest] = apart
        slipped[rest] = alone
    unit = "us for ms" if target == "runtime_ms" else "mW for W"
    action = "left out" if target == "runtime_ms" else "power left out"
    for row, is_slip, log_factor in zip(rows, slipped, shift.tolist(), strict=True):
        if is_slip:
            factor = float(np.exp(log_factor))
            reason = f"{factor:.3g} times what its like take: a slip of units ({unit})?"
            left_out.append(Fault(row.file, row.number, target, reason, action))
    return [row for row, is_slip in zip(rows, slipped, strict=True) if not is_slip]


def _is_slip(shift: float) -> bool:
    return bool(abs(abs(shift) - np.log(SLIP)) < np.log(SLIP_TOLERANCE))


def _like(known: Array, values: Array, wanted: Array, skip: int = 0) -> Array:
    """Median of ``values`` over the nearest known positions (``skip=1``: not the point itself)."""
    from scipy.spatial import cKDTree

    _, nearest = cKDTree(known).query(wanted, k=_LIKE + skip)
    return np.asarray(np.median(values[nearest[:, skip:]], axis=1))


def _residuals(rows: Sequence[Row], target: str) -> tuple[Array, Array]:
    """Positions in log space (n, d) and residual logarithms of an L1 fit on them (n,)."""
    from neuralpower.modeling.libraries import varying, vocabulary

    table = FeatureTable(_columns([_configuration(row) for row in rows]))
    words = vocabulary(str(rows[0].values["family"]))
    physical = (words.main, "input_elements", "output_elements", "weight_elements")
    names = varying(table, physical)
    logs = (
        np.stack([np.log(table[n]) for n in names], axis=1) if names else np.zeros((len(rows), 1))
    )
    design = np.concatenate([np.ones((len(rows), 1)), logs], axis=1)
    measured = np.log(np.array([_target(row, target) for row in rows]))
    weights = np.ones(len(rows))
    residual = measured
    for _ in range(30):  # iteratively reweighted least squares towards the L1 fit
        root = np.sqrt(weights)[:, None]
        solution = np.linalg.lstsq(design * root, measured * root[:, 0], rcond=1e-9)[0]
        residual = measured - design @ solution
        weights = 1.0 / np.maximum(np.abs(residual), 1e-3)
    # Equal positions (repeats) are told apart by their order only: a tiny, fixed shift.
    nudge = 1e-9 * np.arange(len(rows))[:, None]
    return np.asarray(logs + nudge), np.asarray(residual)
