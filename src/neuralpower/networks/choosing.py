"""Choosing among networks: cost per image, best batch size, rank, Pareto front, and EPR.

The energy-precision ratio is EPR = error^alpha * energy per image (Cai et al., ACML 2017), smaller
is better; alpha says how much accuracy matters. Errors are fractions of 1 here, so that an EPR
is an energy in mJ discounted for accuracy. Where no power was measured the same ratio is formed
with the runtime.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from neuralpower.networks.published import ERRORS, published_error
from neuralpower.networks.text import TOTAL

ALPHAS = (1, 2, 3, 4)
#: The least share of a network's work that must be predicted for it to be ranked.
MIN_COVERAGE = 0.9
_IMAGE = tuple(f"{t}_per_image{e}" for t in ("runtime_ms", "energy_mj") for e in ("", "_lo", "_hi"))
COLUMNS = (
    "network",
    "batch",
    "dataset",
    "error_kind",
    "error_percent",
    *_IMAGE,
    "power_w",
    "cost",
    "best_batch",
    "rank",
    "coverage",
    "next_network",
    "probability_before_next",
    "pareto",
    *(f"epr_{alpha}" for alpha in ALPHAS),
    "extrapolates",
    "note",
)
#: Half of a 90 % interval of a normal distribution, in standard deviations.
_Z90 = 1.6448536269514722


def compare(
    rows: Sequence[Mapping[str, Any]], published: Mapping[str, Mapping[str, Any]] | None = None
) -> list[dict[str, Any]]:
    """A row (``COLUMNS``) for every network and batch size of prediction rows.

    ``cost`` is ``energy_mj`` where every network has an energy, else ``runtime_ms``.
    ``best_batch`` is 1 at the batch size where a network's image costs least. Networks are
    ranked by that cost; ``probability_before_next`` is the probability that the network really
    costs less than the next in rank (log-normal errors, independent between networks).
    ``pareto`` is 1 where no other network of the data set has both a smaller error and a smaller
    cost. Rows are in order of rank, then of batch size; a network without a figure, or one of
    whose work less than ``MIN_COVERAGE`` is predicted, comes last without a rank, and its note
    says so.
    """
    totals = [row for row in rows if row["name"] == TOTAL and row["index"] is None]
    found = [_per_image(row, (published or {}).get(row["network"], {})) for row in totals]
    usable = [row for row in found if row["runtime_ms_per_image"] is not None and _whole(row)]
    by_energy = bool(usable) and all(r["energy_mj_per_image"] is not None for r in usable)
    cost = "energy_mj" if by_energy else "runtime_ms"
    for row in found:
        row["cost"] = cost
        if row["runtime_ms_per_image"] is not None and not _whole(row):
            row["note"] = f"not ranked, figures of a part; {row['note'] or ''}".removesuffix("; ")
        value, error = row[f"{cost}_per_image"], row["error_percent"]
        for alpha in ALPHAS:
            known = value is not None and error is not None
            row[f"epr_{alpha}"] = (error / 100) ** alpha * value if known else None
    best = _mark_best(usable, cost)
    _rank(best, cost)
    _mark_pareto(best, cost)
    ranks = {row["network"]: row["rank"] for row in best}
    order = len(ranks) + 1
    return sorted(
        found, key=lambda row: (ranks.get(row["network"], order), row["network"], row["batch"])
    )


def _whole(row: Mapping[str, Any]) -> bool:
    return row["coverage"] is None or row["coverage"] >= MIN_COVERAGE


def _per_image(row: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = dict.fromkeys(COLUMNS)
    for target in ("runtime_ms", "energy_mj"):
        for end in ("", "_lo", "_hi"):
            value = row[target + end]
            result[f"{target}_per_image{end}"] = None if value is None else value / row["batch"]
    kind = next((k for k in ERRORS if published_error(facts, k) is not None), None)
    return result | {
        "network": row["network"],
        "batch": row["batch"],
        "dataset": facts.get("dataset"),
        "error_kind": kind,
        "error_percent": None if kind is None else published_error(facts, kind),
        "power_w": row["power_w"],
        "best_batch": 0,
        "extrapolates": row["extrapolates"],
        "coverage": row.get("coverage"),
        "note": row["note"],
    }


def _mark_best(rows: Sequence[dict[str, Any]], cost: str) -> list[dict[str, Any]]:
    best: dict[str, dict[str, Any]] = {}
    for row in rows:
        other = best.get(row["network"])
        if other is None or row[f"{cost}_per_image"] < other[f"{cost}_per_image"]:
            best[row["network"]] = row
    for row in best.values():
        row["best_batch"] = 1
    return list(best.values())


def _rank(rows: list[dict[str, Any]], cost: str) -> None:
    rows.sort(key=lambda row: (row[f"{cost}_per_image"], row["network"]))
    for rank, row in enumerate(rows, 1):
        row["rank"] = rank
        if rank < len(rows):
            row["next_network"] = rows[rank]["network"]
            row["probability_before_next"] = probability_less(row, rows[rank], cost)


def probability_less(a: Mapping[str, Any], b: Mapping[str, Any], cost: str) -> float:
    """The probability that ``a`` costs less than ``b``, from their intervals.

    Each cost is log-normal with the interval's ratio as its 90 % range; errors of the two count
    as independent. Errors that they share cancel, so the truth is surer than this.
    """
    variance = _log_sd(a, cost) ** 2 + _log_sd(b, cost) ** 2
    ratio = math.log(b[f"{cost}_per_image"] / a[f"{cost}_per_image"])
    if variance <= 0:
        return 0.5 if ratio == 0 else float(ratio > 0)
    return 0.5 * (1 + math.erf(ratio / math.sqrt(2 * variance)))


def _log_sd(row: Mapping[str, Any], cost: str) -> float:
    lo, hi = row[f"{cost}_per_image_lo"], row[f"{cost}_per_image_hi"]
    # A lower end of 0 says that the error is as large as the value.
    lo = max(lo, 0.05 * row[f"{cost}_per_image"])
    return math.log(max(hi / lo, 1.0)) / (2 * _Z90)


def _mark_pareto(rows: Sequence[dict[str, Any]], cost: str) -> None:
    for row in rows:
        rivals = [
            other
            for other in rows
            if other["error_percent"] is not None
            and (other["dataset"], other["error_kind"]) == (row["dataset"], row["error_kind"])
        ]
        if row["error_percent"] is not None:
            row["pareto"] = int(not any(_dominates(other, row, cost) for other in rivals))


def _dominates(a: Mapping[str, Any], b: Mapping[str, Any], cost: str) -> bool:
    mine = (a["error_percent"], a[f"{cost}_per_image"])
    others = (b["error_percent"], b[f"{cost}_per_image"])
    return mine != others and mine[0] <= others[0] and mine[1] <= others[1]
