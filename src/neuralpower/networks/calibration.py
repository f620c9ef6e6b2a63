"""What whole passes teach about adding up layers: factors of families, and how wide intervals are.

A layer inside a pass is not the layer by itself: an activation in place finds its input in the
cache or is run inside the convolution before it; a concatenation finds its inputs cold. A family's
factor is its measured time over its predicted time, both as shares of their pass, summed over all
passes (a family counts by the time that it takes) and shrunk to the common factor, that of all
families together. Where layers inside passes were recorded their times are known; where whole
passes only, the factors are those that explain the passes best, shrunk in the same way. Factors
beyond ``MOST`` are warnings, not corrections. The intervals of totals are scaled so that they hold
9 of 10 measured passes.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from neuralpower.core.documents import read_json
from neuralpower.core.errors import InputError
from neuralpower.core.file_names import COMPOSITION, MODELS_INDEX
from neuralpower.core.files import sha256_file, write_json
from neuralpower.networks.launch import Launch

#: No factor, spread or count of passes is as large.
_BEYOND = 1e6
#: Beside the models of a platform.
#: 2: factors weighted by time, beside the common one; warnings. 3: launches.
SCHEMA_VERSION = 3
ALL = "all"

#: Fewer networks than this do not give a factor.
FEWEST_NETWORKS = 2
#: What a family is taken to have shown before it was measured: the common factor, over half a pass.
PRIOR = 0.5
#: A family that takes so many times its prediction is not one that composes badly: a unit, a batch
#: size or a network is wrong. Nor is a pass that takes so many times its layers, or so little.
MOST = 2.0
#: With fewer networks than this, nothing shows how errors correlate: the cautious bound holds, and
#: intervals are widened but never narrowed.
ENOUGH_NETWORKS = 5
_LEVEL = 0.9


@dataclass(frozen=True)
class Factor:
    """``value`` multiplies the runtime of a family's layers; ``measured`` is it before shrinking.

    ``spread`` is the standard deviation over networks of the log ratio, ``networks`` how many;
    ``passes`` is the measured time behind it, in whole passes.
    """

    value: float
    measured: float
    spread: float
    networks: int
    passes: float


@dataclass(frozen=True)
class Shares:
    """A measured pass of a ``network``: its families' times, as shares of the pass.

    ``predicted`` has every family with a model; ``measured`` those recorded inside the pass, None
    where layers were not recorded.
    """

    network: str
    predicted: Mapping[str, float]
    measured: Mapping[str, float] | None = None


@dataclass(frozen=True)
class Composition:
    """How a platform's layers add up: factors by family and scales of intervals.

    The factor ``all`` is the common one: that of families which no pass has. ``warnings``: factors
    that were measured and are not believed.
    ``cautious``: errors of two layers of a family count as fully correlated, because too few
    passes tell otherwise; else the models' own correlations hold, which the scales have answered
    for. The default is a platform without measured passes: no factors, cautious.
    """

    factors: Mapping[str, Factor] = field(default_factory=dict)
    scales: Mapping[str, float] = field(default_factory=dict)
    networks: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    launch: Launch = field(default_factory=Launch)

    @property
    def cautious(self) -> bool:
        """Whether too few networks were measured to trust the models' error correlations."""
        return len(self.networks) < ENOUGH_NETWORKS

    def factor(self, family: str) -> float:
        """The factor of a family's runtime inside networks."""
        found = self.factors.get(family) or self.factors.get(ALL)
        return 1.0 if found is None else found.value

    def scale(self, target: str) -> float:
        """The factor of a total's distance from the value to its interval's ends."""
        return self.scales.get(target, 1.0)

    def to_json(self) -> dict[str, object]:
        """The composition as JSON values."""
        return {
            "schema_version": SCHEMA_VERSION,
            "factors": {
                name: {
                    "value": f.value,
                    "measured": f.measured,
                    "spread": f.spread,
                    "networks": f.networks,
                    "passes": f.passes,
                }
                for name, f in sorted(self.factors.items())
            },
            "scales": dict(sorted(self.scales.items())),
            "networks": list(self.networks),
            "warnings": list(self.warnings),
            "launch": self.launch.to_json(),
        }


