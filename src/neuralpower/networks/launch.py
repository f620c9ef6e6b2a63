"""What a pass makes of launches: the part of a layer's time by itself that it hides or adds.

A framework that runs a network layer by layer queues one launch after the other while the GPU
works. A pass therefore takes the longer of two times: the work of its layers, and the launches of
all of them,

    T = max(sum of work, sum of launches)

The launches are known from the layers: the runtime of a family's smallest ones is their launch
(``Model.launch_ms``). Some families were measured in another mode than networks run them in (batch
normalisation with the statistics of training, several times what its bytes take): inside a pass
their work is that of their bytes (``traffic``). Which of these holds on a platform is chosen
by leaving out one network after the other.

A launch-bound layer by itself leaves the GPU waiting in between; inside a pass its neighbours fill
the gaps. So power needs further terms,

    E = power * sum of P t + busy_w * launch-bound time + waiting_w * (T - sum of work)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

#: Families that may have been measured in a mode of training.
TRAINED = ("batchnorm",)
#: A layer within this factor of its launch is launch-bound, and so is a pass.
BOUND = 1.2
#: Launches count where they are at least this share of some pass.
LAUNCHED = 0.3
#: Fewer networks than this do not choose how launches count.
FEWEST_CHOOSING = 4
#: A simpler way may explain the networks worse by this factor (of mean squared errors).
CLOSE = 1.1
#: Prior of the terms of power, mean and standard deviation: ``power`` (1), ``busy_w``,
#: ``waiting_w`` (W); and the relative error of an energy that they are weighed against.
_PRIOR = ((1.0, 0.2), (0.0, 50.0), (50.0, 30.0))
_ERROR = 0.03


@dataclass(frozen=True)
class Launch:
    """How launches count in passes of a platform; the default is a plain sum of layers.

    ``by_traffic``: families whose work inside a pass is that of their bytes. ``longer``: a pass
    takes the longer of work and launches. ``power``: what layers draw inside a pass, of what they
    draw by themselves; ``busy_w``: what a launch-bound layer draws more inside a pass;
    ``waiting_w``: what the board draws while it waits for launches.
    """

    by_traffic: tuple[str, ...] = ()
    longer: bool = False
    power: float = 1.0
    busy_w: float = 0.0
    waiting_w: float = 0.0

    def to_json(self) -> dict[str, object]:
        """The values as JSON."""
        return {
            "by_traffic": list(self.by_traffic),
            "longer": self.longer,
            "power": self.power,
            "busy_w": self.busy_w,
            "waiting_w": self.waiting_w,
        }

    @classmethod
    def from_json(cls, value: object) -> Launch:
        """The launch of ``to_json``; ``KeyError``, ``TypeError``, ``ValueError`` if it is none."""
        if not isinstance(value, dict):
            raise ValueError("a JSON object is needed")
        numbers = {name: float(value[name]) for name in ("power", "busy_w", "waiting_w")}
        if not all(0.0 <= number < 1e6 for number in numbers.values()):
            raise ValueError(f"launch: {numbers} are not numbers from 0 on that can be")
        if not isinstance(value["longer"], bool):
            raise ValueError(f"launch: longer is {value['longer']!r}")
        return cls(tuple(map(str, value["by_traffic"])), value["longer"], **numbers)


@dataclass(frozen=True)
class Sums:
    """Sums over the layers of a pass that have a figure.

    ``work_ms`` and ``launch_ms``; of those with power too ``powered_ms``, ``energy_mj`` and
    ``bound_ms``, the time of launch-bound layers.
    """

    work_ms: float
    launch_ms: float
    powered_ms: float
    energy_mj: float
    bound_ms: float

    def runtime_ms(self, launch: Launch) -> float:
        """The runtime of the pass."""
        return max(self.work_ms, self.launch_ms) if launch.longer else self.work_ms

    def waiting_ms(self, launch: Launch) -> float:
        """How long the pass waits for launches."""
        return self.runtime_ms(launch) - self.work_ms

    def more_mj(self, launch: Launch) -> float:
        """The energy of the pass beyond that of its layers."""
        return launch.busy_w * self.bound_ms + launch.waiting_w * self.waiting_ms(launch)


def with_power_terms(launch: Launch, passes: Sequence[tuple[float, float, float]]) -> Launch:
    """The launch with ``power``, ``busy_w`` and ``waiting_w`` from measured passes, by a ridge.

    ``passes``: of each its sum of layer energies (mJ), time of launch-bound layers (ms) and time of
    waiting (ms), over its measured energy (mJ): weighted, they should give 1. Terms that would be
    negative are 0; where launches do not count, only ``power`` is learnt.
    """
    rows, kept = np.array(passes), [0, 1, 2] if launch.longer else [0]
    found = np.zeros(3)
    while True:
        design = rows[:, kept] / _ERROR
        mean, deviation = np.array([_PRIOR[i] for i in kept]).T
        gram = design.T @ design + np.diag(deviation**-2.0)
        moment = design.T @ np.full(len(rows), 1.0 / _ERROR) + mean / deviation**2
        values = np.linalg.solve(gram, moment)
        if (values >= 0.0).all():
            break
        kept = [i for i, value in zip(kept, values.tolist(), strict=True) if value >= 0.0]
    found[kept] = values
    power, busy_w, waiting_w = found.tolist()
    return replace(launch, power=power, busy_w=busy_w, waiting_w=waiting_w)
