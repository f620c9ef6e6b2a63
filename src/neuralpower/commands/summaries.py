"""The short tables that commands end with, on standard error: what came out, in one look."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from neuralpower.core.errors import say
from neuralpower.core.file_names import DATA_QUALITY, OUT_OF_FOLD
from neuralpower.core.files import aligned_text, read_rows
from neuralpower.core.targets import LABELS

if TYPE_CHECKING:
    from neuralpower.networks.calibration import Composition
    from neuralpower.scoring.accuracy import Accuracy

Row = dict[str, object]
_MODELS = ("family", "target", "rows", "MAPE %", "by fold", "90 % holds")
_NETWORKS = ("target", "passes", "networks", "MAPE %", "90 % holds")


def say_models(folder: Path) -> None:
    """Families and targets of a folder of models: rows, MAPE out of fold, its range, coverage."""
    from neuralpower.modeling.alike import ALIKE, PRODUCT
    from neuralpower.modeling.data_sheet import DATA_SHEET
    from neuralpower.modeling.models import load_models

    unscored = {
        DATA_SHEET: "from the data sheet, not measured",
        ALIKE: "from all kinds of layers together, too few of the kind measured",
        PRODUCT: "as power x runtime, too few of the kind measured",
    }

    path = folder / OUT_OF_FOLD
    predicted = read_rows(path)[1] if path.is_file() else []
    by_fold = _errors_by_fold(predicted)
    rows: list[Row] = []
    others: dict[str, list[str]] = {}
    for (family, target), model in sorted(load_models(folder).models.items()):
        scores = model.facts.get("scores", {})
        if not scores and model.candidate in unscored:
            said = f"{LABELS[target]} {unscored[model.candidate]}"
            others.setdefault(said, []).append(family)
            continue
        rows.append(
            {
                "family": family,
                "target": LABELS[target],
                "rows": scores.get("n"),
                "MAPE %": _short(scores.get("mape")),
                "by fold": by_fold.get((family, target)),
                "90 % holds": _percent(scores.get("interval_coverage")),
            }
        )
    _say(_MODELS, rows)
    for said, families in others.items():
        say(f"{said}, errors not known: {', '.join(families)}")
    for family, target in _all_alike(predicted):
        say(
            f"{family}: all layers measured have the same {LABELS[target]}: nothing is known of "
            "how it depends on the layer"
        )
    for family, target, reason in _refused(folder / DATA_QUALITY):
        say(f"no model of {family} for {target}: {reason}")
    if left_out := _left_out(folder / DATA_QUALITY):
        first = left_out[0]
        say(
            f"values left out: {len(left_out)}, listed in {folder / DATA_QUALITY}; the first: "
            f"{first['file']}, row {first['row']}, {first['column']}: {first['reason']}"
        )


def _errors_by_fold(rows: Iterable[Mapping[str, str]]) -> dict[tuple[str, str], str]:
    """The least and the largest MAPE of a fold, in words."""
    sums: dict[tuple[str, str], dict[str, list[float]]] = {}
    for row in rows:
        error = abs(float(row["predicted"]) / float(row["measured"]) - 1.0)
        folds = sums.setdefault((row["family"], row["target"]), {})
        folds.setdefault(f"{row['deal']} {row['fold']}", []).append(100.0 * error)
    found = {}
    for key, folds in sums.items():
        means = sorted(sum(errors) / len(errors) for errors in folds.values())
        found[key] = f"{_short(means[0])}-{_short(means[-1])}"
    return found


def _all_alike(rows: Iterable[Mapping[str, str]]) -> list[tuple[str, str]]:
    """Families and targets of which all measured values are one."""
    seen: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        seen.setdefault((row["family"], row["target"]), set()).add(row["measured"])
    return sorted(key for key, values in seen.items() if len(values) == 1)


def _refused(path: Path) -> list[tuple[str, str, str]]:
    if not path.is_file():
        return []
    return [
        (row["file"].removesuffix(" tables"), LABELS.get(row["column"], row["column"]),
         row["reason"].removeprefix("too few for a model: "))
        for row in read_rows(path)[1]
        if row["action"] == "no model"
    ]  # fmt: skip


def _left_out(path: Path) -> list[dict[str, str]]:
    rows = read_rows(path)[1] if path.is_file() else ()
    return [row for row in rows if row["action"] in ("left out", "power left out")]


def say_accuracy(accuracy: Accuracy) -> None:
    """Families and whole networks of an accuracy file."""
    rows: list[Row] = [
        {
            "family": family,
            "target": LABELS[target],
            "rows": entry.get("n"),
            "MAPE %": _short(entry.get("mape")),
            "90 % holds": _percent(entry.get("interval_coverage")),
        }
        for family, targets in sorted(accuracy["layers"].items())
        for target, entry in targets.items()
    ]
    _say(_MODELS, rows)
    networks: list[Row] = [
        {
            "target": LABELS[target],
            "passes": entry.get("n"),
            "networks": entry.get("networks"),
            "MAPE %": _short(entry.get("mape")),
            "90 % holds": _percent(entry.get("interval_coverage")),
        }
        for target, entry in (accuracy.get("network_summary") or {}).items()
    ]
    if networks:
        say("whole networks:")
        _say(_NETWORKS, networks)
    say(f"scored on: {accuracy.get('scored_on', 'not said')}")


def say_composition(composition: Composition, platform: str) -> None:
    """What whole passes taught: a factor for each family, from how many networks."""
    if not composition.factors:
        say(f"{platform}: nothing learnt from whole passes: layers are added up")
        return
    rows = [
        {"family": name, "factor": f"{factor.value:.3f}", "measured": f"{factor.measured:.3f}",
         "networks": factor.networks}
        for name, factor in sorted(composition.factors.items())
    ]  # fmt: skip
    _say(("family", "factor", "measured", "networks"), rows)
    say(f"learnt from {len(composition.networks)} networks")


def _say(columns: Sequence[str], rows: Sequence[Row]) -> None:
    sys.stderr.write(aligned_text(columns, rows) if rows else "")


def _short(value: float | None) -> str:
    from neuralpower.networks.text import number

    return number(value)


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.0f} %"
