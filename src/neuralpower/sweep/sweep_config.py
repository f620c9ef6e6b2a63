"""The ``sweep:`` section of the configuration: what it may say, read strictly into dataclasses.

A parameter's values are given as one number, a list (equally likely), ``{low: a, high: b}`` (whole
numbers, uniform in the logarithm) or ``{value: weight, ...}`` with whole weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from neuralpower.core.errors import InputError
from neuralpower.core.families import FAMILIES, FAMILY
from neuralpower.core.settings_file import read_section
from neuralpower.sweep.grids import MAX_CELLS, log_grid, weighted_grid

#: What ``groups: depthwise`` is called inside: as many groups as channels.
DEPTHWISE = 0

_WORDS: dict[str, tuple[str, ...]] = {
    "padding": ("valid", "same", "any"),
    "method": ("max", "ave", "stochastic"),
}
_MAP = ("batch", "in_channels", "size", "oblong_share")
_WINDOW = ("kernel", "stride", "padding", "rectangular_share")
_CONV = ("out_channels", *_WINDOW, "dilation", "groups", "bias")

#: The parameters of each family, beside the keys that all families have.
PARAMETERS: dict[str, tuple[str, ...]] = {
    "conv": (*_MAP, *_CONV),
    "deconv": (*_MAP, *_CONV),
    "fc": ("batch", "in_channels", "out_channels", "bias"),
    "pool": (*_MAP, *_WINDOW, "method", "global_share"),
    "scale": (*_MAP, "flat_share", "bias"),
    "eltwise": (*_MAP, "flat_share", "inputs"),
    "concat": (*_MAP, "flat_share", "inputs"),
} | {
    family: (*_MAP, "flat_share")
    for family in FAMILIES
    if family != "scale" and FAMILY[family].shape == "same" and not FAMILY[family].cells
}

#: Parameters that may be left out.
_DEFAULTS: dict[str, object] = {"dilation": 1, "groups": 1, "bias": 0, "padding": "valid"}

_BOUNDS = ("max_memory_mb", "min_operations", "max_operations")
_COMMON = ("count", "near_share", *_BOUNDS)
_SECTION = ("seed", "near_networks", "near_share", *_BOUNDS, "families")


@dataclass(frozen=True)
class Bounds:
    """What a configuration may need: ``cost.total_bytes`` and ``cost.operations``, inclusive."""

    max_bytes: int
    min_operations: int
    max_operations: int


@dataclass(frozen=True)
class FamilySweep:
    """One family's design: how many configurations, out of which values, within which bounds.

    ``numbers`` and ``words`` hold a grid of equally likely cells a parameter; ``shares`` are
    probabilities in [0, 1]. ``near_share`` is the share of rows drawn around real layers.
    """

    family: str
    count: int
    near_share: float
    bounds: Bounds
    numbers: Mapping[str, tuple[int, ...]]
    words: Mapping[str, tuple[str, ...]]
    shares: Mapping[str, float]


@dataclass(frozen=True)
class SweepConfig:
    """The whole section. ``near_networks`` are those whose layers the ``near:`` rows come from."""

    seed: int
    near_networks: tuple[str, ...]
    families: tuple[FamilySweep, ...]


def load_sweep(path: str | Path, section: str = "sweep") -> SweepConfig:
    """Read ``section`` of a YAML file; raises ``InputError`` naming the file and the key."""
    value = read_section(path, section)
    if value is None:
        raise InputError(f"section {section!r} is missing or empty: see docs/sweeps.md", path=path)
    return parse_sweep(value, path=path, section=section)


def parse_sweep(
    value: object, *, path: str | Path | None = None, section: str = "sweep"
) -> SweepConfig:
    """Check a section that has been read from YAML or JSON; raises ``InputError`` as above."""
    return _Reader(path, section).section(value)


@dataclass(frozen=True)
class _Reader:
    """Walks the section; every fault names its key with dots, as ``sweep.families.conv.kernel``."""

    path: str | Path | None
    name: str

    def fail(self, key: str, message: str) -> InputError:
        return InputError(f"{key}: {message}", path=self.path)

    def section(self, value: object) -> SweepConfig:
        known = self.mapping(value, self.name, _SECTION)
        seed = self.integer(known, self.name, "seed", None, 0)
        networks = known.get("near_networks", [])
        if not isinstance(networks, list) or not all(isinstance(name, str) for name in networks):
            raise self.fail(f"{self.name}.near_networks", "a list of network names is needed")
        families = known.get("families")
        place = f"{self.name}.families"
        if not families:
            raise self.fail(place, "at least one family is needed")
        families = self.mapping(families, place, FAMILIES)
        designs = tuple(
            self.family(family, families[family], known)
            for family in FAMILIES
            if family in families
        )
        return SweepConfig(seed, tuple(networks), designs)

    def family(self, family: str, value: object, section: Mapping[str, object]) -> FamilySweep:
        place = f"{self.name}.families.{family}"
        parameters = PARAMETERS[family]
        own = self.mapping(value, place, (*_COMMON, *parameters))
        inherited = {key: section[key] for key in ("near_share", *_BOUNDS) if key in section}
        values = inherited | dict(own)
        numbers: dict[str, tuple[int, ...]] = {}
        words: dict[str, tuple[str, ...]] = {}
        shares: dict[str, float] = {}
        for parameter in parameters:
            key = f"{place}.{parameter}"
            if parameter.endswith("_share"):
                shares[parameter] = self.share(values, place, parameter)
                continue
            if parameter not in values and parameter not in _DEFAULTS:
                raise self.fail(key, "is missing: give its values")
            cells = self.grid(key, values.get(parameter, _DEFAULTS.get(parameter)))
            if parameter in _WORDS:
                words[parameter] = tuple(self.word(key, parameter, cell) for cell in cells)
            else:
                numbers[parameter] = tuple(self.number(key, parameter, cell) for cell in cells)
        megabytes = self.integer(values, place, "max_memory_mb", None, 1)
        bounds = Bounds(
            max_bytes=megabytes * 1_000_000,
            min_operations=self.integer(values, place, "min_operations", 0, 0),
            max_operations=self.integer(values, place, "max_operations", 10**15, 1),
        )
        count = self.integer(values, place, "count", None, 1)
        near_share = self.share(values, place, "near_share")
        return FamilySweep(family, count, near_share, bounds, numbers, words, shares)

    def mapping(self, value: object, place: str, known: tuple[str, ...]) -> Mapping[str, object]:
        if not isinstance(value, dict):
            raise self.fail(place, "a mapping of keys to values is needed")
        for key in value:
            if key not in known:
                raise self.fail(f"{place}.{key}", f"unknown key; known are {', '.join(known)}")
        return value

    def integer(
        self, values: Mapping[str, object], place: str, key: str, default: int | None, least: int
    ) -> int:
        value = values.get(key, default)
        if value is None:
            raise self.fail(f"{place}.{key}", "is missing: a whole number is needed")
        return self.whole(f"{place}.{key}", value, least)

    def whole(self, key: str, value: object, least: int) -> int:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise self.fail(key, f"a whole number from {least} on is needed, not {value!r}")
        return value

    def share(self, values: Mapping[str, object], place: str, key: str) -> float:
        value = values.get(key, 0)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise self.fail(f"{place}.{key}", f"a share from 0 to 1 is needed, not {value!r}")
        return float(value)

    def grid(self, key: str, value: object) -> tuple[object, ...]:
        if isinstance(value, list):
            cells = tuple(value)
        elif not isinstance(value, dict):
            cells = (value,)
        elif set(value) == {"low", "high"}:
            low, high = (self.whole(f"{key}.{end}", value[end], 1) for end in ("low", "high"))
            if low > high:
                raise self.fail(key, f"low {low} is above high {high}")
            cells = log_grid(low, high)
        else:
            weights = {cell: self.whole(f"{key}.{cell}", value[cell], 0) for cell in value}
            if sum(weights.values()) > MAX_CELLS:
                raise self.fail(key, f"the weights sum to more than {MAX_CELLS}: divide them")
            cells = weighted_grid(weights)
        if not cells:
            raise self.fail(key, "at least one value is needed")
        return cells

    def word(self, key: str, parameter: str, cell: object) -> str:
        if cell not in _WORDS[parameter]:
            raise self.fail(key, f"{cell!r} is not one of {', '.join(_WORDS[parameter])}")
        return str(cell)

    def number(self, key: str, parameter: str, cell: object) -> int:
        if parameter == "groups" and cell == "depthwise":
            return DEPTHWISE
        value = self.whole(key, cell, 0 if parameter == "bias" else 1)
        if parameter == "bias" and value > 1:
            raise self.fail(key, f"0 or 1 is needed, not {value}")
        return value