def load_composition(models_dir: str | Path) -> Composition:
    """The composition beside a platform's models; one that changes nothing where there is none.

    Raises ``InputError`` when the file is damaged or was learnt for other models.
    """
    path = Path(models_dir) / COMPOSITION
    if not path.exists():
        return Composition()
    try:
        value = read_json(path, "a composition")
        if value["models_sha256"] != _stamp(models_dir):
            raise ValueError("it belongs to other models")
        if value.pop("sha256", None) != _own_sum(value):
            raise ValueError("it was changed since it was written: its own SHA-256 differs")
        if value["schema_version"] != SCHEMA_VERSION:
            raise ValueError(f"schema_version {value['schema_version']!r}")
        return Composition(
            {
                str(name): Factor(
                    _not_negative(f["value"]),
                    _not_negative(f["measured"]),
                    _not_negative(f["spread"]),
                    int(f["networks"]),
                    _not_negative(f["passes"]),
                )
                for name, f in value["factors"].items()
            },
            {str(name): _positive(scale) for name, scale in value["scales"].items()},
            tuple(str(name) for name in value["networks"]),
            tuple(str(text) for text in value["warnings"]),
            Launch.from_json(value["launch"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise InputError(
            f"cannot be used ({error}): write it again with `neuralpower calibrate`", path=path
        ) from None


def save_composition(
    composition: Composition, models_dir: str | Path, path: str | Path | None = None
) -> None:
    """Write a composition learnt for the models of a folder, beside them if no path is given."""
    target = Path(models_dir) / COMPOSITION if path is None else path
    value = {**composition.to_json(), "models_sha256": _stamp(models_dir)}
    write_json(target, {**value, "sha256": _own_sum(value)})


def _own_sum(value: Mapping[str, object]) -> str:
    """The checksum of all other entries: the index is written before, and cannot hold it."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _stamp(models_dir: str | Path) -> str:
    """By what one fit differs from another: the checksum of the models' index."""
    return sha256_file(Path(models_dir) / MODELS_INDEX)


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{value!r} is not a number")
    return float(value)


def _positive(value: object) -> float:
    number = _number(value)
    if not 0 < number < _BEYOND:
        raise ValueError(f"{value!r} is not a positive number that can be")
    return number


def _not_negative(value: object) -> float:
    number = _number(value)
    if not 0 <= number < _BEYOND:
        raise ValueError(f"{value!r} is not a number from 0 on that can be")
    return number


def factors_of(passes: Sequence[Shares]) -> tuple[dict[str, Factor], list[str]]:
    """Factors of families from measured passes, and warnings of those that are not believed.

    With shares m and p of a family summed over passes, and the common factor c: (m + c / 2) /
    (p + 1 / 2), as if half a pass had shown c before; c itself is shrunk to 1 so. Where no layers
    were recorded, the factors g of least sum over passes of (1 - sum g p)^2 + sum (g - c)^2 / 4.
    Nothing is learnt from fewer than ``FEWEST_NETWORKS`` networks.
    """
    if len({one.network for one in passes}) < FEWEST_NETWORKS:
        return {}, []
    inside = [one for one in passes if one.measured is not None]
    whole = [
        Shares(one.network, {ALL: sum(one.predicted.values())}, {ALL: 1.0})
        for one in passes
        if one.measured is None
    ]
    sums = _by_network([*inside, *whole])
    common = _factor([pair for of in sums.values() for pair in of.values()], sums, 1.0)
    factors, warnings = {ALL: common}, []
    if not 1.0 / MOST <= common.value <= MOST:
        warnings.append(_warning("passes", common))
        factors[ALL] = common = replace(common, value=1.0)
    if inside:
        found = {
            family: _factor(
                [of[family] for of in sums.values() if family in of],
                {name: {family: of[family]} for name, of in sums.items() if family in of},
                common.value,
            )
            for family in sorted({family for of in sums.values() for family in of} - {ALL})
        }
    else:
        found = _explained(passes, common)
    for family, factor in found.items():
        if factor.value > MOST:
            warnings.append(_warning(f"{family} layers", factor))
            factor = replace(factor, value=common.value)
        factors[family] = factor
    return factors, warnings


def _warning(what: str, factor: Factor) -> str:
    return (
        f"{what} take {factor.measured:.3g} times their prediction in {factor.networks} networks: "
        "a unit or a batch size may be wrong; they are not corrected"
    )


_Pair = tuple[float, float]


def _by_network(passes: Sequence[Shares]) -> dict[str, dict[str, _Pair]]:
    """Measured and predicted shares, summed over a network's passes: network -> family -> pair."""
    sums: dict[str, dict[str, _Pair]] = {}
    for one in passes:
        of = sums.setdefault(one.network, {})
        for family, measured in (one.measured or {}).items():
            predicted = one.predicted.get(family, 0.0)
            if predicted > 0.0:
                before = of.get(family, (0.0, 0.0))
                of[family] = (before[0] + measured, before[1] + predicted)
    return dict(sorted(sums.items()))


def _factor(
    pairs: Sequence[_Pair], sums: Mapping[str, Mapping[str, _Pair]], common: float
) -> Factor:
    measured, predicted = (float(sum(side)) for side in zip(*pairs, strict=True))
    totals = [[sum(side) for side in zip(*of.values(), strict=True)] for of in sums.values() if of]
    logs = [math.log(m / p) for m, p in totals if m > 0.0]
    return Factor(
        (measured + PRIOR * common) / (predicted + PRIOR),
        measured / predicted,
        float(np.std(logs, ddof=1)) if len(logs) > 1 else 0.0,
        len(totals),
        measured,
    )


def _explained(passes: Sequence[Shares], common: Factor) -> dict[str, Factor]:
    """Factors that explain whole passes: a ridge regression around the common factor."""
    families = sorted({family for one in passes for family in one.predicted})
    design = np.array([[one.predicted.get(name, 0.0) for name in families] for one in passes])
    rest = 1.0 - common.value * design.sum(axis=1)
    gram = design.T @ design + PRIOR**2 * np.eye(len(families))
    values = np.maximum(common.value + np.linalg.solve(gram, design.T @ rest), 0.0)
    return {
        name: Factor(
            float(value),
            float(value),
            common.spread,
            len({one.network for one in passes if name in one.predicted}),
            float(design[:, j].sum()),
        )
        for j, (name, value) in enumerate(zip(families, values.tolist(), strict=True))
    }


def scale_of(misses: Mapping[str, Sequence[float]]) -> float:
    """The interval scale from distances of passes to predictions in half-widths, by network.

    The 90 % quantile with the finite-sample correction, each network of the same weight: with
    fewer than nine networks the largest. Intervals are narrowed only with ``ENOUGH_NETWORKS``.
    """
    if not misses:
        return 1.0
    n = len(misses)
    pairs = sorted((x, 1.0 / len(values)) for values in misses.values() for x in values)
    wanted, seen, scale = min(_LEVEL * (n + 1), n), 0.0, pairs[-1][0]
    for x, weight in pairs:
        seen += weight
        if seen >= wanted - 1e-9:
            scale = x
            break
    if n < ENOUGH_NETWORKS:
        return max(scale, 1.0)
    return max(scale, 0.1)
