"""Bends at the ends of a range: the floor of a launch under a runtime, the board's cap over power.

A runtime on a GPU is a launch or work, whichever is longer; a board under load draws its cap. A
sum of terms (or its exponential) ``f`` cannot bend there, these forms can, with one level ``c``
that the rows give and a sharpness ``p``:

    floor    y = (c^p + f^p)^(1/p)      p = 1: launch + work; p large: max(launch, work)
    cap      y = (c^-p + f^-p)^(-1/p)   p large: min(cap, f)

A form is fitted by its inverse: the rows are turned into values of ``f`` (``unbend``) and weighted
by how much ``y`` still depends on ``f`` there, so that a row at the floor or the cap, which says
nothing about the work, weighs nothing. The least squares stay linear in the terms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neuralpower.modeling.features import Array

#: A form is worth trying where this share of the rows is near the level. Of rows that are spread
#: evenly over four decades 7 % are within ``NEAR`` of the smallest twentieth.
FEWEST_SHARE = 0.1
#: A runtime within this factor of the floor, a power within it of the cap, is near.
NEAR = {"floor": 1.25, "cap": 1.03}
#: The cap lies this much above the largest row, so that ``f`` stays finite there.
HEADROOM = 1.02
#: Values of ``f`` beyond this many times the level (or below its inverse) are as good as bent off.
_MOST = 1e9


@dataclass(frozen=True)
class Form:
    """A ``kind`` of bend (``floor`` or ``cap``) with its sharpness."""

    kind: str
    sharpness: float

    def level(self, parts: Sequence[Array]) -> float:
        """The level that the rows of some folds give, one array a fold.

        Floor: the middle one of the folds' smallest rows; cap: above the largest row of all. Both
        change little, and take few values, when folds are left out.
        """
        if self.kind == "cap":
            return HEADROOM * max(float(part.max()) for part in parts)
        smallest = sorted(float(part.min()) for part in parts)
        return smallest[(len(smallest) - 1) // 2]

    def suits(self, measured: Array) -> bool:
        """Whether enough rows lie near the level to tell that there is one."""
        if self.kind == "cap":
            near = measured * NEAR["cap"] >= float(measured.max())
        else:
            near = measured <= NEAR["floor"] * float(np.quantile(measured, 0.05))
        return float(near.mean()) >= FEWEST_SHARE


@dataclass(frozen=True)
class Bend:
    """A form at a level: what an equation applies to its sum (or exponential) ``f``."""

    form: Form
    level: float

    def apply(self, f: Array) -> Array:
        """``y`` of ``f``; a form of positive values: ``f`` below 0 counts as 0."""
        c, p = self.level, self.form.sharpness
        ratio = np.clip(f / c, 1.0 / _MOST, _MOST)
        if self.form.kind == "cap":
            return np.asarray(c * (1.0 + ratio**-p) ** (-1.0 / p))
        return np.asarray(c * (1.0 + ratio**p) ** (1.0 / p))

    def unbend(self, y: Array) -> tuple[Array, Array]:
        """The value of ``f`` of every row, and the weight d ln y / d ln f; 0 beyond the level."""
        c, p = self.level, self.form.sharpness
        sign = -1.0 if self.form.kind == "cap" else 1.0
        rest = (y / c) ** (sign * p) - 1.0
        inside = rest > _MOST**-p
        f = c * np.where(inside, rest, 1.0) ** (sign / p)
        weight = np.where(inside, np.where(inside, rest, 0.0) / (rest + 1.0), 0.0)
        return f, weight

    def to_json(self) -> dict[str, object]:
        """The bend as JSON values."""
        return {"kind": self.form.kind, "sharpness": self.form.sharpness, "level": self.level}

    def text(self, digits: int = 4) -> str:
        """The bend of an ``f`` in words, for people."""
        p, c = f"{self.form.sharpness:g}", f"{self.level:.{digits}g}"
        if self.form.kind == "cap":
            return f"min({c}, f), rounded: ({c}^-{p} + f^-{p})^(-1/{p})"
        if self.form.sharpness == 1.0:
            return f"{c} + f"
        return f"max({c}, f), rounded: ({c}^{p} + f^{p})^(1/{p})"


#: Forms by the names that candidates give them.
FORMS: dict[str, Form] = {
    "floor + f": Form("floor", 1.0),
    "max(floor, f)": Form("floor", 4.0),
    "min(cap, f)": Form("cap", 4.0),
}


def launch_level(runtime_ms: Array) -> float | None:
    """The runtime of layers that are little more than their launch; None if too few are near it.

    A low quantile: launches vary by some per cent, and one lucky visit is no level.
    """
    if not FORMS["max(floor, f)"].suits(runtime_ms):
        return None
    return float(np.quantile(runtime_ms, 0.02))


def bend_from_json(value: object) -> Bend | None:
    """The bend of ``Bend.to_json``, None for None; ``ValueError`` or ``KeyError`` if it is none."""
    if value is None:
        return None
    if not isinstance(value, dict):
        raise ValueError("a JSON object is needed")
    kind, sharpness, level = value["kind"], float(value["sharpness"]), float(value["level"])
    if kind not in ("floor", "cap"):
        raise ValueError(f"unknown form {kind!r}")
    if not (0.0 < level < float("inf") and 0.5 <= sharpness <= 64.0):
        raise ValueError(f"a form of level {level!r} and sharpness {sharpness!r}")
    return Bend(Form(kind, sharpness), level)
