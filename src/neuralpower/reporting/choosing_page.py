"""The page for choosing: like is compared with like, one data set and error and batch at a time.

The figures come from ``networks.choosing``. Each comparison (platform, data set with kind of error,
batch size) has its own section; the page shows the first and holds the others compressed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from neuralpower.core.cells import Row
from neuralpower.core.targets import LABELS, UNITS
from neuralpower.networks.choosing import ALPHAS, COLUMNS, compare, ratio
from neuralpower.networks.published import ERRORS, published_error
from neuralpower.networks.text import number
from neuralpower.reporting.answer_section import partial
from neuralpower.reporting.beyond import column_words
from neuralpower.reporting.figures_choosing import pareto
from neuralpower.reporting.pages import Page
from neuralpower.reporting.results import Results, with_power_first
from neuralpower.reporting.tables import (
    Cell,
    Column,
    Table,
    figure,
    inline_download,
    round_sort,
    slim,
    whole,
    word,
)

#: A comparison at each network's best batch size.
BEST = "each at its best"
_KINDS = {"top5_error": "top-5", "top1_error": "top-1"}
#: Largest errors that are asked for, in per cent.
_LIMITS = (1.0, 2.0, 5.0, 6.0, 7.0, 8.0, 10.0, 12.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One choice of the page's switches, and what it shows."""

    platform: str
    set: str
    batch: str
    data_set: str
    kind: str
    cost: str
    why_no_power: str
    sentences: Sequence[str]
    limits: Table | None
    figure: object
    table: Table

    @property
    def key(self) -> str:
        """The values of the switches."""
        return f"{self.platform}|{self.set}|{self.batch}"


def choosing_context(results: Results, page: Path) -> dict[str, object]:
    """What the template ``choosing.html`` shows."""
    sets = _sets(results.published, results.networks)
    found: list[Comparison] = []
    files = []
    for platform in with_power_first(results):
        totals = [row for network in results.networks for row in platform.totals(network)]
        batches = sorted({row["batch"] for row in totals if row["batch"]})
        for data_set, kind in sets:
            facts = _of_set(results.published, data_set)
            for batch in (None, *batches) if len(batches) > 1 else batches:
                own = [row for row in totals if row["network"] in facts]
                rows = compare(own, facts, error=kind, batch=batch)
                best = [row for row in rows if row["best_batch"]]
                if best:
                    name = BEST if batch is None else f"{batch:g}"
                    found.append(
                        _comparison(platform.name, platform.why_no_power, data_set, kind, name,
                                    rows, best)
                    )  # fmt: skip
        rows = compare(totals, results.published)
        if rows:
            files.append(
                (platform.name,
                 inline_download(f"choosing.{platform.name}.csv", COLUMNS, rows))
            )  # fmt: skip
    return {
        "title": "Choosing",
        "comparisons": found,
        "platforms": list(dict.fromkeys(one.platform for one in found)),
        "sets": list(dict.fromkeys(one.set for one in found)),
        "batches": sorted({one.batch for one in found}, key=lambda b: (b != BEST, float(_n(b)))),
        "files": files,
    }


def _n(text: str) -> str:
    return text if text.replace(".", "").isdecimal() else "0"


def _sets(
    published: Mapping[str, Mapping[str, object]], networks: Iterable[str]
) -> list[tuple[str, str]]:
    """Data sets with a kind of error that two networks or more have; that of most comes first."""
    counts: dict[tuple[str, str], int] = {}
    for network in networks:
        facts = published.get(network, {})
        for kind in ERRORS:
            if published_error(facts, kind) is not None and facts.get("dataset"):
                key = (str(facts["dataset"]), kind)
                counts[key] = counts.get(key, 0) + 1
    several = [key for key, count in counts.items() if count > 1]
    most = {name: max(counts[key] for key in several if key[0] == name) for name, _ in several}
    return sorted(several, key=lambda key: (-most[key[0]], key[0], ERRORS.index(key[1])))


def _of_set(
    published: Mapping[str, Mapping[str, object]], data_set: str
) -> dict[str, Mapping[str, object]]:
    return {name: facts for name, facts in published.items() if facts.get("dataset") == data_set}


def _comparison(
    platform: str,
    why_no_power: str,
    data_set: str,
    kind: str,
    batch: str,
    rows: Sequence[Row],
    best: Sequence[Row],
) -> Comparison:
    cost = best[0]["cost"]
    known = [row for row in best if row["error_percent"] is not None]
    unranked = [row for row in rows if row["rank"] is None and not row["best_batch"]]
    names = {row["network"] for row in best}
    return Comparison(
        platform=platform,
        set=f"{data_set}, {_KINDS[kind]} error",
        batch=batch,
        data_set=data_set,
        kind=_KINDS[kind],
        cost=cost,
        why_no_power=why_no_power,
        sentences=_sentences(best, known, cost),
        limits=_limits(known, cost, _KINDS[kind]),
        figure=pareto(known, cost, _KINDS[kind], data_set, platform, batch),
        table=_table(best, [r for r in unranked if r["network"] not in names], cost),
    )


