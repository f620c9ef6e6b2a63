"""What whole passes teach about adding up layers: factors of families, and how wide intervals are.

A layer inside a pass is not the layer by itself: an activation in place finds its input in the
cache or is run inside the convolution before it; a concatenation finds its inputs cold. Where a
platform has recorded layers inside whole passes, the ratio of their time to the prediction is a
factor of the family (near 0: free). Where it has whole passes only, one factor serves all. Factors
are shrunk towards 1 as far as the networks disagree (positive-part James-Stein), and the
intervals of totals are scaled so that they hold 9 of 10 measured passes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from neuralpower.core.errors import InputError
from neuralpower.core.files import read_text, sha256_file, write_json

#: Beside the models of a platform.
FILE = "composition.json"
SCHEMA_VERSION = 1
ALL = "all"
TARGETS = ("runtime_ms", "power_w", "energy_mj")

#: Fewer networks than this do not tell a factor.
FEWEST_NETWORKS = 2
#: With fewer networks than this, nothing tells how errors correlate: the cautious bound holds, and
#: intervals are widened but never narrowed.
ENOUGH_NETWORKS = 5
_LEVEL = 0.9


@dataclass(frozen=True)
class Factor:
    """``value`` multiplies the runtime of a family's layers; ``measured`` is it before shrinking.

    ``spread`` is the standard deviation over networks of the log ratio, ``networks`` how many.
    """

    value: float
    measured: float
    spread: float
    networks: int


@dataclass(frozen=True)
class Composition:
    """How a platform's layers add up: factors by family (or ``all``) and scales of intervals.

    ``cautious``: errors of two layers of a family count as fully correlated, because too few
    passes tell otherwise; else the models' own correlations hold, which the scales have answered
    for. The default is a platform without measured passes: no factors, cautious.
    """

    factors: Mapping[str, Factor] = field(default_factory=dict)
    scales: Mapping[str, float] = field(default_factory=dict)
    networks: tuple[str, ...] = ()

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

    def to_json(self) -> dict[str, Any]:
        """The composition as JSON values."""
        return {
            "schema_version": SCHEMA_VERSION,
            "factors": {
                name: {
                    "value": f.value,
                    "measured": f.measured,
                    "spread": f.spread,
                    "networks": f.networks,
                }
                for name, f in sorted(self.factors.items())
            },
            "scales": dict(sorted(self.scales.items())),
            "networks": list(self.networks),
        }


def load_composition(models_dir: str | Path) -> Composition:
    """The composition beside a platform's models; one that changes nothing where there is none.

    Raises ``InputError`` when the file is damaged or was learnt for other models.
    """
    path = Path(models_dir) / FILE
    if not path.exists():
        return Composition()
    try:
        value = json.loads(read_text(path))
        if value["models_sha256"] != _stamp(models_dir):
            raise ValueError("it was learnt for other models")
        if value["schema_version"] != SCHEMA_VERSION:
            raise ValueError(f"schema_version {value['schema_version']!r}")
        return Composition(
            {
                str(name): Factor(
                    _positive(f["value"]),
                    _positive(f["measured"]),
                    float(f["spread"]),
                    int(f["networks"]),
                )
                for name, f in value["factors"].items()
            },
            {str(name): _positive(scale) for name, scale in value["scales"].items()},
            tuple(str(name) for name in value["networks"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise InputError(
            f"cannot be used ({error}): write it again with `neuralpower calibrate`", path=path
        ) from None


def save_composition(
    composition: Composition, models_dir: str | Path, path: str | Path | None = None
) -> None:
    """Write a composition learnt for the models of a folder, beside them if no path is given."""
    target = Path(models_dir) / FILE if path is None else path
    write_json(target, {**composition.to_json(), "models_sha256": _stamp(models_dir)})


def _stamp(models_dir: str | Path) -> str:
    """What tells one fit from another: the checksum of the models' index."""
    return sha256_file(Path(models_dir) / "models.json")


def _positive(value: Any) -> float:
    number = float(value)
    if not (math.isfinite(number) and number > 0):
        raise ValueError(f"{value!r} is not a positive number")
    return number


def factors_of(ratios: Mapping[str, Mapping[str, Sequence[float]]]) -> dict[str, Factor]:
    """Factors from log ratios of measured to predicted time: family -> network -> one a pass.

    Each network counts once. The mean m over n networks with standard error s is shrunk by
    max(0, 1 - s^2 / m^2). A family with fewer than ``FEWEST_NETWORKS`` networks has no factor.
    """
    found = {}
    for family, networks in sorted(ratios.items()):
        if len(networks) < FEWEST_NETWORKS:
            continue
        means = np.array([np.mean(values) for _, values in sorted(networks.items())])
        mean, spread = float(means.mean()), float(means.std(ddof=1))
        shrink = max(0.0, 1.0 - spread**2 / len(means) / mean**2) if mean else 0.0
        found[family] = Factor(math.exp(shrink * mean), math.exp(mean), spread, len(means))
    return found


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
