"""Choosing among networks: cost per image, best batch size, rank, Pareto front, and EPR.

The energy-precision ratio is EPR = error^alpha * energy per image (Cai et al., ACML 2017), smaller
is better; alpha says how much accuracy matters. Errors are fractions of 1 here, so that an EPR
is an energy, in joules, discounted for accuracy. Where no power was measured the same ratio is
formed with the runtime, in ms, and has another name.

Only like is compared with like: one kind of error (top-1 or top-5) at a time, the Pareto front
within one data set, and one batch size at a time or each network at its own best one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from neuralpower.core.cells import Row
from neuralpower.networks.published import ERRORS, published_error
from neuralpower.networks.text import TOTAL, interval, number

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
    *(f"epr_{alpha}_j" for alpha in ALPHAS),
    *(f"runtime_ratio_{alpha}_ms" for alpha in ALPHAS),
    "extrapolates",
    "note",
)
#: Half of a 90 % interval of a normal distribution, in standard deviations.
_Z90 = 1.6448536269514722


def ratio(cost: str, alpha: int) -> str:
    """The column of the ratio of error and cost: the EPR in J, or with the runtime in ms."""
    return f"epr_{alpha}_j" if cost == "energy_mj" else f"runtime_ratio_{alpha}_ms"


def commonest_error(
    networks: Iterable[str], published: Mapping[str, Mapping[str, object]]
) -> str | None:
    """The kind of error that is published for most of the networks; None where none is."""
    names = set(networks)
    counts = {
        kind: sum(published_error(published.get(name, {}), kind) is not None for name in names)
        for kind in ERRORS
    }
    best = max(ERRORS, key=lambda kind: counts[kind])
    return best if counts[best] else None


def compare(
    rows: Sequence[Row],
    published: Mapping[str, Mapping[str, object]] | None = None,
    *,
    error: str | None = None,
    batch: int | None = None,
) -> list[dict[str, Any]]:
    """A row (``COLUMNS``) for every network and batch size of prediction rows.

    ``error``: the kind of published error to compare (``ERRORS``), that of most networks where none
    is named; ``batch``: the one batch size to compare at, each network's best where none is named.

    ``cost`` is ``energy_mj`` where every network has an energy, else ``runtime_ms``.
    ``best_batch`` is 1 at the batch size where a network's image costs least. Networks are
    ranked by that cost; ``probability_before_next`` is the probability that the network really
    costs less than the next in rank (log-normal errors, independent between networks).
    ``pareto`` is 1 where no other network of the data set has both a smaller error and a smaller
    cost. Rows are in order of rank, then of batch size; a network without a figure, or one of
    whose work less than ``MIN_COVERAGE`` is predicted, comes last without a rank, and its note
    says so.
    """
    published = published or {}
    totals = [row for row in rows if row["name"] == TOTAL and row["index"] is None]
    if batch is not None:
        totals = [row for row in totals if row["batch"] == batch]
    if error is None:
        error = commonest_error((row["network"] for row in totals), published)
    found = [_per_image(row, published.get(row["network"], {}), error) for row in totals]
    usable = [row for row in found if row["runtime_ms_per_image"] is not None and _whole(row)]
    by_energy = bool(usable) and all(r["energy_mj_per_image"] is not None for r in usable)
    cost = "energy_mj" if by_energy else "runtime_ms"
    for row in found:
        row["cost"] = cost
        if row["runtime_ms_per_image"] is not None and not _whole(row):
            row["note"] = f"not ranked, figures of a part; {row['note'] or ''}".removesuffix("; ")
        value, percent = row[f"{cost}_per_image"], row["error_percent"]
        if value is None or percent is None:
            continue
        for alpha in ALPHAS:
            unit = 1000 if by_energy else 1  # mJ to J; ms stay
            row[ratio(cost, alpha)] = (percent / 100) ** alpha * value / unit
    best = _mark_best(usable, cost)
    _rank(best, cost)
    _mark_pareto(best, cost)
    ranks = {row["network"]: row["rank"] for row in best}
    order = len(ranks) + 1
    return sorted(
        found, key=lambda row: (ranks.get(row["network"], order), row["network"], row["batch"] or 0)
    )


def _whole(row: Row) -> bool:
    return row["coverage"] is None or row["coverage"] >= MIN_COVERAGE


def _per_image(row: Row, facts: Mapping[str, object], error: str | None) -> dict[str, Any]:
    result: dict[str, object] = dict.fromkeys(COLUMNS)
    for target in ("runtime_ms", "energy_mj"):
        for end in ("", "_lo", "_hi"):
            value = row[target + end]
            result[f"{target}_per_image{end}"] = None if value is None else value / row["batch"]
    percent = None if error is None else published_error(facts, error)
    return result | {
        "network": row["network"],
        "batch": row["batch"],
        "dataset": facts.get("dataset"),
        "error_kind": None if percent is None else error,
        "error_percent": percent,
        "power_w": row["power_w"],
        "best_batch": 0,
        "extrapolates": row["extrapolates"],
        "coverage": row.get("coverage"),
        "note": row["note"],
    }


def _mark_best(rows: Sequence[dict[str, Any]], cost: str) -> list[dict[str, object]]:
    best: dict[str, dict[str, object]] = {}
    for row in rows:
        other = best.get(row["network"])
        if other is None or row[f"{cost}_per_image"] < other[f"{cost}_per_image"]:
            best[row["network"]] = row
    for row in best.values():
        row["best_batch"] = 1
    return list(best.values())


def _rank(rows: list[dict[str, object]], cost: str) -> None:
    rows.sort(key=lambda row: (row[f"{cost}_per_image"], row["network"]))
    for rank, row in enumerate(rows, 1):
        row["rank"] = rank
        if rank < len(rows):
            row["next_network"] = rows[rank]["network"]
            row["probability_before_next"] = probability_less(row, rows[rank], cost)


def probability_less(a: Row, b: Row, cost: str) -> float:
    """The probability that ``a`` costs less than ``b``, from their intervals.

    Each cost is log-normal with the interval's ratio as its 90 % range; errors of the two count
    as independent. Errors that they share cancel, so the truth is surer than this.
    """
    variance = _log_sd(a, cost) ** 2 + _log_sd(b, cost) ** 2
    ratio = math.log(b[f"{cost}_per_image"] / a[f"{cost}_per_image"])
    if variance <= 0:
        return 0.5 if ratio == 0 else float(ratio > 0)
    return 0.5 * (1 + math.erf(ratio / math.sqrt(2 * variance)))


def _log_sd(row: Row, cost: str) -> float:
    lo, hi = row[f"{cost}_per_image_lo"], row[f"{cost}_per_image_hi"]
    # A lower end of 0 says that the error is as large as the value.
    lo = max(lo, 0.05 * row[f"{cost}_per_image"])
    return math.log(max(hi / lo, 1.0)) / (2 * _Z90)


def _mark_pareto(rows: Sequence[dict[str, object]], cost: str) -> None:
    for row in rows:
        rivals = [
            other
            for other in rows
            if other["error_percent"] is not None
            and (other["dataset"], other["error_kind"]) == (row["dataset"], row["error_kind"])
        ]
        if row["error_percent"] is not None:
            row["pareto"] = int(not any(_dominates(other, row, cost) for other in rivals))


def _dominates(a: Row, b: Row, cost: str) -> bool:
    mine = (a["error_percent"], a[f"{cost}_per_image"])
    others = (b["error_percent"], b[f"{cost}_per_image"])
    return mine != others and mine[0] <= others[0] and mine[1] <= others[1]


def comparison_cells(
    rows: Sequence[Row],
) -> tuple[list[str], list[bool], list[list[str]]]:
    """Headings, which of them are numbers, and cells of a comparison, for people."""
    kind = next((row["error_kind"] for row in rows if row["error_kind"]), "")
    error = f"{kind.removesuffix('_error')} error %" if kind else "error %"
    cost = rows[0]["cost"] if rows else "energy_mj"
    name = "EPR {} J" if cost == "energy_mj" else "err^{} x ms"
    headings = ["rank", "network", "batch", error, "ms/image", "90 %", "mJ/image",
                "cheaper than next", "Pareto", *(name.format(a) for a in ALPHAS)]  # fmt: skip
    right = [heading not in ("network", "Pareto") for heading in headings]
    cells = []
    for row in rows:
        image = {f"runtime_ms{end}": row[f"runtime_ms_per_image{end}"] for end in ("_lo", "_hi")}
        sure = row["probability_before_next"]
        cells.append(
            [
                "" if row["rank"] is None else str(row["rank"]),
                row["network"],
                "" if row["batch"] is None else str(row["batch"]),
                number(row["error_percent"]),
                number(row["runtime_ms_per_image"]),
                interval(image, "runtime_ms"),
                number(row["energy_mj_per_image"]),
                "" if sure is None else f"{100 * sure:.0f} %",
                "front" if row["pareto"] else "",
                *(number(row[ratio(cost, alpha)], 2) for alpha in ALPHAS),
            ]
        )
    return headings, right, cells
