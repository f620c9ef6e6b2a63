"""How good a platform's measurements are, in three figures, and when that is worth a warning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from neuralpower.records.repeatability import Repeatability

#: From these shares of 1 on, a figure is worth a warning: a tenth of the visits, a twentieth of
#: drift, a fifth between repeats move predictions by as much as the models themselves err.
MOST_UNCONVERGED, MOST_DRIFT, MOST_SPREAD = 0.10, 0.05, 0.20
#: Of fewer visits a share says little.
LEAST_VISITS = 20


@dataclass(frozen=True, slots=True)
class Quality:
    """Shares of 1: visits whose interval stayed too wide, drift of the anchor over a run, spread
    of a configuration's visits (90th percentile); None where it cannot be known."""

    unconverged: float | None
    drift: float | None
    spread: float | None

    @classmethod
    def of(cls, repeats: Repeatability, flags: Mapping[str, int], visits: int) -> Quality:
        """From what ``check`` found; ``visits``: rows that could carry a flag."""
        share = flags.get("not_converged", 0) / visits if visits >= LEAST_VISITS else None
        return cls(share, repeats.anchor_drift, repeats.spread_p90)

    @property
    def facts(self) -> list[tuple[str, str, bool]]:
        """What, how much, and whether that is worth a warning."""
        found = []
        for what, value, most in (
            ("visits not converged", self.unconverged, MOST_UNCONVERGED),
            ("drift of the anchor", self.drift, MOST_DRIFT),
            ("spread of repeats, 90th percentile", self.spread, MOST_SPREAD),
        ):
            if value is not None:
                found.append((what, f"{100 * value:.3g} %", abs(value) > most))
        return found