def _sentences(best: Sequence[Row], known: Sequence[Row], cost: str) -> list[str]:
    """Which network is cheapest and how sure that is; which has the smallest ratio."""
    first, found = best[0], []
    sure = first["probability_before_next"]
    text = f"{first['network']} is cheapest"
    if sure is not None:
        much = "more than 99" if sure > 0.995 else f"{100 * sure:.0f}"
        text += f": cheaper than {first['next_network']} with {much} % probability"
    found.append(text + ".")
    if len(known) > 1:
        names: dict[str, list[int]] = {}
        for alpha in ALPHAS:
            column = ratio(cost, alpha)
            top = min(known, key=lambda row: (row[column], row["network"]))
            names.setdefault(top["network"], []).append(alpha)
        what = "energy-precision ratio" if cost == "energy_mj" else "ratio of error and runtime"
        parts = [f"{name} for α = {', '.join(map(str, alphas))}" for name, alphas in names.items()]
        found.append(f"Smallest {what}: {'; '.join(parts)}.")
    return found


def _limits(known: Sequence[Row], cost: str, kind: str) -> Table | None:
    """The cheapest network for each of some largest errors."""
    rows, before = [], ""
    for limit in _LIMITS:
        able = [row for row in known if row["error_percent"] <= limit]
        if not able:
            continue
        best = min(able, key=lambda row: row["rank"])
        if len(able) == len(known) and best["network"] == before:
            break
        before = best["network"]
        rows.append(
            [
                word(f"{limit:g} %"),
                word(best["network"], href=f"networks/{quote(best['network'])}.html"),
                figure(best["error_percent"]),
                figure(best[f"{cost}_per_image"]),
            ]
        )
    if len(known) < 2:
        return None
    columns = [Column(f"{kind.capitalize()} error at most", False), Column("Cheapest", False),
               Column("Its error %"), Column(f"{UNITS[cost]} per image")]  # fmt: skip
    caption = f"The network of least {LABELS[cost]} per image among those of at most that error."
    return Table("limits", "Cheapest network for an error", caption, columns, rows, sortable=False)


def _table(best: Sequence[Row], unranked: Sequence[Row], cost: str) -> Table:
    name = "EPR, α = {}, J" if cost == "energy_mj" else "error^{} × runtime, ms"
    columns = [
        Column("Network", False), Column("Rank"), Column(f"{UNITS[cost]} per image"),
        Column("90 % interval", look="quiet"), Column("Error %"),
        Column("Cheaper than the next, probability %"), Column("Batch"),
        Column("Front", False), *(Column(name.format(alpha)) for alpha in ALPHAS),
        Column("Trust", False, look="note"),
    ]  # fmt: skip
    lowest = {
        alpha: min((v for r in best if (v := r[ratio(cost, alpha)]) is not None), default=None)
        for alpha in ALPHAS
    }
    shown = {alpha: _alike([row[ratio(cost, alpha)] for row in best]) for alpha in ALPHAS}
    cells = []
    for row in (*best, *unranked):
        ends = [row[f"{cost}_per_image{end}"] for end in ("_lo", "_hi")]
        sure = row["probability_before_next"]
        cells.append(
            [
                word(row["network"], href=f"networks/{quote(row['network'])}.html"),
                whole(row["rank"]),
                figure(row[f"{cost}_per_image"]),
                Cell()
                if None in ends
                else Cell(f"{number(ends[0], 2)} – {number(ends[1], 2)}", round_sort(ends[1])),
                figure(row["error_percent"]),
                Cell() if sure is None else Cell(f"{100 * sure:.0f}", round(100 * sure, 1)),
                whole(row["batch"]),
                word("front" if row["pareto"] else ""),
                *(_ratio(row[ratio(cost, alpha)], lowest[alpha], shown[alpha]) for alpha in ALPHAS),
                word(_trust(row)),
            ]
        )
    caption = (
        f"Networks in order of predicted {LABELS[cost]} per image. The probability that a network "
        "really costs less than the next in rank is from their intervals, taken as independent. "
        "On the front no other network has both a smaller error and a smaller cost. Bold: the "
        "smallest ratio."
    )
    return slim(Table("choosing", "Networks ranked", caption, columns, cells, filterable=True))


def _alike(values: Sequence[float | None]) -> Callable[[float], str]:
    """How to write the numbers of a column: with exponents all of them, or none."""
    if any(value is not None and "e" in number(value) for value in values):
        return "{:.2e}".format
    return number


def _ratio(value: float | None, lowest: float | None, shown: Callable[[float], str]) -> Cell:
    if value is None:
        return Cell()
    return Cell(shown(value), round_sort(value), mark="best" if value == lowest else "")


def _trust(row: Row) -> str:
    found = (
        [f"beyond the measured {column_words(row['extrapolates'])}"] if row["extrapolates"] else []
    )
    note = str(row["note"] or "")
    if row["rank"] is None:
        found.append(note or "no figure")
    elif missing := partial(note):
        found.append(f"partial: {missing}")
    return "; ".join(found)


PAGE = Page(
    template="choosing.html",
    path="choosing.html",
    inputs=(
        "results/layers/{network}.csv",
        "results/predictions/{platform}/{network}.csv",
        "results/accuracy/{platform}.json",
        "results/models/{platform}/models.json",
    ),
    optional=("prototxts/networks.yaml",),
    scripts=("tables", "switches", "stored"),
    context=choosing_context,
)
